//! Determines the model of a file's tensors: from the tensors, the file's metadata and the user's settings, then from
//! TransformerLens' defaults; names the settings that remain undetermined.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Problem;
use super::tensors::Tensors;
use crate::model::config::ModelConfig;
use crate::model::layout::Layout;
use crate::model::parts::{Activation, Normalization, PositionEmbedding};
use crate::model::settings::{ModelSettings, is_same};

const W_POS: &str = "pos_embed.W_pos";

/// The one model with these tensors and all of these settings.
pub(super) fn settle(tensors: &Tensors<'_>, said: &[&ModelSettings]) -> Result<ModelConfig, Problem> {
    let sizes = Sizes::of(tensors)?;
    let mut candidates = candidates(&sizes, tensors)?;
    let mut by = BTreeMap::new();
    for settings in said {
        for (key, value) in &settings.values {
            let fits = |candidate: &Map<String, Value>| {
                candidate.get(key).is_none_or(|own| is_same(own, value)) && sizes.allow(candidate, key, value)
            };
            if !candidates.iter().any(fits) {
                return Err(contradiction((key, value), settings, (&candidates, &sizes), by.get(key)));
            }
            candidates.retain(fits);
            candidates.iter_mut().for_each(|candidate| drop(candidate.insert(key.clone(), value.clone())));
            by.insert(key.clone(), settings.place.clone());
        }
    }
    choose_default(&mut candidates);
    candidates.iter_mut().for_each(|candidate| sizes.complete(candidate));
    let open = candidates[0].keys().filter_map(|key| question(key, &candidates));
    let open: Vec<String> = open.chain(sizes.questions(&candidates[0])).collect();
    if !open.is_empty() {
        return Err(Problem::Untold(open.join(", ")));
    }
    let config = candidates.swap_remove(0);
    let config: Result<ModelConfig, _> = serde_json::from_value(Value::Object(config));
    let config = config.map_err(|error| Problem::Format(format!("its config: {error}")))?.canonical();
    refuse_positions(&config, tensors).map(|()| config)
}

/// Of models that differ in their positions, the one with TransformerLens' default.
fn choose_default(candidates: &mut Vec<Map<String, Value>>) {
    let is_default = |candidate: &Map<String, Value>| candidate.get(POSITIONS) == Some(&json!("standard"));
    if candidates.iter().any(is_default) {
        candidates.retain(is_default);
    }
}

const POSITIONS: &str = "positional_embedding_type";

/// Rejects a position embedding that the model would leave out.
fn refuse_positions(config: &ModelConfig, tensors: &Tensors<'_>) -> Result<(), Problem> {
    let is_none = config.positional_embedding_type == PositionEmbedding::None;
    let is_zero = tensors.values(W_POS).is_none_or(|values| values.iter().all(|x| *x == 0.0));
    if !is_none || is_zero {
        return Ok(());
    }
    Err(Problem::Contradiction {
        ours: format!("model.{POSITIONS} = \"none\""),
        theirs: format!("`{}`, which is not 0", tensors.own_name(W_POS)),
    })
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
    (candidates, sizes): (&[Map<String, Value>], &Sizes),
    by: Option<&String>,
) -> Problem {
    let whose = by.map_or("the tensors", String::as_str);
    let theirs = match choices(key, candidates) {
        none if none.is_empty() => format!("n_heads * d_head = {}", sizes.heads.1),
        choices => choices.join(" or "),
    };
    Problem::Contradiction {
        ours: format!("model.{key} = {value} ({})", settings.place),
        theirs: format!("{theirs} ({whose})"),
    }
}

/// The dimensions that follow from shapes alone.
struct Sizes {
    /// All but those below, which are 1.
    told: ModelConfig,
    /// `n_ctx`, if there is a position embedding.
    n_ctx: Option<usize>,
    /// Number of heads if known, and the width of all together.
    heads: (Option<usize>, usize),
}

impl Sizes {
    fn of(tensors: &Tensors<'_>) -> Result<Self, Problem> {
        let [d_vocab, d_model] = tensors.shape("embed.W_E")?;
        let n_ctx = if tensors.has(W_POS) { Some(tensors.shape::<2>(W_POS)?[0]) } else { None };
        let d_vocab_out = Some(tensors.columns("unembed.W_U")?);
        let heads = if tensors.is_linear() {
            (None, tensors.shape::<2>("blocks.0.attn.W_Q")?[0])
        } else {
            let [n_heads, _, d_head] = tensors.shape("blocks.0.attn.W_Q")?;
            (Some(n_heads), n_heads.saturating_mul(d_head))
        };
        let layer = |name: &String| name.strip_prefix("blocks.")?.split('.').next()?.parse::<usize>().ok();
        let n_layers = tensors.names().filter_map(layer).max().unwrap_or_default().saturating_add(1);
        let has_mlp = tensors.has("blocks.0.mlp.W_in");
        let d_mlp = if has_mlp { tensors.columns("blocks.0.mlp.W_in")? } else { 0 };
        let n_heads = heads.0.unwrap_or(1);
        let d_head = heads.1 / n_heads.max(1);
        let sizes = ModelConfig { n_layers, n_heads, d_model, d_head, d_mlp, ..ModelConfig::default() };
        let told = ModelConfig { d_vocab, d_vocab_out, n_ctx: n_ctx.unwrap_or(1), ..sizes };
        told.validate()?;
        Ok(Self { told, n_ctx, heads })
    }

