//! Attention as a composition of dfdx operations.

use dfdx::prelude::*;

use super::{AttentionLayout, Part, head_offset};
use crate::model::edit::Hook;
use crate::model::parts::linear::Composition;
use crate::model::parts::rotary::{ComposedRotation, Rotation};
use crate::model::tape::{Matrix, Stack, add, join, shifted};
use crate::model::visible::AttentionDirection;

/// What every head of a composed block shares.
struct ComposedAttention<D: Device<f32>, T: Tape<f32, D>> {
    layer: usize,
    /// `[batch * pos, 3 * n_heads * d_head]`.
    qkv: Matrix<D, T>,
    /// Its queries and keys are added, `[batch * pos, 3 * n_heads * d_head]`.
    positions: Option<Matrix<D, T>>,
    rotation: Option<ComposedRotation<D>>,
    /// Added to scores, `[query, key]`: 0 up to the query, -infinity after it; `None` in a bidirectional model.
    causal: Option<Matrix<D, NoneTape>>,
}

/// Subtracted from the scores of hidden keys: their shares become 0, unless every key is hidden.
const HIDDEN: f32 = 1e30;

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    pub(crate) fn attention(
        &self,
        (layer, at): (usize, &AttentionLayout),
        stream: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let d_head = self.config.d_head;
        let input = self.config.norm().composed(stream.with_empty_tape())?;
        let w_qkv = self.matrix(&at.w_qkv, self.config.d_model)?;
        let rotation = |of: &Rotation| of.composed(self.device, d_head, (self.batch, self.len));
        let of = ComposedAttention {
            layer,
            positions: self.shortformer(&w_qkv)?,
            qkv: self.linear_by(input, at.ln1.as_ref(), w_qkv, &at.b_qkv)?,
            rotation: self.rotation.map(rotation).transpose()?,
            causal: self.causal_mask()?,
        };
        let w_o = self.matrix(&at.w_o, self.config.d_heads())?;
        let mut out = self.ones.retaped::<T>().try_matmul(self.matrix(&at.b_o, 1)?)?;
        for head in 0..self.config.n_heads {
            let z = self.edited((layer, Hook::Z), head * d_head, self.head(&of, head)?)?;
            let rows = head * d_head..(head + 1) * d_head;
            let w_o = w_o.with_empty_tape().try_slice((rows, 0..self.config.d_model))?;
            out = add(out, z.try_matmul(w_o)?)?;
        }
        let mut out = join(join(out, of.qkv), w_o);
        if let Some(positions) = of.positions {
            out = join(out, positions);
        }
        add(stream, self.edited((layer, Hook::AttnOut), 0, out)?)
    }

    /// Values averaged by a head's pattern, `[batch * pos, d_head]`. The tape of `of` is kept.
    fn head(&self, of: &ComposedAttention<D, T>, head: usize) -> Result<Matrix<D, T>, D::Err> {
        let (d_head, rows) = (self.config.d_head, of.qkv.shape().0);
        let stack = (self.batch, self.len, d_head);
        let q = self.placed(of, Part::Query, head)?.try_mul(self.config.score_scale())?;
        let q: Stack<D, T> = q.try_reshape_like(&stack)?;
        let k: Stack<D, T> = self.placed(of, Part::Key, head)?.try_reshape_like(&stack)?;
        let v = self.columns(&of.qkv, Part::Value, head)?;
        let v = self.edited((of.layer, Hook::V), head_offset(self.config, Part::Value, head), v)?;
        let v: Stack<D, T> = v.try_reshape_like(&stack)?;
        let scores = q.try_matmul(k.try_permute::<_, Axes3<0, 2, 1>>()?)?;
        let pattern = self.edited_pattern((of.layer, head), self.pattern(of, scores)?)?;
        pattern.try_matmul(v)?.try_reshape_like(&(rows, d_head))
    }

    /// One head's part of a matrix whose rows are queries, keys, and maybe values.
    fn columns(&self, of: &Matrix<D, T>, part: Part, head: usize) -> Result<Matrix<D, T>, D::Err> {
        let first = head_offset(self.config, part, head);
        of.with_empty_tape().try_slice((0..of.shape().0, first..first + self.config.d_head))
    }

    /// Queries or keys of one head, with their positions, `[batch * pos, d_head]`.
    fn placed(&self, of: &ComposedAttention<D, T>, part: Part, head: usize) -> Result<Matrix<D, T>, D::Err> {
        let mut x = self.columns(&of.qkv, part, head)?;
        if let Some(positions) = &of.positions {
            x = add(x, self.columns(positions, part, head)?)?;
        }
        let hook = if matches!(part, Part::Query) { Hook::Q } else { Hook::K };
        let x = self.edited((of.layer, hook), head_offset(self.config, part, head), x)?;
        match &of.rotation {
            Some(rotation) => rotation.apply(x),
            None => Ok(x),
        }
    }

    /// Softmax of scores over the keys that each query sees; 0 for the others.
    fn pattern(&self, of: &ComposedAttention<D, T>, scores: Stack<D, T>) -> Result<Stack<D, T>, D::Err> {
        let mut scores = scores;
        if let Some(mask) = of.causal.clone() {
            let mask = mask.try_broadcast_like::<_, Axis<0>>(&scores)?;
            scores = shifted(scores, |scores| scores.try_add(mask))?;
        }
        let Some(visible) = self.visible.clone() else { return scores.try_softmax::<Axis<2>>() };
        let visible = visible.try_broadcast_like::<_, Axis<1>>(&scores)?;
        let mask = visible.clone().try_sub(1.0)?.try_mul(HIDDEN)?;
        scores = shifted(scores, |scores| scores.try_add(mask))?;
        scores.try_softmax::<Axis<2>>()?.try_mul(visible)
    }

    /// 0 up to the query, -infinity after it, `[query, key]`; `None` in a bidirectional model.
    fn causal_mask(&self) -> Result<Option<Matrix<D, NoneTape>>, D::Err> {
        if self.config.attention_dir == AttentionDirection::Bidirectional {
            return Ok(None);
        }
        let len = self.len;
        let cell = |i: usize| if i % len > i / len { f32::NEG_INFINITY } else { 0.0 };
        self.device.try_tensor_from_vec((0..len * len).map(cell).collect(), (len, len)).map(Some)
    }
}
