//! Files of edits: read, checked against a model and the names of its task, and written.

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::edit::{Hook, PatternKind};
use super::ids::HeadId;
use super::places::Places;
use super::rule::{Becomes, EditDirection, EditRule, Reader, Site};
use super::rule_table::{DirectionTable, EditTable, Name, ReaderTable, To};
use crate::task::{Class, Task, Token, Vocabulary};

/// A file of edits that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EditsError {
    /// Not a list of edits.
    #[error("{}", .0.to_string().trim_end())]
    Toml(#[from] toml::de::Error),
    /// Cannot be written.
    #[error("cannot be written: {0}")]
    Unwritten(#[from] toml::ser::Error),
    /// No tables `[[edit]]`.
    #[error("no edits: a file of edits has a table [[edit]] for each")]
    Empty,
    /// One that makes no sense.
    #[error("edit {number}: {why}")]
    Rule {
        /// Its place in the file, from 1.
        number: usize,
        /// The reason.
        why: String,
    },
}

/// A file of edits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    edit: Vec<EditTable>,
}

/// Reads a file of edits of a model whose tokens and classes are those of a task.
///
/// # Errors
/// Names the edit that makes no sense, and why.
pub fn read_edits(text: &str, c: &ModelConfig, task: &dyn Task) -> Result<Vec<EditRule>, EditsError> {
    let file: File = toml::from_str(text)?;
    if file.edit.is_empty() {
        return Err(EditsError::Empty);
    }
    let rule = |(at, table): (usize, EditTable)| {
        table.rule(c, task).map_err(|why| EditsError::Rule { number: at + 1, why })
    };
    file.edit.into_iter().enumerate().map(rule).collect()
}

/// The file of these edits.
///
/// # Errors
/// When a number cannot be written.
pub fn write_edits(edits: impl IntoIterator<Item = EditTable>) -> Result<String, EditsError> {
    Ok(toml::to_string(&File { edit: edits.into_iter().collect() })?)
}

/// Every site by its name.
fn site_called(name: &str, c: &ModelConfig) -> Result<Site, String> {
    let is_added = c.positional_embedding_type.is_in_stream();
    let hooks = Hook::ALL.into_iter().filter(|hook| hook.is_in(c)).map(Site::Of);
    let embeds = [Site::Embed].into_iter().chain(is_added.then_some(Site::PosEmbed));
    let all: Vec<Site> = embeds.chain(hooks).collect();
    let found = all.iter().find(|site| site.name() == name).copied();
    let names = || all.iter().map(|site| site.name()).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("site: no `{name}` in this model: {}", names()))
}

/// A token or class of a vocabulary.
fn named(key: &str, name: &Name, names: &Vocabulary) -> Result<Token, String> {
    let number = match name {
        Name::Text(text) => names.parse(text).map(usize::from),
        Name::Number(number) => Some(*number),
    };
    let number = number.filter(|number| *number < names.len());
    number.map(|number| number as Token).ok_or_else(|| format!("{key}: no `{name}`: {}", names.described()))
}

/// An index below `count`.
fn below(key: &str, what: &str, number: usize, count: usize) -> Result<usize, String> {
    if number < count {
        return Ok(number);
    }
    let last = count.saturating_sub(1);
    Err(format!("{key}: no {what} {number}: the model has {what}s 0 to {last}"))
}

impl EditTable {
    /// The edit, checked against a model and the names of a task.
    ///
    /// # Errors
    /// In words.
    pub fn rule(self, c: &ModelConfig, task: &dyn Task) -> Result<EditRule, String> {
        let site = site_called(&self.site, c)?;
        let is_embedding = !matches!(site, Site::Of(_));
        let layer = match self.layer {
            None if is_embedding || c.n_layers == 1 => 0,
            None => return Err("layer: missing".into()),
            Some(_) if is_embedding => return Err(format!("layer: {} is of no layer", self.site)),
            Some(layer) => below("layer", "layer", layer, c.n_layers)?,
        };
        let indices = self.indices(site, c)?;
        let names = task.vocabulary();
        let places = |key: &str, text: &Option<String>| {
            let parse = |text: &String| Places::parse(text, names, c.n_ctx);
            text.as_ref().map(parse).transpose().map_err(|why| format!("{key}: {why}"))
        };
        let positions = places("positions", &self.positions)?;
        let becomes = self.becomes(site, places("hide", &self.hide)?, task)?;
        if let Becomes::From(tokens) = &becomes
            && tokens.len() > c.n_ctx
        {
            return Err(format!("from: {} tokens: the model takes at most {}", tokens.len(), c.n_ctx));
        }
        let reader = self.reader.as_ref().map(|reader| reader.reader(c)).transpose()?;
        if let Some(reader) = reader {
            reader.check(site, layer)?;
        }
        Ok(EditRule { site, layer, indices, places: positions, becomes, reader, table: self })
    }

