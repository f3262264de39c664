//! Models of every kind against TransformerLens: activations, gradients, folding, attribution, edits, and the program.
//!
//! `fixtures/architectures/generate.py` wrote the models, and writes any number of random ones. With
//! `HEADCOUNT_ARCHITECTURES` = their directory, those are compared too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headcount::analysis::circuits::drive;
use headcount::analysis::{Attribution, Pass, Readout};
use headcount::model::weights_file::Container;
use headcount::model::{
    Activations, AttentionDirection, Edit, FoldOptions, ModelConfig, Patch, Positions, Weights, cache,
    centre, fold, forward, read_weights,
};
use headcount::model::{Change, Hook, LossDtype, Normalization, PatternKind, Workspace};
use headcount::task::{Example, Token};

/// A file of the generator.
struct Reference {
    name: String,
    weights: Weights,
    tensors: BTreeMap<String, Vec<f32>>,
    /// `[rows, n_ctx]`.
    tokens: Vec<Token>,
    targets: Vec<Option<Token>>,
}

impl Reference {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let weights = read_weights(path, None).unwrap_or_else(|error| panic!("{error}")).weights;
        let bytes = fs::read(path).unwrap();
        let file = Container::parse(&bytes).unwrap();
        let whole = |name: &str| -> Vec<Token> {
            let (values, _) = file.tensors[name].data().as_chunks();
            values.iter().map(|bytes| i64::from_le_bytes(*bytes) as Token).collect()
        };
        let (tokens, targets) = (whole("tokens"), whole("targets").into_iter().map(Some).collect());
        let floats = file.tensors.iter().filter(|(name, _)| !["tokens", "targets"].contains(&name.as_str()));
        let tensors = floats.map(|(name, tensor)| {
            let (values, _) = tensor.data().as_chunks();
            (name.clone(), values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        });
        Self { name, weights, tensors: tensors.collect(), tokens, targets }
    }

    fn config(&self) -> &ModelConfig {
        self.weights.config()
    }

    fn rows(&self) -> Vec<Example<'_>> {
        let len = self.config().n_ctx;
        let rows = self.tokens.chunks(len).zip(self.targets.chunks(len));
        rows.map(|(tokens, targets)| Example::new(tokens, targets)).collect()
    }

    /// Tensors whose name begins with `kind/`, without that.
    fn of_kind(&self, kind: &str) -> BTreeMap<&str, &[f32]> {
        let inside = |name: &'_ str| -> Option<usize> {
            name.strip_prefix(kind)?.starts_with('/').then_some(kind.len() + 1)
        };
        let found =
            self.tensors.iter().filter_map(|(name, values)| Some((&name[inside(name)?..], &values[..])));
        found.collect()
    }
}

/// The committed models, and those of the environment.
fn references() -> Vec<Reference> {
    let own: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "architectures"].iter().collect();
    let more = std::env::var_os("HEADCOUNT_ARCHITECTURES").map(PathBuf::from);
    let entries = [own].into_iter().chain(more).flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ext| ext == "safetensors")).collect();
    paths.sort();
    assert!(paths.len() >= 8, "the committed models");
    paths.iter().map(|path| Reference::read(path)).collect()
}

/// Largest difference over the largest finite value; infinite where one is finite and the other is not.
fn error(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let finite = theirs.iter().filter(|x| x.is_finite());
    let largest = finite.fold(0.0, |most: f32, x| most.max(x.abs()));
    let difference = |(a, b): (&f32, &f32)| if a.to_bits() == b.to_bits() { 0.0 } else { (a - b).abs() };
    let worst = ours
        .iter()
        .zip(theirs)
        .map(difference)
        .fold(0.0, |worst, d| if d > worst || d.is_nan() { d } else { worst });
    worst / largest.max(1e-3)
}

fn run(weights: &Weights, tokens: &[Token], patch: &Patch) -> Activations {
    let mut activations = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, patch, &mut activations);
    activations
}

