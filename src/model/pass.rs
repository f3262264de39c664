//! The stages of a pass over one sequence in order: forward, forward after an edit, and backward.
//!
//! Training, probing and editing all run these stages. Formulas and names are TransformerLens'.

use super::activations::Activations;
use super::adjoints::Adjoints;
use super::edit::{BlockEdit, Patch};
use super::parts::norm::Normed;
use super::parts::{attention, embed, mlp, unembed as readout};
use super::weights::Weights;
use crate::task::{Class, Example, Token};

/// Runs `tokens` through the model into `to`, which is reallocated if its length differs.
///
/// Panics if there are more tokens than `n_ctx`, or one is outside the vocabulary: callers check both.
pub fn forward(weights: &Weights, tokens: &[Token], patch: &Patch, to: &mut Activations) {
    forward_in_steps(weights, tokens, patch, to, &|| ());
}

/// Like [`forward`]; `between` is called before each block, and may wait.
pub fn forward_in_steps(
    weights: &Weights,
    tokens: &[Token],
    patch: &Patch,
    to: &mut Activations,
    between: &dyn Fn(),
) {
    if tokens.len() != to.len {
        *to = Activations::new(weights.config(), tokens.len());
    }
    to.keys = weights.config().visible_keys(tokens);
    embed::embed(weights.params(), weights.layout.embed(), tokens, &mut to.blocks[0].resid_pre);
    blocks_from(0, weights, patch, to, between);
    logits(weights, to);
}

/// Runs only what `patch` changes in the unpatched pass `from`. Afterwards `to`, a buffer of the same shape, equals the
/// result of [`forward`] with the patch.
pub fn forward_again(weights: &Weights, patch: &Patch, from: &Activations, to: &mut Activations) {
    let touched = |patch: &BlockEdit| !patch.is_empty();
    let Some(first) = patch.blocks.iter().position(touched) else { return to.clone_from(from) };
    to.keys.clone_from(&from.keys);
    // All later blocks are overwritten completely.
    to.blocks[..=first].clone_from_slice(&from.blocks[..=first]);
    let block = &patch.blocks[first];
    if block.touches_attention() {
        attention::edit_patterns(weights.config(), block, &to.keys, &mut to.blocks[first].attn);
        write_heads(weights, first, block, to);
        neurons(weights, first, to);
    }
    write_neurons(weights, first, block, to);
    blocks_from(first + 1, weights, patch, to, &|| ());
    logits(weights, to);
}

fn blocks_from(first: usize, weights: &Weights, patch: &Patch, to: &mut Activations, between: &dyn Fn()) {
    let nothing = BlockEdit::default();
    for layer in first..weights.config().n_layers {
        between();
        let edit = patch.blocks.get(layer).unwrap_or(&nothing);
        let (at, block) = (&weights.layout.blocks[layer].attn, &mut to.blocks[layer]);
        let into = (&mut block.ln1, &mut block.attn);
        attention::forward(weights.params(), at, (&block.resid_pre, &to.keys), edit, into);
        write_heads(weights, layer, edit, to);
        neurons(weights, layer, to);
        write_neurons(weights, layer, edit, to);
    }
}

/// Computes `resid_mid` from `z`.
fn write_heads(weights: &Weights, layer: usize, edit: &BlockEdit, to: &mut Activations) {
    let (at, block) = (&weights.layout.blocks[layer].attn, &mut to.blocks[layer]);
    block.resid_mid.copy_from_slice(&block.resid_pre);
    attention::write(weights.params(), at, edit, &mut block.attn.z, &mut block.resid_mid);
}

/// Computes `post` from `resid_mid`.
fn neurons(weights: &Weights, layer: usize, to: &mut Activations) {
    let block = &mut to.blocks[layer];
    if let (Some(at), Some(to)) = (&weights.layout.blocks[layer].mlp, &mut block.mlp) {
        mlp::forward(weights.params(), at, &block.resid_mid, to);
    }
}

/// Computes the stream after the block from `post`.
fn write_neurons(weights: &Weights, layer: usize, edit: &BlockEdit, to: &mut Activations) {
    let (blocks, after) = to.blocks.split_at_mut(layer + 1);
    let block = &mut blocks[layer];
    let next = after.first_mut().map_or(&mut to.resid_post, |block| &mut block.resid_pre);
    next.copy_from_slice(&block.resid_mid);
    if let (Some(at), Some(mlp)) = (&weights.layout.blocks[layer].mlp, &mut block.mlp) {
        mlp::write(weights.params(), at, edit, &mut mlp.post, next);
    }
}

fn logits(weights: &Weights, to: &mut Activations) {
    let through = (&mut to.ln_final, &mut to.unembed_in[..]);
    readout::forward(weights.params(), weights.layout.unembed(), &to.resid_post, through, &mut to.logits);
}

/// Logits of a residual stream, `[pos, d_model]`, through the final norm: `[pos, d_vocab_out]`.
pub fn unembed(weights: &Weights, stream: &[f32]) -> Vec<f32> {
    let c = weights.config();
    let len = stream.len() / c.d_model;
    let (mut normed, mut input, mut logits) =
        (Normed::new(len, c.d_model), vec![0.0; stream.len()], vec![0.0; len * c.outputs()]);
    readout::forward(
        weights.params(),
        weights.layout.unembed(),
        stream,
        (&mut normed, &mut input),
        &mut logits,
    );
    logits
}

/// `post W_out + b_out`, `[pos, d_model]`: `hook_mlp_out`; `None` in an attention-only model.
pub fn mlp_out(weights: &Weights, from: &Activations, layer: usize) -> Option<Vec<f32>> {
    let (mlp, at) = (from.blocks[layer].mlp.as_ref()?, weights.layout.blocks[layer].mlp.as_ref()?);
    Some(mlp::out(weights.params(), at, &mlp.post))
}

/// Sum of the cross-entropies of `logits`, `[pos, d_vocab_out]`, over positions with a target, in nats. Panics unless
/// `targets` has one entry per position.
pub fn cross_entropy(logits: &[f32], targets: &[Option<Class>], d_vocab_out: usize) -> f64 {
    readout::cross_entropy(&mut logits.to_vec(), targets, d_vocab_out, 1.0)
}

/// Adds the gradient of `scale` times the sequence's summed cross-entropy to `grads`, in the layout of the weights, and
/// returns the sum unscaled. `from` must hold the pass of these tokens without edits.
pub fn backward(
    weights: &Weights,
    example: Example<'_>,
    scale: f32,
    from: &Activations,
    scratch: &mut Adjoints,
    grads: &mut [f32],
) -> f64 {
    let (of, layout) = (weights.params(), &weights.layout);
    scratch.logits.copy_from_slice(&from.logits);
    let through = (&from.ln_final, &from.unembed_in[..]);
    let loss = readout::backward(of, layout.unembed(), (example.targets(), scale), through, scratch, grads);
    for (at, block) in layout.blocks.iter().zip(&from.blocks).rev() {
        if let (Some(at), Some(from)) = (&at.mlp, &block.mlp) {
            mlp::backward(of, at, from, scratch, grads);
        }
        attention::backward(of, &at.attn, (&block.ln1, &block.attn), scratch, grads);
    }
    embed::backward(layout.embed(), example.tokens(), &scratch.resid, grads);
    loss
}
