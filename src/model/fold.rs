//! Weights rewritten so that they are easier to read and compute the same.

use std::ops::Range;

use super::config::{ModelConfig, Normalization};
use super::kernels::centre;
use super::layout::{BlockLayout, Layout, NormLayout};
use super::weights::Weights;

/// The notebook's processing (TransformerLens before 2022-12-19): weight and bias of each layer norm folded into the
/// matrix that reads it, writing weights centred over `d_model`, the unembedding over the vocabulary. Log-probabilities
/// are unchanged. Value biases are not folded and reading weights not centred, as later versions do.
///
/// Without layer norms only the unembedding can be centred.
pub fn fold(weights: &Weights) -> Weights {
    let c = weights.config();
    let normalization_type = if c.has_affine_norms() { Normalization::LnPre } else { c.normalization_type };
    let mut folded =
        Folder { from: weights, to: Weights::zeros(&ModelConfig { normalization_type, ..c.clone() }) };
    let (from, to) = (&*weights.layout, folded.to.layout.clone());
    folded.copy(&from.w_e, &to.w_e);
    folded.copy(&from.w_pos, &to.w_pos);
    for (from, to) in from.blocks.iter().zip(&to.blocks) {
        folded.block(from, to);
    }
    folded.read((&from.w_u, &from.b_u), from.ln_final.as_ref(), (&to.w_u, &to.b_u));
    folded.centre(&to);
    folded.to
}

struct Folder<'a> {
    from: &'a Weights,
    to: Weights,
}

type MatrixAndBias<'a> = (&'a Range<usize>, &'a Range<usize>);

impl Folder<'_> {
    fn copy(&mut self, from: &Range<usize>, to: &Range<usize>) {
        self.to.values[to.clone()].copy_from_slice(self.from.part(from));
    }

    fn block(&mut self, from: &BlockLayout, to: &BlockLayout) {
        self.read((&from.w_qkv, &from.b_qkv), from.ln1.as_ref(), (&to.w_qkv, &to.b_qkv));
        self.copy(&from.w_o, &to.w_o);
        self.copy(&from.b_o, &to.b_o);
        if let (Some(from), Some(to)) = (&from.mlp, &to.mlp) {
            self.read((&from.w_in, &from.b_in), from.ln2.as_ref(), (&to.w_in, &to.b_in));
            self.read((&from.w_out, &from.b_out), from.ln.as_ref(), (&to.w_out, &to.b_out));
        }
    }

    /// Folds a norm into the matrix and bias that read it: `(x w + b) W + c = x (w W) + (b W + c)`.
    fn read(&mut self, from: MatrixAndBias<'_>, norm: Option<&NormLayout>, to: MatrixAndBias<'_>) {
        self.copy(from.0, to.0);
        self.copy(from.1, to.1);
        let Some(affine) = self.from.affine(norm) else { return };
        let cols = to.1.len();
        for (row, (w, b)) in affine.w.iter().zip(affine.b).enumerate() {
            for col in 0..cols {
                let cell = to.0.start + row * cols + col;
                self.to.values[to.1.start + col] += b * self.to.values[cell];
                self.to.values[cell] *= w;
            }
        }
    }

    fn centre(&mut self, layout: &Layout) {
        let (d_model, d_vocab) = (layout.config.d_model, layout.config.d_vocab);
        centre(&mut self.to.values[layout.w_u.clone()], d_vocab);
        centre(&mut self.to.values[layout.b_u.clone()], d_vocab);
        if layout.config.normalization_type == Normalization::None {
            return;
        }
        let mlps = layout.blocks.iter().filter_map(|block| block.mlp.as_ref());
        let writers = [&layout.w_e, &layout.w_pos]
            .into_iter()
            .chain(layout.blocks.iter().flat_map(|block| [&block.w_o, &block.b_o]))
            .chain(mlps.flat_map(|mlp| [&mlp.w_out, &mlp.b_out]));
        writers.for_each(|range| centre(&mut self.to.values[range.clone()], d_model));
    }
}
