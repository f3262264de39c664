//! Activation patching: what each activation of one sequence does in the pass of another (Vig et al. 2020; Meng et al.
//! 2022; the grids of TransformerLens' patching module).

use std::ops::Range;

use rayon::prelude::*;

use crate::model::{
    Activations, Change, Donor, Edit, Hook, Patch, Positions, Weights, cross_entropy, forward, forward_again,
};
use crate::task::{Class, Token};

use super::logits::log_sum_exp;

/// A number that says how far the model gives one answer and not another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// The answer's logit minus that of the wrong class.
    #[default]
    LogitDiff,
    /// Cross-entropy of the answer, in nats.
    Loss,
    /// Probability of the answer.
    Prob,
}

impl Metric {
    /// All of them.
    pub const ALL: &[Self] = &[Self::LogitDiff, Self::Loss, Self::Prob];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogitDiff => "logit-diff",
            Self::Loss => "loss",
            Self::Prob => "prob",
        }
    }
}

/// The sequence from which activations are taken, and the one into whose pass they go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Clean activations into the corrupted run: what is sufficient to restore the answer.
    #[default]
    Denoise,
    /// Corrupted activations into the clean run: what is necessary for the answer.
    Noise,
}

impl Direction {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Denoise, Self::Noise];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denoise => "denoise",
            Self::Noise => "noise",
        }
    }
}

/// What each cell of a grid replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// One head, or neuron, at all positions: `[layer][head]`.
    Index,
    /// Every head or neuron at one position: `[layer][position]`.
    Position,
    /// One head, or neuron, at one position: `[layer][head][position]`.
    IndexPosition,
}

impl By {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Index, Self::Position, Self::IndexPosition];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "head",
            Self::Position => "position",
            Self::IndexPosition => "head-position",
        }
    }
}

/// Two sequences of one length, and the two answers that tell them apart.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The sequence with the answer.
    pub clean: Vec<Token>,
    /// The sequence with the wrong one.
    pub corrupted: Vec<Token>,
    /// Where the answer is read.
    pub position: usize,
    /// The class of the clean sequence.
    pub answer: Class,
    /// The class of the corrupted one.
    pub wrong: Class,
}

/// A patching grid to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The activation.
    pub site: Hook,
    /// What each cell replaces.
    pub by: By,
    /// What is measured.
    pub metric: Metric,
    /// Where activations come from.
    pub direction: Direction,
}

/// The metric after each replacement.
#[derive(Clone, Debug)]
pub struct Grid {
    /// `[layer][head]`, `[layer][position]` or `[layer][head][position]`, row by row.
    pub values: Vec<f32>,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// The metric of the clean run.
    pub clean: f32,
    /// The metric of the corrupted run.
    pub corrupted: f32,
}

impl Grid {
    /// The mean of grids of one shape; `None` of none.
    pub fn mean(grids: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut grids = grids.into_iter();
        let (mut sum, mut count) = (grids.next()?, 1.0);
        for grid in grids {
            sum.values.iter_mut().zip(&grid.values).for_each(|(sum, value)| *sum += value);
            sum.clean += grid.clean;
            sum.corrupted += grid.corrupted;
            count += 1.0;
        }
        sum.values.iter_mut().chain([&mut sum.clean, &mut sum.corrupted]).for_each(|sum| *sum /= count);
        Some(sum)
    }

    /// Where each value lies between the corrupted run, 0, and the clean one, 1; `None` if the two are equal.
    #[must_use]
    pub fn normalized(mut self) -> Option<Self> {
        let (start, span) = (self.corrupted, self.clean - self.corrupted);
        self.values.iter_mut().for_each(|value| *value = (*value - start) / span);
        (span != 0.0).then_some(self)
    }
}

impl Pair {
    pub(super) fn measure(&self, metric: Metric, run: &Activations) -> f32 {
        let outputs = run.logits.len() / run.len;
        let logits = &run.logits[self.position * outputs..(self.position + 1) * outputs];
        let answer = logits[usize::from(self.answer)];
        match metric {
            Metric::LogitDiff => answer - logits[usize::from(self.wrong)],
            Metric::Loss => cross_entropy(logits, &[Some(self.answer)], outputs) as f32,
            Metric::Prob => (answer - log_sum_exp(logits)).exp(),
        }
    }
}

/// The passes of both sequences.
pub struct Runs {
    clean: Run,
    corrupted: Run,
}

