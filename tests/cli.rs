//! The command line as scripts see it: what is printed where, exit statuses, one clear line for every mistake.

#[path = "cli/data.rs"]
mod data;
#[path = "cli/edits.rs"]
mod edits;
#[path = "cli/guides.rs"]
mod guides;
#[path = "cli/listing.rs"]
mod listing;
#[path = "cli/memory.rs"]
mod memory;
#[path = "cli/outputs.rs"]
mod outputs;
#[path = "cli/patching.rs"]
mod patching;
#[path = "cli/readme.rs"]
mod readme;
mod reference;
#[path = "cli/requests.rs"]
mod requests;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use reference::path;
use serde_json::Value;
use tempfile::TempDir;

const TINY: &str = "[model]\nd_model = 16\nd_head = 8\nd_mlp = 24\nn_ctx = 12\n\
                    [task]\nsequences = 100\n[train]\nepochs = 3\nbatch_size = 32\n";

fn headcount(dir: &Path) -> Command {
    let mut command = Command::cargo_bin("headcount").unwrap();
    command.current_dir(dir);
    command
}

fn tiny() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tiny.toml"), TINY).unwrap();
    dir
}

struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    let output = headcount(dir).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// One line on stderr with every one of `words`, that status, nothing on stdout, and no file that was not there.
#[track_caller]
fn refuses(dir: &Path, args: &[&str], status: i32, words: &[&str]) {
    let files = |dir: &Path| fs::read_dir(dir).unwrap().count();
    let before = files(dir);
    let ran = run(dir, args);
    assert_eq!(ran.status, status, "{args:?}: {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{args:?}");
    assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{args:?}: {}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{args:?}: no `{word}` in {}", ran.stderr);
    }
    assert_eq!(files(dir), before, "{args:?} wrote something");
}

#[test]
fn a_run_leaves_its_settings_metrics_weights_and_checkpoints() {
    let dir = tiny();
    let ran = run(dir.path(), &["train", "--config", "tiny.toml", "--run", "a/b"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let epochs: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("epoch")).collect();
    assert_eq!(epochs.len(), 3, "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().last(), Some("run saved in a/b: `headcount --run a/b` opens it"));
    for file in ["config.toml", "metrics.jsonl", "weights.safetensors", "checkpoints/step-000009.safetensors"]
    {
        assert!(dir.path().join("a/b").join(file).exists(), "{file}");
    }
    let metrics = fs::read_to_string(dir.path().join("a/b/metrics.jsonl")).unwrap();
    let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_steps = lines.iter().filter(|line| line.get("train_loss").is_some()).count();
    let of_epochs = lines.iter().filter(|line| line.get("val_accuracy").is_some()).count();
    assert_eq!((of_steps, of_epochs), (9, 3));
    assert!(lines[0]["lr"].as_f64().unwrap() > 0.0 && lines[3]["val_accuracy_by_class"].is_array());
}

#[test]
fn the_run_directory_is_for_its_owner_alone_and_named_after_task_and_seed() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tiny();
    assert_eq!(run(dir.path(), &["train", "--config", "tiny.toml", "--seed", "4", "--quiet"]).status, 0);
    let metadata = fs::metadata(dir.path().join("runs/majority-4")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
}

const MODULAR: [&str; 13] = [
    "train",
    "--task",
    "modular-addition",
    "--set",
    "task.p=7",
    "--set",
    "model.d_model=16",
    "--set",
    "model.d_head=4",
    "--set",
    "model.d_mlp=24",
    "--set",
    "train.steps=4",
];

#[test]
fn a_task_is_trained_by_its_recipe_and_its_run_knows_it_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &MODULAR);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("modular-addition: steps 0 to 4"), "{}", ran.stderr);
    let config = fs::read_to_string(dir.path().join("runs/modular-addition-23/config.toml")).unwrap();
    for line in [
        "name = \"modular-addition\"",
        "source = \"exhaustive\"",
        "sequences = 49",
        "p = 7",
        "d_vocab_out = 7",
    ] {
        assert!(config.contains(line), "{line}: {config}");
    }
    let weights = ["--weights", "runs/modular-addition-23", "--neurons", "0", "--json"];
    let ran = run(dir.path(), &[&["ablate", "--tokens", "3,5,7"], &weights[..]].concat());
    let outcome: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(outcome["labels"], serde_json::json!([null, null, 1]), "{}", ran.stderr);
    let ran = run(dir.path(), &[&["ablate", "--tokens", "3,5,6"], &weights[..]].concat());
    let unlabelled: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(unlabelled["loss_before"].is_null() && unlabelled["accuracy_after"].is_null(), "{unlabelled}");
    let resume = ["train", "--run", "runs/modular-addition-23", "--resume", "--quiet"];
    assert_eq!(run(dir.path(), &resume).status, 0);
    refuses(
        dir.path(),
        &[&resume[..], &["--task", "majority"]].concat(),
        2,
        &["task.name", "modular-addition"],
    );
    refuses(
        dir.path(),
        &[&resume[..], &["--set", "task.p=5"]].concat(),
        2,
        &["model.d_vocab = 8", "modular-addition needs 6"],
    );
}

