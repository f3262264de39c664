//! The state of the screen, and `update(event) -> commands`. No I/O, no thread, no clock.
//!
//! The app computes no model number. Whenever tokens, interventions or snapshot change, it asks for a probe with a new
//! generation number, marks the numbers of the last answer as old until then, and drops late answers.

mod ablation;
mod act;
pub(crate) mod births;
mod circle;
mod circuits;
mod cursor;
pub(crate) mod curves;
mod difference;
mod edit_list;
mod event;
mod export;
mod filter;
mod form;
pub(crate) mod glossary;
mod history;
pub mod keymap;
mod moves;
mod neurons;
mod opening;
pub(crate) mod panels;
mod patching;
mod picker;
mod pinning;
mod reading;
mod sequence;
mod settings;
mod standing;
mod studies;
mod switch;
mod timeline;
pub(crate) mod tracked;
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

pub(crate) use ablation::{Ablation, InterventionRow, has_doses};
pub(crate) use circuits::{CircuitMap, Circuits, HeadFacts, MapInView, Plot, QkScale};
pub(crate) use cursor::Cursor;
pub(crate) use filter::Filter;
pub use glossary::glossary;
pub(crate) use history::{Bucket, History, Series};
pub use opening::{Opening, OpeningError};
pub(crate) use picker::{Picker, PickerKind};
pub(crate) use sequence::{Edit, Sequence};
pub(crate) use settings::{
    AttentionScale, Breakdown, ContributionsFrom, LogitPanel, LossScale, LowerPanel, MlpRow, Patterns,
    RunPanel, Settings, Sort, StreamReader, TrackerNumber, Zoom,
};
pub(crate) use studies::Studies;
pub use timeline::snapshot_bytes;
pub(crate) use timeline::{Look, Timeline};
pub(crate) use trainer::Trainer;
pub use views::ViewId;

/// What the screen shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A run in training.
    Live,
    /// Weights without a trainer: their name. Their one snapshot comes as a [`TrainEvent`](crate::train::TrainEvent).
    Exploring {
        /// Where the weights come from.
        weights: String,
    },
}

/// Options of a new app.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// The model's shape.
    pub model: ModelConfig,
    /// Seed of the random sequences.
    pub seed: u64,
    /// The run's data; may be empty.
    pub dataset: Arc<Dataset>,
    /// Colours that the terminal supports.
    pub depth: ColorDepth,
    /// Characters that the terminal supports.
    pub glyphs: Glyphs,
    /// The background behind the colours.
    pub ground: Ground,
    /// The task, and details if helpful: the first words on screen.
    pub title: String,
    /// Training or exploring.
    pub mode: Mode,
}

/// What receives the keys.
#[derive(Clone, Debug, Default)]
pub(crate) enum Focus {
    /// The view.
    #[default]
    View,
    /// The typing of tokens.
    Edit(Edit),
    /// The typing of a choice.
    Pick(Picker),
    /// The list of keys, scrolled down by this many lines.
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
    /// Which positions of the validation set the keys stop at.
    pub(crate) filter: Option<Filter>,
    /// Direction of the search that waits for predictions over the validation set.
    searching: Option<isize>,
    /// The requested form of the weights.
    pub(crate) form: WeightForm,
    pub(crate) studies: Studies,
    pub(crate) circuits: Circuits,
    /// For each neuron of the last layer, the token it tracks best, and its effect there.
    pub(crate) tracked: Arc<Vec<Option<(crate::task::Token, f64)>>>,
    pub(crate) timeline: Timeline,
    pub(crate) curves: curves::Curves,
    /// An app before the remembered subject, at the user's place.
    remembered: Option<Box<App>>,
    pub(crate) history: History,
    pub(crate) trainer: Trainer,
    /// The last answer.
    pub(crate) probe: Option<Arc<Probe>>,
    /// The generation of the last answer.
    shown: u64,
    pub(crate) notice: Option<Notice>,
    /// Columns and lines of the screen.
    pub(crate) size: (u16, u16),
    /// Generation of the last question.
    generation: u64,
    /// Generation of the last probe that the user asked for; later probes only follow the training.
    asked: u64,
    /// What happened to the last thread that failed.
    pub(crate) inquiry_failure: Option<String>,
    dirty: bool,
}

impl App {
    /// The app at its start, and its first commands. Nothing can be probed before the first snapshot.
    pub fn new(options: AppOptions) -> (Self, Vec<Command>) {
        let sequence = Sequence::new(&options.dataset, options.seed, options.model.n_ctx);
        let mut app = Self {
            view: ViewId::ALL[usize::from(options.mode != Mode::Live)],
            focus: Focus::default(),
            // Component 2 is the first head, as at the cursor, so that `space` acts at once.
            cursor: Cursor { component: 2, ..Cursor::default() },
            sequence,
            settings: Settings { diff: true, ..Settings::default() },
            ablation: Ablation::default(),
            filter: None,
            searching: None,
            form: WeightForm::default(),
            studies: Studies::default(),
            circuits: Circuits::default(),
            tracked: Arc::default(),
            timeline: Timeline::default(),
            curves: curves::Curves::default(),
            remembered: None,
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
        app.cursor.position = app.middle();
        (app, Vec::new())
    }

    /// Whether the screen has changed since the last call.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Requests a redraw: the screen's contents are lost.
    pub fn show_again(&mut self) {
        self.dirty = true;
    }

    /// The current view.
    pub fn view(&self) -> ViewId {
        self.view
    }

    /// Whether quitting now would end training early.
    pub fn is_training(&self) -> bool {
        self.options.mode == Mode::Live && self.trainer.is_busy()
    }

    /// The task of the model.
    pub(crate) fn task(&self) -> &dyn Task {
        &**self.options.dataset.task()
    }

    /// The typing of tokens, if active.
    pub(crate) fn edit_state(&self) -> Option<&Edit> {
        match &self.focus {
            Focus::Edit(edit) => Some(edit),
            _ => None,
        }
    }

    /// The tokens on screen: the typed ones, possibly none, or the explored ones.
    pub(crate) fn tokens(&self) -> &[crate::task::Token] {
        self.edit_state().map_or(&self.sequence.tokens, |edit| &edit.tokens)
    }

    /// The active context; in a view, [`keymap::Context::Everywhere`] is active too.
    pub fn context(&self) -> keymap::Context {
        match self.focus {
            Focus::View | Focus::Quit => keymap::Context::View(self.view),
            Focus::Edit(_) => keymap::Context::Typing,
            Focus::Pick(_) => keymap::Context::Picking,
            Focus::Help(_) => keymap::Context::Help,
        }
    }
}
