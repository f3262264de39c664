//! Where to train: chosen by `--device`, opened on the thread that trains.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::mpsc::Receiver;

use dfdx::prelude::Cpu;
use thiserror::Error;

use super::events::{RunState, TrainCommand, TrainEvent};
use super::trainer::{Outcome, Setup, TrainError, train};

/// What `--device` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU if there is one that can be used, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// That GPU, or an error.
    Cuda(usize),
}

/// A device that cannot be had.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// Not one of the words.
    #[error("`{0}` is no device: auto, cpu, cuda or cuda:N")]
    Unknown(String),
    /// The program has no GPU code.
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
    /// Refuses a device that this build cannot have, before anything is started.
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

/// As [`train`], on the chosen device, which is opened here. A panic in the trainer comes back as an error.
///
/// # Errors
/// Those of [`train`], and a device that cannot be opened. Each has been emitted before.
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
    _: DeviceChoice,
    setup: Setup,
    commands: &Receiver<TrainCommand>,
    emit: &mut dyn FnMut(TrainEvent),
) -> Result<Outcome, TrainError> {
    train(Cpu::default(), "cpu", setup, commands, emit)
}

#[cfg(feature = "cuda")]
fn open_and_train(
    device: DeviceChoice,
    setup: Setup,
    commands: &Receiver<TrainCommand>,
    emit: &mut dyn FnMut(TrainEvent),
) -> Result<Outcome, TrainError> {
    use dfdx::prelude::Cuda;
    let ordinal = match device {
        DeviceChoice::Cpu => return train(Cpu::default(), "cpu", setup, commands, emit),
        DeviceChoice::Auto => 0,
        DeviceChoice::Cuda(ordinal) => ordinal,
    };
    match Cuda::try_build(ordinal, 0) {
        Ok(cuda) => train(cuda, &format!("cuda:{ordinal}"), setup, commands, emit),
        Err(error) if device == DeviceChoice::Auto => {
            emit(TrainEvent::Notice(format!("no usable GPU ({error:?}): training on the CPU")));
            train(Cpu::default(), "cpu", setup, commands, emit)
        }
        Err(error) => {
            let error =
                TrainError::Device { step: setup.state.step, message: format!("cuda:{ordinal}: {error:?}") };
            emit(TrainEvent::Failed(error.to_string()));
            emit(TrainEvent::State(RunState::Failed));
            Err(error)
        }
    }
}
