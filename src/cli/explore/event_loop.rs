//! The main loop: one channel in, the app in the middle, commands out.
//!
//! The loop blocks until something happens, handles all events that wait, and draws once, and only if something changed.
//! Keys are drawn at once. Training alone redraws at most ten times a second, and less often where more frames would
//! exceed the bandwidth budget.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

#[cfg(debug_assertions)]
use super::super::fault;
use super::EXPORTS;
use super::display::Display;
use super::edits_file;
use super::export;
use super::frames::{Awaited, Pending, TRAINING_FRAME};
use super::pulse::{Pulse, RATE_INTERVAL};
use super::worker::{WATCH_INTERVAL, Worker, WorkerMessage};
use crate::app::{App, Command, Event, Notice};
use crate::picture;
use crate::term::{Copied, SignalKind, TermError, TermEvent, sanitize};
use crate::train::{CurvePoint, TrainCommand, TrainEvent, keep_points};
use crate::view;

/// Any event of the session.
pub enum LoopEvent {
    /// From the terminal or the system.
    Term(TermEvent),
    /// From the trainer.
    Train(TrainEvent),
    /// An answer, or a question that failed.
    Inquiry(WorkerMessage),
}

impl From<TermEvent> for LoopEvent {
    fn from(event: TermEvent) -> Self {
        Self::Term(event)
    }
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The user quit.
    Quit,
    /// A signal or the end of the terminal stops the process.
    Signal(SignalKind),
    /// The terminal is gone, and the process continues without it.
    Detached,
}

impl End {
    /// The signal that ended the loop.
    pub fn signal(self) -> Option<SignalKind> {
        match self {
            Self::Signal(kind) => Some(kind),
            Self::Quit | Self::Detached => None,
        }
    }
}

/// The event loop and everything it needs.
pub struct EventLoop<'a, D: Display> {
    /// The state.
    pub app: App,
    /// The screen.
    pub display: D,
    /// Incoming events.
    pub loop_events: &'a Receiver<LoopEvent>,
    /// Commands to the trainer, if there is one.
    pub trainer: Option<Sender<TrainCommand>>,
    /// The threads that answer questions.
    pub worker: Worker,
    /// Training speed.
    pub pulse: Pulse,
    /// Answers that the user waits for.
    pub awaited: Awaited,
    /// Directory of exports.
    pub exports: PathBuf,
    /// Directory of the run, if there is one.
    pub run: Option<PathBuf>,
    /// Bandwidth budget for training frames, in bytes per second.
    pub line_rate: u32,
}

