//! `headcount explore`: the screen, with the trainer behind it.

mod conductor;
mod probe_worker;

pub use conductor::{Conductor, Display, End, Incident, Pulse};
pub use probe_worker::{Answer, ProbeWorker};

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::args::ExploreArgs;
use super::input::{self, Requested, requested};
use super::{Failure, say};
use crate::analysis::Snapshot;
use crate::app::{App, AppOptions, Mode};
use crate::model::{ModelConfig, read_weights};
use crate::task::{Dataset, majority};
use crate::term::{Capabilities, Session, scrub};
use crate::train::run_dir::{checkpoint_states, past_metrics, read_config};
use crate::train::{
    DeviceChoice, Outcome, RunConfig, RunDir, Setup, TrainCommand, TrainError, TrainEvent, TrainState,
    train_on,
};

/// What is opened.
struct Plan {
    config: RunConfig,
    /// What the app hears before anything else.
    past: Vec<TrainEvent>,
    mode: Mode,
    /// What is trained, if anything is.
    training: Option<(RunDir, TrainState)>,
}

pub(super) fn run(args: &ExploreArgs) -> Result<(), Failure> {
    // Before anything is read or written: without a screen nothing else matters.
    let capabilities =
        Capabilities::of_this_process(args.color).map_err(|error| Failure::Usage(error.to_string()))?;
    let plan = match &args.weights {
        Some(weights) => open_weights(weights, args)?,
        None => open_run(requested(&args.run)?)?,
    };
    let model = &plan.config.model;
    let dataset =
        Arc::new(Dataset::generate(&plan.config.task, model.n_ctx, model.d_vocab, plan.config.seed));
    let (app, first) = App::new(AppOptions {
        model: model.clone(),
        seed: plan.config.seed,
        dataset: Arc::clone(&dataset),
        depth: capabilities.color,
        glyphs: capabilities.glyphs,
        title: majority::NAME.into(),
        mode: plan.mode,
    });
    let (sender, incidents) = channel();
    for event in plan.past {
        let _ = sender.send(Incident::Train(event));
    }
    let session =
        Session::start(capabilities, sender.clone()).map_err(|error| Failure::Failed(error.to_string()))?;
    let answers = sender.clone();
    let probes = ProbeWorker::spawn(Arc::clone(&dataset), plan.config.seed, move |answer| {
        // The loop may have ended before the answer came.
        let _ = answers.send(Incident::Answer(answer));
    });
    let probes =
        probes.map_err(|error| Failure::Failed(format!("cannot start the probe thread: {error}")))?;
    let trainer = plan.training.map(|(run_dir, state)| {
        let (config, dataset) = (plan.config.clone(), Arc::clone(&dataset));
        Trainer::spawn(
            args.run.device,
            Setup { config, dataset, state, run_dir: Some(run_dir), stop_at: None },
            sender,
        )
    });
    let trainer = trainer.transpose()?;
    conduct(session, app, first, &incidents, &probes, trainer)
}

fn conduct(
    mut session: Session,
    mut app: App,
    first: Vec<crate::app::Command>,
    incidents: &Receiver<Incident>,
    probes: &ProbeWorker,
    trainer: Option<Trainer>,
) -> Result<(), Failure> {
    let size = session.screen().size();
    let mut commands = app.update(crate::app::Event::Resize { width: size.width, height: size.height });
    commands.splice(0..0, first);
    let commands_to_trainer = trainer.as_ref().map(|trainer| trainer.commands.clone());
    let mut conductor = Conductor {
        app,
        display: session,
        incidents,
        trainer: commands_to_trainer,
        probes,
        pulse: Pulse::default(),
    };
    let end = conductor.run(commands);
    conductor.display.finish();
    drop(conductor.trainer);
    let outcome = trainer.map(|trainer| trainer.end(end.as_ref().is_ok_and(|end| *end == End::Detached)));
    let end = end.map_err(|error| Failure::Failed(error.to_string()))?;
    outcome.transpose()?;
    match end {
        End::Quit | End::Detached => Ok(()),
        End::Signal(kind) => Err(Failure::Signal(kind.exit_code())),
    }
}

/// The thread that trains.
struct Trainer {
    commands: Sender<TrainCommand>,
    thread: JoinHandle<Result<Outcome, TrainError>>,
}

impl Trainer {
    fn spawn(device: DeviceChoice, setup: Setup, sender: Sender<Incident>) -> Result<Self, Failure> {
        let (commands, inbox) = channel();
        // The loop may have ended before the trainer has.
        let mut emit = move |event| drop(sender.send(Incident::Train(event)));
        let thread = thread::Builder::new()
            .name("trainer".into())
            .spawn(move || train_on(device, setup, &inbox, &mut emit))
            .map_err(|error| Failure::Failed(format!("cannot start the trainer: {error}")))?;
        Ok(Self { commands, thread })
    }

    /// Waits for the trainer, which saves and stops unless it is to go on to its end.
    fn end(self, to_the_end: bool) -> Result<Outcome, Failure> {
        if !to_the_end {
            let _ = self.commands.send(TrainCommand::Stop);
        }
        let joined = self.thread.join();
        drop(self.commands);
        joined.map_err(|_| Failure::Failed("the trainer died".into()))?.map_err(Failure::from)
    }
}

fn open_weights(path: &Path, args: &ExploreArgs) -> Result<Plan, Failure> {
    let given = args.run.config.as_deref().map(read_config).transpose()?;
    let opened = read_weights(path, given.as_ref().map(|config| &config.model))?;
    let model: &ModelConfig = opened.weights.config();
    let mut config = given.unwrap_or_else(|| input::settings_of(path, model));
    config.seed = args.run.seed.unwrap_or(config.seed);
    config.model = model.clone();
    let notes = opened.notes.iter().map(|note| TrainEvent::Notice(note.clone()));
    let snapshot = TrainEvent::Snapshot(Arc::new(Snapshot::new(0, opened.weights.clone())));
    let mode = Mode::Exploring { weights: scrub(&path.display().to_string()).into_owned() };
    Ok(Plan { config, past: notes.chain([snapshot]).collect(), mode, training: None })
}

fn open_run(Requested { path, config, found }: Requested) -> Result<Plan, Failure> {
    let finished = found.as_ref().is_some_and(|found| found.state.is_some() && found.is_finished());
    let skipped = found.as_ref().map_or(Vec::new(), |found| found.skipped.clone());
    let notices = skipped.into_iter().map(|why| TrainEvent::Notice(format!("skipped a checkpoint: {why}")));
    let state = found.and_then(|found| found.state).unwrap_or_else(|| TrainState::initial(&config));
    let mut past: Vec<TrainEvent> = notices.collect();
    past.extend(past_metrics(&path, state.step));
    past.extend(
        checkpoint_states(&path, &config)
            .into_iter()
            .filter(|kept| kept.step <= state.step)
            .map(|kept| TrainEvent::Snapshot(Arc::new(Snapshot::new(kept.step, kept.weights)))),
    );
    let name = scrub(&path.display().to_string()).into_owned();
    if finished {
        return Ok(Plan { config, past, mode: Mode::Exploring { weights: name }, training: None });
    }
    let run_dir = RunDir::open(&path, &config, state.step)?;
    if state.step > 0 {
        say(&format!("headcount: going on with {name} from step {}", state.step));
    }
    Ok(Plan { config, past, mode: Mode::Live, training: Some((run_dir, state)) })
}
