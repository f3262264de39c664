//! The terminal is borrowed: what is changed on the way in is undone on every way out.

use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use rustix::termios::Termios;

use super::events::Outlet;
use super::stderr::Held;
use super::suspend::wait_for_the_foreground;
use super::tty::Tty;
use super::{TermError, TermEvent, sanitize};

/// Alternate screen, no cursor, bracketed paste.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[0m";

/// The reverse. It begins with an escape because that ends whatever sequence a frame was cut in.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";

const PATIENCE: Duration = Duration::from_millis(250);

/// What has to be given back, and how it looked.
struct Loan {
    tty: Arc<Tty>,
    found: Termios,
    stderr: Option<Held>,
}

/// The thread whose panic takes the screen down, and where the panics of the others go.
struct Owner {
    thread: ThreadId,
    outlet: Outlet,
}

// A panic hook can reach nothing else.
static LOAN: Mutex<Option<Loan>> = Mutex::new(None);
static OWNER: Mutex<Option<Owner>> = Mutex::new(None);
static CRASHED: AtomicBool = AtomicBool::new(false);

fn lock<T>(slot: &'static Mutex<Option<T>>) -> MutexGuard<'static, Option<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes this thread the owner of the screen, until [`disown`].
pub(super) fn own(outlet: Outlet) -> Result<(), TermError> {
    let mut owner = lock(&OWNER);
    if owner.is_some() {
        return Err(TermError::AlreadyBorrowed);
    }
    *owner = Some(Owner { thread: thread::current().id(), outlet });
    drop(owner);
    install_hook();
    Ok(())
}

pub(super) fn disown() {
    lock(&OWNER).take();
}

/// Takes the terminal, remembering how it was found.
pub(super) fn borrow(tty: &Arc<Tty>) -> Result<(), TermError> {
    wait_for_the_foreground(tty);
    let found = tty.settings().map_err(TermError::cannot("read the settings of"))?;
    *lock(&LOAN) = Some(Loan { tty: Arc::clone(tty), found: found.clone(), stderr: Held::start() });
    let entered = enter(tty, found);
    if entered.is_err() {
        give_back();
    }
    entered
}

/// Takes the terminal again after a stop that gave us no time to give it back.
pub(super) fn reclaim(tty: &Arc<Tty>) -> Result<(), TermError> {
    let found = lock(&LOAN).as_ref().map(|loan| loan.found.clone());
    let Some(found) = found else {
        return borrow(tty);
    };
    wait_for_the_foreground(tty);
    enter(tty, found)
}

fn enter(tty: &Tty, mut settings: Termios) -> Result<(), TermError> {
    settings.make_raw();
    tty.set(&settings).map_err(TermError::cannot("set up"))?;
    tty.reopen();
    match tty.write_within(ENTER, PATIENCE) {
        Ok(true) => Ok(()),
        Ok(false) => Err(TermError::cannot("write to")(std::io::Error::from(std::io::ErrorKind::TimedOut))),
        Err(error) => Err(TermError::cannot("write to")(error)),
    }
}

/// Gives the terminal back, the first time it is called after a [`borrow`]. Never fails, never prints,
/// never waits for long: the terminal may be gone, and this may be a panic.
pub(super) fn give_back() {
    let loan = lock(&LOAN).take();
    if let Some(loan) = loan {
        loan.end(|bytes| loan.tty.write_last(bytes, PATIENCE));
    }
}

/// As [`give_back`], from the handler of a crash: no lock is waited for and no memory is asked for or given back, as
/// the thread that crashed may hold any lock, the allocator's too.
pub(super) fn give_back_in_a_crash() {
    // The runtime ends a thread that has overflowed its stack by another crash, after it has said so.
    if CRASHED.swap(true, Ordering::AcqRel) {
        return;
    }
    let loan = match LOAN.try_lock() {
        Ok(loan) => loan,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Held for a few instructions only: another thread takes the terminal or gives it back right now.
        Err(TryLockError::WouldBlock) => return,
    };
    if let Some(loan) = loan.as_ref() {
        loan.end(|bytes| loan.tty.write_at_once(bytes));
    }
}

impl Loan {
    fn end(&self, write: impl Fn(&[u8])) {
        if let Some(stderr) = &self.stderr {
            stderr.release();
        }
        // In the background the shell has its own screen on it, and touching the settings would stop us.
        if self.tty.is_ours() {
            write(LEAVE);
            let _ = self.tty.set(&self.found);
            if let Some(stderr) = &self.stderr {
                stderr.print(write);
            }
        }
    }
}

fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let outlet = match lock(&OWNER).as_ref() {
                Some(owner) if owner.thread != thread::current().id() => Some(owner.outlet.clone()),
                _ => None,
            };
            if let Some(outlet) = outlet {
                outlet.send(report(panic));
            } else {
                give_back();
                print(panic);
            }
        }));
    });
}

fn report(panic: &PanicHookInfo<'_>) -> TermEvent {
    let payload = panic.payload();
    let said = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    TermEvent::WorkerPanicked {
        thread: sanitize(thread::current().name().unwrap_or("unnamed")).into_owned(),
        message: sanitize(&format!("{said}{place}")).into_owned(),
    }
}
