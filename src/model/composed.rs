//! The model as a composition of dfdx operations: runs on CUDA, and is the reference for testing the fused operation.
//!
//! Each dfdx operation launches one or two kernels, and a few more in the backward pass, so the choices here suit a
//! GPU. Terms equal for all rows are added as a product with a column of ones: its backward pass is again a product,
//! where dfdx's broadcasts sum columns with strided reads. The affine parts of layer norms are folded into the
//! following product. Heads are multiplied one by one over the whole batch: dfdx's product of four axes would launch
//! one kernel per sequence.

use dfdx::prelude::*;

use super::config::ModelConfig;
use super::edit::Hook;
use super::layout::Layout;
use super::one_hot::OneHot;
use super::parts::linear::Composition;
use super::parts::unembed::cross_entropy_in_f64;
use super::patch::Patch;
use super::tape::{Matrix, Vector, flat, shifted};
use super::visible::{AttentionDirection, VisibleKeys};
use crate::task::Class;

/// A model, and the edits of each sequence with the keys that its queries see; none without edits.
pub(super) type Edited<'a> = (&'a Layout, &'a [(Patch, VisibleKeys)]);

/// Mean cross-entropy over the targets of a batch, in nats. `params` is the flat buffer, `[parameters]`.
pub(super) fn loss<D: Device<f32>, T: Tape<f32, D>>(
    device: &D,
    of: Edited<'_>,
    params: Vector<D, T>,
    batch: OneHot<D>,
) -> Result<Tensor<Rank0, f32, D, T>, D::Err> {
    let rows = batch.sequences * batch.len;
    let logits = logits(device, of, params, batch.tokens, batch.len)?;
    // Rows without a target are zero: they add nothing, and their gradient is zero.
    let targets = batch.targets.try_reshape_like(&(rows, of.0.config.outputs()))?;
    let sum = flat(logits.try_log_softmax::<Axis<1>>()?)?.try_mul(flat(targets)?)?.try_sum()?;
    sum.try_div(-(batch.scored as f32))
}

/// Like [`loss`], with log-softmax and loss on the host in double precision. `targets` has one entry per row, including
/// padding.
pub(super) fn loss_in_f64<D: Device<f32>, T: Tape<f32, D>>(
    device: &D,
    of: Edited<'_>,
    params: Vector<D, T>,
    batch: OneHot<D>,
    targets: &[Option<Class>],
) -> Result<Tensor<Rank0, f32, D, T>, D::Err> {
    let logits = flat(logits(device, of, params, batch.tokens, batch.len)?)?;
    let (mut gradient, scored) = (logits.as_vec(), batch.scored as f64);
    let by = (1.0 / scored) as f32;
    let loss = cross_entropy_in_f64(&mut gradient, targets, of.0.config.outputs(), by) / scored;
    let gradient = device.try_tensor_from_vec(gradient, *logits.shape())?;
    // The derivative of the product is the gradient, but its value is not the loss.
    shifted(logits.try_mul(gradient)?.try_sum()?, |_| device.try_tensor(loss as f32))
}

/// Logits of a batch of sequences of `len` tokens, each a row of one-hot vectors; result `[batch * pos, d_vocab_out]`.
pub(super) fn logits<D: Device<f32>, T: Tape<f32, D>>(
    device: &D,
    of: Edited<'_>,
    params: Vector<D, T>,
    tokens: Matrix<D, NoneTape>,
    len: usize,
) -> Result<Matrix<D, T>, D::Err> {
    let batch = tokens.shape().0;
    let (layout, edits) = of;
    let (config, rotation) = (&layout.config, layout.rotation());
    let tokens = tokens.try_reshape_like(&(batch * len, config.d_vocab))?;
    let ones = device.try_ones_like(&(batch * len, 1))?;
    let visible = visible(device, config, &tokens, (batch, len))?;
    let mut model =
        Composition { device, config, params, batch, len, ones, visible, rotation, positions: None, edits };
    if let Some(w_pos) = layout.positions_in_attention() {
        model.positions = Some(model.tiled_positions(w_pos)?);
    }
    let mut stream = model.embed(layout.embed(), &tokens)?;
    for (layer, block) in layout.blocks.iter().enumerate() {
        stream = model.edited((layer, Hook::ResidPre), 0, stream)?;
        stream = model.attention((layer, &block.attn), stream)?;
        stream = model.edited((layer, Hook::ResidMid), 0, stream)?;
        if let Some(mlp) = &block.mlp {
            stream = model.mlp((layer, mlp), stream)?;
        }
        stream = model.edited((layer, Hook::ResidPost), 0, stream)?;
    }
    model.unembed(layout.unembed(), stream)
}

/// 1 for each key that queries see, 0 for those of `pad_token` and for those that only fill a sequence up to the longest,
/// `[batch, pos]`. `None` in a causal model without a `pad_token`: queries do not see what follows them.
fn visible<D: Device<f32>>(
    device: &D,
    c: &ModelConfig,
    tokens: &Matrix<D, NoneTape>,
    shape: (usize, usize),
) -> Result<Option<Matrix<D, NoneTape>>, D::Err> {
    if c.pad_token.is_none() && c.attention_dir == AttentionDirection::Causal {
        return Ok(None);
    }
    let is_seen = |token: usize| c.pad_token.map(usize::from) != Some(token);
    let seen = (0..c.d_vocab).map(|token| f32::from(is_seen(token))).collect();
    let seen = device.try_tensor_from_vec(seen, (c.d_vocab, 1))?;
    tokens.clone().try_matmul(seen)?.try_reshape_like(&shape).map(Some)
}