    fn indices(&self, site: Site, c: &ModelConfig) -> Result<Vec<usize>, String> {
        let (is_of_heads, is_of_neurons) = match site {
            Site::Of(hook) => (hook.is_of_heads(), matches!(hook, Hook::Pre | Hook::Post)),
            _ => (false, false),
        };
        let given = [("heads", &self.heads, is_of_heads), ("neurons", &self.neurons, is_of_neurons)];
        let count = site.indices(c);
        for (key, named, has) in given {
            let Some(named) = named else { continue };
            let what = key.trim_end_matches('s');
            if !has {
                return Err(format!("{key}: {} belongs to no {what}", self.site));
            }
            if named.is_empty() {
                return Err(format!("{key}: none: leave the key out for all"));
            }
            if let Some(twice) = (1..named.len()).find(|at| named[..*at].contains(&named[*at])) {
                return Err(format!("{key}: {} twice", named[twice]));
            }
            return named.iter().map(|number| below(key, what, *number, count)).collect();
        }
        Ok((0..count).collect())
    }

    fn becomes(&self, site: Site, hidden: Option<Places>, task: &dyn Task) -> Result<Becomes, String> {
        let direction = || match &self.direction {
            None => Err("direction: missing".to_owned()),
            Some(direction) => direction.direction(site, task.outputs()),
        };
        let from = |names: &Vec<Name>| {
            names.iter().map(|name| named("from", name, task.vocabulary())).collect::<Result<Vec<_>, _>>()
        };
        let finite = |key: &str, value: f32| {
            if value.is_finite() { Ok(value) } else { Err(format!("{key}: not a finite number")) }
        };
        let is_pattern = site == Site::Of(Hook::Pattern);
        let mut found = Vec::new();
        if let Some(to) = self.to {
            found.push(match to {
                To::Zero => Becomes::Zero,
                To::Mean => Becomes::Mean,
                To::MeanPosition => Becomes::MeanPosition,
                To::Resample => Becomes::Resample,
                To::Without => Becomes::Without(direction()?),
                To::Uniform => Becomes::Pattern(PatternKind::Uniform),
                To::Identity => Becomes::Pattern(PatternKind::Identity),
                To::Previous => Becomes::Pattern(PatternKind::Previous),
            });
        }
        if let Some(names) = &self.from {
            found.push(Becomes::From(from(names)?));
        }
        if let Some(value) = self.set {
            found.push(Becomes::Set(finite("set", value)?));
        }
        if let Some(value) = self.add {
            let direction = self.direction.is_some().then(direction).transpose()?;
            found.push(Becomes::Add(finite("add", value)?, direction));
        }
        if let Some(value) = self.scale {
            found.push(Becomes::Scale(finite("scale", value)?));
        }
        if let Some([low, high]) = self.clamp {
            let (low, high) = (finite("clamp", low)?, finite("clamp", high)?);
            if low > high {
                return Err(format!("clamp: {low} is more than {high}"));
            }
            found.push(Becomes::Clamp(low, high));
        }
        found.extend(hidden.map(Becomes::Unseen));
        let [one] = <[Becomes; 1]>::try_from(found).map_err(|found| {
            let keys = "one of to, from, set, add, scale, clamp and hide";
            format!("{} says what the values become, here {}", keys, found.len())
        })?;
        if matches!(&one, Becomes::From(tokens) if tokens.is_empty()) {
            return Err("from: no tokens".into());
        }
        let takes_direction = matches!(one, Becomes::Add(..) | Becomes::Without(_));
        if self.direction.is_some() && !takes_direction {
            return Err("direction: only of add, and of to = \"without\"".into());
        }
        let of_values = matches!(
            one,
            Becomes::Zero
                | Becomes::Set(_)
                | Becomes::Add(..)
                | Becomes::Scale(_)
                | Becomes::Clamp(..)
                | Becomes::Without(_)
        );
        let of_patterns = matches!(one, Becomes::Pattern(_) | Becomes::Unseen(_));
        if is_pattern && of_values {
            let can = "mean, mean-position, resample, uniform, identity, previous, from and hide";
            return Err(format!("a pattern's rows sum to 1: {can} keep that"));
        }
        if !is_pattern && of_patterns {
            return Err(format!(
                "uniform, identity, previous and hide are of site \"pattern\", not {}",
                self.site
            ));
        }
        Ok(one)
    }
}

