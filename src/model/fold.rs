//! Weights rewritten so that they are easier to read and compute the same.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::config::{ModelConfig, Normalization};
use super::kernels::centre;
use super::layout::{BlockLayout, Layout, NormLayout};
use super::weights::{Affine, Weights};

/// What later versions of TransformerLens do beyond the notebook's; neither changes what is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldOptions {
    /// Centre every matrix that reads a normalised vector over what it reads (`fold_layer_norm`'s `center_weights`).
    pub center_reading: bool,
    /// Move what the value biases write into `b_O` (`fold_value_biases`).
    pub fold_value_biases: bool,
}

/// The notebook's processing (TransformerLens before 2022-12-19): weight and bias of each layer norm folded into the
/// matrix that reads it, writing weights centred over `d_model`, the unembedding over the vocabulary. Log-probabilities
/// are unchanged.
///
/// Without layer norms only the unembedding can be centred, and value biases folded.
pub fn fold(weights: &Weights, options: FoldOptions) -> Weights {
    let c = weights.config();
    let normalization_type = if c.has_affine_norms() { Normalization::LnPre } else { c.normalization_type };
    let mut folded = Folder {
        from: weights,
        to: Weights::zeros(&ModelConfig { normalization_type, ..c.clone() }),
        center_reading: options.center_reading,
    };
    let (from, to) = (&*weights.layout, folded.to.layout.clone());
    folded.copy(&from.w_e, &to.w_e);
    folded.copy(&from.w_pos, &to.w_pos);
    for (from, to) in from.blocks.iter().zip(&to.blocks) {
        folded.block(from, to);
    }
    folded.read((&from.w_u, &from.b_u), from.ln_final.as_ref(), (&to.w_u, &to.b_u));
    folded.centre_writers(&to);
    if options.fold_value_biases {
        folded.value_biases(&to);
    }
    folded.to
}

struct Folder<'a> {
    from: &'a Weights,
    to: Weights,
    center_reading: bool,
}

type MatrixAndBias<'a> = (&'a Range<usize>, &'a Range<usize>);

impl Folder<'_> {
    fn has_norms(&self) -> bool {
        self.from.config().normalization_type != Normalization::None
    }

    fn copy(&mut self, from: &Range<usize>, to: &Range<usize>) {
        self.to.values[to.clone()].copy_from_slice(self.from.part(from));
    }

    fn block(&mut self, from: &BlockLayout, to: &BlockLayout) {
        self.read((&from.w_qkv, &from.b_qkv), from.ln1.as_ref(), (&to.w_qkv, &to.b_qkv));
        self.copy(&from.w_o, &to.w_o);
        self.copy(&from.b_o, &to.b_o);
        if let (Some(from), Some(to)) = (&from.mlp, &to.mlp) {
            self.read((&from.w_in, &from.b_in), from.ln2.as_ref(), (&to.w_in, &to.b_in));
            self.copy(&from.w_out, &to.w_out);
            self.copy(&from.b_out, &to.b_out);
            if self.from.config().has_mlp_norm() {
                self.fold_norm(from.ln.as_ref(), (&to.w_out, &to.b_out));
            }
        }
    }

    /// Copies a matrix and bias that read the residual stream through a norm, and folds the norm in.
    fn read(&mut self, from: MatrixAndBias<'_>, norm: Option<&NormLayout>, to: MatrixAndBias<'_>) {
        self.copy(from.0, to.0);
        self.copy(from.1, to.1);
        if self.has_norms() {
            self.fold_norm(norm, to);
        }
    }

    fn fold_norm(&mut self, norm: Option<&NormLayout>, to: MatrixAndBias<'_>) {
        if let Some(affine) = self.from.affine(norm) {
            self.fold_affine(affine, to);
        }
        if self.center_reading {
            centre_columns(&mut self.to.values[to.0.clone()], to.1.len());
        }
    }

    /// `(x w + b) W + c = x (w W) + (b W + c)`.
    fn fold_affine(&mut self, affine: Affine<'_>, to: MatrixAndBias<'_>) {
        let cols = to.1.len();
        for (row, (w, b)) in affine.w.iter().zip(affine.b).enumerate() {
            for col in 0..cols {
                let cell = to.0.start + row * cols + col;
                self.to.values[to.1.start + col] += b * self.to.values[cell];
                self.to.values[cell] *= w;
            }
        }
    }

    fn centre_writers(&mut self, layout: &Layout) {
        let (d_model, outputs) = (layout.config.d_model, layout.config.outputs());
        centre(&mut self.to.values[layout.w_u.clone()], outputs);
        centre(&mut self.to.values[layout.b_u.clone()], outputs);
        if !self.has_norms() {
            return;
        }
        let mlps = layout.blocks.iter().filter_map(|block| block.mlp.as_ref());
        let writers = [&layout.w_e, &layout.w_pos]
            .into_iter()
            .chain(layout.blocks.iter().flat_map(|block| [&block.w_o, &block.b_o]))
            .chain(mlps.flat_map(|mlp| [&mlp.w_out, &mlp.b_out]));
        writers.for_each(|range| centre(&mut self.to.values[range.clone()], d_model));
    }

    /// A pattern's rows sum to 1, so a value bias writes the same at every position: `b_O += b_V W_O`.
    fn value_biases(&mut self, layout: &Layout) {
        let c = &layout.config;
        for block in &layout.blocks {
            let first = block.b_qkv.start + 2 * c.d_heads();
            let b_v = self.to.values[first..first + c.d_heads()].to_vec();
            self.to.values[first..first + c.d_heads()].fill(0.0);
            for (row, b_v) in b_v.into_iter().enumerate() {
                let w_o = block.w_o.start + row * c.d_model;
                for col in 0..c.d_model {
                    self.to.values[block.b_o.start + col] += b_v * self.to.values[w_o + col];
                }
            }
        }
    }
}

/// Takes its mean off every column of a matrix of that width: a normalised vector has no mean to multiply it with.
fn centre_columns(matrix: &mut [f32], cols: usize) {
    let rows = matrix.len() / cols;
    for col in 0..cols {
        let mean = (0..rows).map(|row| matrix[row * cols + col]).sum::<f32>() / rows as f32;
        (0..rows).for_each(|row| matrix[row * cols + col] -= mean);
    }
}
