//! `headcount show` writes what the screen exports: every panel of every view, on three models, by the real program.

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{SEED, Setup, trained};
use headcount::app::{Mode, ViewId};
use headcount::model::weights_file::encode_weights;
use headcount::model::{ModelConfig, Weights};
use headcount::task::{Source, TaskConfig};
use serde_json::{Value, json};

/// A model, and the settings of its data.
struct Model {
    name: &'static str,
    weights: Weights,
    task: TaskConfig,
    settings: Vec<&'static str>,
}

fn models() -> [Model; 3] {
    let halves = TaskConfig { sequences: 60, train_fraction: 0.5, ..TaskConfig::default() };
    let settings = ["task.sequences=60", "task.train_fraction=0.5"];
    let attention_only = ModelConfig {
        n_layers: 2,
        n_heads: 3,
        d_model: 12,
        d_head: 4,
        d_mlp: 0,
        n_ctx: 9,
        ..ModelConfig::default()
    };
    let p = 7;
    let addition = ModelConfig {
        d_model: 16,
        d_head: 8,
        d_mlp: 20,
        n_ctx: 3,
        d_vocab: p + 1,
        d_vocab_out: Some(p),
        ..ModelConfig::default()
    };
    let sums = TaskConfig {
        name: "modular-addition".into(),
        settings: [("p".to_owned(), p)].into(),
        source: Source::Exhaustive,
        sequences: p * p,
        train_fraction: 0.5,
        ..TaskConfig::default()
    };
    let initial = |config: &ModelConfig| Weights::initial(config, 3);
    [
        Model { name: "notebook", weights: trained(), task: halves.clone(), settings: settings.into() },
        Model {
            name: "attention-only",
            weights: initial(&attention_only),
            task: halves,
            settings: settings.into(),
        },
        Model {
            name: "modular-addition",
            weights: initial(&addition),
            task: sums,
            settings: vec!["task.name=\"modular-addition\"", "task.p=7", "task.train_fraction=0.5"],
        },
    ]
}

fn headcount(dir: &Path, args: &[String]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("headcount").unwrap();
    let output = command.current_dir(dir).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(ToOwned::to_owned).collect()
}

/// What `show` writes as JSON.
fn show(dir: &Path, model: &Model, what: &str, more: &[&str]) -> Result<Value, String> {
    let seed = SEED.to_string();
    let mut args = vec!["show", what, "--weights", "w.safetensors", "--seed", &seed, "--format", "json"];
    args.extend(model.settings.iter().flat_map(|setting| ["--set", setting]));
    args.extend(more);
    let args: Vec<String> = args.into_iter().map(ToOwned::to_owned).collect();
    match headcount(dir, &args) {
        (0, stdout, stderr) => {
            assert_eq!(stderr, "", "{args:?}");
            Ok(serde_json::from_str(&stdout).expect("JSON"))
        }
        (2, stdout, stderr) => {
            assert!(stdout.is_empty() && stderr.lines().count() == 1, "{args:?}: {stderr}");
            Err(stderr)
        }
        other => panic!("{args:?}: {other:?}"),
    }
}

/// The tables of a view as the screen exports them, by the keys that bring every panel into view.
fn exported(model: &Model, keys: &str) -> Option<Value> {
    let mut screen = Setup {
        model: model.weights.config().clone(),
        mode: Mode::Exploring { weights: "w.safetensors".into() },
        task: Some(model.task.clone()),
        ..Setup::default()
    }
    .screen();
    screen.snapshot(0, model.weights.clone());
    screen.keys(keys).keys("e");
    screen.exported.last().map(|export| serde_json::from_str(&export.json).unwrap())
}

/// Equal, but for random sets: of those the screen of the tests takes fewer.
#[track_caller]
fn assert_equal(what: &str, screen: &Value, shown: &Value) {
    let (mut screen, mut shown) = (screen.clone(), shown.clone());
    if screen["name"] == "effect" {
        for table in [&mut screen, &mut shown] {
            table["rows"].as_array_mut().unwrap().truncate(4);
        }
    }
    if screen != shown {
        let rows = |table: &Value| table["rows"].as_array().map_or(0, Vec::len);
        let differs = (0..rows(&screen)).find(|&at| screen["rows"][at] != shown["rows"][at]);
        let at = differs.unwrap_or_default();
        panic!(
            "{what}: row {at}: {} on screen, {} shown\n{}\n{}",
            screen["rows"][at], shown["rows"][at], screen["measured"], shown["measured"]
        );
    }
}

