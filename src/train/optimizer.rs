//! `AdamW` over the flat buffer of parameters, on whatever device they live.

use dfdx::optim::{AdamConfig, WeightDecay};
use dfdx::prelude::*;

use super::schedule::Rates;
use crate::model::{Backend, Sequences, Transformer};

const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;

/// The running averages of the gradient and of its square, each `[parameters]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// PyTorch's `exp_avg`.
    pub first: Vec<f32>,
    /// PyTorch's `exp_avg_sq`.
    pub second: Vec<f32>,
}

impl Moments {
    /// As they are before the first step.
    pub fn zeros(parameters: usize) -> Self {
        Self { first: vec![0.0; parameters], second: vec![0.0; parameters] }
    }
}

/// Parameters and moments on their device. dfdx's own optimiser hides its moments; its kernel does not.
pub struct Optimizer<D: Backend> {
    device: D,
    params: Tensor<(usize,), f32, D>,
    first: Gradients<f32, D>,
    second: Gradients<f32, D>,
    /// Sequences that are taken at a time; set at the first step.
    room: Option<usize>,
    weight_decay: f64,
    steps: i32,
}

impl<D: Backend> Optimizer<D> {
    /// Puts parameters and moments as they are after `steps` steps on the device.
    ///
    /// # Errors
    /// When the device fails: out of memory, say.
    pub fn new(
        device: D,
        values: &[f32],
        moments: &Moments,
        steps: usize,
        weight_decay: f64,
    ) -> Result<Self, D::Err> {
        let params = device.try_tensor_from_vec(values.to_vec(), (values.len(),))?;
        let load = |values: &[f32]| -> Result<_, D::Err> {
            let mut slot = Gradients::leaky();
            device.write(slot.get_or_alloc_mut(&params)?, values)?;
            Ok(slot)
        };
        let (first, second) = (load(&moments.first)?, load(&moments.second)?);
        Ok(Self {
            device,
            params,
            first,
            second,
            room: None,
            weight_decay,
            steps: i32::try_from(steps).unwrap_or(i32::MAX),
        })
    }

    /// One step on the sequences of these numbers; returns the loss before it.
    ///
    /// # Errors
    /// When the device fails: out of memory, say.
    pub fn step(
        &mut self,
        model: &Transformer,
        sequences: &Sequences<D>,
        rows: &[usize],
        rates: Rates,
    ) -> Result<f32, D::Err> {
        let room = self.room.get_or_insert_with(|| self.device.room(model, sequences.longest()));
        let (mut gradients, losses) = loop {
            match part_by_part(&self.device, model, &self.params, sequences, rows, *room) {
                Err(error) if *room > 1 && D::is_out_of_memory(&error) => {
                    *room = rows.len().min(*room) / 2;
                    self.device.try_empty_cache()?;
                }
                done => break done?,
            }
        };
        let config = AdamConfig {
            lr: rates.lr,
            betas: [rates.beta1, BETA2],
            eps: EPS,
            weight_decay: Some(WeightDecay::Decoupled(self.weight_decay)),
        };
        self.steps += 1;
        let first = self.first.get_or_alloc_mut(&self.params)?;
        let second = self.second.get_or_alloc_mut(&self.params)?;
        let gradient = gradients.get_or_alloc_mut(&self.params)?;
        config.try_update(self.steps, &mut self.params, first, second, gradient)?;
        // Last, for on a device reading waits for all that is under way there.
        Ok(losses.iter().map(value).sum())
    }

    /// Logits of the sequences of these numbers as the model is now, `[sequence, pos, d_vocab_out]`.
    ///
    /// # Errors
    /// When the device fails: out of memory, say.
    pub fn logits(
        &self,
        model: &Transformer,
        sequences: &Sequences<D>,
        rows: &[usize],
    ) -> Result<Vec<f32>, D::Err> {
        self.device.logits(model, &self.params, sequences, rows)
    }

    /// Where it trains.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Copies the parameters to the host.
    pub fn copy_params(&self, to: &mut [f32]) {
        self.params.copy_into(to);
    }

    /// Copies the moments to the host.
    pub fn moments(&self) -> Moments {
        let mut moments = Moments::zeros(self.params.shape().0);
        self.first.get(&self.params).copy_into(&mut moments.first);
        self.second.get(&self.params).copy_into(&mut moments.second);
        moments
    }
}

type Loss<D> = Tensor<Rank0, f32, D>;
type Pass<D> = (Gradients<f32, D>, Vec<Loss<D>>);

/// The gradient of the mean loss over the targets of `rows`, taken `room` of them at a time, and what each part adds to the loss.
fn part_by_part<D: Backend>(
    device: &D,
    model: &Transformer,
    params: &Tensor<(usize,), f32, D>,
    sequences: &Sequences<D>,
    rows: &[usize],
    room: usize,
) -> Result<Pass<D>, D::Err> {
    let mut leaf = UnusedTensors::default();
    leaf.add(params);
    let (mut gradients, mut losses) = (Gradients::leaky(), Vec::new());
    let scored = sequences.scored(rows);
    for part in rows.chunks(room) {
        gradients.retain_leafs(&leaf.ids);
        let mut loss = device.loss(model, params.trace(gradients), sequences, part)?;
        if part.len() < rows.len() {
            loss = loss.try_mul(sequences.scored(part) as f32 / scored as f32)?;
        }
        losses.push(loss.retaped::<NoneTape>());
        gradients = loss.try_backward()?;
    }
    Ok((gradients, losses))
}

fn value<D: Backend>(loss: &Loss<D>) -> f32 {
    let mut value = [0.0];
    loss.copy_into(&mut value);
    value[0]
}