#[test]
fn what_is_no_task_or_setting_is_refused_with_the_choices() {
    let dir = tempfile::tempdir().unwrap();
    refuses(dir.path(), &["train", "--task", "majorty"], 2, &["majorty", "majority, modular-addition"]);
    refuses(dir.path(), &["tasks", "majorty"], 2, &["majority, modular-addition"]);
    let set = |assignment| ["train", "--set", assignment];
    refuses(dir.path(), &set("task.p=7"), 2, &["task.p", "majority", "train_fraction"]);
    refuses(dir.path(), &set("model.d_modle=7"), 2, &["model.d_modle", "d_model"]);
    refuses(dir.path(), &set("model.act_fn=swish"), 2, &["act_fn", "solu_ln"]);
    refuses(dir.path(), &set("train.epochs"), 2, &["KEY=VALUE"]);
    refuses(
        dir.path(),
        &["train", "--task", "modular-addition", "--set", "model.d_vocab=9"],
        2,
        &["model.d_vocab = 9", "114"],
    );
}

#[test]
fn the_tasks_are_listed_for_people_and_for_programs() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &["tasks", "--json"]);
    let tasks: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(tasks[0]["name"], "majority");
    assert_eq!((&tasks[1]["name"], tasks[1]["steps"].as_u64()), (&"modular-addition".into(), Some(25_000)));
    let ran = run(dir.path(), &["tasks", "majority"]);
    assert!(ran.stdout.contains("which token") && ran.stdout.contains("max_lr = 0.01"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("modulo"), "{}", ran.stdout);
}

#[test]
fn quiet_is_silent_and_json_goes_to_stdout() {
    let dir = tiny();
    let ran = run(dir.path(), &["train", "--config", "tiny.toml", "--quiet", "--json"]);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.stdout, fs::read_to_string(dir.path().join("runs/majority-23/metrics.jsonl")).unwrap());
}

#[test]
fn a_run_goes_on_only_when_told_to_and_ends_as_one_that_never_stopped() {
    let dir = tiny();
    let train = |run_dir: &str, more: &[&str]| {
        let args = ["train", "--config", "tiny.toml", "--quiet", "--run", run_dir];
        run(dir.path(), &[&args[..], more].concat())
    };
    assert_eq!(train("whole", &[]).status, 0);
    assert_eq!(train("parts", &["--steps", "4"]).status, 0);
    let again = train("parts", &[]);
    assert!(again.status == 1 && again.stderr.contains("--resume"), "{}", again.stderr);
    assert_eq!(train("parts", &["--resume"]).status, 0);
    for file in ["metrics.jsonl", "weights.safetensors"] {
        let read = |run: &str| fs::read(dir.path().join(run).join(file)).unwrap();
        assert!(read("whole") == read("parts"), "{file}");
    }
    assert_eq!(train("fresh", &["--resume"]).status, 0, "starts when there is nothing to resume");
    assert_eq!(train("whole", &["--resume"]).status, 0, "nothing left to do");
}

