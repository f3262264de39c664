//! Copies into existing buffers.

/// `Clone` with a `clone_from` that reuses the buffers; the derived one allocates.
macro_rules! clone_into_buffers {
    ($type:ty: $($field:ident),*) => {
        impl Clone for $type {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone()),* }
            }

            fn clone_from(&mut self, from: &Self) {
                $(self.$field.clone_from(&from.$field);)*
            }
        }
    };
}

pub(super) use clone_into_buffers;
