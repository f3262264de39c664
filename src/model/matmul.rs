//! Matrix products with the `gemm` crate, through views with checked bounds.

use gemm::Parallelism;

/// A matrix in borrowed memory.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// A matrix to write to.
pub struct MatMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

/// Whether a product replaces the output or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// `out = a b`.
    Set,
    /// `out += a b`.
    Add,
}

fn assert_inside(len: usize, rows: usize, cols: usize, row_stride: usize, col_stride: usize) {
    if rows > 0 && cols > 0 {
        let last = (rows - 1) * row_stride + (cols - 1) * col_stride;
        assert!(last < len, "a {rows} x {cols} matrix reaches {last} of {len} values");
    }
}

impl<'a> Mat<'a> {
    /// Row-major, without gaps.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// Row-major, with `row_stride` values between the starts of two rows.
    pub fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert_inside(data.len(), rows, cols, row_stride, 1);
        Self { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// The transpose, without a copy.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

impl<'a> MatMut<'a> {
    /// Row-major, without gaps.
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// Row-major, with `row_stride` values between the starts of two rows.
    pub fn strided(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert_inside(data.len(), rows, cols, row_stride, 1);
        Self { data, rows, cols, row_stride }
    }
}

/// `out = scale * a b` or `out += scale * a b`, on the calling thread. Panics if the shapes do not match.
#[expect(clippy::needless_pass_by_value, reason = "a view to write through is used once")]
pub fn matmul(out: MatMut<'_>, write: Write, scale: f32, a: Mat<'_>, b: Mat<'_>) {
    assert_eq!((out.rows, out.cols, a.cols), (a.rows, b.cols, b.rows), "shapes of a product");
    #[expect(unsafe_code, reason = "the library's one entry point takes raw pointers")]
    // SAFETY: every view was checked to lie inside its slice when it was made, the shapes agree, and `out` is
    // borrowed mutably, so it overlaps neither input.
    unsafe {
        gemm::gemm(
            out.rows,
            out.cols,
            a.cols,
            out.data.as_mut_ptr(),
            1,
            out.row_stride.cast_signed(),
            write == Write::Add,
            a.data.as_ptr(),
            a.col_stride.cast_signed(),
            a.row_stride.cast_signed(),
            b.data.as_ptr(),
            b.col_stride.cast_signed(),
            b.row_stride.cast_signed(),
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 37 + 11) % 17) as f32 / 8.0 - 1.0).collect()
    }

    proptest! {
        #[test]
        fn any_shape_transposed_or_not_equals_the_definition(
            m in 1_usize..9, n in 1_usize..20, k in 1_usize..9, ta: bool, tb: bool, add: bool,
        ) {
            let (a, b, before) = (numbers(m * k), numbers(k * n), numbers(m * n));
            let view_a = if ta { Mat::new(&a, k, m).t() } else { Mat::new(&a, m, k) };
            let view_b = if tb { Mat::new(&b, n, k).t() } else { Mat::new(&b, k, n) };
            let mut out = before.clone();
            matmul(MatMut::new(&mut out, m, n), if add { Write::Add } else { Write::Set }, 0.5, view_a, view_b);
            for i in 0..m {
                for j in 0..n {
                    let at = |p: usize| a[if ta { p * m + i } else { i * k + p }];
                    let bt = |p: usize| b[if tb { j * k + p } else { p * n + j }];
                    let sum: f32 = (0..k).map(|p| at(p) * bt(p)).sum();
                    let want = 0.5 * sum + if add { before[i * n + j] } else { 0.0 };
                    prop_assert!((out[i * n + j] - want).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "reaches")]
    fn a_view_outside_its_memory_is_refused() {
        Mat::strided(&[0.0; 10], 3, 4, 4);
    }
}
