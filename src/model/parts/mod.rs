//! The parts of a model, one file each: ranges of its weights, forward and backward pass, hooks, composition of dfdx
//! operations, and folding.

pub(super) mod activation;
pub(super) mod attention;
pub(super) mod linear;
pub(super) mod mlp;
pub(super) mod norm;
pub(super) mod positions;
pub(super) mod unembed;

pub use activation::Activation;
pub use norm::{Affine, LAYER_NORM_EPS, Normalization};
