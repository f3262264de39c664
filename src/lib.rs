//! Train a small transformer and look inside it, in the terminal.
//!
//! The program is [`cli`]; everything that it computes is here for other programs too. Every number is produced in the
//! same way:
//!
//! ```text
//!  subject ── of which weights, sequence and edits ──┐
//!                                                    ├─> figure ──> panel ──> screen, CSV, JSON, safetensors
//!  question ── a file of `inquiry` ──────────────────┘   labelled   columns
//!                                                        array
//! ```
//!
//! A model, one of its sequences, and the effect of an ablation:
//!
//! ```
//! use headcount::analysis::Pass;
//! use headcount::model::{Interventions, ModelConfig, NeuronId, Patch, Weights};
//! use headcount::task::{Split, TaskConfig};
//!
//! let model = ModelConfig { n_ctx: 16, ..ModelConfig::default() };
//! let data = TaskConfig { sequences: 10, ..TaskConfig::default() }.dataset(model.shape(), 23)?;
//! let weights = Weights::initial(&model, 23); // or `read_weights(path, None)?.weights`
//! let example = data.example(Split::Validation, 0);
//!
//! let clean = Pass::run(&weights, example, &Patch::default());
//! let mut edits = Interventions::default();
//! edits.toggle_neuron(NeuronId { layer: 0, neuron: 103 });
//! let edited = clean.patched(&weights, example, &edits.patch(&model, None));
//!
//! // Hook names and shapes are TransformerLens'.
//! assert_eq!(clean.activations.blocks[0].resid_mid.len(), 16 * model.d_model);
//! assert_eq!(edited.neuron(0, 103, 15), 0.0);
//! assert_ne!(clean.loss(), edited.loss());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each layer depends only on the layers below: [`cli`] and [`term`] at the edge; [`app`] and [`view`], the screen's
//! state and its drawing; [`picture`], a drawn screen as text or SVG; then [`inquiry`], [`figure`], [`train`],
//! [`analysis`], [`model`] and [`task`], which are independent of the screen. [`random`] depends on nothing.

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
