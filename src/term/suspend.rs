//! Ctrl-Z: in raw mode an ordinary byte, so the program stops itself.

use std::time::Duration;
use std::{fs, thread};

use rustix::process::{Pid, Signal, getpgid, getpid, getppid, getsid, kill_current_process_group};

use super::tty::Tty;

/// Approximate time until a stop reaches every thread.
const STOP_ARRIVES: Duration = Duration::from_millis(10);

/// Result of [`Session::suspend`](super::Session::suspend).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// The process was stopped and continued; draw again.
    Resumed,
    /// Nothing was done, because no shell could continue the process; a message for the user.
    Refused(&'static str),
}

/// Why this process must not be stopped, if so.
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
/// The kernel would also stop a background job that changes the terminal's settings, but by then we would have saved
/// the settings of the shell's line editor as the ones to restore.
pub(super) fn wait_for_the_foreground(tty: &Tty) {
    while !tty.is_ours() && objection().is_none() {
        if kill_current_process_group(Signal::TTOU).is_err() {
            return;
        }
        thread::sleep(STOP_ARRIVES);
    }
}

/// The nearest ancestor in another process group: usually the shell that started this job.
fn parent_of_the_job() -> Option<Pid> {
    let group = getpgid(None).ok()?;
    let mut ancestor = getppid()?;
    while getpgid(Some(ancestor)).ok()? == group {
        ancestor = parent(&fs::read_to_string(format!("/proc/{ancestor}/stat")).ok()?)?;
    }
    Some(ancestor)
}

/// The parent in a line of `/proc/PID/stat`. The name before it may contain any characters, even brackets.
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
