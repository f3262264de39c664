//! Training: PyTorch's trajectory, the same bits whatever goes on beside it, and runs that go on where they stopped.

mod reference;
#[path = "common/runs.rs"]
mod runs;

use std::path::Path;

use dfdx::prelude::Cpu;
use headcount::analysis::evaluate;
use headcount::model::{LossDtype, Patch};
use headcount::task::{Example, Source, Split, TaskConfig};
use headcount::train::run_dir::look;
use headcount::train::{
    OptimizerKind, Outcome, RunConfig, RunDir, ScheduleKind, Settings, TrainCommand, TrainConfig, TrainError,
    TrainEvent, TrainState,
};
use reference::trajectory::follows_pytorch;
use runs::{Start, dataset, kept, small, train};

/// CRC-32 of the bits of eighteen losses, and of the weights after them in the order of their names.
const LOSSES: u32 = 0xc4db_299a;
const WEIGHTS: u32 = 0x5fd9_3525;

#[test]
fn forty_steps_follow_pytorch() {
    follows_pytorch(Cpu::default(), 1e-3);
}

/// A run directory, and where to go on from.
fn open(path: &Path, config: &RunConfig) -> Start {
    kept(RunDir::open(path, config, &dataset(config)).unwrap())
}

fn from_scratch(config: &RunConfig) -> Start {
    (None, TrainState::initial(config))
}

/// `small()`'s losses and weights, as recorded: they change only where sums run in another order.
#[test]
fn the_default_recipe_gives_the_bits_that_it_always_gave() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    let losses = train(&config, open(dir.path(), &config), None, |_, _| {}).1;
    let crc = |values: &mut dyn Iterator<Item = u32>| {
        let bytes: Vec<u8> = values.flat_map(u32::to_le_bytes).collect();
        crc32fast::hash(&bytes)
    };
    assert_eq!(crc(&mut losses.iter().copied()), LOSSES);
    let state = look(dir.path()).unwrap().unwrap().state.unwrap();
    let mut tensors: Vec<_> = state.weights.layout.tensors().iter().collect();
    tensors.sort_by_key(|tensor| &tensor.name);
    let mut values = tensors.into_iter().flat_map(|tensor| state.weights.gather(tensor)).map(f32::to_bits);
    assert_eq!(crc(&mut values), WEIGHTS);
}

fn with(change: impl FnOnce(&mut TrainConfig)) -> RunConfig {
    let mut config = small();
    change(&mut config.train);
    config.validate().unwrap();
    config
}

#[test]
fn frozen_parameters_keep_their_bits_whatever_the_optimizer() {
    for optimizer in [OptimizerKind::AdamW, OptimizerKind::Adam, OptimizerKind::Sgd] {
        let config = with(|train| {
            train.optimizer = optimizer;
            train.weight_decay = 1.0;
            train.frozen = ["blocks.*.attn.W_*", "unembed.b_U"].map(String::from).to_vec();
        });
        let dir = tempfile::tempdir().unwrap();
        train(&config, open(dir.path(), &config), None, |_, _| {}).0.unwrap();
        let end = look(dir.path()).unwrap().unwrap().state.unwrap();
        let start = TrainState::initial(&config);
        for tensor in start.weights.layout.tensors() {
            let frozen = tensor.name.contains("attn.W_") || tensor.name == "unembed.b_U";
            let moved = start.weights.gather(tensor) != end.weights.gather(tensor);
            assert_eq!(moved, !frozen, "{optimizer:?} {}", tensor.name);
            let still = tensor.positions().all(|at| end.moments.first[at].to_bits() == 0);
            assert_eq!(still, frozen, "{optimizer:?} {}: its moment", tensor.name);
        }
    }
}

#[test]
fn every_recipe_is_resumed_bit_for_bit() {
    let frozen = vec!["*.b_*".to_owned()];
    for config in [
        with(|train| (train.optimizer, train.frozen) = (OptimizerKind::Adam, frozen)),
        with(|train| (train.optimizer, train.momentum) = (OptimizerKind::Sgd, 0.9)),
        with(|train| (train.schedule, train.warmup_steps, train.clip_norm) = (ScheduleKind::Linear, 3, 0.5)),
        with(|train| (train.batch_size, train.steps, train.loss_dtype) = (0, 18, LossDtype::F64)),
    ] {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let uninterrupted = train(&config, open(whole.path(), &config), None, |_, _| {}).1;
        let mut losses = train(&config, open(parts.path(), &config), Some(7), |_, _| {}).1;
        losses.extend(train(&config, open(parts.path(), &config), None, |_, _| {}).1);
        assert_eq!(uninterrupted, losses);
        assert!(f32::from_bits(losses[17]) < f32::from_bits(losses[0]), "{:?} learns", config.train);
        let state = |dir: &Path| look(dir).unwrap().unwrap().state.unwrap();
        assert_eq!(state(whole.path()).weights.values, state(parts.path()).weights.values);
        assert_eq!(state(whole.path()).moments, state(parts.path()).moments);
    }
}

