//! Gradients against PyTorch's, against dfdx's operations, and against finite differences in double precision.

mod edited;
#[path = "../reference/edits.rs"]
mod edits;
mod plain;
#[path = "../reference/mod.rs"]
mod reference;
mod tiles;

use std::sync::Arc;

use dfdx::prelude::*;
use headcount::model::backend::composed_loss;
use headcount::model::{
    Activation, AttentionDirection, Backend, LossDtype, ModelConfig, Normalization, Transformer, Weights,
};
use headcount::task::{Dataset, Example, Facts, Split, Targets, Task, Token, Vocabulary};
use plain::Plain;
use rand_chacha::ChaCha8Rng;
use reference::models::{every_setting, majority, odd_models, perturbed, random_batch, some, worst};
use reference::{Tensors, relative_l2, weights};

/// `(loss, gradient)` of a batch on dfdx's tape.
fn gradient(weights: &Weights, batch: (&Arc<Dataset>, Split), composed: bool) -> (f32, Vec<f32>) {
    gradient_in(LossDtype::F32, weights, batch, composed)
}

/// The same with a loss of that precision.
fn gradient_in(
    loss_dtype: LossDtype,
    weights: &Weights,
    (data, split): (&Arc<Dataset>, Split),
    composed: bool,
) -> (f32, Vec<f32>) {
    let device = Cpu::default();
    let model = Transformer { loss_dtype, ..Transformer::new(Arc::clone(&weights.layout)) };
    let params = device.tensor_from_vec(weights.values.clone(), (weights.values.len(),));
    let traced = params.leaky_trace();
    let loss = if composed {
        composed_loss(&device, &model, traced, &data.examples(split)).unwrap()
    } else {
        fused_loss(&device, &model, traced, (data, split))
    };
    let value = loss.array();
    (value, loss.backward().get(&params).as_vec())
}

fn fused_loss<T: Tape<f32, Cpu>>(
    device: &Cpu,
    model: &Transformer,
    params: Tensor<(usize,), f32, Cpu, T>,
    (data, split): (&Arc<Dataset>, Split),
) -> Tensor<Rank0, f32, Cpu, T> {
    let sequences = device.sequences(data, split, &model.layout.config).unwrap();
    let rows: Vec<usize> = (0..sequences.len()).collect();
    device.loss(model, params, &sequences, &rows).unwrap()
}

#[test]
fn gradients_of_the_first_step_equal_pytorchs() {
    let batches = Tensors::read("train_batches");
    let start = weights("train_init");
    let batch = Arc::new(majority(&batches.tokens("tokens")[..16 * 128]));
    let labels: Vec<_> =
        batch.examples(Split::Validation).iter().flat_map(|e| e.targets().to_vec()).collect();
    assert_eq!(labels, some(&batches.tokens("labels")[..16 * 128]));
    let theirs = Tensors::read("train_grad0");
    for composed in [false, true] {
        let (loss, values) = gradient(&start, (&batch, Split::Validation), composed);
        assert!((loss - 2.593_497).abs() < 1e-5, "{loss}");
        let ours = Weights { values, ..start.clone() };
        for name in theirs.names() {
            let (ours, (_, theirs)) = (ours.get(&name).unwrap(), theirs.get(&name));
            if name.ends_with("b_K") {
                assert!(worst(&ours, &theirs) < 1e-6, "softmax does not see a shift of all keys");
            } else {
                let error = relative_l2(&ours, &theirs);
                assert!(error < 1e-4, "{name}: {error}");
            }
        }
    }
}

#[test]
fn the_fused_operation_equals_the_composition_for_odd_shapes() {
    for config in odd_models() {
        let (weights, data) = (perturbed(&config), Arc::new(random_batch(&config, 19)));
        let batch = (&data, Split::Train);
        let (fused_loss, fused) = gradient(&weights, batch, false);
        let (composed_loss, composed) = gradient(&weights, batch, true);
        assert!((fused_loss - composed_loss).abs() < 1e-5, "{config:?}: {fused_loss} {composed_loss}");
        let error = relative_l2(&fused, &composed);
        assert!(error < 1e-5, "{config:?}: {error}");
        let (fused, composed) =
            (Weights { values: fused, ..weights.clone() }, Weights { values: composed, ..weights.clone() });
        for tensor in weights.layout.tensors() {
            let (ours, oracle) = (fused.gather(tensor), composed.gather(tensor));
            let size = oracle.iter().map(|g| g.abs()).fold(0.0, f32::max);
            // The gradient of a key bias is zero but for rounding.
            let close = relative_l2(&ours, &oracle) < 1e-4 || size < 1e-6;
            assert!(close, "{config:?} {}: {} of {size}", tensor.name, relative_l2(&ours, &oracle));
        }
    }
}

#[test]
fn a_loss_in_double_precision_has_the_same_gradient_fused_composed_and_in_single_precision() {
    for config in odd_models() {
        let (weights, data) = (perturbed(&config), Arc::new(random_batch(&config, 19)));
        let batch = (&data, Split::Train);
        let (plain_loss, plain) = gradient(&weights, batch, false);
        for composed in [false, true] {
            let (loss, gradient) = gradient_in(LossDtype::F64, &weights, batch, composed);
            assert!((loss - plain_loss).abs() < 1e-5, "{config:?}: {loss} {plain_loss}");
            let error = relative_l2(&gradient, &plain);
            assert!(error < 1e-5, "{config:?} {composed}: {error}");
        }
    }
}

