//! NVIDIA GPUs: which exist, whether they are usable, and the meaning of their errors.
//!
//! The libraries are opened at the first request for a GPU, so that one program runs with and without them.

mod entry_points;
mod libraries;

use std::ffi::CStr;
use std::fmt;

use thiserror::Error;

pub use libraries::{LIBRARIES_VARIABLE, look_first_in};

/// `CUDA_ERROR_OUT_OF_MEMORY`.
pub const OUT_OF_MEMORY: i32 = 2;

/// Why no GPU is available.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GpuError {
    /// `libcuda.so.1` cannot be opened.
    #[error("no NVIDIA driver ({0})")]
    NoDriver(String),
    /// cuBLAS cannot be opened.
    #[error("cuBLAS is missing ({0}); name its folder in {LIBRARIES_VARIABLE}")]
    NoCublas(String),
    /// A GPU number that does not exist.
    #[error("there is no cuda:{ordinal}: this machine has {}", gpus(*.count))]
    NoSuchGpu {
        /// The number requested.
        ordinal: usize,
        /// Number of GPUs.
        count: usize,
    },
    /// The driver's own error.
    #[error("{}", explain(*.0))]
    Driver(i32),
}

fn gpus(count: usize) -> String {
    match count {
        0 => "no GPU".into(),
        1 => "one GPU, cuda:0".into(),
        _ => format!("cuda:0 to cuda:{}", count - 1),
    }
}

/// Explains a driver error (`CUresult`) to the user.
pub fn explain(code: i32) -> String {
    let (name, meaning) = match code {
        OUT_OF_MEMORY => ("OUT_OF_MEMORY", "the GPU is out of memory"),
        3 => ("NOT_INITIALIZED", "the driver could not be initialised"),
        34 => ("STUB_LIBRARY", "libcuda.so.1 is the toolkit's stub, not a driver"),
        46 => ("DEVICE_UNAVAILABLE", "another process has the GPU to itself"),
        100 => ("NO_DEVICE", "the driver sees no GPU"),
        101 => ("INVALID_DEVICE", "there is no such GPU"),
        200 | 209 | 218 => {
            ("NO_BINARY_FOR_GPU", "the program was built for a newer kind of GPU: build it on this machine")
        }
        214 => ("ECC_UNCORRECTABLE", "the GPU's memory has an error that cannot be corrected"),
        222 => ("UNSUPPORTED_PTX_VERSION", "the driver is older than the toolkit the program was built with"),
        700 => ("ILLEGAL_ADDRESS", "a kernel went astray"),
        719 => ("LAUNCH_FAILED", "a kernel failed"),
        802 => ("SYSTEM_NOT_READY", "the GPU is not ready yet"),
        803 => ("SYSTEM_DRIVER_MISMATCH", "the driver and its kernel module are of different versions"),
        804 => ("COMPAT_NOT_SUPPORTED_ON_DEVICE", "the driver is too old for this GPU's libraries"),
        999 => ("UNKNOWN", "the driver failed for a reason of its own"),
        _ => return format!("the driver failed (CUDA error {code})"),
    };
    format!("{meaning} (CUDA_ERROR_{name})")
}

/// A GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// The `N` of `cuda:N`.
    pub ordinal: usize,
    /// NVIDIA's name for it.
    pub name: String,
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cuda:{} {}", self.ordinal, self.name.strip_prefix("NVIDIA ").unwrap_or(&self.name))
    }
}

/// Opens no context: only finds the GPU of this number.
///
/// # Errors
/// When a library is missing, the driver fails or there is no such GPU.
pub fn gpu(ordinal: usize) -> Result<Gpu, GpuError> {
    libraries::require()?;
    entry_points::init()?;
    let count = entry_points::device_count()?;
    if ordinal >= count {
        return Err(GpuError::NoSuchGpu { ordinal, count });
    }
    let name = entry_points::name(ordinal)?;
    let name = CStr::from_bytes_until_nul(&name).unwrap_or_default().to_string_lossy().into_owned();
    Ok(Gpu { ordinal, name })
}

/// Free and total memory of the current thread's GPU, in bytes.
///
/// # Errors
/// When the driver fails.
pub fn memory() -> Result<(usize, usize), GpuError> {
    entry_points::memory()
}
