//! The terminal layer in a real pseudo-terminal: given back on every way out, never waited for, gone
//! without a trace of load, and drawn with nothing but whole frames.

#[path = "pty/fixture.rs"]
mod fixture;
mod pty;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use rustix::process::Signal;
use tempfile::TempDir;

use fixture::{FLOOD, State, view};
use pty::{PATIENCE, Pty, session_leader, under_a_shell};

/// The program under test, when this executable is started as such.
#[test]
fn program() {
    fixture::enter_if_asked();
}

/// A running fixture, with the place where it reports.
struct Fixture {
    pty: Pty,
    folder: TempDir,
}

impl std::ops::Deref for Fixture {
    type Target = Pty;
    fn deref(&self) -> &Pty {
        &self.pty
    }
}

impl std::ops::DerefMut for Fixture {
    fn deref_mut(&mut self) -> &mut Pty {
        &mut self.pty
    }
}

impl Fixture {
    fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fixture::arguments(&mut command, &folder.path().join("report"));
        Self { pty: Pty::spawn(&mut command).unwrap(), folder }
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

    /// Ends within `limit`, with this status, and with the terminal as it was.
    fn leaves(mut self, status: i32, limit: Duration) -> Vec<u8> {
        assert_eq!(self.wait_for_exit(limit).code(), Some(status));
        assert!(!self.settings_differ(), "the terminal's settings are not what they were");
        let output = self.drain();
        let modes = self.modes();
        assert!(modes.is_restored(), "{modes:?}");
        assert!(!self.text().contains("count "), "the screen is left behind:\n{}", self.text());
        output
    }
}

fn this_executable() -> PathBuf {
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

#[test]
fn the_screen_is_what_was_drawn_and_the_terminal_is_changed_meanwhile() {
    let fixture = Fixture::shown();
    assert!(fixture.settings_differ() && fixture.modes().is_alternate() && !fixture.modes().is_restored());
    assert!(!fixture.emulator().cursor().visible);
    assert_eq!(difference(&fixture.emulator(), &drawn(&shown(0), 80, 24)), None);
    fixture.type_keys("nh");
    let heavy = State { count: 1, heavy: true, ..State::default() };
    fixture.wait_until("the second frame is right", |pty| shows(pty, &heavy, (80, 24)));
    assert_ne!(difference(&fixture.emulator(), &drawn(&shown(1), 80, 24)), None);
}

#[test]
fn it_is_given_back_on_return() {
    let fixture = Fixture::shown();
    fixture.type_keys("q");
    let output = fixture.leaves(0, PATIENCE);
    assert!(output.ends_with(b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l"));
}

#[test]
fn it_is_given_back_before_an_error_is_printed() {
    let fixture = Fixture::shown();
    fixture.type_keys("e");
    let output = String::from_utf8(fixture.leaves(1, PATIENCE)).unwrap();
    let (_, after) = output.rsplit_once("\x1b[?1049l").unwrap();
    assert_eq!(after, "fixture: the terminal is already in use by this process\r\n");
}

#[test]
fn it_is_given_back_before_a_panic_is_printed() {
    let fixture = Fixture::shown();
    fixture.type_keys("p");
    let output = String::from_utf8(fixture.leaves(101, PATIENCE)).unwrap();
    let (_, after) = output.rsplit_once("\x1b[?1049l").unwrap();
    assert!(after.contains("the screen's own thread") && after.contains("\r\n"), "{after:?}");
}

#[test]
fn it_is_given_back_on_every_signal_that_ends_us_and_later_ones_change_nothing() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)]
    {
        let fixture = Fixture::shown();
        let started = Instant::now();
        fixture.signal(signal);
        fixture.wait_until("the fixture saves", |_| fixture.report().is_some());
        for later in [Signal::TERM, Signal::INT, Signal::HUP] {
            fixture.signal(later);
        }
        fixture.leaves(status, PATIENCE);
        assert!(started.elapsed() < Duration::from_secs(2), "{signal:?} took {:?}", started.elapsed());
    }
}

#[test]
fn a_main_loop_that_hangs_is_ended_after_ten_seconds() {
    let fixture = Fixture::shown();
    fixture.type_keys("x");
    thread::sleep(Duration::from_millis(100));
    fixture.signal(Signal::TERM);
    let started = Instant::now();
    fixture.leaves(143, Duration::from_secs(12));
    assert!(started.elapsed() > Duration::from_secs(9), "gave {:?} only", started.elapsed());
}

