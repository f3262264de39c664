//! Loss and gradients of one sequence, from the activations of its forward pass.

use std::ops::Range;

use super::activations::{Activations, AttentionActivations, BlockActivations};
use super::config::{Activation, ModelConfig, Normalization};
use super::forward::{Part, causal_blocks, head_columns, head_offset};
use super::kernels::{self, AffineGrad, Normed};
use super::layout::{BlockLayout, MlpLayout, NormLayout};
use super::loss_dtype::LossDtype;
use super::matmul::{Mat, MatMut, Write, matmul};
use super::weights::{Affine, Weights};
use crate::task::{Class, Example, Token};

/// Gradients of activations on their way down; reused from sequence to sequence.
pub struct Adjoints {
    /// Precision of the loss.
    pub loss_dtype: LossDtype,
    /// Of the residual stream, `[pos, d_model]`.
    resid: Vec<f32>,
    /// Of what a sublayer reads, `[pos, d_model]`.
    input: Vec<f32>,
    /// Of the neurons, `[pos, d_mlp]`.
    hidden: Vec<f32>,
    /// Of `z`, `[pos, n_heads, d_head]`.
    z: Vec<f32>,
    /// Of queries, keys and values, `[pos, 3, n_heads, d_head]`.
    qkv: Vec<f32>,
    /// Of one head's scores, `[query, key]`.
    scores: Vec<f32>,
    /// Of the logits, `[pos, d_vocab_out]`.
    logits: Vec<f32>,
}

impl Adjoints {
    /// Room for a sequence of `len` positions.
    pub fn new(c: &ModelConfig, len: usize) -> Self {
        let zeros = |width: usize| vec![0.0; len * width];
        Self {
            loss_dtype: LossDtype::default(),
            resid: zeros(c.d_model),
            input: zeros(c.d_model),
            hidden: zeros(c.d_mlp),
            z: zeros(c.d_heads()),
            qkv: zeros(3 * c.d_heads()),
            scores: zeros(len),
            logits: zeros(c.outputs()),
        }
    }
}

/// Sum over positions that have a target of the cross-entropy of `logits`, `[pos, d_vocab_out]`, in nats. Panics when there
/// are not as many targets, or none, as positions.
pub fn cross_entropy(logits: &[f32], targets: &[Option<Class>], d_vocab_out: usize) -> f64 {
    kernels::cross_entropy(&mut logits.to_vec(), targets, d_vocab_out, 1.0)
}

/// Adds to `grads`, which has the layout of the weights, the gradient of `scale` times the sequence's summed
/// cross-entropy, and returns that sum unscaled. `from` must hold the unpatched forward pass of its tokens.
pub fn backward(
    weights: &Weights,
    example: Example<'_>,
    scale: f32,
    from: &Activations,
    scratch: &mut Adjoints,
    grads: &mut [f32],
) -> f64 {
    let loss = unembed(weights, example.targets(), scale, from, scratch, grads);
    for layer in (0..weights.config().n_layers).rev() {
        let (at, block) = (&weights.layout.blocks[layer], &from.blocks[layer]);
        if let Some(mlp_at) = &at.mlp {
            mlp(weights, mlp_at, block, scratch, grads);
        }
        attention(weights, at, block, scratch, grads);
    }
    embed(weights, example.tokens(), scratch, grads);
    loss
}

fn unembed(
    weights: &Weights,
    targets: &[Option<Class>],
    scale: f32,
    from: &Activations,
    scratch: &mut Adjoints,
    grads: &mut [f32],
) -> f64 {
    let layout = &weights.layout;
    let (d_model, outputs) = (layout.config.d_model, layout.config.outputs());
    scratch.logits.copy_from_slice(&from.logits);
    let loss = match scratch.loss_dtype {
        LossDtype::F32 => kernels::cross_entropy(&mut scratch.logits, targets, outputs, scale),
        LossDtype::F64 => kernels::cross_entropy_in_f64(&mut scratch.logits, targets, outputs, scale),
    };
    linear_backward(
        weights,
        (&layout.w_u, &layout.b_u),
        &from.unembed_in,
        &scratch.logits,
        &mut scratch.resid,
        grads,
    );
    norm_backward(weights, layout.ln_final.as_ref(), &from.ln_final, d_model, &mut scratch.resid, grads);
    loss
}

fn mlp(
    weights: &Weights,
    at: &MlpLayout,
    block: &BlockActivations,
    scratch: &mut Adjoints,
    grads: &mut [f32],
) {
    let c = weights.config();
    let Some(mlp) = &block.mlp else { return };
    linear_backward(weights, (&at.w_out, &at.b_out), &mlp.post, &scratch.resid, &mut scratch.hidden, grads);
    match c.act_fn {
        Activation::SoluLn => {
            affine_backward(weights, at.ln.as_ref(), &mlp.ln, c.d_mlp, &mut scratch.hidden, grads);
            kernels::solu_backward(&mut scratch.hidden, &mlp.pre, &mlp.softmaxed, &mlp.mid, c.d_mlp);
        }
        Activation::Gelu => scale_by(&mut scratch.hidden, &mlp.pre, kernels::gelu_derivative),
        Activation::Relu => scale_by(&mut scratch.hidden, &mlp.pre, |x| f32::from(x > 0.0)),
    }
    linear_backward(weights, (&at.w_in, &at.b_in), &mlp.input, &scratch.hidden, &mut scratch.input, grads);
    norm_backward(weights, at.ln2.as_ref(), &mlp.ln2, c.d_model, &mut scratch.input, grads);
    kernels::add(&mut scratch.resid, &scratch.input);
}