#[test]
fn a_clipped_gradient_has_the_recipes_norm_and_its_own_direction() {
    let descent = |clip_norm: f64| {
        let config = with(|train| {
            (train.optimizer, train.schedule) = (OptimizerKind::Sgd, ScheduleKind::Constant);
            (train.max_lr, train.weight_decay, train.steps, train.clip_norm) = (1.0, 0.0, 1, clip_norm);
        });
        let dir = tempfile::tempdir().unwrap();
        train(&config, open(dir.path(), &config), None, |_, _| {}).0.unwrap();
        let (before, after) =
            (TrainState::initial(&config), look(dir.path()).unwrap().unwrap().state.unwrap());
        let steps = before.weights.values.iter().zip(&after.weights.values);
        steps.map(|(before, after)| f64::from(before - after)).collect::<Vec<_>>()
    };
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norm = |a: &[f64]| product(a, a).sqrt();
    let gradient = descent(0.0);
    let whole = norm(&gradient);
    let clipped = descent(whole / 4.0);
    assert!((4.0 * norm(&clipped) / whole - 1.0).abs() < 1e-4, "{} of {whole}", norm(&clipped));
    let cosine = product(&gradient, &clipped) / whole / norm(&clipped);
    assert!(cosine > 1.0 - 1e-6, "{cosine}");
    assert_eq!(descent(2.0 * whole), gradient, "a shorter one stays");
}

#[test]
fn the_best_weights_are_kept_where_the_recipe_says_so() {
    // So high a rate that the loss rises again.
    let recipe = |keep_best| {
        with(|train| {
            (train.schedule, train.max_lr, train.keep_best) = (ScheduleKind::Constant, 1.0, keep_best);
            (train.validate_every, train.checkpoint_every) = (1, 7);
        })
    };
    let run = |config: &RunConfig, stops: &[Option<usize>]| {
        let dir = tempfile::tempdir().unwrap();
        let mut losses = Vec::new();
        for stop in stops {
            train(config, open(dir.path(), config), *stop, |event, _| {
                if let TrainEvent::Epoch(metrics) = event {
                    losses.push((metrics.validation.loss, metrics.step));
                }
            })
            .0
            .unwrap();
        }
        let best = losses.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1;
        let found = look(dir.path()).unwrap().unwrap().nearest(None).unwrap();
        let file = std::fs::read(dir.path().join("weights.safetensors")).unwrap();
        (best, found, file)
    };
    let (best, (step, weights), file) = run(&recipe(true), &[None]);
    assert_eq!(best, step);
    assert!(best < 18, "the last is not the best");
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let bytes: Vec<u8> = weights.get("embed.W_E").unwrap().into_iter().flat_map(f32::to_le_bytes).collect();
    assert_eq!(tensors.tensor("embed.W_E").unwrap().data(), bytes);
    assert!(file == run(&recipe(true), &[Some(best), Some(best + 1), None]).2, "stopped on the way");
    let (_, (step, _), newest) = run(&recipe(false), &[None]);
    assert!(step == 18 && newest != file, "the newest by default");
}

#[test]
fn a_run_stops_at_the_accuracy_of_its_recipe() {
    let config = with(|train| (train.stop_accuracy, train.validate_every) = (0.01, 4));
    let dir = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let (outcome, losses) = train(&config, open(dir.path(), &config), None, |event, _| {
        if let TrainEvent::Notice(text) = event {
            told.push(text.clone());
        }
    });
    assert_eq!((outcome.unwrap(), losses.len(), told.len()), (Outcome::Stopped, 4, 1));
    assert!(told[0].ends_with("has reached train.stop_accuracy = 0.01"), "{told:?}");
    assert_eq!(look(dir.path()).unwrap().unwrap().step(), 4);
    let never = with(|train| (train.stop_accuracy, train.validate_every) = (1.0, 4));
    assert_eq!(train(&never, from_scratch(&never), None, |_, _| {}).1.len(), 18);
}

