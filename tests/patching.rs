//! Activation and path patching, against TransformerLens' hooks and against themselves.
//!
//! `fixtures/architectures/patching.py` wrote the grids of the committed models.

mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use headcount::analysis::patching::{By, Direction, Grid, Metric, Pair, Plan, Runs};
use headcount::analysis::path_patching::Paths;
use headcount::inquiry::{
    AskedBy, Bench, Findings, Inquiry, Over, Patching, Question, Subject, WeightForm, answer,
};
use headcount::model::weights_file::Container;
use headcount::model::{
    Activations, Change, Donor, Edit, Hook, Patch, Positions, Snapshot, Weights, forward, forward_again,
    read_weights,
};
use headcount::task::{Class, Dataset, TaskConfig, Token};
use serde::Deserialize;
use serde_json::Value;

/// TransformerLens' grids of one model.
#[derive(Deserialize)]
struct Theirs {
    answer: Class,
    wrong: Class,
    clean: f32,
    corrupted: f32,
    /// By site and what a cell replaces.
    sites: BTreeMap<String, Value>,
    /// By receiver, `[layer][head]` of the sender first.
    paths: BTreeMap<String, Value>,
}

struct Model {
    name: String,
    weights: Weights,
    pair: Pair,
    theirs: Theirs,
}

/// The committed models, with the first two rows of their tokens as clean and corrupted sequences.
fn models() -> Vec<Model> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "architectures"].iter().collect();
    let text = fs::read_to_string(folder.join("patching.json")).unwrap();
    let all: BTreeMap<String, Theirs> = serde_json::from_str(&text).unwrap();
    assert_eq!(all.len(), 8, "the committed models");
    let open = |(name, theirs): (String, Theirs)| {
        let path = folder.join(format!("{name}.safetensors"));
        let weights = read_weights(&path, None).unwrap().weights;
        let bytes = fs::read(&path).unwrap();
        let (values, _) = Container::parse(&bytes).unwrap().tensors["tokens"].data().as_chunks();
        let tokens: Vec<Token> = values.iter().map(|bytes| i64::from_le_bytes(*bytes) as Token).collect();
        let len = weights.config().n_ctx;
        let (clean, corrupted) = (tokens[..len].to_vec(), tokens[len..2 * len].to_vec());
        let pair = Pair { clean, corrupted, position: len - 1, answer: theirs.answer, wrong: theirs.wrong };
        Model { name, weights, pair, theirs }
    };
    all.into_iter().map(open).collect()
}

fn flat(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}

fn assert_close(ours: &Grid, theirs: &Value, what: &str) {
    let theirs = flat(theirs);
    assert_eq!(ours.values.len(), theirs.len(), "{what}");
    assert_eq!(ours.shape.iter().product::<usize>(), theirs.len(), "{what}");
    for (at, (a, b)) in ours.values.iter().zip(&theirs).enumerate() {
        assert!((a - b).abs() < 2e-4, "{what}, cell {at}: {a}, not {b}");
    }
}

fn hook(site: &str) -> Hook {
    Hook::ALL.into_iter().find(|hook| hook.site() == site).unwrap()
}

#[test]
fn every_site_of_every_model_is_patched_as_by_transformer_lens() {
    let mut grids = 0;
    for Model { name, weights, pair, theirs } in models() {
        for (key, values) in &theirs.sites {
            let (site, by) = key.split_once(' ').unwrap();
            let by = *By::ALL.iter().find(|one| one.name() == by).unwrap();
            let (metric, direction) = (Metric::LogitDiff, Direction::Denoise);
            let grid = Plan { site: hook(site), by, metric, direction }.grid(
                &weights,
                &pair,
                &Runs::new(&weights, &pair),
            );
            assert_close(&grid, values, &format!("{name}: {key}"));
            assert!(
                (grid.clean - theirs.clean).abs() < 2e-4 && (grid.corrupted - theirs.corrupted).abs() < 2e-4
            );
            grids += 1;
        }
    }
    assert!(grids > 150, "{grids} grids");
}

#[test]
fn every_path_of_every_model_is_patched_as_by_transformer_lens() {
    for Model { name, weights, pair, theirs } in models() {
        for (key, values) in &theirs.paths {
            let to = Some(&key[..]).filter(|to| *to != "logits").map(hook);
            let (metric, direction) = (Metric::LogitDiff, Direction::Denoise);
            let paths = Paths { from: Hook::Z, to, freezes_mlps: true, metric, direction };
            assert_close(
                &paths.grid(&weights, &pair, &Runs::new(&weights, &pair)),
                values,
                &format!("{name}: paths to {key}"),
            );
        }
    }
}

