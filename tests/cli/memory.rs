//! What would take more memory than there is: refused in a line that names the setting, never an allocation that fails.

use std::fs::File;

use headcount::model::{Layout, ModelConfig};

use super::*;

/// The line of a command that may take so many MiB of address space; exit 1, and nothing else printed.
#[track_caller]
fn refused(dir: &Path, mib: u64, args: &[&str]) -> String {
    let mut command = std::process::Command::new("prlimit");
    command.arg(format!("--as={}", mib << 20)).arg(assert_cmd::cargo::cargo_bin("headcount"));
    // An arena for every thread would take all of it.
    command.env("MALLOC_ARENA_MAX", "1");
    let output = command.args(args).current_dir(dir).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let what = &args[..2];
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{what:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{what:?}: {said}");
    said
}

/// A file of weights, all zero, that takes no room on the disk.
fn zeros(dir: &Path, name: &str, config: &ModelConfig) {
    let mut end = 0;
    let layout = Layout::new(config);
    let entries = layout.tensors().iter().map(|tensor| {
        let begin = end;
        end += 4 * tensor.len();
        let info = serde_json::json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, end] });
        (tensor.name.clone(), info)
    });
    let mut header: serde_json::Map<String, Value> = entries.collect();
    let config = serde_json::to_string(config).unwrap();
    header.insert("__metadata__".into(), serde_json::json!({ "config": config }));
    let header = serde_json::to_vec(&header).unwrap();
    let path = dir.join(name);
    fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], &header].concat()).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len((8 + header.len() + end) as u64).unwrap();
}

#[test]
fn a_run_that_would_not_fit_names_the_setting_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (settings, named) in [
        (&["model.d_mlp=65536", "model.d_model=512"][..], "model.d_mlp = 65536"),
        (&["model.n_layers=64", "model.d_model=512"], "model.n_layers = 64"),
        (&["model.n_ctx=4096"], "model.n_ctx = 4096"),
        (&["task.sequences=2000000"], "task.sequences = 2000000"),
    ] {
        let sets = settings.iter().flat_map(|setting| ["--set", setting]);
        let args: Vec<&str> = ["train", "--run", "r"].into_iter().chain(sets).collect();
        let said = refused(dir.path(), 300, &args);
        assert!(said.starts_with("headcount: train would take "), "{said}");
        assert!(said.contains(" are available: ") && said.trim_end().ends_with(named), "{said}");
        assert!(!dir.path().join("r").exists(), "{named}");
    }
    let beyond = run(dir.path(), &["train", "--set", "model.d_mlp=100000000"]);
    assert_eq!(beyond.status, 2, "{}", beyond.stderr);
    assert!(beyond.stderr.contains("model.d_mlp = 100000000: must be"), "{}", beyond.stderr);
}

#[test]
fn questions_about_weights_that_would_not_fit_name_the_setting() {
    let dir = tempfile::tempdir().unwrap();
    let small = ModelConfig { d_model: 2, d_head: 2, ..ModelConfig::default() };
    let words = ModelConfig { d_vocab: 60_000, d_mlp: 1024, n_ctx: 600, ..small.clone() };
    zeros(dir.path(), "words", &words);
    zeros(dir.path(), "long", &ModelConfig { n_ctx: 4096, ..small.clone() });
    zeros(dir.path(), "large", &ModelConfig { d_vocab: 60_000, d_model: 256, ..small });
    let tokens = vec!["1"; 600].join(",");
    let long = vec!["1"; 4096].join(",");
    let mean = "ablate --weights long --heads 0 --tokens 1 --kind mean --task majority";
    let mean: Vec<&str> = mean.split(' ').collect();
    let (vocabulary, context) = ("model.d_vocab = 60000", "model.n_ctx = 4096");
    for (mib, args, named) in [
        (700, &["inspect", "trackers", "--weights", "words"][..], vocabulary),
        (700, &["inspect", "circuits", "--weights", "words", "--out", "o"], vocabulary),
        (
            900,
            &["inspect", "attribution", "--weights", "words", "--tokens", &tokens, "--out", "o"],
            vocabulary,
        ),
        (250, &["ablate", "--weights", "words", "--heads", "0", "--tokens", &tokens], vocabulary),
        (250, &mean, context),
        (700, &["inspect", "cache", "--weights", "long", "--tokens", &long, "--out", "o"], context),
        (500, &["inspect", "fold", "--weights", "large", "--out", "o"], vocabulary),
        (200, &["inspect", "summary", "--weights", "large"], " bytes"),
    ] {
        let said = refused(dir.path(), mib, args);
        assert!(
            said.contains(" of memory, and ") && said.trim_end().ends_with(named),
            "{:?}: {said}",
            &args[..2]
        );
    }
    assert!(!dir.path().join("o").exists());
}

/// Estimates that ask for too much would refuse what works.
#[test]
fn what_fits_is_not_refused() {
    let dir = tempfile::tempdir().unwrap();
    let model = ["model.d_mlp=8192", "model.d_model=256", "task.sequences=40", "train.steps=1"];
    let sets = model.iter().flat_map(|setting| ["--set", setting]);
    let args: Vec<&str> = ["train", "--quiet", "--run", "r"].into_iter().chain(sets).collect();
    let ran = run(dir.path(), &args);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}
