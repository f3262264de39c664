//! Whole runs, on the GPU and across devices.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::reference::trajectory::follows_pytorch;
use super::{EMULATED, gpu, headcount, real_gpu};

/// A model and a schedule that the emulated GPU gets through in seconds.
pub const SMALL: &str = "seed = 5
[model]
n_layers = 2
d_model = 16
d_head = 8
d_mlp = 24
n_ctx = 12
[task]
sequences = 100
[train]
epochs = 6
batch_size = 32
checkpoint_every = 5
";

/// Lines of `metrics.jsonl`.
fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn losses(run: &Path) -> Vec<f64> {
    metrics(run).iter().filter_map(|line| line["train_loss"].as_f64()).collect()
}

/// Trains in `run` on `device`, to the end or to a step of the schedule.
pub fn train(run: &Path, device: &str, steps: Option<usize>) {
    train_as(SMALL, run, device, steps);
}

fn train_as(recipe: &str, run: &Path, device: &str, steps: Option<usize>) {
    let config = run.with_extension("toml");
    fs::write(&config, recipe).unwrap();
    let mut command = headcount();
    command.args(["train", "--quiet", "--resume", "--device", device, "--run"]).arg(run);
    command.arg("--config").arg(config);
    if let Some(steps) = steps {
        command.args(["--steps", &steps.to_string()]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn assert_close(a: &[f64], b: &[f64], by: f64) {
    assert_eq!(a.len(), b.len());
    for (step, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() < by * b.abs(), "step {}: {a} {b}", step + 1);
    }
}

#[test]
fn a_run_on_the_gpu_follows_one_on_the_cpu() {
    if gpu().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["cuda", "cpu"].map(|device| {
        train(&dir.path().join(device), device, None);
        losses(&dir.path().join(device))
    });
    assert_close(&ours, &theirs, 1e-3);
}

#[test]
fn a_clipped_run_on_the_gpu_follows_one_on_the_cpu() {
    if gpu().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let losses_of = |clip_norm: f64| {
        ["cuda", "cpu"].map(|device| {
            let run = dir.path().join(format!("{device}-{clip_norm}"));
            train_as(&format!("{SMALL}clip_norm = {clip_norm}\n"), &run, device, Some(9));
            losses(&run)
        })
    };
    let [ours, theirs] = losses_of(0.1);
    assert_close(&ours, &theirs, 1e-3);
    assert!((ours[8] / losses_of(0.0)[0][8] - 1.0).abs() > 1e-3, "it is clipped: {ours:?}");
}

#[test]
fn a_run_goes_from_device_to_device() {
    if gpu().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (moved, stayed) = (dir.path().join("moved"), dir.path().join("stayed"));
    for (device, steps) in [("cuda", Some(4)), ("cpu", Some(9)), ("cuda", Some(13)), ("cpu", None)] {
        train(&moved, device, steps);
    }
    train(&stayed, "cpu", None);
    assert_close(&losses(&moved), &losses(&stayed), 1e-3);
}

#[test]
fn a_run_that_was_stopped_ends_as_one_that_was_not() {
    if gpu().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (stopped, whole) = (dir.path().join("stopped"), dir.path().join("whole"));
    [Some(3), Some(8), None].into_iter().for_each(|steps| train(&stopped, "cuda", steps));
    train(&whole, "cuda", None);
    if EMULATED {
        assert_eq!(losses(&stopped), losses(&whole), "one thread at a time leaves nothing to chance");
    }
    assert_close(&losses(&stopped), &losses(&whole), 1e-3);
}

#[test]
fn forty_steps_follow_pytorch() {
    if let Some(gpu) = real_gpu() {
        follows_pytorch(gpu, 1e-2);
    }
}

#[test]
fn the_notebooks_model_learns_the_task() {
    if real_gpu().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let output =
        headcount().args(["train", "--quiet", "--device", "cuda", "--run"]).arg(&run).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = metrics(&run).pop().unwrap();
    assert!(last["val_accuracy"].as_f64().unwrap() >= 0.99, "{last}");
}
