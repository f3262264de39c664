//! The optimisers, over the flat parameter buffer, on any device.

use dfdx::optim::{AdamConfig, Momentum, SgdConfig, WeightDecay};
use dfdx::prelude::*;

use super::frozen::Frozen;
use super::recipe::{OptimizerKind, TrainConfig};
use super::schedule::Rates;
use crate::model::{Backend, Sequences, Transformer, Weights};

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
    /// The moments before the first step.
    pub fn zeros(parameters: usize) -> Self {
        Self { first: vec![0.0; parameters], second: vec![0.0; parameters] }
    }
}

/// Parameters and moments on their device. dfdx's own optimiser hides its moments; its kernel takes them.
pub struct Optimizer<D: Backend> {
    device: D,
    params: Tensor<(usize,), f32, D>,
    first: Gradients<f32, D>,
    second: Gradients<f32, D>,
    frozen: Option<Frozen<D>>,
    /// Sequences per pass; set at the first step.
    room: Option<usize>,
    recipe: TrainConfig,
    steps: i32,
}

impl<D: Backend> Optimizer<D> {
    /// Copies parameters and moments to the device, after `steps` steps of the recipe.
    ///
    /// # Errors
    /// When the device fails: out of memory, for example.
    pub fn new(
        device: D,
        weights: &Weights,
        moments: &Moments,
        steps: usize,
        recipe: &TrainConfig,
    ) -> Result<Self, D::Err> {
        let values = &weights.values;
        let params = device.try_tensor_from_vec(values.clone(), (values.len(),))?;
        let load = |values: &[f32]| -> Result<_, D::Err> {
            let mut slot = Gradients::leaky();
            device.write(slot.get_or_alloc_mut(&params)?, values)?;
            Ok(slot)
        };
        let (first, second) = (load(&moments.first)?, load(&moments.second)?);
        let frozen = Frozen::new(&device, &recipe.frozen, &weights.layout, values)?;
        Ok(Self {
            device,
            params,
            first,
            second,
            frozen,
            room: None,
            recipe: recipe.clone(),
            steps: i32::try_from(steps).unwrap_or(i32::MAX),
        })
    }

    /// Takes one step on the sequences of these indices; returns the loss before the step.
    ///
    /// # Errors
    /// When the device fails: out of memory, for example.
    pub fn step(
        &mut self,
        model: &Transformer,
        sequences: &Sequences<D>,
        rows: &[usize],
        rates: Rates,
    ) -> Result<f32, D::Err> {
        let mut room = self.room.unwrap_or_else(|| self.device.room(model, sequences.longest()));
        let (mut gradients, losses) = loop {
            match self.part_by_part(model, sequences, rows, room) {
                Err(error) if room > 1 && D::is_out_of_memory(&error) => {
                    room = rows.len().min(room) / 2;
                    self.device.try_empty_cache()?;
                }
                done => break done?,
            }
        };
        self.room = Some(room);
        self.clip(&mut gradients)?;
        self.update(&mut gradients, rates)?;
        // Read the loss last: the copy synchronises the stream.
        Ok(losses.iter().map(value).sum())
    }

    /// Logits of the sequences of these indices under the current parameters, `[sequence, pos, d_vocab_out]`.
    ///
    /// # Errors
    /// When the device fails: out of memory, for example.
    pub fn logits(
        &self,
        model: &Transformer,
        sequences: &Sequences<D>,
        rows: &[usize],
    ) -> Result<Vec<f32>, D::Err> {
        let held = self.frozen.as_ref().map(|frozen| frozen.held(self.params.clone())).transpose()?;
        self.device.logits(model, held.as_ref().unwrap_or(&self.params), sequences, rows)
    }

