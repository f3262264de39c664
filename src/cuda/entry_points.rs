//! The functions of NVIDIA's libraries that dfdx calls, each forwarded to a library opened at run time.
//!
//! cudarc declares these functions as symbols to link. Linked to the libraries, the program would not start on a
//! machine without a driver; with the definitions here, it starts everywhere and reports what is missing. Errors of
//! functions that destructors call are ignored: cudarc unwraps them, and after a failed kernel, when every call fails,
//! a second panic would abort the process with the terminal in raw mode.
#![expect(unsafe_code, reason = "C functions found by name can be called in no other way")]

use std::sync::OnceLock;

use super::GpuError;
use super::libraries::{Library, address};

/// An integer or a pointer. Both are passed in one word by the calling conventions of 64-bit Linux, and no function
/// here takes other arguments by value.
type Word = usize;

/// `CUresult`, `cublasStatus_t` or `nvrtcResult`: zero is success.
type Status = i32;

macro_rules! word {
    ($argument:ident) => {
        Word
    };
}

macro_rules! call {
    ($library:ident $name:ident ($($argument:ident)*)) => {{
        static FOUND: OnceLock<Option<extern "C" fn($(word!($argument)),*) -> Status>> = OnceLock::new();
        let found = FOUND.get_or_init(|| {
            let address = address(Library::$library, concat!(stringify!($name), "\0"))?;
            // SAFETY: the library's function of that name takes these arguments, each of one word, and returns a status.
            Some(unsafe {
                std::mem::transmute::<usize, extern "C" fn($(word!($argument)),*) -> Status>(address)
            })
        });
        Library::$library.familiar(found.map_or(Library::$library.absent(), |function| function($($argument),*)))
    }};
}

macro_rules! entry_points {
    ($($library:ident { calls { $($name:ident($($argument:ident)*);)* } forgiven { $($release:ident($($what:ident)*);)* } })*) => {
        $($(
            // SAFETY: nothing else in the program defines the symbol.
            #[unsafe(no_mangle)]
            extern "C" fn $name($($argument: Word),*) -> Status {
                call!($library $name($($argument)*))
            }
        )*
        $(
            // SAFETY: as above.
            #[unsafe(no_mangle)]
            extern "C" fn $release($($what: Word),*) -> Status {
                let _ = call!($library $release($($what)*));
                0
            }
        )*)*

        /// Every entry point, so that the linker drops none before it meets a call.
        static ALL: &[&(dyn std::any::Any + Sync)] = &[$($(&$name,)* $(&$release,)*)* &cuMemAllocAsync, &cuMemsetD8Async, &cuMemFreeAsync];
    };
}

entry_points! {
    Cuda {
        calls {
            cuInit(flags);
            cuGetErrorString(error text);
            cuDeviceGet(device ordinal);
            cuDeviceGetCount(count);
            cuDeviceGetName(name len device);
            cuDeviceGetAttribute(value attribute device);
            cuDevicePrimaryCtxRetain(context device);
            cuMemGetInfo_v2(free total);
            cuMemAlloc_v2(address bytes);
            cuMemcpyDtoD_v2(to from bytes);
            cuMemcpyDtoDAsync_v2(to from bytes stream);
            cuMemcpyDtoH_v2(to from bytes);
            cuMemcpyDtoHAsync_v2(to from bytes stream);
            cuMemcpyHtoD_v2(to from bytes);
            cuMemcpyHtoDAsync_v2(to from bytes stream);
            cuMemsetD8_v2(at value bytes);
            cuModuleLoad(module path);
            cuModuleLoadData(module image);
            cuModuleGetFunction(function module name);
            cuLaunchKernel(f gx gy gz bx by bz shared stream arguments extra);
            cuStreamCreate(stream flags);
            cuStreamSynchronize(stream);
            cuEventCreate(event flags);
        }
        forgiven {
            // These release nothing, but destructors call them, and after a failure every later call fails too.
            cuCtxSetCurrent(context);
            cuEventRecord(event stream);
            cuStreamWaitEvent(stream event flags);
            cuDevicePrimaryCtxRelease_v2(device);
            cuMemFree_v2(at);
            cuModuleUnload(module);
            cuStreamDestroy_v2(stream);
            cuEventDestroy_v2(event);
        }
    }
    Cublas {
        calls {
            cublasCreate_v2(handle);
            cublasSetStream_v2(handle stream);
            cublasSgemm_v2(handle ta tb m n k alpha a lda b ldb beta c ldc);
            cublasSgemmStridedBatched(handle ta tb m n k alpha a lda sa b ldb sb beta c ldc sc batch);
        }
        forgiven {
            cublasDestroy_v2(handle);
        }
    }
    Nvrtc {
        calls {
            nvrtcCreateProgram(program source name headers texts names);
            nvrtcCompileProgram(program count options);
            nvrtcGetPTXSize(program size);
            nvrtcGetPTX(program text);
            nvrtcGetProgramLogSize(program size);
            nvrtcGetProgramLog(program text);
        }
        forgiven {
            nvrtcDestroyProgram(program);
        }
    }
}

/// Zero-byte allocations bypass the driver: dfdx makes some in a destructor, where an error would be a panic.
// SAFETY: nothing else in the program defines the symbol.
#[unsafe(no_mangle)]
extern "C" fn cuMemAllocAsync(at: *mut Word, bytes: Word, stream: Word) -> Status {
    if bytes == 0 {
        // SAFETY: as cudarc calls it, `at` points to where the address is wanted.
        unsafe { at.write(0) };
        return 0;
    }
    let at = at as Word;
    call!(Cuda cuMemAllocAsync(at bytes stream))
}

// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8Async(at: Word, value: Word, bytes: Word, stream: Word) -> Status {
    if bytes == 0 { 0 } else { call!(Cuda cuMemsetD8Async(at value bytes stream)) }
}

// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn cuMemFreeAsync(at: Word, stream: Word) -> Status {
    if at != 0 {
        let _ = call!(Cuda cuMemFreeAsync(at stream));
    }
    0
}

fn checked(status: Status) -> Result<(), GpuError> {
    if status == 0 { Ok(()) } else { Err(GpuError::Driver(status)) }
}

pub(super) fn init() -> Result<(), GpuError> {
    // Keep all of them in the program.
    std::hint::black_box(ALL);
    checked(cuInit(0))
}

pub(super) fn device_count() -> Result<usize, GpuError> {
    let mut count = 0_i32;
    checked(cuDeviceGetCount(&raw mut count as Word))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Ends in a zero byte.
pub(super) fn name(ordinal: usize) -> Result<[u8; 256], GpuError> {
    let (mut device, mut name) = (0_i32, [0_u8; 256]);
    checked(cuDeviceGet(&raw mut device as Word, ordinal))?;
    let device = usize::try_from(device).unwrap_or(0);
    checked(cuDeviceGetName(name.as_mut_ptr() as Word, name.len(), device))?;
    Ok(name)
}

/// Free and total bytes.
pub(super) fn memory() -> Result<(usize, usize), GpuError> {
    let (mut free, mut total) = (0_usize, 0_usize);
    checked(cuMemGetInfo_v2(&raw mut free as Word, &raw mut total as Word))?;
    Ok((free, total))
}
