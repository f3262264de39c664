//! The learning rate and beta1 of every step.

use std::f64::consts::PI;

use super::config::RunConfig;
use super::recipe::{Extend, Extension, ScheduleKind};

/// Share of the steps with a rising learning rate.
const RISING: f64 = 0.3;
/// Ratio of the peak rate to the first rate.
const DIV_FACTOR: f64 = 25.0;
/// Ratio of the first rate to the last rate.
const FINAL_DIV_FACTOR: f64 = 1e4;
/// beta1 falls from the second value to the first while the rate rises, then returns.
const BETA1: [f64; 2] = [0.85, 0.95];
/// A decaying extension begins at `max_lr` divided by this.
const RESTART_FACTOR: f64 = 10.0;
/// A schedule that ends below `max_lr` divided by this has decayed: its last rate would train nothing.
const DECAYED_FACTOR: f64 = 100.0;

/// Learning rate and beta1 of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
}

/// The rates of a whole run, extensions included.
#[derive(Clone, Debug)]
pub struct Schedule<'a> {
    config: &'a RunConfig,
    /// Steps of the recipe, before any extension.
    recipe: usize,
    total: usize,
}

impl<'a> Schedule<'a> {
    /// The schedule of a run with these settings.
    pub fn of(config: &'a RunConfig) -> Self {
        let total = config.total_steps();
        let recipe = config.train.extended.first().map_or(total, |extension| extension.from_step);
        Self { config, recipe, total }
    }

    /// Rates of step `step`, counted from 0.
    pub fn at(&self, step: usize) -> Rates {
        let extended = &self.config.train.extended;
        match extended.iter().rposition(|extension| step >= extension.from_step) {
            None => self.of_the_recipe(step),
            Some(which) => {
                let Extension { from_step, lr, final_lr, .. } = extended[which];
                let end = extended.get(which + 1).map_or(self.total, |next| next.from_step);
                let beta1 = self.of_the_recipe(self.recipe.saturating_sub(1)).beta1;
                Rates { lr: anneal(lr, final_lr, share(step - from_step, end - from_step)), beta1 }
            }
        }
    }

    fn of_the_recipe(&self, step: usize) -> Rates {
        let train = &self.config.train;
        if train.schedule == ScheduleKind::OneCycle {
            return OneCycle { max_lr: train.max_lr, total_steps: self.recipe }.at(step);
        }
        let warm = train.warmup_steps;
        let done = share(step.saturating_sub(warm), self.recipe.saturating_sub(warm));
        let lr = match train.schedule {
            _ if step < warm => train.max_lr * (step + 1) as f64 / warm as f64,
            ScheduleKind::Linear => train.max_lr + (train.final_lr - train.max_lr) * done,
            ScheduleKind::Cosine => anneal(train.max_lr, train.final_lr, done),
            ScheduleKind::OneCycle | ScheduleKind::Constant => train.max_lr,
        };
        Rates { lr, beta1: train.betas[0] }
    }

    /// The extension after the last step of this run: `how`, or else the one that suits the end of the schedule.
    pub(super) fn extension(&self, how: Option<Extend>) -> Extension {
        let (from_step, max_lr) = (self.total, self.config.train.max_lr);
        let final_lr = self.at(from_step.saturating_sub(1)).lr;
        let by_default = if final_lr < max_lr / DECAYED_FACTOR { Extend::Decay } else { Extend::Constant };
        let schedule = how.unwrap_or(by_default);
        let lr = match schedule {
            Extend::Constant => final_lr,
            Extend::Decay => (max_lr / RESTART_FACTOR).max(final_lr),
        };
        Extension { from_step, schedule, lr, final_lr }
    }
}

impl RunConfig {
    /// This run extended to the length of `wanted`, which must be longer and otherwise equal. The extension is `how`,
    /// or else the one that suits the end of the schedule. `None` if `wanted` is not such a run.
    pub fn extended_to(&self, wanted: &Self, how: Option<Extend>) -> Option<Self> {
        if wanted.with_length_of(self) != *self || wanted.total_steps() <= self.total_steps() {
            return None;
        }
        let mut longer = self.clone();
        longer.task.data.clone_from(&wanted.task.data);
        (longer.train.epochs, longer.train.steps) = (wanted.train.epochs, wanted.train.steps);
        longer.train.extended.push(Schedule::of(self).extension(how));
        Some(longer)
    }

    /// This run extended by half of its recipe, in the way that suits the end of its schedule. `None` if that is out of
    /// range.
    pub fn extended_by_half(&self) -> Option<Self> {
        let half = Schedule::of(self).recipe.div_ceil(2);
        let mut wanted = self.clone();
        if self.train.steps > 0 {
            wanted.train.steps += half;
        } else {
            wanted.train.epochs += half.div_ceil(self.steps_per_epoch());
        }
        self.extended_to(&wanted, None).filter(|longer| longer.validate().is_ok())
    }
}

/// Cosine-annealed one-cycle schedule over `total_steps`.
#[derive(Clone, Copy, Debug)]
pub struct OneCycle {
    /// Peak learning rate.
    pub max_lr: f64,
    /// Steps of the whole cycle.
    pub total_steps: usize,
}

