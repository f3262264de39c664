//! Where each weight lies in the one flat buffer that holds them all.
//!
//! One buffer makes the optimiser one sweep, a snapshot one copy and a checkpoint one tensor. Query, key and value
//! matrices of all heads lie side by side as one `[d_model, 3 * n_heads * d_head]` matrix so that one product makes
//! all three; under their TransformerLens names they are strided views of it.

use std::ops::Range;

use super::config::ModelConfig;

/// A weight under its TransformerLens name, as a view into the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorView {
    /// TransformerLens' name, `blocks.0.attn.W_Q` say.
    pub name: String,
    /// TransformerLens' shape.
    pub shape: Vec<usize>,
    offset: usize,
    strides: Vec<usize>,
}

impl TensorView {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Positions in the flat buffer, in row-major order of the shape.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|mut flat| {
            let mut position = self.offset;
            for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
                position += flat % size * stride;
                flat /= size;
            }
            position
        })
    }
}

/// Weight and bias of a layer norm, each `[width]`.
#[derive(Clone, Debug)]
pub struct NormLayout {
    /// Where `w` lies.
    pub w: Range<usize>,
    /// Where `b` lies.
    pub b: Range<usize>,
}

/// The MLP of a block.
#[derive(Clone, Debug)]
pub struct MlpLayout {
    /// `ln2`, unless folded or absent.
    pub ln2: Option<NormLayout>,
    /// `[d_model, d_mlp]`.
    pub w_in: Range<usize>,
    /// `[d_mlp]`.
    pub b_in: Range<usize>,
    /// `mlp.ln`, of width `d_mlp`, for `solu_ln`.
    pub ln: Option<NormLayout>,
    /// `[d_mlp, d_model]`.
    pub w_out: Range<usize>,
    /// `[d_model]`.
    pub b_out: Range<usize>,
}

/// One block.
#[derive(Clone, Debug)]
pub struct BlockLayout {
    /// `ln1`, unless folded or absent.
    pub ln1: Option<NormLayout>,
    /// `[d_model, 3, n_heads, d_head]`: queries, keys, values.
    pub w_qkv: Range<usize>,
    /// `[3, n_heads, d_head]`.
    pub b_qkv: Range<usize>,
    /// `[n_heads, d_head, d_model]`.
    pub w_o: Range<usize>,
    /// `[d_model]`.
    pub b_o: Range<usize>,
    /// The MLP, unless the model is attention-only.
    pub mlp: Option<MlpLayout>,
}

/// The whole model.
#[derive(Clone, Debug)]
pub struct Layout {
    /// What it was made for.
    pub config: ModelConfig,
    /// `[d_vocab, d_model]`.
    pub w_e: Range<usize>,
    /// `[n_ctx, d_model]`.
    pub w_pos: Range<usize>,
    /// By layer.
    pub blocks: Vec<BlockLayout>,
    /// `ln_final`, unless folded or absent.
    pub ln_final: Option<NormLayout>,
    /// `[d_model, d_vocab_out]`.
    pub w_u: Range<usize>,
    /// `[d_vocab_out]`.
    pub b_u: Range<usize>,
    /// Parameters in all.
    pub len: usize,
    tensors: Vec<TensorView>,
}

impl Layout {
    /// Lays out a model. `config` must be valid.
    pub fn new(config: &ModelConfig) -> Self {
        let c = config;
        let mut place = Placer { affine: c.has_affine_norms(), ..Placer::default() };
        let w_e = place.tensor("embed.W_E", &[c.d_vocab, c.d_model]);
        let w_pos = place.tensor("pos_embed.W_pos", &[c.n_ctx, c.d_model]);
        let blocks = (0..c.n_layers).map(|layer| place.block(c, layer)).collect();
        let ln_final = place.norm("ln_final", c.d_model);
        let w_u = place.tensor("unembed.W_U", &[c.d_model, c.outputs()]);
        let b_u = place.tensor("unembed.b_U", &[c.outputs()]);
        let Placer { tensors, end: len, .. } = place;
        Self { config: c.clone(), w_e, w_pos, blocks, ln_final, w_u, b_u, len, tensors }
    }

    /// Every weight under its TransformerLens name.
    pub fn tensors(&self) -> &[TensorView] {
        &self.tensors
    }

    /// The weight of that name.
    pub fn tensor(&self, name: &str) -> Option<&TensorView> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

#[derive(Default)]
struct Placer {
    affine: bool,
    end: usize,
    tensors: Vec<TensorView>,
}

impl Placer {
    fn range(&mut self, len: usize) -> Range<usize> {
        self.end += len;
        self.end - len..self.end
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> Range<usize> {
        let range = self.range(shape.iter().product());
        let strides = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        self.tensors.push(TensorView {
            name: name.into(),
            shape: shape.into(),
            offset: range.start,
            strides,
        });
        range
    }

    fn norm(&mut self, name: &str, width: usize) -> Option<NormLayout> {
        self.affine.then(|| NormLayout {
            w: self.tensor(&format!("{name}.w"), &[width]),
            b: self.tensor(&format!("{name}.b"), &[width]),
        })
    }

    fn block(&mut self, c: &ModelConfig, layer: usize) -> BlockLayout {
        let name = |part: &str| format!("blocks.{layer}.{part}");
        let ln1 = self.norm(&name("ln1"), c.d_model);
        let (w_qkv, b_qkv) = self.qkv(c, &name("attn"));
        let w_o = self.tensor(&name("attn.W_O"), &[c.n_heads, c.d_head, c.d_model]);
        let b_o = self.tensor(&name("attn.b_O"), &[c.d_model]);
        let mlp = c.has_mlp().then(|| MlpLayout {
            ln2: self.norm(&name("ln2"), c.d_model),
            w_in: self.tensor(&name("mlp.W_in"), &[c.d_model, c.d_mlp]),
            b_in: self.tensor(&name("mlp.b_in"), &[c.d_mlp]),
            ln: if c.has_mlp_norm() { self.norm(&name("mlp.ln"), c.d_mlp) } else { None },
            w_out: self.tensor(&name("mlp.W_out"), &[c.d_mlp, c.d_model]),
            b_out: self.tensor(&name("mlp.b_out"), &[c.d_model]),
        });
        BlockLayout { ln1, w_qkv, b_qkv, w_o, b_o, mlp }
    }

    fn qkv(&mut self, c: &ModelConfig, attn: &str) -> (Range<usize>, Range<usize>) {
        let width = 3 * c.d_heads();
        let (w, b) = (self.range(c.d_model * width), self.range(width));
        for (part, letter) in ["Q", "K", "V"].into_iter().enumerate() {
            let column = part * c.d_heads();
            self.tensors.push(TensorView {
                name: format!("{attn}.W_{letter}"),
                shape: vec![c.n_heads, c.d_model, c.d_head],
                offset: w.start + column,
                strides: vec![c.d_head, width, 1],
            });
            self.tensors.push(TensorView {
                name: format!("{attn}.b_{letter}"),
                shape: vec![c.n_heads, c.d_head],
                offset: b.start + column,
                strides: vec![c.d_head, 1],
            });
        }
        (w, b)
    }
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
