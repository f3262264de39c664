//! From a snapshot, a sequence and a set of interventions to numbers.

pub mod attention;
pub mod attribution;
pub mod circuits;
pub mod evaluation;
pub mod hypotheses;
pub mod lens;
pub mod logits;
pub mod neurons;
pub mod probe;
pub mod study;

pub use attention::HeadSummary;
pub use attribution::{Attribution, Target, Writer};
pub use evaluation::{AblationReport, Controls, Evaluation, Tally, evaluate};
pub use neurons::NeuronDirections;
pub use probe::{Known, Pass, Probe, ProbeRequest, probe, probe_after};
pub use study::{Findings, Study, StudyRequest, Topic};
