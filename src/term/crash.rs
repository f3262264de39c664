//! Signals of a crash: an allocation that failed, an overflowed stack, a fault in a library. The process cannot go on,
//! not even to save, but the terminal is given back.

#![expect(
    unsafe_code,
    reason = "the C library alone installs a handler that runs on the thread that crashed"
)]

use std::mem;
use std::sync::OnceLock;

use libc::{c_int, c_void, siginfo_t};
use signal_hook::consts::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};

use super::guard;

pub(super) const SIGNALS: [c_int; 7] = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP];

/// What was there before: the runtime's handler tells an overflowed stack from other faults.
static FORMER: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// From now on a crash gives the terminal back first.
pub(super) fn watch() {
    FORMER.get_or_init(|| SIGNALS.map(|signal| install(signal, &handler_of_ours())));
}

fn handler_of_ours() -> libc::sigaction {
    // SAFETY: a C structure of integers, which all may be zero.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_crash as *const () as usize;
    // On the stack that the runtime keeps for it: the thread's own may be full.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action
}

/// Returns what was there before.
fn install(signal: c_int, action: &libc::sigaction) -> libc::sigaction {
    // SAFETY: as above; both pointers are valid for the call.
    unsafe {
        let mut former = mem::zeroed();
        libc::sigaction(signal, action, &raw mut former);
        former
    }
}

/// Gives the terminal back and lets the signal do what it would have done: a faulting instruction is executed again when
/// this returns, and a signal that was sent is sent again. Calls only what may be called in a signal handler.
extern "C" fn on_crash(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    guard::give_back_in_a_crash();
    // SAFETY: the kernel passes a valid pointer with SA_SIGINFO.
    let was_sent = unsafe { info.as_ref() }.is_none_or(|info| info.si_code <= 0);
    let former = FORMER.get().zip(SIGNALS.iter().position(|known| *known == signal));
    match former {
        Some((former, at)) if !was_sent => drop(install(signal, &former[at])),
        // SAFETY: two plain system calls.
        _ => unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        },
    }
}
