//! A tuning curve: the mean activation by the value of a feature.

use std::collections::BTreeMap;

/// Most points of a curve: more values are pooled in equal intervals.
const MOST: usize = 32;

/// Steps of a feature's value that are told apart, per unit.
const STEPS: f64 = 256.0;

/// The positions where a feature has one value, or is in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TuningPoint {
    /// Mean value of the feature.
    pub value: f64,
    /// Mean activation.
    pub mean: f64,
    /// Standard deviation of the activation, over one less than the positions; 0 of one.
    pub deviation: f64,
    /// Positions.
    pub positions: usize,
}

/// Counts, means and sums of squared deviations, merged pairwise.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    n: f64,
    value: f64,
    mean: f64,
    squares: f64,
}

impl Group {
    fn merge(&mut self, next: Self) {
        let all = self.n + next.n;
        if next.n == 0.0 {
            return;
        }
        let apart = next.mean - self.mean;
        self.squares += next.squares + apart * apart * self.n * next.n / all;
        self.mean += apart * next.n / all;
        self.value += (next.value - self.value) * next.n / all;
        self.n = all;
    }

    fn point(self) -> TuningPoint {
        let deviation = (self.squares / (self.n - 1.0).max(1.0)).sqrt();
        TuningPoint { value: self.value, mean: self.mean, deviation, positions: self.n as usize }
    }
}

/// Sums for a tuning curve.
#[derive(Clone, Debug, Default)]
pub(super) struct Tuning(BTreeMap<i64, Group>);

impl Tuning {
    /// Adds a position; one where the feature is no number is left out.
    pub(super) fn add(&mut self, feature: f32, activation: f32) {
        if feature.is_finite() {
            let value = f64::from(feature);
            let one = Group { n: 1.0, value, mean: f64::from(activation), squares: 0.0 };
            self.0.entry((value * STEPS).round() as i64).or_default().merge(one);
        }
    }

    pub(super) fn merge(&mut self, next: Self) {
        next.0.into_iter().for_each(|(key, group)| self.0.entry(key).or_default().merge(group));
    }

    /// The curve, by rising value.
    pub(super) fn points(&self) -> Vec<TuningPoint> {
        let [Some(first), Some(last)] = [self.0.keys().next(), self.0.keys().next_back()] else {
            return Vec::new();
        };
        if self.0.len() <= MOST {
            return self.0.values().map(|group| group.point()).collect();
        }
        let mut intervals = [Group::default(); MOST];
        for (key, group) in &self.0 {
            let at = (key - first) as f64 / (last - first) as f64 * MOST as f64;
            intervals[(at as usize).min(MOST - 1)].merge(*group);
        }
        intervals.into_iter().filter(|group| group.n > 0.0).map(Group::point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_points_and_many_are_pooled_in_order() {
        let mut few = Tuning::default();
        for (feature, activation) in [(2.0, 5.0), (-1.0, 1.0), (2.0, 7.0), (f32::NAN, 9.0)] {
            few.add(feature, activation);
        }
        let point = |value, mean, deviation, positions| TuningPoint { value, mean, deviation, positions };
        assert_eq!(few.points(), [point(-1.0, 1.0, 0.0, 1), point(2.0, 6.0, 2_f64.sqrt(), 2)]);
        let (mut many, mut rest) = (Tuning::default(), Tuning::default());
        (0..500).for_each(|x| many.add(x as f32, (2 * x) as f32));
        (500..1000).for_each(|x| rest.add(x as f32, (2 * x) as f32));
        many.merge(rest);
        let points = many.points();
        assert_eq!((points.len(), points.iter().map(|point| point.positions).sum::<usize>()), (MOST, 1000));
        assert!(points.iter().all(|point| (point.mean - 2.0 * point.value).abs() < 1e-9), "{points:?}");
    }
}