#[test]
fn a_run_whose_weights_cannot_be_exported_fails_and_is_whole_once_they_can() {
    let dir = tiny();
    let weights = dir.path().join("r/weights.safetensors");
    fs::create_dir_all(&weights).unwrap();
    fs::copy(dir.path().join("tiny.toml"), dir.path().join("r/config.toml")).unwrap();
    let train = || run(dir.path(), &["train", "--resume", "--run", "r", "--quiet"]);
    let ran = train();
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.contains("not exported: r/weights.safetensors: cannot write"), "{last}");
    fs::remove_dir(&weights).unwrap();
    assert_eq!(train().status, 0);
    assert_eq!(run(dir.path(), &["inspect", "summary", "--weights", "r/weights.safetensors"]).status, 0);
}

#[test]
fn the_run_of_a_file_of_weights_is_found_under_every_name_of_it() {
    use std::os::unix::fs::symlink;
    let dir = tiny();
    let args = ["train", "--config", "tiny.toml", "--quiet", "--run", "r", "--seed", "7"];
    assert_eq!(run(dir.path(), &args).status, 0);
    let checkpoint = dir.path().join("r/checkpoints/step-000009.safetensors");
    let link = dir.path().join("elsewhere");
    fs::create_dir(&link).unwrap();
    symlink("../r/checkpoints/step-000009.safetensors", link.join("link.safetensors")).unwrap();
    fs::rename(dir.path().join("r/weights.safetensors"), dir.path().join("stored.safetensors")).unwrap();
    symlink("../stored.safetensors", dir.path().join("r/weights.safetensors")).unwrap();
    let absolute = checkpoint.to_str().unwrap();
    for (folder, weights) in [
        ("", "r/checkpoints/step-000009.safetensors"),
        ("", absolute),
        ("r", "checkpoints/step-000009.safetensors"),
        ("r/checkpoints", "step-000009.safetensors"),
        ("r/checkpoints", "./step-000009.safetensors"),
        ("elsewhere", "link.safetensors"),
        ("elsewhere", "../r/weights.safetensors"),
        ("r", "weights.safetensors"),
    ] {
        let folder = dir.path().join(folder);
        let tokens = ["--tokens", "1,2,3"];
        let means = ["ablate", "--weights", weights, "--kind", "mean", "--neurons", "0", "--json"];
        let ablated = run(&folder, &[&means[..], &tokens].concat());
        assert!(
            ablated.stdout.contains("set of seed 7 ("),
            "{weights}: {}{}",
            ablated.stdout,
            ablated.stderr
        );
        let trackers = run(&folder, &["inspect", "trackers", "--weights", weights]);
        assert!(trackers.stdout.contains("set of seed 7 ("), "{weights}: {}", trackers.stdout);
    }
}

#[test]
fn settings_that_contradict_the_run_are_named() {
    let dir = tiny();
    run(dir.path(), &["train", "--config", "tiny.toml", "--quiet", "--run", "r", "--steps", "2"]);
    let args = ["train", "--resume", "--run", "r", "--seed", "99"];
    refuses(dir.path(), &args, 2, &["seed = 99", "seed = 23", "r was started"]);
}

