//! The text of `--version`: this build and the machine that runs it.

use std::sync::LazyLock;

use crate::model::instruction_set;

static LONG: LazyLock<String> = LazyLock::new(|| {
    format!("{}\nfeatures: {}\nsimd: {}", env!("CARGO_PKG_VERSION"), features(), instruction_set())
});

/// Version, compiled features, and the instruction set in use.
pub fn long() -> &'static str {
    &LONG
}

fn features() -> &'static str {
    match (cfg!(feature = "cuda"), cfg!(feature = "cuda-check")) {
        (_, true) => "cuda, without its kernels",
        (true, false) => "cuda",
        (false, false) => "none",
    }
}
