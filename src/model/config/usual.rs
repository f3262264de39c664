//! Whether a setting keeps its default, so that it need not be written.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]

use super::{AUTOMATIC, ModelConfig};

pub(super) fn flag(value: &bool) -> bool {
    !value
}

pub(super) fn use_attn_scale(value: &bool) -> bool {
    *value
}

pub(super) fn attn_scale(scale: &f64) -> bool {
    scale.to_bits() == AUTOMATIC.to_bits()
}

pub(super) fn eps(eps: &f64) -> bool {
    eps.to_bits() == ModelConfig::default().eps.to_bits()
}

pub(super) fn rotary_base(base: &f64) -> bool {
    base.to_bits() == ModelConfig::default().rotary_base.to_bits()
}

pub(super) fn choice<T: Default + PartialEq>(choice: &T) -> bool {
    *choice == T::default()
}
