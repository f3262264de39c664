//! Turns signals into events, and ends a process that does not leave in time.

use std::sync::{Arc, Condvar, Mutex, Once, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use signal_hook::consts::signal::{
    SIGCHLD, SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGUSR1,
    SIGWINCH, SIGXFSZ,
};
use signal_hook::iterator::Signals;

use super::events::Outlet;
use super::tty::Tty;
use super::{SignalKind, TermError, TermEvent, crash, guard};

/// Dragging a window sends signals faster than frames can follow.
const RESIZE_PAUSE: Duration = Duration::from_millis(50);

/// Time limit for a process that must leave.
const TIME_TO_LEAVE: Duration = Duration::from_secs(10);

/// Distinguishes a stop that [`Session::suspend`](super::Session::suspend) waits for from one from outside.
#[derive(Default)]
pub(super) struct Continuation {
    awaited: Mutex<bool>,
    arrived: Condvar,
}

impl Continuation {
    pub(super) fn expect(&self) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Waits until the process is continued. `limit` is for a stop that never happens: a stopped process uses no time.
    pub(super) fn wait(&self, limit: Duration) {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.arrived.wait_timeout_while(awaited, limit, |awaited| *awaited);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    /// Returns whether a thread waited for it.
    fn arrive(&self) -> bool {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        self.arrived.notify_all();
        std::mem::take(&mut *awaited)
    }
}

/// Signals that do not end a process, cannot be caught, or have a special meaning here.
const NOT_FATAL: [i32; 11] =
    [SIGKILL, SIGSTOP, SIGUSR1, SIGXFSZ, SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH];

/// Every signal that would end the process, including real-time signals, except those of a crash.
fn fatal_signals() -> impl Iterator<Item = i32> {
    (1..=64).filter(|signal| !NOT_FATAL.contains(signal) && !crash::SIGNALS.contains(signal))
}

/// Watches `others` and every fatal signal, except those ignored at the start (by `nohup`, or in the background of a
/// script) and those that a profiler uses.
fn signals(others: &[i32]) -> Result<Signals, TermError> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let signals = Signals::new(others).map_err(TermError::Signals)?;
    for signal in fatal_signals()
        .filter(|signal| !has(&status, "SigIgn:", *signal) && !has(&status, "SigCgt:", *signal))
    {
        match signals.add_signal(signal) {
            // The C library reserves some for itself.
            Err(error) if signal <= SIGTERM => return Err(TermError::Signals(error)),
            _ => {}
        }
    }
    Ok(signals)
}

/// Turns the file size limit into a write error instead of the end of the process.
pub fn survive_file_size_limit() {
    // If this fails, such a write ends the process as before: nothing to report.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Calls `act` for the first signal that requires the process to leave, and for every one that requests a save. The
/// process then has ten seconds to leave.
///
/// # Errors
/// When signals cannot be watched.
pub fn watch_without_a_screen(act: impl Fn(SignalKind) + Send + 'static) -> Result<(), TermError> {
    let mut signals = signals(&[SIGUSR1])?;
    let watch = move || {
        let mut leaving = false;
        for kind in signals.forever().filter_map(kind) {
            if let Some(status) = kind.exit_code() {
                if std::mem::replace(&mut leaving, true) {
                    continue;
                }
                leave_in_time(status);
            }
            act(kind);
        }
    };
    let spawned = thread::Builder::new().name("signals".into()).spawn(watch);
    spawned.map(drop).map_err(|source| TermError::Thread { name: "signal", source })
}

/// Watches signals until the process ends: after the end of the screen, while a last checkpoint is saved, a signal must
/// neither kill at once nor be lost.
pub(super) fn watch(
    tty: &Arc<Tty>,
    outlet: Outlet,
    continuation: Arc<Continuation>,
) -> Result<(), TermError> {
    let signals = signals(&[SIGUSR1, SIGTSTP, SIGCONT, SIGWINCH])?;
    let watcher = Watcher { tty: Arc::downgrade(tty), outlet, continuation, leaving: false };
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || watcher.run(signals))
        .map_err(|source| TermError::Thread { name: "signal", source })?;
    Ok(())
}

struct Watcher {
    tty: Weak<Tty>,
    outlet: Outlet,
    continuation: Arc<Continuation>,
    leaving: bool,
}

impl Watcher {
    fn run(mut self, mut signals: Signals) {
        loop {
            let mut resized = false;
            for signal in signals.wait() {
                match signal {
                    SIGWINCH => resized = true,
                    SIGCONT if self.continuation.arrive() => {}
                    // A lost terminal sends this with SIGHUP; the key thread reports the loss.
                    SIGCONT | SIGHUP if self.has_lost_its_terminal() => {}
                    SIGCONT => self.outlet.send(TermEvent::Continued),
                    _ => self.pass_on(kind(signal)),
                }
            }
            if resized {
                self.resize();
            }
        }
    }

    fn pass_on(&mut self, kind: Option<SignalKind>) {
        let Some(kind) = kind else {
            return;
        };
        if let Some(status) = kind.exit_code() {
            if std::mem::replace(&mut self.leaving, true) {
                return;
            }
            leave_in_time(status);
        }
        self.outlet.send(TermEvent::Signal(kind));
    }

    fn has_lost_its_terminal(&self) -> bool {
        self.tty.upgrade().is_some_and(|tty| tty.is_hung_up())
    }

    /// Merges signals within a short time into one event, with the size at the end.
    fn resize(&self) {
        thread::sleep(RESIZE_PAUSE);
        if let Some(tty) = self.tty.upgrade() {
            let size = tty.size();
            self.outlet.send(TermEvent::Resize { width: size.width, height: size.height });
        }
    }
}

fn kind(signal: i32) -> Option<SignalKind> {
    match signal {
        SIGUSR1 => Some(SignalKind::User1),
        SIGTSTP => Some(SignalKind::Suspend),
        _ => fatal_signals().any(|fatal| fatal == signal).then_some(SignalKind::Fatal(signal as u8)),
    }
}

/// Ends the process with this status if it is still running after the time limit. Only the first call counts.
pub(super) fn leave_in_time(status: u8) {
    static LEAVING: Once = Once::new();
    LEAVING.call_once(|| {
        let leave = move || {
            thread::sleep(TIME_TO_LEAVE);
            guard::give_back();
            // `process::exit` would run handlers that may wait for a hanging thread.
            signal_hook::low_level::exit(i32::from(status));
        };
        // Without a thread there is no time limit.
        let _ = thread::Builder::new().name("deadline".into()).spawn(leave);
    });
}

/// Whether the process was started with SIGHUP ignored, by `nohup` or `trap '' HUP`. Call before signals are watched.
pub(super) fn hang_up_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| has(&status, "SigIgn:", SIGHUP))
}

/// Whether a mask in `/proc/PID/status` contains this signal.
fn has(status: &str, mask: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix(mask));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status =
            "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t8000000000000001\n";
        assert!(!has(status, "SigIgn:", SIGHUP) && has(status, "SigCgt:", SIGHUP));
        assert!(has(status, "SigIgn:", 13) && has(status, "SigCgt:", 64));
        assert!(!has("", "SigIgn:", SIGHUP));
    }

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        let codes =
            [1, 2, 3, 12, 14, 15, 24, 34, 64].map(|signal| kind(signal).unwrap().exit_code().unwrap());
        assert_eq!(codes, [129, 130, 131, 140, 142, 143, 152, 162, 192]);
        assert_eq!([SIGUSR1, SIGTSTP].map(|signal| kind(signal).unwrap().exit_code()), [None; 2]);
        assert_eq!([6, 9, 11, SIGCONT, SIGWINCH].map(kind), [None; 5]);
    }
}