fn run(weights: &Weights, tokens: &[Token], patch: &Patch) -> Activations {
    let mut run = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, patch, &mut run);
    run
}

/// All of a hook in a layer.
fn all(weights: &Weights, layer: usize, hook: Hook) -> Edit {
    let indices = (0..hook.indices(weights.config())).collect();
    Edit { layer, hook, indices, positions: Positions::All, change: Change::Donor }
}

#[test]
fn a_whole_stream_gives_the_donors_logits_and_a_pass_from_the_edit_on_has_the_bits_of_a_whole_one() {
    for Model { name, weights, pair, .. } in models() {
        let [clean, into] =
            [&pair.clean, &pair.corrupted].map(|tokens| run(&weights, tokens, &Patch::default()));
        let c = weights.config();
        for hook in Hook::ALL.into_iter().filter(|hook| hook.is_in(c)) {
            let donor = Donor::new(&weights, hook, &clean);
            for layer in 0..c.n_layers {
                let patch = donor.patch(&[all(&weights, layer, hook)]);
                let mut again = Activations::default();
                forward_again(&weights, &patch, &into, &mut again);
                let whole = run(&weights, &pair.corrupted, &patch);
                let bits = |run: &Activations| run.logits.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&again), bits(&whole), "{name}: {}", hook.name(layer));
                // The padding mask, and positions that enter queries and keys, are not part of the stream.
                if hook == Hook::ResidPre && c.pad_token.is_none() {
                    let worst = again.logits.iter().zip(&clean.logits).map(|(a, b)| (a - b).abs());
                    assert!(worst.fold(0.0, f32::max) < 1e-4, "{name}: resid_pre.{layer}");
                }
            }
        }
    }
}

#[test]
fn noising_is_denoising_with_the_roles_exchanged() {
    for Model { weights, pair, .. } in models() {
        let exchanged = Pair { clean: pair.corrupted.clone(), corrupted: pair.clean.clone(), ..pair.clone() };
        for metric in Metric::ALL {
            let plan = |direction| Plan { site: Hook::Z, by: By::Index, metric: *metric, direction };
            let noised = plan(Direction::Noise).grid(&weights, &pair, &Runs::new(&weights, &pair));
            let denoised =
                plan(Direction::Denoise).grid(&weights, &exchanged, &Runs::new(&weights, &exchanged));
            assert_eq!(noised.values, denoised.values);
            assert_eq!((noised.clean, noised.corrupted), (denoised.corrupted, denoised.clean));
        }
    }
}

#[test]
fn a_normalized_grid_runs_from_the_corrupted_run_to_the_clean_one() {
    let grid = Grid { values: vec![-1.0, 3.0, 1.0], shape: vec![1, 3], clean: 3.0, corrupted: -1.0 };
    assert_eq!(grid.clone().normalized().unwrap().values, [0.0, 1.0, 0.5]);
    assert!(Grid { clean: -1.0, ..grid.clone() }.normalized().is_none(), "no scale");
    let more = Grid { values: vec![1.0, 1.0, 1.0], clean: 1.0, corrupted: 0.0, ..grid.clone() };
    let mean = Grid::mean([grid, more]).unwrap();
    assert_eq!((mean.values, mean.clean, mean.corrupted), (vec![0.0, 2.0, 1.0], 2.0, -0.5));
}

/// The answer to a question about a sequence of a model that counts which token came most often.
fn ask(weights: &Weights, tokens: &[Token], question: Question) -> Findings {
    let data = TaskConfig { sequences: 2, ..TaskConfig::default() };
    ask_over(data.dataset(weights.config().shape(), 1).unwrap(), weights, tokens, question)
}

fn ask_over(data: Dataset, weights: &Weights, tokens: &[Token], question: Question) -> Findings {
    let snapshot = Arc::new(Snapshot::new(0, weights.clone()));
    let subject = Subject::weights(&snapshot, WeightForm::Trained).over(Over::Sequence(tokens.into()));
    let inquiry = Inquiry { generation: 0, by: AskedBy::User, subject, question };
    answer(inquiry, &Bench::new(Arc::new(data), 1, None)).findings
}