#[test]
fn the_loss_may_be_scaled_after_the_operation() {
    let config = ModelConfig { n_ctx: 16, d_mlp: 12, d_model: 8, d_head: 4, ..ModelConfig::default() };
    let (weights, data) = (perturbed(&config), Arc::new(random_batch(&config, 4)));
    let device = Cpu::default();
    let model = Transformer::new(Arc::clone(&weights.layout));
    let params = device.tensor_from_vec(weights.values.clone(), (weights.values.len(),));
    let loss = fused_loss(&device, &model, params.leaky_trace(), (&data, Split::Train)) * 3.0;
    let tripled = loss.backward().get(&params).as_vec();
    let (_, plain) = gradient(&weights, (&data, Split::Train), false);
    assert!(worst(&tripled, &plain.iter().map(|g| 3.0 * g).collect::<Vec<_>>()) < 1e-6);
}

#[test]
fn gradients_equal_finite_differences_in_double_precision() {
    let tiny =
        ModelConfig { n_heads: 2, d_model: 6, d_head: 4, d_mlp: 7, n_ctx: 5, ..ModelConfig::default() };
    let others = [
        ModelConfig { n_layers: 2, ..tiny.clone() },
        ModelConfig { act_fn: Activation::Gelu, ..tiny.clone() },
        ModelConfig { act_fn: Activation::Relu, normalization_type: Normalization::LnPre, ..tiny.clone() },
        ModelConfig { d_mlp: 0, normalization_type: Normalization::None, ..tiny.clone() },
    ];
    for config in others.into_iter().chain(every_setting(&tiny)) {
        let (weights, data) = (perturbed(&config), Arc::new(random_batch(&config, 2)));
        let batch = data.examples(Split::Train);
        let (loss, gradient) = gradient(&weights, (&data, Split::Train), false);
        let plain = Plain::new(&weights);
        assert!((plain.loss(&batch) - f64::from(loss)).abs() < 1e-6);
        let slopes: Vec<f32> = (0..weights.values.len())
            .map(|at| {
                let moved = |by: f64| plain.moved(at, by).loss(&batch);
                ((moved(1e-5) - moved(-1e-5)) / 2e-5) as f32
            })
            .collect();
        let error = relative_l2(&gradient, &slopes);
        assert!(error < 1e-3, "{config:?}: {error}");
    }
}

/// Asks of every even token what it is modulo 3, of sequences of any length.
#[derive(Debug)]
struct Sparse(Facts);

impl Sparse {
    /// With this many tokens and classes.
    fn new([tokens, outputs]: [usize; 2]) -> Self {
        let [tokens, outputs] = [tokens, outputs].map(Vocabulary::Numbers);
        Self(Facts { outputs, ..Facts::new("sparse", tokens, 5) })
    }
}

impl Task for Sparse {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn sequence(&self, _: &mut ChaCha8Rng) -> Vec<Token> {
        vec![0; self.0.n_ctx]
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        tokens.iter().map(|token| token.is_multiple_of(2).then_some(token % 3)).collect()
    }
}

#[test]
fn positions_without_a_target_add_nothing_whatever_the_lengths() {
    sequences_of_any_length_give_the_gradient(AttentionDirection::Causal);
}

#[test]
fn no_query_sees_beyond_the_end_of_its_sequence() {
    sequences_of_any_length_give_the_gradient(AttentionDirection::Bidirectional);
}

fn sequences_of_any_length_give_the_gradient(attention_dir: AttentionDirection) {
    let config = ModelConfig {
        attention_dir,
        d_model: 6,
        d_head: 3,
        d_mlp: 7,
        n_ctx: 5,
        d_vocab: 7,
        d_vocab_out: Some(3),
        ..ModelConfig::default()
    };
    let task = Arc::new(Sparse::new([7, 3]));
    let sequences: [Vec<Token>; 4] = [vec![1, 2, 3, 4, 5], vec![6], vec![5, 3, 1], vec![0, 0, 5, 6]];
    let data = Arc::new(Dataset::from_sequences(task, &sequences));
    let weights = perturbed(&config);
    let batch = data.examples(Split::Validation);
    assert_eq!(batch.iter().map(Example::scored).sum::<usize>(), 2 + 1 + 3);
    let (loss, fused) = gradient(&weights, (&data, Split::Validation), false);
    let (composed_loss, composed) = gradient(&weights, (&data, Split::Validation), true);
    let plain = Plain::new(&weights);
    let expected = plain.loss(&batch);
    assert!((f64::from(loss) - expected).abs() < 1e-6 && (f64::from(composed_loss) - expected).abs() < 1e-6);
    let slope =
        |at| ((plain.moved(at, 1e-5).loss(&batch) - plain.moved(at, -1e-5).loss(&batch)) / 2e-5) as f32;
    let slopes: Vec<f32> = (0..weights.values.len()).map(slope).collect();
    let errors = [relative_l2(&fused, &slopes), relative_l2(&composed, &slopes)];
    assert!(errors.iter().all(|error| *error < 1e-3), "{errors:?}");
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let long = ModelConfig::default();
    let short = ModelConfig { n_ctx: 3, ..long.clone() };
    for (config, sequences) in [(long, 37), (short, 900)] {
        let (weights, data) = (Weights::initial(&config, 1), Arc::new(random_batch(&config, sequences)));
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (loss, gradient) = pool.install(|| gradient(&weights, (&data, Split::Train), false));
            (loss.to_bits(), gradient.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        assert!(with(1) == with(2) && with(1) == with(3));
    }
}
