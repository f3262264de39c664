//! Data sets of one's own: trained on, evaluated on, ablated on.

use std::collections::BTreeSet;

use headcount::model::weights_file::encode_weights;
use headcount::model::{
    Activations, Change, Edit, Hook, Means, ModelConfig, Patch, Positions, Weights, cross_entropy, forward,
};
use headcount::task::{Class, Token};
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::*;

const NAMES: &str = r#"["a","b","c","d","="]"#;
const CLASSES: &str = r#"["no","yes","?"]"#;

/// A tensor of the narrowest type that a value needs.
type Tensor<'a> = (&'a str, Dtype, Vec<usize>, Vec<i64>);

fn write(path: &Path, tensors: &[Tensor<'_>], names: &[(&str, &str)]) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, dtype, _, values)| match dtype {
            Dtype::I64 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Dtype::I32 => values.iter().flat_map(|value| (*value as i32).to_le_bytes()).collect(),
            Dtype::F32 => values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect(),
            _ => values.iter().map(|value| *value as u8).collect(),
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, dtype, shape, _), bytes)| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let names = names.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    fs::write(path, serialize(views, Some(names)).unwrap()).unwrap();
}

/// Sequences of five tokens, the last of each row padding; the class of a position is whether its token was there
/// before, and the first position has none.
fn sequences(rows: usize) -> (Vec<Vec<i64>>, Vec<Vec<i64>>, Vec<i64>) {
    let token = |row: usize, at: usize| ((row * 7 + at * at * 3 + row * at) % 4) as i64;
    let tokens: Vec<Vec<i64>> = (0..rows)
        .map(|row| (0..6).map(|at| if at < 4 + row % 2 { token(row, at) } else { 4 }).collect())
        .collect();
    let target =
        |row: &[i64], at: usize| if at == 0 { -100 } else { i64::from(row[..at].contains(&row[at])) };
    let targets = tokens.iter().map(|row| (0..6).map(|at| target(row, at)).collect()).collect();
    (tokens, targets, (0..rows).map(|row| 4 + (row % 2) as i64).collect())
}

const NARROW: [Dtype; 2] = [Dtype::U8, Dtype::I32];

/// `own.safetensors`, with a mark on every third row that is not trained on.
fn own(dir: &Path, name: &str, rows: usize, is_marked: bool) {
    let (tokens, targets, lengths) = sequences(rows);
    let mut tensors = vec![
        ("tokens", NARROW[0], vec![rows, 6], tokens.concat()),
        ("targets", NARROW[1], vec![rows, 6], targets.concat()),
        ("lengths", Dtype::I64, vec![rows], lengths),
        ("passed over", Dtype::F32, vec![1], vec![1]),
    ];
    if is_marked {
        let marks = (0..rows).map(|row| i64::from(row % 3 != 0)).collect();
        tensors.push(("train", Dtype::BOOL, vec![rows], marks));
    }
    write(&dir.join(name), &tensors, &[("vocab", NAMES), ("vocab_out", CLASSES)]);
}

/// The same as JSON lines.
fn lines(rows: usize) -> String {
    let (tokens, targets, lengths) = sequences(rows);
    let mut text = format!("{{\"vocab\":{NAMES},\"vocab_out\":{CLASSES}}}\n");
    for ((tokens, targets), len) in tokens.iter().zip(&targets).zip(&lengths) {
        let len = *len as usize;
        let targets: Vec<Value> = targets[..len]
            .iter()
            .map(|class| if *class < 0 { Value::Null } else { (*class).into() })
            .collect();
        text += &serde_json::json!({"tokens": tokens[..len], "targets": targets}).to_string();
        text.push('\n');
    }
    text
}

const SMALL: [&str; 8] = [
    "--set",
    "model.d_model=8",
    "--set",
    "model.d_head=4",
    "--set",
    "model.d_mlp=12",
    "--set",
    "train.batch_size=8",
];