impl DirectionTable {
    fn direction(&self, site: Site, classes: &Vocabulary) -> Result<EditDirection, String> {
        let of = |key: &str, name: &Option<Name>| {
            name.as_ref().map(|name| named(&format!("direction.{key}"), name, classes)).transpose()
        };
        let given = (of("class", &self.class)?, of("mean", &self.mean)?, of("probe", &self.probe)?);
        let minus: Option<Class> = of("minus", &self.minus)?;
        let is_stream = !matches!(
            site,
            Site::Of(Hook::Q | Hook::K | Hook::V | Hook::Pattern | Hook::Z | Hook::Pre | Hook::Post)
        );
        match given {
            (Some(_), None, None) if !is_stream => Err(format!(
                "direction.class: an unembedding is of the residual stream, not of {}",
                site.name()
            )),
            (Some(class), None, None) => Ok(EditDirection::Class(class, minus)),
            (None, Some(class), None) => Ok(EditDirection::Mean(class, minus)),
            (None, None, Some(_)) if minus.is_some() => Err("direction.minus: not of a probe".into()),
            (None, None, Some(class)) => Ok(EditDirection::Probe(class)),
            _ => Err("direction: one of class, mean and probe".into()),
        }
    }
}

impl ReaderTable {
    fn reader(&self, c: &ModelConfig) -> Result<Reader, String> {
        let layer = || match self.layer {
            Some(layer) => below("reader.layer", "layer", layer, c.n_layers),
            None => Err("reader.layer: missing".into()),
        };
        let head = |part: Hook| {
            let head = self.head.ok_or("reader.head: missing")?;
            let id = HeadId { layer: layer()?, head: below("reader.head", "head", head, c.n_heads)? };
            Ok(Reader::Head(part, id))
        };
        match self.site.as_str() {
            "q" => head(Hook::Q),
            "k" => head(Hook::K),
            "v" => head(Hook::V),
            "mlp" if !c.has_mlp() => Err("reader.site: this model has no MLPs".into()),
            "mlp" => Ok(Reader::Mlp(layer()?)),
            "logits" => Ok(Reader::Logits),
            other => Err(format!("reader.site: no `{other}`: q, k, v, mlp and logits read the stream")),
        }
    }
}

impl Reader {
    /// Whether what a site of a layer writes reaches this reader.
    fn check(self, site: Site, layer: usize) -> Result<(), String> {
        let writes_after = match site {
            Site::Embed | Site::PosEmbed => 0,
            Site::Of(Hook::Z | Hook::AttnOut) => 2 * layer + 1,
            Site::Of(Hook::Post | Hook::MlpOut) => 2 * layer + 2,
            Site::Of(_) => {
                let can = "embed, pos_embed, z, attn_out, post and mlp_out";
                return Err(format!("reader: {} writes nothing to the stream: {can} do", site.name()));
            }
        };
        let reads = match self {
            Self::Head(_, id) => 2 * id.layer,
            Self::Mlp(layer) => 2 * layer + 1,
            Self::Logits => usize::MAX,
        };
        let late = || Err(format!("reader: {} of layer {layer} is written after it is read", site.name()));
        if writes_after <= reads { Ok(()) } else { late() }
    }
}
