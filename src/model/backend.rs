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
use super::patch::{Patch, PatchOf};
use super::visible::VisibleKeys;
use super::weights::Weights;
use crate::task::{Dataset, Example, Split};

/// A model's shape, and the buffers that training reuses.
#[derive(Clone)]
pub struct Transformer {
    /// Precision of the loss.
    pub loss_dtype: LossDtype,
    /// Range of each weight in the flat buffer of parameters.
    pub layout: Arc<Layout>,
    /// Buffers for the CPU.
    pub workspace: Arc<Workspace>,
    /// The edits of each sequence's pass, if any.
    pub edits: Option<Arc<PatchOf>>,
}

impl Transformer {
    /// A model of this layout.
    pub fn new(layout: Arc<Layout>) -> Self {
        Self { loss_dtype: LossDtype::default(), layout, workspace: Arc::default(), edits: None }
    }
}

impl Transformer {
    /// The edits of a batch, with the keys that each query sees; none without edits.
    fn edits_of(&self, examples: &[Example<'_>]) -> Vec<(Patch, VisibleKeys)> {
        let c = &self.layout.config;
        let of = |edits: &Arc<PatchOf>| {
            let each = examples.iter().map(Example::tokens);
            each.map(|tokens| (edits(tokens), c.visible_keys(tokens))).collect()
        };
        self.edits.as_ref().map(of).unwrap_or_default()
    }
}

/// A device that the model can be trained on.
///
/// The default bodies compose the model of dfdx operations. A device with a faster way overrides them.
pub trait Backend: Device<f32> + TensorFromVec<bool> + Cache {
    /// Whether the device has its own memory: then sequences are copied to it, and validation runs on it too.
    const HAS_MEMORY: bool = true;

    /// One split of `dataset`, accessible to the device.
    ///
    /// # Errors
    /// When the device is out of memory.
    fn sequences(
        &self,
        dataset: &Arc<Dataset>,
        split: Split,
        config: &ModelConfig,
    ) -> Result<Sequences<Self>, Self::Err> {
        Sequences::new(self, dataset, split, config, Self::HAS_MEMORY)
    }

    /// Number of sequences of `len` tokens that fit into the device's memory at a time, with gradients; larger batches
    /// are split into parts.
    fn room(&self, _model: &Transformer, _len: usize) -> usize {
        usize::MAX
    }

    /// Mean cross-entropy over the targets of the sequences of these indices, in nats, as a function of the flat buffer
    /// `params`, `[parameters]`.
    ///
    /// # Errors
    /// When the device fails: out of memory, for example.
    fn loss<T: Tape<f32, Self>>(
        &self,
        model: &Transformer,
        params: Tensor<(usize,), f32, Self, T>,
        sequences: &Sequences<Self>,
        rows: &[usize],
    ) -> Result<Tensor<Rank0, f32, Self, T>, Self::Err> {
        composition(self, model, params, sequences.batch(self, rows)?, &sequences.examples(rows))
    }

    /// Logits of the sequences of these indices, `[sequence, pos, d_vocab_out]`, padded to the longest.
    ///
    /// # Errors
    /// When the device fails: out of memory, for example.
    fn logits(
        &self,
        model: &Transformer,
        params: &Tensor<(usize,), f32, Self>,
        sequences: &Sequences<Self>,
        rows: &[usize],
    ) -> Result<Vec<f32>, Self::Err> {
        let batch = sequences.batch(self, rows)?;
        let edits = model.edits_of(&sequences.examples(rows));
        let logits =
            composed::logits(self, (&model.layout, &edits), params.clone(), batch.tokens, batch.len)?;
        Ok(logits.as_vec())
    }

    /// Explains an error to the user.
    fn explain(error: &Self::Err) -> String {
        error.to_string()
    }

    /// Whether a smaller part of a batch might fit.
    fn is_out_of_memory(_error: &Self::Err) -> bool {
        false
    }

    /// Used and total bytes of the device's own memory, if it has any.
    fn memory(&self) -> Option<(usize, usize)> {
        None
    }

    /// Copies `values` into a fresh gradient or moment of the same length, all zeros.
    ///
    /// The default uses the one public kernel that writes a tensor's data into such a buffer: gradient descent with
    /// learning rate 0, whose velocity becomes the weight-decayed parameter itself.
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

/// The composed model on any device, independent of its [`Backend`]: the reference for tests.
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
    let edits = model.edits_of(examples);
    let of = (&*model.layout, &edits[..]);
    match model.loss_dtype {
        LossDtype::F32 => composed::loss(device, of, params, batch),
        LossDtype::F64 => {
            let mut targets = Vec::new();
            for example in examples {
                targets.extend(example.targets());
                targets.resize(targets.len().next_multiple_of(batch.len), None);
            }
            composed::loss_in_f64(device, of, params, batch, &targets)
        }
    }
}

impl Backend for Cpu {
    const HAS_MEMORY: bool = false;

    /// One operation for the whole model: the loss is a scalar, so its gradient is computed in the forward pass and
    /// only scaled in the backward pass.
    fn loss<T: Tape<f32, Self>>(
        &self,
        model: &Transformer,
        params: Tensor<(usize,), f32, Self, T>,
        sequences: &Sequences<Self>,
        rows: &[usize],
    ) -> Result<Tensor<Rank0, f32, Self, T>, Self::Err> {
        let (params, mut tape) = params.split_tape();
        let workspace = Arc::clone(&model.workspace);
        let mut weights = Weights { layout: Arc::clone(&model.layout), values: workspace.buffer() };
        weights.values.resize(model.layout.len, 0.0);
        params.copy_into(&mut weights.values);
        let how = (model.loss_dtype, model.edits.as_deref());
        let result = workspace.loss(&weights, &sequences.examples(rows), how, T::OWNS_TAPE);
        workspace.give_back(weights.values);
        let loss = self.try_tensor(result.loss)?;
        let (params_ghost, loss_ghost) = (params.ghost(), loss.ghost());
        tape.add_backward_op(move |grads| {
            let seed = grads.get_or_alloc_mut(&loss_ghost)?[0];
            let into = grads.get_or_alloc_mut(&params_ghost)?;
            into.iter_mut().zip(&result.gradient).for_each(|(into, g)| *into += seed * g);
            workspace.give_back(result.gradient);
            Ok(())
        });
        Ok(loss.put_tape(tape))
    }

    fn write(&self, to: &mut <Self as Storage<f32>>::Vec, values: &[f32]) -> Result<(), Self::Err> {
        to.copy_from_slice(values);
        Ok(())
    }
}
