//! The screen while an emulated GPU trains: which one it is, how full it is, and what is said when it fails.

use std::fs;

use super::bars::PATIENCE;
use super::pty::{Pty, session_leader};
use super::training::SMALL;
use super::{cuda, emulator, is_emulated, program};

/// The explorer at 120x40 on an emulated GPU that should be like that.
fn explorer(device: &str, emulated: &str) -> Option<Pty> {
    if !is_emulated() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.toml"), SMALL.replace("epochs = 6", "epochs = 100000")).unwrap();
    let mut command = session_leader(program().as_ref());
    command.args(["explore", "--run", "run", "--config", "settings.toml", "--device", device]);
    command.env(cuda::LIBRARIES_VARIABLE, emulator::folder().unwrap()).env("EMULATED_GPU", emulated);
    command.current_dir(folder.path());
    let mut pty = Pty::spawn(&mut command, folder).unwrap();
    pty.wait_until("the screen is up", |pty| pty.modes().is_alternate());
    pty.resize(120, 40);
    Some(pty)
}

#[test]
fn the_status_line_names_the_gpu_and_its_memory() {
    let Some(mut pty) = explorer("auto", "memory=4294967296") else { return };
    pty.wait_for("cuda:0 Emulated GPU 0.0/4 GiB");
    pty.type_keys("\x03");
    pty.ends(0, PATIENCE);
}

#[test]
fn a_gpu_that_fails_is_said_on_the_screen_and_after_it() {
    let Some(mut pty) = explorer("cuda", "fail=700,at=4000") else { return };
    pty.wait_for("TRAINING FAILED");
    pty.wait_for("the device failed: a kernel went astray (CUDA_ERROR_ILLEGAL_ADDRESS)");
    pty.type_keys("q");
    let said = String::from_utf8(pty.ends(1, PATIENCE)).unwrap();
    let (_, last_words) = said.rsplit_once("\x1b[?1049l").unwrap();
    assert!(last_words.contains("a kernel went astray"), "{last_words}");
}

#[test]
fn a_gpu_without_room_is_said_on_the_screen() {
    let Some(mut pty) = explorer("cuda", "memory=30000") else { return };
    pty.wait_for("the GPU is out of memory (CUDA_ERROR_OUT_OF_MEMORY)");
    pty.type_keys("q");
    pty.ends(1, PATIENCE);
}

#[test]
fn what_keeps_auto_from_the_gpu_is_said_on_the_screen() {
    let Some(mut pty) = explorer("auto", "gpus=0") else { return };
    pty.wait_for("training on the CPU: there is no cuda:0: this machine has no GPU");
    pty.wait_for("cpu");
    pty.type_keys("\x03");
    pty.ends(0, PATIENCE);
}
