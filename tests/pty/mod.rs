//! A program in a pseudo-terminal and a folder of its own: what a user's terminal would see of it.
//!
//! Every wait has a deadline that fails, the thread that reads is joined and must not have panicked, and
//! all output is drained before it is judged.

#![allow(dead_code, reason = "each test program uses its own part of the harness")]

pub(crate) mod dispositions;
mod line;
pub(crate) mod modes;

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use line::Line;
use modes::Modes;
use tempfile::TempDir;

use crate::bars::PATIENCE;

/// The program, wrapped so that it leads a session whose controlling terminal is its standard input.
///
/// Between fork and exec only unsafe code could do that, so util-linux's `setsid` does; the process
/// keeps its number.
pub(crate) fn session_leader(program: &std::path::Path) -> Command {
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(program);
    command
}

/// The program as `"$@"` of a shell script whose shell leads the session.
pub(crate) fn under_a_shell(script: &str, program: &std::path::Path) -> Command {
    let mut command = Command::new("setsid");
    command.args(["--ctty", "sh", "-c", script, "sh"]).arg(program);
    command
}

/// A test that cannot run here says so where the test runner hides nothing.
pub(crate) fn skip(why: &str) {
    use io::Write;
    let name = thread::current().name().unwrap_or_default().to_owned();
    writeln!(io::stderr(), "skipped {name}: {why}").expect("stderr is there");
}

/// Whether a tool is installed; if not, the test is skipped.
pub(crate) fn has(tool: &str, argument: &str) -> bool {
    let tried = Command::new(tool).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = tried.is_ok_and(|status| status.success());
    if !there {
        skip(&format!("there is no {tool}"));
    }
    there
}

const FRAME_END: &[u8] = b"\x1b[?2026l";

/// A running program, its folder, and the other end of its terminal.
pub(crate) struct Pty {
    pub(crate) folder: TempDir,
    master: Option<Arc<OwnedFd>>,
    /// Our own hold on the program's end: its settings can be read after the program has gone.
    slave: Option<OwnedFd>,
    child: Child,
    reader: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    size: (u16, u16),
    found: String,
}

#[derive(Default)]
struct Shared {
    output: Mutex<Vec<u8>>,
    paused: AtomicBool,
    stopped: AtomicBool,
    /// Bytes a second that the line to the reader carries; 0: as many as come.
    rate: AtomicUsize,
    /// Bytes on the line.
    queued: AtomicUsize,
    /// What it says when it is asked for its background; nothing of a mute terminal.
    answer: String,
}

