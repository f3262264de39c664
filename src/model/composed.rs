//! The model as a composition of dfdx operations: what runs on CUDA, and what the fused operation is tested against.
//!
//! Each dfdx operation is a kernel or two and, running back, a few more, so what is chosen here is what a GPU does well.
//! What is the same for all rows is added as a product with a column of ones: running back that is a product again, where
//! dfdx's broadcasts sum columns with strided reads. The affine parts of layer norms are folded into the product that
//! follows. Heads are multiplied one by one over the whole batch: dfdx's product of four axes would launch one kernel a
//! sequence.

use std::ops::Range;

use dfdx::prelude::*;

use super::config::{Activation, LAYER_NORM_EPS, ModelConfig, Normalization};
use super::kernels::cross_entropy_in_f64;
use super::layout::{BlockLayout, Layout, MlpLayout, NormLayout};
use super::one_hot::OneHot;
use crate::task::Class;

type Vector<D, T> = Tensor<(usize,), f32, D, T>;
type Matrix<D, T> = Tensor<(usize, usize), f32, D, T>;
/// `[batch, query, key]`, or `[batch, pos, d_head]`.
type Stack<D, T> = Tensor<(usize, usize, usize), f32, D, T>;

/// Mean cross-entropy over the targets of a batch, in nats. `params` is the flat buffer, `[parameters]`.
pub(super) fn loss<D: Device<f32>, T: Tape<f32, D>>(
    device: &D,
    layout: &Layout,
    params: Vector<D, T>,
    batch: OneHot<D>,
) -> Result<Tensor<Rank0, f32, D, T>, D::Err> {
    let rows = batch.sequences * batch.len;
    let logits = logits(device, layout, params, batch.tokens, batch.len)?;
    // A row of zeros where there is no target: it adds nothing, and its gradient is zero.
    let targets = batch.targets.try_reshape_like(&(rows, layout.config.outputs()))?;
    let sum = flat(logits.try_log_softmax::<Axis<1>>()?)?.try_mul(flat(targets)?)?.try_sum()?;
    sum.try_div(-(batch.scored as f32))
}

/// As [`loss`], with log-softmax and loss on the host in double precision. `targets` are those of every row, padding
/// included.
pub(super) fn loss_in_f64<D: Device<f32>, T: Tape<f32, D>>(
    device: &D,
    layout: &Layout,
    params: Vector<D, T>,
    batch: OneHot<D>,
    targets: &[Option<Class>],
) -> Result<Tensor<Rank0, f32, D, T>, D::Err> {
    let logits = flat(logits(device, layout, params, batch.tokens, batch.len)?)?;
    let (mut gradient, scored) = (logits.as_vec(), batch.scored as f64);
    let by = (1.0 / scored) as f32;
    let loss = cross_entropy_in_f64(&mut gradient, targets, layout.config.outputs(), by) / scored;
    let gradient = device.try_tensor_from_vec(gradient, *logits.shape())?;
    // The product's slope is the gradient; its value is not the loss.
    shifted(logits.try_mul(gradient)?.try_sum()?, |_| device.try_tensor(loss as f32))
}

/// Logits of a batch of sequences of `len` tokens, each a row of one-hot vectors; `[batch * pos, d_vocab_out]`.
pub(super) fn logits<D: Device<f32>, T: Tape<f32, D>>(
    device: &D,
    layout: &Layout,
    params: Vector<D, T>,
    tokens: Matrix<D, NoneTape>,
    len: usize,
) -> Result<Matrix<D, T>, D::Err> {
    let batch = tokens.shape().0;
    let ones = device.try_ones_like(&(batch * len, 1))?;
    let mut model = Composition { device, layout, config: &layout.config, params, batch, len, ones };
    let mut stream = model.embed(tokens)?;
    for block in &layout.blocks {
        stream = model.attention(block, stream)?;
        if let Some(mlp) = &block.mlp {
            stream = model.mlp(mlp, stream)?;
        }
    }
    model.unembed(stream)
}

struct Composition<'a, D: Device<f32>, T: Tape<f32, D>> {
    device: &'a D,
    layout: &'a Layout,
    config: &'a ModelConfig,
    params: Vector<D, T>,
    batch: usize,
    len: usize,
    /// `[batch * pos, 1]`.
    ones: Matrix<D, NoneTape>,
}

