//! From a snapshot, a sequence and a set of interventions to numbers.

pub mod attention;
pub mod attribution;
pub mod evaluation;
pub mod neurons;
pub mod probe;

pub use attention::HeadSummary;
pub use attribution::{Attribution, Target, Writer};
pub use evaluation::{AblationReport, Controls, Evaluation, evaluate};
pub use neurons::NeuronDirections;
pub use probe::{Pass, Probe, ProbeRequest, Snapshot, probe};
