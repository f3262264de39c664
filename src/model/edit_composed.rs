//! Edits as dfdx operations: the edits of a batch become a few elementwise ones, with a row of constants for each row.

use dfdx::prelude::*;

use super::parts::linear::Composition;
use super::parts::norm::NormLayout;
use super::patch::{Columns, Op, Patch, PatternEdit, PatternRows};
use super::rule::Site;
use super::tape::{Matrix, Stack, add, flat, multiply};

/// Keeps the gradient of a row whose sum is 0 finite.
const NO_SUM: f32 = 1e-18;

/// Constants of one edit of each sequence, `[row, column]`.
struct Step {
    times: Vec<f32>,
    plus: Vec<f32>,
    low: Vec<f32>,
    high: Vec<f32>,
    /// Of unit length, or 0: what is removed along them.
    along: Vec<f32>,
    clamps: bool,
    removes: bool,
}

impl Step {
    /// Changes nothing.
    fn nothing(cells: usize) -> Self {
        Self {
            times: vec![1.0; cells],
            plus: vec![0.0; cells],
            low: vec![f32::NEG_INFINITY; cells],
            high: vec![f32::INFINITY; cells],
            along: vec![0.0; cells],
            clamps: false,
            removes: false,
        }
    }

    fn put(&mut self, op: Op, first: usize, values: &[f32]) {
        let cells = first..first + values.len();
        match op {
            Op::Put => {
                self.times[cells.clone()].fill(0.0);
                self.plus[cells].copy_from_slice(values);
            }
            Op::Add => self.plus[cells].copy_from_slice(values),
            Op::Scale(by) => self.times[cells].fill(by),
            Op::Clamp(low, high) => {
                self.clamps = true;
                self.low[cells.clone()].fill(low);
                self.high[cells].fill(high);
            }
            Op::Remove => {
                self.removes = true;
                let norm = values.iter().map(|x| x * x).sum::<f32>().sqrt();
                let along = self.along[cells].iter_mut().zip(values);
                along.for_each(|(to, x)| *to = if norm > 0.0 { x / norm } else { 0.0 });
            }
        }
    }
}

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    /// Whether a site is edited in any sequence.
    pub(crate) fn edits(&self, layer: usize, site: impl Into<Site>) -> bool {
        let site = site.into();
        self.edits.iter().any(|(patch, _)| patch.block(layer).edits(site))
    }

    /// The columns of a site from `first` on, `[batch * pos, columns]`, after their edits.
    pub(crate) fn edited(
        &self,
        (layer, site): (usize, impl Into<Site>),
        first: usize,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (site, width) = (site.into(), x.shape().1);
        let is_here =
            |columns: &&Columns| columns.site == site && (first..first + width).contains(&columns.first);
        let of = |patch: &Patch| -> Vec<Columns> {
            patch.block(layer).columns.iter().filter(is_here).cloned().collect()
        };
        let lists: Vec<Vec<Columns>> = self.edits.iter().map(|(patch, _)| of(patch)).collect();
        let mut x = x;
        for at in 0..lists.iter().map(Vec::len).max().unwrap_or(0) {
            let mut step = Step::nothing(self.batch * self.len * width);
            for (sequence, list) in lists.iter().enumerate() {
                let Some(columns) = list.get(at) else { continue };
                for position in 0..self.len {
                    let Some(values) = columns.values_at(position) else { continue };
                    let row = (sequence * self.len + position) * width;
                    step.put(columns.op, row + columns.first - first, values);
                }
            }
            x = self.stepped(step, x)?;
        }
        Ok(x)
    }

    fn stepped(&self, step: Step, x: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let shape = *x.shape();
        let constant = |values| self.device.try_tensor_from_vec(values, shape).map(|x| x.retaped::<T>());
        let mut x = add(multiply(x, constant(step.times)?)?, constant(step.plus)?)?;
        if step.clamps {
            let [low, high] = [flat(constant(step.low)?)?, flat(constant(step.high)?)?];
            x = flat(x)?.try_maximum(low)?.try_minimum(high)?.try_reshape_like(&shape)?;
        }
        if step.removes {
            let parts = multiply(x.with_empty_tape(), constant(step.along.clone())?)?;
            let share = parts.try_sum::<_, Axis<1>>()?.try_broadcast_like::<_, Axis<1>>(&shape)?;
            // Flattening a broadcast would copy it.
            x = x.try_sub(share.try_mul(constant(step.along)?)?)?;
        }
        Ok(x)
    }

    /// `x w + b` of a norm's weight and bias.
    pub(crate) fn affine(&self, x: Matrix<D, T>, norm: Option<&NormLayout>) -> Result<Matrix<D, T>, D::Err> {
        let Some(norm) = norm else { return Ok(x) };
        let tiled = |at| self.ones.retaped::<T>().try_matmul(self.matrix(at, 1)?);
        let x = multiply(x, tiled(&norm.w)?)?;
        match &norm.b {
            Some(b) => add(x, tiled(b)?),
            None => Ok(x),
        }
    }

    /// A head's pattern, `[batch, query, key]`, after its edits.
    pub(crate) fn edited_pattern(
        &self,
        (layer, head): (usize, usize),
        pattern: Stack<D, T>,
    ) -> Result<Stack<D, T>, D::Err> {
        let of = |patch: &Patch| -> Vec<PatternEdit> {
            patch.block(layer).patterns.iter().filter(|edit| edit.head == head).cloned().collect()
        };
        let lists: Vec<Vec<PatternEdit>> = self.edits.iter().map(|(patch, _)| of(patch)).collect();
        let (len, shape) = (self.len, *pattern.shape());
        let mut pattern = pattern;
        for at in 0..lists.iter().map(Vec::len).max().unwrap_or(0) {
            let cells = self.batch * len * len;
            let (mut times, mut plus) = (vec![1.0; cells], vec![0.0; cells]);
            let mut is_rest = vec![0.0; self.batch * len];
            for (sequence, (list, (_, keys))) in lists.iter().zip(self.edits).enumerate() {
                let Some(edit) = list.get(at) else { continue };
                for query in (0..keys.len()).filter(|query| edit.positions.has(*query)) {
                    let row = sequence * len + query;
                    let cells = row * len..row * len + keys.len();
                    if let PatternRows::Without(hidden) = &edit.rows {
                        is_rest[row] = 1.0;
                        let hidden = hidden.iter().filter(|key| **key < keys.len());
                        hidden.for_each(|key| times[cells.start + key] = 0.0);
                        continue;
                    }
                    if edit.replaces(query, keys.len()) {
                        times[cells.clone()].fill(0.0);
                        edit.apply(&mut plus[cells], &[query], keys);
                    }
                }
            }
            let constant = |values| self.device.try_tensor_from_vec(values, shape).map(|x| x.retaped::<T>());
            pattern = pattern.try_mul(constant(times)?)?.try_add(constant(plus)?)?;
            if is_rest.contains(&1.0) {
                pattern = self.of_the_rest(pattern, is_rest)?;
            }
        }
        Ok(pattern)
    }

    /// Rows divided by their sums, where they are marked; a row of zeros stays.
    fn of_the_rest(&self, pattern: Stack<D, T>, is_rest: Vec<f32>) -> Result<Stack<D, T>, D::Err> {
        let (shape, rows) = (*pattern.shape(), (self.batch, self.len));
        let whole = is_rest.iter().map(|rest| 1.0 - rest + NO_SUM).collect();
        let constant = |values| self.device.try_tensor_from_vec(values, rows).map(|x| x.retaped::<T>());
        let sums = pattern.with_empty_tape().try_sum::<_, Axis<2>>()?;
        let sums = add(multiply(sums, constant(is_rest)?)?, constant(whole)?)?;
        pattern.try_div(sums.try_broadcast_like::<_, Axis<2>>(&shape)?)
    }
}
