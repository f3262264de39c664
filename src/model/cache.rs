//! The activations of a sequence under TransformerLens' hook names.

use super::activations::Activations;
use super::hooks::{Hooks, NamedTensor};
use super::patch::Patch;
use super::tile::Tile;
use super::weights::Weights;
use crate::task::Token;

/// Every hook of `run_with_cache`, without the batch dimension, from the forward pass of `tokens`.
pub fn cache(weights: &Weights, tokens: &[Token], from: &Activations) -> Vec<NamedTensor> {
    let (of, layout) = (weights.params(), &weights.layout);
    let nothing = Patch::default();
    let tile = Tile::without_tokens(from.keys.clone(), &nothing);
    let mut hooks = Hooks { len: from.len, tensors: Vec::new() };
    hooks.embed(of, layout.embed(), tokens);
    for (layer, (at, block)) in layout.blocks.iter().zip(&from.blocks).enumerate() {
        let name = format!("blocks.{layer}");
        hooks.stream(&format!("{name}.hook_resid_pre"), block.resid_pre.clone());
        hooks.norm(&format!("{name}.ln1"), of.config.normalization_type, &block.ln1);
        hooks.attention(of, &at.attn, &name, (&block.attn, tile.layer(layer, layout.blocks.len())));
        if let (Some(at), Some(mlp)) = (&at.mlp, &block.mlp) {
            hooks.stream(&format!("{name}.hook_resid_mid"), block.resid_mid.clone());
            hooks.mlp(of, at, &name, mlp);
        }
        hooks.stream(&format!("{name}.hook_resid_post"), from.resid(layer + 1).to_vec());
    }
    hooks.unembed(of, &from.ln_final, &from.unembed_in, &from.logits);
    hooks.tensors
}
