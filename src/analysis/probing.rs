//! Linear probes: how well the target can be read at each place in the residual stream and each position (Alain and Bengio
//! 2016), beside probes of random labels, as many of each class (the control of Hewitt and Liang 2019).

use std::sync::Arc;

use rand::Rng;

use super::lens::places;
use super::moments::{LinearProbe, Moments};
use super::total::Total;
use crate::model::{Activations, ModelConfig};
use crate::random::{Purpose, stream};
use crate::task::{Class, Dataset, Example, Split, Token};

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

/// Labels drawn at random, with their frequencies at each position.
#[derive(Clone)]
pub struct RandomLabels {
    seed: u64,
    /// The targets at each position of a set.
    at: Arc<Vec<Vec<Class>>>,
}

impl RandomLabels {
    /// With the frequencies of a validation set.
    pub fn new(data: &Dataset, seed: u64) -> Self {
        let mut at = vec![Vec::new(); data.longest(Split::Validation)];
        for example in data.examples(Split::Validation) {
            for (labels, target) in at.iter_mut().zip(example.targets().iter()) {
                labels.extend(*target);
            }
        }
        Self { seed, at: Arc::new(at) }
    }

    /// The labels of a sequence, the same each time; `None` where it has no target.
    fn of(&self, example: Example<'_>) -> Vec<Option<Class>> {
        // Fowler-Noll-Vo, 64 bits: a number for the sequence.
        let fold = |hash: u64, token: &Token| (hash ^ u64::from(*token)).wrapping_mul(0x0100_0000_01b3);
        let index = example.tokens().iter().fold(0xcbf2_9ce4_8422_2325, fold);
        let mut random = stream(self.seed, Purpose::ProbeLabels, index);
        let label = |(position, target): (usize, &Option<Class>)| {
            let drawn: usize = random.gen_range(0..usize::MAX);
            let labels = self.at.get(position).filter(|labels| !labels.is_empty() && target.is_some())?;
            Some(labels[drawn % labels.len()])
        };
        example.targets().iter().enumerate().map(label).collect()
    }
}

/// Of targets and of random labels, at a position.
type Both<T> = [T; 2];

/// Sums of the stream by label, at every place and position.
pub struct ProbeSums {
    config: ModelConfig,
    labels: RandomLabels,
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
    pub fn new(config: &ModelConfig, labels: RandomLabels) -> Self {
        Self { config: config.clone(), labels, sums: Vec::new() }
    }

    /// The fitted probes.
    pub fn probes(&self) -> Probes {
        let fit = |[targets, random]: &Both<Moments>| {
            (!targets.is_empty()).then(|| [targets.probe(), random.probe_with(targets)])
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
        let (random, classes, width) = (self.labels.of(example), self.config.outputs(), self.config.d_model);
        let places = places(from);
        self.sums.resize_with(places.len(), Vec::new);
        for (sums, (_, stream)) in self.sums.iter_mut().zip(places) {
            between();
            let none = || [true, false].map(|probed| Moments::new(classes, width, probed));
            sums.resize_with(sums.len().max(from.len), none);
            for (position, (row, sums)) in stream.chunks_exact(width).zip(sums).enumerate() {
                if let (Some(target), Some(drawn)) = (example.targets()[position], random[position]) {
                    sums[0].add(row, target);
                    sums[1].add(row, drawn);
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
    labels: RandomLabels,
    probes: Arc<Vec<Vec<Option<Both<LinearProbe>>>>>,
}

/// Right predictions of probes.
pub struct ProbeTally {
    probes: Probes,
    names: Vec<String>,
    /// Right of targets, right of random labels, and seen; by place, then position.
    counts: Vec<Vec<[usize; 3]>>,
}

impl ProbeTally {
    /// No sequences.
    pub fn new(probes: &Probes) -> Self {
        let counts = probes.probes.iter().map(|at| vec![[0; 3]; at.len()]).collect();
        Self { probes: probes.clone(), names: Vec::new(), counts }
    }

    /// The accuracies.
    pub fn accuracies(self) -> ProbeAccuracies {
        ProbeAccuracies { places: self.names, counts: self.counts }
    }
}

impl Total for ProbeTally {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::new(&self.probes)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn()) {
        let random = self.probes.labels.of(example);
        let places = places(from);
        self.names = places.iter().map(|(name, _)| name.clone()).collect();
        for ((counts, probes), (_, stream)) in self.counts.iter_mut().zip(&**self.probes.probes).zip(places) {
            between();
            let width = stream.len() / from.len.max(1);
            let rows = stream.chunks_exact(width.max(1)).zip(counts).zip(probes).enumerate();
            for (position, ((row, counts), probes)) in rows {
                let labels = [example.targets()[position], random[position]];
                let (Some(probes), [Some(target), Some(drawn)]) = (probes, labels) else { continue };
                counts[0] += usize::from(probes[0].class(row) == target);
                counts[1] += usize::from(probes[1].class(row) == drawn);
                counts[2] += 1;
            }
        }
    }

    fn merge(&mut self, next: Self) {
        if self.names.is_empty() {
            self.names = next.names;
        }
        let cells = self.counts.iter_mut().flatten().zip(next.counts.iter().flatten());
        cells.for_each(|(ours, theirs)| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b));
    }
}

/// Accuracy of probes, by place, then position.
#[derive(Clone, Debug)]
pub struct ProbeAccuracies {
    /// TransformerLens' names.
    pub places: Vec<String>,
    /// Right of targets, right of random labels, and seen.
    counts: Vec<Vec<[usize; 3]>>,
}

impl ProbeAccuracies {
    /// Positions of the longest sequence.
    pub fn len(&self) -> usize {
        self.counts.first().map_or(0, Vec::len)
    }

    /// Whether there are no positions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Share of right predictions of targets, or of random labels; `None` without targets.
    pub fn share(&self, place: usize, position: usize, is_random: bool) -> Option<f64> {
        let counts = self.counts[place][position];
        (counts[2] > 0).then(|| counts[usize::from(is_random)] as f64 / counts[2] as f64)
    }
}
