//! Signals become events, and a process that should leave does.

use std::sync::{Arc, Condvar, Mutex, Once, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGWINCH, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::events::Outlet;
use super::tty::Tty;
use super::{SignalKind, TermError, TermEvent, guard};

/// A window being dragged sends signals faster than frames can follow.
const RESIZE_PAUSE: Duration = Duration::from_millis(50);

/// How long a process that was told to leave may take.
const TIME_TO_LEAVE: Duration = Duration::from_secs(10);

/// Tells a stop that [`Session::suspend`](super::Session::suspend) waits for from one from outside.
#[derive(Default)]
pub(super) struct Continuation {
    awaited: Mutex<bool>,
    arrived: Condvar,
}

impl Continuation {
    pub(super) fn expect(&self) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Waits until the process was continued. The limit is for a stop that never came about: while
    /// stopped, no time is spent here.
    pub(super) fn wait(&self, limit: Duration) {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.arrived.wait_timeout_while(awaited, limit, |awaited| *awaited);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    /// Whether somebody waited for it.
    fn arrive(&self) -> bool {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        self.arrived.notify_all();
        std::mem::take(&mut *awaited)
    }
}

/// Those that end a process, unless it was started with them ignored: by `nohup`, or in the background of a script.
fn fatal_signals() -> impl Iterator<Item = i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    [SIGTERM, SIGINT, SIGQUIT, SIGHUP].into_iter().filter(move |signal| !ignores(&status, *signal))
}

/// Makes a file that has reached its limit of size an error of the write, not the end of the process.
pub fn survive_file_size_limit() {
    // Without the handler such a write still ends the process: nothing to tell anybody about.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Calls `act` for the first signal that asks the process to leave, and for every one that asks it to save. It has
/// ten seconds to leave.
///
/// # Errors
/// When signals cannot be watched.
pub fn watch_without_a_screen(act: impl Fn(SignalKind) + Send + 'static) -> Result<(), TermError> {
    let mut signals = Signals::new(fatal_signals().chain([SIGUSR1])).map_err(TermError::Signals)?;
    let watch = move || {
        let mut leaving = false;
        for kind in signals.forever().filter_map(kind) {
            if kind.is_fatal() {
                if std::mem::replace(&mut leaving, true) {
                    continue;
                }
                leave_in_time(kind.exit_code());
            }
            act(kind);
        }
    };
    let spawned = thread::Builder::new().name("signals".into()).spawn(watch);
    spawned.map(drop).map_err(|source| TermError::Thread { name: "signal", source })
}

/// Watches signals until the process ends: between the screen's end and the process's, while a last
/// checkpoint is saved, a signal must neither kill at once nor be lost.
pub(super) fn watch(
    tty: &Arc<Tty>,
    outlet: Outlet,
    continuation: Arc<Continuation>,
) -> Result<(), TermError> {
    let watched = fatal_signals().chain([SIGUSR1, SIGTSTP, SIGCONT, SIGWINCH]);
    let signals = Signals::new(watched).map_err(TermError::Signals)?;
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
                    // With its SIGHUP a lost terminal sends this too; the key thread reports the loss.
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
        if kind.is_fatal() {
            if std::mem::replace(&mut self.leaving, true) {
                return;
            }
            leave_in_time(kind.exit_code());
        }
        self.outlet.send(TermEvent::Signal(kind));
    }

    fn has_lost_its_terminal(&self) -> bool {
        self.tty.upgrade().is_some_and(|tty| tty.is_hung_up())
    }

    /// One event for all that happen in a short while: the size is asked for at its end.
    fn resize(&self) {
        thread::sleep(RESIZE_PAUSE);
        if let Some(tty) = self.tty.upgrade() {
            let size = tty.size();
            self.outlet.send(TermEvent::Resize { width: size.width, height: size.height });
        }
    }
}

fn kind(signal: i32) -> Option<SignalKind> {
    Some(match signal {
        SIGTERM => SignalKind::Terminate,
        SIGINT => SignalKind::Interrupt,
        SIGHUP => SignalKind::HangUp,
        SIGQUIT => SignalKind::Quit,
        SIGUSR1 => SignalKind::User1,
        SIGTSTP => SignalKind::Suspend,
        _ => return None,
    })
}

/// Ends the process with this status if it is still there when it should have left. The first call counts.
pub(super) fn leave_in_time(status: u8) {
    static LEAVING: Once = Once::new();
    LEAVING.call_once(|| {
        let leave = move || {
            thread::sleep(TIME_TO_LEAVE);
            guard::give_back();
            // Not `process::exit`, which runs handlers that may wait for whatever hangs.
            signal_hook::low_level::exit(i32::from(status));
        };
        // Without a thread to spare there is no limit, and the process leaves by itself or not.
        let _ = thread::Builder::new().name("deadline".into()).spawn(leave);
    });
}

/// Whether the process was started with SIGHUP ignored, as `nohup` and `trap '' HUP` do. To be asked
/// before signals are watched.
pub(super) fn hang_up_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, SIGHUP))
}

fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t01\n";
        assert!(!ignores(status, SIGHUP));
        assert!(ignores(status, 13));
        assert!(ignores("SigIgn:\t0000000000000001\n", SIGHUP));
        assert!(!ignores("", SIGHUP));
    }

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        let kinds = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1].map(|signal| kind(signal).unwrap());
        assert_eq!(kinds.map(SignalKind::exit_code), [143, 130, 129, 131, 138]);
    }
}
