//! Parameters that are not trained: chosen by name, kept at their initial values.

use dfdx::prelude::*;

use crate::model::{Backend, Layout, TensorView};

/// Whether `name` matches `pattern`, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(after, &rest[at..]))
        }),
    }
}

/// Whether a parameter of the model matches.
pub(super) fn matches_any(pattern: &str, layout: &Layout) -> bool {
    layout.tensors().iter().any(|tensor| matches(pattern, &tensor.name))
}

type Vector<D, T = NoneTape> = Tensor<(usize,), f32, D, T>;

/// The frozen parameters of a run. Their places in the optimiser's buffer are never read, even if weight decay changes
/// them there: model and checkpoints use the values kept here, and their gradient is zero.
pub(super) struct Frozen<D: Backend> {
    places: Vec<usize>,
    /// `[parameters]`: only the frozen places are used.
    values: Vec<f32>,
    /// Whether each parameter is trained, `[parameters]`.
    trained: Tensor<(usize,), bool, D>,
    on_device: Vector<D>,
}

impl<D: Backend> Frozen<D> {
    /// `None` where every parameter is trained.
    pub(super) fn new(
        device: &D,
        patterns: &[String],
        layout: &Layout,
        values: &[f32],
    ) -> Result<Option<Self>, D::Err> {
        let frozen = |name: &str| patterns.iter().any(|pattern| matches(pattern, name));
        let tensors = layout.tensors().iter().filter(|tensor| frozen(&tensor.name));
        let places: Vec<usize> = tensors.flat_map(TensorView::positions).collect();
        if places.is_empty() {
            return Ok(None);
        }
        let mut trained = vec![true; values.len()];
        places.iter().for_each(|&place| trained[place] = false);
        let shape = (values.len(),);
        Ok(Some(Self {
            places,
            values: values.to_vec(),
            trained: device.try_tensor_from_vec(trained, shape)?,
            on_device: device.try_tensor_from_vec(values.to_vec(), shape)?,
        }))
    }

    /// The model's parameters: the optimiser's, with the frozen values in their places.
    pub(super) fn held<T: Tape<f32, D> + Merge<NoneTape>>(
        &self,
        params: Vector<D, T>,
    ) -> Result<Vector<D, T>, D::Err> {
        self.trained.clone().try_choose(params, self.on_device.clone())
    }

    /// Like [`held`](Self::held), on the host.
    pub(super) fn hold(&self, params: &mut [f32]) {
        self.places.iter().for_each(|&place| params[place] = self.values[place]);
    }

    /// Zeroes the moments of frozen parameters: their gradient is always zero.
    pub(super) fn still(&self, moment: &mut [f32]) {
        self.places.iter().for_each(|&place| moment[place] = 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, want) in [
            ("blocks.*.attn.b_*", "blocks.3.attn.b_Q", true),
            ("blocks.*.attn.b_*", "blocks.3.mlp.b_in", false),
            ("*", "embed.W_E", true),
            ("*.b_U", "unembed.b_U", true),
            ("unembed.b_U", "unembed.b_U", true),
            ("unembed", "unembed.b_U", false),
            ("*W_*_*", "embed.W_E", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
