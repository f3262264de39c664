//! What a driver may refuse, and what a step costs, rehearsed on the emulated GPU.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use headcount::model::{Layout, ModelConfig};

use super::training::{SMALL, losses, train};
use super::{headcount, is_emulated};

fn run(at: &Path, device: &str, emulated: &str) -> Output {
    let config = at.with_extension("toml");
    fs::write(&config, SMALL).unwrap();
    let mut command = headcount();
    command.args(["train", "--device", device, "--run"]).arg(at).arg("--config").arg(config);
    command.env("EMULATED_GPU", emulated).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What the driver refuses before the first step, and what is said of it.
const REFUSALS: [(&str, &str); 8] = [
    ("gpus=0", "there is no cuda:0: this machine has no GPU"),
    ("init=100", "the driver sees no GPU (CUDA_ERROR_NO_DEVICE)"),
    ("init=803", "the driver and its kernel module are of different versions"),
    ("init=915", "the driver failed for a reason of its own (CUDA_ERROR_UNKNOWN)"),
    ("module=222", "the driver is older than the toolkit the program was built with"),
    ("module=209", "the program was built for a newer kind of GPU"),
    ("memory=4", "the GPU is out of memory (CUDA_ERROR_OUT_OF_MEMORY)"),
    ("memory=100000", "the GPU is out of memory (CUDA_ERROR_OUT_OF_MEMORY)"),
];

#[test]
fn a_gpu_that_was_asked_for_and_cannot_be_had_is_an_error() {
    if !is_emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (emulated, expected) in REFUSALS {
        let output = run(&dir.path().join(emulated), "cuda", emulated);
        assert_eq!(output.status.code(), Some(1), "{emulated}: {}", said(&output));
        assert!(said(&output).contains(expected), "{emulated}: {}", said(&output));
    }
    let output = run(&dir.path().join("7"), "cuda:7", "gpus=2");
    assert!(
        said(&output).contains("there is no cuda:7: this machine has cuda:0 to cuda:1"),
        "{}",
        said(&output)
    );
}

#[test]
fn auto_says_why_it_trains_on_the_cpu_and_does() {
    if !is_emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    train(&plain, "cpu", None);
    for (emulated, expected) in REFUSALS {
        let at = dir.path().join(emulated);
        let output = run(&at, "auto", emulated);
        assert!(output.status.success(), "{emulated}: {}", said(&output));
        assert!(said(&output).contains("training on the CPU: "), "{emulated}: {}", said(&output));
        assert!(said(&output).contains(expected), "{emulated}: {}", said(&output));
        assert_eq!(losses(&at), losses(&plain));
    }
}

#[test]
fn a_kernel_that_fails_ends_the_run_with_a_message_and_what_was_saved() {
    if !is_emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (failed, whole) = (dir.path().join("failed"), dir.path().join("whole"));
    for launch in [100, 1500, 5000] {
        let output = run(&failed, "cuda", &format!("fail=700,at={launch}"));
        assert_eq!(output.status.code(), Some(1), "{launch}: {}", said(&output));
        let message = "a kernel went astray (CUDA_ERROR_ILLEGAL_ADDRESS)";
        assert!(said(&output).contains(message) && !said(&output).contains("panic"), "{}", said(&output));
        if launch < 5000 {
            fs::remove_dir_all(&failed).unwrap();
        }
    }
    train(&failed, "cuda", None);
    train(&whole, "cuda", None);
    assert_eq!(losses(&failed), losses(&whole));
}

#[test]
fn a_batch_that_does_not_fit_is_taken_in_parts() {
    if !is_emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (tight, roomy) = (dir.path().join("tight"), dir.path().join("roomy"));
    let output = run(&tight, "cuda", "memory=900000");
    assert!(output.status.success(), "{}", said(&output));
    train(&roomy, "cuda", None);
    let (tight, roomy) = (losses(&tight), losses(&roomy));
    assert!(tight.iter().zip(&roomy).all(|(a, b)| (a - b).abs() < 1e-4), "{tight:?} {roomy:?}");
    assert_ne!(tight, roomy, "sums in another order");
}

#[test]
fn a_step_launches_few_kernels_and_moves_little() {
    if !is_emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // Calls and amounts of two runs, whose difference is the steps between.
    let counts = |steps: &str| -> HashMap<String, [i64; 2]> {
        let (at, profile) = (dir.path().join(steps), dir.path().join("profile"));
        let mut command = headcount();
        command.args(["train", "--quiet", "--device", "cuda", "--steps", steps, "--run"]).arg(at);
        command.arg("--config").arg(dir.path().join("notebook.toml"));
        command.env("EMULATED_GPU", format!("profile={}", profile.display()));
        assert!(command.status().unwrap().success());
        let text = fs::read_to_string(&profile).unwrap();
        text.lines()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                (words[0].to_owned(), [words[1], words[2]].map(|number| number.parse().unwrap()))
            })
            .collect()
    };
    // The notebook's model on short sequences: as many kernels, less to do.
    let config = "[model]\nn_ctx = 8\n[task]\nsequences = 100\n[train]\nbatch_size = 8\n";
    fs::write(dir.path().join("notebook.toml"), config).unwrap();
    let (before, after) = (counts("2"), counts("4"));
    let a_step = |what: &str, which: usize| {
        (after.get(what).map_or(0, |a| a[which]) - before.get(what).map_or(0, |b| b[which])) / 2
    };
    let moves = ["alloc", "dtod", "dtoh", "htod", "memset", "synchronize"];
    let kernels = after.keys().filter(|what| !moves.iter().any(|kind| what.starts_with(kind)));
    let kernels: i64 = kernels.map(|what| a_step(what, 0)).sum();
    assert!(kernels <= 420, "{kernels} kernels");
    assert_eq!(a_step("dtoh4", 0), 1, "the loss comes back once");
    let parameters = Layout::new(&ModelConfig { n_ctx: 8, ..ModelConfig::default() }).len;
    let known = ["dtoh4".to_owned(), format!("dtoh{}", 4 * parameters)];
    let others: Vec<_> =
        after.keys().filter(|what| what.starts_with("dtoh") && !known.contains(what)).collect();
    assert!(others.is_empty(), "besides it only snapshots of the parameters: {others:?}");
    assert!(
        a_step("htod", 1) < 20_000,
        "{} bytes: sizes and strides, and which sequences",
        a_step("htod", 1)
    );
}
