//! Train a small transformer and look inside it, in the terminal.
//!
//! Layers, and an arrow goes down only: `cli` and `term` at the edge, `app` and `view` for the screen,
//! then `train`, `analysis`, `model` and `task`, which know of no screen.

pub mod term;
