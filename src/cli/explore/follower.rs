//! The thread that follows a run of another process, from checkpoint to checkpoint, until another run replaces it.

use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::event_loop::LoopEvent;
use crate::model::Snapshot;
use crate::train::run_dir::{newest_step, past_metrics, read_config, weights_since};
use crate::train::{Lock, RunConfig, RunDirError, TrainEvent};

/// Time between two looks at the directory.
const INTERVAL: Duration = Duration::from_secs(2);

/// A run, the last step read from it, and the process that trains it.
pub(super) struct Follower {
    pub(super) run: PathBuf,
    pub(super) config: RunConfig,
    pub(super) step: usize,
    /// `None` once that process has ended.
    pub(super) trainer: Option<String>,
}

/// The event that says why nothing is trained here.
pub(super) fn read_only(trainer: &str) -> TrainEvent {
    TrainEvent::Notice(format!("read-only: {trainer} trains this run"))
}

impl Follower {
    /// Polls the directory until the run is gone or replaced, the process ends, or the receiver is gone.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(super) fn spawn(mut self, sender: Sender<LoopEvent>) -> io::Result<()> {
        let follow = move || {
            loop {
                thread::sleep(INTERVAL);
                let (events, goes_on) = match self.news() {
                    ControlFlow::Continue(events) => (events, true),
                    ControlFlow::Break(why) => (vec![TrainEvent::Notice(why)], false),
                };
                if events.into_iter().any(|event| sender.send(LoopEvent::Train(event)).is_err()) || !goes_on {
                    return;
                }
            }
        };
        thread::Builder::new().name("follower".into()).spawn(follow).map(drop)
    }

    /// New snapshots, metrics and trainer; or why there is nothing left to follow.
    fn news(&mut self) -> ControlFlow<String, Vec<TrainEvent>> {
        if let Some(why) = self.lost() {
            return ControlFlow::Break(why);
        }
        // A trainer saves before it releases the lock: reading the lock first misses no save.
        let trainer = Lock::holder(&self.run).unwrap_or_else(|_| self.trainer.clone());
        let mut news = self.saved();
        news.extend(self.turn(trainer));
        ControlFlow::Continue(news)
    }

    /// Why the run can no longer be followed: it is gone, or another run is in its place.
    fn lost(&mut self) -> Option<String> {
        let shown = self.step;
        match read_config(&self.run.join("config.toml")) {
            // The trainer may have extended the run.
            Ok(config) if config.continues(&self.config) => self.config = config,
            Err(RunDirError::File(error)) if error.source.kind() == ErrorKind::NotFound => {
                return Some(format!("this run is gone: shown is what it was at step {shown}"));
            }
            // The error may be temporary.
            Err(RunDirError::File(_)) => return None,
            Ok(_) | Err(_) => {
                return Some(format!("another run is here now: shown is the one before, at step {shown}"));
            }
        }
        // Without any checkpoint, wait: the directory is about to change.
        let newest = newest_step(&self.run).ok().flatten().filter(|newest| *newest < shown)?;
        Some(format!("this run went back to step {newest}: shown is what it was before, at step {shown}"))
    }

    /// Snapshots and metrics since the last look.
    fn saved(&mut self) -> Vec<TrainEvent> {
        if newest_step(&self.run).is_ok_and(|newest| newest <= Some(self.step)) {
            return Vec::new();
        }
        let news = weights_since(&self.run, &self.config, self.step).into_iter();
        let snapshots: Vec<_> = news.map(|(step, weights)| Arc::new(Snapshot::new(step, weights))).collect();
        let Some(newest) = snapshots.last().map(|snapshot| snapshot.step) else { return Vec::new() };
        let metrics = metrics_between(&self.run, self.step, newest);
        self.step = newest;
        metrics.into_iter().chain(snapshots.into_iter().map(TrainEvent::Snapshot)).collect()
    }

    /// Reports that the trainer has ended or that another process has begun to train.
    fn turn(&mut self, trainer: Option<String>) -> Option<TrainEvent> {
        if trainer == self.trainer {
            return None;
        }
        let before = std::mem::replace(&mut self.trainer, trainer);
        let ended = before.map(|before| {
            let (step, total) = (self.step, self.config.total_steps());
            TrainEvent::Notice(if step >= total {
                format!("{before} has finished this run")
            } else {
                format!("{before} no longer trains this run: step {step} of {total}")
            })
        });
        self.trainer.as_deref().map(read_only).or(ended)
    }
}

