//! What a request may look like, what makes no sense, and what the answer says.

use super::*;

/// Weights of two layers, in `r` of a folder.
fn two_layers() -> TempDir {
    let dir = tiny();
    let settings = TINY.replace("d_mlp", "n_layers = 2\nd_mlp");
    fs::write(dir.path().join("two.toml"), settings).unwrap();
    let ran = run(dir.path(), &["train", "--config", "two.toml", "--run", "r", "--steps", "1", "--quiet"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    dir
}

#[track_caller]
fn answers(dir: &Path, args: &[&str]) -> String {
    let ran = run(dir, args);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
    ran.stdout
}

#[track_caller]
fn json(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&answers(dir, &[args, &["--json"]].concat())).unwrap()
}

#[test]
fn heads_and_neurons_of_several_layers_are_named_with_theirs() {
    let dir = two_layers();
    let off = |more: &[&str]| json(dir.path(), &ablate("r", "1,2,3", more));
    let both =
        off(&["--heads", "0.1, 1.0", "--neurons", "1.5", "--pattern", "uniform", "--pattern-heads", "0.0"]);
    assert_eq!(
        (&both["heads"], &both["neurons"]),
        (&serde_json::json!(["0.1", "1.0"]), &serde_json::json!(["1.5"]))
    );
    assert_eq!((&both["layer"], &both["patterns"]["0.0"]), (&Value::Null, &Value::from("uniform")));
    let [plain, named] = [
        &["--heads", "1", "--neurons", "5, 7", "--layer", "1"],
        &["--heads", "1.1", "--neurons", "1.5,1.7", "--layer", "0"],
    ]
    .map(|more| off(more));
    assert_eq!(plain, named);
    assert_eq!(
        (&plain["heads"], &plain["neurons"], &plain["layer"]),
        (&serde_json::json!([1]), &serde_json::json!([5, 7]), &1.into())
    );
    let text = answers(dir.path(), &ablate("r", "1,2,3", &["--heads", "0.1,1.0"]));
    assert!(
        text.starts_with("r/weights.safetensors (trained weights)\nheads 0.1, 1.0 set to zero\n"),
        "{text}"
    );
}

#[test]
fn every_noun_agrees_with_its_number() {
    let dir = two_layers();
    let text = |tokens: &str, more: &[&str]| answers(dir.path(), &ablate("r", tokens, more));
    let one = text("1", &["--neurons", "0", "--kind", "mean"]);
    let over = "neuron 0 set to its mean over sequences and positions of the validation set of seed 23 (20 sequences)";
    assert!(
        one.contains(over) && one.contains("1 value replaced") && one.contains("of 1 prediction changed"),
        "{one}"
    );
    let more = text("1,2", &["--neurons", "0,1", "--kind", "mean"]);
    assert!(
        more.contains("neurons 0, 1 set to their mean over")
            && more.contains("4 values")
            && more.contains("2 predictions"),
        "{more}"
    );
}

#[test]
fn a_mean_says_what_it_is_over() {
    let dir = two_layers();
    let help = run(dir.path(), &["ablate", "--help"]).stdout;
    assert_eq!(help.matches("sequences and positions").count(), 2, "{help}");
    let answer = json(dir.path(), &ablate("r", "1,2", &["--heads", "0", "--kind", "mean"]));
    assert_eq!(
        answer["mean_over"],
        "sequences and positions of the validation set of seed 23 (20 sequences)"
    );
    let batch = path("batch.safetensors").display().to_string();
    let weights = path("weights.safetensors").display().to_string();
    let answer = json(
        dir.path(),
        &ablate(&weights, "1,2", &["--heads", "0", "--kind", "mean", "--mean-over", &batch]),
    );
    assert_eq!(answer["mean_over"], format!("sequences and positions of {batch} (8 sequences)"));
}

#[test]
fn numbers_have_the_digits_that_they_were_measured_with() {
    let dir = two_layers();
    let printed =
        answers(dir.path(), &[&ablate("r", "1,2,3,4,5", &["--heads", "0"])[..], &["--json"]].concat());
    let answer: Value = serde_json::from_str(&printed).unwrap();
    for key in ["loss_before", "loss_after", "accuracy_before", "accuracy_after"] {
        let digits = answer[key].to_string();
        assert!(digits.len() <= 12, "{key}: {digits}");
    }
}

#[test]
fn a_file_of_tokens_may_have_many_lines_and_one_is_chosen() {
    let dir = two_layers();
    let write = |text: &str| fs::write(dir.path().join("t"), text).unwrap();
    let tokens = |given: &str| json(dir.path(), &ablate("r", given, &["--heads", "0"]))["tokens"].clone();
    let refused =
        |given: &str, words: &[&str]| refuses(dir.path(), &ablate("r", given, &["--heads", "0"]), 2, words);
    let one_two_three = serde_json::json!([1, 2, 3]);
    for text in ["1,2,3", "1 2 3\n", "\u{feff}1, 2,\t3\r\n", "\n1,2,3,\n\n", "1\n2\n3\n", "1,\n2,\n3"] {
        write(text);
        assert_eq!(tokens("@t"), one_two_three, "{text:?}");
    }
    write("4 5\n1 2 3\n\n");
    refused("@t", &["2 sequences, one a line", "@t:1"]);
    assert_eq!(tokens("@t:2"), one_two_three);
    refused("@t:3", &["no sequence in line 3 of 3"]);
    refused("@t:0", &["no sequence in line 0"]);
    fs::write(dir.path().join("t:2"), "6").unwrap();
    assert_eq!(tokens("@t:2"), serde_json::json!([6]), "a file of that name comes first");
    let args = [&ablate("r", "@-:1", &["--heads", "0"])[..], &["--json"]].concat();
    let output = headcount(dir.path()).args(args).write_stdin("1,2,3\n4,5\n").output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["tokens"], one_two_three);
    refused("1,2\n3,4", &["2 lines: give one sequence"]);
    for (given, at) in
        [("1,,2", "position 1"), (",1", "position 0"), ("1, ,2", "position 1"), (",", "position 0")]
    {
        refused(given, &["no token before a comma", at]);
    }
    write(&"1 ".repeat(1 << 20));
    refuses(dir.path(), &ablate("r", "@t", &["--heads", "0"]), 1, &["longer than"]);
}

