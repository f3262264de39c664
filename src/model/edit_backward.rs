//! Gradients through edits: of the values before an edit, from those after it. What an edit puts in place of a value, means and
//! values of other sequences too, counts as a constant.

use super::patch::{BlockEdit, Columns, Op, PatternEdit};
use super::rule::Site;

impl Op {
    /// In: the gradient of a row after the change; out, in place: that of `row`, before.
    fn back(self, row: &[f32], grads: &mut [f32], values: &[f32]) {
        match self {
            Self::Put => grads.fill(0.0),
            Self::Add => {}
            Self::Scale(by) => grads.iter_mut().for_each(|grad| *grad *= by),
            Self::Clamp(low, high) => {
                let outside = grads.iter_mut().zip(row).filter(|(_, x)| **x < low || **x > high);
                outside.for_each(|(grad, _)| *grad = 0.0);
            }
            // A projection is its own transpose.
            Self::Remove => self.apply(grads, values),
        }
    }
}

impl Columns {
    fn back(&self, rows: &[f32], grads: &mut [f32], positions: &[usize]) {
        let width = rows.len() / positions.len().max(1);
        let both = rows.chunks_exact(width.max(1)).zip(grads.chunks_exact_mut(width.max(1)));
        for (&position, (row, grads)) in positions.iter().zip(both) {
            if let Some(values) = self.values_at(position) {
                let columns = self.first..self.first + self.width;
                self.op.back(&row[columns.clone()], &mut grads[columns], values);
            }
        }
    }
}

impl BlockEdit {
    /// In: the gradient of the rows of a site after its edits; out, in place: that of `rows`, before.
    pub(super) fn back(&self, site: Site, rows: &[f32], grads: &mut [f32], positions: &[usize]) {
        let columns: Vec<&Columns> = self.columns.iter().filter(|columns| columns.site == site).collect();
        let mut rows = rows.to_vec();
        let before = columns.iter().map(|columns| {
            let before = rows.clone();
            columns.apply(&mut rows, positions);
            before
        });
        let before: Vec<Vec<f32>> = before.collect();
        for (columns, rows) in columns.iter().zip(&before).rev() {
            columns.back(rows, grads, positions);
        }
    }
}

impl PatternEdit {
    /// Removes the gradient of the scores of replaced rows, `[query, key]`. Rows without some keys keep theirs: they are
    /// the softmax of the rest.
    pub(super) fn back(&self, scores: &mut [f32], positions: &[usize], len: usize) {
        for (&query, row) in positions.iter().zip(scores.chunks_exact_mut(len)) {
            if self.replaces(query, len) {
                row.fill(0.0);
            }
        }
    }
}
