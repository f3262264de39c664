//! The MLP: `W_in`, the nonlinearity, `W_out`.

use std::ops::Range;

use dfdx::prelude::*;

use super::activation::{Inner, InnerNorm};
use super::linear::{Composition, Folder, Params, linear_backward};
use super::norm::{NormLayout, Normed};
use crate::model::adjoints::Adjoints;
use crate::model::clone_into::{clone_into_buffers, fit};
use crate::model::config::ModelConfig;
use crate::model::edit::Hook;
use crate::model::hooks::Hooks;
use crate::model::kernels;
use crate::model::place::LayoutBuilder;
use crate::model::tape::{Matrix, add};
use crate::model::tile::{Layer, Rows};

/// The MLP of a block.
#[derive(Clone, Debug)]
pub struct MlpLayout {
    /// `ln2`, unless folded or absent.
    pub ln2: Option<NormLayout>,
    /// `[d_model, d_mlp]`.
    pub w_in: Range<usize>,
    /// `[d_mlp]`.
    pub b_in: Range<usize>,
    /// `mlp.ln`, of width `d_mlp`, for `solu_ln`.
    pub ln: Option<NormLayout>,
    /// `[d_mlp, d_model]`.
    pub w_out: Range<usize>,
    /// `[d_model]`.
    pub b_out: Range<usize>,
}

impl LayoutBuilder {
    /// Lays out the MLP in the block with the name prefix `block`.
    pub(crate) fn mlp(&mut self, c: &ModelConfig, block: &str) -> MlpLayout {
        let name = |part: &str| format!("{block}.{part}");
        MlpLayout {
            ln2: self.norm(c.normalization_type, &name("ln2"), c.d_model),
            w_in: self.tensor(&name("mlp.W_in"), &[c.d_model, c.d_mlp]),
            b_in: self.tensor(&name("mlp.b_in"), &[c.d_mlp]),
            ln: if c.act_fn.has_norm() {
                self.norm(c.norm_of_neurons().kind, &name("mlp.ln"), c.d_mlp)
            } else {
                None
            },
            w_out: self.tensor(&name("mlp.W_out"), &[c.d_mlp, c.d_model]),
            b_out: self.tensor(&name("mlp.b_out"), &[c.d_model]),
        }
    }
}

/// MLP activations of a block.
#[derive(Debug, Default)]
pub struct MlpActivations {
    /// Norm of the input, of width `d_model`.
    pub ln2: Normed,
    /// Input of `W_in`, `[pos, d_model]`.
    pub input: Vec<f32>,
    /// Input of the nonlinearity, `[pos, d_mlp]`.
    pub pre: Vec<f32>,
    /// Between `pre` and `post`.
    pub inner: Inner,
    /// Input of `W_out`, `[pos, d_mlp]`.
    pub post: Vec<f32>,
}

clone_into_buffers!(MlpActivations: ln2, input, pre, inner, post);

impl MlpActivations {
    /// Sizes the buffers for `len` positions.
    pub(crate) fn fit(&mut self, c: &ModelConfig, len: usize) {
        self.ln2.fit(len, c.d_model);
        fit(&mut self.input, len * c.d_model);
        fit(&mut self.pre, len * c.d_mlp);
        c.act_fn.fit_inner(&mut self.inner, len, c.d_mlp);
        fit(&mut self.post, len * c.d_mlp);
    }
}

/// Computes `post` from the residual stream.
pub(crate) fn forward(
    of: Params<'_>,
    at: &MlpLayout,
    layer: Layer<'_>,
    stream: &[f32],
    to: &mut MlpActivations,
) {
    let c = of.config;
    c.norm().forward(stream, c.d_model, of.affine(at.ln2.as_ref()), &mut to.ln2, &mut to.input);
    of.linear(&to.input, c.d_model, (&at.w_in, &at.b_in), &mut to.pre);
    layer.edit_queries(Hook::Pre, &mut to.pre);
    let ln = (c.norm_of_neurons(), of.affine(at.ln.as_ref()));
    c.act_fn.forward(&to.pre, c.d_mlp, ln, &mut to.inner, &mut to.post);
}

/// The stream plus the neurons' output, after the edits of `post` and of the output, into `out`.
pub(crate) fn write(
    of: Params<'_>,
    at: &MlpLayout,
    layer: Layer<'_>,
    (stream, post): (&[f32], &mut [f32]),
    out: &mut [f32],
) {
    layer.edit_queries(Hook::Post, post);
    sum(of, at, layer, (stream, post), out);
}

/// The same of `post` as it is.
pub(crate) fn sum(
    of: Params<'_>,
    at: &MlpLayout,
    layer: Layer<'_>,
    (stream, post): (&[f32], &[f32]),
    out: &mut [f32],
) {
    if layer.edits(Hook::MlpOut) {
        out.copy_from_slice(&self::out(of, at, post));
        layer.edit_queries(Hook::MlpOut, out);
        return kernels::add(out, stream);
    }
    of.project((stream, None), post, of.config.d_mlp, (&at.w_out, &at.b_out), out);
}

