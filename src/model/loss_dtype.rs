//! Precision of the loss.

use serde::{Deserialize, Serialize};

/// Precision of log-softmax and loss; everything else is computed in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossDtype {
    /// Single: gradients of losses below 1e-7 are lost.
    #[default]
    F32,
    /// Double.
    F64,
}
