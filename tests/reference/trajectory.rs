//! PyTorch's forty steps, taken by one of our devices.

use std::sync::Arc;

use headcount::model::{Backend, Transformer};
use headcount::task::Split;
use headcount::train::{Moments, OneCycle, Optimizer, TrainConfig};

use super::models::majority;
use super::{Tensors, relative_l2, train_log, weights};

/// Takes the steps and compares rates, losses (within `by`, in nats) and the weights at the end.
#[track_caller]
pub fn follows_pytorch<D: Backend>(device: D, by: f64) {
    let data = Arc::new(majority(&Tensors::read("train_batches").tokens("tokens")));
    let start = weights("train_init");
    let sequences = device.sequences(&data, Split::Validation, start.config()).unwrap();
    let model = Transformer::new(Arc::clone(&start.layout));
    let moments = Moments::zeros(start.values.len());
    let mut optimizer = Optimizer::new(device, &start, &moments, 0, &TrainConfig::default()).unwrap();
    let log = train_log();
    let schedule = OneCycle { max_lr: 0.01, total_steps: log.len() };
    for (step, theirs) in log.iter().enumerate() {
        let rates = schedule.at(step);
        assert!((rates.lr - theirs.lr).abs() < 1e-6 && (rates.beta1 - theirs.beta1).abs() < 1e-6, "{step}");
        let rows: Vec<usize> = (step * 16..(step + 1) * 16).collect();
        let loss = optimizer.step(&model, &sequences, &rows, rates).unwrap();
        assert!((f64::from(loss) - theirs.loss).abs() < by, "step {step}: {loss} {}", theirs.loss);
    }
    let mut end = start;
    optimizer.copy_params(&mut end.values);
    let theirs = Tensors::read("train_final");
    for tensor in end.layout.tensors().iter().filter(|tensor| !tensor.name.ends_with("b_K")) {
        let error = relative_l2(&end.gather(tensor), &theirs.get(&tensor.name).1);
        assert!(error < 1e-2, "{}: {error}", tensor.name);
    }
}
