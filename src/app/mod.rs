//! What the screen is about: state, and `update(event) -> commands`. No I/O, no thread, no clock.
//!
//! The app computes no model number. Whenever the tokens, the interventions or the snapshot in view change it asks for a
//! probe under a rising generation number, marks what is drawn of the last answer meanwhile, and drops late answers.

mod ablation;
mod act;
mod circuits;
mod cursor;
mod event;
mod export;
mod form;
pub(crate) mod glossary;
mod history;
pub mod keymap;
mod moves;
mod neurons;
mod opening;
pub(crate) mod panels;
mod sequence;
mod settings;
mod studies;
mod switch;
mod timeline;
mod tracked;
mod trainer;
mod typing;
mod update;
pub(crate) mod views;

use std::sync::Arc;

use crate::inquiry::{Probe, WeightForm};
use crate::model::ModelConfig;
use crate::task::{Dataset, Task};
pub use crate::term::{ColorDepth, Glyphs, Ground};

pub use event::{Command, Event, Export, InquiryFailure, Level, Notice};

pub(crate) use ablation::{Ablation, InterventionRow};
pub(crate) use circuits::{CircuitMap, Circuits, MapInView, QkScale};
pub(crate) use cursor::Cursor;
pub use glossary::glossary;
pub(crate) use history::{Bucket, History, Series};
pub use opening::{Opening, OpeningError};
pub(crate) use sequence::{Edit, Sequence};
pub(crate) use settings::{
    AttentionScale, LogitPanel, LossScale, LowerPanel, MlpRow, Patterns, Settings, Sort, Zoom,
};
pub(crate) use studies::Studies;
pub use timeline::snapshot_bytes;
pub(crate) use timeline::{Look, Timeline};
pub(crate) use trainer::Trainer;
pub use views::ViewId;

/// What the screen is opened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A run that trains.
    Live,
    /// Weights that nobody trains: their name. Their one snapshot comes as a [`TrainEvent`](crate::train::TrainEvent).
    Exploring {
        /// Where the weights come from.
        weights: String,
    },
}

/// What the app is made from.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// The model's shape.
    pub model: ModelConfig,
    /// Of the sequences that are drawn for exploring.
    pub seed: u64,
    /// The run's data; may hold no sequence at all.
    pub dataset: Arc<Dataset>,
    /// Colours the terminal can show.
    pub depth: ColorDepth,
    /// Characters the terminal can show.
    pub glyphs: Glyphs,
    /// What the colours have to be readable on.
    pub ground: Ground,
    /// The task, and more if it helps: the first words of the screen.
    pub title: String,
    /// Whether something trains.
    pub mode: Mode,
}

/// Something on screen that takes the keys.
#[derive(Clone, Debug, Default)]
pub(crate) enum Focus {
    /// The view.
    #[default]
    View,
    /// Tokens are typed.
    Edit(Edit),
    /// The list of keys, scrolled down by so many lines.
    Help(usize),
    /// The question whether to quit.
    Quit,
}

/// The state of the screen.
#[derive(Debug)]
pub struct App {
    pub(crate) options: AppOptions,
    pub(crate) view: ViewId,
    pub(crate) focus: Focus,
    pub(crate) cursor: Cursor,
    pub(crate) settings: Settings,
    pub(crate) sequence: Sequence,
    pub(crate) ablation: Ablation,
    /// The form of the weights that is asked for.
    pub(crate) form: WeightForm,
    pub(crate) studies: Studies,
    pub(crate) circuits: Circuits,
    /// By neuron of the last layer, the token it tracks best, and its effect there.
    pub(crate) tracked: Arc<Vec<Option<(crate::task::Token, f64)>>>,
    pub(crate) timeline: Timeline,
    pub(crate) history: History,
    pub(crate) trainer: Trainer,
    /// The last answer.
    pub(crate) probe: Option<Arc<Probe>>,
    /// The generation of the last answer.
    shown: u64,
    pub(crate) notice: Option<Notice>,
    /// Columns and lines of the screen.
    pub(crate) size: (u16, u16),
    /// Of the last question.
    generation: u64,
    /// Of the last probe that the user asked for; those after it only follow the training.
    asked: u64,
    /// What became of the last thread that answered no more.
    pub(crate) inquiry_failure: Option<String>,
    dirty: bool,
}

impl App {
    /// The app as it starts, and what it wants done. Nothing can be probed before the first snapshot.
    pub fn new(options: AppOptions) -> (Self, Vec<Command>) {
        let sequence = Sequence::new(&options.dataset, options.seed, options.model.n_ctx);
        let app = Self {
            view: ViewId::ALL[usize::from(options.mode != Mode::Live)],
            focus: Focus::default(),
            // The middle: at the start attention has no choice. The first head, which is also the cursor's: `space` does
            // something at once.
            cursor: Cursor { position: sequence.tokens.len() / 2, component: 2, ..Cursor::default() },
            sequence,
            settings: Settings { diff: true, ..Settings::default() },
            ablation: Ablation::default(),
            form: WeightForm::default(),
            studies: Studies::default(),
            circuits: Circuits::default(),
            tracked: Arc::default(),
            timeline: Timeline::default(),
            history: History::default(),
            trainer: Trainer::default(),
            probe: None,
            shown: 0,
            notice: None,
            size: (80, 24),
            generation: 0,
            asked: 0,
            inquiry_failure: None,
            dirty: true,
            options,
        };
        (app, Vec::new())
    }

    /// Whether the screen would look different from the last time this was asked.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// What was on the screen is there no more.
    pub fn show_again(&mut self) {
        self.dirty = true;
    }

    /// The view that is shown.
    pub fn view(&self) -> ViewId {
        self.view
    }

    /// Whether training would be cut short by quitting now.
    pub fn is_training(&self) -> bool {
        self.options.mode == Mode::Live && self.trainer.is_busy()
    }

    /// The question that is put to the model.
    pub(crate) fn task(&self) -> &dyn Task {
        &**self.options.dataset.task()
    }

    /// What is being typed, if tokens are.
    pub(crate) fn edit_state(&self) -> Option<&Edit> {
        match &self.focus {
            Focus::Edit(edit) => Some(edit),
            _ => None,
        }
    }

    /// The tokens on screen: those being typed, which may be none, or those explored.
    pub(crate) fn tokens(&self) -> &[crate::task::Token] {
        self.edit_state().map_or(&self.sequence.tokens, |edit| &edit.tokens)
    }

    /// The context whose keys hold, besides [`keymap::Context::Everywhere`] in a view.
    pub fn context(&self) -> keymap::Context {
        match self.focus {
            Focus::View | Focus::Quit => keymap::Context::View(self.view),
            Focus::Edit(_) => keymap::Context::Typing,
            Focus::Help(_) => keymap::Context::Help,
        }
    }
}