/// Where a product's weight and bias lie.
type Place<'a> = (&'a Range<usize>, &'a Range<usize>);

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    /// Part of the parameters as a matrix of so many rows.
    fn matrix(&self, at: &Range<usize>, rows: usize) -> Result<Matrix<D, T>, D::Err> {
        self.params.retaped::<T>().try_slice((at.clone(),))?.try_reshape_like(&(rows, at.len() / rows))
    }

    /// Token and position embeddings, `[batch * pos, d_model]`.
    fn embed(&mut self, tokens: Matrix<D, NoneTape>) -> Result<Matrix<D, T>, D::Err> {
        let (c, rows) = (self.config, self.batch * self.len);
        let w_e = self.matrix(&self.layout.w_e, c.d_vocab)?;
        let tokens = tokens.try_reshape_like(&(rows, c.d_vocab))?;
        let embedding = tokens.retaped::<T>().try_matmul(w_e)?;
        let w_pos = &self.layout.w_pos;
        let places = self.matrix(&(w_pos.start..w_pos.start + self.len * c.d_model), 1)?;
        let sequences = self.device.try_ones_like(&(self.batch, 1))?;
        let places = sequences.retaped::<T>().try_matmul(places)?.try_reshape_like(&(rows, c.d_model))?;
        add(embedding, places)
    }

    /// The product that reads what the norm at `norm` makes of `x`, whose mean and deviation are taken here.
    fn linear_of_normed(
        &self,
        x: Matrix<D, T>,
        norm: Option<&NormLayout>,
        place: Place<'_>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let x = match self.config.normalization_type {
            Normalization::None => x,
            _ => x.try_normalize::<Axis<1>>(LAYER_NORM_EPS)?,
        };
        self.linear(x, norm, place)
    }

    /// `(x * norm.w + norm.b) weight + bias`, with the norm's part done to the weight and the bias.
    fn linear(
        &self,
        x: Matrix<D, T>,
        norm: Option<&NormLayout>,
        (weight, bias): Place<'_>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let width = x.shape().1;
        let mut weight = self.matrix(weight, width)?;
        let mut bias = self.matrix(bias, 1)?;
        if let Some(norm) = norm {
            bias = add(bias, self.matrix(&norm.b, 1)?.try_matmul(weight.with_empty_tape())?)?;
            let scale = self.matrix(&norm.w, width)?.try_reshape_like(&(width,))?;
            let scale = scale.try_broadcast_like::<_, Axis<1>>(&weight)?;
            weight = weight.try_mul(scale)?;
        }
        add(x.try_matmul(weight)?, self.ones.retaped::<T>().try_matmul(bias)?)
    }

    fn attention(&self, at: &BlockLayout, stream: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let d_head = self.config.d_head;
        let input = stream.with_empty_tape();
        let qkv = self.linear_of_normed(input, at.ln1.as_ref(), (&at.w_qkv, &at.b_qkv))?;
        let w_o = self.matrix(&at.w_o, self.config.d_heads())?;
        let mask = self.causal_mask()?;
        let mut out = self.ones.retaped::<T>().try_matmul(self.matrix(&at.b_o, 1)?)?;
        for head in 0..self.config.n_heads {
            let z = self.head(&qkv, head, &mask)?;
            let rows = head * d_head..(head + 1) * d_head;
            let w_o = w_o.with_empty_tape().try_slice((rows, 0..self.config.d_model))?;
            out = add(out, z.try_matmul(w_o)?)?;
        }
        let out = join(join(out, qkv), w_o);
        add(stream, out)
    }

    /// Values averaged by the pattern of a head, `[batch * pos, d_head]`. The tape of `qkv` stays with it.
    fn head(
        &self,
        qkv: &Matrix<D, T>,
        head: usize,
        mask: &Matrix<D, NoneTape>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (d_head, d_heads, rows) = (self.config.d_head, self.config.d_heads(), qkv.shape().0);
        let part = |part: usize| -> Result<Matrix<D, T>, D::Err> {
            let first = part * d_heads + head * d_head;
            qkv.with_empty_tape().try_slice((0..rows, first..first + d_head))
        };
        let stack = (self.batch, self.len, d_head);
        let q: Stack<D, T> = part(0)?.try_div((d_head as f32).sqrt())?.try_reshape_like(&stack)?;
        let k: Stack<D, T> = part(1)?.try_reshape_like(&stack)?;
        let v: Stack<D, T> = part(2)?.try_reshape_like(&stack)?;
        let scores = q.try_matmul(k.try_permute::<_, Axes3<0, 2, 1>>()?)?;
        let mask = mask.clone().try_broadcast_like::<_, Axis<0>>(&scores)?;
        let scores = shifted(scores, |scores| scores.try_add(mask))?;
        scores.try_softmax::<Axis<2>>()?.try_matmul(v)?.try_reshape_like(&(rows, d_head))
    }

    /// 0 where a query may look, -infinity after it, `[query, key]`.
    fn causal_mask(&self) -> Result<Matrix<D, NoneTape>, D::Err> {
        let len = self.len;
        let cell = |i: usize| if i % len > i / len { f32::NEG_INFINITY } else { 0.0 };
        self.device.try_tensor_from_vec((0..len * len).map(cell).collect(), (len, len))
    }

    fn mlp(&self, at: &MlpLayout, stream: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let input = stream.with_empty_tape();
        let pre = self.linear_of_normed(input, at.ln2.as_ref(), (&at.w_in, &at.b_in))?;
        let place = (&at.w_out, &at.b_out);
        let out = match self.config.act_fn {
            Activation::SoluLn => {
                let shares = pre.with_empty_tape();
                let mid = multiply(shares.try_softmax::<Axis<1>>()?, pre)?;
                self.linear(mid.try_normalize::<Axis<1>>(LAYER_NORM_EPS)?, at.ln.as_ref(), place)?
            }
            Activation::Gelu => self.linear(gelu(pre)?, None, place)?,
            Activation::Relu => self.linear(pre.try_relu()?, None, place)?,
        };
        add(stream, out)
    }

    fn unembed(self, stream: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let place = (&self.layout.w_u, &self.layout.b_u);
        let logits = self.linear_of_normed(stream, self.layout.ln_final.as_ref(), place)?;
        Ok(join(logits, self.params))
    }
}

