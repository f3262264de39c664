//! The screen without a terminal: keys go through the real `App::update`, the real schedule answers on the spot, and the
//! real `draw` draws into memory.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use headcount::analysis::Evaluation;
use headcount::app::{App, AppOptions, ColorDepth, Command, Event, Export, Glyphs, Ground, Mode, Notice};
use headcount::inquiry::{self, Answer, Bench, Inquiry, Question, Schedule};
use headcount::model::{ModelConfig, Snapshot, Weights, read_weights};
use headcount::picture;
use headcount::task::{Dataset, Listing, TaskConfig};
use headcount::train::{
    CurvePoint, EpochMetrics, RunState, StepMetrics, TrainCommand, TrainEvent, TrainPlan,
};
use headcount::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell, CellWidth};

/// Seed of everything.
pub const SEED: u64 = 23;

/// The notebook's model after training.
static TRAINED: LazyLock<Weights> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights.safetensors");
    read_weights(&path, None).expect("the fixture is a model's weights").weights
});

/// The trained weights.
pub fn trained() -> Weights {
    TRAINED.clone()
}

/// A screen and everything behind it, without a thread.
pub struct Screen {
    pub app: App,
    pub data: Arc<Dataset>,
    schedule: Schedule,
    bench: Bench,
    /// Whether questions are answered.
    answers: bool,
    /// What was told to the trainer, and the other commands that nobody here executes.
    pub told: Vec<TrainCommand>,
    pub evaluations: usize,
    pub copied: Vec<String>,
    pub exported: Vec<Export>,
    pub saved_edits: BTreeMap<String, String>,
    pub kept_points: Vec<CurvePoint>,
    pub suspended: usize,
    pub repainted: usize,
    pub quit: bool,
    /// Where runs are said to train.
    pub device: &'static str,
    width: u16,
    height: u16,
}

/// How a screen is made.
pub struct Setup {
    pub model: ModelConfig,
    pub width: u16,
    pub height: u16,
    pub depth: ColorDepth,
    pub glyphs: Glyphs,
    pub ground: Ground,
    pub mode: Mode,
    pub sequences: usize,
    /// Instead of `sequences` of the default task.
    pub task: Option<TaskConfig>,
    /// Instead of a task's data.
    pub listing: Option<Listing>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            model: ModelConfig::default(),
            width: 80,
            height: 24,
            depth: ColorDepth::TrueColor,
            glyphs: Glyphs::Utf8,
            ground: Ground::Dark,
            mode: Mode::Live,
            sequences: 60,
            task: None,
            listing: None,
        }
    }
}

impl Setup {
    pub fn sized(width: u16, height: u16) -> Self {
        Self { width, height, ..Self::default() }
    }

    pub fn screen(self) -> Screen {
        let halves = TaskConfig { sequences: self.sequences, train_fraction: 0.5, ..TaskConfig::default() };
        let task = self.task.unwrap_or(halves);
        let data = match self.listing {
            Some(listing) => listing.dataset(self.model.shape()).unwrap(),
            None => task.dataset(self.model.shape(), SEED).unwrap(),
        };
        let data = Arc::new(data);
        let (app, commands) = App::new(AppOptions {
            model: self.model,
            seed: SEED,
            dataset: Arc::clone(&data),
            depth: self.depth,
            glyphs: self.glyphs,
            ground: self.ground,
            title: data.task().name().into(),
            mode: self.mode,
        });
        let (width, height) = (self.width, self.height);
        let mut screen = Screen {
            app,
            schedule: Schedule::default(),
            answers: true,
            bench: Bench::new(Arc::clone(&data), SEED, None),
            data,
            told: Vec::new(),
            evaluations: 0,
            copied: Vec::new(),
            exported: Vec::new(),
            saved_edits: BTreeMap::new(),
            kept_points: Vec::new(),
            suspended: 0,
            repainted: 0,
            quit: false,
            device: "cpu",
            width,
            height,
        };
        screen.execute(commands);
        screen.resize(width, height);
        screen
    }
}

impl Screen {
    pub fn resize(&mut self, width: u16, height: u16) {
        (self.width, self.height) = (width, height);
        self.send(Event::Resize { width, height });
    }

