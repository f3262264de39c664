//! Whole runs, on the GPU and across devices.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use headcount::model::{Backend, Transformer};
use headcount::task::{Dataset, Split};
use headcount::train::{Moments, OneCycle, Optimizer};
use serde_json::Value;

use super::reference::{Tensors, relative_l2, train_log, weights};
use super::{EMULATED, gpu, headcount};

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
    let config = run.with_extension("toml");
    fs::write(&config, SMALL).unwrap();
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

/// The emulated GPU would take minutes.
#[test]
fn forty_steps_follow_pytorch() {
    let Some(gpu) = gpu().filter(|_| !EMULATED) else { return };
    let data = Arc::new(Dataset::from_sequences(Tensors::read("train_batches").tokens("tokens"), 128, 10));
    let sequences = gpu.sequences(&data, Split::Validation, 10).unwrap();
    let start = weights("train_init");
    let model = Transformer::new(Arc::clone(&start.layout));
    let mut optimizer =
        Optimizer::new(gpu, &start.values, &Moments::zeros(start.values.len()), 0, 0.01).unwrap();
    let log = train_log();
    let schedule = OneCycle { max_lr: 0.01, total_steps: log.len() };
    for (step, theirs) in log.iter().enumerate() {
        let rows: Vec<usize> = (step * 16..(step + 1) * 16).collect();
        let loss = optimizer.step(&model, &sequences, &rows, schedule.at(step)).unwrap();
        assert!((f64::from(loss) - theirs.loss).abs() < 1e-2, "step {step}: {loss} {}", theirs.loss);
    }
    let mut end = start;
    optimizer.copy_params(&mut end.values);
    let theirs = Tensors::read("train_final");
    for tensor in end.layout.tensors().iter().filter(|tensor| !tensor.name.ends_with("b_K")) {
        let error = relative_l2(&end.gather(tensor), &theirs.get(&tensor.name).1);
        assert!(error < 1e-2, "{}: {error}", tensor.name);
    }
}

/// The emulated GPU would take hours.
#[test]
fn the_notebooks_model_learns_the_task() {
    if EMULATED || gpu().is_none() {
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
