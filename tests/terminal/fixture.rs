//! A small program on the terminal layer, which the test executable becomes when it is started with
//! [`REPORT`] in its environment: the smallest main loop that executes every event.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyModifiers};
use headcount::term::{Capabilities, Looks, Session, Suspension, TermError, TermEvent, ThemeChoice};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// Names the file that the program reports to.
pub(crate) const REPORT: &str = "HEADCOUNT_TERMINAL_FIXTURE";

const ESC_DELAY: Duration = Duration::from_millis(200);

/// Ticks in a flood.
pub(crate) const FLOOD: u32 = 600;

/// What is on the screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) count: u32,
    pub(crate) note: String,
    /// Fills the screen with cells that differ in every frame.
    pub(crate) heavy: bool,
}

/// A pure function of the state, so that a test can draw it afresh.
pub(crate) fn view(state: &State, frame: &mut Frame<'_>) {
    let Rect { width, height, .. } = frame.area();
    let buffer = frame.buffer_mut();
    let bold = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
    let lines = [
        (format!("count {}", state.count), bold),
        (state.note.clone(), Style::new().add_modifier(Modifier::REVERSED)),
        ("漢字 é ▁▂▃▄ wide".to_owned(), Style::new().bg(Color::Indexed(24))),
    ];
    for ((row, (line, style)), _) in (0..).zip(lines).zip(0..height) {
        buffer.set_stringn(0, row, line, width.into(), style);
    }
    for (x, y) in (3..height).flat_map(|y| (0..width).map(move |x| (x, y))).filter(|_| state.heavy) {
        let seed = u32::from(x) * 7 + u32::from(y) * 13 + state.count;
        let letter = char::from(b'a' + (seed % 26) as u8);
        buffer[(x, y)].set_char(letter).set_fg(Color::Indexed((seed % 240 + 16) as u8));
    }
}

enum Event {
    Term(TermEvent),
    Tick,
}

impl From<TermEvent> for Event {
    fn from(event: TermEvent) -> Self {
        Self::Term(event)
    }
}

/// Becomes the program if this process was started to be it; does not return then.
pub(crate) fn enter_if_asked() {
    let Some(report) = std::env::var_os(REPORT) else {
        return;
    };
    let program = Program { report: report.into(), state: State::default(), slowest: Duration::ZERO };
    let ended = std::panic::catch_unwind(move || program.run());
    let status = ended.unwrap_or(Ok(101)).unwrap_or_else(|error| {
        eprintln!("fixture: {error}");
        if matches!(error, TermError::NoTerminal { .. }) { 2 } else { 1 }
    });
    std::process::exit(status.into());
}

/// The arguments that make a test executable run the program alone.
pub(crate) fn arguments(command: &mut Command, report: &std::path::Path) {
    command.args(["--exact", "program", "--nocapture", "--color", "never"]).env(REPORT, report);
}

struct Program {
    report: PathBuf,
    state: State,
    slowest: Duration,
}

/// What an event leads to.
enum Next {
    Draw,
    Wait,
    Leave(u8),
}

impl Program {
    fn run(mut self) -> Result<u8, TermError> {
        let capabilities =
            Capabilities::of_this_process(Looks { theme: ThemeChoice::Dark, ..Looks::default() })?;
        let (sender, events) = mpsc::channel();
        let mut session = Session::start::<Event>(capabilities, ESC_DELAY, sender.clone())?;
        let mut changed = true;
        loop {
            if changed {
                let started = Instant::now();
                changed = !session.screen().draw(|frame| view(&self.state, frame));
                self.slowest = self.slowest.max(started.elapsed());
            }
            match self.next(&mut session, &sender, &events)? {
                Next::Draw => changed = true,
                Next::Wait => {}
                Next::Leave(status) => {
                    session.finish();
                    return Ok(status);
                }
            }
        }
    }

    fn next(
        &mut self,
        session: &mut Session,
        sender: &Sender<Event>,
        events: &Receiver<Event>,
    ) -> Result<Next, TermError> {
        let event = match events.recv().expect("we hold a sender ourselves") {
            Event::Term(event) => event,
            Event::Tick => {
                self.tick();
                return Ok(Next::Draw);
            }
        };
        match event {
            TermEvent::Key(key) if key.modifiers == KeyModifiers::CONTROL => {
                if let Suspension::Refused(why) = session.suspend()? {
                    self.state.note = why.into();
                }
            }
            TermEvent::Key(key) => return self.execute(key.code, sender),
            TermEvent::Paste(text) => self.state.note = format!("pasted {text}"),
            TermEvent::Resize { width, height } => session.screen().resize(width, height),
            TermEvent::FrameWritten => return Ok(Next::Wait),
            TermEvent::WriteFailed(why) => self.state.note = why,
            TermEvent::HangUp { keep_training } => return Ok(self.save(if keep_training { 7 } else { 129 })),
            TermEvent::Signal(signal) => match signal.exit_code() {
                Some(status) => return Ok(self.save(status)),
                None => self.state.note = format!("{signal:?}"),
            },
            TermEvent::Continued => session.reclaim()?,
            TermEvent::WorkerPanicked { thread, message } => {
                self.state.note = format!("{thread} panicked: {message}");
            }
        }
        Ok(Next::Draw)
    }

    fn execute(&mut self, code: KeyCode, sender: &Sender<Event>) -> Result<Next, TermError> {
        match code {
            KeyCode::Char('q') => return Ok(Next::Leave(0)),
            KeyCode::Char('e') => return Err(TermError::AlreadyBorrowed),
            KeyCode::Char('p') => panic!("the screen's own thread"),
            KeyCode::Char('w') => {
                thread::Builder::new().name("bad".into()).spawn(|| panic!("gone\x1b[31m")).unwrap();
            }
            KeyCode::Char('n') => self.state.count += 1,
            KeyCode::Char('h') => self.state.heavy = !self.state.heavy,
            KeyCode::Char('x') => {
                self.tell(0);
                thread::sleep(Duration::from_secs(3600));
            }
            KeyCode::Char('f') => {
                let sender = sender.clone();
                thread::spawn(move || {
                    for _ in 0..FLOOD {
                        sender.send(Event::Tick).unwrap();
                        thread::sleep(Duration::from_millis(1));
                    }
                });
            }
            _ => {}
        }
        Ok(Next::Draw)
    }

    fn tick(&mut self) {
        self.state.count += 1;
        if self.state.count == FLOOD {
            self.tell(self.slowest.as_millis());
        }
    }

    /// Reports the processor time used, after as long as a real program may take to save: by then a
    /// thread that spins on a dead terminal shows.
    fn save(&self, status: u8) -> Next {
        thread::sleep(Duration::from_millis(300));
        self.tell(processor_milliseconds());
        thread::sleep(Duration::from_millis(50));
        Next::Leave(status)
    }

    fn tell(&self, number: u128) {
        // Renamed into place, so that a test never reads half of it.
        let partial = self.report.with_extension("partial");
        fs::write(&partial, number.to_string()).unwrap();
        fs::rename(&partial, &self.report).unwrap();
    }
}

fn processor_milliseconds() -> u128 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // User and system time, in hundredths of a second.
    [11, 12].iter().map(|index| fields[*index].parse::<u128>().unwrap() * 10).sum()
}