fn scale_by(grad: &mut [f32], pre: &[f32], derivative: impl Fn(f32) -> f32) {
    grad.iter_mut().zip(pre).for_each(|(g, &x)| *g *= derivative(x));
}

fn attention(
    weights: &Weights,
    at: &BlockLayout,
    block: &BlockActivations,
    scratch: &mut Adjoints,
    grads: &mut [f32],
) {
    let c = weights.config();
    linear_backward(weights, (&at.w_o, &at.b_o), &block.attn.z, &scratch.resid, &mut scratch.z, grads);
    for head in 0..c.n_heads {
        attend(c, head, &block.attn, scratch);
    }
    linear_backward(
        weights,
        (&at.w_qkv, &at.b_qkv),
        &block.attn.input,
        &scratch.qkv,
        &mut scratch.input,
        grads,
    );
    norm_backward(weights, at.ln1.as_ref(), &block.ln1, c.d_model, &mut scratch.input, grads);
    kernels::add(&mut scratch.resid, &scratch.input);
}

/// Gradients of one head's queries, keys and values from that of its `z`.
fn attend(c: &ModelConfig, head: usize, attn: &AttentionActivations, scratch: &mut Adjoints) {
    let (len, width, d_heads) = (scratch.logits.len() / c.outputs(), 3 * c.d_heads(), c.d_heads());
    let pattern = &attn.pattern[head * len * len..][..len * len];
    let scores = &mut scratch.scores;
    let z_grad = &scratch.z[head * c.d_head..];
    let rows_of_z =
        |first: usize, rows: usize| Mat::strided(&z_grad[first * d_heads..], rows, c.d_head, d_heads);
    for (first, end) in causal_blocks(len) {
        let values = head_columns(c, &attn.qkv, Part::Value, head, 0..end);
        let out = MatMut::strided(&mut scores[first * len..], end - first, end, len);
        matmul(out, Write::Set, 1.0, rows_of_z(first, end - first), values.t());
    }
    let z = &attn.z[head * c.d_head..];
    kernels::causal_softmax_backward(scores, pattern, len, z, z_grad, c.d_head, d_heads);
    let scale = 1.0 / (c.d_head as f32).sqrt();
    for (first, end) in causal_blocks(len) {
        let rows = end - first;
        let mut out = |part, scale, a: Mat<'_>, b: Mat<'_>| {
            let to = &mut scratch.qkv[first * width + head_offset(c, part, head)..];
            matmul(MatMut::strided(to, rows, c.d_head, width), Write::Set, scale, a, b);
        };
        // A query looks back from `first`; a key or value is looked at from `first` on.
        let below = |matrix| Mat::strided(matrix, len - first, rows, len).t();
        let keys = head_columns(c, &attn.qkv, Part::Key, head, 0..end);
        out(Part::Query, scale, Mat::strided(&scores[first * len..], rows, end, len), keys);
        let queries = head_columns(c, &attn.qkv, Part::Query, head, first..len);
        out(Part::Key, scale, below(&scores[first * len + first..]), queries);
        out(Part::Value, 1.0, below(&pattern[first * len + first..]), rows_of_z(first, len - first));
    }
}

fn embed(weights: &Weights, tokens: &[Token], scratch: &Adjoints, grads: &mut [f32]) {
    let d_model = weights.config().d_model;
    for (position, (row, &token)) in scratch.resid.chunks_exact(d_model).zip(tokens).enumerate() {
        let [embed, pos] = [
            weights.layout.w_e.start + usize::from(token) * d_model,
            weights.layout.w_pos.start + position * d_model,
        ];
        kernels::add(&mut grads[embed..embed + d_model], row);
        kernels::add(&mut grads[pos..pos + d_model], row);
    }
}

/// Backward of `out = x matrix + bias`: adds the gradients of matrix and bias, and sets that of `x`.
fn linear_backward(
    weights: &Weights,
    (matrix, bias): (&Range<usize>, &Range<usize>),
    x: &[f32],
    out_grad: &[f32],
    x_grad: &mut [f32],
    grads: &mut [f32],
) {
    let cols = bias.len();
    let width = matrix.len() / cols;
    let rows = x.len() / width;
    let out_grad_rows = Mat::new(out_grad, rows, cols);
    kernels::add_rows(&mut grads[bias.clone()], out_grad);
    let matrix_grad = MatMut::new(&mut grads[matrix.clone()], width, cols);
    matmul(matrix_grad, Write::Add, 1.0, Mat::new(x, rows, width).t(), out_grad_rows);
    let transposed = Mat::new(weights.part(matrix), width, cols).t();
    matmul(MatMut::new(x_grad, rows, width), Write::Set, 1.0, out_grad_rows, transposed);
}

fn norm_backward(
    weights: &Weights,
    at: Option<&NormLayout>,
    from: &Normed,
    width: usize,
    grad: &mut [f32],
    grads: &mut [f32],
) {
    if weights.config().normalization_type != Normalization::None {
        affine_backward(weights, at, from, width, grad, grads);
    }
}

fn affine_backward(
    weights: &Weights,
    at: Option<&NormLayout>,
    from: &Normed,
    width: usize,
    grad: &mut [f32],
    grads: &mut [f32],
) {
    let affine = at.map(|at| {
        let weights = Affine { w: weights.part(&at.w), b: weights.part(&at.b) };
        let (before, after) = grads.split_at_mut(at.b.start);
        (weights, AffineGrad { w: &mut before[at.w.clone()], b: &mut after[..width] })
    });
    kernels::layer_norm_backward(grad, from, affine, width);
}
