//! A question put to a model: sequences of tokens, and for each position the class that is right, or none.
//!
//! A task is one file here and one line of [`TASKS`].

mod config;
mod dataset;
mod example;
mod listed;
mod majority;
mod modular_addition;
mod unlabelled;
mod vocabulary;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

pub use config::{Source, TaskConfig, TaskError};
pub use dataset::{Dataset, Split};
pub use example::{Class, Example, Targets};
pub use listed::{Listing, ListingError};
pub use unlabelled::unlabelled;
pub use vocabulary::Vocabulary;

/// One symbol of the input vocabulary.
pub type Token = u16;

/// Every built-in task; the first is the default.
pub const TASKS: [&Definition; 2] = [&majority::DEFINITION, &modular_addition::DEFINITION];

/// What is known of a task before its settings are.
#[derive(Debug)]
pub struct Definition {
    /// As `--task` takes it.
    pub name: &'static str,
    /// What is asked, in a sentence.
    pub question: &'static str,
    /// How targets follow from tokens, in a sentence.
    pub rule: &'static str,
    /// What the published model reaches.
    pub published: &'static str,
    /// Numbers of its own, keys of the table `task`.
    pub settings: &'static [Setting],
    /// Settings of model, task and training that differ from the defaults, as TOML.
    pub recipe: fn(&Settings) -> String,
    /// The task for a model of this context length and vocabulary.
    pub task: fn(&Settings, Shape) -> Arc<dyn Task>,
}

/// A number that belongs to a task.
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

/// What a model reads and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Longest sequence.
    pub n_ctx: usize,
    /// Input tokens.
    pub d_vocab: usize,
    /// Classes.
    pub d_vocab_out: usize,
}

/// A question put to a model, its settings fixed.
pub trait Task: fmt::Debug + Send + Sync {
    /// As `--task` takes it.
    fn name(&self) -> &str;

    /// Names of the tokens.
    fn vocabulary(&self) -> &Vocabulary;

    /// Names of the classes.
    fn outputs(&self) -> &Vocabulary {
        self.vocabulary()
    }

    /// Tokens in its longest sequence.
    fn n_ctx(&self) -> usize;

    /// Draws a sequence.
    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token>;

    /// What is right at each position. Tokens must be of the vocabulary, but need not be a sequence that the task draws.
    fn targets(&self, tokens: &[Token]) -> Targets;

    /// How many sequences there are in all, where they can be listed.
    fn inputs(&self) -> Option<usize> {
        None
    }

    /// Sequence `index` of all; only where [`inputs`](Self::inputs) says how many there are.
    fn input(&self, _index: usize) -> Vec<Token> {
        Vec::new()
    }

    /// Series that neurons may follow.
    fn features(&self) -> &'static [Feature] {
        &[]
    }
}

/// A function of a sequence and a class, at each position.
#[derive(Debug)]
pub struct Feature {
    /// In two words at the most.
    pub name: &'static str,
    /// In one word.
    pub short: &'static str,
    /// In JSON.
    pub key: &'static str,
    /// Its value at each position, `[pos]`, for a class.
    pub series: fn(&[Token], Class) -> Vec<f32>,
}

/// The task of that name.
pub fn find(name: &str) -> Option<&'static Definition> {
    TASKS.into_iter().find(|task| task.name == name)
}

/// The names of all tasks, as a list in a sentence.
pub fn names() -> String {
    TASKS.map(|task| task.name).join(", ")
}

impl Definition {
    /// All its settings: those given, defaults for the rest.
    pub fn settings(&self, given: &Settings) -> Settings {
        let value = |setting: &Setting| given.get(setting.name).copied().unwrap_or(setting.default);
        self.settings.iter().map(|setting| (setting.name.to_owned(), value(setting))).collect()
    }
}
