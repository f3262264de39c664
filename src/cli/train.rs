//! `headcount train`: a run without a screen.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::TrainArgs;
use super::input::{Length, Requested, requested};
use super::last_words::LastWords;
use super::output::print;
use super::saved::saved;
use super::{Failure, afford, say};
use crate::analysis::Evaluation;
use crate::term::{Glyphs, sanitize, survive_file_size_limit, watch_without_a_screen};
use crate::train::run_dir::{Found, look};
use crate::train::{
    EpochMetrics, Lock, LockError, MetricsLine, Opened, Outcome, RunDir, RunDirError, Setup, StepMetrics,
    TrainCommand, TrainError, TrainEvent, TrainPlan, train_on,
};

pub fn run(args: &TrainArgs) -> Result<(), Failure> {
    let (commands, inbox) = channel();
    let signal = obey_signals(commands)?;
    let extend = args.extend.map(Into::into);
    let length = if args.resume { Length::Extensible(extend) } else { Length::Fixed };
    let Requested { path, config, found } = requested(&args.run, length)?;
    if found
        && !args.resume
        && let Some(found) = look(&path)?.filter(|found| found.state.is_some())
    {
        return Err(exists(&path, &found).into());
    }
    afford::train(&config, args.run.device)?;
    let dataset = Arc::new(config.dataset()?);
    let Opened { run_dir, state, skipped, .. } = RunDir::open(&path, &config, &dataset)?;
    skipped.iter().for_each(|why| say(&format!("headcount: skipped a checkpoint: {}", sanitize(why))));
    if !args.quiet {
        config.train.extended.iter().for_each(|extension| say(&extension.to_string()));
    }
    let setup = Setup { config, dataset, state, run_dir: Some(run_dir), stop_at: args.steps };
    match (train(args, setup, inbox)?, signal.load(Ordering::Relaxed)) {
        (Ended { outcome: Outcome::Stopped, .. }, status) if status > 0 => Err(Failure::Signal(status)),
        (Ended { heard: false, .. }, _) => Err(Failure::Unheard),
        _ => Ok(()),
    }
}

/// Why an existing run is not resumed without a request. A run in training is reported first.
fn exists(path: &Path, found: &Found) -> RunDirError {
    let (done, total) = (found.step(), found.config.total_steps());
    match Lock::take(path) {
        Err(held @ LockError::Held(_)) => RunDirError::of_lock(path, held),
        _ => RunDirError::Exists { path: path.display().to_string(), done, total },
    }
}

/// Turns signals into commands. Returns the exit status that the first fatal signal requires, 0 before.
fn obey_signals(commands: Sender<TrainCommand>) -> Result<Arc<AtomicU8>, Failure> {
    survive_file_size_limit();
    let status = Arc::new(AtomicU8::new(0));
    let kept = Arc::clone(&status);
    let act = move |kind: crate::term::SignalKind| {
        let command = if let Some(status) = kind.exit_code() {
            kept.store(status, Ordering::Relaxed);
            TrainCommand::Stop
        } else {
            TrainCommand::Save
        };
        // A trainer that has ended needs no command.
        let _ = commands.send(command);
    };
    watch_without_a_screen(act).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(status)
}

/// The end of a run, and whether all its metrics reached standard output.
struct Ended {
    outcome: Outcome,
    heard: bool,
}

/// Trains on a separate thread, so that a slow or blocked reader of our output does not delay the training.
fn train(args: &TrainArgs, setup: Setup, inbox: Receiver<TrainCommand>) -> Result<Ended, Failure> {
    let (sender, events) = channel();
    let device = args.run.device;
    let mut emit = move |event| {
        #[cfg(debug_assertions)]
        super::fault::strike(super::fault::Place::Trainer, &event);
        if !matches!(event, TrainEvent::Snapshot(_)) {
            // The reporter listens until the end.
            let _ = sender.send(event);
        }
    };
    let last_words = LastWords::listen();
    let trainer = thread::Builder::new()
        .name("trainer".into())
        .spawn(move || train_on(device, setup, &inbox, &mut emit))
        .map_err(|error| Failure::Failed(format!("cannot start the trainer: {error}")))?;
    let mut reporter = Reporter::new(args);
    events.iter().for_each(|event| reporter.hear(event));
    reporter.finish();
    let outcome = trainer.join().map_err(|_| Failure::Failed("the trainer died".into()))?;
    if let Ok(outcome) = outcome {
        reporter.ended(outcome);
    }
    let outcome = outcome.map_err(|error| match error {
        TrainError::Panicked(_) => Failure::Failed(format!("{error}{}", last_words.place())),
        error => error.into(),
    })?;
    Ok(Ended { outcome, heard: reporter.heard })
}

/// Progress for a person on stderr, metrics for a program on stdout.
struct Reporter {
    quiet: bool,
    json: bool,
    /// Whether standard output has accepted everything so far.
    heard: bool,
    bar: Option<ProgressBar>,
    plan: Option<TrainPlan>,
    last: Option<StepMetrics>,
    pace: Pace,
}

