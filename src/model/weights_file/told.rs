//! Determines the model of a file's tensors: from the tensors, the file's metadata and the user's settings; names the
//! settings that remain undetermined.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use serde_json::{Map, Value};

use super::Problem;
use crate::model::config::ModelConfig;
use crate::model::layout::Layout;
use crate::model::parts::{Activation, Normalization};
use crate::model::settings::ModelSettings;

type Tensors<'a> = BTreeMap<String, TensorView<'a>>;

/// The one model with these tensors and all of these settings.
pub(super) fn settle(tensors: &Tensors<'_>, said: &[&ModelSettings]) -> Result<ModelConfig, Problem> {
    let dimensions = dimensions(tensors)?;
    let mut candidates = candidates(&dimensions, tensors)?;
    let mut by = BTreeMap::new();
    for settings in said {
        for (key, value) in &settings.values {
            let fits = |candidate: &Map<String, Value>| candidate.get(key).is_none_or(|own| own == value);
            if !candidates.iter().any(fits) {
                return Err(contradiction((key, value), settings, &candidates, by.get(key)));
            }
            candidates.retain(fits);
            candidates.iter_mut().for_each(|candidate| drop(candidate.insert(key.clone(), value.clone())));
            by.insert(key.clone(), settings.place.clone());
        }
    }
    let open: Vec<String> = candidates[0].keys().filter_map(|key| question(key, &candidates)).collect();
    if !open.is_empty() {
        return Err(Problem::Untold(open.join(", ")));
    }
    let config = candidates.swap_remove(0);
    let config: Result<ModelConfig, _> = serde_json::from_value(Value::Object(config));
    Ok(config.map_err(|error| Problem::Format(format!("its config: {error}")))?.canonical())
}

/// The settings that distinguish the candidates: `act_fn ("gelu" or "relu")`.
fn question(key: &str, candidates: &[Map<String, Value>]) -> Option<String> {
    let choices = choices(key, candidates);
    (choices.len() > 1).then(|| format!("{key} ({})", choices.join(" or ")))
}

fn choices(key: &str, candidates: &[Map<String, Value>]) -> Vec<String> {
    let mut choices: Vec<String> = Vec::new();
    for value in candidates.iter().filter_map(|candidate| candidate.get(key)).map(Value::to_string) {
        if !choices.contains(&value) {
            choices.push(value);
        }
    }
    choices
}

fn contradiction(
    (key, value): (&str, &Value),
    settings: &ModelSettings,
    candidates: &[Map<String, Value>],
    by: Option<&String>,
) -> Problem {
    let whose = by.map_or("the tensors", String::as_str);
    Problem::Contradiction {
        ours: format!("model.{key} = {value} ({})", settings.place),
        theirs: format!("{} ({whose})", choices(key, candidates).join(" or ")),
    }
}

fn shape<const N: usize>(tensors: &Tensors<'_>, name: &str) -> Result<[usize; N], Problem> {
    let found = tensors.get(name).ok_or_else(|| Problem::Missing(name.into()))?.shape();
    found.try_into().map_err(|_| Problem::Rank { name: name.into(), found: found.into(), wanted: N })
}

/// The dimensions that follow from shapes alone.
fn dimensions(tensors: &Tensors<'_>) -> Result<ModelConfig, Problem> {
    let [d_vocab, d_model] = shape(tensors, "embed.W_E")?;
    let [n_ctx, _] = shape(tensors, "pos_embed.W_pos")?;
    let [_, outputs] = shape(tensors, "unembed.W_U")?;
    let d_vocab_out = Some(outputs);
    let [n_heads, _, d_head] = shape(tensors, "blocks.0.attn.W_Q")?;
    let layer = |name: &String| name.strip_prefix("blocks.")?.split('.').next()?.parse::<usize>().ok();
    let n_layers = tensors.keys().filter_map(layer).max().unwrap_or_default().saturating_add(1);
    let has_mlp = tensors.contains_key("blocks.0.mlp.W_in");
    let d_mlp = if has_mlp { shape::<2>(tensors, "blocks.0.mlp.W_in")?[1] } else { 0 };
    let sizes = ModelConfig { n_layers, n_heads, d_model, d_head, d_mlp, n_ctx, ..ModelConfig::default() };
    let told = ModelConfig { d_vocab, d_vocab_out, ..sizes };
    told.validate()?;
    Ok(told)
}

/// Settings that the tensors determine, each with every value that gives a model exactly these tensors, counting only
/// tensors that differ between models.
fn candidates(told: &ModelConfig, tensors: &Tensors<'_>) -> Result<Vec<Map<String, Value>>, Problem> {
    let forms: Vec<(ModelConfig, Vec<String>)> =
        forms(told).map(|form| (form.clone(), names(&form))).collect();
    let telling = tensors.keys().filter(|name| forms.iter().any(|(_, names)| names.contains(name)));
    let telling: Vec<&String> = telling.collect();
    let missing = |names: &[String]| names.iter().filter(|name| !tensors.contains_key(*name)).count();
    let fits = |names: &[String]| telling.iter().all(|name| names.contains(name));
    let fitting = forms.iter().filter(|(_, names)| fits(names) && missing(names) == 0);
    let candidates: Vec<_> = fitting.map(|(form, _)| settings(form, told.n_layers)).collect();
    if candidates.is_empty() {
        let nearest = forms.iter().map(|(_, names)| names).min_by_key(|names| (!fits(names), missing(names)));
        let mut absent = nearest.into_iter().flatten().filter(|name| !tensors.contains_key(*name));
        return Err(Problem::Missing(absent.next().cloned().unwrap_or_default()));
    }
    Ok(candidates)
}

/// All models of one layer with these dimensions.
fn forms(told: &ModelConfig) -> impl Iterator<Item = ModelConfig> {
    let activations = if told.has_mlp() { &Activation::ALL[..] } else { &Activation::ALL[..1] };
    Normalization::ALL.into_iter().flat_map(move |normalization_type| {
        let form = ModelConfig { normalization_type, n_layers: 1, ..told.clone() };
        activations.iter().map(move |&act_fn| ModelConfig { act_fn, ..form.clone() })
    })
}

fn names(form: &ModelConfig) -> Vec<String> {
    Layout::new(form).tensors().iter().map(|tensor| tensor.name.clone()).collect()
}

fn settings(form: &ModelConfig, n_layers: usize) -> Map<String, Value> {
    let sizes = ["n_layers", "n_heads", "d_model", "d_head", "d_mlp", "n_ctx", "d_vocab", "d_vocab_out"];
    let told = sizes.into_iter().chain(["normalization_type"]);
    let told = told.chain(form.has_mlp().then_some("act_fn"));
    let all = ModelSettings::of(&ModelConfig { n_layers, ..form.clone() });
    told.filter_map(|key| Some((key.to_owned(), all.values.get(key)?.clone()))).collect()
}
