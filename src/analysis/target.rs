//! The logit, or difference of logits, that contributions are measured on.

use super::logits::argmax;
use crate::task::{Class, Task};

/// The logit, or difference of logits, that contributions are measured on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The label's; the prediction's at a position without one.
    #[default]
    Label,
    /// The prediction's.
    Prediction,
    /// The label's less that of the likeliest other class.
    LabelMinusRunnerUp,
    /// A chosen class's.
    Token(Class),
}

/// A target at one position: the class whose logit counts, and the one whose logit is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedTarget {
    /// Counts.
    pub plus: Class,
    /// Is taken off.
    pub minus: Option<Class>,
}

impl Target {
    /// The classes meant at a position with that label, or none, and those logits.
    pub fn resolve(self, label: Option<Class>, logits: &[f32]) -> ResolvedTarget {
        let label = label.unwrap_or_else(|| argmax(logits));
        match self {
            Self::Label => ResolvedTarget { plus: label, minus: None },
            Self::Token(token) => ResolvedTarget { plus: token, minus: None },
            Self::Prediction => ResolvedTarget { plus: argmax(logits), minus: None },
            Self::LabelMinusRunnerUp => {
                let others = (0..logits.len()).filter(|&token| token != usize::from(label));
                let runner_up = others.max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
                ResolvedTarget { plus: label, minus: runner_up.map(|token| token as Class) }
            }
        }
    }
}

impl Target {
    /// As headings and files name a choice.
    pub fn words(self, task: &dyn Task) -> String {
        match self {
            Self::Label => "label".into(),
            Self::Prediction => "prediction".into(),
            Self::LabelMinusRunnerUp => "label minus runner-up".into(),
            Self::Token(class) => format!("token {}", task.outputs().name(class)),
        }
    }
}

impl ResolvedTarget {
    /// Its value in a row over the output vocabulary.
    pub fn value(self, row: &[f32]) -> f32 {
        row[usize::from(self.plus)] - self.minus.map_or(0.0, |minus| row[usize::from(minus)])
    }
}