impl<D: Display> EventLoop<'_, D> {
    /// Runs until something ends the loop; `first` are the app's initial commands.
    ///
    /// # Errors
    /// When the terminal cannot be reclaimed after a stop, or every sender is gone.
    pub fn run(&mut self, first: Vec<Command>) -> Result<End, TermError> {
        let mut pending = Pending { now: true, ..Pending::default() };
        if let Some(end) = self.execute(first)? {
            return Ok(end);
        }
        loop {
            self.draw_if_due(&mut pending);
            let Some(loop_event) = self.wait(&pending)? else { continue };
            let mut next = Some(loop_event);
            while let Some(loop_event) = next {
                pending.now |= self.is_urgent(&loop_event);
                if let Some(end) = self.hear(loop_event)? {
                    return Ok(end);
                }
                next = self.loop_events.try_recv().ok();
            }
        }
    }

    fn draw_if_due(&mut self, pending: &mut Pending) {
        pending.dirty |= self.app.take_dirty();
        if pending.dirty
            && self.awaited.grace(Instant::now()).is_zero()
            && (pending.now || pending.left().is_zero())
            && let Some(bytes) = self.display.draw(&self.app)
        {
            *pending = Pending::drawn(bytes, self.line_rate, pending.now);
        }
        if !pending.dirty {
            pending.now = false;
        }
    }

    /// Whether to ignore the bandwidth budget: after a key, and for what the user should see at once.
    fn is_urgent(&mut self, loop_event: &LoopEvent) -> bool {
        match loop_event {
            LoopEvent::Train(event) => !matches!(
                event,
                TrainEvent::Step(_) | TrainEvent::Epoch(_) | TrainEvent::Outside(_) | TrainEvent::Snapshot(_)
            ),
            LoopEvent::Term(event) => *event != TermEvent::FrameWritten,
            LoopEvent::Inquiry(WorkerMessage::Answer(answer)) => self.awaited.is_answered(&answer.inquiry),
            LoopEvent::Inquiry(WorkerMessage::Failure(_)) => true,
        }
    }

    /// The next event; `None` when something else is due.
    fn wait(&mut self, pending: &Pending) -> Result<Option<LoopEvent>, TermError> {
        let frame = pending.dirty.then(|| {
            // A due frame that could not be drawn waits until the writer reports.
            let grace = self.awaited.grace(Instant::now());
            let left = if pending.now { grace } else { pending.left().max(grace) };
            if left.is_zero() { TRAINING_FRAME } else { left }
        });
        let rate = self.pulse.is_running().then_some(RATE_INTERVAL);
        self.worker.rest_beside_training(self.app.is_training());
        let watch = self.worker.is_busy().then_some(WATCH_INTERVAL);
        let received = match [frame, rate, watch].into_iter().flatten().min() {
            Some(limit) => self.loop_events.recv_timeout(limit),
            None => self.loop_events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        for event in self.pulse.take(Instant::now()) {
            self.pass_on(event)?;
        }
        for failure in self.worker.watch(Instant::now()) {
            self.pass_on(Event::InquiryFailed(failure))?;
        }
        match received {
            Ok(loop_event) => Ok(Some(loop_event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            // Every further call would fail at once in the same way, in an endless loop.
            Err(RecvTimeoutError::Disconnected) => Err(TermError::Deaf),
        }
    }

    fn hear(&mut self, loop_event: LoopEvent) -> Result<Option<End>, TermError> {
        let event = match loop_event {
            LoopEvent::Term(event) => match self.hear_terminal(event)? {
                Heard::Event(event) => event,
                Heard::End(end) => return Ok(Some(end)),
                Heard::Nothing => return Ok(None),
            },
            LoopEvent::Train(event) => {
                #[cfg(debug_assertions)]
                fault::strike(fault::Place::Screen, &event);
                if let TrainEvent::Rescued { run_dir, .. } = &event {
                    self.exports = Path::new(run_dir).join(EXPORTS);
                }
                self.pulse.hear(&event, Instant::now());
                Event::Train(sanitized(event))
            }
            LoopEvent::Inquiry(WorkerMessage::Answer(answer)) => Event::Answer(answer),
            LoopEvent::Inquiry(WorkerMessage::Failure(failure)) => Event::InquiryFailed(failure),
        };
        self.pass_on(event)
    }

    /// Hands an event to the app, and does what follows.
    fn pass_on(&mut self, event: Event) -> Result<Option<End>, TermError> {
        let commands = self.app.update(event);
        self.execute(commands)
    }

    fn hear_terminal(&mut self, event: TermEvent) -> Result<Heard, TermError> {
        Ok(match event {
            TermEvent::Key(key) => Heard::Event(Event::Key(key)),
            TermEvent::Paste(text) => Heard::Event(Event::Paste(text)),
            TermEvent::Resize { width, height } => {
                self.display.resize(width, height);
                Heard::Event(Event::Resize { width, height })
            }
            TermEvent::FrameWritten | TermEvent::WriteFailed(_) => Heard::Nothing,
            TermEvent::HangUp { keep_training: true } => Heard::End(End::Detached),
            TermEvent::HangUp { keep_training: false } => Heard::End(End::Signal(SignalKind::HANG_UP)),
            TermEvent::Signal(SignalKind::Suspend) => self.suspend()?,
            TermEvent::Signal(kind @ SignalKind::Fatal(_)) => Heard::End(End::Signal(kind)),
            TermEvent::Signal(_) => {
                self.tell(TrainCommand::Save);
                Heard::Nothing
            }
            TermEvent::Continued => {
                self.display.reclaim()?;
                self.app.show_again();
                Heard::Nothing
            }
            TermEvent::WorkerPanicked { thread, message } => {
                Heard::Event(Event::Notice(Notice::error(format!("the {thread} thread died: {message}"))))
            }
        })
    }

    fn suspend(&mut self) -> Result<Heard, TermError> {
        let refused = self.display.suspend()?;
        self.app.show_again();
        Ok(refused.map_or(Heard::Nothing, |why| Heard::Event(Event::Notice(Notice::warning(why)))))
    }

    fn execute(&mut self, commands: Vec<Command>) -> Result<Option<End>, TermError> {
        for command in commands {
            match command {
                Command::Train(command) => self.tell(command),
                Command::Ask(inquiry) => {
                    self.awaited.ask(&inquiry, Instant::now());
                    self.worker.ask(*inquiry);
                }
                Command::Repaint => self.display.repaint(),
                Command::Copy(text) => match self.display.copy(&text) {
                    Copied::Sent => {}
                    Copied::Perhaps(condition) => self.notice(Notice::warning(condition))?,
                    Copied::TooLong => {
                        let text = "too long for a terminal's clipboard: e writes files";
                        self.notice(Notice::error(text))?;
                    }
                },
                Command::Export(export) => {
                    let svg = picture::svg(&view::still(&self.app), &export.name);
                    let said = export::write(&self.exports, &export, &svg);
                    self.notice(said)?;
                }
                Command::KeepPoints(points) => self.keep(&points),
                Command::SaveEdits { name, text } => {
                    let said = edits_file::save(&edits_file::folder(&self.exports), &name, &text);
                    self.notice(said)?;
                }
                Command::LoadEdits(name) => {
                    self.pass_on(edits_file::load(&edits_file::folder(&self.exports), &name))?;
                }
                Command::Quit => return Ok(Some(End::Quit)),
                Command::Suspend => {
                    if let Heard::Event(event) = self.suspend()? {
                        self.pass_on(event)?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Keeps points of curves, in a run. Lost ones are computed again.
    fn keep(&self, points: &[CurvePoint]) {
        if let Some(run) = &self.run {
            let _ = keep_points(run, points);
        }
    }

    fn notice(&mut self, notice: Notice) -> Result<(), TermError> {
        self.pass_on(Event::Notice(notice)).map(drop)
    }

    fn tell(&self, command: TrainCommand) {
        if let Some(trainer) = &self.trainer {
            // A trainer that has ended needs no command.
            let _ = trainer.send(command);
        }
    }
}

/// File names and system messages come from outside.
fn sanitized(event: TrainEvent) -> TrainEvent {
    let clean = |text: String| sanitize(&text).into_owned();
    match event {
        TrainEvent::Notice(text) => TrainEvent::Notice(clean(text)),
        TrainEvent::Failed(text) => TrainEvent::Failed(clean(text)),
        TrainEvent::Unsaved(why) => TrainEvent::Unsaved(why.map(clean)),
        TrainEvent::Rescued { step, run_dir } => TrainEvent::Rescued { step, run_dir: clean(run_dir) },
        TrainEvent::Started(mut plan) => {
            plan.run_dir = plan.run_dir.map(clean);
            TrainEvent::Started(plan)
        }
        other => other,
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Heard {
    Event(Event),
    End(End),
    Nothing,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::app::{AppOptions, ColorDepth, Glyphs, Mode};
    use crate::model::ModelConfig;
    use crate::task::TaskConfig;

    struct Nowhere;

    impl Display for Nowhere {
        fn draw(&mut self, _: &App) -> Option<usize> {
            Some(0)
        }
        fn resize(&mut self, _: u16, _: u16) {}
        fn repaint(&mut self) {}
        fn copy(&mut self, _: &str) -> Copied {
            Copied::Sent
        }
        fn suspend(&mut self) -> Result<Option<&'static str>, TermError> {
            Ok(None)
        }
        fn reclaim(&mut self) -> Result<(), TermError> {
            Ok(())
        }
    }

    #[test]
    fn a_loop_without_senders_ends_with_an_error() {
        let model = ModelConfig { d_model: 8, d_head: 4, d_mlp: 8, n_ctx: 4, ..ModelConfig::default() };
        let task = TaskConfig { sequences: 4, train_fraction: 0.5, ..TaskConfig::default() };
        let dataset = Arc::new(task.dataset(model.shape(), 1).unwrap());
        let (app, first) = App::new(AppOptions {
            model,
            seed: 1,
            dataset: Arc::clone(&dataset),
            depth: ColorDepth::None,
            glyphs: Glyphs::Ascii,
            ground: crate::app::Ground::Dark,
            title: String::new(),
            mode: Mode::Live,
        });
        let (sender, loop_events) = channel();
        drop(sender);
        let mut event_loop = EventLoop {
            app,
            display: Nowhere,
            loop_events: &loop_events,
            trainer: None,
            worker: Worker::spawn(dataset, 1, |_| {}).unwrap(),
            pulse: Pulse::default(),
            awaited: Awaited::default(),
            exports: PathBuf::new(),
            run: None,
            line_rate: 6144,
        };
        assert!(matches!(event_loop.run(first), Err(TermError::Deaf)));
    }
}
