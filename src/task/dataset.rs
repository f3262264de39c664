//! The sequences of a run with their targets, split into training and validation.

use std::sync::Arc;

use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::{Example, ListingError, Rows, Shape, Source, Targets, Task, TaskConfig, TaskError, Token};
use crate::random::{Purpose, stream};

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Trained on.
    Train,
    /// Held out.
    Validation,
}

/// All sequences of a run.
#[derive(Clone, Debug)]
pub struct Dataset {
    task: Arc<dyn Task>,
    rows: Arc<Rows>,
    /// The rows of the sequences: those to train on, then those to validate on.
    order: Vec<usize>,
    train: usize,
}

impl Dataset {
    /// Bytes of this many sequences of `len` tokens while they are drawn: tokens and targets, separately and then
    /// joined, and the next epoch's training sequences if they are fresh.
    pub fn approximate_bytes(sequences: usize, len: usize, source: Source) -> u128 {
        const A_SEQUENCE: u128 = 64;
        let resident = Rows::approximate_bytes(sequences, len) + sequences as u128 * A_SEQUENCE;
        if source == Source::Fresh { 3 * resident } else { 2 * resident }
    }

    /// Generates the sequences of `config`, which must be valid for `task`.
    pub fn generate(task: Arc<dyn Task>, config: &TaskConfig, seed: u64) -> Self {
        Self::of_epoch(task, config, seed, 0)
    }

    /// Like [`generate`](Self::generate), with the training sequences of an epoch: these differ between epochs if the
    /// source is fresh.
    pub fn of_epoch(task: Arc<dyn Task>, config: &TaskConfig, seed: u64, epoch: usize) -> Self {
        let (all, train) = (config.sequences, config.train_len());
        let drawn = |index: usize| task.sequence(&mut stream(seed, Purpose::Data, index as u64));
        let sequences: Vec<_> = match config.source {
            Source::Seeded => (0..all).into_par_iter().map(drawn).collect(),
            // The indices of an epoch follow those of the previous one.
            Source::Fresh => {
                let first = if epoch == 0 { 0 } else { all + (epoch - 1) * train };
                let indices = (first..first + train).into_par_iter().chain(train..all);
                indices.map(drawn).collect()
            }
            Source::Exhaustive => {
                let mut order: Vec<usize> = (0..all).collect();
                order.shuffle(&mut stream(seed, Purpose::Split, 0));
                order.into_iter().map(|index| task.input(index)).collect()
            }
        };
        Self { train, ..Self::from_sequences(task, &sequences) }
    }

    /// A validation set of the given sequences, without training data; the task gives the targets.
    pub fn from_sequences(task: Arc<dyn Task>, sequences: &[Vec<Token>]) -> Self {
        let targets: Vec<Targets> = sequences.par_iter().map(|tokens| task.targets(tokens)).collect();
        let cells: usize = sequences.iter().map(Vec::len).sum();
        let mut rows = Rows::with_space(sequences.len(), cells.div_ceil(sequences.len().max(1)));
        for (tokens, targets) in sequences.iter().zip(&targets) {
            rows.push(tokens, targets, tokens.len());
        }
        Self::of_rows(task, Arc::new(rows), (0..sequences.len()).collect(), 0)
    }

    /// The rows of `order`, of which the first `train` are for training.
    pub(super) fn of_rows(task: Arc<dyn Task>, rows: Arc<Rows>, order: Vec<usize>, train: usize) -> Self {
        Self { task, rows, order, train }
    }

    /// The task that defines the targets.
    pub fn task(&self) -> &Arc<dyn Task> {
        &self.task
    }

    /// Length of the longest sequence in a split.
    pub fn longest(&self, split: Split) -> usize {
        self.examples(split).iter().map(|example| example.tokens().len()).max().unwrap_or(0)
    }

    /// Number of sequences in a split.
    pub fn len(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::Validation => self.order.len() - self.train,
        }
    }

    /// Sequence `index` of a split. Panics if there is no such sequence.
    pub fn example(&self, split: Split, index: usize) -> Example<'_> {
        self.rows.example(self.row(split, index))
    }

    /// The validation set with the padding of its rows, up to `n_ctx` tokens each, as part of the sequences; without
    /// targets.
    ///
    /// # Errors
    /// Names the row whose padding is no token of the model.
    pub fn padded(&self, n_ctx: usize) -> Result<Self, ListingError> {
        let mut rows = Rows::default();
        for &row in &self.order[self.train..] {
            let padded = self.rows.padded(row);
            let padded = &padded[..padded.len().min(n_ctx)];
            let is_token = |token: &Token| usize::from(*token) < self.task.vocabulary().len();
            if let Some(position) = padded.iter().position(|token| !is_token(token)) {
                return Err(ListingError::Padding { index: row, position });
            }
            rows.push(padded, &Targets::none(padded.len()), padded.len());
        }
        let order = (0..rows.len()).collect();
        Ok(Self::of_rows(Arc::clone(&self.task), Arc::new(rows), order, 0))
    }

    fn row(&self, split: Split, index: usize) -> usize {
        assert!(index < self.len(split), "sequence {index} of {}", self.len(split));
        self.order[index + if split == Split::Train { 0 } else { self.train }]
    }

    /// Every sequence of a split, in order.
    pub fn examples(&self, split: Split) -> Vec<Example<'_>> {
        (0..self.len(split)).map(|index| self.example(split, index)).collect()
    }
}

