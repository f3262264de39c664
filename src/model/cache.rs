//! The activations of a sequence under TransformerLens' hook names.

use super::activations::Activations;
use super::config::ModelConfig;
use super::edit::Hook;
use super::hooks::{Hooks, NamedTensor};
use super::patch::Patch;
use super::rule::Site;
use super::tile::Tile;
use super::weights::Weights;
use crate::task::Token;

/// Edits the hooks of a cache that a pass computes without keeping them; all others hold the edited values already.
pub fn edit_cache(patch: &Patch, (c, len): (&ModelConfig, usize), cache: &mut [NamedTensor]) {
    for layer in 0..c.n_layers {
        let of_block = [Hook::AttnOut, Hook::MlpOut].map(|hook| (hook.name(layer), Site::Of(hook)));
        let of_stream = [Site::Embed, Site::PosEmbed].map(|site| (format!("hook_{}", site.name()), site));
        let of_stream = of_stream.into_iter().filter(|_| layer == 0);
        for (name, site) in of_block.into_iter().chain(of_stream) {
            let here = cache.iter_mut().filter(|tensor| tensor.name == name);
            here.for_each(|tensor| patch.edit_rows((layer, site), &mut tensor.values, len));
        }
    }
}

/// Every hook of `run_with_cache`, without the batch dimension, from the forward pass of `tokens`.
pub fn cache(weights: &Weights, tokens: &[Token], from: &Activations) -> Vec<NamedTensor> {
    let (of, layout) = (weights.params(), &weights.layout);
    let nothing = Patch::default();
    let tile = Tile::again((&from.keys, &from.tokens), &nothing);
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
