//! Power cuts at any operation: what was reported as saved is found again.

use std::path::Path;
use std::sync::Arc;

use headcount::train::files::Files;
use headcount::train::{Checkpoints, TrainState};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::memory::{Memory, Negligence};
use super::*;

const DATA: u32 = 7;
const SAVES: usize = 9;

fn state(config: &RunConfig, step: usize) -> TrainState {
    let mut state = TrainState { step, ..TrainState::initial(config) };
    state.weights.values[0] = step as f32;
    // The second is the best and must outlive the newest three.
    state.validation_loss = Some(if step == 2 { 0.5 } else { 1.0 + step as f64 });
    state
}

/// Saves until the power is cut; the last step that was reported as saved.
fn save_until_the_cut(disk: &Memory, config: &RunConfig) -> Option<usize> {
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    let (mut checkpoints, _) = Checkpoints::open(files, Path::new("run"), config, DATA).ok()?;
    (1..=SAVES).take_while(|step| checkpoints.save(&state(config, *step)).is_ok()).last()
}

/// Cuts the power once and looks at what is left; an error says what was lost.
fn cut(seed: u64, operations: usize, negligence: Negligence, config: &RunConfig) -> Result<(), String> {
    let mut random = StdRng::seed_from_u64(seed);
    let disk = Memory::new(Some(random.gen_range(0..=operations)), negligence);
    let saved = save_until_the_cut(&disk, config);
    let found: Arc<dyn Files> = Arc::new(disk.after_the_cut(&mut random));
    let opened = Checkpoints::open(Arc::clone(&found), Path::new("run"), config, DATA);
    let (mut checkpoints, scan) = opened.map_err(|error| error.to_string())?;
    let newest = scan.newest.as_ref().map(|state| state.step);
    if newest < saved {
        return Err(format!("seed {seed}: step {saved:?} was saved, step {newest:?} was found"));
    }
    if saved > Some(2) && !scan.losses.contains_key(&2) {
        return Err(format!("seed {seed}: the best is gone"));
    }
    let right = |found: &TrainState| found.weights.values == state(config, found.step).weights.values;
    if !scan.newest.iter().all(right) {
        return Err(format!("seed {seed}: a state is not the one of its step"));
    }
    let names = found.list(Path::new("run")).map_err(|error| error.to_string())?;
    if names.iter().any(|name| name.to_string_lossy().ends_with(".tmp")) {
        return Err(format!("seed {seed}: leftovers {names:?}"));
    }
    checkpoints.save(&state(config, SAVES + 1)).map_err(|error| format!("seed {seed}: {error}"))
}

#[test]
fn what_was_saved_survives_every_power_cut() {
    let config = small();
    let whole = Memory::default();
    assert_eq!(save_until_the_cut(&whole, &config), Some(SAVES));
    let (operations, seeds) = (whole.operations(), times(150, 2000) as u64);
    for seed in 0..seeds {
        cut(seed, operations, Negligence::None, &config).unwrap();
    }
    println!("{seeds} power cuts within {operations} operations: nothing lost");
}

#[test]
fn without_either_sync_the_model_finds_a_loss() {
    let config = small();
    let operations = 200;
    for negligence in [Negligence::Files, Negligence::Names] {
        let lost = (0..100).filter(|seed| cut(*seed, operations, negligence, &config).is_err()).count();
        assert!(lost > 0, "{negligence:?} went unnoticed");
    }
}
