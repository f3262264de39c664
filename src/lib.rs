//! Train a small transformer and look inside it, in the terminal.
//!
//! Layers, and an arrow goes down only: `cli` and `term` at the edge, `app` and `view` for the screen, `picture` for what
//! was drawn on it, then `inquiry`, `train`, `analysis`, `model` and `task`, which know of no screen. `cuda` finds GPUs and
//! knows of nothing else; `number`, `random` and `sanitize` know of nothing and serve all.

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
