//! Finds and opens NVIDIA's libraries.
#![expect(unsafe_code, reason = "opening a library runs its initialisers")]

use std::env;
use std::ffi::{OsString, c_void};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::os::unix::{Library as Handle, RTLD_GLOBAL, RTLD_NOW};

use super::GpuError;

/// A library that dfdx calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    /// The driver.
    Cuda,
    /// Matrix products.
    Cublas,
    /// The compiler of kernels; only operations that this program avoids need it.
    Nvrtc,
}

/// Directories, separated by colons, searched before all others.
pub const LIBRARIES_VARIABLE: &str = "HEADCOUNT_CUDA_LIBRARIES";

impl Library {
    const ALL: [Self; 3] = [Self::Cuda, Self::Cublas, Self::Nvrtc];

    /// File names, newest first. The functions used are the same in all these versions.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Cuda => &["libcuda.so.1"],
            Self::Cublas => &["libcublas.so.13", "libcublas.so.12", "libcublas.so.11"],
            Self::Nvrtc => &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"],
        }
    }

    /// The status of every call without the library: an error of its own enumeration.
    pub(super) fn absent(self) -> i32 {
        match self {
            Self::Cuda => 3,   // CUDA_ERROR_NOT_INITIALIZED
            Self::Cublas => 1, // CUBLAS_STATUS_NOT_INITIALIZED
            Self::Nvrtc => 11, // NVRTC_ERROR_INTERNAL_ERROR
        }
    }

    /// The status, or `CUDA_ERROR_UNKNOWN` for one that cudarc does not know: cudarc converts statuses to an
    /// enumeration, and an unknown number would be undefined behaviour.
    pub(super) fn familiar(self, status: i32) -> i32 {
        let familiar = matches!(
            status,
            0..=8 | 34 | 46 | 100..=102 | 200..=202 | 205..=224 | 300..=304 | 400 | 401 | 500 | 600 | 700..=705
                | 708..=720 | 800..=810 | 900..=912
        );
        if self != Self::Cuda || familiar { status } else { 999 }
    }

    fn open(self) -> Result<Handle, String> {
        let mut first = None;
        for folder in folders() {
            for name in self.names() {
                let path = folder.as_ref().map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
                if folder.is_some() && !path.exists() {
                    continue;
                }
                if self == Self::Cublas {
                    // cuBLAS needs cublasLt, which the loader would not search in the same directory.
                    let half = path.with_file_name(name.replace("cublas", "cublasLt"));
                    let _ = load(half).map(std::mem::forget);
                }
                match load(path) {
                    Ok(handle) => return Ok(handle),
                    Err(error) => first = first.or(Some(error.to_string())),
                }
            }
        }
        Err(first.unwrap_or_default())
    }
}

fn load(path: PathBuf) -> Result<Handle, libloading::Error> {
    // SAFETY: NVIDIA's libraries, or what was named in their place, may be initialised at any time from any thread.
    unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }
}

static NAMED: OnceLock<OsString> = OnceLock::new();

/// Searches this directory before all others, instead of those in the environment variable. No effect once a GPU was
/// requested.
pub fn look_first_in(folder: &Path) {
    let _ = NAMED.set(folder.into());
}

/// The directories to search: the given ones, the loader's own (`None`), and those of installed toolkits.
fn folders() -> Vec<Option<PathBuf>> {
    let named = NAMED.get_or_init(|| env::var_os(LIBRARIES_VARIABLE).unwrap_or_default());
    let roots = ["CUDA_PATH", "CUDA_HOME", "CUDA_ROOT", "CONDA_PREFIX"].into_iter().filter_map(env::var_os);
    let roots = roots.map(PathBuf::from).chain(["/usr/local/cuda".into(), "/opt/cuda".into()]);
    let installed =
        roots.flat_map(|root| ["lib64", "lib", "targets/x86_64-linux/lib"].map(|lib| root.join(lib)));
    let named: Vec<_> =
        env::split_paths(named).filter(|folder| !folder.as_os_str().is_empty()).map(Some).collect();
    named.into_iter().chain([None]).chain(installed.chain(["/usr/lib/wsl/lib".into()]).map(Some)).collect()
}

static OPENED: OnceLock<[Result<Handle, String>; 3]> = OnceLock::new();

fn opened(library: Library) -> &'static Result<Handle, String> {
    &OPENED.get_or_init(|| Library::ALL.map(Library::open))[library as usize]
}

/// Opens the libraries needed for training.
///
/// # Errors
/// Names the missing library, with the loader's message.
pub(super) fn require() -> Result<(), GpuError> {
    if let Err(reason) = opened(Library::Cuda) {
        return Err(GpuError::NoDriver(reason.clone()));
    }
    opened(Library::Cublas).as_ref().map(|_| ()).map_err(|reason| GpuError::NoCublas(reason.clone()))
}

/// Address of the function with this name, which must end in a zero byte.
pub(super) fn address(library: Library, name: &'static str) -> Option<usize> {
    let handle = opened(library).as_ref().ok()?;
    // SAFETY: only the address is taken.
    let symbol = unsafe { handle.get::<*mut c_void>(name.as_bytes()) }.ok()?;
    Some(symbol.into_raw() as usize)
}
