//! What it costs to draw each view, without a terminal: `cargo bench --bench screen`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use headcount::app::{App, AppOptions, ColorDepth, Command, Event, Glyphs, Mode, ViewId};
use headcount::inquiry::{Bench, Question, answer};
use headcount::model::{ModelConfig, Snapshot, Weights};
use headcount::task::TaskConfig;
use headcount::train::{StepMetrics, TrainEvent};
use headcount::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// An app that looks at a model of that size after 400 steps, every answer given at once.
fn app(model: &ModelConfig) -> (App, Bench) {
    let data = TaskConfig { sequences: 20, train_fraction: 0.5, ..TaskConfig::default() };
    let data = Arc::new(data.dataset(model.shape(), 23).expect("a valid task"));
    let bench = Bench::new(Arc::clone(&data), 23, None);
    let (mut app, _) = App::new(AppOptions {
        model: model.clone(),
        seed: 23,
        dataset: data,
        depth: ColorDepth::Indexed256,
        glyphs: Glyphs::Utf8,
        ground: headcount::app::Ground::Dark,
        title: "majority".into(),
        mode: Mode::Live,
    });
    for step in 1..=400 {
        let train_loss = 2.3 / (step as f32).sqrt();
        tell(
            &mut app,
            &bench,
            Event::Train(TrainEvent::Step(StepMetrics { step, epoch: step / 7, train_loss, lr: 0.01 })),
        );
    }
    let snapshot = Snapshot::new(400, Weights::initial(model, 1));
    tell(&mut app, &bench, Event::Train(TrainEvent::Snapshot(Arc::new(snapshot))));
    (app, bench)
}

fn tell(app: &mut App, bench: &Bench, event: Event) {
    for command in app.update(event) {
        if let Command::Ask(inquiry) = command
            && inquiry.question == Question::Probe
        {
            tell(app, bench, Event::Answer(Box::new(answer(*inquiry, bench))));
        }
    }
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    let base = ModelConfig::default();
    let large =
        ModelConfig { d_model: 128, d_head: 64, d_mlp: 1024, n_ctx: 512, n_layers: 2, ..base.clone() };
    for (size, model) in [("notebook", base), ("512 positions, 1024 neurons", large)] {
        let (mut app, bench) = app(&model);
        for &view in ViewId::ALL {
            let key = KeyEvent::new(
                KeyCode::Char(view.number().chars().next().expect("a view has a key")),
                KeyModifiers::NONE,
            );
            tell(&mut app, &bench, Event::Key(key));
            for (width, height) in [(80, 24), (200, 50)] {
                let mut terminal =
                    Terminal::new(TestBackend::new(width, height)).expect("a screen in memory");
                let id = BenchmarkId::new(format!("{} {width}x{height}", view.title()), size);
                group.bench_function(id, |b| {
                    b.iter(|| terminal.draw(|frame| view::draw(frame, black_box(&app))).map(|_| ()));
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
