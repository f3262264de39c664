//! Some settings of a model, from a file or a user, to complete those that the tensors imply.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::config::ModelConfig;

/// Settings by name, and their source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelSettings {
    /// By TransformerLens' names.
    pub values: Map<String, Value>,
    /// Their source, for messages.
    pub place: String,
}

/// TransformerLens settings that change the results and that no model here supports, with their neutral value; `null` is
/// neutral too.
const UNSUPPORTED: [(&str, &str); 25] = [
    ("gated_mlp", "false"),
    ("parallel_attn_mlp", "false"),
    ("use_local_attn", "false"),
    ("scale_attn_by_inverse_layer_idx", "false"),
    ("n_key_value_heads", "null"),
    ("use_qk_norm", "false"),
    ("clip_qkv", "null"),
    ("use_logn_attn", "false"),
    ("use_attention_sinks", "false"),
    ("post_embedding_ln", "false"),
    ("use_normalization_before_and_after", "false"),
    ("rmsnorm_uses_offset", "false"),
    ("final_rms", "false"),
    ("num_experts", "null"),
    ("attn_scores_soft_cap", "-1"),
    ("output_logits_soft_cap", "-1"),
    ("use_NTK_by_parts_rope", "false"),
    ("use_dynamic_ntk_rope", "false"),
    ("use_yarn_rope", "false"),
    ("rope_scaling", "null"),
    ("rotary_scaling_factor", "1"),
    ("rotary_interleaved_cos_sin", "false"),
    ("per_layer_head_dim", "null"),
    ("per_layer_num_key_value_heads", "null"),
    ("scale_embedding", "false"),
];

impl ModelSettings {
    /// Every setting of a model.
    pub fn of(config: &ModelConfig) -> Self {
        let values = match serde_json::to_value(config) {
            Ok(Value::Object(values)) => values,
            _ => Map::new(),
        };
        Self { values, place: String::new() }
    }

    /// Reads a JSON object of settings: ours, TransformerLens' `cfg.to_dict()`, or a run's settings with the model's
    /// inside. Ignores settings without effect on the results.
    ///
    /// # Errors
    /// Says what is wrong, or names the unsupported setting.
    pub fn from_json(text: &str, place: String) -> Result<Self, String> {
        let mut all: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if let Some(Value::Object(model)) = all.remove("model") {
            all = model;
        }
        simplify(&mut all);
        let known = keys_of::<ModelConfig>();
        let strange = |(key, value): &(&String, &Value)| !known.contains(key) && !is_neutral(key, value);
        if let Some((key, value)) = all.iter().find(strange) {
            return Err(format!("{key} = {value} is not supported"));
        }
        let values: Map<_, _> = all.into_iter().filter(|(key, _)| known.contains(key)).collect();
        for (key, value) in &values {
            let alone = Value::Object(Map::from_iter([(key.clone(), value.clone())]));
            serde_json::from_value::<ModelConfig>(alone)
                .map_err(|error| format!("{key} = {value}: {error}"))?;
        }
        Ok(Self { values, place })
    }

    /// Settings of known names.
    pub fn new(mut values: Map<String, Value>, place: String) -> Self {
        simplify(&mut values);
        Self { values, place }
    }
}

/// Architecture of models that TransformerLens 4 makes itself.
const NATIVE: &str = "TransformerLensNative";

/// Leaves one way to say each thing, and nothing without effect.
fn simplify(all: &mut Map<String, Value>) {
    let is = |all: &Map<String, Value>, key: &str, value: Value| all.get(key) == Some(&value);
    if is(all, "attn_only", json!(true)) {
        all.insert("d_mlp".into(), json!(0));
        all.remove("act_fn");
    }
    all.remove("attn_only");
    if let Some(norm @ Value::Null) = all.get_mut("normalization_type") {
        *norm = json!("none");
    }
    let is_rms =
        is(all, "normalization_type", json!("RMS")) || is(all, "normalization_type", json!("RMSPre"));
    if is(all, "architecture", json!(NATIVE)) {
        // It rotates adjacent pairs and divides scores whatever these settings say.
        if is(all, "positional_embedding_type", json!("rotary")) {
            all.insert("rotary_adjacent_pairs".into(), json!(true));
        }
        if is(all, "use_attn_scale", json!(false)) {
            all.remove("attn_scale");
        }
        all.remove("use_attn_scale");
    }
    let number = |key: &str| all.get(key).and_then(Value::as_f64);
    let scale = number("attn_scale").map(|scale| {
        let is_automatic = number("d_head").is_some_and(|d_head| (scale / d_head.sqrt() - 1.0).abs() < 1e-6);
        if is_automatic { -1.0 } else { scale }
    });
    if let Some(scale) = scale {
        all.insert("attn_scale".into(), json!(scale));
    }
    let heads = all.get("n_heads").cloned();
    all.retain(|key, value| match key.as_str() {
        _ if value.is_null() => false,
        "d_vocab_out" => *value != json!(-1),
        "final_rms" => !is_rms,
        "n_key_value_heads" => heads.as_ref() != Some(value),
        _ => true,
    });
}

/// Whether two settings are the same value; 1 is 1.0.
pub(super) fn is_same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|a| b.as_f64().is_some_and(|b| a.to_bits() == b.to_bits()))
}

fn is_neutral(key: &str, value: &Value) -> bool {
    let Some((_, neutral)) = UNSUPPORTED.iter().find(|(name, _)| *name == key) else { return true };
    let is_off = key.ends_with("_soft_cap") && value.as_f64().is_some_and(|cap| cap <= 0.0);
    is_off || is_same(value, &serde_json::from_str(neutral).unwrap_or_default())
}

/// Names of the settings of a configuration that rejects unknown ones.
pub fn keys_of<T: DeserializeOwned>() -> Vec<String> {
    let unknown = serde_json::from_value::<T>(json!({ "?": 0 })).map_err(|error| error.to_string());
    unknown.err().map_or_else(Vec::new, |message| backticked(&message).skip(1).map(Into::into).collect())
}

/// The names in backticks in serde's messages: the name found, then those expected.
pub fn backticked(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}