#[test]
fn a_finished_run_is_made_longer_on_request_and_never_shorter() {
    let dir = tiny();
    let train =
        |more: &[&str]| run(dir.path(), &[&["train", "--run", "r", "--device", "cpu"], more].concat());
    assert_eq!(train(&["--config", "tiny.toml"]).status, 0);
    let again = train(&["--resume"]);
    assert!(
        again.stderr.contains("all 9 steps are taken") && again.stderr.contains("more --epochs"),
        "{}",
        again.stderr
    );
    let shorter = ["train", "--run", "r", "--resume", "--epochs", "2"];
    refuses(dir.path(), &shorter, 1, &["r is a run of 9 steps", "one of 6"]);
    let unasked = ["train", "--run", "r", "--epochs", "5"];
    refuses(dir.path(), &unasked, 1, &["train.epochs = 3", "train.epochs = 5", "--resume"]);
    let longer = train(&["--resume", "--epochs", "5"]);
    assert_eq!(longer.status, 0, "{}", longer.stderr);
    assert!(
        longer.stderr.contains("extended at step 9: learning rate decays from 1.000e-3 to"),
        "{}",
        longer.stderr
    );
    assert!(longer.stderr.contains("steps 9 to 15"), "{}", longer.stderr);
    let held = train(&["--resume", "--epochs", "6", "--extend", "constant"]);
    assert!(held.stderr.contains("extended at step 15: learning rate held at"), "{}", held.stderr);
    let config = fs::read_to_string(dir.path().join("r/config.toml")).unwrap();
    assert_eq!(config.matches("[[train.extended]]").count(), 2, "{config}");
    let metrics = fs::read_to_string(dir.path().join("r/metrics.jsonl")).unwrap();
    let epochs = |line: &str| serde_json::from_str::<Value>(line).unwrap()["epoch"].as_u64().unwrap();
    let steps = metrics.lines().filter(|line| line.contains("train_loss")).map(epochs);
    assert_eq!(steps.collect::<Vec<_>>(), (0..18).map(|step| step / 3 + 1).collect::<Vec<_>>());
    assert_eq!(train(&["--resume"]).status, 0);
}

#[test]
fn without_a_terminal_the_screen_is_refused_in_one_line() {
    let dir = tiny();
    refuses(dir.path(), &[], 2, &["headcount train"]);
    refuses(dir.path(), &["explore"], 2, &["headcount train"]);
}

#[test]
fn mistakes_in_the_settings_are_named_with_their_place() {
    let dir = tiny();
    let config = |text: &str| fs::write(dir.path().join("bad.toml"), text).unwrap();
    config("seed = 1\n[model]\nd_modle = 3\n");
    refuses(dir.path(), &["train", "--config", "bad.toml"], 2, &["bad.toml:3:1", "d_modle"]);
    config("[model]\nd_head = 0\n");
    refuses(dir.path(), &["train", "--config", "bad.toml"], 2, &["bad.toml", "model.d_head = 0"]);
    config("[model]\nn_ctx = 100000000000\n");
    refuses(dir.path(), &["train", "--config", "bad.toml"], 2, &["model.n_ctx = 100000000000"]);
    refuses(dir.path(), &["train", "--config", "none.toml"], 1, &["none.toml"]);
    refuses(dir.path(), &["train", "--config", "tiny.toml", "--epochs", "0"], 2, &["train.epochs = 0"]);
    refuses(dir.path(), &["train", "--config", "tiny.toml", "--device", "tpu"], 2, &["tpu"]);
}

#[test]
fn a_run_directory_that_cannot_be_one_is_named() {
    let dir = tiny();
    refuses(dir.path(), &["train", "--config", "tiny.toml", "--run", "tiny.toml"], 1, &["tiny.toml"]);
    refuses(dir.path(), &["train", "--config", "tiny.toml", "--run", "/proc/nothing"], 1, &["/proc/nothing"]);
    fs::create_dir(dir.path().join("photos")).unwrap();
    fs::write(dir.path().join("photos/cat.jpg"), "meow").unwrap();
    refuses(
        dir.path(),
        &["train", "--config", "tiny.toml", "--run", "photos"],
        1,
        &["photos", "not a run directory"],
    );
}

fn ablate<'a>(weights: &'a str, tokens: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["ablate", "--weights", weights, "--tokens", tokens], more].concat()
}

