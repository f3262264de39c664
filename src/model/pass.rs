//! The stages of a pass over a tile of sequences in order: forward, forward after an edit, and backward.
//!
//! Training, probing and editing all run these stages. Formulas and names are TransformerLens'.

use std::borrow::Cow;

use super::activations::{Activations, BlockActivations};
use super::adjoints::Adjoints;
use super::edit::{Hook, Stage};
use super::layout::BlockLayout;
use super::parts::linear::Params;
use super::parts::norm::Normed;
use super::parts::{attention, embed, mlp, unembed as readout};
use super::patch::Patch;
use super::tile::{Layer, Rows, Tile};
use super::weights::Weights;
use crate::task::{Class, Token};

/// Runs `tokens` through the model into `to`, whose buffers are sized for them.
///
/// Panics if there are more tokens than `n_ctx`, or one is outside the vocabulary: callers check both.
pub fn forward(weights: &Weights, tokens: &[Token], patch: &Patch, to: &mut Activations) {
    let tile = Tile::new(weights.config(), [(tokens, patch)]);
    forward_tile(weights, &tile, to, &|| ());
    to.take_sequence(&tile, 0);
}

/// Like [`forward`], for the sequences of a tile; `between` is called before each block, and may wait.
pub(super) fn forward_tile(weights: &Weights, tile: &Tile<'_>, to: &mut Activations, between: &dyn Fn()) {
    to.fit(weights.config(), tile);
    let layer = tile.layer(0, weights.config().n_layers);
    embed::embed(weights.params(), weights.layout.embed(), layer, &mut to.blocks[0].resid_pre);
    blocks_from(0, weights, tile, to, between);
    if tile.has_logits {
        logits(weights, to);
    }
}

/// Runs sequences that share a tile, each with its patch, and calls `each` with the activations of every one in order;
/// those of the final norm and the logits only if requested. `between` is called before each block, and may wait;
/// `buffers` are sized as needed.
pub fn forward_each(
    weights: &Weights,
    (sequences, with_logits): (&[(&[Token], &Patch)], bool),
    buffers: &mut [Activations; 2],
    between: &dyn Fn(),
    mut each: impl FnMut(usize, &Activations),
) {
    let c = weights.config();
    let mut tile = Tile::new(c, sequences.iter().copied());
    tile.has_logits = with_logits;
    let [all, one] = buffers;
    forward_tile(weights, &tile, all, between);
    if sequences.len() == 1 {
        all.take_sequence(&tile, 0);
        return each(0, all);
    }
    for index in 0..sequences.len() {
        one.copy_sequence(c, all, &tile, index);
        each(index, one);
    }
}

/// Runs only what `patch` changes in the unpatched pass `from` of one sequence. Afterwards `to` equals the result of
/// [`forward`] with the patch.
pub fn forward_again(weights: &Weights, patch: &Patch, from: &Activations, to: &mut Activations) {
    let Some((first, stage)) = patch.start() else { return to.clone_from(from) };
    let (c, tile) = (weights.config(), Tile::again((&from.keys, &from.tokens), patch));
    to.fit(c, &tile);
    to.take_sequence(&tile, 0);
    // All later blocks are overwritten completely.
    to.blocks[..=first].clone_from_slice(&from.blocks[..=first]);
    let layer = tile.layer(first, c.n_layers);
    if stage == Stage::Embedding {
        embed::embed(weights.params(), weights.layout.embed(), layer, &mut to.blocks[first].resid_pre);
    }
    if stage <= Stage::Input {
        blocks_from(first, weights, &tile, to, &|| ());
    } else {
        if stage == Stage::Heads {
            attention::edit_patterns(c, layer, &mut to.blocks[first].attn);
            write_heads(weights, first, layer, to);
        }
        if stage <= Stage::Neurons {
            neurons(weights, first, layer, to);
        }
        write_neurons(weights, first, layer, to);
        blocks_from(first + 1, weights, &tile, to, &|| ());
    }
    logits(weights, to);
}

