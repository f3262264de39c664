//! Settings as a user writes them. Each is checked alone, so that an error names the setting and its place, in words of
//! the file and not of the program.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value as Json;
use toml::de::DeTable;
use toml::{Spanned, Table, Value};

use super::config::RunConfig;
use super::config_error::RunConfigError;
use crate::model::{ModelConfig, ModelSettings, backticked, keys_of};
use crate::task::{DataSource, Listing, Shape};

/// Some settings of a run, each with a known name and a value of the right type.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    table: Table,
}

impl Settings {
    /// Reads TOML, `[model] act_fn` and the like; model settings may stand outside their table. JSON must hold model
    /// settings only, as TransformerLens' `cfg.to_dict()` writes them.
    ///
    /// # Errors
    /// Names the setting, the problem, and what would be valid.
    pub fn parse(text: &str) -> Result<Self, RunConfigError> {
        let text = without_mark(text);
        if text.trim_start().starts_with('{') {
            return Self::from_json(text);
        }
        let fail = |error: &toml::de::Error| RunConfigError::Text {
            problem: error.message().replace('\n', "; "),
            at: error.span().map(|span| place(text, span.start)),
        };
        let written = DeTable::parse(text).map_err(|error| fail(&error))?;
        let values: Table = toml::from_str(text).map_err(|error| fail(&error))?;
        let mut settings = Self::default();
        settings.take(&mut Vec::new(), text, written.get_ref(), &values)?;
        Ok(settings)
    }

    fn from_json(text: &str) -> Result<Self, RunConfigError> {
        let fail = |problem: String| RunConfigError::Text { problem, at: None };
        let model = ModelSettings::from_json(text, String::new()).map_err(fail)?;
        let model = Value::try_from(model.values).map_err(|error| fail(error.to_string()))?;
        Ok(Self { table: Table::from_iter([("model".into(), model)]) })
    }

    /// The settings of the model.
    pub fn model(&self, place: &str) -> ModelSettings {
        let values = match self.table.get("model").map(serde_json::to_value) {
            Some(Ok(Json::Object(values))) => values,
            _ => serde_json::Map::new(),
        };
        ModelSettings::new(values, place.into())
    }

    /// `base` with these settings replaced. Not validated.
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn over(&self, base: &RunConfig) -> Result<RunConfig, RunConfigError> {
        let fail = |problem: &str| RunConfigError::Text { problem: problem.into(), at: None };
        let mut table = Table::try_from(base).map_err(|error| fail(&error.to_string()))?;
        merge(&mut table, &self.table);
        RunConfig::deserialize(table).map_err(|error| fail(error.message()))
    }

    /// A run with these settings, and the others from the recipe of its task. Not validated.
    ///
    /// # Errors
    /// When the task is unknown, or the settings contradict each other.
    pub fn run(&self) -> Result<RunConfig, RunConfigError> {
        let mut base = RunConfig::default();
        base.task.name = self.task().unwrap_or(&base.task.name).to_owned();
        let own = self.over(&base)?.task;
        if own.data.is_some() {
            return self.over(&base);
        }
        let recipe = own.definition()?.recipe;
        let recipe = Self::parse(&recipe(&own.definition()?.settings(&own.settings)))?;
        self.over(&recipe.over(&base)?)
    }

    /// The task's name, if it is set.
    pub fn task(&self) -> Option<&str> {
        self.table.get("task")?.get("name")?.as_str()
    }

    /// The data file, if one is set.
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn data(&self) -> Result<Option<DataSource>, RunConfigError> {
        Ok(self.over(&RunConfig::default())?.task.data)
    }

    /// Whether a setting of the task is set.
    pub fn has_task_setting(&self, key: &str) -> bool {
        self.table.get("task").is_some_and(|task| task.get(key).is_some())
    }