#[test]
fn validations_come_when_they_are_asked_for_and_at_the_end() {
    let steps = |config: &RunConfig| {
        let mut validated = Vec::new();
        train(config, from_scratch(config), None, |event, _| {
            if let TrainEvent::Epoch(metrics) = event {
                validated.push((metrics.step, metrics.epoch));
            }
        })
        .0
        .unwrap();
        validated
    };
    let by_epoch: Vec<_> = (1..=6).map(|epoch| (3 * epoch, epoch)).collect();
    assert_eq!(steps(&small()), by_epoch);
    assert_eq!(steps(&with(|train| train.validate_every = 7)), [(7, 3), (14, 5), (18, 6)]);
    let full = with(|train| (train.batch_size, train.steps) = (0, 150));
    assert_eq!(steps(&full), [(100, 100), (150, 150)]);
}

#[test]
fn a_run_made_longer_goes_on_bit_for_bit_and_says_how() {
    let (short, wanted) = (small(), with(|train| train.epochs = 9));
    let longer = short.extended_to(&wanted, None).unwrap();
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut all = Vec::new();
    for (dir, stop) in dirs.iter().zip([None, Some(11)]) {
        // The second is made longer before it has ended.
        let mut losses = train(&short, open(dir.path(), &short), stop, |_, _| {}).1;
        losses.extend(train(&longer, open(dir.path(), &longer), None, |_, _| {}).1);
        all.push(losses);
    }
    assert_eq!((all[0].len(), &all[0]), (27, &all[1]));
    let text = std::fs::read_to_string(dirs[0].path().join("config.toml")).unwrap();
    assert!(text.contains("[[train.extended]]\nfrom_step = 18\nschedule = \"decay\"\n"), "{text}");
    assert!(look(dirs[0].path()).unwrap().unwrap().is_finished());
    assert!(RunDir::open(dirs[0].path(), &short, &dataset(&short)).is_err(), "it has become another");
}

#[test]
fn a_run_made_longer_while_it_trains_is_the_one_that_was_stopped_and_resumed_with_that_length() {
    let (short, longer) = (small(), small().extended_by_half().unwrap());
    let longest = longer.extended_by_half().unwrap();
    assert_eq!([&short, &longer, &longest].map(RunConfig::total_steps), [18, 27, 36]);
    let [live, resumed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut told = Vec::new();
    let (outcome, losses) = train(&short, open(live.path(), &short), None, |event, commands| match event {
        TrainEvent::Step(metrics) if [7, 20].contains(&metrics.step) => {
            // A run that waits is made longer too.
            let say = [TrainCommand::Pause, TrainCommand::Extend, TrainCommand::Resume];
            say.iter().for_each(|command| commands.send(*command).unwrap());
        }
        TrainEvent::Extended { total_steps, by } => told.push((*total_steps, by.from_step)),
        _ => {}
    });
    assert_eq!((outcome.unwrap(), told), (Outcome::Finished, vec![(27, 18), (36, 27)]));
    let mut parts = train(&short, open(resumed.path(), &short), Some(7), |_, _| {}).1;
    parts.extend(train(&longer, open(resumed.path(), &longer), Some(20), |_, _| {}).1);
    parts.extend(train(&longest, open(resumed.path(), &longest), None, |_, _| {}).1);
    assert_eq!(losses, parts);
    assert_eq!(
        losses[..18],
        train(&short, from_scratch(&short), None, |_, _| {}).1,
        "no step before changes"
    );
    let read = |dir: &Path, file: &str| std::fs::read(dir.join(file)).unwrap();
    let newest = "checkpoints/step-000036.safetensors";
    for file in ["metrics.jsonl", "config.toml", "weights.safetensors", newest] {
        assert!(read(live.path(), file) == read(resumed.path(), file), "{file}");
    }
    let found = look(live.path()).unwrap().unwrap();
    assert!(found.is_finished() && found.skipped.is_empty(), "{:?}", found.skipped);
}

#[test]
fn a_run_made_longer_and_killed_is_resumed_as_the_longer_one() {
    let (short, longer) = (small(), small().extended_by_half().unwrap());
    let dir = tempfile::tempdir().unwrap();
    train(&short, open(dir.path(), &short), None, |event, commands| {
        if let TrainEvent::Step(metrics) = event {
            let command = match metrics.step {
                6 => TrainCommand::Extend,
                7 => TrainCommand::Stop,
                _ => return,
            };
            commands.send(command).unwrap();
        }
    })
    .0
    .unwrap();
    // As a kill between the settings and the next checkpoint leaves it.
    std::fs::remove_file(dir.path().join("checkpoints/step-000007.safetensors")).unwrap();
    let (run_dir, state) = open(dir.path(), &longer);
    assert_eq!(state.step, 4);
    let losses = train(&longer, (run_dir, state), None, |_, _| {}).1;
    assert_eq!(losses, train(&longer, from_scratch(&longer), None, |_, _| {}).1[4..]);
}

#[test]
fn the_same_seed_gives_the_same_bits_with_one_and_with_two_threads() {
    let config = small();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(&config, from_scratch(&config), None, |_, _| {}).1)
    };
    let one = with(1);
    assert_eq!(one.len(), config.total_steps());
    assert_eq!(one, with(2));
    let other = RunConfig { seed: 6, ..config };
    assert_ne!(one, train(&other, from_scratch(&other), None, |_, _| {}).1);
}