#[test]
fn every_hook_of_every_model_has_transformer_lens_values_and_none_is_missing() {
    let (mut worst, mut hooks) = (0.0_f32, 0);
    let references = references();
    for reference in &references {
        let tokens = &reference.tokens[..reference.config().n_ctx];
        let ours = cache(&reference.weights, tokens, &run(&reference.weights, tokens, &Patch::default()));
        let ours: BTreeMap<&str, &[f32]> = ours.iter().map(|t| (t.name.as_str(), &t.values[..])).collect();
        let theirs = reference.of_kind("cache");
        let names =
            |of: &BTreeMap<&str, &[f32]>| of.keys().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&theirs), "{}", reference.name);
        for (name, theirs) in theirs {
            let error = error(ours[name], theirs);
            assert!(error < 1e-4, "{} {name}: {error} {:?}", reference.name, reference.config());
            (worst, hooks) = (worst.max(error), hooks + 1);
        }
    }
    println!("{} models, {hooks} hooks, largest relative error {worst:.1e}", references.len());
}

#[test]
fn gradients_are_transformer_lens_own() {
    let mut worst = 0.0_f32;
    for reference in references() {
        let values = Workspace::default()
            .loss(&reference.weights, &reference.rows(), (LossDtype::default(), None), true)
            .gradient;
        let ours = Weights { values, ..reference.weights.clone() };
        let theirs = reference.of_kind("grad");
        let largest =
            theirs.values().flat_map(|grad| grad.iter()).fold(0.0, |most: f32, g| most.max(g.abs()));
        assert_eq!(theirs.len(), ours.layout.tensors().len(), "{}", reference.name);
        for (name, theirs) in theirs {
            let ours = ours.get(name).unwrap_or_else(|| panic!("{} {name}", reference.name));
            let differences = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
            let error = differences.fold(0.0, f32::max) / largest;
            assert!(error < 1e-4, "{} {name}: {error} {:?}", reference.name, reference.config());
            worst = worst.max(error);
        }
    }
    println!("largest relative error {worst:.1e}");
}

fn log_probabilities(logits: &[f32], outputs: usize) -> Vec<f32> {
    let row = |row: &[f32]| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total = largest + row.iter().map(|x| (x - largest).exp()).sum::<f32>().ln();
        row.iter().map(|x| x - total).collect::<Vec<_>>()
    };
    logits.chunks(outputs).flat_map(row).collect()
}

/// Whether every query sees a key.
fn all_see(c: &ModelConfig, tokens: &[Token]) -> bool {
    let keys = c.visible_keys(tokens);
    (0..tokens.len()).all(|query| keys.of(query).next().is_some())
}

#[test]
fn folding_changes_no_probability() {
    for reference in references() {
        let (c, tokens) = (reference.config(), &reference.tokens[..reference.config().n_ctx]);
        let probabilities = |weights: &Weights| {
            log_probabilities(&run(weights, tokens, &Patch::default()).logits, c.outputs())
        };
        let before = probabilities(&reference.weights);
        for center_reading in [false, true] {
            for fold_value_biases in [false, true] {
                if fold_value_biases && !all_see(c, tokens) {
                    continue;
                }
                let folded = fold(&reference.weights, FoldOptions { center_reading, fold_value_biases });
                let error = error(&probabilities(&folded), &before);
                assert!(
                    error < 2e-4,
                    "{} {center_reading} {fold_value_biases}: {error} {c:?}",
                    reference.name
                );
            }
        }
    }
}

#[test]
fn the_contributions_of_components_sum_to_the_logits() {
    for reference in references() {
        let tokens = &reference.tokens[..reference.config().n_ctx];
        for weights in [reference.weights.clone(), fold(&reference.weights, FoldOptions::default())] {
            let activations = run(&weights, tokens, &Patch::default());
            let found = Attribution::new(
                &weights,
                (tokens, &Patch::default()),
                &activations,
                Arc::new(Readout::new(&weights)),
            );
            let mut centred = activations.logits.clone();
            centre(&mut centred, weights.config().outputs());
            let largest = centred.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
            assert!(found.residual < 1e-4 * largest.max(1.0), "{}: {}", reference.name, found.residual);
        }
    }
}

