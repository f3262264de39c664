//! The parts that a model is made of. A file a part: where its weights lie, its rows forward and backward, its hooks, its
//! form composed of dfdx operations, and what folding does to it.

pub(super) mod activation;
pub(super) mod attention;
pub(super) mod linear;
pub(super) mod mlp;
pub(super) mod norm;
pub(super) mod positions;
pub(super) mod unembed;

pub use activation::Activation;
pub use norm::{Affine, LAYER_NORM_EPS, Normalization};