/// `x`, with the tape of `from` merged into its own.
fn join<S: Shape, R: Shape, D: Device<f32>, T: Tape<f32, D>>(
    x: Tensor<S, f32, D, T>,
    from: Tensor<R, f32, D, T>,
) -> Tensor<S, f32, D, T> {
    let (_, tape) = from.split_tape();
    let (x, own) = x.split_tape();
    x.put_tape(own.merge(tape))
}

/// In one dimension: dfdx's kernels divide by every size to find where an element lies.
fn flat<D: Device<f32>, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Vector<D, T>, D::Err> {
    let len = x.shape().num_elements();
    x.try_reshape_like(&(len,))
}

/// Elementwise sum.
fn add<D: Device<f32>, T: Tape<f32, D>>(x: Matrix<D, T>, y: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
    let shape = *x.shape();
    flat(x)?.try_add(flat(y)?)?.try_reshape_like(&shape)
}

/// Elementwise product.
fn multiply<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    y: Matrix<D, T>,
) -> Result<Matrix<D, T>, D::Err> {
    let shape = *x.shape();
    flat(x)?.try_mul(flat(y)?)?.try_reshape_like(&shape)
}

/// What `shift` makes of `x`, which must differ from `x` by a constant: the gradient is handed on as it is. `x` must not
/// have been used before.
fn shifted<S: Shape, D: Device<f32>, T: Tape<f32, D>>(
    x: Tensor<S, f32, D, T>,
    shift: impl FnOnce(Tensor<S, f32, D>) -> Result<Tensor<S, f32, D>, D::Err>,
) -> Result<Tensor<S, f32, D, T>, D::Err> {
    let (x, mut tape) = x.split_tape();
    let (device, from) = (x.device().clone(), x.ghost());
    let out = shift(x)?;
    let to = out.ghost();
    tape.add_backward_op(move |gradients| {
        let mut passing = Storage::<f32>::try_alloc_len(&device, 0)?;
        std::mem::swap(gradients.get_or_alloc_mut(&to)?, &mut passing);
        *gradients.get_or_alloc_mut(&from)? = passing;
        Ok(())
    });
    Ok(out.put_tape(tape))
}

/// Exact GELU. dfdx 0.13's `accurate_gelu` has the right value but a slope that is `(sqrt(2) - 1) x phi(x)` too steep, phi
/// being the normal density, whose own slope is `-x phi(x)`: adding a zero with that slope puts it right.
fn gelu<D: Device<f32>, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
    let excess = (std::f32::consts::SQRT_2 - 1.0) / (2.0 * std::f32::consts::PI).sqrt();
    let density = x.with_empty_tape().try_square()?.try_mul(-0.5)?.try_exp()?.try_mul(excess)?;
    let constant = density.retaped::<NoneTape>().try_add(0.0)?;
    add(x.try_accurate_gelu()?, density.try_sub(constant)?)
}
