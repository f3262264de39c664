//! Direct logit attribution: what each component adds to each logit.
//!
//! A component's vector is centred, divided by the final layer norm's scale of the whole stream, multiplied by its
//! weight and by `W_U`, and centred over the vocabulary. The parts sum to the centred logits.

use std::borrow::Cow;
use std::fmt;

use super::neurons::NeuronDirections;
use super::readout::{Readout, product};
use crate::model::{Activations, HeadId, Mat, MatMut, ModelConfig, Weights, Write, centre, matmul, mlp_out};
use crate::task::Token;

/// A component, named as in `inspect attribution`.
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
    /// A layer's MLP with its `b_out`.
    Mlp(usize),
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
            Self::Mlp(layer) => write!(f, "mlp_out.{layer}"),
            Self::Bias => f.write_str("bias"),
        }
    }
}

/// The contribution of every component at every position to every logit.
#[derive(Clone, Debug)]
pub struct Attribution {
    /// In the order they write.
    pub components: Vec<Component>,
    /// One `[pos, d_vocab_out]` per component.
    pub parts: Vec<Vec<f32>>,
    /// Logits minus their mean over the vocabulary, `[pos, d_vocab_out]`.
    pub centred_logits: Vec<f32>,
    /// Largest difference between the sum of the parts and the centred logits.
    pub residual: f32,
    outputs: usize,
}

impl Attribution {
    /// Number of values for a sequence of `len` tokens, as a type that cannot overflow.
    pub fn approximate_values(c: &ModelConfig, len: usize) -> u128 {
        let components = c.n_layers * (c.n_heads + 1 + usize::from(c.has_mlp())) + 3;
        (components as u128 + 1) * len as u128 * c.outputs() as u128
    }

    /// Attributes the logits of one pass; `directions`, if known, are the neurons' for the same weights.
    pub fn new(
        weights: &Weights,
        tokens: &[Token],
        from: &Activations,
        directions: Option<&NeuronDirections>,
    ) -> Self {
        let c = weights.config();
        let readout = Readout::new(weights);
        let read = |vectors: &[f32]| readout.read(vectors, Some(&from.ln_final.scale));
        let mut components = vec![Component::Embed];
        let mut parts = vec![read(&embed(weights, tokens))];
        if c.positional_embedding_type.is_of_stream() {
            let values = tokens.len() * c.d_model;
            let positions = weights.layout.positions_in_stream().map(|at| &weights.part(at)[..values]);
            components.push(Component::PosEmbed);
            parts.push(positions.map_or_else(|| vec![0.0; tokens.len() * c.outputs()], read));
        }
        for layer in 0..c.n_layers {
            for head in 0..c.n_heads {
                components.push(Component::Head(HeadId { layer, head }));
                parts.push(readout.head(weights, from, layer, head));
            }
            components.push(Component::AttnBias(layer));
            parts.push(read(&weights.part(&weights.layout.blocks[layer].attn.b_o).repeat(tokens.len())));
            if let Some(part) = readout.mlp(weights, from, layer, directions) {
                components.push(Component::Mlp(layer));
                parts.push(part);
            }
        }
        components.push(Component::Bias);
        parts.push(readout.bias(weights).repeat(tokens.len()));
        let mut centred_logits = from.logits.clone();
        centre(&mut centred_logits, c.outputs());
        let residual = residual(&parts, &centred_logits);
        Self { components, parts, centred_logits, residual, outputs: c.outputs() }
    }

    /// The contribution of a component, by its index in `components`, to the logits at a position, `[d_vocab_out]`.
    pub fn row(&self, component: usize, position: usize) -> &[f32] {
        &self.parts[component][position * self.outputs..(position + 1) * self.outputs]
    }

    /// Index of a layer's MLP in `components`; `None` without one.
    pub fn mlp(&self, layer: usize) -> Option<usize> {
        self.components.iter().position(|component| *component == Component::Mlp(layer))
    }

    /// The centred logits at a position, `[d_vocab_out]`.
    pub fn whole(&self, position: usize) -> &[f32] {
        &self.centred_logits[position * self.outputs..(position + 1) * self.outputs]
    }
}

fn embed(weights: &Weights, tokens: &[Token]) -> Vec<f32> {
    let d_model = weights.config().d_model;
    let w_e = weights.part(&weights.layout.w_e);
    tokens.iter().flat_map(|&token| &w_e[usize::from(token) * d_model..][..d_model]).copied().collect()
}

/// `z W_O` of one head, `[pos, d_model]`: `hook_result`.
pub fn head_result(weights: &Weights, from: &Activations, layer: usize, head: usize) -> Vec<f32> {
    let c = weights.config();
    let (z, w_o) = head_factors(weights, from, layer, head);
    product(z, Mat::new(w_o, c.d_head, c.d_model), from.len, c.d_model)
}