#[track_caller]
fn train(dir: &Path, more: &[&str]) -> Ran {
    let ran = run(dir, &[&["train"][..], &SMALL, more].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    ran
}

#[track_caller]
fn json(dir: &Path, args: &[&str]) -> Value {
    let ran = run(dir, &[args, &["--json"]].concat());
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

fn number(of: &Value) -> f64 {
    of.as_f64().unwrap_or_else(|| panic!("{of} is no number"))
}

#[test]
fn a_run_on_a_file_of_data_has_its_shape_and_resumes_on_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    own(dir.path(), "own.safetensors", 30, false);
    train(dir.path(), &["--data", "own.safetensors", "--set", "train.steps=6", "--quiet"]);
    let config = fs::read_to_string(dir.path().join("runs/own-23/config.toml")).unwrap();
    for line in
        ["n_ctx = 5", "d_vocab = 5", "d_vocab_out = 3", "name = \"own\"", "sequences = 30", "crc32 = "]
    {
        assert!(config.contains(line), "{line}: {config}");
    }
    let metrics = fs::read_to_string(dir.path().join("runs/own-23/metrics.jsonl")).unwrap();
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    // 80 % of 30 are trained on.
    assert_eq!(last["val_sequences"], 6);
    let eval = json(dir.path(), &["eval", "--run", "runs/own-23"]);
    assert!((number(&eval["loss"]) - number(&last["val_loss"])).abs() < 1e-6, "{eval}");
    assert_eq!((&eval["sequences"], &eval["step"], &eval["task"]), (&6.into(), &6.into(), &"own".into()));

    let resume = ["train", "--run", "runs/own-23", "--resume", "--quiet"];
    let rule = [&resume[..], &["--data", "own.safetensors", "--targets", "next-token"]].concat();
    refuses(dir.path(), &rule, 2, &["was started with", "task.data.targets = \"next-token\""]);
    let longer = |steps: &'static str| [&resume[..], &["--set", steps]].concat();
    assert_eq!(run(dir.path(), &longer("train.steps=8")).status, 0);
    fs::rename(dir.path().join("own.safetensors"), dir.path().join("moved.safetensors")).unwrap();
    refuses(dir.path(), &resume, 1, &["own.safetensors", "No such file"]);
    let moved = [&longer("train.steps=9")[..], &["--data", "moved.safetensors"]].concat();
    assert_eq!(run(dir.path(), &moved).status, 0, "the same data elsewhere");
    assert_eq!(run(dir.path(), &resume).status, 0, "the run knows where the data went");
    own(dir.path(), "moved.safetensors", 31, false);
    let changed = ["moved.safetensors", "not the data that the run was started with", "checksum"];
    refuses(dir.path(), &resume, 1, &changed);
    refuses(dir.path(), &[&resume[..], &["--data", "moved.safetensors"]].concat(), 1, &changed);
    refuses(dir.path(), &["eval", "--run", "runs/own-23"], 1, &changed);
    // Weights alone are looked at without labels, and the reason is said.
    let shown = run(dir.path(), &["show", "positions", "--weights", "runs/own-23", "--tokens", "1,2"]);
    assert_eq!(shown.status, 0, "{}", shown.stderr);
    assert!(
        shown.stderr.contains("without labels: ") && shown.stderr.contains("checksum"),
        "{}",
        shown.stderr
    );
}

#[test]
fn a_model_that_is_told_its_shape_keeps_it_unless_the_data_do_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    own(dir.path(), "own.safetensors", 30, false);
    let of = |set: &'static str| ["--data", "own.safetensors", "--steps", "1", "--run", "r", "--set", set];
    train(dir.path(), &of("model.n_ctx=9"));
    let config = fs::read_to_string(dir.path().join("r/config.toml")).unwrap();
    assert!(config.contains("n_ctx = 9") && config.contains("d_vocab = 5"), "{config}");
    let other = |set: &'static str| ["train", "--data", "own.safetensors", "--run", "s", "--set", set];
    refuses(
        dir.path(),
        &other("model.n_ctx=4"),
        2,
        &["own.safetensors", "sequence 1 has 5 tokens", "1 to 4"],
    );
    refuses(dir.path(), &other("model.d_vocab=3"), 2, &["own.safetensors", "has token 3 at position"]);
    refuses(dir.path(), &other("task.sequences=7"), 2, &["30 sequences: task.sequences = 7"]);
    refuses(dir.path(), &other("task.source=fresh"), 2, &["task.source", "own.safetensors"]);
    let twice = ["train", "--data", "own.safetensors", "--task", "majority"];
    refuses(dir.path(), &twice, 2, &["--data", "cannot be used with", "--task"]);
}

