//! The model as a composition of dfdx operations: what runs on CUDA, and what the fused operation is tested against.

use dfdx::prelude::*;

use super::backend::Backend;
use super::config::{Activation, LAYER_NORM_EPS, ModelConfig, Normalization};
use super::layout::{BlockLayout, Layout, MlpLayout, NormLayout};
use crate::task::{Example, Token};

type Vector<D, T> = Tensor<(usize,), f32, D, T>;
type Matrix<D, T> = Tensor<(usize, usize), f32, D, T>;

/// Mean cross-entropy of a batch of sequences of one length. `params` is the flat buffer, `[parameters]`.
pub(super) fn loss<D: Backend, T: Tape<f32, D>>(
    device: &D,
    layout: &Layout,
    params: Vector<D, T>,
    batch: &[Example<'_>],
) -> Result<Tensor<Rank0, f32, D, T>, D::Err> {
    let d_vocab = layout.config.d_vocab;
    let logits = logits(device, layout, params, &batch.iter().map(|e| e.tokens).collect::<Vec<_>>())?;
    let mut targets = vec![0.0; logits.shape().0 * d_vocab];
    let labels = batch.iter().flat_map(|example| example.labels);
    labels.enumerate().for_each(|(row, &label)| targets[row * d_vocab + usize::from(label)] = 1.0);
    let rows = logits.shape().0;
    let targets = device.try_tensor_from_vec(targets, (rows, d_vocab))?;
    logits.try_log_softmax::<Axis<1>>()?.try_mul(targets)?.try_sum()?.try_div(-(rows as f32))
}

/// Logits of a batch, `[batch * pos, d_vocab]`.
pub(super) fn logits<D: Backend, T: Tape<f32, D>>(
    device: &D,
    layout: &Layout,
    params: Vector<D, T>,
    batch: &[&[Token]],
) -> Result<Matrix<D, T>, D::Err> {
    let mut model = Composition {
        device,
        layout,
        config: &layout.config,
        params,
        batch: batch.len(),
        len: batch[0].len(),
    };
    let mut stream = model.embed(batch)?;
    for block in &layout.blocks {
        stream = model.attention(block, stream)?;
        if let Some(mlp) = &block.mlp {
            stream = model.mlp(mlp, stream)?;
        }
    }
    model.unembed(stream)
}

struct Composition<'a, D: Backend, T: Tape<f32, D>> {
    device: &'a D,
    layout: &'a Layout,
    config: &'a ModelConfig,
    params: Vector<D, T>,
    batch: usize,
    len: usize,
}