/// All maps and plots of view 5, and all vectors; where these are differs from model to model.
const CIRCUITS: &str = "5vvvvvvvssbjjjjbjjjjb";

#[test]
fn every_panel_is_what_the_screen_exports() {
    for model in models() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("w.safetensors"),
            encode_weights(&model.weights, &[("task", "majority".into())]),
        )
        .unwrap();
        let mut seen = 0;
        for (view, keys) in [
            ("train", "1a"),
            ("attention", "2xxxvv"),
            ("logits", "3xbb"),
            ("neurons", "4ossvvv"),
            ("circuits", CIRCUITS),
            ("patch", "7"),
        ] {
            let what = format!("{}: {view}", model.name);
            let export = exported(&model, keys);
            let shown = show(dir.path(), &model, view, &[]);
            let (Some(export), Ok(shown)) = (export, &shown) else {
                assert!(model.name == "attention-only" && view == "neurons" && shown.is_err(), "{what}");
                continue;
            };
            let tables = export["tables"].as_array().unwrap();
            for screen in tables {
                let one = shown.as_array().unwrap().iter().find(|one| one["name"] == screen["name"]);
                let name = screen["name"].as_str().unwrap();
                assert_equal(
                    &format!("{what}: {name}"),
                    screen,
                    one.unwrap_or_else(|| panic!("{what}: no {name}")),
                );
                seen += 1;
            }
            assert_eq!(tables.len(), shown.as_array().unwrap().len(), "{what}");
        }
        let least = if model.name == "attention-only" { 23 } else { 32 };
        assert!(seen >= least, "{}: {seen} panels", model.name);
    }
}

#[test]
fn edits_are_those_of_the_screen() {
    for model in models() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("w.safetensors"),
            encode_weights(&model.weights, &[("task", "majority".into())]),
        )
        .unwrap();
        // The first neuron of the list off, or the first head where there is none; and a pattern replaced.
        let keys = if model.weights.config().has_mlp() { "4g<space>2.a6x" } else { "2<space>.a6x" };
        let export = exported(&model, keys).expect("something is off");
        let places = |list: &str, number: &str| -> Vec<String> {
            let all = export["off"][list].as_array().unwrap().iter();
            all.map(|id| format!("{}.{}", id["layer"], id[number])).collect()
        };
        let (heads, neurons) = (places("heads", "head").join(","), places("neurons", "neuron").join(","));
        let pattern = &export["off"]["patterns"][0][0];
        let pattern = format!("{}.{}", pattern["layer"], pattern["head"]);
        let head = format!("{}.{}", export["layer"], export["head"]);
        let mut more = vec!["--pattern", "uniform", "--pattern-heads", &pattern, "--head", &head];
        more.extend(if heads.is_empty() { ["--neurons", &neurons] } else { ["--heads", &heads] });
        let shown = show(dir.path(), &model, "ablate", &more).unwrap();
        let tables = export["tables"].as_array().unwrap();
        // Modular addition sorts no predictions into kinds.
        let wanted = if model.name == "modular-addition" { 8 } else { 9 };
        assert_eq!(tables.len(), wanted, "{}", model.name);
        for (screen, one) in tables.iter().zip(shown.as_array().unwrap()) {
            assert_equal(model.name, screen, one);
        }
    }
}

fn list() -> String {
    headcount(Path::new("."), &["show".into(), "--list".into()]).1
}

#[test]
fn the_list_names_every_panel_and_question_once() {
    let list = list();
    let (panels, questions) = list.split_once("\n\n").expect("panels, then questions");
    let name = |line: &str| line.split_whitespace().next().map(ToOwned::to_owned);
    let indented = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let mut names: Vec<String> = panels
        .lines()
        .filter(|line| !["class_logits", "positions "].iter().any(|both| line.trim_start().starts_with(both)))
        .filter_map(name)
        .collect();
    names.extend(questions.lines().skip(1).filter(indented).filter_map(name));
    assert!(names.len() > 70, "{names:?}");
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "a name is there twice: {names:?}");
    for view in ViewId::ALL {
        assert!(list.contains(&format!("{}\n  ", view.title().to_lowercase())), "{list}");
    }
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("show_list", list);
    });
}

