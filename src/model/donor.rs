//! Activation patching: the activations of one sequence in the pass of another.

use std::borrow::Cow;

use super::activations::Activations;
use super::config::ModelConfig;
use super::edit::{Edit, Hook};
use super::parts::mlp::MlpActivations;
use super::pass::{attn_out, mlp_out, unrotated};
use super::patch::{Patch, rows_of};
use super::weights::Weights;

/// The values of one hook in the pass of a sequence, by layer.
pub struct Donor<'a> {
    config: &'a ModelConfig,
    hook: Hook,
    len: usize,
    /// `[pos, columns]`; of patterns, `[head, query, key]`.
    layers: Vec<Cow<'a, [f32]>>,
}

/// The values of a hook in a block in a pass of one sequence, `[pos, columns]`; of patterns, `[head, query, key]`.
fn values_of<'a>(weights: &Weights, hook: Hook, from: &'a Activations, layer: usize) -> Cow<'a, [f32]> {
    let block = &from.blocks[layer];
    let mlp = |of: fn(&MlpActivations) -> &[f32]| Cow::Borrowed(block.mlp.as_ref().map_or(&[][..], of));
    match hook {
        Hook::ResidPre => Cow::Borrowed(&block.resid_pre),
        Hook::Q | Hook::K | Hook::V => unrotated(weights, from, layer),
        Hook::Pattern => Cow::Borrowed(&block.attn.pattern),
        Hook::Z => Cow::Borrowed(&block.attn.z),
        Hook::AttnOut => Cow::Owned(attn_out(weights, from, layer)),
        Hook::ResidMid => Cow::Borrowed(&block.resid_mid),
        Hook::Pre => mlp(|mlp| &mlp.pre),
        Hook::Post => mlp(|mlp| &mlp.post),
        Hook::MlpOut => Cow::Owned(mlp_out(weights, from, layer).unwrap_or_default()),
        Hook::ResidPost => {
            let next = from.blocks.get(layer + 1).map(|next| &next.resid_pre);
            Cow::Borrowed(next.unwrap_or(&from.resid_post))
        }
    }
}

/// The values of one index of a hook in a pass of one sequence, `[pos, width]`; of patterns, `[query, key]`.
pub fn hook_rows(
    weights: &Weights,
    from: &Activations,
    (layer, hook, index): (usize, Hook, usize),
) -> Vec<f32> {
    rows(weights.config(), (hook, index), from.len, &values_of(weights, hook, from, layer))
}

fn rows(c: &ModelConfig, (hook, index): (Hook, usize), len: usize, values: &[f32]) -> Vec<f32> {
    if hook == Hook::Pattern {
        return values[index * len * len..(index + 1) * len * len].to_vec();
    }
    let first = hook.first(c, index);
    rows_of(values, values.len() / len.max(1), first..first + hook.width(c))
}

impl<'a> Donor<'a> {
    /// The values of a hook in a pass of one sequence.
    pub fn new(weights: &'a Weights, hook: Hook, from: &'a Activations) -> Self {
        let config = weights.config();
        let layers = (0..config.n_layers).map(|layer| values_of(weights, hook, from, layer)).collect();
        Self { config, hook, len: from.len, layers }
    }

    /// Replaces what these edits of its hook name by its values. Positions after the end of its sequence stay as they are;
    /// of a pattern, so do all of a sequence of another length.
    pub fn patch(&self, edits: &[Edit]) -> Patch {
        Patch::of(self.config, edits, |edit, index| {
            assert_eq!(edit.hook, self.hook, "an edit of the donor's hook");
            rows(self.config, (self.hook, index), self.len, &self.layers[edit.layer])
        })
    }
}
