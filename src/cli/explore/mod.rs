//! `headcount explore`: the screen, with the trainer behind it.

mod display;
mod edits_file;
mod event_loop;
mod export;
mod follower;
mod frames;
mod gate;
pub(super) mod open;
mod pulse;
mod trainer;
mod watcher;
mod worker;

pub use display::Display;
use event_loop::{End, EventLoop, LoopEvent};
pub use frames::Awaited;
pub use pulse::Pulse;
pub use worker::{Worker, WorkerMessage};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::Failure;
use super::args::ExploreArgs;
use super::edits;
use super::input::{Length, requested};
use super::saved::saved;
use crate::app::{App, AppOptions, Command, Event};
use crate::term::{Capabilities, Ground, Session, SignalKind, survive_file_size_limit};
use crate::train::{Outcome, Setup, TrainEvent, kept_points};
use trainer::Trainer;

/// Where `e` writes: in the run's directory, or without a run in the working directory.
const EXPORTS: &str = "exports";

pub(super) fn run(args: &ExploreArgs) -> Result<(), Failure> {
    // Check the screen before any file is read or written.
    let capabilities =
        Capabilities::of_this_process(args.looks).map_err(|error| Failure::Usage(error.to_string()))?;
    survive_file_size_limit();
    let (plan, exports) = if let Some(weights) = &args.weights {
        (open::weights(weights, (&args.run.settings, &args.run.data), args.run.seed)?, PathBuf::from(EXPORTS))
    } else if let Some(pattern) = open::outside(args) {
        let metrics = args.metrics.as_deref();
        let watched = (&args.run.settings, &args.run.data);
        (open::watched(&pattern, metrics, watched, args.run.seed)?, PathBuf::from(EXPORTS))
    } else {
        if args.metrics.is_some() {
            let why = "--metrics: only beside weights of another program: give --watch, or their --run";
            return Err(Failure::Usage(why.into()));
        }
        let requested = requested(&args.run, Length::Fixed)?;
        let exports = requested.path.join(EXPORTS);
        (open::run(requested, args.run.device)?, exports)
    };
    let (sender, loop_events) = channel();
    for event in plan.past {
        let _ = sender.send(LoopEvent::Train(event));
    }
    let session = Session::start(capabilities, Duration::from_millis(args.esc_delay), sender.clone())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    // The terminal's replies can change the capabilities.
    let capabilities = session.capabilities();
    let (app, first) = App::new(AppOptions {
        model: plan.config.model.clone(),
        seed: plan.config.seed,
        dataset: Arc::clone(&plan.dataset),
        depth: capabilities.color,
        glyphs: capabilities.glyphs,
        ground: capabilities.ground.unwrap_or(Ground::Dark),
        title: plan.dataset.task().name().into(),
        mode: plan.mode,
    });
    let run = exports.parent().filter(|run| !run.as_os_str().is_empty()).map(Path::to_owned);
    let app = app.with_points(run.iter().flat_map(|run| kept_points(run)));
    let app = match &args.edits {
        None => app,
        Some(path) => app.with_edits(edits::read(path, &plan.config.model, &**plan.dataset.task())?),
    };
    let answers = sender.clone();
    let worker = Worker::spawn(Arc::clone(&plan.dataset), plan.config.seed, move |word| {
        // The loop may end before the answer arrives.
        let _ = answers.send(LoopEvent::Inquiry(word));
    });
    let worker =
        worker.map_err(|error| Failure::Failed(format!("cannot start the threads that answer: {error}")))?;
    if let Some(follower) = plan.follower
        && let Err(error) = follower.spawn(sender.clone())
    {
        let notice = format!("cannot start the thread that follows this run: {error}; it is shown as it was");
        let _ = sender.send(LoopEvent::Train(TrainEvent::Notice(notice)));
    }
    if let Some(watcher) = plan.watcher
        && let Err(error) = watcher.spawn(sender.clone())
    {
        let notice = format!("cannot start the thread that watches the files: {error}; no new file is shown");
        let _ = sender.send(LoopEvent::Train(TrainEvent::Notice(notice)));
    }
    let trainer = plan.training.map(|(run_dir, state)| {
        let (config, dataset) = (plan.config, plan.dataset);
        let setup = Setup { config, dataset, state, run_dir: Some(run_dir), stop_at: None };
        Trainer::spawn(args.run.device, setup, sender)
    });
    let places = (exports, run);
    run_event_loop(session, app, (first, places, args.line_rate), &loop_events, worker, trainer.transpose()?)
}

fn run_event_loop(
    mut session: Session,
    mut app: App,
    (first, (exports, run), line_rate): (Vec<Command>, (PathBuf, Option<PathBuf>), u32),
    loop_events: &Receiver<LoopEvent>,
    worker: Worker,
    trainer: Option<Trainer>,
) -> Result<(), Failure> {
    let size = session.screen().size();
    let mut commands = app.update(Event::Resize { width: size.width, height: size.height });
    commands.splice(0..0, first);
    let mut event_loop = EventLoop {
        app,
        display: session,
        loop_events,
        trainer: trainer.as_ref().map(|trainer| trainer.commands.clone()),
        worker,
        pulse: Pulse::default(),
        awaited: Awaited::default(),
        exports,
        run,
        line_rate,
    };
    let end = event_loop.run(commands);
    let is_silent = event_loop.pulse.is_silent();
    let farewell = event_loop.display.finish();
    drop(event_loop.worker);
    let (ended_by, outcome) = leave(&end, trainer, loop_events, is_silent)?;
    end.map_err(|error| Failure::Failed(error.to_string()))?;
    if let (Some(outcome), Some(run)) = (outcome, event_loop.exports.parent()) {
        farewell.say(&saved(run, outcome));
    }
    ended_by.and_then(SignalKind::exit_code).map_or(Ok(()), |status| Err(Failure::Signal(status)))
}

/// Makes the trainer save and stop, or finish alone if the process outlives its terminal. Returns the signal that ends
/// the process, if any, and the outcome of training if a terminal is left to show it.
fn leave<E>(
    end: &Result<End, E>,
    trainer: Option<Trainer>,
    loop_events: &Receiver<LoopEvent>,
    is_silent: bool,
) -> Result<(Option<SignalKind>, Option<Outcome>), Failure> {
    let Some(trainer) = trainer else {
        return Ok((end.as_ref().ok().and_then(|end| end.signal()), None));
    };
    match end {
        Ok(End::Detached) => Ok((trainer.outlive_the_screen(loop_events)?, None)),
        Ok(end) => Ok((end.signal(), Some(trainer.stop(is_silent)?))),
        Err(_) => trainer.stop(is_silent).map(|_| (None, None)),
    }
}
