//! A task for a model: sequences of tokens, and for each position the correct class, or none.
//!
//! A task is one file here and one line of [`TASKS`].

mod addition;
mod brackets;
mod config;
mod cumsum_sign;
mod dataset;
mod example;
mod first_unique;
mod induction;
mod listed;
mod majority;
mod max_of_k;
mod modular_addition;
mod palindrome;
mod rows;
mod sorted_list;
mod splitting;
mod unlabelled;
mod vocabulary;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

pub use config::{DataSource, Source, TaskConfig, TaskError};
pub use dataset::{Dataset, Split};
pub use example::{Class, Example, Targets};
pub use listed::{Listing, ListingError, TargetRule};
pub use rows::Rows;
pub use unlabelled::{UNLABELLED, unlabelled, unlabelled_named};
pub use vocabulary::Vocabulary;

/// One symbol of the input vocabulary.
pub type Token = u16;

/// Every built-in task; the first is the default.
pub const TASKS: [&Definition; 10] = [
    &majority::DEFINITION,
    &modular_addition::DEFINITION,
    &induction::DEFINITION,
    &sorted_list::DEFINITION,
    &addition::DEFINITION,
    &cumsum_sign::DEFINITION,
    &first_unique::DEFINITION,
    &palindrome::DEFINITION,
    &brackets::DEFINITION,
    &max_of_k::DEFINITION,
];

/// Properties of a task that do not depend on its settings.
#[derive(Debug)]
pub struct Definition {
    /// Its name for `--task`.
    pub name: &'static str,
    /// The question, in a sentence.
    pub question: &'static str,
    /// How targets follow from tokens, in a sentence.
    pub rule: &'static str,
    /// The results of the published model.
    pub published: &'static str,
    /// Time of the recipe on two cores.
    pub time: &'static str,
    /// Keys of the explorer and what they show of the published result, a line each.
    pub tour: &'static str,
    /// The task's own settings, keys of the table `task`.
    pub settings: &'static [Setting],
    /// Settings of model, task and training that differ from the defaults, as TOML.
    pub recipe: fn(&Settings) -> String,
    /// The task for a model of this context length and vocabulary.
    pub task: fn(&Settings, Shape) -> Arc<dyn Task>,
}

/// A setting of a task, a number.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the table `task`.
    pub name: &'static str,
    /// Its value unless given.
    pub default: usize,
    /// The least and the most it may be.
    pub range: (usize, usize),
}

/// The values of a task's own settings.
pub type Settings = BTreeMap<String, usize>;

/// The shape of a model's inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Longest sequence.
    pub n_ctx: usize,
    /// Input tokens.
    pub d_vocab: usize,
    /// Number of classes.
    pub d_vocab_out: usize,
}

/// A task for a model, with fixed settings.
pub trait Task: fmt::Debug + Send + Sync {
    /// Its names and measures.
    fn facts(&self) -> &Facts;

    /// Draws a sequence.
    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token>;

    /// The correct class at each position. Tokens must be in the vocabulary, but may form a sequence that the task
    /// never draws.
    fn targets(&self, tokens: &[Token]) -> Targets;

    /// Number of all sequences, if they can be enumerated.
    fn inputs(&self) -> Option<usize> {
        None
    }

    /// Sequence `index` of all; only if [`inputs`](Self::inputs) gives their number.
    fn input(&self, _index: usize) -> Vec<Token> {
        Vec::new()
    }
}

/// Names and measures of a task.
#[derive(Debug)]
pub struct Facts {
    /// Its name for `--task`.
    pub name: Cow<'static, str>,
    /// Names of the tokens.
    pub vocabulary: Vocabulary,
    /// Names of the classes.
    pub outputs: Vocabulary,
    /// Length of its longest sequence.
    pub n_ctx: usize,
    /// Series that neurons may track.
    pub features: &'static [Feature],
    /// Ways of sorting positions in which errors may differ.
    pub situations: &'static [Situation],
    /// A way of sorting the predictions at some positions, if it tells how the model answers them.
    pub answers: Option<&'static Answers>,
    /// The circle that its tokens form, if they do.
    pub cycle: Option<Cycle>,
}

impl Facts {
    /// Of a task whose classes are its tokens.
    pub fn new(name: impl Into<Cow<'static, str>>, vocabulary: Vocabulary, n_ctx: usize) -> Self {
        Self {
            name: name.into(),
            outputs: vocabulary.clone(),
            vocabulary,
            n_ctx,
            features: &[],
            situations: &[],
            answers: None,
            cycle: None,
        }
    }
}

