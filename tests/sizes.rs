//! No size and no state breaks the screen.

mod common;

use std::sync::Arc;

use common::{Screen, Setup, trained};
use headcount::app::{ColorDepth, Event, Glyphs, Mode, Notice};
use headcount::model::{
    Activation, AttentionDirection, ModelConfig, Normalization, PositionEmbedding, Weights,
};
use headcount::task::{Dataset, TaskConfig};
use headcount::train::{EpochMetrics, RunState, StepMetrics, TrainEvent};

/// Keys that reach every view and setting.
const TOUR: [&str; 20] = [
    "1",
    "2",
    "2xZ",
    "2xzz",
    "2v",
    "2A",
    "3",
    "3tto",
    "4",
    "4sv",
    "4oo",
    "4bB",
    "5",
    "5jjllx",
    "5v<down>x",
    "5v",
    "5v.<right><right>",
    "?",
    "<esc>i",
    "<esc>4p<space>6",
];

/// Draws everything at a size.
fn tour(screen: &mut Screen, width: u16, height: u16) {
    screen.resize(width, height);
    for keys in TOUR {
        screen.keys("<esc>");
        screen.keys(keys).buffer();
    }
    screen.keys("<esc>u");
}

fn model(change: impl FnOnce(&mut ModelConfig)) -> ModelConfig {
    let mut model = ModelConfig { n_ctx: 16, d_model: 8, d_head: 4, d_mlp: 24, ..ModelConfig::default() };
    change(&mut model);
    model
}

fn with_weights(model: ModelConfig) -> Screen {
    let weights = Weights::initial(&model, 1);
    let mut screen = Setup { model, sequences: 8, ..Setup::default() }.screen();
    screen.start(100);
    screen.snapshot(0, weights);
    screen.keys("<end>");
    screen
}

fn states() -> Vec<(&'static str, Screen)> {
    let mut failed = with_weights(model(|_| {}));
    failed.run(20, &[]);
    failed.train(TrainEvent::Failed(
        "a\nreason\u{1b}[2J of some length that does not fit on any line at all".into(),
    ));
    let mut nan = with_weights(model(|_| {}));
    for step in 1..20 {
        let train_loss = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0][step % 4];
        nan.train(TrainEvent::Step(StepMetrics { step, epoch: 0, train_loss, lr: f64::NAN }));
    }
    let mut broken = Weights::initial(&model(|_| {}), 1);
    broken.values.fill(f32::NAN);
    nan.snapshot(20, broken);
    let mut huge = with_weights(model(|_| {}));
    let mut weights = Weights::initial(&model(|_| {}), 1);
    weights.values.iter_mut().for_each(|value| *value *= 1e30);
    huge.snapshot(1, weights);
    let mut folded = with_weights(model(|_| {}));
    folded.keys("F");
    vec![
        ("empty", Setup { model: model(|_| {}), sequences: 8, ..Setup::default() }.screen()),
        ("typical", with_weights(model(|_| {}))),
        ("folded", folded),
        ("failed", failed),
        ("NaN", nan),
        ("huge", huge),
        ("one position", with_weights(model(|m| m.n_ctx = 1))),
        ("attention only", with_weights(model(|m| m.d_mlp = 0))),
        ("three layers", with_weights(model(|m| (m.n_layers, m.n_heads) = (3, 5)))),
        ("many tokens", with_weights(model(|m| m.d_vocab = 300))),
        ("one neuron", with_weights(model(|m| (m.d_mlp, m.act_fn) = (1, Activation::Gelu)))),
        ("no norm", with_weights(model(|m| m.normalization_type = Normalization::None))),
        (
            "rotary",
            with_weights(model(|m| {
                m.normalization_type = Normalization::Rms;
                m.positional_embedding_type = PositionEmbedding::Rotary;
            })),
        ),
        (
            "sees all but padding",
            with_weights(model(|m| {
                m.attention_dir = AttentionDirection::Bidirectional;
                m.pad_token = Some(3);
                m.positional_embedding_type = PositionEmbedding::Shortformer;
            })),
        ),
        (
            "padded, without positions",
            with_weights(model(|m| {
                m.pad_token = Some(0);
                m.positional_embedding_type = PositionEmbedding::None;
            })),
        ),
    ]
}

