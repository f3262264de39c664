//! The app without a screen, and the bench that answers its questions at once.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::args::ShowArgs;
use super::super::explore::open::{self, Plan};
use super::super::{Failure, say};
use crate::app::{App, AppOptions, ColorDepth, Command, Event, Glyphs, Ground};
use crate::inquiry::{AskedBy, Bench, Schedule};
use crate::model::ModelConfig;
use crate::term::sanitize;
use crate::train::{TrainEvent, keep_points, kept_points};

/// Columns and lines of the pictures.
const PICTURE: (u16, u16) = (120, 40);

/// The app, and the bench that answers its questions at once.
pub(super) struct Desk {
    pub(super) app: App,
    bench: Bench,
    schedule: Schedule,
    /// Number of random sets to compare edits with; as on screen if none is given.
    pub(super) controls: Option<usize>,
    /// Where points of curves are kept.
    run: Option<PathBuf>,
}

impl Desk {
    pub(super) fn open(args: &ShowArgs, from: Option<&App>) -> Result<Self, Failure> {
        let plan = match (&args.measured.weights, &args.measured.run) {
            (Some(weights), _) => {
                open::weights(weights, (&args.measured.settings, &args.measured.data), args.measured.seed)?
            }
            (None, Some(run)) => open::kept(run)?,
            (None, None) => return Err(Failure::Usage("show: give --weights FILE or --run DIR".into())),
        };
        let Plan { config, dataset, past, mode, .. } = plan;
        let run = args.measured.run.clone();
        let dataset = from.map_or(dataset, |app| Arc::clone(&app.options.dataset));
        let seed = from.map_or(config.seed, |app| app.options.seed);
        if let Some(app) = from.filter(|app| app.options.model.shape() != config.model.shape()) {
            let [ours, theirs] = [&app.options.model, &config.model].map(ModelConfig::shape);
            return Err(Failure::Usage(format!("another model: {theirs:?}, not {ours:?}")));
        }
        let (app, commands) = App::new(AppOptions {
            model: config.model.clone(),
            seed,
            dataset: Arc::clone(&dataset),
            depth: ColorDepth::TrueColor,
            glyphs: Glyphs::Utf8,
            ground: Ground::Dark,
            title: dataset.task().name().into(),
            mode,
        });
        let app = app.with_points(run.iter().flat_map(|run| kept_points(run)));
        let bench = Bench::new(dataset, seed, None);
        let mut desk = Self { app, bench, schedule: Schedule::default(), controls: Some(0), run };
        desk.execute(commands);
        let (width, height) = PICTURE;
        let notes = past
            .iter()
            .filter_map(|event| if let TrainEvent::Notice(note) = event { Some(note) } else { None });
        notes.for_each(|note| say(&format!("headcount: {}", sanitize(note))));
        for event in [Event::Resize { width, height }].into_iter().chain(past.into_iter().map(Event::Train)) {
            // Ignore these commands: everything is asked again once the cursor is in place.
            desk.app.update(event);
        }
        Ok(desk)
    }

    /// Executes the app's commands until no questions are left.
    pub(super) fn execute(&mut self, commands: Vec<Command>) {
        let mut commands = commands;
        loop {
            for command in commands.drain(..) {
                match command {
                    Command::Ask(mut inquiry) => {
                        if let (Some(asked), Some(controls)) =
                            (inquiry.question.controls_mut(), self.controls)
                            && inquiry.by != AskedBy::Curve
                        {
                            *asked = controls;
                        }
                        self.schedule.ask(*inquiry);
                    }
                    // Lost points are computed again: another process may own the directory.
                    Command::KeepPoints(points) => {
                        self.run.iter().for_each(|run| drop(keep_points(run, &points)));
                    }
                    _ => {}
                }
            }
            let Some(answer) = self.schedule.run(&self.bench) else { return };
            commands = self.app.update(Event::Answer(Box::new(answer)));
        }
    }
}
