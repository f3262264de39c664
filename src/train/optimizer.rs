//! `AdamW` over the flat buffer of parameters, on whatever device they live.

use dfdx::optim::{AdamConfig, WeightDecay};
use dfdx::prelude::*;

use super::schedule::Rates;
use crate::model::{Backend, Transformer};
use crate::task::Example;

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
            weight_decay,
            steps: i32::try_from(steps).unwrap_or(i32::MAX),
        })
    }

    /// One step on a batch; returns the loss before it.
    ///
    /// # Errors
    /// When the device fails: out of memory, say.
    pub fn step(&mut self, model: &Transformer, batch: &[Example<'_>], rates: Rates) -> Result<f32, D::Err> {
        let loss = self.device.loss(model, self.params.leaky_trace(), batch)?;
        let mut value = [0.0];
        loss.copy_into(&mut value);
        let mut gradients = loss.try_backward()?;
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
        Ok(value[0])
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