/// A pass with edits, and without.
pub(super) struct Run {
    plain: Activations,
    edited: Activations,
    edits: Patch,
}

impl Run {
    fn new(weights: &Weights, tokens: &[Token], edits: Patch) -> Self {
        let mut plain = Activations::new(weights.config(), tokens.len());
        let mut edited = Activations::default();
        forward(weights, tokens, &Patch::default(), &mut plain);
        forward_again(weights, &edits, &plain, &mut edited);
        Self { plain, edited, edits }
    }

    /// The activations, after the edits.
    pub(super) fn activations(&self) -> &Activations {
        &self.edited
    }

    /// Runs again with the edits and more of them after.
    pub(super) fn again(&self, weights: &Weights, more: Patch, to: &mut Activations) {
        let mut patch = self.edits.clone();
        patch.extend(more);
        forward_again(weights, &patch, &self.plain, to);
    }
}

impl Runs {
    /// Runs both without edits. Panics if they differ in length: callers check.
    pub fn new(weights: &Weights, pair: &Pair) -> Self {
        Self::edited(weights, pair, Default::default())
    }

    /// Runs the clean and the corrupted sequence, each with its edits. Panics if they differ in length: callers check.
    pub fn edited(weights: &Weights, pair: &Pair, [clean, corrupted]: [Patch; 2]) -> Self {
        assert_eq!(pair.clean.len(), pair.corrupted.len(), "sequences of one length");
        let clean = Run::new(weights, &pair.clean, clean);
        Self { clean, corrupted: Run::new(weights, &pair.corrupted, corrupted) }
    }

    /// The run that gives activations, and the one that receives them.
    pub(super) fn in_direction(&self, direction: Direction) -> [&Run; 2] {
        match direction {
            Direction::Denoise => [&self.clean, &self.corrupted],
            Direction::Noise => [&self.corrupted, &self.clean],
        }
    }
}

impl Plan {
    /// The sizes of the grid for sequences of this length.
    fn shape(self, weights: &Weights, len: usize) -> Vec<usize> {
        let c = weights.config();
        match self.by {
            By::Index => vec![c.n_layers, self.site.indices(c)],
            By::Position => vec![c.n_layers, len],
            By::IndexPosition => vec![c.n_layers, self.site.indices(c), len],
        }
    }

    /// The edit of one cell.
    fn edit(self, weights: &Weights, shape: &[usize], cell: usize) -> Edit {
        let last = shape[shape.len() - 1];
        let (before, at) = (cell / last, cell % last);
        let only = |position: usize| Positions::Only([position].into());
        let all = || (0..self.site.indices(weights.config())).collect();
        let (layer, indices, positions) = match self.by {
            By::Index => (before, vec![at], Positions::All),
            By::Position => (before, all(), only(at)),
            By::IndexPosition => (before / shape[1], vec![before % shape[1]], only(at)),
        };
        Edit { layer, hook: self.site, indices, positions, change: Change::Donor }
    }

    /// The grid of one pair. The receiving run keeps its own padding mask. Panics if the sequences differ in length, or
    /// the model lacks the site: callers check both.
    pub fn grid(self, weights: &Weights, pair: &Pair, runs: &Runs) -> Grid {
        let mut grid = self.empty(weights, pair, runs);
        grid.values = self.cells(weights, pair, runs, 0..grid.shape.iter().product());
        grid
    }

    /// The grid of one pair without its values.
    pub fn empty(self, weights: &Weights, pair: &Pair, runs: &Runs) -> Grid {
        let [clean, corrupted] =
            [&runs.clean, &runs.corrupted].map(|run| pair.measure(self.metric, run.activations()));
        Grid { values: Vec::new(), shape: self.shape(weights, pair.clean.len()), clean, corrupted }
    }

    /// The values of some cells of the grid.
    pub fn cells(self, weights: &Weights, pair: &Pair, runs: &Runs, cells: Range<usize>) -> Vec<f32> {
        let [from, into] = runs.in_direction(self.direction);
        let donor = Donor::new(weights, self.site, from.activations());
        let shape = self.shape(weights, pair.clean.len());
        let cell = |run: &mut Activations, cell: usize| {
            into.again(weights, donor.patch(&[self.edit(weights, &shape, cell)]), run);
            pair.measure(self.metric, run)
        };
        cells.into_par_iter().map_init(Activations::default, cell).collect()
    }
}
