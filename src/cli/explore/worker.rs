//! The threads that serve the schedule: one for the user's questions, one for studies, one for points of curves.
//!
//! A thread that panics reports its question as failed and continues with an empty bench. A thread that hangs in a step
//! is abandoned and replaced.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rayon::ThreadPool;

#[cfg(debug_assertions)]
use super::super::fault;
use super::super::threads;
use super::gate::Gate;
use crate::app::InquiryFailure;
use crate::inquiry::{Answer, Bench, Inquiry, Lane, Schedule};
use crate::task::Dataset;

/// How long a step may take before its thread counts as hanging: many times the longest pass.
const HANGS: Duration = Duration::from_secs(60);
/// Time between two checks for hanging threads.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Beside training, points of curves rest for so many times as long as a step took: even the lowest priority costs the trainer
/// memory and caches.
const REST: u32 = 1;

/// A message from a thread.
pub enum WorkerMessage {
    /// An answer.
    Answer(Box<Answer>),
    /// A question that failed.
    Failure(InquiryFailure),
}

struct State {
    schedule: Schedule,
    bench: Arc<Bench>,
    /// The bench of curves.
    curves: Arc<Bench>,
    /// Start of each lane's current step.
    busy: [Option<Instant>; 3],
    /// Incremented when a lane's thread is abandoned.
    epochs: [u64; 3],
    stop: bool,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    data: Arc<Dataset>,
    seed: u64,
    say: Box<dyn Fn(WorkerMessage) + Send + Sync>,
    /// Where studies pause for the answer to a question.
    gate: Arc<Gate>,
    /// Whether points of curves leave most of the time to the trainer.
    rests: AtomicBool,
}

/// Handle of the threads; dropping it ends them.
pub struct Worker {
    shared: Arc<Shared>,
}

/// Long work occupies whole cores for a while: half of the cores stay free for training.
fn pool() -> std::io::Result<ThreadPool> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    threads::pool(cores.div_ceil(2), "study")
}

/// Curves take what training and questions leave: one thread, of the lowest priority.
fn pool_of_curves() -> std::io::Result<ThreadPool> {
    threads::idle_pool("curves")
}

/// The bench for curves.
fn bench_of_curves(data: &Arc<Dataset>, seed: u64, gate: &Arc<Gate>) -> Arc<Bench> {
    let bench = Bench::new(Arc::clone(data), seed, pool_of_curves().ok()).for_curves();
    Arc::new(bench.with_yield_point(gate.clone()))
}

