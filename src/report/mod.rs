//! The screen's numbers without a screen.

mod ablation;
mod summary;
mod trackers;

pub use ablation::AblationOutcome;
pub use summary::summary;
pub use trackers::{TokenTrackers, token_trackers};