/// What the norm before the MLP and `W_in` make of a part of the stream at a position, `[d_mlp]`.
fn read_by_neurons(weights: &Weights, pass: &Pass, part: &[f32], position: usize) -> Vec<f32> {
    let c = weights.config();
    let is_centred = matches!(c.normalization_type, Normalization::Ln | Normalization::LnPre);
    let mean = if is_centred { part.iter().sum::<f32>() / part.len() as f32 } else { 0.0 };
    let scale = match c.normalization_type {
        Normalization::None => 1.0,
        _ => pass.activations.blocks[0].mlp.as_ref().unwrap().ln2.scale[position],
    };
    let w = weights.get("blocks.0.ln2.w").unwrap_or_else(|| vec![1.0; c.d_model]);
    let w_in = weights.get("blocks.0.mlp.W_in").unwrap();
    let input: Vec<f32> = part.iter().zip(w).map(|(x, w)| (x - mean) / scale * w).collect();
    let neuron = |neuron: usize| input.iter().enumerate().map(|(i, x)| x * w_in[i * c.d_mlp + neuron]).sum();
    (0..c.d_mlp).map(neuron).collect()
}

#[test]
fn what_tokens_drive_through_heads_sums_to_what_neurons_read_of_attention() {
    for reference in references().iter().filter(|reference| reference.config().has_mlp()) {
        let (c, example, weights) = (reference.config(), reference.rows()[0], &reference.weights);
        let pass = Pass::run(weights, example, &Patch::default());
        let query = c.n_ctx - 1;
        let mut found = vec![0.0; c.d_mlp];
        for id in c.heads().filter(|id| id.layer == 0) {
            let (_, by_token) = drive(weights, &pass, example.tokens(), id, query);
            by_token.chunks(c.d_mlp).for_each(|row| found.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
        }
        let block = &pass.activations.blocks[0];
        let row = |of: &[f32]| of[query * c.d_model..][..c.d_model].to_vec();
        let (before, after, b_o) =
            (row(&block.resid_pre), row(&block.resid_mid), weights.get("blocks.0.attn.b_O"));
        let written =
            after.iter().zip(before).zip(b_o.unwrap()).map(|((after, before), b)| after - before - b);
        let want = read_by_neurons(weights, &pass, &written.collect::<Vec<_>>(), query);
        let error = error(&found, &want);
        assert!(error < 1e-3, "{}: {error} {c:?}", reference.name);
    }
}

/// Changes to every hook of a layer.
fn edits(c: &ModelConfig, layer: usize) -> Vec<Edit> {
    let edit = |hook, change| Edit { layer, hook, indices: vec![0], positions: Positions::All, change };
    let patterns = [PatternKind::Uniform, PatternKind::Identity, PatternKind::Previous];
    let mut edits: Vec<Edit> = patterns.map(|kind| edit(Hook::Pattern, Change::Pattern(kind))).into();
    edits.push(edit(Hook::Z, Change::Zero));
    if c.has_mlp() {
        edits.push(edit(Hook::Post, Change::Zero));
    }
    edits
}

#[test]
fn a_pass_from_the_first_edit_on_has_the_bits_of_a_whole_one() {
    for reference in references() {
        let (c, example) = (reference.config(), reference.rows()[0]);
        let clean = Pass::run(&reference.weights, example, &Patch::default());
        for edit in (0..c.n_layers).flat_map(|layer| edits(c, layer)) {
            let patch = Patch::new(c, std::slice::from_ref(&edit), None);
            let again = clean.patched(&reference.weights, example, &patch);
            let whole = run(&reference.weights, example.tokens(), &patch);
            let bits = |logits: &[f32]| logits.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&again.activations.logits), bits(&whole.logits), "{} {edit}", reference.name);
            assert_eq!(again.activations.keys, whole.keys);
        }
    }
}

#[test]
fn uniform_attention_is_over_the_keys_that_a_query_sees() {
    for reference in references() {
        let (c, example) = (reference.config(), reference.rows()[0]);
        let patch = Patch::new(c, &edits(c, 0)[..1], None);
        let pass = run(&reference.weights, example.tokens(), &patch);
        let len = c.n_ctx;
        for query in 0..len {
            let is_seen = |key: usize| {
                (c.attention_dir == AttentionDirection::Bidirectional || key <= query)
                    && c.pad_token != Some(example.tokens()[key])
            };
            let seen = (0..len).filter(|key| is_seen(*key)).count();
            let want = |key| if is_seen(key) { 1.0 / seen as f32 } else { 0.0 };
            let want: Vec<f32> = (0..len).map(want).collect();
            assert_eq!(pass.blocks[0].attn.pattern[query * len..][..len], want, "{} {query}", reference.name);
        }
    }
}
