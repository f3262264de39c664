//! The one operation that differs between devices: the loss of a batch, on dfdx's tape.

use std::sync::Arc;

use dfdx::optim::{Momentum, SgdConfig, WeightDecay};
use dfdx::prelude::*;
use dfdx::tensor::Cache;

use super::batch::Workspace;
use super::composed;
use super::config::ModelConfig;
use super::layout::Layout;
use super::loss_dtype::LossDtype;
use super::one_hot::{OneHot, Sequences};
use super::weights::Weights;
use crate::task::{Dataset, Example, Split};

/// A model's shape, and the memory its training reuses.
#[derive(Clone)]
pub struct Transformer {
    /// Precision of the loss.
    pub loss_dtype: LossDtype,
    /// Where each weight lies in the flat buffer of parameters.
    pub layout: Arc<Layout>,
    /// Scratch for the CPU.
    pub workspace: Arc<Workspace>,
}

impl Transformer {
    /// A model of that layout.
    pub fn new(layout: Arc<Layout>) -> Self {
        Self { loss_dtype: LossDtype::default(), layout, workspace: Arc::default() }
    }
}

/// A device that the model can be trained on.
///
/// The default bodies compose the model of dfdx operations. A device that has something better overrides them.
pub trait Backend: Device<f32> + TensorFromVec<bool> + Cache {
    /// Whether it has memory of its own: then sequences are copied there, and validated there too.
    const HAS_MEMORY: bool = true;

    /// One side of `dataset`, within this device's reach.
    ///
    /// # Errors
    /// When the device has no room.
    fn sequences(
        &self,
        dataset: &Arc<Dataset>,
        split: Split,
        config: &ModelConfig,
    ) -> Result<Sequences<Self>, Self::Err> {
        Sequences::new(self, dataset, split, config, Self::HAS_MEMORY)
    }

    /// How many sequences of `len` tokens fit into the device's memory at a time, with gradients; a larger batch is
    /// taken in parts.
    fn room(&self, _model: &Transformer, _len: usize) -> usize {
        usize::MAX
    }

    /// Mean cross-entropy over the targets of the sequences of these numbers, in nats, as a function of the flat buffer `params`,
    /// `[parameters]`.
    ///
    /// # Errors
    /// When the device fails: out of memory, say.
    fn loss<T: Tape<f32, Self>>(
        &self,
        model: &Transformer,
        params: Tensor<(usize,), f32, Self, T>,
        sequences: &Sequences<Self>,
        rows: &[usize],
    ) -> Result<Tensor<Rank0, f32, Self, T>, Self::Err> {
        composition(self, model, params, sequences.batch(self, rows)?, &sequences.examples(rows))
    }

    /// Logits of the sequences of these numbers, `[sequence, pos, d_vocab_out]`, as many positions as the
    /// longest has.
    ///
    /// # Errors
    /// When the device fails: out of memory, say.
    fn logits(
        &self,
        model: &Transformer,
        params: &Tensor<(usize,), f32, Self>,
        sequences: &Sequences<Self>,
        rows: &[usize],
    ) -> Result<Vec<f32>, Self::Err> {
        let batch = sequences.batch(self, rows)?;
        let logits = composed::logits(self, &model.layout, params.clone(), batch.tokens, batch.len)?;
        Ok(logits.as_vec())
    }

    /// What an error means to a user.
    fn explain(error: &Self::Err) -> String {
        error.to_string()
    }

    /// Whether less at a time might do.
    fn is_out_of_memory(_error: &Self::Err) -> bool {
        false
    }

    /// Used and total memory in bytes, of a device that has its own.
    fn memory(&self) -> Option<(usize, usize)> {
        None
    }

    /// Writes `values` over a fresh gradient or moment, all zeros, of the same length.
    ///
    /// The default goes through the one public kernel that moves a tensor's data into such a buffer: a step of gradient
    /// descent with no learning rate, whose velocity becomes the decayed parameter itself.
    ///
    /// # Errors
    /// When the device fails.
    fn write(&self, to: &mut <Self as Storage<f32>>::Vec, values: &[f32]) -> Result<(), Self::Err> {
        let mut source = self.try_tensor_from_vec(values.to_vec(), (values.len(),))?;
        let mut zeros = Gradients::leaky();
        let copy = SgdConfig {
            lr: 0.0,
            momentum: Some(Momentum::Classic(0.0)),
            weight_decay: Some(WeightDecay::L2(1.0)),
        };
        let nothing = zeros.get_or_alloc_mut(&source)?;
        copy.try_update(&mut source, to, nothing)
    }
}

/// The composed model on any device, whatever its [`Backend`] prefers: the oracle of the tests.
///
/// # Errors
/// When the device fails.
pub fn composed_loss<D: Backend, T: Tape<f32, D>>(
    device: &D,
    model: &Transformer,
    params: Tensor<(usize,), f32, D, T>,
    batch: &[Example<'_>],
) -> Result<Tensor<Rank0, f32, D, T>, D::Err> {
    let len = batch.iter().map(|example| example.tokens().len()).max().unwrap_or(0);
    composition(device, model, params, OneHot::of(device, batch, len, &model.layout.config)?, batch)
}

fn composition<D: Backend, T: Tape<f32, D>>(
    device: &D,
    model: &Transformer,
    params: Tensor<(usize,), f32, D, T>,
    batch: OneHot<D>,
    examples: &[Example<'_>],
) -> Result<Tensor<Rank0, f32, D, T>, D::Err> {
    match model.loss_dtype {
        LossDtype::F32 => composed::loss(device, &model.layout, params, batch),
        LossDtype::F64 => {
            let mut targets = Vec::new();
            for example in examples {
                targets.extend(example.targets());
                targets.resize(targets.len().next_multiple_of(batch.len), None);
            }
            composed::loss_in_f64(device, &model.layout, params, batch, &targets)
        }
    }
}

impl Backend for Cpu {
    const HAS_MEMORY: bool = false;

    /// One operation for the whole model: the loss is a scalar, so its gradient is computed on the way and only scaled
    /// when the tape runs back.
    fn loss<T: Tape<f32, Self>>(
        &self,
        model: &Transformer,
        params: Tensor<(usize,), f32, Self, T>,
        sequences: &Sequences<Self>,
        rows: &[usize],
    ) -> Result<Tensor<Rank0, f32, Self, T>, Self::Err> {
        let (params, mut tape) = params.split_tape();
        let mut weights = Weights { layout: Arc::clone(&model.layout), values: vec![0.0; model.layout.len] };
        params.copy_into(&mut weights.values);
        let result =
            model.workspace.loss(&weights, &sequences.examples(rows), model.loss_dtype, T::OWNS_TAPE);
        let loss = self.try_tensor(result.loss)?;
        let (params_ghost, loss_ghost) = (params.ghost(), loss.ghost());
        tape.add_backward_op(move |grads| {
            let seed = grads.get_or_alloc_mut(&loss_ghost)?[0];
            let into = grads.get_or_alloc_mut(&params_ghost)?;
            into.iter_mut().zip(&result.gradient).for_each(|(into, g)| *into += seed * g);
            Ok(())
        });
        Ok(loss.put_tape(tape))
    }

    fn write(&self, to: &mut <Self as Storage<f32>>::Vec, values: &[f32]) -> Result<(), Self::Err> {
        to.copy_from_slice(values);
        Ok(())
    }
}
