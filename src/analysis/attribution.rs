//! Direct logit attribution: what each component adds to each logit.
//!
//! A component's vector is centred, divided by the final layer norm's scale of the whole stream, multiplied by its
//! weight and by `W_U`, and centred over the vocabulary. The parts sum to the centred logits. Vectors are kept, and read
//! where a logit is asked for: a table of every component, position and class would not fit for a large vocabulary.

use std::fmt;
use std::sync::Arc;

use super::logits::{argmax, mean};
use super::readout::{MOST_CLASSES, Readout, product};
use super::target::ResolvedTarget;
use crate::model::{
    Activations, HeadId, Hook, Mat, ModelConfig, Patch, Site, Weights, embed_rows, pos_embed_rows,
};
use crate::task::Token;

/// A component. `inspect attribution` adds a layer's `mlp` and `mlp_bias` to TransformerLens' `mlp_out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Token embedding.
    Embed,
    /// Position embedding, if it is added to the stream.
    PosEmbed,
    /// One head, without the layer's `b_O`.
    Head(HeadId),
    /// A layer's `b_O`.
    AttnBias(usize),
    /// A layer's MLP, without its `b_out`.
    Mlp(usize),
    /// A layer's `b_out`.
    MlpBias(usize),
    /// The part that reaches the logits without the stream: `ln_final.b W_U + b_U`.
    Bias,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embed => f.write_str("embed"),
            Self::PosEmbed => f.write_str("pos_embed"),
            Self::Head(HeadId { layer, head }) => write!(f, "head.{layer}.{head}"),
            Self::AttnBias(layer) => write!(f, "attn_bias.{layer}"),
            Self::Mlp(layer) => write!(f, "mlp.{layer}"),
            Self::MlpBias(layer) => write!(f, "mlp_bias.{layer}"),
            Self::Bias => f.write_str("bias"),
        }
    }
}

/// The contribution of every component at every position to the logits.
#[derive(Clone, Debug)]
pub struct Attribution {
    /// In the order they write.
    pub components: Vec<Component>,
    /// What each component adds to the stream, `[pos, d_model]`; empty for [`Component::Bias`].
    vectors: Vec<Vec<f32>>,
    /// Largest difference between the sum of the parts and the centred logits, at any position: over all classes, or of
    /// the prediction if there are more than [`MOST_CLASSES`].
    pub residual: f32,
    /// Divisor at each position.
    scale: Vec<f32>,
    readout: Arc<Readout>,
}

impl Attribution {
    /// Number of values for a sequence of `len` tokens, as a type that cannot overflow.
    pub fn approximate_values(c: &ModelConfig, len: usize) -> u128 {
        let components = c.n_layers * (c.n_heads + 1 + 2 * usize::from(c.has_mlp())) + 2;
        let residual = if c.outputs() <= MOST_CLASSES { c.outputs() } else { c.d_model };
        (components * c.d_model + residual) as u128 * len as u128
    }

    /// Attributes the logits of one pass with a patch; `readout` is of the same weights. What an edit of the stream or of a
    /// sublayer's output adds counts to the component that writes before: the embedding, a layer's `b_O`, or its MLP.
    pub fn new(
        weights: &Weights,
        (tokens, patch): (&[Token], &Patch),
        from: &Activations,
        readout: Arc<Readout>,
    ) -> Self {
        let mut parts = vectors(weights, (tokens, patch), from);
        count_edits(patch, from, &mut parts);
        let (components, vectors) = parts.into_iter().unzip();
        let scale = (0..tokens.len()).map(|position| readout.scale(from, position)).collect();
        let mut made = Self { components, vectors, residual: 0.0, scale, readout };
        made.residual = made.largest_residual(&from.logits);
        made
    }

    /// Number of values held.
    pub fn values(&self) -> usize {
        self.vectors.iter().map(Vec::len).sum()
    }

    /// The contribution of a component, by its index in `components`, to a target at a position.
    pub fn value(&self, component: usize, position: usize, target: ResolvedTarget) -> f32 {
        let (vectors, width) = (&self.vectors[component], self.readout.d_model);
        match vectors.get(position * width..(position + 1) * width) {
            Some(vector) => self.readout.to(target, vector) / self.scale[position],
            None => target.value(&self.readout.bias),
        }
    }

