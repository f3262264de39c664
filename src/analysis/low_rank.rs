//! A matrix as the product of two narrow ones: a map over a large vocabulary is never stored.

use std::ops::Range;

use super::readout::{dot, product};
use crate::model::Mat;

/// Larger maps are kept as factors, in cells.
const MOST_CELLS: usize = 1 << 20;

/// `left right^T`, `[rows, cols]`.
#[derive(Clone, Debug)]
pub struct LowRank {
    left: Vec<f32>,
    right: Vec<f32>,
    width: usize,
    /// Every cell of a small map.
    cells: Vec<f32>,
}

impl LowRank {
    /// Most cells of the two maps of a head beside their factors.
    pub(super) const MOST_KEPT: u128 = 2 * MOST_CELLS as u128;

    /// Of factors with `width` columns, `[rows, width]` and `[cols, width]`.
    pub fn new(left: Vec<f32>, right: Vec<f32>, width: usize) -> Self {
        let mut made = Self { left, right, width, cells: Vec::new() };
        if made.rows() * made.cols() <= MOST_CELLS {
            made.cells = made.block(0..made.rows());
        }
        made
    }

    /// The map minus its mean over the rows.
    #[must_use]
    pub fn centred(self) -> Self {
        let rows = self.rows().max(1) as f32;
        let mut mean = vec![0.0; self.width];
        for row in self.left.chunks_exact(self.width) {
            mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / rows);
        }
        let less = |row: &[f32]| row.iter().zip(&mean).map(|(x, mean)| x - mean).collect::<Vec<_>>();
        let left = self.left.chunks_exact(self.width).flat_map(less).collect();
        Self::new(left, self.right, self.width)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.left.len() / self.width
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.right.len() / self.width
    }

    /// One cell; `None` outside.
    pub fn get(&self, row: usize, col: usize) -> Option<f32> {
        if !self.cells.is_empty() {
            return self.cells.get(row * self.cols() + col).copied().filter(|_| col < self.cols());
        }
        let part = |at: usize| at * self.width..(at + 1) * self.width;
        Some(dot(self.left.get(part(row))?, self.right.get(part(col))?))
    }

    /// Every cell of some rows, `[rows, cols]`.
    pub fn block(&self, rows: Range<usize>) -> Vec<f32> {
        if !self.cells.is_empty() {
            return self.cells[rows.start * self.cols()..rows.end * self.cols()].to_vec();
        }
        let (len, cols) = (rows.len(), self.cols());
        let left = Mat::new(&self.left[rows.start * self.width..rows.end * self.width], len, self.width);
        product(left, Mat::new(&self.right, cols, self.width).t(), len, cols)
    }

    /// Blocks of rows that together are the map, each with its first row, `[rows, cols]`.
    pub fn blocks(&self) -> impl Iterator<Item = (usize, Vec<f32>)> + '_ {
        let step = (MOST_CELLS / self.cols().max(1)).max(1);
        (0..self.rows())
            .step_by(step)
            .map(move |first| (first, self.block(first..(first + step).min(self.rows()))))
    }

    /// Every cell, `[rows, cols]`.
    pub fn dense(&self) -> Vec<f32> {
        self.block(0..self.rows())
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        4 * (self.left.len() + self.right.len() + self.cells.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_the_same_kept_or_computed() {
        let factor = |len: usize, by: f32| (0..len).map(|at| (at as f32 * by).sin()).collect::<Vec<_>>();
        let kept = LowRank::new(factor(21, 0.3), factor(15, 0.7), 3);
        let computed = LowRank { cells: Vec::new(), ..kept.clone() };
        assert_eq!((kept.rows(), kept.cols(), kept.cells.len()), (7, 5, 35));
        for (row, col) in (0..9).flat_map(|row| (0..7).map(move |col| (row, col))) {
            let cells = [&kept, &computed].map(|map| map.get(row, col));
            let [Some(a), Some(b)] = cells else {
                assert_eq!((cells, row < 7 && col < 5), ([None; 2], false));
                continue;
            };
            assert!((a - b).abs() < 1e-6 && (kept.dense()[row * 5 + col] - b).abs() < 1e-6);
        }
        let blocks: Vec<f32> = computed.blocks().flat_map(|(_, cells)| cells).collect();
        assert_eq!(blocks, computed.dense());
    }
}
