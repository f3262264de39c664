//! Linear probes: how well the target, or the features of a class, can be read at each place in the residual stream and each
//! position (Alain and Bengio 2016), beside probes of random labels (the control of Hewitt and Liang 2019).

use std::sync::Arc;

use rand::Rng;

use super::lens::places;
use super::moments::{LinearProbe, Moments};
use super::total::Total;
use crate::model::{Activations, ModelConfig};
use crate::random::{Purpose, stream};
use crate::task::{Class, Dataset, Example, Split, Task, Token};

/// Most sequences that probes are fitted on.
const MOST: usize = 4096;

/// The sequences that probes are fitted on, and those that they are tested on: the training and the validation set; without
/// a training set, every other sequence of the validation set.
pub fn sets(data: &Dataset) -> [Dataset; 2] {
    let trained = data.len(Split::Train);
    let tokens = |split: Split, indices: &mut dyn Iterator<Item = usize>| {
        let sequences = indices.map(|index| data.example(split, index).tokens().to_vec());
        Dataset::from_sequences(Arc::clone(data.task()), &sequences.collect::<Vec<_>>())
    };
    let all = 0..data.len(Split::Validation);
    if trained > 0 {
        return [
            tokens(Split::Train, &mut (0..trained.min(MOST))),
            tokens(Split::Validation, &mut all.clone()),
        ];
    }
    [0, 1].map(|first| tokens(Split::Validation, &mut all.clone().skip(first).step_by(2)))
}

/// What probes read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The target: a class.
    Target,
    /// Every feature of a class: numbers.
    Features(Class),
}

impl Reads {
    /// The label at each scored position, as numbers.
    fn of(self, task: &dyn Task, example: Example<'_>) -> Vec<Option<Vec<f32>>> {
        let targets = example.targets().iter();
        match self {
            Self::Target => targets.map(|target| target.map(|class| vec![f32::from(class)])).collect(),
            Self::Features(class) => {
                let features = task.features().iter();
                let series: Vec<_> =
                    features.map(|feature| feature.series(task, example.tokens(), class)).collect();
                let at = |position: usize| series.iter().map(|series| series[position]).collect();
                targets.enumerate().map(|(position, target)| target.map(|_| at(position))).collect()
            }
        }
    }

    /// Numbers that a probe reads.
    fn numbers(self, c: &ModelConfig, task: &dyn Task) -> usize {
        match self {
            Self::Target => c.outputs(),
            Self::Features(_) => task.features().len(),
        }
    }

    fn add(self, to: &mut Moments, row: &[f32], label: &[f32]) {
        match self {
            Self::Target => to.add(row, label[0] as Class),
            Self::Features(_) => to.add_numbers(row, label),
        }
    }
}

/// Labels, and random ones: those of another sequence of a set at the same position.
#[derive(Clone)]
pub struct ProbeLabels {
    reads: Reads,
    task: Arc<dyn Task>,
    seed: u64,
    /// The labels at each position of a set.
    at: Arc<Vec<Vec<Vec<f32>>>>,
}

/// Of the labels, and of random ones.
type Both<T> = [T; 2];

impl ProbeLabels {
    /// With the random labels of a validation set.
    pub fn new(data: &Dataset, reads: Reads, seed: u64) -> Self {
        let mut at = vec![Vec::new(); data.longest(Split::Validation)];
        for example in data.examples(Split::Validation) {
            for (labels, label) in at.iter_mut().zip(reads.of(&**data.task(), example)) {
                labels.extend(label);
            }
        }
        Self { reads, task: Arc::clone(data.task()), seed, at: Arc::new(at) }
    }