#[test]
fn ablate_prints_one_json_object_that_equals_transformer_lens() {
    let dir = tiny();
    let weights = path("weights.safetensors").display().to_string();
    let batch = reference::Tensors::read("batch").tokens("tokens");
    let tokens: Vec<String> = batch[..128].iter().map(ToString::to_string).collect();
    fs::write(dir.path().join("sequence"), tokens.join(" \n")).unwrap();
    let cases = reference::ablation_cases();
    for case in cases.iter().filter(|case| !case.indices.is_empty() && case.weights != "processed") {
        let neurons: Vec<String> = case.indices.iter().map(ToString::to_string).collect();
        let neurons = neurons.join(",");
        let over = path("batch.safetensors").display().to_string();
        let mut more = vec!["--neurons", &neurons, "--task", "majority", "--json"];
        more.extend(
            (case.kind == "mean").then_some(["--kind", "mean", "--mean-over", &over]).into_iter().flatten(),
        );
        more.extend((case.weights == "folded").then_some("--folded"));
        let ran = run(dir.path(), &ablate(&weights, "@sequence", &more));
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!((json["loss_after"].as_f64().unwrap() - case.loss_seq0).abs() < 1e-3, "{case:?}");
        assert_eq!(json["predictions_after"], serde_json::to_value(&case.pred_seq0).unwrap());
        assert_eq!(json["weights"], case.weights.as_str());
        assert_eq!(json["cells"], case.indices.len() * 128);
        for key in ["loss_before", "predictions_before", "labels", "changed", "heads", "kind"] {
            assert!(json.get(key).is_some(), "{key}");
        }
    }
}

#[test]
fn mistakes_in_an_ablation_are_named() {
    let dir = tiny();
    let weights = path("weights.safetensors").display().to_string();
    let case = |tokens: &str, more: &[&str], words: &[&str]| {
        refuses(dir.path(), &ablate(&weights, tokens, more), 2, words);
    };
    case("1,2,10", &["--neurons", "1"], &["token 10 at position 2", "0 to 9"]);
    case("1,x", &["--neurons", "1"], &["`x` at position 1"]);
    case("", &["--neurons", "1"], &["no tokens"]);
    case(&"1,".repeat(129), &["--neurons", "1"], &["129 tokens", "at most 128"]);
    case("1,2", &["--neurons", "256"], &["no neuron 256", "0 to 255"]);
    case("1,2", &["--heads", "2"], &["no head 2", "0 to 1"]);
    case("1,2", &["--heads", "0", "--layer", "1"], &["no layer 1"]);
    case("1,2", &[], &["nothing to switch off"]);
    refuses(dir.path(), &ablate(&weights, "@nowhere", &["--heads", "0"]), 1, &["nowhere"]);
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let dir = tiny();
    let bytes = fs::read(path("weights.safetensors")).unwrap();
    let write = |bytes: &[u8]| fs::write(dir.path().join("bad.safetensors"), bytes).unwrap();
    let refuse = |words: &[&str]| {
        refuses(
            dir.path(),
            &["inspect", "summary", "--weights", "bad.safetensors"],
            1,
            &[&["bad.safetensors"], words].concat(),
        );
    };
    refuses(dir.path(), &["inspect", "summary", "--weights", "none"], 1, &["none"]);
    refuses(dir.path(), &["inspect", "summary", "--weights", "."], 1, &["."]);
    write(&bytes[..bytes.len() - 1]);
    refuse(&["not a safetensors file"]);
    write(b"PK\x03\x04 an npz file, or so");
    refuse(&["not a safetensors file"]);
    write(&u64::MAX.to_le_bytes());
    refuse(&["header"]);
    write(b"");
    refuse(&["not a safetensors file"]);
    let swap = |from: &str, to: &str| {
        let header = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize + 8;
        let text = String::from_utf8(bytes[8..header].to_vec()).unwrap().replacen(from, to, 1);
        assert_eq!(text.len() + 8, header, "the swap must keep the length");
        write(&[&bytes[..8], text.as_bytes(), &bytes[header..]].concat());
    };
    swap("unembed.W_U", "unembed.W_V");
    refuse(&["no tensor `unembed.W_U`"]);
    swap("[64,256]", "[256,64]");
    refuse(&["blocks.0.mlp.W_in"]);
    swap("\"F32\"", "\"I32\"");
    refuse(&["not F32"]);
}