/// Five steps on all of a third of the pairs, validated on the rest.
fn modular_addition() -> RunConfig {
    let mut settings = Settings::default();
    for set in [
        "task.name=modular-addition",
        "task.p=7",
        "model.d_model=16",
        "model.d_head=4",
        "model.d_mlp=24",
        "train.steps=5",
        "train.validate_every=1",
    ] {
        settings.set(set).unwrap();
    }
    settings.run().unwrap()
}

#[test]
fn a_task_with_one_target_a_sequence_trains_and_gives_the_same_bits_again() {
    let config = modular_addition();
    let data = dataset(&config);
    let scored: usize = data.examples(Split::Validation).iter().map(Example::scored).sum();
    assert_eq!((data.len(Split::Train), scored), (14, 35));
    let mut validation = Vec::new();
    let dir = tempfile::tempdir().unwrap();
    let mut train_accuracy = f64::NAN;
    let (outcome, losses) = train(&config, open(dir.path(), &config), None, |event, _| {
        if let TrainEvent::Epoch(metrics) = event {
            validation.push(metrics.validation.clone());
            train_accuracy = metrics.train_accuracy;
        }
    });
    assert_eq!((outcome.unwrap(), losses.len()), (Outcome::Finished, 5));
    let end = look(dir.path()).unwrap().unwrap().state.unwrap().weights;
    let over_all = evaluate(&end, &Patch::default(), &data.examples(Split::Train));
    assert_eq!(train_accuracy.to_bits(), over_all.accuracy.to_bits());
    let lines = std::fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["train_accuracy"].as_f64(), Some(train_accuracy));
    assert_eq!(losses, train(&config, from_scratch(&config), None, |_, _| {}).1);
    let loss = |bits: u32| f32::from_bits(bits);
    assert!(loss(losses[4]) < loss(losses[0]), "{} {}", loss(losses[0]), loss(losses[4]));
    let last = validation.last().unwrap();
    assert_eq!(last.accuracy_by_position, [None, None, Some(last.accuracy)]);
    assert_eq!((last.accuracy_last.to_bits(), last.accuracy_by_class.len()), (last.accuracy.to_bits(), 7));
}

#[test]
fn a_fresh_source_goes_on_with_the_epoch_that_it_stopped_in() {
    let task = TaskConfig { source: Source::Fresh, ..small().task };
    let config = RunConfig { task, ..small() };
    let whole = train(&config, from_scratch(&config), None, |_, _| {}).1;
    assert_ne!(whole, train(&small(), from_scratch(&small()), None, |_, _| {}).1);
    let dir = tempfile::tempdir().unwrap();
    let first = train(&config, open(dir.path(), &config), Some(10), |_, _| {}).1;
    let rest = train(&config, open(dir.path(), &config), None, |_, _| {}).1;
    assert_eq!([first, rest].concat(), whole);
}

#[test]
fn pausing_stepping_and_going_on_change_no_bit() {
    let config = small();
    let plain = train(&config, from_scratch(&config), None, |_, _| {}).1;
    let paused = train(&config, from_scratch(&config), None, |event, commands| {
        if let TrainEvent::Step(metrics) = event {
            let told: &[TrainCommand] = match metrics.step {
                3 => &[TrainCommand::Pause, TrainCommand::Step],
                4 => &[TrainCommand::Step],
                5 => &[TrainCommand::Save, TrainCommand::Resume],
                _ => &[],
            };
            told.iter().for_each(|command| commands.send(*command).unwrap());
        }
    });
    assert_eq!(paused.0.unwrap(), Outcome::Finished);
    assert_eq!(plain, paused.1);
}

