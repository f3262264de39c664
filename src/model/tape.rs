//! Operations on dfdx's tape that are fast on a GPU.

use dfdx::prelude::*;

pub(super) type Vector<D, T> = Tensor<(usize,), f32, D, T>;

pub(super) type Matrix<D, T> = Tensor<(usize, usize), f32, D, T>;

/// `[batch, query, key]`, or `[batch, pos, d_head]`.
pub(super) type Stack<D, T> = Tensor<(usize, usize, usize), f32, D, T>;

/// `x`, with the tape of `from` merged into its own.
pub(super) fn join<S: Shape, R: Shape, D: Device<f32>, T: Tape<f32, D>>(
    x: Tensor<S, f32, D, T>,
    from: Tensor<R, f32, D, T>,
) -> Tensor<S, f32, D, T> {
    let (_, tape) = from.split_tape();
    let (x, own) = x.split_tape();
    x.put_tape(own.merge(tape))
}

/// Flattens to one dimension: dfdx's kernels divide by every dimension's size to locate an element.
pub(super) fn flat<D: Device<f32>, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Vector<D, T>, D::Err> {
    let len = x.shape().num_elements();
    x.try_reshape_like(&(len,))
}

/// Elementwise sum.
pub(super) fn add<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    y: Matrix<D, T>,
) -> Result<Matrix<D, T>, D::Err> {
    let shape = *x.shape();
    flat(x)?.try_add(flat(y)?)?.try_reshape_like(&shape)
}

/// Elementwise product.
pub(super) fn multiply<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    y: Matrix<D, T>,
) -> Result<Matrix<D, T>, D::Err> {
    let shape = *x.shape();
    flat(x)?.try_mul(flat(y)?)?.try_reshape_like(&shape)
}

/// Replaces `x` by `shift(x)`, which must differ from `x` by a constant: the gradient passes unchanged. `x` must not
/// have been used before.
pub(super) fn shifted<S: Shape, D: Device<f32>, T: Tape<f32, D>>(
    x: Tensor<S, f32, D, T>,
    shift: impl FnOnce(Tensor<S, f32, D>) -> Result<Tensor<S, f32, D>, D::Err>,
) -> Result<Tensor<S, f32, D, T>, D::Err> {
    let (x, mut tape) = x.split_tape();
    let (device, from) = (x.device().clone(), x.ghost());
    let out = shift(x)?;
    let to = out.ghost();
    tape.add_backward_op(move |gradients| {
        let mut passing = Storage::<f32>::try_alloc_len(&device, 0)?;
        std::mem::swap(gradients.get_or_alloc_mut(&to)?, &mut passing);
        *gradients.get_or_alloc_mut(&from)? = passing;
        Ok(())
    });
    Ok(out.put_tape(tape))
}
