//! Rewrites weights into a form that is easier to read and computes the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::kernels::centre;
use super::layout::Layout;
use super::parts::PositionEmbedding;
use super::parts::linear::Folder;
use super::weights::Weights;

/// Steps that later versions of TransformerLens add to the notebook's; neither changes the results, but for [`fold`]'s exception.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldOptions {
    /// Centre every matrix that reads a normalised vector over its input dimension (`fold_layer_norm`'s
    /// `center_weights`).
    pub center_reading: bool,
    /// Move the value biases' contribution into `b_O` (`fold_value_biases`).
    pub fold_value_biases: bool,
}

/// The notebook's processing (TransformerLens before 2022-12-19): weight and bias of each layer norm folded into the
/// matrix that reads it, writing weights centred over `d_model`, the unembedding over the vocabulary. Log-probabilities
/// are unchanged.
///
/// RMS norms have no bias to fold, and nothing is centred but the unembedding: their scale depends on the mean. Without
/// norms, this only centres the unembedding and folds value biases. With shortformer positions `ln1` stays, as queries
/// and keys read `W_pos` beside the norm.
///
/// `fold_value_biases` changes the results of a query that sees no key: the query has no values, but reads `b_O`.
pub fn fold(weights: &Weights, options: FoldOptions) -> Weights {
    let (c, from) = (weights.config(), &weights.layout);
    let is_shortformer = c.positional_embedding_type == PositionEmbedding::Shortformer;
    let kept = c.normalization_type;
    let normalization_type = if is_shortformer { kept } else { kept.folded() };
    let to = Arc::new(Layout::new(&ModelConfig { normalization_type, ..c.clone() }));
    let mut folder =
        Folder { from: weights.params(), to: vec![0.0; to.len], center_reading: options.center_reading };
    to.norms().for_each(|norm| folder.to[norm.w.clone()].fill(1.0));
    folder.copy(&from.w_e, &to.w_e);
    from.w_pos.iter().zip(&to.w_pos).for_each(|(from, to)| folder.copy(from, to));
    for (from, to) in from.blocks.iter().zip(&to.blocks) {
        folder.attention(&from.attn, &to.attn);
        if let (Some(from), Some(to)) = (&from.mlp, &to.mlp) {
            folder.mlp(from, to);
        }
    }
    folder.unembed(from.unembed(), to.unembed());
    centre_writers(&mut folder.to, &to);
    if options.fold_value_biases {
        to.blocks.iter().for_each(|block| folder.value_biases(&block.attn));
    }
    Weights { values: folder.to, layout: to }
}

fn centre_writers(values: &mut [f32], layout: &Layout) {
    let (d_model, outputs) = (layout.config.d_model, layout.config.outputs());
    centre(&mut values[layout.w_u.clone()], outputs);
    centre(&mut values[layout.b_u.clone()], outputs);
    if !layout.config.normalization_type.is_centred() {
        return;
    }
    let mlps = layout.blocks.iter().filter_map(|block| block.mlp.as_ref());
    let components = [&layout.w_e]
        .into_iter()
        .chain(layout.positions_in_stream())
        .chain(layout.blocks.iter().flat_map(|block| [&block.attn.w_o, &block.attn.b_o]))
        .chain(mlps.flat_map(|mlp| [&mlp.w_out, &mlp.b_out]));
    components.for_each(|range| centre(&mut values[range.clone()], d_model));
}