/// A directory with the notebook's trained weights.
fn notebook() -> (tempfile::TempDir, Model) {
    let [notebook, ..] = models();
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("w.safetensors"),
        encode_weights(&notebook.weights, &[("task", "majority".into())]),
    )
    .unwrap();
    (dir, notebook)
}

#[test]
fn a_question_is_the_whole_figure_and_options_slice_it() {
    let (dir, model) = notebook();
    let whole = show(dir.path(), &model, "entropy", &[]).unwrap();
    assert_eq!(whole["columns"], json!(["edits", "layer", "head", "query", "entropy"]));
    assert_eq!(whole["rows"].as_array().unwrap().len(), 2 * 128);
    let sliced = show(dir.path(), &model, "entropy", &["--head", "0.1", "--position", "9"]).unwrap();
    assert_eq!(sliced["columns"], json!(["edits", "entropy"]));
    assert_eq!(sliced["rows"][0][1], whole["rows"][128 + 9][4]);
    assert_eq!(sliced["measured"][0]["at"], json!({"layer": 0, "head": 1, "query": 9}));
    let qk = show(dir.path(), &model, "qk_circuit", &["--head", "0.0"]).unwrap();
    assert_eq!(qk["rows"].as_array().unwrap().len(), 100);
}

#[test]
fn a_difference_is_of_two_subjects() {
    let (dir, model) = notebook();
    let clean = show(dir.path(), &model, "components", &[]).unwrap();
    let edited = show(dir.path(), &model, "components", &["--heads", "0.0"]).unwrap();
    let difference =
        show(dir.path(), &model, "components", &["--heads", "0.0", "--minus", "edits=none"]).unwrap();
    for at in 0..clean["rows"].as_array().unwrap().len() {
        let number = |value: &Value, column: usize| value["rows"][at][column].as_f64().unwrap();
        assert!(number(&difference, 1).abs() < 1e-6, "clean is clean");
        let expected = number(&edited, 2) - number(&clean, 1);
        assert!((number(&difference, 2) - expected).abs() < 1e-5, "row {at}");
    }
    assert!(difference["measured"][1]["minus"]["edits"].is_null());
    let tokens = vec!["3"; 128].join(",");
    let minus = format!("tokens={tokens}");
    let here = show(dir.path(), &model, "class_logits", &["--minus", &minus, "--position", "5"]).unwrap();
    assert_eq!(here["measured"][0]["minus"]["tokens"][0], 3);
    let line = format!("show heads --weights w.safetensors --minus {minus} --format svg");
    let (status, svg, why) = headcount(dir.path(), &words(&line));
    assert_eq!(status, 0, "{why}");
    assert!(svg.starts_with("<svg") && svg.contains("less the earlier sequence"));
    let error = show(dir.path(), &model, "profile", &["--minus", "tokens=1,2"]).unwrap_err();
    assert!(error.contains("--position 64"), "{error}");
    let error = show(dir.path(), &model, "profile", &["--minus", "step=3"]).unwrap_err();
    assert!(error.contains("give --run"), "{error}");
}

