//! The terminal is borrowed: every exit restores the settings changed at the start.

use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::style::ResetColor;
use crossterm::terminal::{EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen};
use rustix::termios::Termios;

use super::encode::encoded;
use super::events::Outlet;
use super::stderr::Held;
use super::suspend::wait_for_the_foreground;
use super::tty::Tty;
use super::{TermError, TermEvent, sanitize};

const PATIENCE: Duration = Duration::from_millis(250);

/// The terminal to restore, and its original settings.
struct Loan {
    tty: Arc<Tty>,
    found: Termios,
    stderr: Option<Held>,
    /// Encoded in advance: a crash may not allocate.
    leave: Vec<u8>,
}

/// Alternate screen, no cursor, bracketed paste.
fn entering() -> Vec<u8> {
    encoded(|bytes| queue!(bytes, EnterAlternateScreen, Hide, EnableBracketedPaste, ResetColor))
}

/// Reverses [`entering`]. Begins with an escape, which ends any sequence that a frame left incomplete.
fn leaving() -> Vec<u8> {
    encoded(|bytes| {
        queue!(bytes, EndSynchronizedUpdate, ResetColor, DisableBracketedPaste, Show, LeaveAlternateScreen)
    })
}

/// The thread whose panic ends the session, and the outlet for panics of other threads.
struct Owner {
    thread: ThreadId,
    outlet: Outlet,
}

// A panic hook can reach only statics.
static LOAN: Mutex<Option<Loan>> = Mutex::new(None);
static OWNER: Mutex<Option<Owner>> = Mutex::new(None);
static CRASHED: AtomicBool = AtomicBool::new(false);

fn lock<T>(slot: &'static Mutex<Option<T>>) -> MutexGuard<'static, Option<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes this thread the owner of the screen, until [`disown`] is called.
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

/// Takes the terminal and saves its settings.
pub(super) fn borrow(tty: &Arc<Tty>) -> Result<(), TermError> {
    wait_for_the_foreground(tty);
    let found = tty.settings().map_err(TermError::cannot("read the settings of"))?;
    let (tty_of_loan, leave) = (Arc::clone(tty), leaving());
    *lock(&LOAN) = Some(Loan { tty: tty_of_loan, found: found.clone(), stderr: Held::start(), leave });
    let entered = enter(tty, found);
    if entered.is_err() {
        give_back();
    }
    entered
}

/// Takes the terminal again after a stop without time to restore it.
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
    match tty.write_within(&entering(), PATIENCE) {
        Ok(true) => Ok(()),
        Ok(false) => Err(TermError::cannot("write to")(std::io::Error::from(std::io::ErrorKind::TimedOut))),
        Err(error) => Err(TermError::cannot("write to")(error)),
    }
}

/// Restores the terminal, on the first call after a [`borrow`]. Never fails, prints, or waits long: the terminal may be
/// gone, and the caller may be a panic.
pub(super) fn give_back() {
    let loan = lock(&LOAN).take();
    if let Some(loan) = loan {
        loan.end(|bytes| loan.tty.write_last(bytes, PATIENCE));
    }
}

/// Like [`give_back`], for a crash handler: waits for no lock and neither allocates nor frees, since the crashed thread
/// may hold any lock, including the allocator's.
pub(super) fn give_back_in_a_crash() {
    // After a stack overflow the runtime ends the thread by a second crash, once it has reported the first.
    if CRASHED.swap(true, Ordering::AcqRel) {
        return;
    }
    let loan = match LOAN.try_lock() {
        Ok(loan) => loan,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Held for a few instructions only: another thread is taking or restoring the terminal.
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
        // In the background the terminal shows the shell's screen, and changing its settings would stop this process.
        if self.tty.is_ours() {
            write(&self.leave);
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
