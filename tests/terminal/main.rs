//! The terminal layer in a real pseudo-terminal: given back on every way out, never waited for, gone
//! without a trace of load, and drawn with nothing but whole frames.

#[path = "../common/bars.rs"]
mod bars;
mod drawing;
mod fixture;
mod leaving;
mod losing;
#[path = "../pty/mod.rs"]
mod pty;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use fixture::{State, view};
use pty::{Pty, session_leader};

/// The program under test, when this executable is started as such.
#[test]
fn program() {
    fixture::enter_if_asked();
}

/// A running fixture; it reports to a file in its folder.
type Fixture = Pty;

impl Fixture {
    fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fixture::arguments(&mut command, &folder.path().join("report"));
        command.current_dir(folder.path());
        Self::spawn(&mut command, folder).unwrap()
    }

    /// Started as a session leader, and drawn.
    fn shown() -> Self {
        let fixture = Self::start(session_leader(&this_executable()));
        fixture.wait_for("count 0");
        fixture
    }

    fn report(&self) -> Option<u64> {
        std::fs::read_to_string(self.folder.path().join("report")).ok()?.parse().ok()
    }

    /// As [`ends`](Pty::ends), with nothing of the screen left behind.
    fn leaves(mut self, status: i32, limit: Duration) -> Vec<u8> {
        let output = self.ends(status, limit);
        assert!(!self.text().contains("count "), "the screen is left behind:\n{}", self.text());
        output
    }
}

fn this_executable() -> PathBuf {
    pty::dispositions::are_the_default();
    std::env::current_exe().unwrap()
}

fn shown(count: u32) -> State {
    State { count, ..State::default() }
}

/// The state, drawn by nothing of ours.
fn drawn(state: &State, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(state, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The first cell in which a terminal differs from a buffer.
fn difference(emulator: &avt::Terminal, buffer: &Buffer) -> Option<String> {
    let screen = emulator.screen();
    buffer.area.positions().find_map(|at| {
        let expected = &buffer[at];
        let found = screen.line(at.y.into())?.cells()[usize::from(at.x)];
        let same_pen = found.pen().foreground() == color(expected.fg)
            && found.pen().background() == color(expected.bg)
            && found.pen().is_bold() == expected.modifier.contains(ratatui::style::Modifier::BOLD)
            && found.pen().is_inverse() == expected.modifier.contains(ratatui::style::Modifier::REVERSED);
        // What a wide glyph covers has no content of its own.
        let same = found.width() == 0 || expected.symbol() == found.char().to_string() && same_pen;
        (!same).then(|| format!("{at}: {found:?} instead of {expected:?}"))
    })
}

fn color(color: ratatui::style::Color) -> Option<avt::Color> {
    match color {
        ratatui::style::Color::Reset => None,
        ratatui::style::Color::Cyan => Some(avt::Color::Indexed(6)),
        ratatui::style::Color::Indexed(index) => Some(avt::Color::Indexed(index)),
        other => panic!("the fixture has no {other}"),
    }
}

fn shows(pty: &Pty, state: &State, (width, height): (u16, u16)) -> bool {
    difference(&pty.emulator(), &drawn(state, width, height)).is_none()
}