#[test]
fn a_configuration_may_name_the_data() {
    let dir = tempfile::tempdir().unwrap();
    own(dir.path(), "own.safetensors", 30, false);
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    fs::write(dir.path().join("c.toml"), "[task.data]\nfile = \"own.safetensors\"\n").unwrap();
    train(dir.path(), &["--config", "c.toml", "--set", "train.steps=2", "--quiet", "--run", "r"]);
    let config = fs::read_to_string(dir.path().join("r/config.toml")).unwrap();
    assert!(config.contains("name = \"own\"") && config.contains("crc32 = "), "{config}");
    let again =
        ["train", "--config", "c.toml", "--set", "train.steps=2", "--quiet", "--run", "r", "--resume"];
    let ran = run(dir.path(), &[&again[..], &SMALL].concat());
    assert_eq!(ran.status, 0, "the same configuration: {}", ran.stderr);
    let resume = ["train", "--run", "../r", "--resume", "--set", "train.steps=3", "--quiet"];
    let ran = run(&dir.path().join("elsewhere"), &resume);
    assert_eq!(ran.status, 0, "the run names the file from everywhere: {}", ran.stderr);
    own(dir.path(), "own.safetensors", 31, false);
    let anew = ["train", "--config", "r/config.toml", "--run", "s"];
    refuses(dir.path(), &anew, 1, &["own.safetensors: not the data"]);
}

#[test]
fn rows_are_trained_on_as_they_are_marked() {
    let dir = tempfile::tempdir().unwrap();
    own(dir.path(), "own.safetensors", 30, true);
    train(dir.path(), &["--data", "own.safetensors", "--set", "train.steps=6", "--quiet"]);
    let config = fs::read_to_string(dir.path().join("runs/own-23/config.toml")).unwrap();
    assert!(config.contains("train_sequences = 20"), "{config}");
    let weights = ["eval", "--weights", "runs/own-23"];
    let of_run = json(dir.path(), &weights);
    let of_data = json(dir.path(), &[&weights[..], &["--data", "own.safetensors"]].concat());
    assert_eq!(of_run["sequences"], 10);
    for key in ["loss", "accuracy", "targets", "by_class", "by_position"] {
        assert_eq!(of_run[key], of_data[key], "{key}");
    }
    let fraction = ["train", "--data", "own.safetensors", "--run", "s", "--set", "task.train_fraction=0.5"];
    refuses(dir.path(), &fraction, 2, &["task.train_fraction", "own.safetensors marks"]);
}

#[test]
fn lines_of_json_are_the_same_data() {
    let dir = tempfile::tempdir().unwrap();
    own(dir.path(), "own.safetensors", 24, false);
    fs::write(dir.path().join("own.jsonl"), lines(24)).unwrap();
    for file in ["own.safetensors", "own.jsonl"] {
        train(
            dir.path(),
            &["--data", file, "--set", "train.steps=5", "--run", file.strip_prefix("own.").unwrap()],
        );
    }
    let metrics = |run: &str| fs::read_to_string(dir.path().join(run).join("metrics.jsonl")).unwrap();
    assert_eq!(metrics("safetensors"), metrics("jsonl"));
}

#[test]
fn the_next_token_needs_no_targets() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t.jsonl"), "{\"tokens\":[0,1,2]}\n{\"tokens\":[2,0]}\n{\"tokens\":[1]}\n")
        .unwrap();
    let next = ["--data", "t.jsonl", "--targets", "next-token"];
    train(dir.path(), &[&next[..], &["--steps", "2", "--set", "train.batch_size=1"]].concat());
    let config = fs::read_to_string(dir.path().join("runs/t-23/config.toml")).unwrap();
    assert!(config.contains("targets = \"next-token\""), "{config}");
    let eval = json(dir.path(), &[&["eval", "--weights", "runs/t-23"][..], &next].concat());
    assert_eq!((&eval["targets"], &eval["sequences"]), (&3.into(), &3.into()));
    let bare = ["eval", "--weights", "runs/t-23", "--data", "t.jsonl"];
    refuses(dir.path(), &bare, 2, &["no position has a target", "next-token"]);
    refuses(
        dir.path(),
        &["train", "--data", "t.jsonl", "--run", "other"],
        2,
        &["t.jsonl: no position to train on has a target"],
    );
}

