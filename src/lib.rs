//! Train a small transformer and look inside it, in the terminal.
//!
//! Layers, with dependencies downwards only: `cli` and `term` at the edge, `app` and `view` for the screen, `picture`
//! for its contents, then `inquiry`, `train`, `analysis`, `model` and `task`, which do not depend on a screen.
//! `number`, `random` and `sanitize` serve all layers; like `cuda`, which finds GPUs, they depend on none.

pub mod analysis;
pub mod app;
pub mod cli;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod figure;
pub mod inquiry;
mod memory;
pub mod model;
mod number;
pub mod picture;
pub mod random;
mod sanitize;
pub mod task;
pub mod term;
pub mod train;
pub mod view;
