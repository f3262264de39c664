//! Models of odd shapes, and data for them.

use headcount::model::{
    Activation, AttentionDirection, ModelConfig, Normalization, PositionEmbedding, Weights,
};
use headcount::task::{Class, Dataset, Example, Shape, TaskConfig, Token};

/// Largest absolute difference; NaN when there is one.
pub fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |worst, d| if d > worst || d.is_nan() { d } else { worst })
}

pub fn batch_of<'a>(tokens: &'a [Token], targets: &'a [Option<Class>], len: usize) -> Vec<Example<'a>> {
    tokens
        .chunks(len)
        .zip(targets.chunks(len))
        .map(|(tokens, targets)| Example::new(tokens, targets))
        .collect()
}

/// A target at every position.
pub fn some(labels: &[Class]) -> Vec<Option<Class>> {
    labels.iter().copied().map(Some).collect()
}

/// The notebook's task over sequences of its length.
pub fn majority(tokens: &[Token]) -> Dataset {
    let task = TaskConfig::default().task(Shape { n_ctx: 128, d_vocab: 10, d_vocab_out: 10 }).unwrap();
    Dataset::from_sequences(task, &tokens.chunks(128).map(<[Token]>::to_vec).collect::<Vec<_>>())
}

pub fn random_batch(config: &ModelConfig, sequences: usize) -> Dataset {
    let sizes = TaskConfig { sequences: sequences + 1, train_fraction: 0.999, ..TaskConfig::default() };
    sizes.dataset(config.shape(), 5).unwrap()
}

/// Weights with every part away from its special initial value.
pub fn perturbed(config: &ModelConfig) -> Weights {
    let mut weights = Weights::initial(config, 3);
    let noise = Weights::initial(config, 4);
    let shift = noise.values.iter().rev();
    weights.values.iter_mut().zip(shift).for_each(|(w, n)| *w += 0.3 * n.clamp(-0.5, 0.5));
    weights
}

pub fn odd_models() -> Vec<ModelConfig> {
    let base = ModelConfig::default();
    vec![
        ModelConfig {
            n_layers: 3,
            n_heads: 5,
            d_model: 40,
            d_head: 8,
            d_mlp: 100,
            n_ctx: 37,
            ..base.clone()
        },
        ModelConfig { n_heads: 1, d_model: 7, d_head: 3, d_mlp: 5, n_ctx: 1, d_vocab: 2, ..base.clone() },
        ModelConfig { n_layers: 2, d_mlp: 0, n_ctx: 65, ..base.clone() },
        ModelConfig {
            act_fn: Activation::Gelu,
            normalization_type: Normalization::None,
            n_ctx: 33,
            ..base.clone()
        },
        ModelConfig {
            act_fn: Activation::Relu,
            normalization_type: Normalization::LnPre,
            n_ctx: 20,
            ..base.clone()
        },
        ModelConfig { normalization_type: Normalization::None, n_ctx: 20, d_vocab: 300, ..base.clone() },
    ]
    .into_iter()
    .chain(every_setting(&ModelConfig { n_heads: 3, d_model: 20, d_head: 6, d_mlp: 28, n_ctx: 35, ..base }))
    .collect()
}

/// Models around `base`, which between them have every value of every setting.
pub fn every_setting(base: &ModelConfig) -> Vec<ModelConfig> {
    vec![
        ModelConfig {
            act_fn: Activation::Silu,
            normalization_type: Normalization::Rms,
            positional_embedding_type: PositionEmbedding::Rotary,
            rotary_dim: Some(base.d_head / 4 * 2),
            rotary_adjacent_pairs: true,
            rotary_base: 50.0,
            ..base.clone()
        },
        ModelConfig {
            act_fn: Activation::GeluNew,
            normalization_type: Normalization::RmsPre,
            positional_embedding_type: PositionEmbedding::Shortformer,
            attention_dir: AttentionDirection::Bidirectional,
            ..base.clone()
        },
        ModelConfig {
            act_fn: Activation::Solu,
            positional_embedding_type: PositionEmbedding::None,
            pad_token: Some(1),
            eps: 0.03,
            ..base.clone()
        },
        ModelConfig {
            positional_embedding_type: PositionEmbedding::Shortformer,
            use_attn_scale: false,
            ..base.clone()
        },
        ModelConfig {
            normalization_type: Normalization::Rms,
            positional_embedding_type: PositionEmbedding::Rotary,
            attention_dir: AttentionDirection::Bidirectional,
            pad_token: Some(0),
            attn_scale: 1.7,
            ..base.clone()
        },
        ModelConfig { attn_only: true, normalization_type: Normalization::Rms, ..base.clone() },
    ]
}
