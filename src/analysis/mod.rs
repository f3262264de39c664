//! The formulas: numbers from weights, a sequence and interventions.

mod ablation;
pub mod attention;
pub mod attribution;
pub mod circuits;
pub mod controls;
mod correlation;
pub mod evaluation;
pub mod head_scores;
pub mod hypotheses;
pub mod lens;
pub mod logits;
mod low_rank;
pub mod neurons;
pub mod pass;
mod pool;
pub mod readout;
mod scores;
mod target;
pub mod total;
mod trackers;
mod tuning;

pub use ablation::{AblationOutcome, Each};
pub use attention::HeadSummary;
pub use attribution::{Attribution, Component};
pub use controls::{ControlPool, Controls};
pub use evaluation::{Evaluation, Tally, evaluate};
pub use low_rank::LowRank;
pub use neurons::NeuronHook;
pub use pass::Pass;
pub use pool::ActivationPool;
pub use readout::Readout;
pub use scores::{Predicted, Scores, donors};
pub use target::{ResolvedTarget, Target};
pub use trackers::{TokenTrackers, token_trackers};
pub use tuning::TuningPoint;
