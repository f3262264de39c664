//! The parts of a model, one file each: ranges of its weights, forward and backward pass, hooks, composition of dfdx
//! operations, and folding.

pub(super) mod activation;
pub(super) mod attention;
pub(super) mod embed;
mod gelu;
pub(super) mod linear;
pub(super) mod mlp;
pub(super) mod norm;
mod positions;
pub(super) mod rotary;
pub(super) mod shortformer;
mod silu;
mod solu;
pub(super) mod unembed;

pub use activation::Activation;
pub use norm::{Affine, Normalization};
pub use positions::PositionEmbedding;
