//! Panels as files: at full precision, unlike the screen, and with their subjects.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::{At, Axis, Datum, Dim, Panel, State, Subject};
use crate::model::NamedTensor;
use crate::number::figure;

/// Headings of all columns, the leading axes first.
fn heads(panel: &Panel) -> impl Iterator<Item = &str> {
    let lead = panel.lead.iter().map(|axis| axis.dim.name());
    lead.chain(panel.columns.iter().map(|column| column.name.as_str()))
}

/// A row: the names of its entries, and its cells.
fn row(panel: &Panel, row: usize) -> impl Iterator<Item = Datum> + '_ {
    let lead = panel.lead_of(row);
    let names = panel.lead.iter().zip(lead).map(|(axis, at)| axis.name(at));
    names.chain((0..panel.columns.len()).map(move |column| panel.cell(column, row)))
}

/// As comma-separated values, quoted according to RFC 4180.
pub fn csv(panel: &Panel) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| {
        cells.map(|cell| quoted(&cell)).collect::<Vec<_>>().join(",") + "\n"
    };
    let rows = (0..panel.len()).map(|at| line(&mut row(panel, at).map(|cell| cell.to_string())));
    line(&mut heads(panel).map(ToOwned::to_owned)) + &rows.collect::<String>()
}

/// A cell of comma-separated values, quoted if required.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.into()
    }
}

/// Human-readable: aligned columns, four significant digits, and the subject of each column.
pub fn text(panel: &Panel) -> String {
    let show = |cell: Datum| match &cell {
        Datum::Number(_) | Datum::Wide(_) => cell.number().map_or_else(String::new, figure),
        other => other.to_string(),
    };
    let mut lines: Vec<Vec<String>> = vec![heads(panel).map(ToOwned::to_owned).collect()];
    lines.extend((0..panel.len()).map(|at| row(panel, at).map(show).collect()));
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut out = format!("{}\n", panel.name);
    for (columns, of) in provenance(panel) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# {}: {of}", columns.join(", "));
    }
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    out
}

/// The subjects of the columns in words, grouped if equal.
fn provenance(panel: &Panel) -> Vec<(Vec<&str>, String)> {
    let mut found: Vec<(Vec<&str>, String)> = Vec::new();
    for column in &panel.columns {
        let choices = column.figure.about.iter().map(|(name, choice)| format!("{name} {choice}"));
        let is_told = |name: &&str| [Dim::Edits, Dim::Part].iter().any(|dim| dim.name() == *name);
        let at = fixed(column).into_iter().filter(|(name, _)| !is_told(name));
        let at = at.map(|(name, entry)| format!("{name} {entry}"));
        let partial = match column.figure.state {
            State::Done => None,
            State::Partial(done, parts) => Some(format!("{done} of {parts} parts so far")),
        };
        let minus = column.minus.iter().map(|minus| format!("minus: {}", minus.figure.of.words()));
        let of = at.chain(choices).chain(partial).chain([column.figure.of.words()]).chain(minus);
        let of = of.collect::<Vec<_>>().join(", ");
        match found.iter_mut().find(|(_, known)| *known == of) {
            Some((columns, _)) => columns.push(&column.name),
            None => found.push((vec![&column.name], of)),
        }
    }
    found
}

/// Metadata of a measured column.
#[derive(Serialize)]
struct Meaning<'a> {
    name: &'a str,
    question: &'a str,
    unit: &'a str,
    definition: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    baseline: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    at: BTreeMap<&'static str, Datum>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    asked_with: BTreeMap<&'static str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<(usize, usize)>,
    of: &'a Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    minus: Option<&'a Subject>,
    /// Of a mean that is subtracted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    less: Option<&'a Subject>,
}

/// A panel as JSON: column names, rows, and the metadata of each measured column.
#[derive(Serialize)]
struct Whole<'a> {
    name: &'a str,
    columns: Vec<&'a str>,
    measured: Vec<Meaning<'a>>,
    rows: Rows<'a>,
}

struct Rows<'a>(&'a Panel);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for at in 0..self.0.len() {
            seq.serialize_element(&row(self.0, at).collect::<Vec<_>>())?;
        }
        seq.end()
    }
}

/// Panels as `serde` values: name, columns, rows, and the subject of each column.
pub fn json(panels: &[Panel]) -> impl Serialize + '_ {
    panels.iter().map(Whole::of).collect::<Vec<_>>()
}

impl<'a> Whole<'a> {
    fn of(panel: &'a Panel) -> Self {
        Self {
            name: panel.name,
            columns: heads(panel).collect(),
            measured: panel.columns.iter().map(Meaning::of).collect(),
            rows: Rows(panel),
        }
    }
}