#[test]
fn inspect_writes_what_transformer_lens_has() {
    let dir = tiny();
    let weights = path("weights.safetensors").display().to_string();
    let tokens: Vec<String> =
        reference::Tensors::read("batch").tokens("tokens")[..128].iter().map(ToString::to_string).collect();
    let tokens = tokens.join(",");
    for (what, reference) in
        [("cache", "cache"), ("attribution", "logit_attribution"), ("fold", "folded_weights")]
    {
        let mut args = vec!["inspect", what, "--weights", &weights, "--out", "out.safetensors"];
        args.extend((what != "fold").then_some(["--tokens", &tokens]).into_iter().flatten());
        let ran = run(dir.path(), &args);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let bytes = fs::read(dir.path().join("out.safetensors")).unwrap();
        let ours = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let theirs = reference::Tensors::read(reference);
        assert_eq!(ours.len(), theirs.names().len());
        for name in theirs.names() {
            let (shape, values) = theirs.get(&name);
            let tensor = ours.tensor(&name).unwrap();
            assert_eq!(tensor.shape(), shape, "{name}");
            let ours = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            assert!(
                ours.zip(values).all(|(a, b)| a.to_bits() == b.to_bits() || (a - b).abs() < 1e-4),
                "{name}"
            );
        }
    }
}

#[test]
fn a_runs_directory_stands_for_its_weights_and_is_not_written_over() {
    let dir = tiny();
    let ran = run(dir.path(), &["train", "--config", "tiny.toml", "--run", "r", "--steps", "4"]);
    assert!(
        ran.stderr.contains("stopped at step 4 of ") && ran.stderr.contains("--resume"),
        "{}",
        ran.stderr
    );
    let [whole, file] = ["r", "r/weights.safetensors"]
        .map(|weights| run(dir.path(), &["inspect", "summary", "--weights", weights]));
    assert!(whole.status == 0 && whole.stdout == file.stdout, "{}", whole.stderr);
    let before = fs::read(dir.path().join("r/weights.safetensors")).unwrap();
    let tokens = dir.path().join("tokens");
    fs::write(&tokens, "1 2").unwrap();
    let fold = ["inspect", "fold", "--weights", "r", "--out", "./r/weights.safetensors"];
    let cache = ["inspect", "cache", "--weights", "r", "--tokens", "@tokens", "--out", "tokens"];
    refuses(dir.path(), &fold, 2, &["--out", "that is what is read"]);
    refuses(dir.path(), &cache, 2, &["--out", "that is what is read"]);
    assert!(fs::read(dir.path().join("r/weights.safetensors")).unwrap() == before);
    assert_eq!(fs::read_to_string(tokens).unwrap(), "1 2");
    let train = ["train", "--config", "tiny.toml", "--run", "r", "--resume"];
    assert!(run(dir.path(), &train).stderr.contains("on cpu, kept in r"));
    let again = run(dir.path(), &train);
    assert!(again.stderr.contains("steps are taken, kept in r"), "{}", again.stderr);
}

#[test]
fn an_ablation_is_told_in_words() {
    let dir = tiny();
    let weights = path("weights.safetensors").display().to_string();
    let asked = ["--neurons", "93,103", "--heads", "1", "--pattern", "uniform", "--pattern-heads", "0"];
    let sequence = ["ablate", "--weights", &weights, "--tokens", "1,5,3", "--task", "majority"];
    let args = [&sequence[..], &asked].concat();
    let ran = run(dir.path(), &args);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    for words in ["neurons 93, 103 and head 1 set to zero", "head 0 attends uniformly", "loss     ", " nats"]
    {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
}

#[test]
fn a_missing_command_names_the_choices() {
    let dir = tiny();
    refuses(dir.path(), &["inspect"], 2, &["a command is missing", "cache", "attribution", "trackers"]);
}
