//! Sequences packed into tiles against the same sequences one by one, and against dfdx's operations.

use std::sync::Arc;

use headcount::model::{
    Activations, HeadId, Interventions, LossDtype, ModelConfig, NeuronId, Patch, PatternKind, Positions,
    Weights, Workspace, cache, forward, forward_each, tiles,
};
use headcount::task::{Dataset, Example, Split, Token};

use super::reference::models::{every_setting, perturbed, worst};
use super::reference::relative_l2;
use super::{Sparse, gradient};

fn base() -> ModelConfig {
    ModelConfig {
        n_layers: 2,
        n_heads: 2,
        d_model: 12,
        d_head: 4,
        d_mlp: 20,
        n_ctx: 60,
        d_vocab: 7,
        d_vocab_out: Some(3),
        ..ModelConfig::default()
    }
}

/// Sequences of many lengths: alone in a tile, and up to dozens in one; some have no target.
fn data(config: &ModelConfig) -> Arc<Dataset> {
    let lens =
        [60, 50, 18, 1, 3, 3, 3, 3, 1, 1, 40, 2, 5, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 59, 33, 34, 35, 60, 60];
    let token = |at: usize, len: usize| ((at * 5 + len * 3 + at * at / 7) % config.d_vocab) as Token;
    let sequences: Vec<Vec<Token>> = lens
        .iter()
        .enumerate()
        .map(|(index, &len)| (0..len).map(|at| token(at + index, len)).collect())
        .collect();
    let task = Arc::new(Sparse::new([config.d_vocab, config.outputs()]));
    Arc::new(Dataset::from_sequences(task, &sequences))
}

/// Every setting, in models of two layers and of one.
fn models() -> impl Iterator<Item = ModelConfig> {
    let all = every_setting(&base()).into_iter().chain([base()]);
    all.flat_map(|config| [ModelConfig { n_layers: 1, ..config.clone() }, config])
}

fn loss(weights: &Weights, batch: &[Example<'_>]) -> (f32, Vec<f32>) {
    let result = Workspace::default().loss(weights, batch, (LossDtype::F32, None), true);
    (result.loss, result.gradient)
}

#[test]
fn tiles_are_consecutive_and_hold_a_hundred_rows_or_one_sequence() {
    assert_eq!(tiles([60, 60, 8, 1, 500, 128, 3].into_iter()), [0..3, 3..4, 4..5, 5..6, 6..7]);
    assert!(tiles(std::iter::empty()).is_empty());
}

#[test]
fn a_tile_has_the_loss_and_gradient_of_its_sequences_one_by_one() {
    for config in models() {
        let (weights, data) = (perturbed(&config), data(&config));
        let batch = data.examples(Split::Validation);
        let all = batch.iter().map(Example::scored).sum::<usize>() as f32;
        let (mut sum, mut alone) = (0.0, vec![0.0; weights.values.len()]);
        for example in &batch {
            let (loss, gradient) = loss(&weights, std::slice::from_ref(example));
            let share = example.scored() as f32 / all;
            sum += share * loss;
            alone.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += share * g);
        }
        let (loss, packed) = loss(&weights, &batch);
        assert!((loss - sum).abs() < 1e-5, "{config:?}: {loss} {sum}");
        assert!(relative_l2(&packed, &alone) < 1e-5, "{config:?}: {}", relative_l2(&packed, &alone));
    }
}

/// The composition computes every row, the tiles only those that a target needs.
#[test]
fn rows_that_no_target_needs_change_no_gradient() {
    for config in models() {
        let (weights, data) = (perturbed(&config), data(&config));
        assert!(data.examples(Split::Validation).iter().any(|example| example.scored() == 0));
        let batch = (&data, Split::Validation);
        let ((loss, live), (whole_loss, whole)) =
            (gradient(&weights, batch, false), gradient(&weights, batch, true));
        assert!((loss - whole_loss).abs() < 1e-5, "{config:?}: {loss} {whole_loss}");
        assert!(relative_l2(&live, &whole) < 1e-5, "{config:?}: {}", relative_l2(&live, &whole));
    }
}

#[test]
fn a_tile_has_the_activations_of_its_sequences_one_by_one_each_with_its_edits() {
    for config in models() {
        let (weights, data) = (perturbed(&config), data(&config));
        let mut edits = Interventions::default();
        edits.toggle_head(HeadId { layer: 0, head: 1 });
        edits.toggle_neuron(NeuronId { layer: 0, neuron: 3 });
        edits.patterns.insert(HeadId { layer: config.n_layers - 1, head: 0 }, PatternKind::Previous);
        edits.positions = Positions::Only([0, 2].into());
        let patches = [Patch::default(), edits.patch(&config, None)];
        let examples = data.examples(Split::Validation);
        let mut buffers = [Activations::default(), Activations::default()];
        let mut alone = Activations::default();
        for tile in tiles(examples.iter().map(|example| example.tokens().len())) {
            let patch_of = |index: usize| &patches[index % 2];
            let sequences: Vec<_> =
                tile.clone().map(|index| (examples[index].tokens(), patch_of(index))).collect();
            forward_each(&weights, (&sequences, true), &mut buffers, &|| (), |at, packed| {
                let (tokens, patch) = sequences[at];
                forward(&weights, tokens, patch, &mut alone);
                assert_eq!((packed.len, &packed.keys), (alone.len, &alone.keys));
                let [packed, alone] = [packed, &alone].map(|from| cache(&weights, tokens, from));
                for (packed, alone) in packed.iter().zip(&alone) {
                    assert_eq!(packed.shape, alone.shape, "{}", packed.name);
                    let finite = |values: &[f32]| values.iter().map(|x| x.max(-1e9)).collect::<Vec<_>>();
                    let error = worst(&finite(&packed.values), &finite(&alone.values));
                    assert!(error < 1e-5, "{config:?} {}: {error}", packed.name);
                }
            });
            forward_each(&weights, (&sequences, false), &mut buffers, &|| (), |at, packed| {
                let (tokens, patch) = sequences[at];
                forward(&weights, tokens, patch, &mut alone);
                assert!(packed.logits.is_empty(), "logits that nobody reads");
                assert!(worst(&packed.resid_post, &alone.resid_post) < 1e-5, "{config:?}");
            });
        }
    }
}