impl TaskConfig {
    /// Draws the data for a model of this shape.
    ///
    /// # Errors
    /// Like [`task`](Self::task).
    pub fn dataset(&self, shape: Shape, seed: u64) -> Result<Dataset, TaskError> {
        Ok(Dataset::generate(self.task(shape)?, self, seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Shape;

    fn data(config: &TaskConfig, n_ctx: usize, seed: u64, epoch: usize) -> Dataset {
        let task = config.task(Shape { n_ctx, d_vocab: 10, d_vocab_out: 10 }).unwrap();
        Dataset::of_epoch(task, config, seed, epoch)
    }

    /// Every token, in order.
    fn tokens(data: &Dataset) -> Vec<Token> {
        let examples = [Split::Train, Split::Validation].map(|split| data.examples(split)).concat();
        examples.iter().flat_map(|example| example.tokens().to_vec()).collect()
    }

    #[test]
    fn the_default_split_is_the_notebooks() {
        let data = data(&TaskConfig::default(), 16, 23, 0);
        assert_eq!((data.len(Split::Train), data.len(Split::Validation)), (1638, 410));
    }

    #[test]
    fn the_same_seed_gives_the_same_data_and_another_seed_other_data() {
        let config = TaskConfig { sequences: 20, train_fraction: 0.5, ..TaskConfig::default() };
        let tokens = |seed| tokens(&data(&config, 32, seed, 0));
        assert_eq!(tokens(1), tokens(1));
        assert_ne!(tokens(1), tokens(2));
    }

    #[test]
    fn tokens_are_uniform_over_the_vocabulary() {
        let data = data(&TaskConfig::default(), 128, 7, 0);
        let tokens = tokens(&data);
        for digit in 0..10 {
            let share = tokens.iter().filter(|&&t| t == digit).count() as f64 / tokens.len() as f64;
            assert!((share - 0.1).abs() < 0.005, "{digit}: {share}");
        }
    }

    #[test]
    fn a_fresh_source_trains_on_other_sequences_each_epoch_and_validates_on_the_same() {
        let config =
            TaskConfig { source: Source::Fresh, sequences: 20, train_fraction: 0.5, ..TaskConfig::default() };
        let sequences = |epoch, split| -> Vec<Vec<Token>> {
            data(&config, 32, 1, epoch).examples(split).iter().map(|e| e.tokens().to_vec()).collect()
        };
        let validation = sequences(0, Split::Validation);
        let mut seen = validation.clone();
        for epoch in 0..3 {
            assert_eq!(sequences(epoch, Split::Validation), validation);
            let train = sequences(epoch, Split::Train);
            assert!(train.iter().all(|tokens| !seen.contains(tokens)), "epoch {epoch}");
            seen.extend(train);
        }
    }

    #[test]
    fn sequences_may_differ_in_length() {
        let task = data(&TaskConfig { sequences: 2, ..TaskConfig::default() }, 4, 1, 0).task;
        let data = Dataset::from_sequences(task, &[vec![1, 2, 2], vec![7]]);
        assert_eq!(data.example(Split::Validation, 0).targets(), [Some(1), Some(1), Some(2)]);
        assert_eq!(data.example(Split::Validation, 1).tokens(), [7]);
        assert_eq!(data.longest(Split::Validation), 3);
    }

    #[test]
    fn an_exhaustive_source_is_split_without_overlap_and_by_the_seed() {
        let settings = [("p".to_owned(), 7)].into();
        let config = TaskConfig {
            name: "modular-addition".into(),
            source: Source::Exhaustive,
            sequences: 49,
            train_fraction: 0.3,
            settings,
            ..TaskConfig::default()
        };
        let split = |seed| {
            let data = config.dataset(Shape { n_ctx: 3, d_vocab: 8, d_vocab_out: 7 }, seed).unwrap();
            [Split::Train, Split::Validation].map(|split| {
                data.examples(split).iter().map(|example| example.tokens().to_vec()).collect::<Vec<_>>()
            })
        };
        let [train, validation] = split(1);
        assert_eq!((train.len(), validation.len()), (14, 35));
        let all: std::collections::BTreeSet<_> = train.iter().chain(&validation).collect();
        assert_eq!(all.len(), 49);
        assert_eq!(split(1)[0], train);
        assert_ne!(split(2)[0], train);
    }
}