fn metrics_between(run: &Path, after: usize, until: usize) -> Vec<TrainEvent> {
    let mut metrics = past_metrics(run, until);
    metrics.retain(|event| match event {
        TrainEvent::Step(metrics) => metrics.step > after,
        TrainEvent::Epoch(metrics) => metrics.step > after,
        _ => false,
    });
    metrics
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::ModelConfig;
    use crate::task::TaskConfig;
    use crate::train::{RunDir, TrainConfig, TrainState};

    /// A run of eighteen steps.
    fn small() -> RunConfig {
        RunConfig {
            model: ModelConfig { d_model: 8, d_head: 4, d_mlp: 12, n_ctx: 6, ..ModelConfig::default() },
            task: TaskConfig { sequences: 100, ..TaskConfig::default() },
            train: TrainConfig { epochs: 6, batch_size: 32, ..TrainConfig::default() },
            ..RunConfig::default()
        }
    }

    /// A run directory held for training, with a checkpoint at `step`.
    fn trained(run: &Path, config: &RunConfig, step: usize) -> RunDir {
        let dataset = config.dataset().unwrap();
        let mut run_dir = RunDir::open(run, config, &dataset).unwrap().run_dir;
        run_dir.save(&TrainState { step, ..TrainState::initial(config) }).unwrap();
        run_dir
    }

    fn follow(run: &Path, step: usize) -> Follower {
        Follower { run: run.into(), config: small(), step, trainer: Lock::holder(run).unwrap() }
    }

    /// Snapshots by step, and notices.
    fn told(follower: &mut Follower) -> Vec<String> {
        let ControlFlow::Continue(events) = follower.news() else { panic!("the run is not followed on") };
        let word = |event| match event {
            TrainEvent::Snapshot(snapshot) => Some(format!("step {}", snapshot.step)),
            TrainEvent::Notice(text) => Some(text),
            _ => None,
        };
        events.into_iter().filter_map(word).collect()
    }

    fn end(follower: &mut Follower) -> String {
        let ControlFlow::Break(why) = follower.news() else { panic!("the run is followed on") };
        why
    }

    #[test]
    fn the_end_of_a_trainer_is_reported_once_after_its_last_saves() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let trainer = trained(&run, &small(), 0);
        let mut follower = follow(&run, 0);
        assert!(told(&mut follower).is_empty());
        drop(trainer);
        drop(trained(&run, &small(), 4));
        let ended = told(&mut follower);
        assert_eq!(ended[0], "step 4");
        assert!(ended[1].ends_with(" no longer trains this run: step 4 of 18"), "{ended:?}");
        assert!(told(&mut follower).is_empty());
        let trainer = trained(&run, &small(), 18);
        let again = told(&mut follower);
        assert!(again[1].starts_with("read-only: process "), "{again:?}");
        drop(trainer);
        assert!(told(&mut follower)[0].ends_with(" has finished this run"));
    }

    #[test]
    fn a_missing_or_replaced_run_is_no_longer_followed() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let mut follower = follow(&run, 8);
        assert_eq!(end(&mut follower), "this run is gone: shown is what it was at step 8");
        let same = trained(&run, &small(), 4);
        let back = "this run went back to step 4: shown is what it was before, at step 8";
        assert_eq!(end(&mut follower), back);
        drop(same);
        fs::remove_dir_all(run.join("checkpoints")).unwrap();
        assert_eq!(follower.lost(), None, "it may be about to be removed, or started again");
        fs::remove_dir_all(&run).unwrap();
        let _other = trained(&run, &RunConfig { seed: 7, ..small() }, 12);
        assert_eq!(end(&mut follower), "another run is here now: shown is the one before, at step 8");
    }
}
