//! The one-cycle schedule of learning rate and beta1 (Smith & Topin 2018), as PyTorch's `OneCycleLR` computes it.

use std::f64::consts::PI;

/// Share of the steps in which the learning rate rises.
const RISING: f64 = 0.3;
/// The first rate is the largest over this.
const DIV_FACTOR: f64 = 25.0;
/// The last rate is the first over this.
const FINAL_DIV_FACTOR: f64 = 1e4;
/// beta1 falls from the second to the first while the rate rises, and comes back.
const BETA1: [f64; 2] = [0.85, 0.95];

/// Learning rate and beta1 of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_of_schedule_is_finite_and_within_its_bounds() {
        for total_steps in 1..50 {
            let schedule = OneCycle { max_lr: 0.01, total_steps };
            for step in 0..total_steps {
                let Rates { lr, beta1 } = schedule.at(step);
                assert!(lr > 0.0 && lr <= 0.01 + 1e-12, "{step} of {total_steps}: {lr}");
                assert!((0.85 - 1e-9..=0.95 + 1e-9).contains(&beta1), "{step} of {total_steps}: {beta1}");
            }
        }
    }
}