impl OneCycle {
    /// Rates of step `step`, counted from 0.
    pub fn at(&self, step: usize) -> Rates {
        let (step, last) = (step as f64, self.total_steps as f64 - 1.0);
        let peak = RISING * self.total_steps as f64 - 1.0;
        let first_lr = self.max_lr / DIV_FACTOR;
        let [low, high] = BETA1;
        if step <= peak {
            let done = if peak > 0.0 { step / peak } else { 1.0 };
            Rates { lr: anneal(first_lr, self.max_lr, done), beta1: anneal(high, low, done) }
        } else {
            let done = (step - peak) / (last - peak);
            Rates {
                lr: anneal(self.max_lr, first_lr / FINAL_DIV_FACTOR, done),
                beta1: anneal(low, high, done),
            }
        }
    }
}

fn anneal(from: f64, to: f64, done: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * done).cos())
}

/// 0 at the first of `steps` steps, 1 at the last.
fn share(step: usize, steps: usize) -> f64 {
    if steps > 1 { step as f64 / (steps - 1) as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::TrainConfig;

    fn run(train: TrainConfig) -> RunConfig {
        RunConfig { train: TrainConfig { max_lr: 0.01, ..train }, ..RunConfig::default() }
    }

    fn rates(config: &RunConfig) -> Vec<f64> {
        let schedule = Schedule::of(config);
        (0..config.total_steps()).map(|step| schedule.at(step).lr).collect()
    }

    #[test]
    fn a_schedule_of_any_length_is_finite_and_within_its_bounds() {
        for total_steps in 1..50 {
            let schedule = OneCycle { max_lr: 0.01, total_steps };
            for step in 0..total_steps {
                let Rates { lr, beta1 } = schedule.at(step);
                assert!(lr > 0.0 && lr <= 0.01 + 1e-12, "{step} of {total_steps}: {lr}");
                assert!((0.85 - 1e-9..=0.95 + 1e-9).contains(&beta1), "{step} of {total_steps}: {beta1}");
            }
        }
    }

    #[test]
    fn schedules_warm_up_and_end_at_the_stated_rates() {
        let train = TrainConfig { warmup_steps: 4, final_lr: 0.002, steps: 11, ..TrainConfig::default() };
        for (schedule, middle, last) in [
            (ScheduleKind::Constant, 0.01, 0.01),
            (ScheduleKind::Linear, 0.006, 0.002),
            (ScheduleKind::Cosine, 0.006, 0.002),
        ] {
            let rates = rates(&run(TrainConfig { schedule, ..train.clone() }));
            for (step, want) in [(0, 0.0025), (1, 0.005), (3, 0.01), (4, 0.01), (7, middle), (10, last)] {
                assert!((rates[step] - want).abs() < 1e-12, "{schedule:?} step {step}: {}", rates[step]);
            }
        }
    }

    #[test]
    fn an_extended_run_keeps_the_earlier_rates_and_continues_as_stated() {
        let short = run(TrainConfig { steps: 20, ..TrainConfig::default() });
        let longer = |steps: usize, how| {
            let wanted = run(TrainConfig { steps, ..TrainConfig::default() });
            short.extended_to(&wanted, how).unwrap()
        };
        let (before, decayed, held) =
            (rates(&short), rates(&longer(30, None)), rates(&longer(30, Some(Extend::Constant))));
        assert_eq!((&decayed[..20], &held[..20]), (&before[..], &before[..]));
        assert!((decayed[20] - 0.001).abs() < 1e-12 && (decayed[29] - before[19]).abs() < 1e-12);
        assert!(held[20..].iter().all(|lr| (lr - before[19]).abs() < 1e-18), "{held:?}");
        let twice = longer(30, None).extended_to(&run(TrainConfig { steps: 40, ..Default::default() }), None);
        let twice = rates(&twice.unwrap());
        assert_eq!(&twice[..30], &decayed[..]);
        assert!((twice[30] - 0.001).abs() < 1e-12);
    }

    #[test]
    fn a_run_is_extended_by_half_of_its_recipe_each_time() {
        let by_steps = run(TrainConfig { steps: 21, ..TrainConfig::default() });
        let once = by_steps.extended_by_half().unwrap();
        let twice = once.extended_by_half().unwrap();
        assert_eq!([&once, &twice].map(RunConfig::total_steps), [32, 43]);
        assert_eq!(twice.train.extended.iter().map(|by| by.from_step).collect::<Vec<_>>(), [21, 32]);
        let by_epochs = run(TrainConfig { epochs: 5, ..TrainConfig::default() }).extended_by_half().unwrap();
        assert_eq!((by_epochs.train.epochs, by_epochs.train.steps), (8, 0));
        let endless = run(TrainConfig { steps: 1_000_000_000, ..TrainConfig::default() });
        assert_eq!(endless.extended_by_half(), None);
    }

    #[test]
    fn a_constant_schedule_is_extended_as_if_it_had_been_longer_from_the_start() {
        let constant =
            |steps| run(TrainConfig { schedule: ScheduleKind::Constant, steps, ..TrainConfig::default() });
        let extended = constant(20).extended_to(&constant(30), None).unwrap();
        assert_eq!(rates(&extended), rates(&constant(30)));
    }
}
