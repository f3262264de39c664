//! Where to train: chosen by `--device`, opened on the thread that trains.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(not(feature = "cuda"))]
use std::path::Path;
use std::str::FromStr;
use std::sync::mpsc::Receiver;

use dfdx::prelude::*;
use thiserror::Error;

use super::events::{RunState, TrainCommand, TrainEvent};
use super::trainer::{Outcome, Setup, TrainError, train};
#[cfg(feature = "cuda")]
use crate::cuda::{self, Gpu};
#[cfg(feature = "cuda")]
use crate::model::{Backend, least_memory};

/// What `--device` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first usable GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this number, or an error.
    Cuda(usize),
}

/// Exists where NVIDIA's driver is loaded.
#[cfg(not(feature = "cuda"))]
const NVIDIA_DRIVER: &str = "/proc/driver/nvidia/version";

/// A device that cannot be used.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// An unknown name.
    #[error("`{0}` is no device: auto, cpu, cuda or cuda:N")]
    Unknown(String),
    /// The program was built without GPU code.
    #[cfg(not(feature = "cuda"))]
    #[error("this build has no CUDA: build it with `cargo build --release --features cuda`")]
    NotBuilt,
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(word: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(word.into());
        match word {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let number = word.strip_prefix("cuda:").ok_or_else(unknown)?;
                number.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

impl DeviceChoice {
    /// Rejects a device that this build does not support, before anything is started.
    ///
    /// # Errors
    /// When a GPU is asked for by name and the program was built without.
    pub fn check(self) -> Result<(), DeviceError> {
        #[cfg(not(feature = "cuda"))]
        if matches!(self, Self::Cuda(_)) {
            return Err(DeviceError::NotBuilt);
        }
        Ok(())
    }
}

/// Like [`train`], on the chosen device, which is opened here. A panic of the trainer is returned as an error.
///
/// # Errors
/// Those of [`train`], and a device that cannot be opened. Each has been emitted already.
pub fn train_on(
    device: DeviceChoice,
    setup: Setup,
    commands: &Receiver<TrainCommand>,
    emit: &mut dyn FnMut(TrainEvent),
) -> Result<Outcome, TrainError> {
    let trained = catch_unwind(AssertUnwindSafe(|| open_and_train(device, setup, commands, &mut *emit)));
    trained.unwrap_or_else(|panic| {
        let error = TrainError::Panicked(panic_message(panic.as_ref()));
        emit(TrainEvent::Failed(error.to_string()));
        emit(TrainEvent::State(RunState::Failed));
        Err(error)
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(not(feature = "cuda"))]
fn open_and_train(
    device: DeviceChoice,
    setup: Setup,
    commands: &Receiver<TrainCommand>,
    emit: &mut dyn FnMut(TrainEvent),
) -> Result<Outcome, TrainError> {
    if device == DeviceChoice::Auto && Path::new(NVIDIA_DRIVER).exists() {
        emit(TrainEvent::Notice(format!(
            "training on the CPU, though there is a GPU: {}",
            DeviceError::NotBuilt
        )));
    }
    train(Cpu::default(), "cpu", setup, commands, emit)
}

#[cfg(feature = "cuda")]
fn open_and_train(
    device: DeviceChoice,
    setup: Setup,
    commands: &Receiver<TrainCommand>,
    emit: &mut dyn FnMut(TrainEvent),
) -> Result<Outcome, TrainError> {
    let ordinal = match device {
        DeviceChoice::Cpu => return train(Cpu::default(), "cpu", setup, commands, emit),
        DeviceChoice::Auto => 0,
        DeviceChoice::Cuda(ordinal) => ordinal,
    };
    match open_gpu(ordinal, least_memory(&setup.state.weights.layout, setup.config.model.n_ctx)) {
        Ok((gpu, cuda)) => train(cuda, &gpu.to_string(), setup, commands, emit),
        Err(reason) if device == DeviceChoice::Auto => {
            emit(TrainEvent::Notice(format!("training on the CPU: {reason}")));
            train(Cpu::default(), "cpu", setup, commands, emit)
        }
        Err(message) => {
            let error = TrainError::Device { step: setup.state.step, message };
            emit(TrainEvent::Failed(error.to_string()));
            emit(TrainEvent::State(RunState::Failed));
            Err(error)
        }
    }
}

/// Opens GPU `ordinal` and tests it: adds two numbers, since incompatible kernels fail only when loaded, and allocates
/// `bytes`.
#[cfg(feature = "cuda")]
fn open_gpu(ordinal: usize, bytes: usize) -> Result<(Gpu, Cuda), String> {
    let gpu = cuda::gpu(ordinal).map_err(|error| error.to_string())?;
    let failed = |error| format!("cuda:{ordinal}: {}", Cuda::explain(&error));
    let open = || {
        let cuda = Cuda::try_build(ordinal, 0)?;
        drop(Storage::<f32>::try_alloc_len(&cuda, bytes / size_of::<f32>())?);
        // Keep freed memory: the next step needs the same sizes again.
        cuda.try_enable_cache()?;
        let two: Tensor<Rank1<2>, f32, _> = cuda.try_tensor([1.0, 1.0])?;
        two.try_add(1.0)?;
        cuda.try_synchronize()?;
        Ok(cuda)
    };
    let cuda = open().map_err(failed)?;
    Ok((gpu, cuda))
}