impl<'a> Meaning<'a> {
    fn of(column: &'a super::Column) -> Self {
        let figure = &column.figure;
        Self {
            name: &column.name,
            question: figure.spec.name,
            unit: figure.spec.unit,
            definition: figure.spec.definition,
            baseline: figure.spec.baseline,
            source: figure.spec.source,
            at: fixed(column),
            asked_with: figure.about.iter().map(|(name, choice)| (*name, &**choice)).collect(),
            factor: column.factor(),
            partial: match figure.state {
                State::Done => None,
                State::Partial(done, parts) => Some((done, parts)),
            },
            of: &figure.of,
            minus: column.minus.last().map(|minus| &*minus.figure.of),
            less: column.minus.iter().rev().nth(1).map(|minus| &*minus.figure.of),
        }
    }
}

/// A column's entries on the axes that are fixed for all rows, by axis; `mean` for an averaged axis.
fn fixed(column: &super::Column) -> BTreeMap<&'static str, Datum> {
    let entry = |(axis, at): (&Axis, &At)| {
        let entry = match at {
            At::Fixed(entry) if *entry < axis.len() => axis.name(*entry),
            At::Mean => "mean".to_owned().into(),
            _ => return None,
        };
        Some((axis.dim.name(), entry))
    };
    column.figure.axes.iter().zip(&column.at).filter_map(entry).collect()
}