    /// The same screen at another size.
    pub fn sized(&mut self, width: u16, height: u16) -> &mut Self {
        self.resize(width, height);
        self
    }

    pub fn send(&mut self, event: Event) {
        let commands = self.app.update(event);
        self.execute(commands);
    }

    pub fn train(&mut self, event: TrainEvent) {
        self.send(Event::Train(event));
    }

    pub fn snapshot(&mut self, step: usize, weights: Weights) {
        self.train(TrainEvent::Snapshot(Arc::new(Snapshot::new(step, weights))));
    }

    fn execute(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Train(command) => self.told.push(command),
                Command::Ask(mut inquiry) => {
                    if let Question::Ablation { controls, .. } = &mut inquiry.question {
                        self.evaluations += 1;
                        *controls = 5;
                    }
                    self.schedule.ask(*inquiry);
                }
                Command::Copy(text) => self.copied.push(text),
                Command::Export(export) => self.exported.push(export),
                Command::KeepPoints(points) => self.kept_points.extend(points),
                Command::SaveEdits { name, text } => drop(self.saved_edits.insert(name, text)),
                Command::LoadEdits(name) => {
                    let text = self.saved_edits.get(&name).cloned();
                    let missing = || Event::Notice(Notice::warning(format!("no {name}")));
                    self.send(text.map_or_else(missing, Event::Edits));
                }
                Command::Suspend => self.suspended += 1,
                Command::Repaint => self.repainted += 1,
                Command::Quit => self.quit = true,
            }
        }
        while self.answers
            && let Some(answer) = self.schedule.run(&self.bench)
        {
            self.send(Event::Answer(Box::new(answer)));
        }
    }

    /// From now on questions wait.
    pub fn stop_answering(&mut self) {
        self.answers = false;
    }

    /// Answers what waits.
    pub fn go_on_answering(&mut self) {
        self.answers = true;
        self.execute(Vec::new());
    }

    /// The answer to one question, given by hand.
    pub fn answer(&mut self, inquiry: &Inquiry) -> Answer {
        let answer = inquiry::answer(inquiry.clone(), &self.bench);
        self.send(Event::Answer(Box::new(answer.clone())));
        answer
    }

    /// Types keys: characters, and names in angle brackets: `4<down><space>`.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let (event, used) = match rest.find('>').filter(|_| first == '<' && rest.len() > 2) {
                Some(end) => (named(&rest[1..end]), end + 1),
                None => (KeyEvent::new(KeyCode::Char(first), KeyModifiers::NONE), first.len_utf8()),
            };
            rest = &rest[used..];
            self.send(Event::Key(event));
        }
        self
    }

    pub fn buffer(&self) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(self.width, self.height)).expect("memory is there");
        terminal.draw(|frame| view::draw(frame, &self.app)).expect("memory takes every frame");
        terminal.backend().buffer().clone()
    }

    /// The screen as lines of text.
    pub fn text(&self) -> String {
        let buffer = self.buffer();
        let lines = buffer.content.chunks(self.width.max(1).into()).map(|cells| {
            // A wide glyph covers the cell after it.
            let mut covered = 0;
            let own = |(column, cell): &(u16, &Cell)| {
                let own = *column >= covered;
                covered = if own { column + cell.symbol().cell_width() } else { covered };
                own
            };
            (0..).zip(cells).filter(own).map(|(_, cell)| cell.symbol()).collect::<String>()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn shows(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// Panics with the screen unless it shows the text.
    #[track_caller]
    pub fn must_show(&self, text: &str) {
        assert!(self.shows(text), "{text:?} is not on the screen:\n{}", self.text());
    }

    #[track_caller]
    pub fn must_not_show(&self, text: &str) {
        assert!(!self.shows(text), "{text:?} is on the screen:\n{}", self.text());
    }

    /// The line that starts with a word.
    #[track_caller]
    pub fn line(&self, start: &str) -> String {
        let text = self.text();
        let line = text.lines().find(|line| line.trim_start().starts_with(start));
        line.unwrap_or_else(|| panic!("no line starts with {start:?}:\n{text}")).to_owned()
    }

    /// A run as the screen sees it: its plan, a loss that falls, validations, and snapshots.
    pub fn run(&mut self, steps: usize, snapshots: &[(usize, Weights)]) {
        self.start(420);
        for step in 1..=steps {
            self.train(TrainEvent::Step(StepMetrics {
                step,
                epoch: (step - 1) / 7 + 1,
                train_loss: loss_at(step),
                lr: 0.01 * (std::f64::consts::PI * step as f64 / 420.0).sin(),
            }));
            if step % 7 == 0 {
                self.train(TrainEvent::Epoch(epoch_at(step)));
            }
            for (_, weights) in snapshots.iter().filter(|(at, _)| *at == step) {
                self.snapshot(step, weights.clone());
            }
        }
        self.send(Event::StepRate(13.9));
    }

    pub fn start(&mut self, total_steps: usize) {
        self.train(TrainEvent::Started(TrainPlan {
            task: "majority".into(),
            total_steps,
            steps_per_epoch: 7,
            validate_every: 7,
            start_step: 0,
            device: self.device.into(),
            run_dir: None,
        }));
        self.train(TrainEvent::State(RunState::Running));
    }
}

fn named(name: &str) -> KeyEvent {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    match name {
        "left" => plain(KeyCode::Left),
        "right" => plain(KeyCode::Right),
        "up" => plain(KeyCode::Up),
        "down" => plain(KeyCode::Down),
        "home" => plain(KeyCode::Home),
        "end" => plain(KeyCode::End),
        "pgup" => plain(KeyCode::PageUp),
        "pgdn" => plain(KeyCode::PageDown),
        "space" => plain(KeyCode::Char(' ')),
        "enter" => plain(KeyCode::Enter),
        "esc" => plain(KeyCode::Esc),
        "tab" => plain(KeyCode::Tab),
        "backtab" => plain(KeyCode::BackTab),
        "backspace" => plain(KeyCode::Backspace),
        "delete" => plain(KeyCode::Delete),
        "insert" => plain(KeyCode::Insert),
        "lt" => plain(KeyCode::Char('<')),
        _ => match name.strip_prefix("ctrl-").and_then(|name| name.chars().next()) {
            Some(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
            None => panic!("no key is called {name}"),
        },
    }
}

/// A loss as runs have it: flat, a fall, a slow end, with noise from no generator.
pub fn loss_at(step: usize) -> f32 {
    let x = step as f32;
    let noise = 1.0 + 0.08 * (x * 12.9898).sin();
    (2.25 / (1.0 + ((x - 90.0) / 22.0).exp()) + 0.05 + 0.3 * (-x / 120.0).exp()) * noise
}

pub fn epoch_at(step: usize) -> EpochMetrics {
    let loss = f64::from(loss_at(step)) * 1.1;
    let accuracy = (1.0 - loss / 2.6).clamp(0.0, 1.0);
    let validation = Evaluation {
        sequences: 410,
        loss,
        accuracy,
        accuracy_last: (accuracy - 0.01).max(0.0),
        accuracy_by_class: (0..10)
            .map(|class| Some((accuracy + 0.004 * (f64::from(class) - 5.0)).clamp(0.0, 1.0)))
            .collect(),
        loss_by_class: vec![Some(loss); 10],
        accuracy_by_position: (0..128)
            .map(|at| {
                let rises = accuracy - 0.1 * (-f64::from(at) / 30.0).exp() + 0.01 * f64::from(at % 7) / 7.0;
                Some(rises.clamp(0.0, 1.0))
            })
            .collect(),
        loss_by_position: Vec::new(),
        by_situation: Vec::new(),
        answers: Vec::new(),
        confusion: Vec::new(),
    };
    EpochMetrics { epoch: step / 7, step, validation, train_accuracy: f64::NAN }
}

fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots")
}

/// Holds the screen against its reviewed picture.
#[track_caller]
pub fn assert_picture(name: &str, screen: &Screen) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(snapshots());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, picture::text(&screen.buffer())));
}

/// Holds the screen against the image that the README shows; `UPDATE=1` writes it.
#[track_caller]
pub fn assert_image(name: &str, screen: &Screen) {
    let image = picture::svg(&screen.buffer(), &format!("headcount: {name}"));
    let path = snapshots().join(format!("{name}.svg"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &image).expect("snapshots/ can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == image, "{} is not what the screen shows: UPDATE=1 writes it", path.display());
}
