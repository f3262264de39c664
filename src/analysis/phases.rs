//! Phase changes: where a number over training rises or falls out of its noise.

/// A change counts if it is this many times the noise before: the median absolute deviation.
const DEVIATIONS: f64 = 6.0;
/// The least noise, as a share of the number's whole range: a constant has none.
const FLOOR: f64 = 1.0 / 40.0;
/// Points before a change that tell level and noise.
const WINDOW: usize = 8;
/// Fewest of them.
const LEAST: usize = 3;
/// Points after a change that tell whether it lasts.
const AFTER: usize = 4;
/// A change ends where a point adds less than this share of its height.
const ENDS: f64 = 0.02;

/// A rise or fall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// The last step before.
    pub from: usize,
    /// The step at half the height, between points linearly.
    pub at: usize,
    /// The first step after.
    pub to: usize,
    /// The median before.
    pub before: f64,
    /// The value at `to`.
    pub after: f64,
}

/// The phase changes of finite values by step, in order.
pub fn phases(points: &[(usize, f64)]) -> Vec<Phase> {
    let values = || points.iter().map(|point| point.1);
    let range = values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min);
    // Few points of a restless number may be close by chance.
    let jitter = median(points.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()));
    let least = jitter.max(FLOOR * range);
    let (mut found, mut begin, mut at) = (Vec::new(), 0, LEAST);
    while at < points.len() {
        let window = &points[begin.max(at.saturating_sub(WINDOW))..at];
        let (level, noise) = level(window);
        let height = points[at].1 - level;
        if window.len() < LEAST || height.abs() <= DEVIATIONS * noise.max(least) {
            at += 1;
            continue;
        }
        let end = end(points, at, level);
        if !holds(&points[end..points.len().min(end + AFTER)], (level, noise.max(least))) {
            at += 1;
            continue;
        }
        let from = start(points, at, level);
        found.push(phase(points, [from, end], level));
        (begin, at) = (end, end + LEAST);
    }
    found
}

/// Whether the points after a change stay as far from the level before: otherwise it is noise.
fn holds(after: &[(usize, f64)], (before, noise): (f64, f64)) -> bool {
    let (level, own) = level(after);
    (level - before).abs() > DEVIATIONS * noise.max(own)
}

/// Median, and median absolute deviation.
fn level(window: &[(usize, f64)]) -> (f64, f64) {
    let level = median(window.iter().map(|point| point.1));
    (level, median(window.iter().map(|point| (point.1 - level).abs())))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The last point of a change that is under way at a point.
fn end(points: &[(usize, f64)], at: usize, level: f64) -> usize {
    let mut end = at;
    while let Some(next) = points.get(end + 1) {
        let (height, more) = (points[end].1 - level, next.1 - points[end].1);
        if more * height.signum() < ENDS * height.abs() {
            break;
        }
        end += 1;
    }
    end
}

/// The last point before a change that is found at a point: the first steps of a slow rise are within the noise.
fn start(points: &[(usize, f64)], at: usize, level: f64) -> usize {
    let sign = (points[at].1 - level).signum();
    let mut start = at - 1;
    while start > 0
        && (points[start].1 - points[start - 1].1) * sign > 0.0
        && (points[start].1 - level) * sign > 0.0
    {
        start -= 1;
    }
    start
}

fn phase(points: &[(usize, f64)], [from, end]: [usize; 2], before: f64) -> Phase {
    let after = points[end].1;
    let half = f64::midpoint(before, after);
    let is_beyond = |value: f64| (value - half) * (after - before) >= 0.0;
    let crossing = (from + 1..end).find(|at| is_beyond(points[*at].1)).unwrap_or(end);
    let ((s0, v0), (s1, v1)) = (points[crossing - 1], points[crossing]);
    let share = (half - v0) / (v1 - v0);
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 };
    let at = s0 as f64 + share * (s1 - s0) as f64;
    Phase { from: points[from].0, at: at.round() as usize, to: points[end].0, before, after }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log-spaced steps to 10,000.
    fn over(value: impl Fn(f64) -> f64) -> Vec<(usize, f64)> {
        let mut steps: Vec<usize> =
            (0..=212).map(|at| (f64::from(at) / 16.0).exp2().floor() as usize).collect();
        steps.dedup();
        steps.into_iter().map(|step| (step, value(step as f64))).collect()
    }

    fn noise(step: f64) -> f64 {
        (step * 12.9898).sin()
    }

    #[test]
    fn a_rise_is_found_at_half_its_height_with_its_levels() {
        let curve = over(|step| 0.08 + 0.63 / (1.0 + ((420.0 - step) / 12.0).exp()) + 0.004 * noise(step));
        let [phase] = phases(&curve)[..] else { panic!("{:?}", phases(&curve)) };
        assert!((phase.at as f64 / 420.0 - 1.0).abs() < 0.05, "{phase:?}");
        assert!((phase.before - 0.08).abs() < 0.02 && (phase.after - 0.71).abs() < 0.03, "{phase:?}");
        assert!((300..420).contains(&phase.from) && (420..520).contains(&phase.to), "{phase:?}");
    }

    #[test]
    fn a_fall_after_a_rise_is_another_phase() {
        let bump = |step: f64, at: f64| 1.0 / (1.0 + ((at - step) / (at / 30.0)).exp());
        let curve = over(|step| bump(step, 100.0) - bump(step, 3000.0));
        let found: Vec<bool> = phases(&curve).iter().map(|phase| phase.after > phase.before).collect();
        assert_eq!(found, [true, false]);
    }

    #[test]
    fn noise_a_constant_and_a_few_points_have_no_phases() {
        assert!(phases(&over(|step| 0.5 + 0.1 * noise(step))).is_empty());
        assert!(phases(&over(|_| 0.3)).is_empty());
        assert!(phases(&[(0, 1.0), (1, 9.0)]).is_empty() && phases(&[]).is_empty());
    }
}