    /// Both labels of a sequence, the same each time; `None` where it has no target.
    fn of(&self, example: Example<'_>) -> Vec<Option<Both<Vec<f32>>>> {
        // Fowler-Noll-Vo, 64 bits: a number for the sequence.
        let fold = |hash: u64, token: &Token| (hash ^ u64::from(*token)).wrapping_mul(0x0100_0000_01b3);
        let index = example.tokens().iter().fold(0xcbf2_9ce4_8422_2325, fold);
        let mut random = stream(self.seed, Purpose::ProbeLabels, index);
        let both = |(position, label): (usize, Option<Vec<f32>>)| {
            let drawn: usize = random.gen_range(0..usize::MAX);
            let labels = self.at.get(position).filter(|labels| !labels.is_empty())?;
            Some([label?, labels[drawn % labels.len()].clone()])
        };
        self.reads.of(&*self.task, example).into_iter().enumerate().map(both).collect()
    }
}

/// Sums of the stream by label, at every place and position.
pub struct ProbeSums {
    config: ModelConfig,
    labels: ProbeLabels,
    /// By place, then position.
    sums: Vec<Vec<Both<Moments>>>,
}

impl ProbeSums {
    /// Bytes of the sums of sequences of this length, as a type that cannot overflow.
    pub fn approximate_bytes(c: &ModelConfig, len: usize) -> u128 {
        let places = c.n_layers * (1 + usize::from(c.has_mlp())) + 1;
        (places * len) as u128 * Moments::approximate_bytes(2 * c.outputs(), c.d_model)
    }

    /// No sequences.
    pub fn new(config: &ModelConfig, labels: ProbeLabels) -> Self {
        Self { config: config.clone(), labels, sums: Vec::new() }
    }

    /// The fitted probes.
    pub fn probes(&self) -> Probes {
        let fit = |[labels, random]: &Both<Moments>| {
            (!labels.is_empty()).then(|| [labels.probe(), random.probe_with(labels)])
        };
        let probes = self.sums.iter().map(|at| at.iter().map(fit).collect()).collect();
        Probes { labels: self.labels.clone(), probes: Arc::new(probes) }
    }
}

impl Total for ProbeSums {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::new(&self.config, self.labels.clone())
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn()) {
        let (reads, width) = (self.labels.reads, self.config.d_model);
        let (numbers, labels) = (reads.numbers(&self.config, &*self.labels.task), self.labels.of(example));
        let places = places(from);
        self.sums.resize_with(places.len(), Vec::new);
        for (sums, (_, stream)) in self.sums.iter_mut().zip(places) {
            between();
            let none = || [true, false].map(|probed| Moments::new(numbers, width, probed));
            sums.resize_with(sums.len().max(from.len), none);
            for ((row, sums), labels) in stream.chunks_exact(width).zip(sums).zip(&labels) {
                for (sums, label) in sums.iter_mut().zip(labels.iter().flatten()) {
                    reads.add(sums, row, label);
                }
            }
        }
    }

    fn merge(&mut self, next: Self) {
        self.sums.resize_with(self.sums.len().max(next.sums.len()), Vec::new);
        for (ours, theirs) in self.sums.iter_mut().zip(next.sums) {
            for (position, theirs) in theirs.into_iter().enumerate() {
                match ours.get_mut(position) {
                    Some(ours) => ours.iter_mut().zip(&theirs).for_each(|(ours, theirs)| ours.merge(theirs)),
                    None => ours.push(theirs),
                }
            }
        }
    }
}

/// Probes by place, then position; none where no sequence has a target.
#[derive(Clone)]
pub struct Probes {
    labels: ProbeLabels,
    probes: Arc<Vec<Vec<Option<Both<LinearProbe>>>>>,
}

/// How well a probe reads one number of a label, or the class.
#[derive(Clone, Copy, Debug, Default)]
struct Fit {
    count: f64,
    /// Wrong classes, or squared errors.
    errors: f64,
    /// Of the numbers.
    sum: f64,
    squares: f64,
}

