//! Killed without warning, again and again, half of the times while it saves.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use headcount::train::run_dir::look;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const EVERY: usize = 20;

fn is_saving(run: &Path) -> bool {
    let names = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    names.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"))
}

/// Waits for the moment, then kills; `false` when the run was over before.
fn kill(child: &mut Child, run: &Path, random: &mut StdRng) -> bool {
    let earliest = Instant::now() + Duration::from_millis(random.gen_range(0..150));
    let in_a_save = random.gen_bool(0.5);
    while Instant::now() < earliest || in_a_save && !is_saving(run) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if !in_a_save {
            thread::sleep(Duration::from_millis(1));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let (folder, kills) = (tempfile::tempdir().unwrap(), times(8, 200));
    settings(folder.path(), kills * 60, EVERY);
    let run: PathBuf = folder.path().join("run");
    assert!(trainer(folder.path()).status().unwrap().success());
    fs::rename(&run, folder.path().join("whole")).unwrap();
    let mut random = StdRng::seed_from_u64(14);
    let (mut done, mut lost) = (0, 0);
    let deadline = Instant::now() + PATIENCE * kills as u32;
    for _ in 0..kills {
        assert!(Instant::now() < deadline);
        let mut child = trainer(folder.path()).arg("--resume").stderr(Stdio::inherit()).spawn().unwrap();
        if !kill(&mut child, &run, &mut random) {
            break;
        }
        done += 1;
        if let Some(found) = look(&run).unwrap() {
            assert!(found.skipped.is_empty(), "{:?}", found.skipped);
            let step = last_step(&run);
            lost = lost.max(step.saturating_sub(found.step()));
        }
    }
    assert!(lost <= EVERY, "{lost} steps were lost");
    assert!(trainer(folder.path()).arg("--resume").status().unwrap().success());
    assert!(!is_saving(&run), "leftovers");
    assert_equal_runs(&folder.path().join("whole"), &run);
    println!("{done} kills, at most {lost} steps lost");
    assert!(done >= kills / 2, "only {done} of {kills} kills came in time");
}
