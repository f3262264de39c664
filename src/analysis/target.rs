//! The logit, or difference of logits, that contributions refer to.

use super::logits::argmax;
use crate::task::{Class, Task};

/// The logit, or difference of logits, that contributions refer to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The label's logit; the prediction's at a position without a label.
    #[default]
    Label,
    /// The prediction's logit.
    Prediction,
    /// The label's logit minus that of the most likely other class.
    LabelMinusRunnerUp,
    /// A chosen class's logit.
    Token(Class),
}

/// A target at one position: the class whose logit is added, and the class whose logit is subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedTarget {
    /// Added.
    pub plus: Class,
    /// Subtracted.
    pub minus: Option<Class>,
}

impl Target {
    /// The classes of the target at a position with this label, or none, and these logits.
    pub fn resolve(self, label: Option<Class>, logits: &[f32]) -> ResolvedTarget {
        let label = label.unwrap_or_else(|| argmax(logits));
        match self {
            Self::Label => label.into(),
            Self::Token(token) => token.into(),
            Self::Prediction => argmax(logits).into(),
            Self::LabelMinusRunnerUp => {
                let others = (0..logits.len()).filter(|&token| token != usize::from(label));
                let runner_up = others.max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
                ResolvedTarget { plus: label, minus: runner_up.map(|token| token as Class) }
            }
        }
    }
}

impl Target {
    /// Its name in headings and files.
    pub fn words(self, task: &dyn Task) -> String {
        match self {
            Self::Label => "label".into(),
            Self::Prediction => "prediction".into(),
            Self::LabelMinusRunnerUp => "label minus runner-up".into(),
            Self::Token(class) => format!("class {}", task.outputs().name(class)),
        }
    }
}

impl ResolvedTarget {
    /// The target's value in a row over the output vocabulary.
    pub fn value(self, row: &[f32]) -> f32 {
        self.of(|class| row[class])
    }

    /// The target's value, of a function of a class.
    pub fn of(self, value: impl Fn(usize) -> f32) -> f32 {
        value(self.plus.into()) - self.minus.map_or(0.0, |minus| value(minus.into()))
    }
}

/// One class's logit.
impl From<Class> for ResolvedTarget {
    fn from(plus: Class) -> Self {
        Self { plus, minus: None }
    }
}