#[test]
fn every_state_can_be_copied_and_exported() {
    for (name, mut screen) in states() {
        for keys in ["1", "2", "2v", "3o", "4o", "5", "5v", "5v", "5v", "4<space>6"] {
            screen.keys(keys).keys("ye");
            let Some(export) = screen.exported.pop() else { continue };
            let whole: serde_json::Value = serde_json::from_str(&export.json).unwrap();
            assert!(whole["tables"][0]["rows"].is_array(), "{name} {keys}");
            let columns = whole["tables"][0]["columns"].as_array().unwrap().len();
            assert!(export.csv.lines().all(|line| line.split(',').count() == columns), "{name} {keys}");
        }
        assert!(name == "empty" || !screen.copied.is_empty(), "{name}");
    }
}

#[test]
fn every_small_size_in_every_state() {
    for (name, mut screen) in states() {
        for height in 0..=20 {
            for width in 0..=10 {
                screen.resize(width, height);
                screen.buffer();
            }
            for width in [19, 40, 55, 56, 57, 59, 60] {
                eprintln!("{name} at {width}x{height}");
                tour(&mut screen, width, height);
            }
        }
    }
}

#[test]
fn sizes_of_no_screen_on_earth() {
    for (name, mut screen) in states() {
        for (width, height) in [(300, 100), (1, 200), (500, 1), (20, 200), (500, 5), (80, 24), (120, 40)] {
            eprintln!("{name} at {width}x{height}");
            tour(&mut screen, width, height);
        }
    }
}

#[test]
fn every_terminal() {
    for depth in [ColorDepth::None, ColorDepth::Ansi16, ColorDepth::Indexed256, ColorDepth::TrueColor] {
        for glyphs in [Glyphs::Utf8, Glyphs::Ascii] {
            let mut screen = Setup { depth, glyphs, ..Setup::default() }.screen();
            screen.snapshot(5, trained());
            tour(&mut screen, 80, 24);
        }
    }
}

#[test]
fn a_small_screen_says_so() {
    let mut screen = Setup::default().screen();
    for (width, height) in [(55, 24), (56, 9)] {
        screen.resize(width, height);
        screen.must_show("too small: 56x10");
    }
    screen.resize(56, 10);
    screen.must_not_show("too small");
}

#[test]
fn a_data_set_without_sequences_still_explores() {
    let model = ModelConfig::default();
    let (app, _) = headcount::app::App::new(headcount::app::AppOptions {
        seed: 1,
        dataset: Arc::new(Dataset::from_sequences(TaskConfig::default().task(model.shape()).unwrap(), &[])),
        model,
        depth: ColorDepth::TrueColor,
        glyphs: Glyphs::Utf8,
        ground: headcount::app::Ground::Dark,
        title: "majority".into(),
        mode: Mode::Exploring { weights: "w".into() },
    });
    let mut screen = Setup::default().screen();
    screen.app = app;
    screen.snapshot(1, trained());
    screen.must_show("rand 0");
    screen.keys("n");
    screen.must_show("there is no validation sequence");
}

#[test]
fn metrics_of_another_shape_do_no_harm() {
    let mut screen = with_weights(model(|_| {}));
    let mut metrics: EpochMetrics = common::epoch_at(7);
    metrics.validation.accuracy_by_class = vec![None, Some(f64::NAN), Some(2.0)];
    metrics.validation.accuracy_by_position = Vec::new();
    screen.train(TrainEvent::Epoch(metrics));
    screen.train(TrainEvent::State(RunState::Finished));
    screen.send(Event::Notice(Notice::error("x".repeat(1000))));
    screen.send(Event::StepRate(f64::NAN));
    tour(&mut screen, 80, 24);
    tour(&mut screen, 140, 40);
}
