//! The start of the residual stream: token embedding plus position embedding, if the stream has one.

use std::ops::Range;

use dfdx::prelude::*;

use super::linear::{Composition, Params};
use super::positions::PositionEmbedding;
use crate::model::hooks::Hooks;
use crate::model::kernels::{self, gather, gather_add, scatter_add};
use crate::model::rule::Site;
use crate::model::tape::{Matrix, add};
use crate::model::tile::{Layer, Rows};
use crate::task::Token;

/// Ranges of `W_E`, `[d_vocab, d_model]`, and `W_pos`, `[n_ctx, d_model]`, in the flat buffer.
#[derive(Clone, Copy)]
pub(crate) struct EmbedLayout<'a> {
    pub(crate) w_e: &'a Range<usize>,
    pub(crate) w_pos: Option<&'a Range<usize>>,
    pub(crate) kind: PositionEmbedding,
}

impl<'a> EmbedLayout<'a> {
    /// `W_pos`, if it is added to the stream.
    pub(crate) fn positions(self) -> Option<&'a Range<usize>> {
        self.w_pos.filter(|_| self.kind == PositionEmbedding::Standard)
    }
}

/// Writes the embeddings of the tokens of the first layer to `stream`, `[pos, d_model]`, after the edits of each.
pub(crate) fn embed(of: Params<'_>, at: EmbedLayout<'_>, layer: Layer<'_>, stream: &mut [f32]) {
    let d_model = of.config.d_model;
    gather(stream, of.part(at.w_e), layer.tokens(), d_model);
    layer.edit_rows(Site::Embed, stream);
    let Some(w_pos) = at.positions() else { return };
    if layer.edits(Site::PosEmbed) {
        let mut rows = vec![0.0; stream.len()];
        gather(&mut rows, of.part(w_pos), layer.positions_of_rows(), d_model);
        layer.edit_rows(Site::PosEmbed, &mut rows);
        return kernels::add(stream, &rows);
    }
    gather_add(stream, of.part(w_pos), layer.positions_of_rows(), d_model);
}

/// Adds the gradients of both embeddings, given the gradient of the stream.
pub(crate) fn backward(
    of: Params<'_>,
    at: EmbedLayout<'_>,
    layer: Layer<'_>,
    stream: &[f32],
    grads: &mut [f32],
) {
    let rows = [
        (Site::Embed, Some(at.w_e), layer.tokens()),
        (Site::PosEmbed, at.positions(), layer.positions_of_rows()),
    ];
    let (d_model, stream) = (of.config.d_model, &stream[..layer.rows() * of.config.d_model]);
    for (site, at, rows) in rows {
        let Some(at) = at else { continue };
        if layer.edits(site) {
            let mut own = stream.to_vec();
            let embedding = || {
                let mut values = vec![0.0; stream.len()];
                gather(&mut values, of.part(at), rows, d_model);
                values
            };
            layer.back((site, Rows::All), embedding, &mut own);
            scatter_add(&mut grads[at.clone()], &own, rows, d_model);
        } else {
            scatter_add(&mut grads[at.clone()], stream, rows, d_model);
        }
    }
}

impl Hooks {
    /// `hook_embed`, and `hook_pos_embed` unless the positions have no embedding of their own.
    pub(crate) fn embed(&mut self, of: Params<'_>, at: EmbedLayout<'_>, tokens: &[Token]) {
        let (d_model, w_e) = (of.config.d_model, of.part(at.w_e));
        let embed =
            tokens.iter().flat_map(|&t| &w_e[usize::from(t) * d_model..][..d_model]).copied().collect();
        self.stream("hook_embed", embed);
        let values = self.len * d_model;
        match (at.w_pos, at.kind) {
            (Some(w_pos), _) => self.stream("hook_pos_embed", of.part(w_pos)[..values].to_vec()),
            (None, PositionEmbedding::None) => self.stream("hook_pos_embed", vec![0.0; values]),
            (None, _) => {}
        }
    }
}

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    /// Token and position embeddings, `[batch * pos, d_model]`.
    pub(crate) fn embed(
        &mut self,
        at: EmbedLayout<'_>,
        tokens: &Matrix<D, NoneTape>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let w_e = self.matrix(at.w_e, self.config.d_vocab)?;
        let embedding = self.edited((0, Site::Embed), 0, tokens.retaped::<T>().try_matmul(w_e)?)?;
        let Some(w_pos) = at.positions() else { return Ok(embedding) };
        add(embedding, self.edited((0, Site::PosEmbed), 0, self.tiled_positions(w_pos)?)?)
    }

    /// `W_pos` of every row, `[batch * pos, d_model]`.
    pub(crate) fn tiled_positions(&self, w_pos: &Range<usize>) -> Result<Matrix<D, T>, D::Err> {
        let d_model = self.config.d_model;
        let of_sequence = self.matrix(&(w_pos.start..w_pos.start + self.len * d_model), 1)?;
        let sequences = self.device.try_ones_like(&(self.batch, 1))?.retaped::<T>();
        sequences.try_matmul(of_sequence)?.try_reshape_like(&(self.batch * self.len, d_model))
    }
}