/// Times of the steps.
#[derive(Default)]
struct Pace {
    first: Option<Instant>,
    last: Option<Instant>,
    /// Seconds between two steps, including any validation between them.
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
            let style = ProgressStyle::with_template("{bar:30} step {pos}/{len} {per_sec} {eta} left  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(if Glyphs::of_this_process() == Glyphs::Ascii {
                style.progress_chars("#>-")
            } else {
                style
            });
            bar
        });
        // A terminal that cannot move its cursor has no bar, and a hidden bar would swallow the lines.
        let bar = bar.filter(|bar| !bar.is_hidden());
        let (quiet, json) = (args.quiet, args.json);
        Self { quiet, json, heard: true, bar, plan: None, last: None, pace: Pace::default() }
    }

    fn hear(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::Started(plan) => self.started(plan),
            TrainEvent::Step(metrics) => self.step(metrics),
            TrainEvent::Epoch(metrics) => self.epoch(&metrics),
            TrainEvent::Notice(text) => self.line(&format!("headcount: {}", sanitize(&text))),
            TrainEvent::Unsaved(Some(why)) => self.line(&format!("headcount: not saved: {}", sanitize(&why))),
            TrainEvent::Unsaved(None) => self.line("headcount: saved again"),
            // The training call returns the error, which is reported once, at the end.
            TrainEvent::Outside(_)
            | TrainEvent::Failed(_)
            | TrainEvent::Extended { .. }
            | TrainEvent::State(_)
            | TrainEvent::Rescued { .. }
            | TrainEvent::Snapshot(_)
            | TrainEvent::Memory { .. } => {}
        }
    }

    fn started(&mut self, plan: TrainPlan) {
        if let Some(bar) = &self.bar {
            bar.set_length(plan.total_steps as u64);
            bar.set_position(plan.start_step as u64);
            bar.reset_eta();
        }
        let place = sanitize(plan.run_dir.as_deref().unwrap_or("nowhere"));
        if !self.quiet {
            let (from, to) = (plan.start_step, plan.total_steps);
            self.line(&if from < to {
                format!("{}: steps {from} to {to} on {}, kept in {place}", plan.task, plan.device)
            } else {
                format!(
                    "{}: all {to} steps are taken, kept in {place}: --resume with more --epochs goes on",
                    plan.task
                )
            });
        }
        self.plan = Some(plan);
    }

    fn step(&mut self, metrics: StepMetrics) {
        self.pace.step();
        self.print(&MetricsLine::Step(metrics.clone()));
        if let Some(bar) = &self.bar {
            bar.set_position(metrics.step as u64);
            bar.set_message(format!("loss {:.4}", metrics.train_loss));
        }
        self.last = Some(metrics);
    }

    fn epoch(&mut self, metrics: &EpochMetrics) {
        self.print(&MetricsLine::from(metrics));
        let steps = self.plan.as_ref().map_or(0, |plan| plan.total_steps);
        let train_loss = self.last.as_ref().map_or(f32::NAN, |step| step.train_loss);
        let EpochMetrics { train_accuracy, validation, .. } = metrics;
        let Evaluation { loss, accuracy, accuracy_last, .. } = validation;
        let last = if accuracy_last.is_nan() {
            String::new()
        } else {
            format!("  at the last position {accuracy_last:.4}")
        };
        let line = format!(
            "epoch {:3}  step {}/{steps}  train loss {train_loss:.4}  accuracy {train_accuracy:.4}  \
             val loss {loss:.4}  val accuracy {accuracy:.4}{last}",
            metrics.epoch, metrics.step,
        );
        if !self.quiet {
            self.line(&line);
        }
    }

    /// Metrics that cannot be printed do not stop the training: reported at once, and an error at the end.
    fn print(&mut self, metrics: &MetricsLine) {
        if !self.json || !self.heard {
            return;
        }
        if let Err(failure) = print(&metrics.to_json()) {
            self.heard = false;
            self.line(&format!("headcount: {failure}; training goes on, metrics.jsonl has them all"));
        }
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => say(line),
        }
    }

    /// Reported once the last step is on disk.
    fn ended(&self, outcome: Outcome) {
        let Some(plan) = self.plan.as_ref().filter(|_| !self.quiet) else { return };
        match (outcome, &plan.run_dir, &self.last) {
            (Outcome::Stopped, _, last) => {
                let step = last.as_ref().map_or(plan.start_step, |metrics| metrics.step);
                say(&format!("stopped at step {step} of {}, saved: --resume goes on", plan.total_steps));
            }
            (Outcome::Finished, Some(run), Some(_)) => say(&saved(Path::new(run), outcome)),
            // Without new steps the first line has said everything.
            (Outcome::Finished, ..) => {}
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