#[test]
fn every_format_holds_the_same_numbers() {
    let (dir, model) = notebook();
    let rows = show(dir.path(), &model, "heads", &[]).unwrap()["rows"].clone();
    let write = |format: &str, file: &str| {
        let line = format!(
            "show heads --weights w.safetensors --set task.sequences=60 --set task.train_fraction=0.5 --seed 23 \
             --format {format} --out {file}"
        );
        let (status, _, stderr) = headcount(dir.path(), &words(&line));
        assert_eq!((status, stderr.as_str()), (0, ""));
        fs::read(dir.path().join(file)).unwrap()
    };
    let csv = String::from_utf8(write("csv", "h.csv")).unwrap();
    let line: Vec<f64> = csv.lines().nth(2).unwrap().split(',').map(|cell| cell.parse().unwrap()).collect();
    let row = rows[1].as_array().unwrap();
    for (cell, number) in row.iter().zip(&line) {
        assert!((cell.as_f64().unwrap() - number).abs() < 1e-9, "{row:?} {line:?}");
    }
    let bytes = write("safetensors", "h.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let scores = tensors.tensor("heads.induction_score").unwrap();
    assert_eq!(scores.shape(), [1, 2]);
    let last = f32::from_le_bytes(scores.data()[4..].try_into().unwrap());
    assert!((f64::from(last) - row[6].as_f64().unwrap()).abs() < 1e-7);
    let text = String::from_utf8(write("text", "h.txt")).unwrap();
    assert!(
        text.contains("# previous_score, duplicate_score, induction_score, uniform_score, previous_chance, "),
        "{text}"
    );
    assert!(text.contains("30 validation sequences"), "{text}");
    let svg = String::from_utf8(write("svg", "h.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Attention"), "{}", &svg[..200]);
}

#[test]
fn what_is_not_there_is_said_in_a_line() {
    let (dir, model) = notebook();
    let attention_only = &models()[1];
    for (what, more, words) in [
        ("nonsense", &[][..], "--list has the rest"),
        ("effect", &[], "nothing is edited: give --heads"),
        ("losses", &[], "give --run"),
        ("keys", &["--head", "0.7"], "--head: no head 7"),
        ("keys", &["--position", "128"], "--position 128: the sequence has 128 positions, 0 to 127"),
        ("components", &["--target", "11"], "--target 11"),
        ("neuron_list", &["--neuron", "1.0"], "--neuron: no layer 1"),
    ] {
        let error = show(dir.path(), &model, what, more).unwrap_err();
        assert!(error.contains(words), "{what}: {error}");
    }
    fs::write(dir.path().join("w.safetensors"), encode_weights(&attention_only.weights, &[])).unwrap();
    let error = show(dir.path(), attention_only, "neuron_list", &[]).unwrap_err();
    assert!(error.contains("an attention-only model has no neurons"), "{error}");
}

#[test]
fn a_run_has_its_metrics_and_its_kept_steps() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = "[model]\nd_model = 16\nd_head = 8\nd_mlp = 24\nn_ctx = 12\n[task]\nsequences = 100\n\
                [train]\nepochs = 3\nbatch_size = 32\n";
    fs::write(dir.path().join("tiny.toml"), tiny).unwrap();
    let (status, ..) = headcount(dir.path(), &words("train --config tiny.toml --run r --quiet"));
    assert_eq!(status, 0);
    let json = |line: &str| -> Value {
        let (status, stdout, stderr) = headcount(dir.path(), &words(&format!("{line} --format json")));
        assert_eq!(status, 0, "{line}: {stderr}");
        serde_json::from_str(&stdout).unwrap()
    };
    let losses = json("show losses --run r");
    let metrics = fs::read_to_string(dir.path().join("r/metrics.jsonl")).unwrap();
    let steps: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&Value> = steps.iter().filter(|line| !line["train_loss"].is_null()).collect();
    assert_eq!(losses["rows"].as_array().unwrap().len(), steps.len());
    for (row, metrics) in losses["rows"].as_array().unwrap().iter().zip(&steps) {
        assert_eq!((&row[0], &row[1]), (&metrics["step"], &metrics["train_loss"]));
    }
    let last = steps.len();
    let newest = json("show accuracies --run r");
    assert_eq!(newest["measured"][0]["of"]["step"], last);
    let nearest = json("show accuracies --run r --step 0");
    let kept = nearest["measured"][0]["of"]["step"].as_u64().unwrap();
    assert!(kept < last as u64, "an earlier checkpoint is kept");
    let difference = json("show accuracies --run r --minus step=0");
    let number = |of: &Value| of["rows"][0][1].as_f64().unwrap();
    assert!((number(&difference) - (number(&newest) - number(&nearest))).abs() < 1e-9);
}

/// A file of tensors of whole numbers.
fn write_data(path: &Path, tensors: &[(&str, &[usize], &[i64])], metadata: &[(&str, &str)]) {
    use safetensors::tensor::{Dtype, TensorView};
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(.., values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        ((*name).to_owned(), TensorView::new(Dtype::I64, shape.to_vec(), bytes).unwrap())
    });
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