impl Worker {
    /// Starts the threads. `say` must not block.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn spawn(
        data: Arc<Dataset>,
        seed: u64,
        say: impl Fn(WorkerMessage) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let gate = Arc::new(Gate::default());
        let bench = Bench::new(Arc::clone(&data), seed, Some(pool()?)).with_yield_point(gate.clone());
        let state = State {
            schedule: Schedule::default(),
            bench: Arc::new(bench),
            curves: bench_of_curves(&data, seed, &gate),
            busy: [None; 3],
            epochs: [0; 3],
            stop: false,
        };
        let (state, arrived) = (Mutex::new(state), Condvar::new());
        let worker = Self {
            shared: Arc::new(Shared {
                state,
                arrived,
                data,
                seed,
                say: Box::new(say),
                gate,
                rests: AtomicBool::default(),
            }),
        };
        Lane::ALL.into_iter().try_for_each(|lane| worker.start(lane, 0))?;
        Ok(worker)
    }

    fn start(&self, lane: Lane, epoch: u64) -> std::io::Result<()> {
        let name = match lane {
            Lane::Questions => "questions",
            Lane::Studies => "studies",
            Lane::Curves => "points",
        };
        let shared = Arc::clone(&self.shared);
        let serve = move || {
            if lane == Lane::Curves {
                threads::yield_to_others();
            }
            shared.serve(lane, epoch);
        };
        thread::Builder::new().name(name.into()).spawn(serve).map(drop)
    }

    /// Asks a question.
    pub fn ask(&self, inquiry: Inquiry) {
        self.shared.state().schedule.ask(inquiry);
        self.shared.arrived.notify_all();
    }

    /// Says whether a model is being trained, which points of curves then leave most of the time to.
    pub(super) fn rest_beside_training(&self, is_training: bool) {
        self.shared.rests.store(is_training, Ordering::Relaxed);
    }

    /// Whether a step is running.
    pub(super) fn is_busy(&self) -> bool {
        self.shared.state().busy.iter().any(Option::is_some)
    }

    /// Abandons each hanging thread and starts another.
    pub(super) fn watch(&self, now: Instant) -> Vec<InquiryFailure> {
        #[cfg(debug_assertions)]
        let limit = fault::patience(HANGS);
        #[cfg(not(debug_assertions))]
        let limit = HANGS;
        let hangs = |since: Instant| now.saturating_duration_since(since) >= limit;
        // A thread of the lowest priority may wait for long.
        [Lane::Questions, Lane::Studies].into_iter().filter_map(|lane| self.replace(lane, hangs)).collect()
    }

    fn replace(&self, lane: Lane, hangs: impl Fn(Instant) -> bool) -> Option<InquiryFailure> {
        let at = lane as usize;
        let mut state = self.shared.state();
        state.busy[at].filter(|since| hangs(*since))?;
        let given_up = state.schedule.give_up(lane);
        state.busy[at] = None;
        state.epochs[at] += 1;
        let epoch = state.epochs[at];
        state.bench = self.shared.new_bench();
        drop(state);
        let started = self.start(lane, epoch);
        let what = match started {
            Ok(()) => "hangs and was started again".to_owned(),
            Err(error) => format!("hangs, and no other thread can be started: {error}"),
        };
        Some(InquiryFailure { generation: given_up?.generation, what })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Do not wait for a running step: that would delay the exit.
        self.shared.state().stop = true;
        self.shared.arrived.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_bench(&self) -> Arc<Bench> {
        let bench = Bench::new(Arc::clone(&self.data), self.seed, pool().ok());
        Arc::new(bench.with_yield_point(self.gate.clone()))
    }

    /// Executes a lane's steps until the end, or until another thread has taken over the lane.
    fn serve(&self, lane: Lane, epoch: u64) {
        let at = lane as usize;
        let mut state = self.state();
        loop {
            if state.stop || state.epochs[at] != epoch {
                return;
            }
            let Some(mut task) = state.schedule.next(lane) else {
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let start = Instant::now();
            state.busy[at] = Some(start);
            let bench = Arc::clone(if lane == Lane::Curves { &state.curves } else { &state.bench });
            drop(state);
            let stepped = catch_unwind(AssertUnwindSafe(|| {
                #[cfg(debug_assertions)]
                fault::strike_question(&task.inquiry().question);
                let _urgent = (lane == Lane::Questions).then(|| self.gate.close());
                task.step(&bench)
            }));
            state = self.state();
            if state.epochs[at] != epoch {
                return;
            }
            state.busy[at] = None;
            let word = match stepped {
                Ok(progress) => state
                    .schedule
                    .stepped(lane, task, progress, &bench)
                    .map(|answer| WorkerMessage::Answer(Box::new(answer))),
                Err(payload) => {
                    state.bench = self.new_bench();
                    state.curves = bench_of_curves(&self.data, self.seed, &self.gate);
                    let what = format!("died and was started again: {}", fault_message(payload.as_ref()));
                    let given_up = state.schedule.give_up(lane);
                    given_up.map(|inquiry| {
                        WorkerMessage::Failure(InquiryFailure { generation: inquiry.generation, what })
                    })
                }
            };
            drop(state);
            // The other lane may have waited for this one.
            self.arrived.notify_all();
            word.into_iter().for_each(&self.say);
            if lane == Lane::Curves && self.rests.load(Ordering::Relaxed) {
                thread::sleep(REST * start.elapsed());
            }
            state = self.state();
        }
    }
}

/// The message of a panic.
fn fault_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