impl<D: Backend, T: Tape<f32, D>> Composition<'_, D, T> {
    fn vector(&self, at: &std::ops::Range<usize>) -> Result<Vector<D, T>, D::Err> {
        self.params.retaped::<T>().try_slice((at.clone(),))
    }

    fn matrix(&self, at: &std::ops::Range<usize>, rows: usize) -> Result<Matrix<D, T>, D::Err> {
        self.vector(at)?.try_reshape_like(&(rows, at.len() / rows))
    }

    /// Token and position embeddings, `[batch * pos, d_model]`.
    fn embed(&mut self, batch: &[&[Token]]) -> Result<Matrix<D, T>, D::Err> {
        let rows = self.batch * self.len;
        let tokens = batch.iter().flat_map(|tokens| tokens.iter().map(|&token| usize::from(token))).collect();
        let tokens = self.device.try_tensor_from_vec(tokens, (rows,))?;
        let places = (0..rows).map(|row| row % self.len).collect();
        let places = self.device.try_tensor_from_vec(places, (rows,))?;
        let embedding = self.matrix(&self.layout.w_e, self.config.d_vocab)?.try_gather(tokens)?;
        embedding.try_add(self.matrix(&self.layout.w_pos, self.config.n_ctx)?.try_gather(places)?)
    }

    fn linear(
        &self,
        x: Matrix<D, T>,
        weight: &std::ops::Range<usize>,
        bias: &std::ops::Range<usize>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let width = x.shape().1;
        let out = x.try_matmul(self.matrix(weight, width)?)?;
        let bias = self.vector(bias)?.try_broadcast_like::<_, Axis<0>>(&out)?;
        out.try_add(bias)
    }

    fn norm(&self, x: Matrix<D, T>, at: Option<&NormLayout>) -> Result<Matrix<D, T>, D::Err> {
        if self.config.normalization_type == Normalization::None {
            return Ok(x);
        }
        self.layer_norm(x, at)
    }

    fn layer_norm(&self, x: Matrix<D, T>, at: Option<&NormLayout>) -> Result<Matrix<D, T>, D::Err> {
        let x = x.try_normalize::<Axis<1>>(LAYER_NORM_EPS)?;
        let Some(at) = at else { return Ok(x) };
        let w = self.vector(&at.w)?.try_broadcast_like::<_, Axis<0>>(&x)?;
        let b = self.vector(&at.b)?.try_broadcast_like::<_, Axis<0>>(&x)?;
        x.try_mul(w)?.try_add(b)
    }

    fn attention(&self, at: &BlockLayout, stream: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let c = self.config;
        let input = self.norm(stream.with_empty_tape(), at.ln1.as_ref())?;
        let qkv = self.linear(input, &at.w_qkv, &at.b_qkv)?;
        let (rows, d_heads) = (qkv.shape().0, c.d_heads());
        let shape = (self.batch, self.len, c.n_heads, c.d_head);
        let part = |part: usize| {
            let columns = part * d_heads..(part + 1) * d_heads;
            qkv.with_empty_tape().try_slice((0..rows, columns))?.try_reshape_like(&shape)
        };
        let q = part(0)?.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
        let k = part(1)?.try_permute::<_, Axes4<0, 2, 3, 1>>()?;
        let v = part(2)?.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
        let scores = q.try_matmul(k)?.try_div((c.d_head as f32).sqrt())?;
        let mask = self.causal_mask()?.try_broadcast_like::<_, Axes2<0, 1>>(&scores)?;
        let pattern = scores.try_add(mask)?.try_softmax::<Axis<3>>()?;
        let z = pattern
            .try_matmul(v)?
            .try_permute::<_, Axes4<0, 2, 1, 3>>()?
            .try_reshape_like(&(rows, d_heads))?;
        let (qkv, tape) = qkv.split_tape();
        drop(qkv);
        let (stream, stream_tape) = stream.split_tape();
        let stream = stream.put_tape(stream_tape.merge(tape));
        stream.try_add(self.linear(z, &at.w_o, &at.b_o)?)
    }

    /// 0 where a query may look, -infinity after it, `[query, key]`.
    fn causal_mask(&self) -> Result<Tensor<(usize, usize), f32, D>, D::Err> {
        let len = self.len;
        let cell = |i: usize| if i % len > i / len { f32::NEG_INFINITY } else { 0.0 };
        self.device.try_tensor_from_vec((0..len * len).map(cell).collect(), (len, len))
    }

    fn mlp(&self, at: &MlpLayout, stream: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let input = self.norm(stream.with_empty_tape(), at.ln2.as_ref())?;
        let pre = self.linear(input, &at.w_in, &at.b_in)?;
        let post = match self.config.act_fn {
            Activation::SoluLn => {
                let mid = pre.with_empty_tape().try_softmax::<Axis<1>>()?.try_mul(pre)?;
                self.layer_norm(mid, at.ln.as_ref())?
            }
            Activation::Gelu => gelu(pre)?,
            Activation::Relu => pre.try_relu()?,
        };
        stream.try_add(self.linear(post, &at.w_out, &at.b_out)?)
    }

    fn unembed(self, stream: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let input = self.norm(stream, self.layout.ln_final.as_ref())?;
        let logits = self.linear(input, &self.layout.w_u, &self.layout.b_u)?;
        let (_, tape) = self.params.split_tape();
        let (logits, own) = logits.split_tape();
        Ok(logits.put_tape(own.merge(tape)))
    }
}

/// Exact GELU. dfdx 0.13's `accurate_gelu` has the right value but a slope that is `(sqrt(2) - 1) x phi(x)` too steep, phi
/// being the normal density, whose own slope is `-x phi(x)`: adding a zero with that slope puts it right.
fn gelu<D: Backend, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
    let excess = (std::f32::consts::SQRT_2 - 1.0) / (2.0 * std::f32::consts::PI).sqrt();
    let density = x.with_empty_tape().try_square()?.try_mul(-0.5)?.try_exp()?.try_mul(excess)?;
    let constant = density.retaped::<NoneTape>().try_add(0.0)?;
    x.try_accurate_gelu()?.try_add(density.try_sub(constant)?)
}