impl dyn Task + '_ {
    /// Its name for `--task`.
    pub fn name(&self) -> &str {
        &self.facts().name
    }

    /// Names of the tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.facts().vocabulary
    }

    /// Names of the classes.
    pub fn outputs(&self) -> &Vocabulary {
        &self.facts().outputs
    }

    /// Length of its longest sequence.
    pub fn n_ctx(&self) -> usize {
        self.facts().n_ctx
    }

    /// Series that neurons may track.
    pub fn features(&self) -> &'static [Feature] {
        self.facts().features
    }

    /// Ways of sorting positions in which errors may differ.
    pub fn situations(&self) -> &'static [Situation] {
        self.facts().situations
    }
}

/// A way of sorting the predictions at some positions into named kinds.
#[derive(Debug)]
pub struct Answers {
    /// Which positions: `at ties`.
    pub name: &'static str,
    /// Names of the kinds.
    pub values: &'static [&'static str],
    /// The classes of each kind at each position, `[pos]`; empty where the question does not apply. The last kind is any
    /// other class, or none.
    pub of: fn(&[Token]) -> Vec<Vec<Vec<Class>>>,
}

impl Answers {
    /// The kind of each prediction, `[pos]`; `None` where the question does not apply.
    pub fn kinds(&self, tokens: &[Token], predictions: &[Option<Class>]) -> Vec<Option<usize>> {
        let kind = |(kinds, predicted): (&Vec<Vec<Class>>, &Option<Class>)| {
            let is_it = |classes: &Vec<Class>| predicted.is_some_and(|class| classes.contains(&class));
            (!kinds.is_empty()).then(|| kinds.iter().position(is_it).unwrap_or(self.values.len() - 1))
        };
        (self.of)(tokens).iter().zip(predictions).map(kind).collect()
    }
}

/// A circle of tokens: numbers modulo `len`, tokens 0 to `len - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Number of tokens.
    pub len: usize,
    /// Whether classes 0 to `len - 1` form the same circle.
    pub has_classes: bool,
    /// Whether the inputs are all pairs of operands: input `a * len + b` is the sequence of a and b.
    pub has_pairs: bool,
}

/// A way of sorting positions into named groups.
#[derive(Debug)]
pub struct Situation {
    /// Its name in one word, an argument of `eval --by`.
    pub name: &'static str,
    /// Names of the groups.
    pub values: &'static [&'static str],
    /// The group of each position, `[pos]`; `None` where the question does not apply.
    pub of: fn(&[Token]) -> Vec<Option<usize>>,
}

/// A function of a sequence and a class, at each position.
#[derive(Debug)]
pub struct Feature {
    /// Its name in at most two words.
    pub name: &'static str,
    /// In one word.
    pub short: &'static str,
    /// In JSON.
    pub key: &'static str,
    series: Series,
}

/// How the values of a feature follow from tokens and a class.
#[derive(Debug)]
enum Series {
    OfTokens(fn(&[Token], Class) -> Vec<f32>),
    OfTask(fn(&dyn Task, &[Token], Class) -> Vec<f32>),
}

impl Feature {
    /// Whether the class is the correct one: the hypothesis that a neuron holds the answer.
    pub const LABEL: Self = Self::of_task("label", "label", "is_label", |task, tokens, class| {
        task.targets(tokens).iter().map(|target| f32::from(u8::from(*target == Some(class)))).collect()
    });

    const fn new(
        name: &'static str,
        short: &'static str,
        key: &'static str,
        series: fn(&[Token], Class) -> Vec<f32>,
    ) -> Self {
        Self { name, short, key, series: Series::OfTokens(series) }
    }

    const fn of_task(
        name: &'static str,
        short: &'static str,
        key: &'static str,
        series: fn(&dyn Task, &[Token], Class) -> Vec<f32>,
    ) -> Self {
        Self { name, short, key, series: Series::OfTask(series) }
    }

    /// Its value at each position, `[pos]`, for a class of the task.
    pub fn series(&self, task: &dyn Task, tokens: &[Token], class: Class) -> Vec<f32> {
        match self.series {
            Series::OfTokens(series) => series(tokens, class),
            Series::OfTask(series) => series(task, tokens, class),
        }
    }
}

/// The task with this name.
pub fn find(name: &str) -> Option<&'static Definition> {
    TASKS.into_iter().find(|task| task.name == name)
}

/// The names of all tasks, as a list in a sentence.
pub fn names() -> String {
    TASKS.map(|task| task.name).join(", ")
}

impl Definition {
    /// All settings of the task: the given ones, defaults for the rest.
    pub fn settings(&self, given: &Settings) -> Settings {
        let value = |setting: &Setting| given.get(setting.name).copied().unwrap_or(setting.default);
        self.settings.iter().map(|setting| (setting.name.to_owned(), value(setting))).collect()
    }
}
