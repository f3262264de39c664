//! Collects activations under TransformerLens' hook names.

/// A tensor to save, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// TransformerLens' name.
    pub name: String,
    /// TransformerLens' shape.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// The hooks of a sequence of `len` positions.
pub(super) struct Hooks {
    pub(super) len: usize,
    pub(super) tensors: Vec<NamedTensor>,
}

impl Hooks {
    /// Adds a tensor.
    pub(super) fn push(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        self.tensors.push(NamedTensor { name: name.into(), shape: shape.into(), values });
    }

    /// Adds a tensor of the residual stream's width, `[pos, d_model]`.
    pub(super) fn stream(&mut self, name: &str, values: Vec<f32>) {
        self.push(name, &[self.len, values.len() / self.len], values);
    }
}