#[test]
fn a_signal_that_does_not_end_us_is_an_event() {
    let fixture = Fixture::shown();
    fixture.signal(Signal::USR1);
    fixture.wait_for("User1");
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn the_panic_of_another_thread_is_an_event_and_leaves_the_screen_alone() {
    let fixture = Fixture::shown();
    fixture.type_keys("w");
    fixture.wait_for("bad panicked: gone\\x1b[31m at tests/pty/fixture.rs");
    let modes = fixture.modes();
    assert!(modes.is_alternate() && modes.unexpected.is_empty() && modes.outside == 0, "{modes:?}");
    fixture.type_keys("q");
    let output = String::from_utf8(fixture.leaves(0, PATIENCE)).unwrap();
    assert_eq!(output.matches("panicked").count(), 1, "printed besides");
}

/// Hangs up and returns the status, the processor time in milliseconds and the time until it was gone.
fn hang_up(command: Command) -> (Option<i32>, u64, Duration) {
    let mut fixture = Fixture::start(command);
    fixture.wait_for("count 0");
    let started = Instant::now();
    fixture.hang_up();
    let status = fixture.wait_for_exit(PATIENCE);
    let report = fixture.report().unwrap_or_else(|| panic!("{status} without a report"));
    (status.code(), report, started.elapsed())
}

#[test]
fn a_hang_up_ends_us_soon_and_without_load() {
    let child_of_a_deaf_leader = r#"trap : HUP; "$@"; exit $?"#;
    for command in
        [session_leader(&this_executable()), under_a_shell(child_of_a_deaf_leader, &this_executable())]
    {
        let (status, milliseconds, took) = hang_up(command);
        assert_eq!(status, Some(129));
        assert!(milliseconds <= 100, "{milliseconds} ms of processor time");
        assert!(took < Duration::from_secs(1), "took {took:?}, of which 0.3 s are the fixture's");
    }
}

#[test]
fn a_hang_up_under_nohup_goes_on_without_a_screen() {
    let nohup = under_a_shell(r#"trap "" HUP; exec "$@""#, &this_executable());
    let (status, milliseconds, _) = hang_up(nohup);
    assert_eq!(status, Some(7), "the status of a fixture that was told to train on");
    assert!(milliseconds <= 100, "{milliseconds} ms of processor time");
}

#[test]
fn a_terminal_that_nobody_reads_delays_frames_and_nothing_else() {
    let fixture = Fixture::shown();
    fixture.pause(true);
    fixture.type_keys("hf");
    fixture.wait_until("the flood is over while nobody reads", |_| fixture.report().is_some());
    let slowest = fixture.report().unwrap();
    assert!(slowest < 250, "a draw took {slowest} ms");
    assert!(!fixture.text().contains(&format!("count {FLOOD}")));
    fixture.pause(false);
    let last = State { count: FLOOD, heavy: true, ..State::default() };
    fixture.wait_at_most(Duration::from_secs(3), "the last frame", |pty| shows(pty, &last, (80, 24)));
    assert!(fixture.modes().frames < FLOOD as usize / 2, "frames were queued up");
}

#[test]
fn a_terminal_that_nobody_reads_is_given_back_in_time() {
    let fixture = Fixture::shown();
    fixture.pause(true);
    fixture.type_keys("hf");
    fixture.wait_until("the flood is over while nobody reads", |_| fixture.report().is_some());
    fixture.signal(Signal::TERM);
    // The last frame is cut short, and the modes must be right all the same once somebody reads again.
    fixture.leaves(143, Duration::from_secs(2));
}

#[test]
fn nothing_changed_is_nothing_sent() {
    let fixture = Fixture::shown();
    thread::sleep(Duration::from_millis(100));
    let before = fixture.output().len();
    fixture.type_keys("iiii");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(fixture.output().len(), before);
    fixture.type_keys("n");
    fixture.wait_for("count 1");
    assert_eq!(fixture.output()[before..], *b"\x1b[?2026h\x1b[1;7H\x1b[1;36m1\x1b[0m\x1b[?2026l");
}

/// The number of write calls that a process has made.
fn writes(fixture: &Fixture) -> usize {
    let io = std::fs::read_to_string(format!("/proc/{}/io", fixture.pid())).unwrap();
    let count = io.lines().find_map(|line| line.strip_prefix("syscw: "));
    count.unwrap().parse().unwrap()
}

#[test]
fn every_frame_is_one_write_and_nothing_is_written_outside() {
    let fixture = Fixture::shown();
    let before = (writes(&fixture), fixture.modes().frames);
    for count in 1..=20 {
        fixture.type_keys("n");
        fixture.wait_for(&format!("count {count}"));
    }
    let modes = fixture.modes();
    assert_eq!((writes(&fixture) - before.0, modes.frames - before.1), (20, 20));
    assert_eq!((modes.outside, &modes.unexpected), (0, &vec![]));
}

#[test]
fn a_storm_of_resizes_settles_on_the_last_size() {
    let mut fixture = Fixture::shown();
    fixture.type_keys("h");
    let heavy = State { heavy: true, ..State::default() };
    fixture.wait_until("the heavy screen", |pty| shows(pty, &heavy, (80, 24)));
    let before = fixture.modes().frames;
    for step in 0..500 {
        fixture.resize(20 + step % 100, step % 40);
        thread::sleep(Duration::from_millis(1));
    }
    fixture.resize(101, 31);
    fixture.wait_at_most(Duration::from_secs(1), "the last size", |pty| shows(pty, &heavy, (101, 31)));
    let frames = fixture.modes().frames - before;
    assert!(frames <= 60, "{frames} frames");
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn no_size_is_too_small_to_survive() {
    let mut fixture = Fixture::shown();
    for (width, height) in [(0, 0), (1, 1), (2, 1), (0, 24), (1, 200), (500, 1)] {
        fixture.resize(width, height);
        thread::sleep(Duration::from_millis(80));
    }
    fixture.resize(80, 24);
    fixture.wait_until("the first screen", |pty| shows(pty, &shown(0), (80, 24)));
}

#[test]
fn control_z_stops_the_job_with_the_terminal_given_back_and_returns() {
    let script = r#"set -m; "$@"; for round in 1 2 3 4 5; do echo stop $round; read go; fg; done; exit $?"#;
    let mut fixture = Fixture::start(under_a_shell(script, &this_executable()));
    fixture.wait_for("count 0");
    for round in 1..=5 {
        fixture.type_keys("\x1a");
        fixture.wait_at_most(Duration::from_secs(1), "a stop", |pty| {
            pty.text().contains(&format!("stop {round}"))
        });
        let modes = fixture.modes();
        assert!(modes.is_restored(), "{modes:?}");
        assert!(!fixture.settings_differ());
        // While it is stopped, the window changes and the shell writes on it.
        let (before, size) = (fixture.output().len(), (60 + round, 20 + round));
        fixture.resize(size.0, size.1);
        fixture.type_keys("\n");
        let repainted = |pty: &Pty| {
            let again = pty::emulate(&pty.output()[before..], size);
            difference(&again, &drawn(&shown(0), size.0, size.1)).is_none()
        };
        fixture.wait_at_most(Duration::from_secs(1), "a full repaint", repainted);
        assert!(fixture.settings_differ());
    }
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn control_z_is_refused_where_nobody_could_continue_us() {
    let fixture = Fixture::shown();
    fixture.type_keys("\x1a");
    fixture.wait_for("cannot suspend: this is the first process of its session");
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn a_stop_from_outside_ends_in_a_full_repaint() {
    let fixture = Fixture::shown();
    fixture.signal(Signal::STOP);
    thread::sleep(Duration::from_millis(50));
    let before = fixture.output().len();
    fixture.signal(Signal::CONT);
    let repainted = |pty: &Pty| {
        let again = pty::emulate(&pty.output()[before..], (80, 24));
        difference(&again, &drawn(&shown(0), 80, 24)).is_none()
    };
    fixture.wait_until("a full repaint", repainted);
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

/// What a program sent for a screen with everything on it.
fn modes_of_a_full_screen(no_color: &str) -> pty::modes::Modes {
    // The harness clears the variable, so that it is set behind its back.
    let mut command = Command::new("env");
    command.arg(format!("NO_COLOR={no_color}")).args(["setsid", "--ctty"]).arg(this_executable());
    let fixture = Fixture::start(command);
    fixture.wait_for("count 0");
    fixture.type_keys("\x1b[200~note\x1b[201~h");
    fixture.wait_until("note and letters", |pty| {
        let text = pty.text();
        text.contains("pasted note") && text.contains("hov")
    });
    fixture.modes()
}

#[test]
fn without_colours_only_attributes_are_sent() {
    let (without, with) = (modes_of_a_full_screen("1"), modes_of_a_full_screen(""));
    assert!(with.has_colors && !without.has_colors, "{without:?}");
    assert!([1, 7].iter().all(|attribute| without.attributes.contains(attribute)), "{without:?}");
}

#[test]
fn a_paste_is_one_event() {
    let fixture = Fixture::shown();
    fixture.type_keys("\x1b[200~qqq\x1b[201~");
    fixture.wait_for("pasted qqq");
}

#[test]
fn no_terminal_is_an_error_of_one_line_and_not_one_escape() {
    let piped = |term: &str| {
        let mut command = Command::new(this_executable());
        let folder = tempfile::tempdir().unwrap();
        fixture::arguments(&mut command, &folder.path().join("report"));
        command.env("TERM", term).stdin(Stdio::null()).output().unwrap()
    };
    let output = piped("xterm-256color");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("`headcount train`"), "{error}");
    assert!(!output.stdout.contains(&0x1b) && !error.contains('\x1b'));

    let mut command = session_leader(&this_executable());
    command.env("TERM", "dumb");
    let mut fixture = Fixture::start(command);
    assert_eq!(fixture.wait_for_exit(PATIENCE).code(), Some(2));
    assert!(!fixture.settings_differ());
    let output = String::from_utf8(fixture.drain()).unwrap();
    assert!(output.contains("TERM is dumb") && !output.contains('\x1b'), "{output}");
}
