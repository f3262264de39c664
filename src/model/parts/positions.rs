//! The start of the residual stream: token embedding plus position embedding.

use std::ops::Range;

use dfdx::prelude::*;

use super::linear::{Composition, Params};
use crate::model::hooks::Hooks;
use crate::model::kernels;
use crate::model::tape::{Matrix, add};
use crate::task::Token;

/// Ranges of `W_E`, `[d_vocab, d_model]`, and `W_pos`, `[n_ctx, d_model]`, in the flat buffer.
pub(crate) type Places<'a> = (&'a Range<usize>, &'a Range<usize>);

/// Writes the embeddings of `tokens` to `stream`, `[pos, d_model]`.
pub(crate) fn embed(of: Params<'_>, at: Places<'_>, tokens: &[Token], stream: &mut [f32]) {
    let d_model = of.config.d_model;
    let (w_e, w_pos) = (of.part(at.0), of.part(at.1));
    let stream = stream.chunks_exact_mut(d_model);
    for ((row, &token), position) in stream.zip(tokens).zip(w_pos.chunks_exact(d_model)) {
        row.copy_from_slice(&w_e[usize::from(token) * d_model..][..d_model]);
        kernels::add(row, position);
    }
}

/// Adds the gradients of both embeddings, given the gradient of the stream.
pub(crate) fn backward(at: Places<'_>, tokens: &[Token], stream: &[f32], grads: &mut [f32]) {
    let d_model = stream.len() / tokens.len();
    for (position, (row, &token)) in stream.chunks_exact(d_model).zip(tokens).enumerate() {
        for first in [at.0.start + usize::from(token) * d_model, at.1.start + position * d_model] {
            kernels::add(&mut grads[first..first + d_model], row);
        }
    }
}

impl Hooks {
    /// `hook_embed` and `hook_pos_embed`.
    pub(crate) fn embed(&mut self, of: Params<'_>, at: Places<'_>, tokens: &[Token]) {
        let (d_model, w_e) = (of.config.d_model, of.part(at.0));
        let embed =
            tokens.iter().flat_map(|&t| &w_e[usize::from(t) * d_model..][..d_model]).copied().collect();
        self.stream("hook_embed", embed);
        self.stream("hook_pos_embed", of.part(at.1)[..self.len * d_model].to_vec());
    }
}

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    /// Token and position embeddings, `[batch * pos, d_model]`.
    pub(crate) fn embed(
        &mut self,
        at: Places<'_>,
        tokens: Matrix<D, NoneTape>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (c, rows) = (self.config, self.batch * self.len);
        let w_e = self.matrix(at.0, c.d_vocab)?;
        let tokens = tokens.try_reshape_like(&(rows, c.d_vocab))?;
        let embedding = tokens.retaped::<T>().try_matmul(w_e)?;
        let w_pos = at.1;
        let places = self.matrix(&(w_pos.start..w_pos.start + self.len * c.d_model), 1)?;
        let sequences = self.device.try_ones_like(&(self.batch, 1))?;
        let places = sequences.retaped::<T>().try_matmul(places)?.try_reshape_like(&(rows, c.d_model))?;
        add(embedding, places)
    }
}