/// In: the gradient of the stream after the MLP, in `scratch`; out, in place: the gradient of the stream before.
pub(crate) fn backward(
    of: Params<'_>,
    at: &MlpLayout,
    layer: Layer<'_>,
    from: &MlpActivations,
    scratch: &mut Adjoints,
    grads: &mut [f32],
) {
    let c = of.config;
    let (resid, input) = (&mut scratch.resid[..from.input.len()], &mut scratch.input[..from.input.len()]);
    let hidden = &mut scratch.hidden[..from.post.len()];
    let own = layer.edits(Hook::MlpOut).then(|| {
        let mut own = resid.to_vec();
        layer.back((Hook::MlpOut, Rows::Queries), || out(of, at, &from.post), &mut own);
        own
    });
    let written = own.as_deref().unwrap_or(resid);
    linear_backward(of, (&at.w_out, &at.b_out), &from.post, written, hidden, grads);
    let neurons = || {
        let (mut post, mut inner) = (vec![0.0; from.post.len()], from.inner.clone());
        let ln = (c.norm_of_neurons(), of.affine(at.ln.as_ref()));
        c.act_fn.forward(&from.pre, c.d_mlp, ln, &mut inner, &mut post);
        post
    };
    layer.back((Hook::Post, Rows::Queries), neurons, hidden);
    let pre = (&from.pre[..], c.d_mlp);
    let ln = InnerNorm { norm: c.norm_of_neurons(), at: at.ln.as_ref() };
    c.act_fn.backward(of.values, ln, pre, &from.inner, hidden, grads);
    let inputs = || {
        let mut pre = vec![0.0; from.pre.len()];
        of.linear(&from.input, c.d_model, (&at.w_in, &at.b_in), &mut pre);
        pre
    };
    layer.back((Hook::Pre, Rows::Queries), inputs, hidden);
    linear_backward(of, (&at.w_in, &at.b_in), &from.input, hidden, input, grads);
    c.norm().backward(of.values, at.ln2.as_ref(), &from.ln2, input, grads);
    kernels::add(resid, input);
}

/// `post W_out + b_out`, `[pos, d_model]`: `hook_mlp_out`.
pub(crate) fn out(of: Params<'_>, at: &MlpLayout, post: &[f32]) -> Vec<f32> {
    let c = of.config;
    let mut out = vec![0.0; post.len() / c.d_mlp * c.d_model];
    of.linear(post, c.d_mlp, (&at.w_out, &at.b_out), &mut out);
    out
}

impl Hooks {
    /// `hook_pre` to `hook_mlp_out` of a block.
    pub(crate) fn mlp(&mut self, of: Params<'_>, at: &MlpLayout, block: &str, mlp: &MlpActivations) {
        let shape = [self.len, of.config.d_mlp];
        self.norm(&format!("{block}.ln2"), of.config.normalization_type, &mlp.ln2);
        self.push(&format!("{block}.mlp.hook_pre"), &shape, mlp.pre.clone());
        self.inner(&format!("{block}.mlp"), &mlp.inner);
        self.push(&format!("{block}.mlp.hook_post"), &shape, mlp.post.clone());
        self.stream(&format!("{block}.hook_mlp_out"), out(of, at, &mlp.post));
    }
}

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    pub(crate) fn mlp(
        &self,
        (layer, at): (usize, &MlpLayout),
        stream: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let input = stream.with_empty_tape();
        let pre = self.linear_of_normed(input, at.ln2.as_ref(), (&at.w_in, &at.b_in))?;
        let pre = self.edited((layer, Hook::Pre), 0, pre)?;
        let post = self.config.act_fn.composed(pre, self.config.norm_of_neurons())?;
        let out = if self.edits(layer, Hook::Post) {
            let post = self.edited((layer, Hook::Post), 0, self.affine(post, at.ln.as_ref())?)?;
            self.linear(post, None, (&at.w_out, &at.b_out))?
        } else {
            self.linear(post, at.ln.as_ref(), (&at.w_out, &at.b_out))?
        };
        add(stream, self.edited((layer, Hook::MlpOut), 0, out)?)
    }
}

impl Folder<'_> {
    /// Folds `ln2` into `W_in`, and `mlp.ln` into `W_out`.
    pub(crate) fn mlp(&mut self, from: &MlpLayout, to: &MlpLayout) {
        self.read((&from.w_in, &from.b_in), from.ln2.as_ref(), (&to.w_in, &to.b_in));
        self.copy(&from.w_out, &to.w_out);
        self.copy(&from.b_out, &to.b_out);
        let c = self.from.config;
        if c.act_fn.has_norm() {
            self.fold_norm(c.norm_of_neurons(), from.ln.as_ref(), (&to.w_out, &to.b_out));
        }
    }
}
