//! `headcount train`: a run without a screen.

use std::io::{IsTerminal, Write, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::TrainArgs;
use super::input::{Requested, requested};
use super::{Failure, say};
use crate::task::Dataset;
use crate::train::{
    EpochMetrics, MetricsLine, Outcome, RunDir, RunDirError, Setup, StepMetrics, TrainCommand, TrainEvent,
    TrainPlan, TrainState, train_on,
};

pub fn run(args: &TrainArgs) -> Result<(), Failure> {
    let Requested { path, config, found } = requested(&args.run)?;
    if let Some(found) = found.as_ref().filter(|found| found.state.is_some() && !args.resume) {
        let (done, total) = (found.step(), found.config.total_steps());
        return Err(RunDirError::Exists { path: path.display().to_string(), done, total }.into());
    }
    let skipped = found.as_ref().map_or(&[][..], |found| &found.skipped);
    skipped.iter().for_each(|why| say(&format!("headcount: skipped a checkpoint: {why}")));
    let state = found.and_then(|found| found.state).unwrap_or_else(|| TrainState::initial(&config));
    let run_dir = RunDir::open(&path, &config, state.step)?;
    let model = &config.model;
    let dataset = Arc::new(Dataset::generate(&config.task, model.n_ctx, model.d_vocab, config.seed));
    let (commands, inbox) = channel();
    let signal = stop_on_signal(commands)?;
    let mut reporter = Reporter::new(args);
    let setup = Setup { config, dataset, state, run_dir: Some(run_dir), stop_at: args.steps };
    let outcome = train_on(args.run.device, setup, &inbox, &mut |event| reporter.hear(event));
    reporter.finish();
    match (outcome?, signal.load(Ordering::Relaxed)) {
        (Outcome::Stopped, number) if number > 0 => Err(Failure::Signal(128 + number)),
        _ => Ok(()),
    }
}

/// Turns the first signal into a command to stop; the number is kept, 0 before. Further ones change nothing.
fn stop_on_signal(commands: Sender<TrainCommand>) -> Result<Arc<AtomicU8>, Failure> {
    let caught = Arc::new(AtomicU8::new(0));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Failure::Failed(format!("cannot listen to signals: {error}")))?;
    let number = Arc::clone(&caught);
    thread::spawn(move || {
        for signal in signals.forever() {
            if number.swap(signal as u8, Ordering::Relaxed) == 0 {
                let _ = commands.send(TrainCommand::Stop);
            }
        }
    });
    Ok(caught)
}

/// Progress for a person on stderr, metrics for a program on stdout.
struct Reporter {
    quiet: bool,
    json: bool,
    bar: Option<ProgressBar>,
    plan: Option<TrainPlan>,
    last: Option<StepMetrics>,
    pace: Pace,
}

/// When steps were taken.
#[derive(Default)]
struct Pace {
    first: Option<Instant>,
    last: Option<Instant>,
    /// Seconds between two steps; a validation between them counts.
    steps: Vec<f32>,
}

impl Pace {
    fn step(&mut self) {
        let now = Instant::now();
        self.first.get_or_insert(now);
        if let Some(last) = self.last.replace(now) {
            self.steps.push((now - last).as_secs_f32());
        }
    }

    /// `None` before the second step.
    fn summary(&mut self) -> Option<String> {
        self.steps.sort_by(f32::total_cmp);
        let median = *self.steps.get(self.steps.len() / 2)?;
        let seconds = (self.last? - self.first?).as_secs_f32();
        Some(format!(
            "{} steps in {seconds:.1} s, median {:.1} ms a step",
            self.steps.len() + 1,
            1e3 * median
        ))
    }
}

impl Reporter {
    fn new(args: &TrainArgs) -> Self {
        let bar = (!args.quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{bar:30} step {pos}/{len} {per_sec} {eta} left  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { quiet: args.quiet, json: args.json, bar, plan: None, last: None, pace: Pace::default() }
    }

    fn hear(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::Started(plan) => self.started(plan),
            TrainEvent::Step(metrics) => self.step(metrics),
            TrainEvent::Epoch(metrics) => self.epoch(&metrics),
            TrainEvent::Notice(text) => self.line(&format!("headcount: {text}")),
            // The error comes back from the training call, and is said once, at the end.
            TrainEvent::Failed(_) | TrainEvent::State(_) | TrainEvent::Snapshot(_) => {}
        }
    }

    fn started(&mut self, plan: TrainPlan) {
        if let Some(bar) = &self.bar {
            bar.set_length(plan.total_steps as u64);
            bar.set_position(plan.start_step as u64);
            bar.reset_eta();
        }
        let place = plan.run_dir.as_deref().unwrap_or("nowhere");
        if !self.quiet {
            let (from, to) = (plan.start_step, plan.total_steps);
            self.line(&format!("{}: steps {from} to {to} on {}, kept in {place}", plan.task, plan.device));
        }
        self.plan = Some(plan);
    }

    fn step(&mut self, metrics: StepMetrics) {
        self.pace.step();
        if self.json {
            print_line(&MetricsLine::Step(metrics.clone()).to_json());
        }
        if let Some(bar) = &self.bar {
            bar.set_position(metrics.step as u64);
            bar.set_message(format!("loss {:.4}", metrics.train_loss));
        }
        self.last = Some(metrics);
    }

    fn epoch(&mut self, metrics: &EpochMetrics) {
        if self.json {
            print_line(&MetricsLine::from(metrics).to_json());
        }
        let steps = self.plan.as_ref().map_or(0, |plan| plan.total_steps);
        let train_loss = self.last.as_ref().map_or(f32::NAN, |step| step.train_loss);
        let line = format!(
            "epoch {:3}  step {}/{steps}  train loss {train_loss:.4}  val loss {:.4}  val accuracy {:.4}  at the last position {:.4}",
            metrics.epoch,
            metrics.step,
            metrics.validation.loss,
            metrics.validation.accuracy,
            metrics.validation.accuracy_last,
        );
        if !self.quiet {
            self.line(&line);
        }
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => say(line),
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(summary) = self.pace.summary().filter(|_| !self.quiet) {
            say(&summary);
        }
    }
}

/// A reader that has gone does not stop the training.
fn print_line(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