#[test]
fn a_run_that_was_stopped_again_and_again_ends_as_one_that_was_not() {
    let config = small();
    let whole = tempfile::tempdir().unwrap();
    let parts = tempfile::tempdir().unwrap();
    let open = |path: &Path| open(path, &config);
    let uninterrupted = train(&config, open(whole.path()), None, |_, _| {}).1;
    let mut losses = Vec::new();
    // Three stops in one epoch, one at its edge, and one that loses the steps since the last checkpoint.
    for stop in [1, 2, 3, 6, 10] {
        losses.extend(train(&config, open(parts.path()), Some(stop), |_, _| {}).1);
    }
    losses.extend(train(&config, open(parts.path()), None, |_, _| {}).1);
    assert_eq!(uninterrupted, losses);
    let read = |dir: &Path, file: &str| std::fs::read(dir.join(file)).unwrap();
    for file in ["metrics.jsonl", "config.toml"] {
        assert_eq!(read(whole.path(), file), read(parts.path(), file), "{file}");
    }
    let state = |dir: &Path| look(dir).unwrap().unwrap().state.unwrap();
    assert_eq!(state(whole.path()).weights.values, state(parts.path()).weights.values);
    assert_eq!(state(whole.path()).moments, state(parts.path()).moments);
}

#[test]
fn a_run_ends_with_its_own_weights_exported_or_with_an_error_and_the_next_resume_writes_them() {
    let config = small();
    let (whole, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = dir.path().join("weights.safetensors");
    let go_on = |stop| train(&config, open(dir.path(), &config), stop, |_, _| {}).0;
    let is_whole = |file: &Path| {
        std::fs::read(file).unwrap() == std::fs::read(whole.path().join("weights.safetensors")).unwrap()
    };
    train(&config, open(whole.path(), &config), None, |_, _| {}).0.unwrap();
    go_on(Some(5)).unwrap();
    let stale = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    for _ in 0..2 {
        let error = go_on(None).unwrap_err();
        assert!(matches!(error, TrainError::NotExported { step: 18, .. }), "{error}");
        let line = error.to_string();
        assert!(line.contains("step 18 is saved") && line.contains("weights.safetensors"), "{line}");
        assert!(look(dir.path()).unwrap().unwrap().is_finished());
    }
    std::fs::remove_dir(&file).unwrap();
    assert_eq!(go_on(None).unwrap(), Outcome::Finished);
    assert!(is_whole(&file));
    std::fs::write(&file, stale).unwrap();
    assert_eq!(go_on(None).unwrap(), Outcome::Finished);
    assert!(is_whole(&file));
}

#[test]
fn weights_of_another_step_are_replaced_as_soon_as_the_run_goes_on() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("weights.safetensors");
    train(&config, open(dir.path(), &config), Some(5), |_, _| {}).0.unwrap();
    let right = std::fs::read(&file).unwrap();
    std::fs::write(&file, "stale").unwrap();
    let mut found = None;
    train(&config, open(dir.path(), &config), None, |event, _| {
        if matches!(event, TrainEvent::Step(metrics) if metrics.step == 6) {
            found = std::fs::read(&file).ok();
        }
    })
    .0
    .unwrap();
    assert!(found == Some(right));
}

#[test]
fn steps_that_a_crash_lost_leave_no_line_behind() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    train(&config, open(dir.path(), &config), Some(8), |_, _| {}).0.unwrap();
    let checkpoints = dir.path().join("checkpoints");
    std::fs::remove_file(checkpoints.join("step-000008.safetensors")).unwrap();
    let again = open(dir.path(), &config);
    assert_eq!(again.1.step, 4);
    train(&config, again, None, |_, _| {}).0.unwrap();
    let text = std::fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
    let steps: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line.get("train_loss").is_some())
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=config.total_steps() as u64).collect::<Vec<_>>());
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_named() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    train(&config, open(dir.path(), &config), Some(8), |_, _| {}).0.unwrap();
    let newest = dir.path().join("checkpoints/step-000008.safetensors");
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &bytes[..bytes.len() - 7]).unwrap();
    let found = look(dir.path()).unwrap().unwrap();
    assert_eq!(found.step(), 4);
    assert!(found.skipped[0].contains("step-000008"), "{:?}", found.skipped);
}

