//! Rotary positions (Su et al. 2021): pairs of dimensions of queries and keys are rotated by an angle proportional to
//! the position, so that scores depend on distances alone.

use dfdx::prelude::*;

use crate::model::config::ModelConfig;
use crate::model::tape::{Matrix, add, multiply};

/// Sine and cosine of every position's angles.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    /// The dimensions of a head that each angle rotates.
    pairs: Vec<(usize, usize)>,
    /// `[n_ctx, pairs]`.
    cos: Vec<f32>,
    /// `[n_ctx, pairs]`.
    sin: Vec<f32>,
}

/// Which way to rotate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// By the position's angle.
    Forth,
    /// Back: the inverse, and the gradient.
    Back,
}

impl Rotation {
    /// The angles of a model with valid settings, computed in single precision as TransformerLens does.
    pub(crate) fn new(c: &ModelConfig) -> Self {
        let half = c.rotary_dim() / 2;
        let pair = |i| if c.rotary_adjacent_pairs { (2 * i, 2 * i + 1) } else { (i, i + half) };
        let wavelength = |i: usize| (c.rotary_base as f32).powf(i as f32 / half as f32);
        let wavelengths: Vec<f32> = (0..half).map(wavelength).collect();
        let angles: Vec<f32> =
            (0..c.n_ctx).flat_map(|position| wavelengths.iter().map(move |w| position as f32 / w)).collect();
        Self {
            pairs: (0..half).map(pair).collect(),
            cos: angles.iter().map(|angle| angle.cos()).collect(),
            sin: angles.iter().map(|angle| angle.sin()).collect(),
        }
    }

    /// Rotates rows of vectors of `d_head` dimensions, each row by the angles of its position.
    pub(crate) fn apply<'a>(
        &self,
        turn: Turn,
        rows: impl Iterator<Item = (&'a mut [f32], usize)>,
        d_head: usize,
    ) {
        let sign = if turn == Turn::Back { -1.0 } else { 1.0 };
        for (row, position) in rows {
            let angles = position * self.pairs.len()..(position + 1) * self.pairs.len();
            let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
            for vector in row.chunks_exact_mut(d_head) {
                for (&(a, b), (cos, sin)) in self.pairs.iter().zip(cos.iter().zip(sin)) {
                    let sin = sign * sin;
                    (vector[a], vector[b]) =
                        (vector[a] * cos - vector[b] * sin, vector[b] * cos + vector[a] * sin);
                }
            }
        }
    }
}

/// The rotation on a device: `x cos + (x swap) sin`, elementwise but for the product with `swap`.
pub(crate) struct ComposedRotation<D: Device<f32>> {
    /// `[batch * pos, d_head]`.
    cos: Matrix<D, NoneTape>,
    /// `[batch * pos, d_head]`.
    sin: Matrix<D, NoneTape>,
    /// Maps each dimension of a pair to the other, `[d_head, d_head]`.
    swap: Matrix<D, NoneTape>,
}

impl Rotation {
    /// Copies the rotation of `batch` sequences of `len` tokens to the device.
    pub(crate) fn composed<D: Device<f32>>(
        &self,
        device: &D,
        d_head: usize,
        (batch, len): (usize, usize),
    ) -> Result<ComposedRotation<D>, D::Err> {
        let mut cos = vec![1.0; len * d_head];
        let (mut sin, mut swap) = (vec![0.0; len * d_head], vec![0.0; d_head * d_head]);
        for (pair, &(a, b)) in self.pairs.iter().enumerate() {
            (swap[b * d_head + a], swap[a * d_head + b]) = (-1.0, 1.0);
            for position in 0..len {
                let angle = position * self.pairs.len() + pair;
                for dimension in [a, b] {
                    cos[position * d_head + dimension] = self.cos[angle];
                    sin[position * d_head + dimension] = self.sin[angle];
                }
            }
        }
        let every_sequence = |values: Vec<f32>| {
            let values = device.try_tensor_from_vec(values, (1, len * d_head))?;
            let sequences: Matrix<D, NoneTape> = device.try_ones_like(&(batch, 1))?;
            sequences.try_matmul(values)?.try_reshape_like(&(batch * len, d_head))
        };
        let swap = device.try_tensor_from_vec(swap, (d_head, d_head))?;
        Ok(ComposedRotation { cos: every_sequence(cos)?, sin: every_sequence(sin)?, swap })
    }
}

impl<D: Device<f32>> ComposedRotation<D> {
    /// Rotates the queries or keys of a head, `[batch * pos, d_head]`.
    pub(crate) fn apply<T: Tape<f32, D>>(&self, x: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let swapped = x.with_empty_tape().try_matmul(self.swap.clone())?;
        let across = multiply(swapped, self.sin.retaped::<T>())?;
        add(multiply(x, self.cos.retaped::<T>())?, across)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Product of two vectors of a head, each rotated as at its position.
    fn score(rotation: &Rotation, d_head: usize, positions: [usize; 2]) -> f32 {
        let [q, k] = positions.map(|position| {
            let mut rows: Vec<f32> = (0..16 * d_head).map(|at| (at % d_head) as f32 + 1.0).collect();
            rotation.apply(Turn::Forth, rows.chunks_exact_mut(d_head).zip(0..), d_head);
            rows[position * d_head..][..d_head].to_vec()
        });
        q.iter().zip(k).map(|(q, k)| q * k).sum()
    }

    #[test]
    fn scores_depend_on_the_distance_alone_and_turning_back_undoes_it() {
        for (rotary_dim, rotary_adjacent_pairs) in [(None, false), (None, true), (Some(2), false)] {
            let c = ModelConfig {
                d_head: 6,
                n_ctx: 16,
                rotary_dim,
                rotary_adjacent_pairs,
                ..ModelConfig::default()
            };
            let rotation = Rotation::new(&c);
            let [near, far] = [[5, 3], [14, 12]].map(|positions| score(&rotation, 6, positions));
            assert!((near - far).abs() < 1e-3, "{near} {far}");
            assert!((near - score(&rotation, 6, [5, 2])).abs() > 0.1, "another distance");
            let rows: Vec<f32> = (0..16 * 18).map(|at| (at as f32).sin()).collect();
            let mut turned = rows.clone();
            rotation.apply(Turn::Forth, turned.chunks_exact_mut(18).zip(0..), 6);
            assert!(rows != turned);
            rotation.apply(Turn::Back, turned.chunks_exact_mut(18).zip(0..), 6);
            assert!(rows.iter().zip(turned).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
