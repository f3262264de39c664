//! Builds the emulated GPU: `emulator/gpu.cpp` and the sources of dfdx's kernels, by the host's C++ compiler.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::sync::OnceLock;
use std::{env, fs};

use rayon::prelude::*;
use serde_json::Value;

/// The kernels that the model's operations launch.
const KERNELS: [&str; 25] = [
    "accurate_gelu/accurate_gelu",
    "adam/adam",
    "add/binary_add",
    "add/scalar_add",
    "div/binary_div",
    "div/scalar_div",
    "exp/exp",
    "fast_gelu/fast_gelu",
    "ln/ln",
    "max_to/max_to",
    "maximum/maximum",
    "minimum/minimum",
    "mul/binary_mul",
    "mul/scalar_mul",
    "relu/relu",
    "select_and_gather/gather",
    "sigmoid/sigmoid",
    "sgd/sgd",
    "slice/slice",
    "sqrt/sqrt",
    "square/square",
    "sub/binary_sub",
    "sub/scalar_sub",
    "sum_to/sum_to",
    "negate/negate",
];

/// The folder of its libraries, built once; an error says what is missing on this machine.
pub fn folder() -> Result<&'static Path, &'static str> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref().map_err(String::as_str)
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda/emulator")
}

fn build() -> Result<PathBuf, String> {
    let operations = dfdx()?.join("src/tensor_ops");
    let mut hasher = DefaultHasher::new();
    (&operations, KERNELS).hash(&mut hasher);
    for file in ["device.h", "cuda_fp16.h", "gpu.cpp"] {
        fs::read(sources().join(file)).map_err(|error| format!("{file}: {error}"))?.hash(&mut hasher);
    }
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("emulated-gpu-{:016x}", hasher.finish()));
    if to.exists() {
        return Ok(to);
    }
    let work = to.with_extension(id().to_string());
    fs::create_dir_all(&work).map_err(|error| error.to_string())?;
    let objects: Vec<PathBuf> =
        KERNELS.par_iter().map(|kernel| compile(kernel, &operations, &work)).collect::<Result<_, _>>()?;
    let library = work.join("libcuda.so.1");
    let main = sources().join("gpu.cpp");
    compiler(&operations).arg("-shared").arg(main).args(&objects).arg("-o").arg(&library).done()?;
    fs::copy(&library, work.join("libcublas.so.13")).map_err(|error| error.to_string())?;
    // Another test's process may have been first.
    let _ = fs::rename(&work, &to);
    Ok(to)
}

/// The platform that the compiler runs on, `x86_64-unknown-linux-gnu` say.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).map(ToOwned::to_owned);
    host.ok_or_else(|| "rustc does not say which platform it runs on".into())
}

/// Where the sources of dfdx lie.
fn dfdx() -> Result<PathBuf, String> {
    let metadata = Command::new(env!("CARGO"))
        // Packages of other platforms have perhaps never been downloaded.
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &host()?])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .map_err(|error| error.to_string())?;
    let metadata: Value = serde_json::from_slice(&metadata.stdout).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("cargo names no packages")?;
    let dfdx = packages.iter().find(|package| package["name"] == "dfdx").ok_or("cargo names no dfdx")?;
    let manifest = dfdx["manifest_path"].as_str().map(Path::new).and_then(Path::parent);
    manifest.map(Path::to_owned).ok_or_else(|| "cargo does not say where dfdx lies".into())
}

/// Compiles the kernels of one source, with a line for each that enters it into the emulator's table.
fn compile(kernel: &str, operations: &Path, work: &Path) -> Result<PathBuf, String> {
    let name = Path::new(kernel).file_name().unwrap_or_default();
    let source = work.join(name).with_extension("cpp");
    let included = format!(
        "#include \"device.h\"\n#include \"{}\"\n",
        operations.join(kernel).with_extension("cu").display()
    );
    let write = |text: &str| fs::write(&source, text).map_err(|error| error.to_string());
    write(&included)?;
    let expanded = compiler(operations).arg("-E").arg(&source).done()?;
    let mut entries: Vec<&str> = expanded
        .split("extern \"C\" __attribute__((weak)) void ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next())
        .filter(|name| !name.contains("f16"))
        .collect();
    entries.sort_unstable();
    entries.dedup();
    let entries = entries.iter().fold(included, |text, name| text + "KERNEL(" + name + ")\n");
    write(&entries)?;
    let object = source.with_extension("o");
    compiler(operations).arg("-c").arg(&source).arg("-o").arg(&object).done()?;
    Ok(object)
}

fn compiler(operations: &Path) -> Command {
    let mut command = Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    command.args(["-std=c++17", "-O2", "-fPIC", "-w", "-I"]).arg(sources());
    command.arg("-I").arg(operations.join("utilities"));
    command
}

trait Done {
    fn done(&mut self) -> Result<String, String>;
}

impl Done for Command {
    /// What it printed, or why it failed.
    fn done(&mut self) -> Result<String, String> {
        let output = self.output().map_err(|error| format!("{}: {error}", self.get_program().display()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