#[test]
fn a_path_does_not_steer_the_terminal() {
    let dir = two_layers();
    let name = "\u{1b}]0;owned\u{7}\u{9b}31m.safetensors";
    fs::copy(dir.path().join("r/weights.safetensors"), dir.path().join(name)).unwrap();
    let text = answers(dir.path(), &ablate(name, "1,2", &["--heads", "0"]));
    assert!(text.starts_with("\\x1b]0;owned\\x07\\u{9b}31m.safetensors (trained"), "{text:?}");
    assert_eq!(json(dir.path(), &ablate(name, "1,2", &["--heads", "0"]))["weights_file"], name);
}

/// What makes no sense is 2, what failed is 1: whatever is wrong, and wherever it is said.
#[test]
fn the_exit_status_tells_a_bad_request_from_a_failure() {
    let dir = two_layers();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("key.toml", "seeed = 1");
    write("type.toml", "seed = \"one\"");
    write("range.toml", "[train]\nmax_lr = -1.0");
    write("other.toml", "seed = 9");
    write("huge.toml", "[task]\nsequences = 100000000");
    write("torn.toml", "[model");
    write("outside", "1,2,10");
    write("word", "1,two");
    write("binary.safetensors", "no weights");
    fs::create_dir(dir.path().join("folder")).unwrap();
    let weights = path("weights.safetensors").display().to_string();
    let batch = path("batch.safetensors").display().to_string();
    let mean = ["--heads", "0", "--kind", "mean", "--mean-over"];
    let trains = |config: &'static str| vec!["train", "--config", config, "--run", "new"];
    let of_r = |more: &[&'static str]| [&["ablate", "--weights", "r", "--tokens", "1"], more].concat();
    let inspect =
        |what: &'static str, more: &[&'static str]| [&["inspect", what, "--weights", "r"], more].concat();
    let no_sense: Vec<Vec<&str>> = vec![
        trains("key.toml"),
        trains("type.toml"),
        trains("range.toml"),
        trains("huge.toml"),
        trains("torn.toml"),
        vec!["train", "--resume", "--config", "other.toml", "--run", "r"],
        vec!["train", "--resume", "--seed", "9", "--run", "r"],
        vec!["train", "--epochs", "0", "--run", "new"],
        vec!["train", "--epochs", "many"],
        vec!["train", "--device", "abacus"],
        vec!["inspect", "summary", "--weights", "r", "--config", "key.toml"],
        vec!["inspect", "spectrum"],
        ablate("r", "1,2,10", &["--heads", "0"]),
        ablate("r", "@outside", &["--heads", "0"]),
        ablate("r", "@word", &["--heads", "0"]),
        ablate("r", "", &["--heads", "0"]),
        ablate("r", "@outside:2", &["--heads", "0"]),
        of_r(&["--heads", "2"]),
        of_r(&["--heads", "2.0"]),
        of_r(&["--heads", "0.0.0"]),
        of_r(&["--heads", "0,,1"]),
        of_r(&["--neurons", "24"]),
        of_r(&["--neurons", "1.24"]),
        of_r(&["--neurons", "-1"]),
        of_r(&["--heads", "0", "--layer", "2"]),
        of_r(&["--pattern", "uniform", "--pattern-heads", "1.2"]),
        of_r(&["--pattern-heads", "1"]),
        of_r(&[]),
        [&of_r(&mean[..2])[..], &["--mean-over", &batch]].concat(),
        [&of_r(&mean)[..], &[&batch]].concat(),
        inspect("trackers", &["--top", "0"]),
        inspect("trackers", &["--top", "25"]),
        inspect("fold", &["--out", "r/weights.safetensors"]),
    ];
    let failed: Vec<Vec<&str>> = vec![
        trains("none.toml"),
        trains("folder"),
        vec!["train", "--run", "two.toml"],
        vec!["train", "--run", "/proc/none"],
        vec!["train", "--config", "two.toml", "--run", "r"],
        vec!["inspect", "summary", "--weights", "none"],
        vec!["inspect", "summary", "--weights", "folder"],
        vec!["inspect", "summary", "--weights", "binary.safetensors"],
        ablate("r", "@none", &["--heads", "0"]),
        ablate("r", "@folder", &["--heads", "0"]),
        [&of_r(&mean)[..], &["none"]].concat(),
        [&of_r(&mean)[..], &["binary.safetensors"]].concat(),
        [&of_r(&mean)[..], &[&weights]].concat(),
        inspect("fold", &["--out", "folder"]),
        inspect("fold", &["--out", "none/file"]),
        inspect("cache", &["--tokens", "1", "--out", "/dev/full"]),
    ];
    for (status, requests) in [(2, no_sense), (1, failed)] {
        requests.iter().for_each(|args| refuses(dir.path(), args, status, &[]));
    }
}

