//! The data sets of a listing.

use rand::seq::SliceRandom;

use super::{Dataset, Listing, ListingError, Shape};
use crate::random::{Purpose, stream};

impl Listing {
    /// The sequences that are not for training as a validation set for a model of this shape: all of them if the file
    /// leaves the choice open. A typed sequence has the targets of the first listed sequence with the same tokens.
    ///
    /// # Errors
    /// Names the sequence and the problem.
    pub fn dataset(self, shape: Shape) -> Result<Dataset, ListingError> {
        let held_out = |row: &usize| self.train.as_ref().is_none_or(|train| !train[*row]);
        let order: Vec<usize> = (0..self.rows.len()).filter(held_out).collect();
        if order.is_empty() && !self.rows.is_empty() {
            return Err(ListingError::Split("evaluate"));
        }
        let (task, rows) = self.into_task(shape)?;
        Ok(Dataset::of_rows(task, rows, order, 0))
    }

    /// All sequences, split into `train` sequences and the rest: as the file says, or else at random by the seed.
    ///
    /// # Errors
    /// Names the sequence and the problem.
    pub fn split(self, shape: Shape, train: usize, seed: u64) -> Result<Dataset, ListingError> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        match &self.train {
            Some(marks) => order.sort_by_key(|row| !marks[*row]),
            None => order.shuffle(&mut stream(seed, Purpose::Split, 0)),
        }
        for (side, rows) in [("train on", &order[..train]), ("validate on", &order[train..])] {
            if rows.is_empty() {
                return Err(ListingError::Split(side));
            }
            if rows.iter().all(|row| self.rows.example(*row).scored() == 0) {
                return Err(ListingError::Unscored(side));
            }
        }
        let (task, rows) = self.into_task(shape)?;
        Ok(Dataset::of_rows(task, rows, order, train))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Class, Rows, Split, TargetRule, Token};

    const SHAPE: Shape = Shape { n_ctx: 4, d_vocab: 3, d_vocab_out: 2 };

    type Row<'a> = (&'a [Token], &'a [Option<Class>]);

    fn rows(of: &[Row<'_>]) -> Rows {
        let mut rows = Rows::default();
        of.iter().for_each(|(tokens, targets)| rows.push(tokens, targets, tokens.len()));
        rows
    }

    fn listing() -> Listing {
        Listing {
            name: "own".into(),
            rows: rows(&[(&[0, 1, 2], &[None, Some(1), Some(0)]), (&[2], &[Some(1)]), (&[2], &[Some(0)])]),
            vocabulary: Some(["a", "b", "c"].map(Into::into).into()),
            outputs: Some(["no", "yes"].map(Into::into).into()),
            ..Listing::default()
        }
    }

    #[test]
    fn every_sequence_has_its_own_targets_and_a_typed_one_has_those_of_the_first() {
        let data = listing().dataset(SHAPE).unwrap();
        assert_eq!((data.len(Split::Train), data.len(Split::Validation)), (0, 3));
        assert_eq!(data.example(Split::Validation, 0).targets(), [None, Some(1), Some(0)]);
        assert_eq!(data.example(Split::Validation, 2).targets(), [Some(0)]);
        assert_eq!(data.task().targets(&[2])[..], [Some(1)]);
        assert_eq!(data.task().targets(&[1, 1])[..], [None, None], "not in the file");
        assert_eq!(
            (data.task().vocabulary().name(2), data.task().outputs().name(1)),
            ("c".into(), "yes".into())
        );
    }

    #[test]
    fn the_next_token_is_the_target_of_typed_sequences_too() {
        let rule = Some(TargetRule::NextToken);
        let data = Listing { rule, outputs: None, ..listing() };
        let data = data.dataset(Shape { d_vocab_out: 3, ..SHAPE }).unwrap();
        assert_eq!(data.task().targets(&[1, 1, 0])[..], [Some(1), Some(0), None]);
        assert_eq!(data.task().targets(&[1])[..], [None]);
    }

    #[test]
    fn rows_are_split_as_marked_or_else_by_the_seed() {
        let firsts = |data: &Dataset, split| -> Vec<Token> {
            data.examples(split).iter().map(|example| example.tokens()[0]).collect()
        };
        let ten = || {
            let mut rows = Rows::default();
            (0..10).for_each(|token| rows.push(&[token], &[Some(0)], 1));
            Listing { rows, ..Listing::default() }
        };
        let shape = Shape { d_vocab: 10, ..SHAPE };
        let marked = Listing { train: Some((0..10).map(|row| row % 3 == 1).collect()), ..ten() };
        let split = marked.split(shape, 3, 1).unwrap();
        assert_eq!(firsts(&split, Split::Train), [1, 4, 7]);
        assert_eq!(firsts(&split, Split::Validation), [0, 2, 3, 5, 6, 8, 9]);
        let marked = Listing { train: Some((0..10).map(|row| row > 1).collect()), ..ten() };
        assert_eq!(firsts(&marked.dataset(shape).unwrap(), Split::Validation), [0, 1]);
        let drawn = |seed| {
            let data = ten().split(shape, 4, seed).unwrap();
            [firsts(&data, Split::Train), firsts(&data, Split::Validation)].concat()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let mut all = drawn(1);
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        let unscored = Listing { rows: rows(&[(&[1], &[None]), (&[1], &[None])]), ..ten() };
        assert_eq!(unscored.split(shape, 1, 1).unwrap_err(), ListingError::Unscored("train on"));
        let all = Listing { train: Some(vec![true; 10]), ..ten() };
        assert_eq!(all.dataset(shape).unwrap_err(), ListingError::Split("evaluate"));
    }

    #[test]
    fn sequences_that_do_not_fit_the_model_are_named() {
        let refused = |listing: Listing| listing.dataset(SHAPE).unwrap_err().to_string();
        let with = |of: &[Row<'_>]| Listing { rows: rows(of), ..listing() };
        assert_eq!(refused(with(&[])), "no sequence");
        assert_eq!(
            refused(with(&[(&[0; 5], &[None; 5])])),
            "sequence 0 has 5 tokens: the model takes 1 to 4"
        );
        assert_eq!(
            refused(with(&[(&[0], &[None]), (&[1, 3], &[None; 2])])),
            "sequence 1 has token 3 at position 1: the model's are 0 to 2"
        );
        assert_eq!(
            refused(with(&[(&[0, 0], &[None, Some(2)])])),
            "sequence 0 has target 2 at position 1: the model's are 0 to 1"
        );
        let names = Listing { outputs: Some(vec!["one".into()]), ..listing() };
        assert_eq!(refused(names), "1 names in `vocab_out`: the model has 2");
    }
}