#[test]
fn the_flip_point_is_the_replacement_of_one_token_that_turns_the_answer_most() {
    let weights = reference::weights("weights");
    let tokens: Vec<Token> = vec![1, 4, 4, 2, 7, 4, 2, 2, 9, 0];
    let position = 7;
    let logits = |tokens: &[Token]| -> Vec<f32> {
        run(&weights, tokens, &Patch::default()).logits[position * 10..(position + 1) * 10].to_vec()
    };
    let largest = |logits: &[f32]| (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
    let before = largest(&logits(&tokens));
    let mut best = (f32::MIN, 0, 0);
    for (at, token) in (0..=position).flat_map(|at| (0..10).map(move |token| (at, token))) {
        let mut changed = tokens.clone();
        changed[at] = token;
        let after = logits(&changed);
        let other =
            (0..10).filter(|class| *class != before).map(|class| after[class]).fold(f32::MIN, f32::max);
        if other - after[before] > best.0 {
            best = (other - after[before], at, token);
        }
    }
    let Findings::Flip(found) = ask(&weights, &tokens, Question::Flip(position)) else { panic!() };
    assert!(best.0 > 0.0, "some replacement turns the answer");
    let turned = found.found.as_ref().expect("one replacement is enough");
    assert_eq!((turned.replaced[..].to_vec(), usize::from(found.answer)), (vec![(best.1, best.2)], before));
    assert!((turned.margin - best.0).abs() < 1e-4 && turned.answer != found.answer);
    assert_eq!(found.tried, 8 * 9, "every other token at every position that the answer sees");
    // Two tokens of a clear lead: no one replacement turns the answer, a pair does.
    let clear = vec![3, 3, 3, 5, 3];
    let Findings::Flip(found) = ask(&weights, &clear, Question::Flip(4)) else { panic!() };
    assert!(
        found.found.as_ref().is_none_or(|found| found.replaced.len() == 2),
        "a lead of three stands one replacement"
    );
}

#[test]
fn the_explorers_grid_is_that_of_the_command_line() {
    let weights = reference::weights("weights");
    let (clean, corrupted) = (vec![1, 4, 4, 2, 7, 4], vec![1, 2, 4, 2, 7, 4]);
    for by in [By::Index, By::Position, By::IndexPosition] {
        let plan = Plan { site: Hook::Z, by, metric: Metric::LogitDiff, direction: Direction::Denoise };
        let asked = Patching { corrupted: Some(corrupted[..].into()), position: 3, plan };
        let Findings::Patching(found) = ask(&weights, &clean, Question::Patching(asked)) else { panic!() };
        let [answer, wrong] = found.classes.unwrap();
        let (clean, corrupted) = (clean.clone(), corrupted.clone());
        assert_eq!((answer, wrong), (4, 2), "the majority of the first four tokens");
        let pair = Pair { clean, corrupted, position: 3, answer, wrong };
        let grid = plan.grid(&weights, &pair, &Runs::new(&weights, &pair));
        assert_eq!((&found.grid.values, &found.grid.shape), (&grid.values, &grid.shape));
    }
}

#[test]
fn the_mean_over_pairs_is_that_of_the_grids_of_those_whose_targets_differ() {
    let weights = reference::weights("weights");
    let drawn = TaskConfig { sequences: 2, ..TaskConfig::default() };
    let task = Arc::clone(drawn.dataset(weights.config().shape(), 1).unwrap().task());
    let rows: [&[Token]; 8] = [
        &[1, 4, 4, 2, 7],
        &[1, 2, 2, 2, 7],
        // The same target at position 3.
        &[3, 3, 3, 3, 1],
        &[3, 3, 1, 3, 3],
        // Of another length.
        &[5, 5],
        &[6, 6, 6, 6, 6],
        &[0, 0, 0, 8, 8],
        &[9, 9, 9, 8, 8],
    ];
    let data = Dataset::from_sequences(Arc::clone(&task), &rows.map(<[Token]>::to_vec));
    let plan = Plan {
        site: Hook::AttnOut,
        by: By::Position,
        metric: Metric::LogitDiff,
        direction: Direction::Denoise,
    };
    let asked = Patching { corrupted: None, position: 3, plan };
    let Findings::Patching(found) = ask_over(data, &weights, rows[0], Question::Patching(asked)) else {
        panic!("another answer")
    };
    let grid = |clean: &[Token], corrupted: &[Token]| {
        let [answer, wrong] = [clean, corrupted].map(|tokens| task.targets(tokens)[3].unwrap());
        let (clean, corrupted) = (clean.to_vec(), corrupted.to_vec());
        let pair = Pair { clean, corrupted, position: 3, answer, wrong };
        plan.grid(&weights, &pair, &Runs::new(&weights, &pair))
    };
    let mean = Grid::mean([grid(rows[0], rows[1]), grid(rows[6], rows[7])]).unwrap();
    assert_eq!((found.pairs, found.classes), (2, None));
    assert_eq!((&found.grid.values, found.grid.clean), (&mean.values, mean.clean));
}