/// `z` of one head, `[pos, d_head]`, and `W_O` from the head's first row on.
fn head_factors<'a>(
    weights: &'a Weights,
    from: &'a Activations,
    layer: usize,
    head: usize,
) -> (Mat<'a>, &'a [f32]) {
    let c = weights.config();
    let w_o = &weights.part(&weights.layout.blocks[layer].attn.w_o)[head * c.d_head * c.d_model..];
    let z = &from.blocks[layer].attn.z[head * c.d_head..];
    (Mat::strided(z, from.len, c.d_head, c.d_heads()), w_o)
}

impl Readout {
    /// Whether mapping a component's matrix to logits first, row by row, is less work.
    fn is_narrow(&self) -> bool {
        self.outputs < self.d_model
    }

    /// Contribution of one head, `[pos, d_vocab_out]`.
    fn head(&self, weights: &Weights, from: &Activations, layer: usize, head: usize) -> Vec<f32> {
        let scale = &from.ln_final.scale;
        if !self.is_narrow() {
            return self.read(&head_result(weights, from, layer, head), Some(scale));
        }
        let d_head = weights.config().d_head;
        let (z, w_o) = head_factors(weights, from, layer, head);
        let directions = self.read(&w_o[..d_head * self.d_model], None);
        let directions = Mat::new(&directions, d_head, self.outputs);
        let mut logits = product(z, directions, from.len, self.outputs);
        self.divide(&mut logits, scale);
        logits
    }

    /// Contribution of a layer's MLP with its `b_out`, `[pos, d_vocab_out]`.
    fn mlp(
        &self,
        weights: &Weights,
        from: &Activations,
        layer: usize,
        known: Option<&NeuronDirections>,
    ) -> Option<Vec<f32>> {
        let scale = &from.ln_final.scale;
        if !self.is_narrow() {
            return mlp_out(weights, from, layer).map(|out| self.read(&out, Some(scale)));
        }
        let (mlp, at) = (from.blocks[layer].mlp.as_ref()?, weights.layout.blocks[layer].mlp.as_ref()?);
        let d_mlp = weights.config().d_mlp;
        let directions = match known {
            Some(known) => Cow::Borrowed(&known.layers[layer]),
            None => Cow::Owned(self.read(weights.part(&at.w_out), None)),
        };
        let mut logits = self.read(weights.part(&at.b_out), None).repeat(from.len);
        let out = MatMut::new(&mut logits, from.len, self.outputs);
        let (post, directions) =
            (Mat::new(&mlp.post, from.len, d_mlp), Mat::new(&directions, d_mlp, self.outputs));
        matmul(out, Write::Add, 1.0, post, directions);
        self.divide(&mut logits, scale);
        Some(logits)
    }
}

fn residual(parts: &[Vec<f32>], whole: &[f32]) -> f32 {
    let sum = |at: usize| parts.iter().map(|part| part[at]).sum::<f32>();
    // NaN must not be lost in the maximum.
    whole.iter().enumerate().map(|(at, whole)| (sum(at) - whole).abs()).fold(0.0, |worst, difference| {
        if difference > worst || difference.is_nan() { difference } else { worst }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, Patch, forward};

    #[test]
    fn the_parts_sum_to_the_logits_in_either_order_of_multiplication() {
        for d_model in [6, 16] {
            let config = ModelConfig {
                n_layers: 2,
                d_model,
                d_head: 4,
                d_mlp: 12,
                n_ctx: 5,
                ..ModelConfig::default()
            };
            let mut weights = Weights::initial(&config, 1);
            weights.values.iter_mut().enumerate().for_each(|(at, w)| *w += 0.1 * (at as f32).sin());
            let tokens = [1, 4, 4, 0, 9];
            let mut from = Activations::new(&config, tokens.len());
            forward(&weights, &tokens, &Patch::default(), &mut from);
            let found = Attribution::new(&weights, &tokens, &from, None);
            assert!(found.residual < 1e-4, "{d_model}: {}", found.residual);
            let readout = Readout::new(&weights);
            assert_eq!(readout.is_narrow(), d_model == 16);
            for (component, part) in found.components.iter().zip(&found.parts) {
                let vector = match *component {
                    Component::Head(HeadId { layer, head }) => head_result(&weights, &from, layer, head),
                    Component::Mlp(layer) => mlp_out(&weights, &from, layer).unwrap(),
                    _ => continue,
                };
                let wanted = readout.read(&vector, Some(&from.ln_final.scale));
                let worst = part.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-5, "{d_model} {component}: {worst}");
            }
        }
    }
}