    /// The settings that are told.
    fn keys(&self) -> impl Iterator<Item = &'static str> {
        let heads = self.heads.0.map(|_| ["n_heads", "d_head"]);
        let always = ["n_layers", "d_model", "d_mlp", "d_vocab", "d_vocab_out"];
        always.into_iter().chain(heads.into_iter().flatten()).chain(self.n_ctx.map(|_| "n_ctx"))
    }

    /// Whether a setting agrees with the width of all heads together, and with the other setting of heads if known.
    fn allow(&self, candidate: &Map<String, Value>, key: &str, value: &Value) -> bool {
        let other = match key {
            "n_heads" => candidate.get("d_head"),
            "d_head" => candidate.get("n_heads"),
            _ => return true,
        };
        let (width, other) = (self.heads.1 as u64, other.and_then(Value::as_u64));
        value.as_u64().is_some_and(|value| match other {
            Some(other) => value.checked_mul(other) == Some(width),
            None => value > 0 && width.is_multiple_of(value),
        })
    }

    /// Adds the number of heads, given their width, or the reverse.
    fn complete(&self, candidate: &mut Map<String, Value>) {
        for (known, other) in [("n_heads", "d_head"), ("d_head", "n_heads")] {
            let size = candidate.get(known).and_then(Value::as_u64).filter(|size| *size > 0);
            if let Some(size) = size.filter(|_| !candidate.contains_key(other)) {
                candidate.insert(other.into(), json!(self.heads.1 as u64 / size));
            }
        }
    }

    /// The dimensions that neither tensors nor settings tell.
    fn questions(&self, candidate: &Map<String, Value>) -> Vec<String> {
        let width = self.heads.1;
        let questions = [
            ("n_ctx", "n_ctx (the most positions)".to_owned()),
            ("n_heads", format!("n_heads (heads that are {width} wide together)")),
        ];
        let open = questions.into_iter().filter(|(key, _)| !candidate.contains_key(*key));
        open.map(|(_, question)| question).collect()
    }
}

/// Settings that the tensors determine, each with every value that gives a model exactly these tensors, counting only
/// tensors that differ between models.
fn candidates(sizes: &Sizes, tensors: &Tensors<'_>) -> Result<Vec<Map<String, Value>>, Problem> {
    let forms: Vec<(ModelConfig, Vec<String>)> =
        forms(&sizes.told).map(|form| (form.clone(), names(&form))).collect();
    let telling = tensors.names().filter(|name| forms.iter().any(|(_, names)| names.contains(name)));
    let telling: Vec<&String> = telling.collect();
    let has_biases = telling.iter().any(|name| is_bias(name));
    let is_missing =
        |name: &&String| !(tensors.has(name) || is_bias(name) || is_norm_bias(name) && !has_biases);
    let missing = |names: &[String]| names.iter().filter(is_missing).count();
    let fits = |form: &ModelConfig, names: &[String]| {
        let is_zero = |name: &str| name == W_POS && form.positional_embedding_type == PositionEmbedding::None;
        telling.iter().all(|name| names.contains(name) || is_zero(name))
    };
    let fitting = forms.iter().filter(|(form, names)| fits(form, names) && missing(names) == 0);
    let candidates: Vec<_> = fitting.map(|(form, _)| settings(form, sizes)).collect();
    if !candidates.is_empty() {
        return Ok(candidates);
    }
    if tensors.has(INNER_NORM) && !tensors.has("blocks.0.ln1.b") {
        let what = "a norm of the neurons with a weight, without such layer norms,";
        return Err(Problem::Unsupported { name: tensors.own_name(INNER_NORM), what });
    }
    let nearest = forms.iter().min_by_key(|(form, names)| (!fits(form, names), missing(names)));
    let absent = nearest.and_then(|(_, names)| names.iter().find(is_missing));
    Err(Problem::Missing(absent.map_or(String::new(), |name| tensors.own_name(name))))
}

const INNER_NORM: &str = "blocks.0.mlp.ln.w";

/// Whether a weight is the bias of a matrix.
pub(super) fn is_bias(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|leaf| leaf.starts_with("b_"))
}

/// Whether a weight is the bias of a norm.
pub(super) fn is_norm_bias(name: &str) -> bool {
    name.rsplit('.').next() == Some("b")
}

/// All models of one layer with these dimensions.
fn forms(told: &ModelConfig) -> impl Iterator<Item = ModelConfig> {
    let activations = if told.has_mlp() { &Activation::ALL[..] } else { &Activation::ALL[..1] };
    let positions = PositionEmbedding::ALL.into_iter();
    Normalization::ALL.into_iter().flat_map(move |normalization_type| {
        positions.clone().flat_map(move |positional_embedding_type| {
            let form =
                ModelConfig { normalization_type, positional_embedding_type, n_layers: 1, ..told.clone() };
            activations.iter().map(move |&act_fn| ModelConfig { act_fn, ..form.clone() })
        })
    })
}

fn names(form: &ModelConfig) -> Vec<String> {
    Layout::new(form).tensors().iter().map(|tensor| tensor.name.clone()).collect()
}

fn settings(form: &ModelConfig, sizes: &Sizes) -> Map<String, Value> {
    let told = sizes.keys().chain(["normalization_type"]).chain(form.has_mlp().then_some("act_fn"));
    let all = ModelSettings::of(&ModelConfig { n_layers: sizes.told.n_layers, ..form.clone() });
    let told = told.filter_map(|key| Some((key.to_owned(), all.values.get(key)?.clone())));
    told.chain([(POSITIONS.to_owned(), json!(form.positional_embedding_type))]).collect()
}