#[test]
fn the_weights_of_a_step_of_a_run_are_those_of_its_nearest_kept_snapshot() {
    let dir = tiny();
    assert_eq!(run(dir.path(), &["train", "--config", "tiny.toml", "--run", "r", "--quiet"]).status, 0);
    let kept = dir.path().join("r/snapshots/step-000005.safetensors");
    fs::copy(&kept, dir.path().join("five.safetensors")).unwrap();
    let of_run = json(dir.path(), &["eval", "--run", "r", "--step", "5"]);
    assert_eq!(of_run["step"], 5);
    let of_file = json(dir.path(), &["eval", "--weights", "r/snapshots/step-000005.safetensors"]);
    assert_eq!(of_run["loss"], of_file["loss"]);
    fs::remove_file(kept).unwrap();
    let nearest = json(dir.path(), &["eval", "--run", "r", "--step", "5"]);
    assert!(nearest["step"] == 4 && nearest["loss"] != of_run["loss"], "of two, the earlier");
    for command in ["cache", "attribution"] {
        let inspect = |place: &[&str]| {
            let out = ["inspect", command, "--tokens", "1,2", "--out", "-"];
            let ran = Command::new(env!("CARGO_BIN_EXE_headcount"))
                .args(out.iter().chain(place))
                .current_dir(dir.path())
                .output()
                .unwrap();
            (ran.stdout, String::from_utf8(ran.stderr).unwrap())
        };
        let (bytes, said) = inspect(&["--run", "r", "--step", "6"]);
        assert_eq!(said, "headcount: step 6 of r\n");
        let (of_file, _) = inspect(&["--weights", "r/snapshots/step-000006.safetensors"]);
        // Without the metadata, which name the file and the step.
        assert!(bytes.len() > 400 && bytes[bytes.len() - 400..] == of_file[of_file.len() - 400..]);
    }
    refuses(dir.path(), &["inspect", "summary"], 2, &["--weights"]);
    refuses(dir.path(), &["inspect", "summary", "--run", "none"], 2, &["no run with a checkpoint"]);
}
