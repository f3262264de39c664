//! Range of each weight in the one flat buffer.
//!
//! With one buffer, the optimiser is one sweep, a snapshot one copy and a checkpoint one tensor. Query, key and value
//! matrices of all heads are stored side by side as one `[d_model, 3 * n_heads * d_head]` matrix, so that one product
//! computes all three; their TransformerLens names are strided views of it.

use std::ops::Range;
use std::sync::OnceLock;

use super::config::ModelConfig;
use super::parts::PositionEmbedding;
use super::parts::attention::AttentionLayout;
use super::parts::embed::EmbedLayout;
use super::parts::mlp::MlpLayout;
use super::parts::norm::NormLayout;
use super::parts::rotary::Rotation;
use super::parts::unembed::UnembedLayout;
use super::place::{LayoutBuilder, TensorView};

/// One block.
#[derive(Clone, Debug)]
pub struct BlockLayout {
    /// Attention.
    pub attn: AttentionLayout,
    /// The MLP, unless the model is attention-only.
    pub mlp: Option<MlpLayout>,
}

/// The whole model.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The model's shape.
    pub config: ModelConfig,
    /// `[d_vocab, d_model]`.
    pub w_e: Range<usize>,
    /// `[n_ctx, d_model]`, if positions have an embedding of their own.
    pub w_pos: Option<Range<usize>>,
    /// By layer.
    pub blocks: Vec<BlockLayout>,
    /// `ln_final`, unless folded or absent.
    pub ln_final: Option<NormLayout>,
    /// `[d_model, d_vocab_out]`.
    pub w_u: Range<usize>,
    /// `[d_vocab_out]`.
    pub b_u: Range<usize>,
    /// Number of parameters.
    pub len: usize,
    tensors: Vec<TensorView>,
    rotation: OnceLock<Rotation>,
}

impl Layout {
    /// Lays out a model. `config` must be valid.
    pub fn new(config: &ModelConfig) -> Self {
        let c = config;
        let mut place = LayoutBuilder::default();
        let w_e = place.tensor("embed.W_E", &[c.d_vocab, c.d_model]);
        let w_pos = c.positional_embedding_type.has_weight();
        let w_pos = w_pos.then(|| place.tensor("pos_embed.W_pos", &[c.n_ctx, c.d_model]));
        let read = w_pos.as_ref().filter(|_| is_shortformer(c));
        let blocks = (0..c.n_layers).map(|layer| block(&mut place, c, layer, read)).collect();
        let ln_final = place.norm(c.normalization_type, "ln_final", c.d_model);
        let w_u = place.tensor("unembed.W_U", &[c.d_model, c.outputs()]);
        let b_u = place.tensor("unembed.b_U", &[c.outputs()]);
        let LayoutBuilder { tensors, end: len, .. } = place;
        let rotation = OnceLock::new();
        Self { config: c.clone(), w_e, w_pos, blocks, ln_final, w_u, b_u, len, tensors, rotation }
    }

    /// Every weight under its TransformerLens name.
    pub fn tensors(&self) -> &[TensorView] {
        &self.tensors
    }

    /// The weight with this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorView> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Ranges of token and position embeddings.
    pub(super) fn embed(&self) -> EmbedLayout<'_> {
        let kind = self.config.positional_embedding_type;
        EmbedLayout { w_e: &self.w_e, w_pos: self.w_pos.as_ref(), kind }
    }

    /// `W_pos`, if it is added to the residual stream.
    pub fn positions_in_stream(&self) -> Option<&Range<usize>> {
        self.embed().positions()
    }

    /// `W_pos`, if queries and keys read it.
    pub(super) fn positions_in_attention(&self) -> Option<&Range<usize>> {
        self.w_pos.as_ref().filter(|_| is_shortformer(&self.config))
    }

    /// Every norm with a weight.
    pub(super) fn norms(&self) -> impl Iterator<Item = &NormLayout> {
        let blocks = self.blocks.iter();
        let of_blocks = blocks.flat_map(|block| {
            let mlp = block.mlp.as_ref();
            [
                block.attn.ln1.as_ref(),
                mlp.and_then(|mlp| mlp.ln2.as_ref()),
                mlp.and_then(|mlp| mlp.ln.as_ref()),
            ]
        });
        of_blocks.chain([self.ln_final.as_ref()]).flatten()
    }

    /// Every matrix that reads activations, with its bias.
    pub(super) fn matrices(&self) -> impl Iterator<Item = (&Range<usize>, &Range<usize>)> {
        let of_blocks = self.blocks.iter().flat_map(|BlockLayout { attn, mlp }| {
            let attention = [(&attn.w_qkv, &attn.b_qkv), (&attn.w_o, &attn.b_o)];
            let mlp = mlp.iter().flat_map(|mlp| [(&mlp.w_in, &mlp.b_in), (&mlp.w_out, &mlp.b_out)]);
            attention.into_iter().chain(mlp)
        });
        of_blocks.chain([(&self.w_u, &self.b_u)])
    }

    /// The angles of rotary positions, computed at the first use.
    pub(super) fn rotation(&self) -> Option<&Rotation> {
        let is_rotary = self.config.positional_embedding_type == PositionEmbedding::Rotary;
        is_rotary.then(|| self.rotation.get_or_init(|| Rotation::new(&self.config)))
    }

    /// Ranges of the unembedding.
    pub(super) fn unembed(&self) -> UnembedLayout<'_> {
        UnembedLayout { ln_final: self.ln_final.as_ref(), w_u: &self.w_u, b_u: &self.b_u }
    }
}

fn is_shortformer(c: &ModelConfig) -> bool {
    c.positional_embedding_type == PositionEmbedding::Shortformer
}

fn block(
    place: &mut LayoutBuilder,
    c: &ModelConfig,
    layer: usize,
    w_pos: Option<&Range<usize>>,
) -> BlockLayout {
    let name = format!("blocks.{layer}");
    BlockLayout { attn: place.attention(c, &name, w_pos), mlp: c.has_mlp().then(|| place.mlp(c, &name)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Normalization};

    #[test]
    fn the_default_model_has_the_notebooks_parameters() {
        let layout = Layout::new(&ModelConfig::default());
        assert_eq!((layout.len, layout.tensors().len()), (60_106, 24));
    }

    #[test]
    fn the_named_views_cover_every_parameter_exactly_once() {
        for config in [
            ModelConfig { n_layers: 3, n_heads: 5, d_head: 7, ..ModelConfig::default() },
            ModelConfig { d_mlp: 0, normalization_type: Normalization::None, ..ModelConfig::default() },
            ModelConfig { act_fn: Activation::Gelu, n_layers: 2, ..ModelConfig::default() },
        ] {
            let layout = Layout::new(&config);
            let mut seen = vec![0; layout.len];
            layout.tensors().iter().flat_map(TensorView::positions).for_each(|position| seen[position] += 1);
            assert!(seen.iter().all(|&times| times == 1));
        }
    }
}