impl Pty {
    /// Starts the command at 80 by 24, in an environment that does not depend on ours.
    pub(crate) fn spawn(command: &mut Command, folder: TempDir) -> io::Result<Self> {
        dispositions::are_the_default();
        let (master, slave) = open_pair()?;
        set_size(&slave, (80, 24))?;
        let found = describe(&tcgetattr(&slave)?);
        command
            .env_remove("NO_COLOR")
            .env_remove("LC_ALL")
            .env_remove("TMUX")
            .env_remove("STY")
            .env_remove("RUST_BACKTRACE")
            .env("LANG", "C.UTF-8")
            .env("COLORTERM", "")
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave.try_clone()?);
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let child = command.spawn()?;
        // A command holds on to its files for the next time.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let shared = Shared { answer: answer(command), ..Shared::default() };
        let (master, shared) = (Arc::new(master), Arc::new(shared));
        let reader = {
            let (master, shared) = (Arc::clone(&master), Arc::clone(&shared));
            thread::spawn(move || read_all(&master, &shared))
        };
        let (master, slave, reader) = (Some(master), Some(slave), Some(reader));
        Ok(Self { folder, master, slave, child, reader, shared, size: (80, 24), found })
    }

    /// The folder, to start another program in it; it would go with us.
    pub(crate) fn take_folder(&mut self) -> TempDir {
        std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder can be made"))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the program is there to be signalled");
    }

    pub(crate) fn type_keys(&self, keys: &str) {
        let master = self.master.as_ref().expect("the terminal has not hung up");
        assert_eq!(rustix::io::write(master, keys.as_bytes()), Ok(keys.len()));
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        let master = self.master.as_ref().expect("the terminal has not hung up");
        set_size(master, self.size).expect("a terminal can be resized");
    }

    /// Stops reading, or goes on.
    pub(crate) fn pause(&self, paused: bool) {
        self.shared.paused.store(paused, Ordering::Release);
    }

    /// Carries what is written at so many bytes a second from now on.
    pub(crate) fn carry(&self, rate: usize) {
        self.shared.rate.store(rate, Ordering::Release);
    }

    /// Bytes that have left the terminal and are still on the line.
    pub(crate) fn queued(&self) -> usize {
        self.shared.queued.load(Ordering::Acquire)
    }

    /// Closes the terminal, as a lost connection does.
    pub(crate) fn hang_up(&mut self) {
        self.stop_reading();
        self.slave = None;
        let master = self.master.take().and_then(Arc::into_inner);
        drop(master.expect("nobody else holds the master"));
    }

    /// Everything that the program has written so far.
    pub(crate) fn output(&self) -> Vec<u8> {
        self.shared.output.lock().expect("the reader is well").clone()
    }

    /// Keeps of the output only the modes that it has led to, as if they had been set just now.
    pub(crate) fn forget(&self) {
        let mut output = self.shared.output.lock().expect("the reader is well");
        // A frame is cut out whole, or the rest of it would be text.
        let end = output.windows(FRAME_END.len()).rposition(|bytes| bytes == FRAME_END);
        if let Some(end) = end.map(|at| at + FRAME_END.len()) {
            let modes = Modes::of(&output[..end]).set_again();
            output.splice(..end, modes);
        }
    }

    pub(crate) fn modes(&self) -> Modes {
        Modes::of(&self.output())
    }

    /// Waits until nothing has been written for a while.
    pub(crate) fn settles(&self) {
        self.wait_until("the screen settles", |pty| {
            let before = pty.output().len();
            thread::sleep(Duration::from_millis(250));
            pty.output().len() == before
        });
    }

    /// What a terminal of the present size shows after all that output.
    pub(crate) fn emulator(&self) -> avt::Terminal {
        emulate(&self.output(), self.size)
    }

    pub(crate) fn text(&self) -> String {
        self.emulator().screen().text().join("\n")
    }

    /// Whether the terminal's settings are not what they were before the program.
    pub(crate) fn settings_differ(&self) -> bool {
        let slave = self.slave.as_ref().expect("the terminal has not hung up");
        describe(&tcgetattr(slave).expect("a terminal has settings")) != self.found
    }

    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.wait_at_most(PATIENCE, what, holds);
    }

    pub(crate) fn wait_at_most(&self, limit: Duration, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + limit;
        while !holds(self) {
            assert!(Instant::now() < deadline, "after {limit:?} still not: {what}\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for text on the screen.
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(text, |pty| pty.text().contains(text));
    }

    /// Waits until the program has ended.
    pub(crate) fn wait_for_exit(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("our child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {limit:?}\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Tells the program to quit until it does: an escape that it reads together with the key makes another key of it.
    pub(crate) fn quits(&mut self) {
        self.until("it quits", "\x03", |pty| {
            pty.child.try_wait().expect("our child can be waited for").is_some()
        });
    }

    /// Types keys, again when nothing has come of them in a second; the time that it took.
    pub(crate) fn until(
        &mut self,
        what: &str,
        keys: &str,
        mut comes: impl FnMut(&mut Self) -> bool,
    ) -> Duration {
        let started = Instant::now();
        loop {
            self.type_keys(keys);
            let again = Instant::now() + Duration::from_secs(1);
            while Instant::now() < again {
                if comes(self) {
                    return started.elapsed();
                }
                thread::sleep(Duration::from_millis(2));
            }
            assert!(started.elapsed() < PATIENCE, "still not: {what}\n{}", self.text());
        }
    }

    /// Ends within `limit` with this status, and with the terminal as it was; all that it has written.
    pub(crate) fn ends(&mut self, status: i32, limit: Duration) -> Vec<u8> {
        assert_eq!(self.wait_for_exit(limit).code(), Some(status));
        assert!(!self.settings_differ(), "the terminal's settings are not what they were");
        let output = self.drain();
        let modes = self.modes();
        assert!(modes.is_restored(), "{modes:?}");
        output
    }

    /// Reads to the end, which comes when nobody has the terminal open any more.
    pub(crate) fn drain(&mut self) -> Vec<u8> {
        self.slave = None;
        self.pause(false);
        self.carry(0);
        let deadline = Instant::now() + PATIENCE;
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) {
            assert!(Instant::now() < deadline, "the output has no end");
            thread::sleep(Duration::from_millis(2));
        }
        self.stop_reading();
        self.output()
    }

    /// Whoever was at the other end is gone, which nobody has noticed yet.
    pub(crate) fn stop_reading(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader has not panicked");
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // With it whatever it started: they are one group, that of the session.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.shared.stopped.store(true, Ordering::Release);
    }
}

/// A terminal of this size after this output.
pub(crate) fn emulate(output: &[u8], (width, height): (u16, u16)) -> avt::Terminal {
    let mut emulator =
        avt::Terminal::new(width.max(2).into(), height.max(2).into()).expect("the size is not zero");
    emulator.feed(String::from_utf8_lossy(output).as_ref());
    emulator
}

fn read_all(master: &OwnedFd, shared: &Shared) {
    let mut buffer = [0; 4096];
    let mut line = Line::default();
    while !shared.stopped.load(Ordering::Acquire) {
        line.carry(shared);
        if shared.paused.load(Ordering::Acquire) || line.is_full() {
            thread::sleep(Duration::from_millis(5));
            continue;
        }
        let mut file = [PollFd::new(master, PollFlags::IN)];
        let tick = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        if poll(&mut file, Some(&tick)) == Ok(0) {
            continue;
        }
        match rustix::io::read(master, &mut buffer) {
            // EIO: the last of the program's files is closed.
            Ok(0) | Err(rustix::io::Errno::IO) => return line.end(shared),
            Ok(count) => {
                if buffer[..count].windows(QUESTION.len()).any(|window| window == QUESTION) {
                    let _ = rustix::io::write(master, shared.answer.as_bytes());
                }
                line.take(&buffer[..count]);
            }
            Err(error) => panic!("cannot read the master: {error}"),
        }
    }
}

/// The variable that says what a command's terminal answers.
pub(crate) const ANSWER: &str = "HEADCOUNT_TEST_BACKGROUND";

const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";

/// Of a black terminal, unless the command's environment says otherwise.
fn answer(command: &Command) -> String {
    let mut variables = command.get_envs().filter(|(name, _)| *name == ANSWER);
    let given = variables.next().and_then(|(_, value)| value?.to_str());
    given.unwrap_or("\x1b]11;rgb:0000/0000/0000\x1b\\").into()
}

fn open_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let slave = rustix::fs::open(ptsname(&master, Vec::new())?, flags, rustix::fs::Mode::empty())?;
    Ok((master, slave))
}

fn set_size(terminal: &OwnedFd, (width, height): (u16, u16)) -> io::Result<()> {
    Ok(tcsetwinsize(terminal, Winsize { ws_col: width, ws_row: height, ws_xpixel: 0, ws_ypixel: 0 })?)
}

/// Every flag, speed and special character.
fn describe(settings: &Termios) -> String {
    format!("{settings:?}")
}
