//! A run directory that somebody or something has been at.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use headcount::train::run_dir::look;
use headcount::train::{RunDir, RunDirError, TrainState, decode, fingerprint};

use super::*;

/// A finished run whose newest checkpoints are of the steps 12, 16 and 18.
fn finished() -> (tempfile::TempDir, RunConfig, PathBuf) {
    let (config, run) = (small(), tempfile::tempdir().unwrap());
    let opened = RunDir::open(run.path(), &config, &dataset(&config)).unwrap();
    train(&config, opened, |_, _| {}).0.unwrap();
    let newest = run.path().join("checkpoints/step-000018.safetensors");
    assert!(newest.exists());
    (run, config, newest)
}

/// Falls back to the checkpoint before, says so, and keeps what it found.
fn falls_back(run: &Path, config: &RunConfig, what: &str) {
    let opened = RunDir::open(run, config, &dataset(config)).unwrap();
    assert_eq!(opened.state.step, 16, "{what}");
    assert!(
        opened.skipped.len() == 1 && opened.skipped[0].contains("step-000018"),
        "{what}: {:?}",
        opened.skipped
    );
}

#[test]
fn a_newest_checkpoint_that_is_cut_anywhere_is_passed_over_and_kept() {
    let (run, config, newest) = finished();
    let bytes = fs::read(&newest).unwrap();
    for part in 0..64 {
        fs::write(&newest, &bytes[..bytes.len() * part / 64]).unwrap();
        falls_back(run.path(), &config, "cut");
        assert!(!newest.exists());
    }
    let kept = fs::read_dir(newest.parent().unwrap()).unwrap().flatten();
    let kept = kept.filter(|entry| entry.file_name().to_string_lossy().contains("damaged")).count();
    assert_eq!(kept, 64, "evidence is gone");
    // And nothing of it is in the way of going on, or counts as one of the newest.
    let opened = RunDir::open(run.path(), &config, &dataset(&config)).unwrap();
    assert_eq!(train(&config, opened, |_, _| {}).0.unwrap(), Outcome::Finished);
    let values = |bytes: &[u8]| decode(bytes, &config).unwrap().0.weights.values;
    assert_eq!(values(&fs::read(&newest).unwrap()), values(&bytes));
}

#[test]
fn every_byte_of_the_header_matters_or_changes_nothing() {
    let (_run, config, newest) = finished();
    let bytes = fs::read(newest).unwrap();
    let header = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize + 8;
    let (state, _) = decode(&bytes, &config).unwrap();
    for at in 0..header {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        if let Ok((found, _)) = decode(&flipped, &config) {
            assert!(found.step == state.step && found.weights.values == state.weights.values, "byte {at}");
        }
    }
}

#[test]
fn what_is_no_checkpoint_is_passed_over() {
    let (run, config, newest) = finished();
    let older = newest.with_file_name("step-000016.safetensors");
    let bytes = fs::read(&newest).unwrap();
    let elsewhere = run.path().join("elsewhere");
    fs::write(&elsewhere, &bytes).unwrap();
    fs::remove_file(&newest).unwrap();
    fs::copy(&older, &newest).unwrap();
    falls_back(run.path(), &config, "another one's bytes");
    symlink(&elsewhere, &newest).unwrap();
    falls_back(run.path(), &config, "a link");
    fs::remove_file(&newest).unwrap();
    fs::create_dir(&newest).unwrap();
    falls_back(run.path(), &config, "a directory");
    fs::remove_dir(&newest).unwrap();
    // Opening a pipe would wait for a writer that never comes.
    assert!(Command::new("mkfifo").arg(&newest).status().unwrap().success());
    falls_back(run.path(), &config, "a pipe");
    fs::remove_file(&newest).unwrap();
    let at = bytes.windows(13).position(|window| window == b"headcount.run").unwrap();
    let renamed = [&bytes[..at], b"headcount.zzz", &bytes[at + 13..]].concat();
    fs::write(&newest, renamed).unwrap();
    falls_back(run.path(), &config, "another version's");
}

#[test]
fn other_data_is_refused_and_nothing_is_touched() {
    let (run, config, newest) = finished();
    let state = look(run.path()).unwrap().unwrap().state.unwrap();
    let data = fingerprint(&dataset(&config));
    fs::write(&newest, TrainState::encode(&state, &config, data ^ 1)).unwrap();
    let refused = RunDir::open(run.path(), &config, &dataset(&config)).map(|_| ());
    assert!(matches!(&refused, Err(RunDirError::Checkpoint(_))), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("other data") && newest.exists());
}

#[test]
fn garbage_among_the_metrics_goes_and_the_rest_stays() {
    let (run, config, _) = finished();
    let metrics = run.path().join("metrics.jsonl");
    let good = fs::read(&metrics).unwrap();
    fs::write(&metrics, [&good[..], b"\xff\xfe\0\0\n{\"step\": 3", b""].concat()).unwrap();
    drop(RunDir::open(run.path(), &config, &dataset(&config)).unwrap());
    assert_eq!(fs::read(&metrics).unwrap(), good);
    fs::remove_file(&metrics).unwrap();
    let elsewhere = run.path().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    symlink(&elsewhere, &metrics).unwrap();
    assert!(RunDir::open(run.path(), &config, &dataset(&config)).is_err());
    assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
}

#[test]
fn three_damaged_newest_do_not_push_the_good_ones_out() {
    let (run, config, _) = finished();
    let step = |step: usize| run.path().join(format!("checkpoints/step-{step:06}.safetensors"));
    // A read error, not damage: such a file cannot be set aside and stays under its name.
    for newer in [20, 24, 28] {
        fs::create_dir(step(newer)).unwrap();
    }
    let opened = RunDir::open(run.path(), &config, &dataset(&config)).unwrap();
    assert_eq!((opened.state.step, opened.skipped.len()), (18, 3));
    drop(opened);
    fs::remove_file(step(18)).unwrap();
    let opened = RunDir::open(run.path(), &config, &dataset(&config)).unwrap();
    assert_eq!(train(&config, opened, |_, _| {}).0.unwrap(), Outcome::Finished);
    assert!([12, 16, 18].iter().all(|kept| step(*kept).exists()));
}
