//! How long a key waits for its figures while a study is under way. `HEADCOUNT_LONG=1` takes the large model and holds the
//! times against their bar; otherwise a small one shows that a question never waits for the end of a study.

#[path = "common/bars.rs"]
mod bars;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use headcount::app::{App, AppOptions, ColorDepth, Command, Event, Glyphs, Ground, Mode};
use headcount::cli::explore::{Worker, WorkerMessage};
use headcount::inquiry::{AskedBy, Question};
use headcount::model::{Activations, ModelConfig, Patch, Snapshot, Weights, forward};
use headcount::task::{Dataset, Split, TaskConfig};
use headcount::train::TrainEvent;
use headcount::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use bars::{PATIENCE, is_long, times};

/// Beyond a forward pass.
const MORE: Duration = Duration::from_millis(50);

/// An explorer without a terminal: the app, the threads that answer, and a screen in memory.
struct Explorer {
    app: App,
    worker: Worker,
    words: Receiver<WorkerMessage>,
    terminal: Terminal<TestBackend>,
    /// The user's newest question about the sequence.
    asked: Option<u64>,
    /// Answers to studies, whole ones.
    studies: usize,
}

impl Explorer {
    fn new(weights: Weights, dataset: Arc<Dataset>) -> Self {
        let (app, first) = App::new(AppOptions {
            model: weights.config().clone(),
            seed: 1,
            dataset: Arc::clone(&dataset),
            depth: ColorDepth::Indexed256,
            glyphs: Glyphs::Utf8,
            ground: Ground::Dark,
            title: "majority".into(),
            mode: Mode::Live,
        });
        let (sender, words) = channel();
        let worker = Worker::spawn(dataset, 1, move |word| drop(sender.send(word))).unwrap();
        let terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        let mut explorer = Self { app, worker, words, terminal, asked: None, studies: 0 };
        explorer.execute(first);
        explorer.send(Event::Resize { width: 120, height: 40 });
        explorer.send(Event::Train(TrainEvent::Snapshot(Arc::new(Snapshot::new(0, weights)))));
        explorer
    }

    fn send(&mut self, event: Event) {
        let commands = self.app.update(event);
        self.execute(commands);
    }

    fn execute(&mut self, commands: Vec<Command>) {
        for command in commands {
            if let Command::Ask(inquiry) = command {
                if inquiry.question == Question::Probe && inquiry.by == AskedBy::User {
                    self.asked = Some(inquiry.generation);
                }
                self.worker.ask(*inquiry);
            }
        }
    }

    /// Presses a key, and waits until what it asked about the sequence is on the screen.
    fn press(&mut self, key: char) -> Duration {
        let started = Instant::now();
        self.asked = None;
        self.send(Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)));
        if matches!(key, 'r' | ' ') {
            assert!(self.asked.is_some(), "{key:?} asks nothing");
        }
        while let Some(asked) = self.asked {
            match self.words.recv_timeout(PATIENCE).expect("an answer comes") {
                WorkerMessage::Answer(answer) => {
                    let inquiry = &answer.inquiry;
                    self.studies += usize::from(!inquiry.question.is_quick());
                    if inquiry.question == Question::Probe && inquiry.generation == asked {
                        self.asked = None;
                    }
                    self.send(Event::Answer(answer));
                }
                WorkerMessage::Failure(failure) => panic!("{failure:?}"),
            }
        }
        self.terminal.draw(|frame| view::draw(frame, &self.app)).unwrap();
        started.elapsed()
    }
}

fn at(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// The times of passes with nothing else to do, sorted: their tail is the machine's own.
fn passes(weights: &Weights, data: &Dataset) -> Vec<Duration> {
    let example = data.example(Split::Validation, 0);
    let mut into = Activations::new(weights.config(), example.tokens().len());
    let mut taken: Vec<Duration> = (0..times(9, 100))
        .map(|_| {
            let started = Instant::now();
            forward(weights, example.tokens(), &Patch::default(), &mut into);
            started.elapsed()
        })
        .collect();
    taken.sort();
    taken
}

#[test]
fn a_key_waits_for_a_pass_and_not_for_a_study() {
    let small = ModelConfig { d_model: 32, d_head: 16, d_mlp: 64, n_ctx: 32, ..ModelConfig::default() };
    let large = ModelConfig {
        n_layers: 4,
        n_heads: 8,
        d_model: 512,
        d_head: 64,
        d_mlp: 2048,
        n_ctx: 512,
        ..ModelConfig::default()
    };
    let (model, sequences) = if is_long() { (large, 4000) } else { (small, 100_000) };
    let sizes = TaskConfig { sequences, train_fraction: 0.01, ..TaskConfig::default() };
    let data = Arc::new(sizes.dataset(model.shape(), 1).unwrap());
    let weights = Weights::initial(&model, 1);
    let mut late = Vec::new();
    // The study of a view (view 1 has none), the keys that ask about the sequence while it runs, and the passes that they
    // need: another sequence, an edit of it, another sequence with the edit in force, which is compared with none.
    for (study, keys, needed) in
        [("1", "r", 1), ("2", "r", 1), ("3", "r", 1), ("4", "r", 1), ("4", "j ", 1), ("4 6", "r", 2)]
    {
        let alone = passes(&weights, &data);
        let mut explorer = Explorer::new(weights.clone(), Arc::clone(&data));
        for key in study.chars() {
            explorer.press(key);
        }
        let before = explorer.studies;
        let mut taken: Vec<Duration> =
            (0..times(20, 100)).map(|_| keys.chars().map(|key| explorer.press(key)).sum()).collect();
        taken.sort();
        let [middle, p99, worst] = [0.5, 0.99, 1.0].map(|share| at(&taken, share));
        let [pass, pass_p99] = [0.5, 0.99].map(|share| at(&alone, share));
        println!(
            "view {study}, key {keys:?}: {middle:.1?}, p99 {p99:.1?}, at most {worst:.1?}; a pass takes {pass:.1?}, p99 {pass_p99:.1?}; {} partial answers",
            explorer.studies - before
        );
        if is_long() && p99 > needed * (pass + MORE) {
            late.push(format!("view {study}: {p99:?} beside {needed} pass(es) of {pass:?}"));
        }
    }
    assert!(late.is_empty(), "{late:#?}");
}
