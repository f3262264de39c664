//! The transformer: its shape, its weights, its forward pass with every activation, its gradients.

pub mod activations;
pub mod backend;
mod backward;
mod batch;
mod cache;
mod composed;
mod config;
mod fold;
mod forward;
#[cfg(feature = "cuda")]
mod gpu;
mod ids;
pub mod intervention;
mod kernels;
mod layout;
mod loss_dtype;
mod matmul;
mod one_hot;
mod settings;
mod snapshot;
mod weights;
pub mod weights_file;

pub use activations::Activations;
pub use backend::{Backend, Transformer, composed_loss};
pub use backward::cross_entropy;
pub use batch::{BatchResult, Workspace};
pub use cache::{NamedTensor, cache, mlp_out};
pub use config::{Activation, ConfigError, LAYER_NORM_EPS, ModelConfig, Normalization};
pub use fold::{FoldOptions, fold};
pub use forward::{forward, forward_again, unembed};
#[cfg(feature = "cuda")]
pub use gpu::least_memory;
pub use ids::{HeadId, NeuronId};
pub use intervention::{AblationKind, Interventions, Means, Patch, PatternKind};
pub use kernels::centre;
pub use layout::{Layout, TensorView};
pub use loss_dtype::LossDtype;
pub use matmul::{Mat, MatMut, Write, matmul};
pub use one_hot::Sequences;
pub use settings::{ModelSettings, backticked, keys_of};
pub use snapshot::{FoldCache, Snapshot};
pub use weights::{Affine, Initialization, Weights};
pub use weights_file::{Opened, WeightsError, read_weights};