#[test]
fn a_step_on_sequences_without_targets_changes_nothing_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let text = "{\"tokens\":[0,1],\"targets\":[1,0],\"train\":true}\n{\"tokens\":[1,0],\"train\":true}\n\
                {\"tokens\":[0,0],\"targets\":[0,1],\"train\":false}\n";
    fs::write(dir.path().join("t.jsonl"), text).unwrap();
    // Four steps in two epochs: each takes both sequences.
    train(dir.path(), &["--data", "t.jsonl", "--set", "train.batch_size=1", "--epochs", "2", "--quiet"]);
    let metrics = fs::read_to_string(dir.path().join("runs/t-23/metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let losses: Vec<f64> = lines.filter_map(|line| line["train_loss"].as_f64()).collect();
    assert_eq!((losses.len(), losses.iter().filter(|loss| **loss == 0.0).count()), (4, 2), "{losses:?}");
}

#[test]
fn what_is_no_data_set_is_named_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = |values: &[i64]| ("tokens", Dtype::I64, vec![2, 2], values.to_vec());
    let targets = |values: &[i64]| ("targets", Dtype::I64, vec![2, 2], values.to_vec());
    let fine = || tokens(&[0, 1, 1, 0]);
    let cases: Vec<(Vec<Tensor<'_>>, &[&str])> = vec![
        (vec![targets(&[0; 4])], &["no `tokens`"]),
        (vec![("tokens", Dtype::F32, vec![2, 2], vec![0; 4])], &["`tokens` is F32, not U8, I32 or I64"]),
        (vec![("tokens", Dtype::U8, vec![4], vec![0; 4])], &["[4], not [sequences, positions]"]),
        (vec![("tokens", Dtype::U8, vec![0, 2], vec![])], &["no sequence"]),
        (vec![tokens(&[0, 1, 1, -5])], &["row 1: `tokens` at position 1 holds -5: a token is 0 to"]),
        (vec![fine(), targets(&[0, 1, -1, 0])], &["row 1: `targets` at position 0 holds -1", "-100"]),
        (vec![fine(), ("targets", Dtype::U8, vec![4], vec![0; 4])], &["`targets` has shape [4], not [2, 2]"]),
        (vec![fine(), ("lengths", Dtype::U8, vec![2], vec![2, 3])], &["row 1: `lengths` holds 3", "1 to 2"]),
        (vec![fine(), ("lengths", Dtype::U8, vec![2], vec![0, 2])], &["row 0: `lengths` holds 0"]),
        (vec![fine(), ("train", Dtype::U8, vec![2], vec![0, 1])], &["`train` is U8, not BOOL"]),
    ];
    for (tensors, words) in cases {
        write(&dir.path().join("bad"), &tensors, &[]);
        let status = if words[0] == "no sequence" { 2 } else { 1 };
        refuses(dir.path(), &["train", "--data", "bad"], status, &[&["bad: "], words].concat());
    }
    write(&dir.path().join("bad"), &[fine(), targets(&[0; 4])], &[("vocab", "a,b")]);
    refuses(dir.path(), &["train", "--data", "bad"], 1, &["bad: its metadata `vocab`", "JSON list"]);
    for (text, words) in [
        ("{\"tokens\":[0,1]}\n{\"tokens\":[0,\"b\"]}", &["bad:2:16", "invalid type"][..]),
        ("{\"tokens\":[0,1],\"targets\":[1]}", &["bad:1:1", "1 targets for 2 tokens"]),
        ("{\"vocab\":[\"a\"]}\n{\"targets\":[1]}", &["bad:2: no `tokens`"]),
        ("{\"tokens\":[0]}\n\n{\"tokens\":[-1]}", &["bad:3: `tokens` at position 0 holds -1"]),
        ("{\"tokens\":[0],\"train\":true}\n{\"tokens\":[1]}", &["bad:2: no `train`"]),
        ("{\"tokens\":[0]", &["bad:1:", "EOF"]),
        ("tokens: 1, 2, 3", &["a text file"]),
    ] {
        fs::write(dir.path().join("bad"), text).unwrap();
        refuses(dir.path(), &["train", "--data", "bad"], 1, words);
    }
    refuses(dir.path(), &["train", "--data", "none"], 1, &["none: No such file"]);
}

/// Weights of two layers for the data of [`sequences`], in `w.safetensors`, with them and a model of that file.
fn two_layers(dir: &Path) -> Weights {
    let config = ModelConfig {
        n_layers: 2,
        d_model: 8,
        d_head: 4,
        d_mlp: 12,
        n_ctx: 6,
        d_vocab: 5,
        d_vocab_out: Some(3),
        ..ModelConfig::default()
    };
    let weights = Weights::initial(&config, 4);
    fs::write(dir.join("w.safetensors"), encode_weights(&weights, &[])).unwrap();
    weights
}

