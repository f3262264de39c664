//! Ctrl-Z: in raw mode a byte like any other, so stopping is up to us.

use std::time::Duration;
use std::{fs, thread};

use rustix::process::{Pid, Signal, getpgid, getpid, getppid, getsid, kill_current_process_group};

use super::tty::Tty;

/// How long a stop takes to reach every thread, roughly.
const STOP_ARRIVES: Duration = Duration::from_millis(10);

/// How a [`Session::suspend`](super::Session::suspend) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// The process was stopped and goes on; draw again.
    Resumed,
    /// Nothing was done, because nobody could continue the process; for the user to read.
    Refused(&'static str),
}

/// Why this process must not be stopped, if there is a reason.
pub(super) fn objection() -> Option<&'static str> {
    let session = getsid(None).ok();
    if session == Some(getpid()) {
        return Some("cannot suspend: this is the first process of its session");
    }
    let shell = parent_of_the_job();
    let controls_us = shell.is_some_and(|shell| getsid(Some(shell)).ok() == session);
    (!controls_us).then_some("cannot suspend: no shell is left to continue it")
}

/// Stops the job until the shell has brought it to the foreground.
///
/// The kernel would do so when we change the terminal's settings, but by then those of the shell's line
/// editor would have been taken for the ones to give back.
pub(super) fn wait_for_the_foreground(tty: &Tty) {
    while !tty.is_ours() && objection().is_none() {
        if kill_current_process_group(Signal::TTOU).is_err() {
            return;
        }
        thread::sleep(STOP_ARRIVES);
    }
}

/// The nearest ancestor in another process group: the shell that started this job, if it is one.
fn parent_of_the_job() -> Option<Pid> {
    let group = getpgid(None).ok()?;
    let mut ancestor = getppid()?;
    while getpgid(Some(ancestor)).ok()? == group {
        ancestor = parent(&fs::read_to_string(format!("/proc/{ancestor}/stat")).ok()?)?;
    }
    Some(ancestor)
}

/// The parent in a line of `/proc/PID/stat`. The name before it may contain anything, brackets too.
fn parent(stat: &str) -> Option<Pid> {
    let (_, after_name) = stat.rsplit_once(')')?;
    Pid::from_raw(after_name.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent("12 (a) b (c) S 34 5 6"), Pid::from_raw(34));
        assert_eq!(parent("12 (init) S 0 0 0"), None);
        assert_eq!(parent("nonsense"), None);
    }
}
