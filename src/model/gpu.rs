//! Training on an NVIDIA GPU.

use dfdx::prelude::*;
use dfdx::tensor::CudaError;

use super::backend::{Backend, Transformer};
use super::config::ModelConfig;
use super::layout::Layout;
use crate::cuda;

/// Share of the free memory for a part of a batch, as estimated by [`values_per_token`].
const SHARE: f64 = 0.7;

impl Backend for Cuda {
    fn room(&self, model: &Transformer, len: usize) -> usize {
        let Some((used, total)) = self.memory() else { return usize::MAX };
        let sequence = values_per_token(&model.layout.config, len) * len * size_of::<f32>();
        (((total - used) as f64 * SHARE) as usize / sequence).max(1)
    }

    fn explain(error: &CudaError) -> String {
        match error {
            CudaError::Driver(error) => cuda::explain(error.0 as i32),
            CudaError::Blas(error) => format!("cuBLAS failed: {error}"),
            CudaError::Cpu(error) => error.to_string(),
        }
    }

    fn is_out_of_memory(error: &CudaError) -> bool {
        matches!(error, CudaError::Driver(error) if error.0 as i32 == cuda::OUT_OF_MEMORY)
    }

    fn memory(&self) -> Option<(usize, usize)> {
        cuda::memory().ok().map(|(free, total)| (total - free, total))
    }
}

/// Bytes needed to train on one sequence of `len` tokens at a time: parameters, gradient and moments with the copies of
/// a step, and the activations.
pub fn least_memory(layout: &Layout, len: usize) -> usize {
    (6 * layout.len + values_per_token(&layout.config, len) * len) * size_of::<f32>()
}

/// Number of values that the composition and its gradients keep per token: the maximum on the emulated GPU, rounded up.
fn values_per_token(c: &ModelConfig, len: usize) -> usize {
    let block = 8 * c.d_model + 6 * c.d_heads() + 7 * c.n_heads * len + 14 * c.d_mlp;
    c.n_layers * block + 8 * c.d_model + 6 * (c.d_vocab + c.outputs())
}
