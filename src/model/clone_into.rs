//! Copies into existing buffers.

use std::ops::Range;

/// Buffers with one row per position.
pub(super) trait Rows: Default {
    /// Sets `self` to these rows of `from`, which has `all` rows.
    fn copy_rows(&mut self, from: &Self, rows: &Range<usize>, all: usize);
}

impl Rows for Vec<f32> {
    fn copy_rows(&mut self, from: &Self, rows: &Range<usize>, all: usize) {
        let width = from.len() / all.max(1);
        self.clear();
        self.extend_from_slice(&from[rows.start * width..rows.end * width]);
    }
}

impl<T: Rows> Rows for Option<T> {
    fn copy_rows(&mut self, from: &Self, rows: &Range<usize>, all: usize) {
        match from {
            Some(from) => self.get_or_insert_default().copy_rows(from, rows, all),
            None => *self = None,
        }
    }
}

/// Sets the length of a buffer; what it holds means nothing afterwards.
pub(super) fn fit(buffer: &mut Vec<f32>, len: usize) {
    buffer.resize(len, 0.0);
}

/// `Clone` with a `clone_from` that reuses the buffers, as the derived one does not; and [`Rows`], but for the fields
/// after a semicolon.
macro_rules! clone_into_buffers {
    ($type:ty: $($field:ident),* $(; $other:ident)?) => {
        impl Clone for $type {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone(),)* $($other: self.$other.clone())? }
            }

            fn clone_from(&mut self, from: &Self) {
                $(self.$field.clone_from(&from.$field);)*
                $(self.$other.clone_from(&from.$other);)?
            }
        }

        impl crate::model::clone_into::Rows for $type {
            fn copy_rows(&mut self, from: &Self, rows: &std::ops::Range<usize>, all: usize) {
                $(self.$field.copy_rows(&from.$field, rows, all);)*
            }
        }
    };
}

pub(super) use clone_into_buffers;