    /// The contribution of a component to every logit, `[pos, d_vocab_out]`.
    pub fn part(&self, component: usize) -> Vec<f32> {
        if self.vectors[component].is_empty() {
            return self.readout.bias.repeat(self.scale.len());
        }
        let mut part = self.readout.to_all(&self.vectors[component]);
        for (row, scale) in part.chunks_exact_mut(self.readout.outputs()).zip(&self.scale) {
            row.iter_mut().for_each(|x| *x /= scale);
        }
        part
    }

    /// Index of a layer's MLP in `components`; `None` without one.
    pub fn mlp(&self, layer: usize) -> Option<usize> {
        self.components.iter().position(|component| *component == Component::Mlp(layer))
    }

    /// The sum of the components that write to the stream, `[pos, d_model]`.
    fn sum(&self) -> Vec<f32> {
        let mut sum = self.vectors[0].clone();
        for vectors in &self.vectors[1..] {
            sum.iter_mut().zip(vectors).for_each(|(sum, x)| *sum += x);
        }
        sum
    }

    fn largest_residual(&self, logits: &[f32]) -> f32 {
        let (outputs, width, sum) = (self.readout.outputs(), self.readout.d_model, self.sum());
        let rows = sum.chunks_exact(width).zip(logits.chunks_exact(outputs)).zip(&self.scale);
        let bias = &self.readout.bias;
        let largest = rows.map(|((vector, logits), scale)| {
            let mean = mean(logits);
            let difference =
                |class: usize, sum: f32| (sum / scale + bias[class] - (logits[class] - mean)).abs();
            if outputs <= MOST_CLASSES {
                let sums = self.readout.to_all(vector);
                return sums
                    .iter()
                    .enumerate()
                    .map(|(class, sum)| difference(class, *sum))
                    .fold(0.0, largest_of);
            }
            let class = argmax(logits);
            difference(class.into(), self.readout.to(class.into(), vector))
        });
        largest.fold(0.0, largest_of)
    }
}

/// What each component adds to the stream, `[pos, d_model]`, in the order they write; empty for [`Component::Bias`].
pub(super) fn vectors(
    weights: &Weights,
    (tokens, patch): (&[Token], &Patch),
    from: &Activations,
) -> Vec<(Component, Vec<f32>)> {
    let c = weights.config();
    let len = tokens.len();
    let mut embedding = embed_rows(weights, tokens);
    patch.edit_rows((0, Site::Embed), &mut embedding, len);
    let mut parts = vec![(Component::Embed, embedding)];
    if c.positional_embedding_type.is_of_stream() {
        let mut positions = pos_embed_rows(weights, len);
        positions.resize(len * c.d_model, 0.0);
        patch.edit_rows((0, Site::PosEmbed), &mut positions, len);
        parts.push((Component::PosEmbed, positions));
    }
    for layer in 0..c.n_layers {
        for head in 0..c.n_heads {
            let id = HeadId { layer, head };
            parts.push((Component::Head(id), head_result(weights, from, layer, head)));
        }
        let b_o = weights.part(&weights.layout.blocks[layer].attn.b_o);
        parts.push((Component::AttnBias(layer), b_o.repeat(len)));
        parts.extend(mlp(weights, from, layer).into_iter().flatten());
    }
    parts.push((Component::Bias, Vec::new()));
    parts
}