/// The measured columns as tensors named `panel.column`: over the leading axes if all rows are present in order, else
/// over the rows. Flags become 0 or 1, cells without a number NaN, text columns are left out. If rows are missing or
/// reordered, tensors with their entries on the leading axes are added.
pub fn safetensors(panel: &Panel) -> Vec<NamedTensor> {
    let columns = panel.columns.iter().enumerate();
    let number = |at: usize, row: usize| match panel.cell(at, row) {
        Datum::Flag(flag) => Some(f64::from(u8::from(flag))),
        cell => cell.number(),
    };
    let numeric = columns.filter(|(at, _)| (0..panel.len()).any(|row| number(*at, row).is_some()));
    let values = |at: usize| (0..panel.len()).map(|row| number(at, row).unwrap_or(f64::NAN) as f32).collect();
    let mut tensors: Vec<NamedTensor> = Vec::new();
    if !panel.is_whole() {
        // Identify the rows by their entries on the leading axes.
        tensors.extend(panel.lead.iter().enumerate().map(|(at, axis)| NamedTensor {
            name: format!("{}.{}", panel.name, axis.dim.name()),
            shape: vec![panel.len()],
            values: (0..panel.len()).map(|row| panel.lead_of(row)[at] as f32).collect(),
        }));
    }
    tensors.extend(numeric.map(|(at, column)| NamedTensor {
        name: format!("{}.{}", panel.name, column.name),
        shape: if panel.is_whole() { panel.lead.iter().map(Axis::len).collect() } else { vec![panel.len()] },
        values: values(at),
    }));
    tensors
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Column, Factor, Figure, NoDifference, Origin, Over, Spec, WeightForm};
    use super::*;
    use crate::model::{HeadId, Interventions, ModelConfig, Snapshot, Weights};

    static LOSS: Spec = Spec {
        name: "loss",
        unit: "nats",
        definition: "-log p(target)",
        baseline: "ln d_vocab_out",
        axes: &[Dim::Edits, Dim::Position],
        ..Spec::BARE
    };

    fn subject(heads: &[usize]) -> Arc<Subject> {
        let config = ModelConfig { d_model: 1, d_head: 1, d_mlp: 0, n_ctx: 1, ..ModelConfig::default() };
        let snapshot = Arc::new(Snapshot::new(420, Weights::zeros(&config)));
        let heads = heads.iter().map(|&head| HeadId { layer: 0, head }).collect();
        let edits = Interventions { heads, ..Interventions::default() };
        let origin = Origin {
            weights_file: Some("w.safetensors".into()),
            has_steps: true,
            task: "majority".into(),
            seed: 23,
            sequences: 410,
        };
        let subject = Subject::weights(&snapshot, WeightForm::Trained).over(Over::Validation);
        Arc::new(subject.edited(&edits).from(&Arc::new(origin)))
    }

    /// 0.1, 0.2, 0.3 clean, ten times that edited; the last position is not scored.
    fn losses() -> Arc<Figure> {
        let axes = vec![Axis::named(Dim::Edits, ["clean", "edited"]), Axis::counted(Dim::Position, 3)];
        Figure::new(&LOSS, axes, &subject(&[1]), |at| {
            let scale = if at[0] == 0 { 0.1_f32 } else { 1.0 };
            (at[1] < 2).then(|| scale * (at[1] + 1) as f32).into()
        })
    }

    fn panel() -> Panel {
        let (losses, lead) = (losses(), Axis::counted(Dim::Position, 3));
        Panel::new("losses", [lead])
            .with(Column::new("clean", &losses, [At::Fixed(0), At::Lead(0)]))
            .with(Column::new("edited", &losses, [At::Fixed(1), At::Lead(0)]))
    }

    #[test]
    fn numbers_keep_their_digits_and_their_provenance() {
        let text = serde_json::to_string(&json(&[panel()])).unwrap();
        assert!(text.contains(r#""columns":["position","clean","edited"]"#), "{text}");
        assert!(text.contains(r#""rows":[[0,0.1,1.0],[1,0.2,2.0],[2,null,null]]"#), "{text}");
        let of = r#""of":{"weights_file":"w.safetensors","weights":"trained","step":420,"task":"majority","seed":23"#;
        assert!(text.contains(of), "{text}");
        assert!(
            text.contains(r#""over":"validation","sequences":410,"edits":["head 0.1 to zero"]"#),
            "{text}"
        );
    }

    #[test]
    fn rows_are_in_the_order_of_the_panel() {
        assert_eq!(csv(&panel().ordered([2, 1, 0])), "position,clean,edited\n2,,\n1,0.2,2\n0,0.1,1\n");
    }

    #[test]
    fn a_mean_is_over_measured_entries_and_a_factor_multiplies_by_row() {
        let losses = losses();
        let twice = Factor { name: "twice", value: Arc::new(|lead| (2 * lead[0]) as f64) };
        let panel = Panel::new("means", [losses.axes[0].clone()])
            .with(Column::new("mean", &losses, [At::Lead(0), At::Mean]))
            .with(Column::new("scaled", &losses, [At::Lead(0), At::Fixed(1)]).times(twice));
        let means = panel.numbers(0);
        assert!((means[0] - 0.15).abs() < 1e-6 && (means[1] - 1.5).abs() < 1e-6, "{means:?}");
        assert_eq!(panel.cell(1, 1), Datum::Number(4.0));
        assert_eq!(panel.columns[1].factor(), Some("twice"));
    }

    #[test]
    fn a_panel_names_each_subject_once_and_quotes_a_name_with_a_comma() {
        let axes = || vec![Axis::named(Dim::Edits, ["a,b"]), Axis::counted(Dim::Position, 1)];
        let [one, other] =
            [&[][..], &[1][..]].map(|heads| Figure::new(&LOSS, axes(), &subject(heads), |_| 1_usize.into()));
        let at = [At::Lead(0), At::Fixed(0)];
        let panel = Panel::new("two", [axes().remove(0)])
            .with(Column::new("one", &one, at.clone()))
            .with(Column::new("same", &one, at.clone()))
            .with(Column::new("other", &other, at));
        assert!(csv(&panel).ends_with("\"a,b\",1,1,1\n"));
        assert!(
            text(&panel).contains(
                "# one, same: position 0, w.safetensors, trained weights, step 420, 410 validation sequences\n"
            ),
            "{}",
            text(&panel)
        );
    }

    #[test]
    fn a_difference_is_cell_by_cell_and_names_both() {
        let clean = Panel::of_figure(&losses(), &[(Dim::Edits, 0)]);
        let difference =
            Panel::of_figure(&losses(), &[(Dim::Edits, 1)]).minus(&clean).expect("the same rows");
        assert_eq!(csv(&difference), "position,loss\n0,0.9\n1,1.8\n2,\n");
        assert_eq!(
            serde_json::to_value(json(&[difference])).unwrap()[0]["measured"][0]["minus"]["step"],
            420
        );
        assert_eq!(clean.minus(&panel()).err(), Some(NoDifference::Columns));
        assert_eq!(clean.minus(&Panel::of_figure(&losses(), &[])).err(), Some(NoDifference::Axes));
    }

    #[test]
    fn a_complete_figure_keeps_its_shape_as_a_tensor() {
        let whole = Panel::of_figure(&losses(), &[]);
        let tensor = &safetensors(&whole)[0];
        assert_eq!((&*tensor.name, &tensor.shape), ("loss.loss", &vec![2, 3]));
        assert!(tensor.values[5].is_nan() && (tensor.values[3] - 1.0).abs() < 1e-6);
        let some = whole.ordered([3, 0]);
        let tensors = safetensors(&some);
        let entries: Vec<_> = tensors.iter().map(|tensor| (&*tensor.name, &tensor.values[..])).collect();
        assert_eq!(entries[..2], [("loss.edits", &[1.0, 0.0][..]), ("loss.position", &[0.0, 0.0])]);
        assert_eq!(tensors[2].shape, [2]);
    }

    #[test]
    fn outside_its_axes_a_figure_has_nothing() {
        assert_eq!(losses().at(&[0, 7]), Datum::Nothing);
        assert_eq!(losses().partial(1, 2).state, State::Partial(1, 2));
    }
}