/// A sequence with its padding, its length and its targets.
type Row = (Vec<Token>, usize, Vec<Option<Class>>);

/// Every sequence.
fn rows(count: usize) -> Vec<Row> {
    let (tokens, targets, lengths) = sequences(count);
    let token = |value: &i64| Token::try_from(*value).unwrap();
    let rows = tokens.iter().zip(&targets).zip(&lengths).map(|((tokens, targets), len)| {
        let len = *len as usize;
        let class = |value: &i64| (*value != -100).then(|| token(value));
        (tokens.iter().map(token).collect(), len, targets[..len].iter().map(class).collect())
    });
    rows.collect()
}

/// Activations of tokens under a patch.
fn pass(weights: &Weights, tokens: &[Token], patch: &Patch) -> Activations {
    let mut activations = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, patch, &mut activations);
    activations
}

/// Mean loss over all targets of rows, each with its patch.
fn loss_of(weights: &Weights, rows: &[Row], patch: impl Fn(usize) -> Patch) -> f64 {
    let (mut sum, mut scored) = (0.0, 0);
    for (index, (tokens, len, targets)) in rows.iter().enumerate() {
        let logits = pass(weights, &tokens[..*len], &patch(index)).logits;
        sum += cross_entropy(&logits, targets, 3);
        scored += targets.iter().flatten().count();
    }
    sum / scored as f64
}

/// Head 1 of layer 0 at one position, set to a row of values of all heads.
fn head_at(weights: &Weights, position: usize, z: Vec<f32>) -> Patch {
    let config = weights.config();
    let edit = Edit {
        layer: 0,
        hook: Hook::Z,
        indices: vec![1],
        positions: Positions::Only([position].into()),
        change: Change::Mean,
    };
    let post = vec![vec![0.0; config.d_mlp]; 2];
    let means = Means { z: vec![z.clone(), z], post, rows: 1, sequences: 1 };
    Patch::new(config, &[edit], Some(&means))
}

fn row_of(z: &[f32], position: usize) -> &[f32] {
    &z[position * 8..(position + 1) * 8]
}

#[test]
fn the_evaluation_of_a_set_is_over_its_targets_alone() {
    let dir = tempfile::tempdir().unwrap();
    let weights = two_layers(dir.path());
    own(dir.path(), "own.safetensors", 9, false);
    let args = ["eval", "--weights", "w.safetensors", "--data", "own.safetensors"];
    let eval = json(dir.path(), &args);
    let wanted = loss_of(&weights, &rows(9), |_| Patch::default());
    assert!((number(&eval["loss"]) - wanted).abs() < 1e-6, "{eval} {wanted}");
    // Four targets, or three, in each of nine sequences.
    assert_eq!((&eval["sequences"], &eval["targets"], &eval["step"]), (&9.into(), &31.into(), &Value::Null));
    for (key, groups) in [("by_class", 3), ("by_position", 5)] {
        let all = eval[key].as_array().unwrap();
        let targets = all.iter().map(|group| group["targets"].as_u64().unwrap());
        assert_eq!((all.len(), targets.sum::<u64>()), (groups, 31), "{key}");
        let scored = all.iter().filter(|group| group["targets"] != 0);
        let weighted = |of: &str| -> f64 {
            scored.clone().map(|group| number(&group[of]) * number(&group["targets"])).sum::<f64>() / 31.0
        };
        assert!((weighted("loss") - number(&eval["loss"])).abs() < 1e-9, "{key}");
        assert!((weighted("accuracy") - number(&eval["accuracy"])).abs() < 1e-9, "{key}");
    }
    assert_eq!(eval["by_position"][0]["loss"], Value::Null, "no target there");
    assert_eq!((&eval["by_class"][1]["class"], &eval["by_class"][1]["name"]), (&1.into(), &"yes".into()));
    let text = run(dir.path(), &[&args[..], &["--by", "class,position"]].concat()).stdout;
    assert!(text.contains("own: own.safetensors (9 sequences, 31 targets)"), "{text}");
    assert!(text.contains("class yes  loss ") && text.contains("position 4  loss "), "{text}");
    refuses(
        dir.path(),
        &[&args[..], &["--by", "tie"]].concat(),
        2,
        &["--by: no `tie`", "class and position"],
    );
}

