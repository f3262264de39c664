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

/// TransformerLens settings that change the results and that no model here supports, with their neutral value; -1 and
/// `null` are neutral too.
const UNSUPPORTED: [(&str, &str); 21] = [
    ("gated_mlp", "false"),
    ("parallel_attn_mlp", "false"),
    ("use_local_attn", "false"),
    ("scale_attn_by_inverse_layer_idx", "false"),
    ("n_key_value_heads", "null"),
    ("use_qk_norm", "false"),
    ("post_embedding_ln", "false"),
    ("use_normalization_before_and_after", "false"),
    ("rmsnorm_uses_offset", "false"),
    ("final_rms", "false"),
    ("num_experts", "null"),
    ("attn_scores_soft_cap", "-1"),
    ("output_logits_soft_cap", "-1"),
    ("use_NTK_by_parts_rope", "false"),
    ("scale_embedding", "false"),
    ("eps", "0.00001"),
    ("positional_embedding_type", "\"standard\""),
    ("attention_dir", "\"causal\""),
    ("use_attn_scale", "true"),
    ("attn_scale", "-1"),
    ("rotary_dim", "null"),
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
        complete(&mut all);
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
}

/// Converts TransformerLens' alternative settings to ours.
fn complete(all: &mut Map<String, Value>) {
    if all.get("attn_only") == Some(&json!(true)) {
        all.insert("d_mlp".into(), json!(0));
        all.remove("act_fn");
    }
    if let Some(norm @ Value::Null) = all.get_mut("normalization_type") {
        *norm = json!("none");
    }
    all.retain(|key, value| !(value.is_null() || key == "d_vocab_out" && *value == json!(-1)));
}

fn is_neutral(key: &str, value: &Value) -> bool {
    let wanted = UNSUPPORTED.iter().find(|(name, _)| *name == key);
    let number = |value: &Value| value.as_f64();
    wanted.is_none_or(|(_, neutral)| {
        let neutral: Value = serde_json::from_str(neutral).unwrap_or_default();
        *value == neutral || (number(value).is_some() && number(value) == number(&neutral))
    })
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