#[test]
fn the_best_and_the_newest_checkpoints_are_kept() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    train(&config, open(dir.path(), &config), None, |_, _| {}).0.unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir.path().join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() == 3 || names.len() == 4, "{names:?}");
    assert_eq!(names.last().unwrap(), "step-000018.safetensors");
}

#[test]
fn a_nan_ends_the_run_and_the_last_good_checkpoint_stays() {
    let config = RunConfig { train: TrainConfig { max_lr: 100.0, ..small().train }, ..small() };
    let dir = tempfile::tempdir().unwrap();
    let (run_dir, mut state) = open(dir.path(), &config);
    state.weights.values.iter_mut().for_each(|w| *w *= 1e18);
    let mut said = Vec::new();
    let (outcome, _) = train(&config, (run_dir, state), None, |event, _| said.push(format!("{event:?}")));
    assert!(matches!(outcome, Err(TrainError::NotFinite { .. })), "{outcome:?}");
    assert!(said.iter().any(|event| event.contains("not finite")), "{said:?}");
    assert!(said.last().unwrap().contains("Failed"), "{said:?}");
    let found = look(dir.path()).unwrap().unwrap();
    assert!(found.state.unwrap().weights.first_non_finite().is_none());
}

#[test]
fn weights_that_are_not_finite_at_the_end_are_an_error() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    let (run_dir, mut state) = open(dir.path(), &config);
    state.moments.first[0] = f32::MAX;
    state.moments.second[0] = 0.0;
    // The loss of the first step is that of the weights before it.
    let (outcome, losses) = train(&config, (run_dir, state), Some(1), |_, _| {});
    assert!(losses.iter().all(|loss| f32::from_bits(*loss).is_finite()));
    let error = outcome.unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { step: 1, last_good: 0, .. }), "{error}");
}

#[test]
fn a_panic_in_the_trainer_becomes_an_error_and_an_event() {
    let config = small();
    let mut said = Vec::new();
    let (outcome, _) = train(&config, from_scratch(&config), None, |event, _| {
        said.push(format!("{event:?}"));
        assert!(!matches!(event, TrainEvent::Step(metrics) if metrics.step == 2), "injected");
    });
    assert!(
        matches!(&outcome, Err(TrainError::Panicked(message)) if message.contains("injected")),
        "{outcome:?}"
    );
    assert!(said[said.len() - 2].contains("the trainer died"), "{said:?}");
}

/// Names and contents of the kept snapshots.
fn kept_files(run: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(run.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut files: Vec<_> = files.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn a_run_that_is_resumed_after_a_crash_keeps_the_snapshots_of_one_that_was_not() {
    let config = small();
    let [whole, resumed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    train(&config, open(whole.path(), &config), None, |_, _| {}).0.unwrap();
    train(&config, open(resumed.path(), &config), Some(11), |_, _| {}).0.unwrap();
    // As a crash after step 11 leaves it.
    std::fs::remove_file(resumed.path().join("checkpoints/step-000011.safetensors")).unwrap();
    let again = open(resumed.path(), &config);
    assert_eq!(kept_files(resumed.path()).last().unwrap().0, "step-000008.safetensors");
    train(&config, again, None, |_, _| {}).0.unwrap();
    let files = kept_files(whole.path());
    assert_eq!(files.len(), 19);
    assert!(files == kept_files(resumed.path()));
}

#[test]
fn the_kept_snapshot_of_each_validation_has_the_accuracies_that_the_run_measured() {
    let config = RunConfig { task: TaskConfig { sequences: 60, ..small().task }, ..small() };
    let config = RunConfig { train: TrainConfig { epochs: 60, ..config.train }, ..config };
    let dir = tempfile::tempdir().unwrap();
    let mut measured = Vec::new();
    train(&config, open(dir.path(), &config), None, |event, _| {
        if let TrainEvent::Epoch(epoch) = event {
            measured.push((epoch.step, epoch.validation.accuracy_by_class.clone()));
        }
    })
    .0
    .unwrap();
    assert!(measured.len() == 60 && measured[59].0 > 48, "later steps are spaced out");
    for (step, by_class) in measured {
        let (kept, weights) = look(dir.path()).unwrap().unwrap().nearest(Some(step)).unwrap();
        let data = dataset(&config);
        let found = evaluate(&weights, &Patch::default(), &data.examples(Split::Validation));
        assert_eq!((kept, found.accuracy_by_class), (step, by_class));
    }
}