#[test]
fn a_situation_of_the_task_sorts_the_targets() {
    let dir = tempfile::tempdir().unwrap();
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights.safetensors");
    let args = ["eval", "--weights", weights, "--task", "majority"];
    let eval = json(dir.path(), &args);
    let groups = eval["by_lead"].as_array().unwrap();
    let names: Vec<_> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["tie", "1", "2", "3+"]);
    let targets = |group: &Value| number(&group["targets"]);
    let weighted = |of: &str| -> f64 {
        groups.iter().map(|group| number(&group[of]) * targets(group)).sum::<f64>() / number(&eval["targets"])
    };
    assert!((weighted("loss") - number(&eval["loss"])).abs() < 1e-9, "{eval}");
    assert!((weighted("accuracy") - number(&eval["accuracy"])).abs() < 1e-9, "{eval}");
    // A larger lead is easier.
    let losses: Vec<f64> = groups.iter().map(|group| number(&group["loss"])).collect();
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    let text = run(dir.path(), &[&args[..], &["--by", "lead"]].concat()).stdout;
    assert!(text.contains("lead tie  loss ") && text.contains("lead  3+  loss "), "{text}");
    refuses(dir.path(), &[&args[..], &["--by", "gap"]].concat(), 2, &["class, position and lead"]);
}

#[test]
fn weights_without_a_task_are_scored_by_none_that_is_not_given() {
    let dir = tempfile::tempdir().unwrap();
    two_layers(dir.path());
    let bare = ["eval", "--weights", "w.safetensors"];
    refuses(dir.path(), &bare, 2, &["w.safetensors: names no task", "--task NAME", "--data FILE"]);
    refuses(dir.path(), &[&bare[..], &["--task", "majority"]].concat(), 2, &["model.d_vocab_out = 3"]);
    refuses(dir.path(), &["eval"], 2, &["--weights", "--run"]);
    let ablate = ["ablate", "--weights", "w.safetensors", "--heads", "0"];
    refuses(dir.path(), &ablate, 2, &["--tokens", "--data", "--task"]);
    refuses(dir.path(), &["eval", "--run", "none"], 2, &["none: no run"]);
}

#[test]
fn a_kept_step_of_a_run_is_evaluated() {
    let dir = tiny();
    let args =
        ["train", "--config", "tiny.toml", "--quiet", "--run", "r", "--set", "train.checkpoint_every=4"];
    assert_eq!(run(dir.path(), &args).status, 0);
    let at = |step: &'static str| json(dir.path(), &["eval", "--run", "r", "--step", step]);
    let newest = json(dir.path(), &["eval", "--run", "r"]);
    assert_eq!((&newest["step"], &at("5")["step"], &at("100")["step"]), (&9.into(), &5.into(), &9.into()));
    assert_ne!(at("4")["loss"], newest["loss"]);
    let metrics = fs::read_to_string(dir.path().join("r/metrics.jsonl")).unwrap();
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert!((number(&newest["loss"]) - number(&last["val_loss"])).abs() < 1e-9);
    let of_file = json(dir.path(), &["eval", "--weights", "r", "--task", "majority"]);
    assert_eq!((&of_file["loss"], &of_file["step"]), (&newest["loss"], &Value::Null));
    let ablated = json(dir.path(), &["ablate", "--run", "r", "--step", "4", "--heads", "0"]);
    assert_eq!((&ablated["step"], &ablated["sequences"]), (&4.into(), &20.into()));
    assert!((number(&ablated["loss_before"]) - number(&at("4")["loss"])).abs() < 1e-6);
}

fn ablate_own<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["ablate", "--weights", "w.safetensors", "--data", "own.safetensors"], more].concat()
}

