//! Signals of a crash: a failed allocation, a stack overflow, a fault in a library. The process cannot continue, not
//! even to save, but it restores the terminal.

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

/// The previous handlers: the runtime's distinguishes a stack overflow from other faults.
static FORMER: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// Installs the handlers: a crash restores the terminal first.
pub(super) fn watch() {
    FORMER.get_or_init(|| SIGNALS.map(|signal| install(signal, &handler_of_ours())));
}

fn handler_of_ours() -> libc::sigaction {
    // SAFETY: a C structure of integers, which all may be zero.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_crash as *const () as usize;
    // Use the runtime's alternate stack: the thread's own may be full.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action
}

/// Returns the previous handler.
fn install(signal: c_int, action: &libc::sigaction) -> libc::sigaction {
    // SAFETY: as above; both pointers are valid for the call.
    unsafe {
        let mut former = mem::zeroed();
        libc::sigaction(signal, action, &raw mut former);
        former
    }
}

/// Restores the terminal, then lets the signal take its former effect: a faulting instruction runs again after the
/// return, and a sent signal is sent again. Calls only functions that are allowed in a signal handler.
extern "C" fn on_crash(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    guard::give_back_in_a_crash();
    // The runtime's handler of a stack overflow ends in an abort, on an alternate stack without room for this handler a second
    // time.
    // SAFETY: a plain system call.
    unsafe { libc::signal(SIGABRT, libc::SIG_DFL) };
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