fn blocks_from(first: usize, weights: &Weights, tile: &Tile<'_>, to: &mut Activations, between: &dyn Fn()) {
    let n_layers = weights.config().n_layers;
    for index in first..n_layers {
        between();
        let layer = tile.layer(index, n_layers);
        let (at, block) = (&weights.layout.blocks[index].attn, &mut to.blocks[index]);
        layer.edit_rows(Hook::ResidPre, &mut block.resid_pre);
        let into = (&mut block.ln1, &mut block.attn);
        attention::forward(weights.params(), at, layer, &block.resid_pre, into);
        write_heads(weights, index, layer, to);
        neurons(weights, index, layer, to);
        write_neurons(weights, index, layer, to);
    }
}

/// Computes `resid_mid` from `z`.
fn write_heads(weights: &Weights, index: usize, layer: Layer<'_>, to: &mut Activations) {
    let (at, block) = (&weights.layout.blocks[index].attn, &mut to.blocks[index]);
    let from = (&block.resid_pre[..], &mut block.attn);
    attention::write(weights.params(), at, layer, from, &mut block.resid_mid);
    layer.edit_queries(Hook::ResidMid, &mut block.resid_mid);
}

/// Computes `post` from `resid_mid`.
fn neurons(weights: &Weights, index: usize, layer: Layer<'_>, to: &mut Activations) {
    let block = &mut to.blocks[index];
    if let (Some(at), Some(to)) = (&weights.layout.blocks[index].mlp, &mut block.mlp) {
        mlp::forward(weights.params(), at, layer, &block.resid_mid, to);
    }
}

/// Computes the stream after the block from `post`.
fn write_neurons(weights: &Weights, index: usize, layer: Layer<'_>, to: &mut Activations) {
    let (blocks, after) = to.blocks.split_at_mut(index + 1);
    let block = &mut blocks[index];
    let next = after.first_mut().map_or(&mut to.resid_post, |block| &mut block.resid_pre);
    match (&weights.layout.blocks[index].mlp, &mut block.mlp) {
        (Some(at), Some(mlp)) => {
            mlp::write(weights.params(), at, layer, (&block.resid_mid, &mut mlp.post), next);
        }
        _ => next.copy_from_slice(&block.resid_mid),
    }
    layer.edit_queries(Hook::ResidPost, next);
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

/// A residual stream, `[pos, d_model]`, through the final norm without its weight and bias.
pub fn normalized(weights: &Weights, stream: &[f32]) -> Vec<f32> {
    let (c, mut normalized) = (weights.config(), vec![0.0; stream.len()]);
    let mut normed = Normed::new(stream.len() / c.d_model, c.d_model);
    c.norm().forward(stream, c.d_model, None, &mut normed, &mut normalized);
    normalized
}

/// Queries, keys and values of one sequence before any rotation, `[pos, 3, n_heads, d_head]`: `hook_q`, `hook_k`, `hook_v`.
pub(super) fn unrotated<'a>(weights: &Weights, from: &'a Activations, layer: usize) -> Cow<'a, [f32]> {
    let patch = Patch::default();
    let (tile, qkv) = (Tile::again((&from.keys, &from.tokens), &patch), &from.blocks[layer].attn.qkv);
    attention::unrotated(weights.params(), tile.layer(layer, weights.config().n_layers), qkv)
}

/// `z W_O + b_O`, `[pos, d_model]`: `hook_attn_out`.
pub fn attn_out(weights: &Weights, from: &Activations, layer: usize) -> Vec<f32> {
    attention::out(weights.params(), &weights.layout.blocks[layer].attn, &from.blocks[layer].attn.z)
}

/// `post W_out + b_out`, `[pos, d_model]`: `hook_mlp_out`; `None` in an attention-only model.
pub fn mlp_out(weights: &Weights, from: &Activations, layer: usize) -> Option<Vec<f32>> {
    let (mlp, at) = (from.blocks[layer].mlp.as_ref()?, weights.layout.blocks[layer].mlp.as_ref()?);
    Some(mlp::out(weights.params(), at, &mlp.post))
}

