//! The transformer: its shape, its weights, its forward pass with every activation, its gradients.

pub mod activations;
pub mod backend;
mod backward;
mod batch;

mod composed;
mod config;

mod forward;
pub mod intervention;
mod kernels;
mod layout;
mod matmul;
mod weights;

pub use activations::Activations;
pub use backend::{Backend, Transformer};
pub use backward::cross_entropy;
pub use batch::{BatchResult, Workspace};

pub use config::{Activation, ConfigError, LAYER_NORM_EPS, ModelConfig, Normalization};

pub use forward::forward;
pub use intervention::{AblationKind, HeadId, Interventions, Means, NeuronId, Patch};
pub use layout::{Layout, TensorView};
pub use matmul::{Mat, MatMut, Write, matmul};
pub use weights::{Affine, Weights};
