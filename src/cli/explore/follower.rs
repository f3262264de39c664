//! The thread that follows a run which another process trains, from checkpoint to checkpoint.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::conductor::Incident;
use crate::analysis::Snapshot;
use crate::train::run_dir::{newest_step, past_metrics, past_weights};
use crate::train::{RunConfig, TrainEvent};

/// Between two looks at the directory.
const INTERVAL: Duration = Duration::from_secs(2);

/// A run and the step up to which it is known.
pub(super) struct Follower {
    pub(super) run: PathBuf,
    pub(super) config: RunConfig,
    pub(super) step: usize,
}

impl Follower {
    /// Looks until the process ends or nobody listens.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn spawn(mut self, sender: Sender<Incident>) -> io::Result<()> {
        let follow = move || {
            loop {
                thread::sleep(INTERVAL);
                for event in self.news() {
                    if sender.send(Incident::Train(event)).is_err() {
                        return;
                    }
                }
            }
        };
        thread::Builder::new().name("follower".into()).spawn(follow).map(drop)
    }

    fn news(&mut self) -> Vec<TrainEvent> {
        if newest_step(&self.run) <= Some(self.step) {
            return Vec::new();
        }
        let news = past_weights(&self.run, &self.config).into_iter().filter(|(step, _)| *step > self.step);
        let snapshots: Vec<_> = news.map(|(step, weights)| Arc::new(Snapshot::new(step, weights))).collect();
        let Some(newest) = snapshots.last().map(|snapshot| snapshot.step) else { return Vec::new() };
        let metrics = metrics_between(&self.run, self.step, newest);
        self.step = newest;
        metrics.into_iter().chain(snapshots.into_iter().map(TrainEvent::Snapshot)).collect()
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