/// The embeddings of tokens, `[pos, d_model]`: `hook_embed`.
pub fn embed_rows(weights: &Weights, tokens: &[Token]) -> Vec<f32> {
    let (d_model, w_e) = (weights.config().d_model, weights.part(weights.layout.embed().w_e));
    tokens.iter().flat_map(|&token| &w_e[usize::from(token) * d_model..][..d_model]).copied().collect()
}

/// The embeddings of the first positions, `[pos, d_model]`: `hook_pos_embed`; none if they are not in the stream.
pub fn pos_embed_rows(weights: &Weights, len: usize) -> Vec<f32> {
    let values = len * weights.config().d_model;
    weights.layout.embed().positions().map_or_else(Vec::new, |at| weights.part(at)[..values].to_vec())
}

/// Sum of the cross-entropies of `logits`, `[pos, d_vocab_out]`, over positions with a target, in nats. Panics unless
/// `targets` has one entry per position.
pub fn cross_entropy(logits: &[f32], targets: &[Option<Class>], d_vocab_out: usize) -> f64 {
    assert_eq!(logits.len(), targets.len() * d_vocab_out, "a target, or none, for each row of logits");
    let rows = logits.chunks_exact(d_vocab_out).zip(targets);
    rows.filter_map(|(row, target)| target.map(|target| readout::loss_of(row, target.into()))).sum()
}

/// Adds the gradient of `scale` times the summed cross-entropy of a tile to `grads`, in the layout of the weights, and
/// returns the sum unscaled. `transposed` is [`Weights::transposed`], `targets` has one entry per row of the last layer, and
/// `from` must hold the pass of this tile.
pub(super) fn backward(
    (weights, transposed): (&Weights, &[f32]),
    (tile, targets): (&Tile<'_>, &[Option<Class>]),
    scale: f32,
    from: &Activations,
    scratch: &mut Adjoints,
    grads: &mut [f32],
) -> f64 {
    let (of, layout) = (Params { transposed, ..weights.params() }, &weights.layout);
    scratch.fit(of.config, tile);
    let through = (&from.ln_final, &from.unembed_in[..]);
    let targets = (&from.logits[..], targets, scale);
    let loss = readout::backward(of, layout.unembed(), targets, through, scratch, grads);
    for (index, (at, block)) in layout.blocks.iter().zip(&from.blocks).enumerate().rev() {
        let layer = tile.layer(index, of.config.n_layers);
        layer.back((Hook::ResidPost, Rows::Queries), || written(of, at, layer, block), &mut scratch.resid);
        if let (Some(at), Some(from)) = (&at.mlp, &block.mlp) {
            mlp::backward(of, at, layer, from, scratch, grads);
        }
        let after_heads = || {
            let mut stream = vec![0.0; block.resid_mid.len()];
            attention::sum(of, &at.attn, layer, (&block.resid_pre, &block.attn.z), &mut stream);
            stream
        };
        layer.back((Hook::ResidMid, Rows::Queries), after_heads, &mut scratch.resid);
        attention::backward(of, &at.attn, layer, (&block.ln1, &block.attn), scratch, grads);
        let before = || {
            let Some(before) = index.checked_sub(1) else {
                let mut stream = vec![0.0; block.resid_pre.len()];
                embed::embed(of, layout.embed(), layer, &mut stream);
                return stream;
            };
            let layer = tile.layer(before, of.config.n_layers);
            let mut stream = written(of, &layout.blocks[before], layer, &from.blocks[before]);
            layer.edit_queries(Hook::ResidPost, &mut stream);
            stream
        };
        layer.back((Hook::ResidPre, Rows::All), before, &mut scratch.resid);
    }
    embed::backward(of, layout.embed(), tile.layer(0, of.config.n_layers), &scratch.resid, grads);
    loss
}

/// The stream after a block, before the edits of `hook_resid_post`.
fn written(of: Params<'_>, at: &BlockLayout, layer: Layer<'_>, from: &BlockActivations) -> Vec<f32> {
    let mut stream = from.resid_mid.clone();
    if let (Some(at), Some(mlp)) = (&at.mlp, &from.mlp) {
        mlp::sum(of, at, layer, (&from.resid_mid, &mlp.post), &mut stream);
    }
    stream
}
