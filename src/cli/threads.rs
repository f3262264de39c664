//! The compute threads: one per core, or as many as the system allows.

use std::sync::RwLock;
use std::thread::{self, Builder};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Failure, say};

/// Most threads besides the compute threads: trainer, signals, their deadline, keys, frames, probes, follower, one for
/// evaluations, and two for curves.
const OTHERS: usize = 10;

/// The lowest priority of a thread.
const IDLE: i32 = 19;

/// The system counts a thread for a moment after its end.
const MOMENT: Duration = Duration::from_millis(10);

/// Starts the compute threads, fewer if the system limits them, and reports that.
pub(super) fn start() -> Result<(), Failure> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let number = room(cores + OTHERS).saturating_sub(OTHERS).clamp(1, cores);
    // A second attempt is refused: code that needs the threads would panic.
    let started = ThreadPoolBuilder::new().num_threads(number).build_global();
    started.map_err(|error| {
        Failure::Failed(format!("cannot start a thread to compute on (ulimit -u): {error}"))
    })?;
    if number < cores {
        say(&format!("headcount: the limit of threads (ulimit -u) leaves {number} of {cores} to compute on"));
    }
    Ok(())
}

/// A separate pool for work that must not delay other threads.
pub(super) fn pool(most: usize, name: &'static str) -> std::io::Result<ThreadPool> {
    let build = |number| {
        ThreadPoolBuilder::new().num_threads(number).thread_name(move |i| format!("{name}-{i}")).build()
    };
    let fewer = (2..=most).rev().find_map(|number| build(number).ok());
    fewer.map_or_else(|| build(1).map_err(std::io::Error::other), Ok)
}

/// A pool of one thread that runs when no other thread of the process needs its core.
pub(super) fn idle_pool(name: &'static str) -> std::io::Result<ThreadPool> {
    let builder = ThreadPoolBuilder::new().num_threads(1).thread_name(move |_| name.to_owned());
    builder.start_handler(|_| yield_to_others()).build().map_err(std::io::Error::other)
}

/// Gives the calling thread the lowest priority. A system that refuses leaves an ordinary thread.
pub(super) fn yield_to_others() {
    // Elsewhere a priority is the process's.
    if cfg!(target_os = "linux") {
        let _ = rustix::process::nice(IDLE);
    }
}

/// How many of `wanted` threads can be started: starts them and ends them.
fn room(wanted: usize) -> usize {
    let gate = RwLock::new(());
    let started = thread::scope(|scope| {
        let closed = gate.write();
        let wait = || drop(gate.read());
        let threads = (0..wanted).map_while(|_| Builder::new().spawn_scoped(scope, wait).ok());
        let threads: Vec<_> = threads.collect();
        drop(closed);
        let started = threads.len();
        threads.into_iter().for_each(|thread| drop(thread.join()));
        started
    });
    if started < wanted {
        thread::sleep(MOMENT);
    }
    started
}