impl Fit {
    fn add(&mut self, error: f64, number: f64) {
        let by = Self { count: 1.0, errors: error, sum: number, squares: number * number };
        self.merge(&by);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

/// How well probes read.
pub struct ProbeTally {
    probes: Probes,
    found: ProbeFits,
}

impl ProbeTally {
    /// No sequences.
    pub fn new(probes: &Probes) -> Self {
        let fits = probes.probes.iter().map(|at| vec![Both::default(); at.len()]).collect();
        let found = ProbeFits { reads: probes.labels.reads, places: Vec::new(), fits };
        Self { probes: probes.clone(), found }
    }

    /// What was counted.
    pub fn fits(self) -> ProbeFits {
        self.found
    }
}

impl Total for ProbeTally {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::new(&self.probes)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn()) {
        let (labels, reads) = (self.probes.labels.of(example), self.found.reads);
        let places = places(from);
        self.found.places = places.iter().map(|(name, _)| name.clone()).collect();
        for ((fits, probes), (_, stream)) in self.found.fits.iter_mut().zip(&**self.probes.probes).zip(places)
        {
            between();
            let width = stream.len() / from.len.max(1);
            let rows = stream.chunks_exact(width.max(1)).zip(fits).zip(probes).zip(&labels);
            for (((row, fits), probes), labels) in rows {
                let (Some(probes), Some(labels)) = (probes, labels) else { continue };
                for ((fits, probe), label) in fits.iter_mut().zip(probes).zip(labels) {
                    test(reads, probe, row, label, fits);
                }
            }
        }
    }

    fn merge(&mut self, next: Self) {
        if self.found.places.is_empty() {
            self.found.places = next.found.places;
        }
        let cells = self.found.fits.iter_mut().flatten().flatten();
        for (ours, theirs) in cells.zip(next.found.fits.iter().flatten().flatten()) {
            ours.resize(ours.len().max(theirs.len()), Fit::default());
            ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| ours.merge(theirs));
        }
    }
}

/// Counts what a probe reads of a row.
fn test(reads: Reads, probe: &LinearProbe, row: &[f32], label: &[f32], to: &mut Vec<Fit>) {
    to.resize(label.len(), Fit::default());
    for (at, (number, fit)) in label.iter().zip(to).enumerate() {
        let error = match reads {
            Reads::Target => f64::from(u8::from(probe.class(row) != *number as Class)),
            Reads::Features(_) => (probe.number(at, row) - f64::from(*number)).powi(2),
        };
        fit.add(error, f64::from(*number));
    }
}

/// How well probes read labels and random labels, by place, then position.
#[derive(Clone, Debug)]
pub struct ProbeFits {
    /// What they read.
    pub reads: Reads,
    /// TransformerLens' names.
    pub places: Vec<String>,
    /// By number of the label; the class alone.
    fits: Vec<Vec<Both<Vec<Fit>>>>,
}

impl ProbeFits {
    /// Positions of the longest sequence.
    pub fn len(&self) -> usize {
        self.fits.first().map_or(0, Vec::len)
    }

    /// Whether there are no positions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn fit(&self, (place, position): (usize, usize), number: usize, is_random: bool) -> Option<&Fit> {
        self.fits[place][position][usize::from(is_random)].get(number).filter(|fit| fit.count > 0.0)
    }

    /// Share of right predictions of targets, or of random labels; `None` without targets.
    pub fn share(&self, at: (usize, usize), is_random: bool) -> Option<f64> {
        self.fit(at, 0, is_random).map(|fit| 1.0 - fit.errors / fit.count)
    }

    /// R² of a feature, or of its random values; `None` where the feature does not vary.
    pub fn r_squared(&self, at: (usize, usize), feature: usize, is_random: bool) -> Option<f64> {
        let fit = self.fit(at, feature, is_random)?;
        let variation = fit.squares - fit.sum * fit.sum / fit.count;
        (variation > 1e-9 * fit.squares).then(|| 1.0 - fit.errors / variation)
    }
}
