//! Training on a GPU.
//!
//! With the feature `cuda` these run on an NVIDIA GPU, and are skipped, saying so, where there is none. With `cuda-check`
//! they run on an emulated one, made of dfdx's own kernels compiled for the host: the numbers are those of the kernels,
//! and what a driver may refuse can be rehearsed.
#![cfg(feature = "cuda")]

#[path = "../common/bars.rs"]
mod bars;
#[path = "../reference/edits.rs"]
mod edits;
mod emulator;
mod explorer;
mod failures;
mod numbers;
#[path = "../pty/mod.rs"]
mod pty;
#[path = "../reference/mod.rs"]
mod reference;
mod training;

use std::ffi::OsString;
use std::process::Command;
use std::sync::OnceLock;

use dfdx::prelude::Cuda;
use headcount::cuda;

/// Whether the GPU is emulated.
const EMULATED: bool = cfg!(feature = "cuda-check");

/// The GPU to test on; `None`, with a word to whoever runs the tests, when there is none.
fn gpu() -> Option<Cuda> {
    static USABLE: OnceLock<Result<(), String>> = OnceLock::new();
    let usable = USABLE.get_or_init(|| {
        if EMULATED {
            cuda::look_first_in(emulator::folder()?);
        }
        let gpu = cuda::gpu(0).map_err(|error| error.to_string())?;
        println!("on {gpu}");
        Ok(())
    });
    match usable {
        Ok(()) => Some(Cuda::try_build(0, 0).expect("a GPU that is there can be opened")),
        Err(reason) if EMULATED => panic!("the emulated GPU cannot be built: {reason}"),
        Err(reason) => {
            println!("SKIPPED: {reason}");
            None
        }
    }
}

/// The GPU unless it is emulated: for what would take that one minutes or hours.
fn real_gpu() -> Option<Cuda> {
    if EMULATED {
        println!("SKIPPED: an emulated GPU is too slow for this");
        return None;
    }
    gpu()
}

/// Whether failures can be rehearsed.
fn is_emulated() -> bool {
    if !EMULATED {
        println!("SKIPPED: only an emulated GPU fails when it is asked to");
    }
    EMULATED && gpu().is_some()
}

/// The program of the same build: where `PROGRAM` says, if the binaries were built on another machine.
fn program() -> OsString {
    std::env::var_os("PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_headcount").into())
}

/// The program, which finds the GPU that the tests run on.
fn headcount() -> Command {
    let mut command = Command::new(program());
    if EMULATED {
        command.env(cuda::LIBRARIES_VARIABLE, emulator::folder().expect("a C++ compiler"));
    }
    command
}
