//! The screen's numbers without a screen.

mod ablation;
mod summary;

pub use ablation::AblationOutcome;
pub use summary::summary;