/// Adds what edits of the stream add to the component that writes before them.
fn count_edits(patch: &Patch, from: &Activations, parts: &mut [(Component, Vec<f32>)]) {
    let mut sum = vec![0.0; from.resid_post.len()];
    let mut first = 0;
    for at in 0..parts.len() {
        // The stream after this component, what edits it there, and the component that counts them.
        let (stream, edited, counts) = match parts[at].0 {
            Component::Embed if matches!(parts[at + 1].0, Component::PosEmbed) => continue,
            Component::Embed | Component::PosEmbed => {
                (&from.blocks[0].resid_pre, patch.edits(0, &[Hook::ResidPre]), 0)
            }
            Component::AttnBias(layer) if from.blocks[layer].mlp.is_some() => {
                (&from.blocks[layer].resid_mid, patch.edits(layer, &[Hook::AttnOut, Hook::ResidMid]), at)
            }
            Component::AttnBias(layer) | Component::MlpBias(layer) => {
                let next = from.blocks.get(layer + 1).map(|next| &next.resid_pre);
                let here = [Hook::AttnOut, Hook::ResidMid, Hook::MlpOut, Hook::ResidPost];
                let is_edited = patch.edits(layer, &here) || patch.edits(layer + 1, &[Hook::ResidPre]);
                let is_mlp = matches!(parts[at].0, Component::MlpBias(_));
                (next.unwrap_or(&from.resid_post), is_edited, at - usize::from(is_mlp))
            }
            _ => continue,
        };
        for (_, vector) in &parts[first..=at] {
            sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
        first = at + 1;
        if edited {
            let values = parts[counts].1.iter_mut().zip(stream).zip(&mut sum);
            values.for_each(|((x, stream), sum)| {
                *x += stream - *sum;
                *sum = *stream;
            });
        }
    }
}

/// The neurons of a layer, and its `b_out`; `None` in an attention-only model.
fn mlp(weights: &Weights, from: &Activations, layer: usize) -> Option<[(Component, Vec<f32>); 2]> {
    let (mlp, at) = (from.blocks[layer].mlp.as_ref()?, weights.layout.blocks[layer].mlp.as_ref()?);
    let (c, len) = (weights.config(), from.len);
    let w_out = Mat::new(weights.part(&at.w_out), c.d_mlp, c.d_model);
    let out = product(Mat::new(&mlp.post, len, c.d_mlp), w_out, len, c.d_model);
    let bias = weights.part(&at.b_out).repeat(len);
    Some([(Component::Mlp(layer), out), (Component::MlpBias(layer), bias)])
}

/// NaN must not be lost in the maximum.
fn largest_of(worst: f32, difference: f32) -> f32 {
    if difference > worst || difference.is_nan() { difference } else { worst }
}

/// `z W_O` of one head, `[pos, d_model]`: `hook_result`.
pub fn head_result(weights: &Weights, from: &Activations, layer: usize, head: usize) -> Vec<f32> {
    let c = weights.config();
    let w_o = &weights.part(&weights.layout.blocks[layer].attn.w_o)[head * c.d_head * c.d_model..];
    let z = Mat::strided(&from.blocks[layer].attn.z[head * c.d_head..], from.len, c.d_head, c.d_heads());
    product(z, Mat::new(w_o, c.d_head, c.d_model), from.len, c.d_model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, forward};

    #[test]
    fn the_parts_sum_to_the_logits_and_are_the_same_at_one_class_as_at_all() {
        let config =
            ModelConfig { n_layers: 2, d_model: 6, d_head: 4, d_mlp: 12, n_ctx: 5, ..ModelConfig::default() };
        let mut weights = Weights::initial(&config, 1);
        weights.values.iter_mut().enumerate().for_each(|(at, w)| *w += 0.1 * (at as f32).sin());
        let tokens = [1, 4, 4, 0, 9];
        let mut from = Activations::new(&config, tokens.len());
        forward(&weights, &tokens, &Patch::default(), &mut from);
        let found =
            Attribution::new(&weights, (&tokens, &Patch::default()), &from, Arc::new(Readout::new(&weights)));
        assert!(found.residual < 1e-4, "{}", found.residual);
        for component in 0..found.components.len() {
            for (at, value) in found.part(component).into_iter().enumerate() {
                let one = found.value(component, at / 10, ((at % 10) as u16).into());
                assert!((value - one).abs() < 1e-5, "{} {at}: {value} {one}", found.components[component]);
            }
        }
    }

    #[test]
    fn a_logit_that_is_not_a_number_is_not_lost() {
        assert!([1.0, f32::NAN, 2.0].into_iter().fold(0.0, largest_of).is_nan());
    }
}