#[test]
fn a_file_of_data_has_its_own_targets_names_and_lengths() {
    let (dir, model) = notebook();
    let names = r#"["a","b","c","d","e","f","g","h","i","j"]"#;
    let tokens = [0, 0, 1, 2, 2, 0];
    // The second sequence ends after one token; the first position is not scored.
    let targets = [-100, 0, 0, 7, -100, -100];
    let tensors: &[(&str, &[usize], &[i64])] =
        &[("tokens", &[2, 3], &tokens), ("targets", &[2, 3], &targets), ("lengths", &[2], &[3, 1])];
    write_data(&dir.path().join("own.safetensors"), tensors, &[("vocab", names)]);
    let model = Model { settings: Vec::new(), ..model };
    let shown = |what: &str, more: &[&str]| {
        show(dir.path(), &model, what, &[&["--data", "own.safetensors"], more].concat())
    };
    let positions = shown("positions", &["--heads", "0.0"]).unwrap();
    let column =
        |at: usize| positions["rows"].as_array().unwrap().iter().map(|row| row[at].clone()).collect();
    let tokens: Vec<Value> = column(1);
    let labels: Vec<Value> = column(2);
    assert_eq!((json!(tokens), json!(labels)), (json!(["a", "a", "b"]), json!([null, "a", "a"])));
    assert_eq!(positions["measured"][0]["of"]["task"], "own");
    // Three targets in all: accuracy is a third of a whole number.
    let accuracies = shown("accuracies", &[]).unwrap();
    let accuracy = accuracies["rows"][0][2].as_f64().unwrap();
    assert!((accuracy * 3.0 - (accuracy * 3.0).round()).abs() < 1e-9, "{accuracy}");
    assert_eq!(accuracies["measured"][0]["of"]["sequences"], 2);
    // A typed sequence of the file has the file's targets, by the names of its tokens; another one has none.
    let typed = |tokens: &str| {
        let shown = shown("positions", &["--heads", "0.0", "--tokens", tokens]).unwrap();
        shown["rows"].as_array().unwrap().iter().map(|row| row[2].clone()).collect::<Vec<_>>()
    };
    assert_eq!(typed("c"), [json!("h")]);
    assert_eq!(typed("2"), [json!("h")], "by number");
    assert_eq!(typed("a,b"), [json!(null), json!(null)]);
    let error = shown("positions", &["--tokens", "a,x"]).unwrap_err();
    assert!(error.contains("`x` at position 1 is not a token"), "{error}");
    for (shape, values, said) in [
        (&[1, 2][..], &[0, 10][..], "sequence 0 has token 10 at position 1: the model's are 0 to 9"),
        (&[0, 2], &[], "no sequence"),
        (&[2], &[0, 1], "not [sequences, positions]"),
    ] {
        write_data(&dir.path().join("own.safetensors"), &[("tokens", shape, values)], &[]);
        let (status, _, stderr) =
            headcount(dir.path(), &words("show accuracies --weights w.safetensors --data own.safetensors"));
        assert!(status != 0 && stderr.contains(said) && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn a_lone_file_of_ours_is_of_its_own_task() {
    let dir = tempfile::tempdir().unwrap();
    let line = "train --task modular-addition --set task.p=7 --steps 2 --seed 5 --run r --quiet";
    assert_eq!(headcount(dir.path(), &words(line)).0, 0);
    fs::copy(dir.path().join("r/weights.safetensors"), dir.path().join("lone.safetensors")).unwrap();
    let of = |weights: &str| -> Value {
        let line = format!("show accuracies --weights {weights} --format json");
        let (status, stdout, stderr) = headcount(dir.path(), &words(&line));
        assert_eq!(status, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    };
    let (lone, in_run) = (of("lone.safetensors"), of("r"));
    assert_eq!(lone["rows"], in_run["rows"]);
    let of = &lone["measured"][0]["of"];
    assert_eq!((&of["task"], &of["seed"]), (&json!("modular-addition"), &json!(5)));
}

#[test]
fn options_that_disagree_or_do_nothing_are_refused() {
    let (dir, model) = notebook();
    for (more, words) in [
        (&["--kind", "mean"][..], "--kind: nothing is edited"),
        (&["--minus", "edits=none"], "--minus edits=none: nothing is edited"),
        (&["--step", "1"], "--run"),
        (&["--head", "1.0"], "--head: no layer 1"),
        (&["--head", "1", "--layer", "1"], "--head: no layer 1"),
        (&["--head", "0.0", "--neuron", "1.3"], "layers 0 and 1: the cursor is in one layer"),
        (&["--minus", "tokens=1,2", "--position", "5"], "--minus tokens=1,2: --position 5"),
    ] {
        let error = show(dir.path(), &model, "keys", more).unwrap_err();
        assert!(error.contains(words), "{more:?}: {error}");
    }
    let error = show(dir.path(), &model, "paths", &["--minus", "tokens=1,2,3"]).unwrap_err();
    assert!(error.contains("--minus"), "{error}");
}

#[test]
fn what_is_subtracted_is_of_the_same_data_and_place() {
    let (dir, model) = notebook();
    let other = Weights::initial(model.weights.config(), 8);
    fs::write(dir.path().join("other.safetensors"), encode_weights(&other, &[])).unwrap();
    let difference = show(dir.path(), &model, "keys", &["--minus", "weights=other.safetensors"]).unwrap();
    let of = &difference["measured"][1];
    assert_eq!(of["of"]["tokens"], of["minus"]["tokens"]);
    let whole = show(dir.path(), &model, "keys", &[]).unwrap();
    for (row, own) in difference["rows"].as_array().unwrap().iter().zip(whole["rows"].as_array().unwrap()) {
        assert_eq!(row[1], own[1], "a token is a name, and keeps it");
    }
}

#[test]
fn questions_need_no_edit_and_rows_of_tensors_are_named() {
    let (dir, model) = notebook();
    let loss = show(dir.path(), &model, "loss", &[]).unwrap();
    assert_eq!(loss["columns"], json!(["edits", "position", "loss"]));
    assert!(loss["measured"][0]["definition"].as_str().unwrap().contains("cross-entropy"));
    let off = show(dir.path(), &model, "off", &["--neurons", "3"]).unwrap();
    assert_eq!((&off["columns"], &off["rows"][3][2]), (&json!(["layer", "neuron", "off"]), &json!(true)));
    let line = "show neuron_list --weights w.safetensors --format safetensors --out n.safetensors";
    assert_eq!(headcount(dir.path(), &words(line)).0, 0);
    let bytes = fs::read(dir.path().join("n.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let read = |name: &str| -> Vec<f32> {
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    };
    let (neurons, off) = (read("neuron_list.neuron"), read("neuron_list.off"));
    let mut sorted = neurons.clone();
    sorted.sort_by(f32::total_cmp);
    assert_eq!(sorted, (0..256_u16).map(f32::from).collect::<Vec<_>>());
    assert!(neurons != sorted && off.iter().all(|off| *off == 0.0));
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert!(!metadata.metadata().as_ref().unwrap()["panels"].contains("\"rows\""));
}

#[test]
fn what_is_odd_about_the_weights_is_said_beside_their_numbers() {
    let (dir, model) = notebook();
    let mut broken = model.weights.clone();
    broken.values[0] = f32::NAN;
    fs::write(dir.path().join("w.safetensors"), encode_weights(&broken, &[])).unwrap();
    let (status, stdout, stderr) = headcount(dir.path(), &words("show keys --weights w.safetensors"));
    assert_eq!((status, stderr.lines().count()), (0, 1), "{stderr}");
    assert!(stdout.starts_with("keys\n") && stderr.contains("not finite"), "{stderr}");
}

#[test]
fn random_sets_are_as_many_as_asked_and_only_where_they_are_shown() {
    let (dir, model) = notebook();
    let rows = |what: &str, more: &[&str]| {
        let shown = show(dir.path(), &model, what, &[&["--neurons", "3,5"], more].concat()).unwrap();
        shown["rows"].as_array().unwrap().len()
    };
    assert_eq!(rows("effect", &["--controls", "2"]), 4);
    assert_eq!(rows("edited_loss", &["--controls", "0"]), 2);
    assert_eq!(rows("edited_classes", &[]), 10);
}
