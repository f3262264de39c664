//! Named views into the flat buffer of weights, and their layout.

use std::ops::Range;

/// A weight under its TransformerLens name, as a view into the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorView {
    /// TransformerLens' name, `blocks.0.attn.W_Q` for example.
    pub name: String,
    /// TransformerLens' shape.
    pub shape: Vec<usize>,
    pub(super) offset: usize,
    pub(super) strides: Vec<usize>,
}

impl TensorView {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Positions in the flat buffer, in row-major order of the shape.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|mut flat| {
            let mut position = self.offset;
            for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
                position += flat % size * stride;
                flat /= size;
            }
            position
        })
    }
}

/// Lays out weights one after the other.
#[derive(Default)]
pub(super) struct LayoutBuilder {
    /// Number of values laid out so far.
    pub(super) end: usize,
    /// The views laid out so far.
    pub(super) tensors: Vec<TensorView>,
}

impl LayoutBuilder {
    pub(super) fn range(&mut self, len: usize) -> Range<usize> {
        self.end += len;
        self.end - len..self.end
    }

    pub(super) fn tensor(&mut self, name: &str, shape: &[usize]) -> Range<usize> {
        let range = self.range(shape.iter().product());
        let strides = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        self.tensors.push(TensorView {
            name: name.into(),
            shape: shape.into(),
            offset: range.start,
            strides,
        });
        range
    }
}
