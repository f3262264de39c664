//! The transformer: shape, weights, forward pass with every activation, gradients.

pub mod activations;
mod adjoints;
pub mod backend;
mod batch;
mod cache;
mod clone_into;
mod composed;
mod config;
mod donor;
pub mod edit;
mod edit_backward;
mod edit_composed;
mod exponentials;
mod fold;
#[cfg(feature = "cuda")]
mod gpu;
mod hooks;
mod ids;
mod interventions;
mod kernels;
mod layout;
mod loss_dtype;
mod matmul;
mod one_hot;
mod parts;
mod pass;
mod patch;
mod place;
mod places;
mod rule;
mod rule_file;
mod rule_table;
mod settings;
mod single;
mod snapshot;
mod summary;
mod tape;
mod tile;
mod visible;
mod weights;
pub mod weights_file;

pub use activations::Activations;
pub use backend::{Backend, Transformer, composed_loss};
pub use batch::{BatchResult, Workspace};
pub use cache::{cache, edit_cache};
pub use config::{ConfigError, ModelConfig};
pub use donor::{Donor, hook_rows};
pub use edit::{AblationKind, Change, Edit, Hook, Means, PatternKind, Positions};
pub use fold::{FoldOptions, fold};
#[cfg(feature = "cuda")]
pub use gpu::least_memory;
pub use hooks::NamedTensor;
pub use ids::{HeadId, NeuronId};
pub use interventions::Interventions;
pub use kernels::{centre, instruction_set, sum_p_ln_p, transpose};
pub use layout::Layout;
pub use loss_dtype::LossDtype;
pub use matmul::{Mat, MatMut, Write, matmul};
pub use one_hot::Sequences;
pub use parts::{Activation, Affine, Normalization, PositionEmbedding};
pub use pass::{
    attn_out, cross_entropy, embed_rows, forward, forward_again, forward_each, mlp_out, normalized,
    pos_embed_rows, unembed,
};
pub use patch::{Op, Patch, PatchOf, PatternRows};
pub use place::TensorView;
pub use places::Places;
pub use rule::{Becomes, EditDirection, EditRule, Reader, Site};
pub use rule_file::{EditsError, read_edits, write_edits};
pub use rule_table::{DirectionTable, EditTable, Name, ReaderTable, To};
pub use settings::{ModelSettings, backticked, keys_of};
pub use single::change_each;
pub use snapshot::{FoldCache, Snapshot};
pub use summary::summary;
pub use tile::tiles;
pub use visible::{AttentionDirection, VisibleKeys};
pub use weights::{Initialization, Weights};
pub use weights_file::{Opened, WeightsError, read_weights};