#[test]
fn a_set_is_ablated_sequence_by_sequence() {
    let dir = tempfile::tempdir().unwrap();
    let weights = two_layers(dir.path());
    own(dir.path(), "own.safetensors", 9, false);
    let outcome = json(dir.path(), &ablate_own(&["--heads", "0.1,1.0", "--neurons", "1.3"]));
    let edit = |layer, hook, index| Edit {
        layer,
        hook,
        indices: vec![index],
        positions: Positions::All,
        change: Change::Zero,
    };
    let edits = [edit(0, Hook::Z, 1), edit(1, Hook::Z, 0), edit(1, Hook::Post, 3)];
    let patch = Patch::new(weights.config(), &edits, None);
    let wanted = loss_of(&weights, &rows(9), |_| patch.clone());
    assert!((number(&outcome["loss_after"]) - wanted).abs() < 1e-6, "{wanted} {outcome}");
    assert_eq!((&outcome["sequences"], &outcome["targets"]), (&9.into(), &31.into()));
    assert_eq!(outcome["heads"], serde_json::json!(["0.1", "1.0"]));
    assert_eq!(outcome["classes"], serde_json::json!(["no", "yes", "?"]));
    // 31 targets and nine first positions; nine values at each, of two heads of four and a neuron.
    assert_eq!(outcome["cells"], 9 * 40);
    let lists = |key: &str| -> Vec<Vec<Value>> { serde_json::from_value(outcome[key].clone()).unwrap() };
    let (before, after, changed) =
        (lists("predictions_before"), lists("predictions_after"), lists("changed"));
    let (labels, all) = (lists("labels"), rows(9));
    for (at, (tokens, len, targets)) in all.iter().enumerate() {
        assert_eq!(serde_json::to_value(targets).unwrap(), serde_json::json!(labels[at]));
        let differs = (0..*len).filter(|&position| before[at][position] != after[at][position]);
        assert_eq!(differs.map(Value::from).collect::<Vec<_>>(), changed[at]);
        let logits = pass(&weights, &tokens[..*len], &Patch::default()).logits;
        let largest = |row: &[f32]| (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        assert_eq!(logits.chunks(3).map(|row| Value::from(largest(row))).collect::<Vec<_>>(), before[at]);
    }
    assert!(changed.concat().len() > 1, "the ablation changes nothing");
    let text = run(dir.path(), &ablate_own(&["--heads", "0.1,1.0"])).stdout;
    assert!(text.contains("over own.safetensors (9 sequences)\n320 values replaced"), "{text}");
    assert!(text.contains("of 40 predictions changed"), "{text}");
}

#[test]
fn a_mean_at_a_position_is_over_the_padded_rows_of_its_set() {
    let dir = tempfile::tempdir().unwrap();
    let weights = two_layers(dir.path());
    own(dir.path(), "own.safetensors", 9, false);
    own(dir.path(), "other.safetensors", 5, false);
    let mean_at = |count: usize, position: usize| -> Vec<f32> {
        let rows = rows(count);
        let z = rows.iter().map(|(tokens, ..)| pass(&weights, tokens, &Patch::default()));
        let z: Vec<Vec<f32>> = z.map(|one| row_of(&one.blocks[0].attn.z, position).to_vec()).collect();
        (0..8).map(|at| z.iter().map(|row| row[at]).sum::<f32>() / count as f32).collect()
    };
    for (position, set, more) in
        [("2", 9, &[][..]), ("4", 9, &[]), ("4", 5, &["--mean-over", "other.safetensors"])]
    {
        let head = ["--heads", "0.1", "--kind", "mean-position", "--positions", position];
        let outcome = json(dir.path(), &ablate_own(&[&head[..], more].concat()));
        let at = position.parse().unwrap();
        let wanted = loss_of(&weights, &rows(9), |_| head_at(&weights, at, mean_at(set, at)));
        let found = number(&outcome["loss_after"]);
        assert!((found - wanted).abs() < 1e-6, "{position} {set}: {found} {wanted}");
        assert!((wanted - number(&outcome["loss_before"])).abs() > 1e-4, "no effect");
        let words = outcome["mean_over"].as_str().unwrap();
        assert!(
            words.starts_with("sequences at each position of o") && words.contains(&set.to_string()),
            "{words}"
        );
        assert_eq!((&outcome["kind"], &outcome["positions"]), (&"mean-position".into(), &position.into()));
    }
    // Of one sequence alone the mean at each position is what was there.
    fs::write(dir.path().join("one.jsonl"), "{\"tokens\":[1,2,0],\"targets\":[0,1,1]}").unwrap();
    let one = ["ablate", "--weights", "w.safetensors", "--data", "one.jsonl", "--heads", "0.0,0.1,1.0"];
    let outcome = json(dir.path(), &[&one[..], &["--kind", "mean-position"]].concat());
    assert_eq!((&outcome["loss_before"], &outcome["cells"]), (&outcome["loss_after"], &36.into()));
    let beyond = ["--heads", "0.1", "--kind", "mean-position", "--mean-over", "one.jsonl"];
    refuses(dir.path(), &ablate_own(&beyond), 2, &["one.jsonl: no sequence has position 4"]);
}

#[test]
fn a_resampled_value_is_that_of_another_sequence() {
    let dir = tempfile::tempdir().unwrap();
    let weights = two_layers(dir.path());
    // Each is the only other one of its length or more.
    let text = "{\"tokens\":[1,2,0,3],\"targets\":[0,1,1,0]}\n{\"tokens\":[3,3,1,0],\"targets\":[0,1,0,1]}\n";
    fs::write(dir.path().join("two.jsonl"), text).unwrap();
    let head = ["ablate", "--weights", "w.safetensors", "--heads", "0.1", "--kind", "resample"];
    let outcome = json(dir.path(), &[&head[..], &["--data", "two.jsonl", "--positions", "2"]].concat());
    let rows = [
        (vec![1, 2, 0, 3], 4, [0, 1, 1, 0].map(Some).to_vec()),
        (vec![3, 3, 1, 0], 4, [0, 1, 0, 1].map(Some).to_vec()),
    ];
    let of_other = |index: usize| {
        let z = pass(&weights, &rows[1 - index].0, &Patch::default()).blocks[0].attn.z.clone();
        head_at(&weights, 2, row_of(&z, 2).to_vec())
    };
    let (found, wanted) = (number(&outcome["loss_after"]), loss_of(&weights, &rows, of_other));
    assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
    assert!((wanted - number(&outcome["loss_before"])).abs() > 1e-4, "no effect");
    assert_eq!(outcome["mean_over"], "other sequences of two.jsonl (2 sequences), drawn by seed 23");
    own(dir.path(), "own.safetensors", 9, false);
    let seeded = |seed| {
        number(&json(dir.path(), &ablate_own(&[&head[3..], &["--seed", seed]].concat()))["loss_after"])
    };
    assert_eq!(seeded("5").to_bits(), seeded("5").to_bits());
    let losses: BTreeSet<u64> = ["1", "2", "3", "4"].map(|seed| seeded(seed).to_bits()).into();
    assert!(losses.len() > 1, "the seed draws the sequences");
    fs::write(dir.path().join("one.jsonl"), "{\"tokens\":[1]}").unwrap();
    let alone = [&head[..], &["--data", "one.jsonl"]].concat();
    refuses(dir.path(), &alone, 2, &["one.jsonl: no other sequence is as long as sequence 0"]);
}

#[test]
fn an_ablation_may_be_at_some_positions_or_at_those_of_a_token() {
    let dir = tempfile::tempdir().unwrap();
    two_layers(dir.path());
    own(dir.path(), "own.safetensors", 9, false);
    let cells = |positions: &str| {
        json(dir.path(), &ablate_own(&["--heads", "0.1", "--positions", positions]))["cells"].clone()
    };
    assert_eq!((cells("0"), cells("3-4"), cells("0,1-2")), (36.into(), (9 * 4 + 4 * 4).into(), 108.into()));
    let count = |token: Token| {
        rows(9).iter().map(|(row, len, _)| row[..*len].iter().filter(|t| **t == token).count()).sum::<usize>()
    };
    assert!(count(3) > 0);
    assert_eq!((cells("token=d"), cells("token=3")), ((4 * count(3)).into(), (4 * count(3)).into()));
    let text = run(dir.path(), &ablate_own(&["--heads", "0.1", "--positions", "1,token=d"])).stdout;
    assert!(text.contains("head 1 at positions 1,token=d set to zero"), "{text}");
    let tokens = [
        "ablate",
        "--weights",
        "w.safetensors",
        "--heads",
        "0.1",
        "--tokens",
        "a,d,d",
        "--data",
        "own.safetensors",
    ];
    let one = json(dir.path(), &[&tokens[..], &["--positions", "token=d"]].concat());
    assert_eq!((&one["cells"], &one["tokens"]), (&8.into(), &serde_json::json!([0, 3, 3])));
    let refused = |positions, words: &[&str]| {
        refuses(dir.path(), &ablate_own(&["--heads", "0.1", "--positions", positions]), 2, words);
    };
    refused("5", &["`5`: the longest sequence has positions 0 to 4"]);
    refused("token=z", &["`token=z`: the tokens are a, b, c, d, ="]);
}