    /// Scales a gradient down to the recipe's largest norm, like PyTorch's `clip_grad_norm_`.
    fn clip(&self, gradients: &mut Gradients<f32, D>) -> Result<(), D::Err> {
        const MARGIN: f64 = 1e-6;
        let most = self.recipe.clip_norm;
        if most <= 0.0 {
            return Ok(());
        }
        gradients.try_alloc_for(&self.params)?;
        let gradient = gradients.get(&self.params);
        let norm = gradient.as_vec().iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        if norm <= most {
            return Ok(());
        }
        let mut shorter = gradient.try_mul((most / (norm + MARGIN)) as f32)?;
        // dfdx's one public kernel that writes a tensor into a gradient: see `Backend::write`.
        let copy = SgdConfig {
            lr: 0.0,
            momentum: Some(Momentum::Classic(0.0)),
            weight_decay: Some(WeightDecay::L2(1.0)),
        };
        let mut zeros = Gradients::leaky();
        let zeros = zeros.get_or_alloc_mut(&shorter)?;
        copy.try_update(&mut shorter, gradients.get_or_alloc_mut(&self.params)?, zeros)
    }

    fn update(&mut self, gradients: &mut Gradients<f32, D>, rates: Rates) -> Result<(), D::Err> {
        self.steps += 1;
        let first = self.first.get_or_alloc_mut(&self.params)?;
        let second = self.second.get_or_alloc_mut(&self.params)?;
        let gradient = gradients.get_or_alloc_mut(&self.params)?;
        let TrainConfig { optimizer, weight_decay, momentum, betas, .. } = self.recipe;
        let decay = match optimizer {
            OptimizerKind::AdamW => WeightDecay::Decoupled(weight_decay),
            OptimizerKind::Adam | OptimizerKind::Sgd => WeightDecay::L2(weight_decay),
        };
        let (lr, weight_decay) = (rates.lr, Some(decay));
        match optimizer {
            OptimizerKind::AdamW | OptimizerKind::Adam => {
                let config = AdamConfig { lr, betas: [rates.beta1, betas[1]], eps: EPS, weight_decay };
                config.try_update(self.steps, &mut self.params, first, second, gradient)
            }
            OptimizerKind::Sgd => {
                let config = SgdConfig { lr, momentum: Some(Momentum::Classic(momentum)), weight_decay };
                config.try_update(&mut self.params, first, gradient)
            }
        }
    }

    /// Gradient of the mean loss over the targets of `rows`, accumulated over parts of `room` rows, and each part's
    /// share of the loss.
    fn part_by_part(
        &self,
        model: &Transformer,
        sequences: &Sequences<D>,
        rows: &[usize],
        room: usize,
    ) -> Result<Pass<D>, D::Err> {
        let mut leaf = UnusedTensors::default();
        leaf.add(&self.params);
        let (mut gradients, mut losses) = (Gradients::leaky(), Vec::new());
        let scored = sequences.scored(rows);
        for part in rows.chunks(room) {
            gradients.retain_leafs(&leaf.ids);
            let params = self.params.trace(gradients);
            let params = match &self.frozen {
                Some(frozen) => frozen.held(params)?,
                None => params,
            };
            let mut loss = self.device.loss(model, params, sequences, part)?;
            if part.len() < rows.len() {
                loss = loss.try_mul(sequences.scored(part) as f32 / scored as f32)?;
            }
            losses.push(loss.retaped::<NoneTape>());
            gradients = loss.try_backward()?;
        }
        Ok((gradients, losses))
    }

    /// The device that trains.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Copies the parameters to the host.
    pub fn copy_params(&self, to: &mut [f32]) {
        self.params.copy_into(to);
        self.frozen.iter().for_each(|frozen| frozen.hold(to));
    }

    /// Copies the moments to the host.
    pub fn moments(&self) -> Moments {
        let mut moments = Moments::zeros(self.params.shape().0);
        self.first.get(&self.params).copy_into(&mut moments.first);
        self.second.get(&self.params).copy_into(&mut moments.second);
        if let Some(frozen) = &self.frozen {
            frozen.still(&mut moments.first);
            frozen.still(&mut moments.second);
        }
        moments
    }
}

type Loss<D> = Tensor<Rank0, f32, D>;
type Pass<D> = (Gradients<f32, D>, Vec<Loss<D>>);

fn value<D: Backend>(loss: &Loss<D>) -> f32 {
    let mut value = [0.0];
    loss.copy_into(&mut value);
    value[0]
}
