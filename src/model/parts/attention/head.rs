//! One head over one sequence: scores, pattern, and the mixed values.

use std::ops::Range;

use crate::model::config::ModelConfig;
use crate::model::kernels::{kernel, softmax_of_first};
use crate::model::matmul::{Mat, MatMut, Write, matmul};
use crate::model::tile::Span;
use crate::model::visible::AttentionDirection;

/// Queries or keys per block of a causal product, which skips what they do not see.
const CAUSAL_BLOCK: usize = 32;

/// One third of `qkv`.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Query = 0,
    Key = 1,
    Value = 2,
}

/// First column of one head's part in a row of `qkv`.
pub(super) fn head_offset(c: &ModelConfig, part: Part, head: usize) -> usize {
    part as usize * c.d_heads() + head * c.d_head
}

/// One head over one sequence of a tile.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) c: &'a ModelConfig,
    pub(super) span: &'a Span<'a>,
    pub(super) index: usize,
}

impl Head<'_> {
    /// The head's pattern, `[query, key]`, among the patterns of the block.
    pub(super) fn cells(self) -> Range<usize> {
        let cells = self.span.queries.len() * self.span.rows.len();
        let first = self.c.n_heads * self.span.cells + self.index * cells;
        first..first + cells
    }

    /// Blocks of queries, and the end of the keys that any of them sees.
    pub(super) fn blocks_of_queries(self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let (len, positions) = (self.span.rows.len(), self.span.positions);
        blocks(self.c.attention_dir, positions.len()).map(move |block| {
            let end = self.c.attention_dir.end(positions[block.end - 1], len);
            (block, end)
        })
    }

    /// Blocks of keys, and the first query that sees any of them.
    pub(super) fn blocks_of_keys(self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let (len, positions, direction) = (self.span.rows.len(), self.span.positions, self.c.attention_dir);
        blocks(direction, len).map(move |block| {
            let first = positions.partition_point(|&query| direction.end(query, len) <= block.start);
            (block, first)
        })
    }

    /// Queries, keys or values at some of the sequence's queries or keys, `[rows, d_head]`.
    pub(super) fn columns(self, qkv: &[f32], part: Part, rows: Range<usize>) -> Mat<'_> {
        let first = self.first_cell(part, rows.start);
        Mat::strided(&qkv[first..], rows.len(), self.c.d_head, 3 * self.c.d_heads())
    }

    /// Like [`columns`](Self::columns), to write to.
    pub(super) fn columns_mut(self, qkv: &mut [f32], part: Part, rows: Range<usize>) -> MatMut<'_> {
        let first = self.first_cell(part, rows.start);
        MatMut::strided(&mut qkv[first..], rows.len(), self.c.d_head, 3 * self.c.d_heads())
    }

    fn first_cell(self, part: Part, row: usize) -> usize {
        let first = match part {
            Part::Query => self.span.queries.start,
            Part::Key | Part::Value => self.span.rows.start,
        };
        (first + row) * 3 * self.c.d_heads() + head_offset(self.c, part, self.index)
    }

    /// First cell of a query's `z` in `[query, n_heads, d_head]`.
    pub(super) fn first_of_z(self, query: usize) -> usize {
        (self.span.queries.start + query) * self.c.d_heads() + self.index * self.c.d_head
    }

    /// `q k / attn_scale`, `[query, key]`; in a causal model up to the diagonal, and beyond up to the end of the block.
    pub(super) fn scores(self, qkv: &[f32], out: &mut [f32]) {
        let (scale, len) = (self.c.score_scale(), self.span.rows.len());
        for (block, end) in self.blocks_of_queries() {
            let queries = self.columns(qkv, Part::Query, block.clone());
            let keys = self.columns(qkv, Part::Key, 0..end);
            let rows = MatMut::strided(&mut out[block.start * len..], block.len(), end, len);
            matmul(rows, Write::Set, scale, queries, keys.t());
        }
    }

    /// Computes `z`: the values weighted by the pattern.
    pub(super) fn mix(self, qkv: &[f32], pattern: &[f32], z: &mut [f32]) {
        let (len, d_heads) = (self.span.rows.len(), self.c.d_heads());
        for (block, end) in self.blocks_of_queries() {
            let rows = Mat::strided(&pattern[block.start * len..], block.len(), end, len);
            let values = self.columns(qkv, Part::Value, 0..end);
            let out = &mut z[self.first_of_z(block.start)..];
            matmul(MatMut::strided(out, block.len(), self.c.d_head, d_heads), Write::Set, 1.0, rows, values);
        }
    }
}

fn blocks(direction: AttentionDirection, len: usize) -> impl Iterator<Item = Range<usize>> {
    let rows = match direction {
        AttentionDirection::Causal => CAUSAL_BLOCK,
        AttentionDirection::Bidirectional => len.max(1),
    };
    (0..len).step_by(rows).map(move |first| first..(first + rows).min(len))
}

kernel! {
    /// Softmax of each row of `scores`, `[query, key]`, over the keys that the query at its position may see; 0 for the
    /// others.
    pub fn softmax_of_seen(scores: &mut [f32], len: usize, positions: &[usize], direction: AttentionDirection) {
        for (row, &query) in scores.chunks_exact_mut(len).zip(positions) {
            softmax_of_first(row, direction.end(query, len));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::softmax;

    #[test]
    fn the_widest_instructions_give_the_same_bits_as_the_plainest() {
        let scores: Vec<f32> = (0..129 * 129).map(|i| (i as f32 * 0.77).sin() * 5.0).collect();
        let mut wide = scores.clone();
        let positions: Vec<usize> = (0..129).collect();
        softmax_of_seen(&mut wide, 129, &positions, AttentionDirection::Causal);
        for (query, (wide, plain)) in wide.chunks(129).zip(scores.chunks(129)).enumerate() {
            let mut plain = plain[..=query].to_vec();
            softmax(&mut plain);
            let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&wide[..=query]), bits(&plain));
            assert!(wide[query + 1..].iter().all(|p| *p == 0.0));
        }
    }
}
