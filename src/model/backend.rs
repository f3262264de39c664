//! The one operation that differs between devices: the loss of a batch, on dfdx's tape.

use std::sync::Arc;

use dfdx::optim::{Momentum, SgdConfig, WeightDecay};
use dfdx::prelude::*;

use super::batch::Workspace;
use super::composed;
use super::layout::Layout;
use super::weights::Weights;
use crate::task::Example;

/// A model's shape, and the memory its training reuses.
#[derive(Clone)]
pub struct Transformer {
    /// Where each weight lies in the flat buffer of parameters.
    pub layout: Arc<Layout>,
    /// Scratch for the CPU.
    pub workspace: Arc<Workspace>,
}

impl Transformer {
    /// A model of that layout.
    pub fn new(layout: Arc<Layout>) -> Self {
        Self { layout, workspace: Arc::default() }
    }
}

/// A device that the model can be trained on.
///
/// The default body is a composition of dfdx operations. A device that has something better overrides it.
pub trait Backend: Device<f32> {
    /// Mean cross-entropy over a batch of sequences of one length, in nats, as a function of the flat buffer `params`,
    /// `[parameters]`.
    ///
    /// # Errors
    /// When the device fails: out of memory, say.
    fn loss<T: Tape<f32, Self>>(
        &self,
        model: &Transformer,
        params: Tensor<(usize,), f32, Self, T>,
        batch: &[Example<'_>],
    ) -> Result<Tensor<Rank0, f32, Self, T>, Self::Err> {
        composed::loss(self, &model.layout, params, batch)
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
    composed::loss(device, &model.layout, params, batch)
}

impl Backend for Cpu {
    /// One operation for the whole model: the loss is a scalar, so its gradient is computed on the way and only scaled
    /// when the tape runs back.
    fn loss<T: Tape<f32, Self>>(
        &self,
        model: &Transformer,
        params: Tensor<(usize,), f32, Self, T>,
        batch: &[Example<'_>],
    ) -> Result<Tensor<Rank0, f32, Self, T>, Self::Err> {
        let (params, mut tape) = params.split_tape();
        let mut weights = Weights { layout: Arc::clone(&model.layout), values: vec![0.0; model.layout.len] };
        params.copy_into(&mut weights.values);
        let result = model.workspace.loss(&weights, batch, T::OWNS_TAPE);
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

#[cfg(feature = "cuda")]
impl Backend for Cuda {}
