//! All weights of a model at one step, in host memory.

use std::ops::Range;
use std::sync::Arc;

use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::kernels::transpose;
use super::layout::Layout;
use super::parts::linear::Params;
use super::parts::norm::{Affine, NormLayout};
use super::place::TensorView;
use crate::random::{Purpose, stream};

/// The initial distribution of matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initialization {
    /// N(0, 0.8 / sqrt(`d_model`)).
    #[default]
    TransformerLens,
    /// N(0, 1 / sqrt(`d_model`)), the unembedding N(0, 1 / sqrt(`d_vocab`)) (Nanda et al. 2023).
    ProgressMeasures,
}

impl Initialization {
    /// Standard deviation of the matrix `leaf` of a block.
    fn deviation(self, config: &ModelConfig, leaf: &str) -> f32 {
        match self {
            Self::TransformerLens => config.initializer_range(),
            Self::ProgressMeasures if leaf == "W_U" => 1.0 / (config.d_vocab as f32).sqrt(),
            Self::ProgressMeasures => 1.0 / (config.d_model as f32).sqrt(),
        }
    }
}

/// The weights of a model.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Range of each weight in `values`.
    pub layout: Arc<Layout>,
    /// `[parameters]`, in the layout's order.
    pub values: Vec<f32>,
}

impl Weights {
    /// All weights zero, including those of layer norms.
    pub fn zeros(config: &ModelConfig) -> Self {
        let layout = Arc::new(Layout::new(config));
        Self { values: vec![0.0; layout.len], layout }
    }

    /// TransformerLens' initial distribution.
    pub fn initial(config: &ModelConfig, seed: u64) -> Self {
        Self::drawn(config, Initialization::TransformerLens, seed)
    }

    /// Matrices from a normal distribution, biases 0, norm weights 1.
    pub fn drawn(config: &ModelConfig, init: Initialization, seed: u64) -> Self {
        let mut weights = Self::zeros(config);
        let layout = Arc::clone(&weights.layout);
        for (index, tensor) in layout.tensors().iter().enumerate() {
            let leaf = tensor.name.rsplit('.').next().unwrap_or_default();
            if leaf.starts_with("W_") {
                let normal = Normal::new(0.0, init.deviation(config, leaf)).expect("positive");
                let mut random = stream(seed, Purpose::InitialWeights, index as u64);
                tensor.positions().for_each(|at| weights.values[at] = normal.sample(&mut random));
            } else if leaf == "w" {
                tensor.positions().for_each(|at| weights.values[at] = 1.0);
            }
        }
        weights
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.layout.config
    }

    /// The weights in the form that the parts read.
    pub(super) fn params(&self) -> Params<'_> {
        let (config, values) = (self.config(), &self.values[..]);
        Params { config, values, transposed: &[], rotation: self.layout.rotation() }
    }

    /// Copies every matrix that the backward pass multiplies by, transposed, into its range of `to`: products read rows
    /// faster than columns, and one copy serves a whole batch.
    pub(super) fn transposed(&self, to: &mut Vec<f32>) {
        to.resize(self.values.len(), 0.0);
        for (matrix, bias) in self.layout.matrices() {
            transpose(self.part(matrix), bias.len(), &mut to[matrix.clone()]);
        }
    }

    /// Values of one range of the layout.
    pub fn part(&self, range: &Range<usize>) -> &[f32] {
        &self.values[range.clone()]
    }

    /// Weight and bias of a norm, if it has them.
    pub fn affine(&self, norm: Option<&NormLayout>) -> Option<Affine<'_>> {
        self.params().affine(norm)
    }

    /// The weight with this TransformerLens name, row-major.
    pub fn get(&self, name: &str) -> Option<Vec<f32>> {
        self.layout.tensor(name).map(|tensor| self.gather(tensor))
    }

    /// A named view's values, row-major.
    pub fn gather(&self, tensor: &TensorView) -> Vec<f32> {
        tensor.positions().map(|at| self.values[at]).collect()
    }

    /// Replaces the weight with this name by `values`, row-major. Panics on an unknown name or a wrong length.
    pub fn set(&mut self, name: &str, values: &[f32]) {
        let tensor = self.layout.tensor(name).unwrap_or_else(|| panic!("no weight {name}")).clone();
        assert_eq!(tensor.len(), values.len(), "{name}");
        tensor.positions().zip(values).for_each(|(at, &value)| self.values[at] = value);
    }

    /// The first weight with a value that is not finite, by name.
    pub fn first_non_finite(&self) -> Option<&str> {
        let bad = |tensor: &&TensorView| tensor.positions().any(|at| !self.values[at].is_finite());
        self.layout.tensors().iter().find(bad).map(|tensor| tensor.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_weights_follow_transformer_lens() {
        let weights = Weights::initial(&ModelConfig::default(), 23);
        let spread = |name: &str| {
            let values = weights.get(name).unwrap();
            (values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        };
        for name in ["embed.W_E", "blocks.0.attn.W_Q", "blocks.0.mlp.W_in", "unembed.W_U"] {
            assert!((spread(name) - 0.1).abs() < 0.01, "{name}: {}", spread(name));
        }
        assert_eq!(weights.get("ln_final.w").unwrap(), [1.0; 64]);
        assert_eq!(weights.get("blocks.0.mlp.b_in").unwrap(), [0.0; 256]);
        let weights = Weights::drawn(&ModelConfig::default(), Initialization::ProgressMeasures, 23);
        for (name, want) in [("embed.W_E", 0.125), ("blocks.0.attn.W_O", 0.125), ("unembed.W_U", 0.3162)] {
            let values = weights.get(name).unwrap();
            let spread = (values.iter().map(|v| v.powi(2)).sum::<f32>() / values.len() as f32).sqrt();
            assert!((spread / want - 1.0).abs() < 0.1, "{name}: {spread}");
        }
    }

    #[test]
    fn a_named_weight_reads_back_as_written() {
        let mut weights = Weights::zeros(&ModelConfig { n_layers: 2, ..ModelConfig::default() });
        let values: Vec<f32> = (0..2 * 64 * 32).map(|i| i as f32).collect();
        weights.set("blocks.1.attn.W_K", &values);
        assert_eq!(weights.get("blocks.1.attn.W_K").unwrap(), values);
        assert_eq!(weights.get("blocks.1.attn.W_Q").unwrap(), vec![0.0; values.len()]);
    }
}
