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

impl<'a> Donor<'a> {
    /// The values of a hook in a pass of one sequence.
    pub fn new(weights: &'a Weights, hook: Hook, from: &'a Activations) -> Self {
        let config = weights.config();
        let mlp = |layer: usize, of: fn(&MlpActivations) -> &[f32]| {
            Cow::Borrowed(from.blocks[layer].mlp.as_ref().map_or(&[][..], of))
        };
        let of_layer = |layer: usize| {
            let block = &from.blocks[layer];
            match hook {
                Hook::ResidPre => Cow::Borrowed(&block.resid_pre[..]),
                Hook::Q | Hook::K | Hook::V => unrotated(weights, from, layer),
                Hook::Pattern => Cow::Borrowed(&block.attn.pattern[..]),
                Hook::Z => Cow::Borrowed(&block.attn.z[..]),
                Hook::AttnOut => Cow::Owned(attn_out(weights, from, layer)),
                Hook::ResidMid => Cow::Borrowed(&block.resid_mid[..]),
                Hook::Pre => mlp(layer, |mlp| &mlp.pre),
                Hook::Post => mlp(layer, |mlp| &mlp.post),
                Hook::MlpOut => Cow::Owned(mlp_out(weights, from, layer).unwrap_or_default()),
            }
        };
        Self { config, hook, len: from.len, layers: (0..config.n_layers).map(of_layer).collect() }
    }

    /// Replaces what these edits of its hook name by its values. Positions after the end of its sequence stay as they are;
    /// of a pattern, so do all of a sequence of another length.
    pub fn patch(&self, edits: &[Edit]) -> Patch {
        Patch::of(self.config, edits, |edit, index| {
            assert_eq!(edit.hook, self.hook, "an edit of the donor's hook");
            let values = &self.layers[edit.layer];
            if self.hook == Hook::Pattern {
                let cells = self.len * self.len;
                return values[index * cells..(index + 1) * cells].to_vec();
            }
            let first = self.hook.first(self.config, index);
            rows_of(values, values.len() / self.len.max(1), first..first + self.hook.width(self.config))
        })
    }
}
