//! Metrics of a run of any length in bounded memory.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use crate::train::{EpochMetrics, OutsideMetrics, StepMetrics};

/// Buckets per series: more than the columns of a wide screen, even after halving.
const CAPACITY: usize = 512;

/// Number of recent steps kept individually.
const RECENT: usize = 240;

/// Summary of the values of a few neighbouring steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) min: f64,
    pub(crate) max: f64,
    sum: f64,
    /// Number of finite values.
    pub(crate) count: u32,
    /// Number of NaN or infinite values.
    pub(crate) bad: u32,
}

impl Bucket {
    const EMPTY: Self = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0, count: 0, bad: 0 };

    pub(crate) fn of(value: f64) -> Self {
        if value.is_finite() {
            Self { min: value, max: value, sum: value, count: 1, bad: 0 }
        } else {
            Self { bad: 1, ..Self::EMPTY }
        }
    }

    /// Merges two buckets.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
            count: self.count + other.count,
            bad: self.bad + other.bad,
        }
    }

    /// Mean of the finite values; `None` if there are none.
    pub(crate) fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

/// A value over the steps of a whole run, in at most [`CAPACITY`] buckets of equal width.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    first: usize,
    stride: usize,
    buckets: Vec<Bucket>,
    /// The newest value, and its step.
    pub(crate) last: Option<(usize, f64)>,
    /// The first step whose value was NaN or infinite.
    pub(crate) first_bad: Option<usize>,
}

impl Series {
    fn push(&mut self, step: usize, value: f64) {
        if self.buckets.is_empty() {
            (self.first, self.stride) = (step, 1);
        }
        // An earlier step would need the buckets moved; a run never goes back behind the step where it was opened.
        let Some(offset) = step.checked_sub(self.first) else { return };
        while offset / self.stride >= CAPACITY {
            self.halve();
        }
        let at = offset / self.stride;
        if at >= self.buckets.len() {
            self.buckets.resize(at + 1, Bucket::EMPTY);
        }
        self.buckets[at] = self.buckets[at].and(Bucket::of(value));
        self.last = Some((step, value));
        if !value.is_finite() {
            self.first_bad.get_or_insert(step);
        }
    }

    fn halve(&mut self) {
        self.buckets = self
            .buckets
            .chunks(2)
            .map(|pair| pair.iter().copied().fold(Bucket::EMPTY, Bucket::and))
            .collect();
        self.stride *= 2;
    }

    fn steps(&self) -> Option<RangeInclusive<usize>> {
        Some(self.first..=self.last?.0)
    }

    /// Every non-empty bucket with its first step.
    pub(crate) fn points(&self) -> impl Iterator<Item = (usize, Bucket)> + '_ {
        self.buckets
            .iter()
            .enumerate()
            .map(|(at, bucket)| (self.first + at * self.stride, *bucket))
            .filter(|(_, bucket)| bucket.count + bucket.bad > 0)
    }
}

/// The metrics of the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) train_loss: Series,
    pub(crate) validation_loss: Series,
    pub(crate) validation_accuracy: Series,
    pub(crate) lr: Series,
    /// The most recent steps, individually.
    pub(crate) recent: VecDeque<StepMetrics>,
    /// The last validation.
    pub(crate) validation: Option<EpochMetrics>,
}

impl History {
    /// The steps with a loss; `None` before the first.
    pub(crate) fn steps(&self) -> Option<RangeInclusive<usize>> {
        let both = || [&self.train_loss, &self.validation_loss].into_iter().filter_map(Series::steps);
        let first = both().map(|steps| *steps.start()).min()?;
        Some(first..=both().map(|steps| *steps.end()).max()?)
    }

    pub(super) fn step(&mut self, metrics: StepMetrics) {
        self.train_loss.push(metrics.step, f64::from(metrics.train_loss));
        self.lr.push(metrics.step, metrics.lr);
        self.recent(metrics);
    }

    /// Adds losses that another program wrote.
    pub(super) fn outside(&mut self, metrics: OutsideMetrics) {
        if let Some(train_loss) = metrics.train_loss {
            let lr = metrics.lr.unwrap_or(f64::NAN);
            self.train_loss.push(metrics.step, train_loss);
            self.recent(StepMetrics { step: metrics.step, epoch: 0, train_loss: train_loss as f32, lr });
        }
        metrics.lr.into_iter().for_each(|lr| self.lr.push(metrics.step, lr));
        metrics.val_loss.into_iter().for_each(|loss| self.validation_loss.push(metrics.step, loss));
    }

    fn recent(&mut self, metrics: StepMetrics) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(metrics);
    }

    pub(super) fn epoch(&mut self, metrics: EpochMetrics) {
        self.validation_loss.push(metrics.step, metrics.validation.loss);
        self.validation_accuracy.push(metrics.step, metrics.validation.accuracy);
        self.validation = Some(metrics);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_stays_within_its_memory_and_keeps_the_extremes() {
        let mut series = Series::default();
        for step in 1..=100_000 {
            series.push(step, if step == 70_001 { -5.0 } else { 1.0 });
        }
        let points: Vec<_> = series.points().collect();
        assert!(points.len() <= CAPACITY && points.len() > CAPACITY / 2 - 2, "{}", points.len());
        assert_eq!(points.iter().filter(|(_, bucket)| bucket.min < 0.0).count(), 1);
        assert_eq!(points.iter().map(|(_, bucket)| bucket.count).sum::<u32>(), 100_000);
    }

    #[test]
    fn nan_survives_halving_and_its_first_step_is_known() {
        let mut series = Series::default();
        for step in 1..=5000 {
            series.push(step, if step == 777 { f64::NAN } else { 2.0 });
        }
        assert_eq!(series.points().map(|(_, bucket)| bucket.bad).sum::<u32>(), 1);
        assert_eq!(series.first_bad, Some(777));
        assert!(series.points().all(|(_, bucket)| bucket.mean() == Some(2.0)));
    }

    #[test]
    fn a_resumed_run_starts_at_the_step_of_resuming() {
        let mut series = Series::default();
        series.push(1000, 1.0);
        series.push(1001, 2.0);
        series.push(3, 9.0);
        assert_eq!(series.points().map(|(step, _)| step).collect::<Vec<_>>(), [1000, 1001]);
    }
}