    /// These settings for a run on a data set: the task is that of the file, and the model's sizes follow from the
    /// sequences unless they are set.
    #[must_use]
    pub fn on_data(&self, listing: &Listing, source: &DataSource) -> Self {
        let Shape { n_ctx, d_vocab, d_vocab_out } = listing.shape();
        let number = |number: usize| Value::Integer(number as i64);
        let data = Value::try_from(source).expect("a path and a checksum are always representable");
        let named = |entries: &[(&str, Value)]| {
            Value::Table(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        let [n_ctx, d_vocab, d_vocab_out] = [n_ctx, d_vocab, d_vocab_out].map(number);
        let model = named(&[("n_ctx", n_ctx), ("d_vocab", d_vocab), ("d_vocab_out", d_vocab_out)]);
        let (name, sequences) = (Value::String(listing.name.clone()), number(listing.rows.len()));
        let task = named(&[("name", name), ("sequences", sequences)]);
        let mut table = Table::from_iter([("model".to_owned(), model), ("task".to_owned(), task)]);
        merge(&mut table, &self.table);
        // The file may be given by a relative path, and without its checksum.
        merge(&mut table, &nested(&["task".to_owned(), "data".to_owned()], &data));
        Self { table }
    }

    /// The seed, if it is set.
    pub fn seed(&self) -> Option<u64> {
        self.table.get("seed")?.as_integer()?.try_into().ok()
    }

    /// Adds a setting as `--set` takes it, `train.max_lr=0.01`; a string needs no quotes.
    ///
    /// # Errors
    /// Names the setting, the problem, and what would be valid.
    pub fn set(&mut self, assignment: &str) -> Result<(), RunConfigError> {
        let fail = |problem: &str| RunConfigError::Text { problem: problem.into(), at: None };
        let (key, value) = assignment.split_once('=').ok_or_else(|| fail("KEY=VALUE is needed"))?;
        let value = value.trim();
        let is_value = toml::from_str::<Table>(&format!("x = {value}")).is_ok_and(|table| table.len() == 1);
        let value = if is_value { value.to_owned() } else { Value::String(value.into()).to_string() };
        let set = Self::parse(&format!("{key} = {value}")).map_err(RunConfigError::without_place)?;
        merge(&mut self.table, &set.table);
        Ok(())
    }

    fn take(
        &mut self,
        path: &mut Vec<String>,
        text: &str,
        written: &DeTable<'_>,
        values: &Table,
    ) -> Result<(), RunConfigError> {
        for (key, place_of) in written {
            let Some(value) = values.get(key.get_ref().as_ref()) else { continue };
            let depth = path.len();
            path.extend(is_of_model(path, key.get_ref()).then(|| "model".to_owned()));
            path.push(key.get_ref().to_string());
            if let (Some(inner), Value::Table(values)) = (place_of.get_ref().as_table(), value) {
                check(path, text, key.span(), place_of, &Value::Table(Table::new()))?;
                self.take(path, text, inner, values)?;
            } else {
                check(path, text, key.span(), place_of, value)?;
                if merge(&mut self.table, &nested(path, value)) {
                    let problem = format!("{} is set twice", path.join("."));
                    return Err(RunConfigError::Text { problem, at: Some(place(text, key.span().start)) });
                }
            }
            path.truncate(depth);
        }
        Ok(())
    }
}

/// Whether a top-level key belongs to the model.
fn is_of_model(path: &[String], key: &str) -> bool {
    let is_in = |keys: Vec<String>| keys.iter().any(|own| own == key);
    path.is_empty() && !is_in(keys_of::<RunConfig>()) && is_in(keys_of::<ModelConfig>())
}

/// Adds settings to a table; returns whether one of them was already set.
fn merge(table: &mut Table, more: &Table) -> bool {
    let mut again = false;
    for (key, value) in more {
        again |= match (table.get_mut(key), value) {
            (Some(Value::Table(own)), Value::Table(more)) => merge(own, more),
            _ => table.insert(key.clone(), value.clone()).is_some(),
        };
    }
    again
}

fn nested(path: &[String], value: &Value) -> Table {
    match path {
        [key] => Table::from_iter([(key.clone(), value.clone())]),
        [key, rest @ ..] => Table::from_iter([(key.clone(), Value::Table(nested(rest, value)))]),
        [] => Table::new(),
    }
}

/// The program's own error for one setting alone.
fn refusal(path: &[String], value: &Value) -> Option<String> {
    RunConfig::deserialize(nested(path, value)).err().map(|error| error.message().to_owned())
}

fn check<T>(
    path: &[String],
    text: &str,
    key: Range<usize>,
    value_at: &Spanned<T>,
    value: &Value,
) -> Result<(), RunConfigError> {
    let Some(message) = refusal(path, value) else { return Ok(()) };
    let name = path.join(".");
    let mut names = backticked(&message);
    let (start, problem) = if message.starts_with("unknown field") {
        let choices: Vec<&str> = names.skip(1).collect();
        (
            key.start,
            format!("{name}: no such setting; {}", near(path.last().map_or("", String::as_str), &choices)),
        )
    } else {
        let written = text.get(value_at.span()).unwrap_or_default();
        let needed = match names.next().filter(|_| message.starts_with("unknown variant")) {
            Some(_) => format!("must be {}", listed(names)),
            None => needed(path, value, &message),
        };
        (value_at.span().start, format!("{name} = {}: {needed}", one_line(written)))
    };
    Err(RunConfigError::Text { problem, at: Some(place(text, start)) })
}

/// Describes the required value, from serde's name for its type.
fn needed(path: &[String], value: &Value, message: &str) -> String {
    let negative = matches!(value, Value::Integer(number) if *number < 0);
    let choices =
        refusal(path, &Value::String("?".into())).filter(|other| other.starts_with("unknown variant"));
    if let Some(choices) = choices.filter(|_| !value.is_str()) {
        return format!("must be {}", listed(backticked(&choices).skip(1)));
    }
    let expected = message.rsplit_once("expected ").map_or(message, |(_, expected)| expected);
    match expected.split_whitespace().next().unwrap_or_default() {
        "usize" | "u64" | "u32" | "u16" | "u8" if negative => "a whole number from 0 is needed".into(),
        "usize" | "u64" | "u32" | "u16" | "u8" | "i64" | "i32" => "a whole number is needed".into(),
        "f64" | "f32" => "a number is needed".into(),
        "struct" => format!("a table is needed, [{}]", path.join(".")),
        _ if expected == "a boolean" => "true or false is needed".into(),
        _ if expected == "a string" => "a text in quotes is needed".into(),
        _ => one_line(message),
    }
}

/// Suggests names: the nearest, or all.
fn near(found: &str, choices: &[&str]) -> String {
    let nearest = choices.iter().map(|name| (distance(found, name), name)).min();
    match nearest {
        Some((far, name)) if far <= found.len().div_ceil(3) => format!("did you mean {name}?"),
        _ => format!("there are {}", choices.join(", ")),
    }
}

fn listed<'a>(choices: impl Iterator<Item = &'a str>) -> String {
    choices.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// Edit distance in letters: add, remove, replace, or swap neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j - 1] + same).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// A value as written, shortened.
fn one_line(written: &str) -> String {
    const LONGEST: usize = 60;
    let line = written.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Text without a byte order mark, which some editors add.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Line and column, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    (before.matches('\n').count() + 1, column)
}

impl RunConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Names the key and what is wrong with it; see [`RunConfigError::position`] for where.
    pub fn parse(text: &str) -> Result<Self, RunConfigError> {
        let config = Settings::parse(text)?.run()?;
        let config = Self { model: config.model.canonical(), ..config };
        config.validate()?;
        Ok(config)
    }
}

impl RunConfigError {
    /// The same error without a place: the text does not come from a file of the user.
    pub(super) fn without_place(self) -> Self {
        match self {
            Self::Text { problem, .. } => Self::Text { problem, at: None },
            other => other,
        }
    }

    /// Line and column (from 1) in `text`, if the error has a place.
    pub fn position(&self, text: &str) -> Option<(usize, usize)> {
        match self {
            Self::Text { at, .. } => *at,
            // These messages begin with the setting's name.
            other => place_of(other.to_string().split_once(" = ")?.0, text),
        }
    }
}

/// Line and column of a setting's value, `model.d_head` for example.
fn place_of(setting: &str, text: &str) -> Option<(usize, usize)> {
    let text = without_mark(text);
    let table = DeTable::parse(text).ok()?;
    let find = |path: &str| {
        let mut names = path.split('.');
        let first = table.get_ref().get(names.next()?)?;
        let value = names.try_fold(first, |value, name| value.get_ref().as_table()?.get(name))?;
        Some(place(text, value.span().start))
    };
    find(setting).or_else(|| find(setting.strip_prefix("model.")?))
}
