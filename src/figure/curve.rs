//! Numbers over the steps of a run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{At, Axis, Column, Datum, Dim, Figure, Panel, State, Subject, Taken};

impl Column {
    /// The entries that this column reads for a row, by name.
    pub fn entries(&self, lead: &[usize]) -> Vec<String> {
        let entry = |(axis, at): (&Axis, &At)| match at {
            At::Lead(of) => axis.name(lead[*of]).to_string(),
            At::Fixed(entry) if *entry < axis.len() => axis.name(*entry).to_string(),
            At::Fixed(_) => String::new(),
            At::Mean => "mean".into(),
        };
        self.figure.axes.iter().zip(&self.at).map(entry).collect()
    }

    /// One cell as a column of its own, without the other cells of its figure. The entries become choices of the question.
    #[must_use]
    pub fn cell(&self, lead: &[usize]) -> Self {
        let (figure, value) = (&self.figure, self.at(lead));
        let mut about = figure.about.clone();
        about.extend(self.factor().map(|factor| ("factor", factor.to_owned())));
        about.extend(figure.axes.iter().map(|axis| axis.dim.name()).zip(self.entries(lead)));
        let (spec, of, state) = (figure.spec, Arc::clone(&figure.of), State::Done);
        let cells = Arc::new(move |_: &[usize]| value.clone());
        Self::new(
            self.name.clone(),
            &Arc::new(Figure { spec, axes: Vec::new(), of, about, state, cells }),
            [],
        )
    }

    /// A hash of everything that determines a cell, its definition and this version included, but the step.
    pub fn identity(&self, lead: &[usize]) -> u64 {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        self.add_identity(lead, &mut hasher);
        hasher.finish()
    }

    fn add_identity(&self, lead: &[usize], hasher: &mut DefaultHasher) {
        let figure = &self.figure;
        (figure.spec.name, figure.spec.definition, &figure.about, self.factor()).hash(hasher);
        self.entries(lead).hash(hasher);
        figure.of.identity().hash(hasher);
        self.minus.iter().for_each(|minus| minus.add_identity(lead, hasher));
    }
}

impl Panel {
    /// Whether the numbers are of all steps of a run rather than of one.
    pub fn is_over_steps(&self) -> bool {
        let is_over = |column: &Column| matches!(column.figure.of.taken, Taken::Over(_));
        self.lead.iter().any(|axis| axis.dim == Dim::Step) || self.columns.iter().any(is_over)
    }
}

/// A panel like `one` with a leading axis of steps; `value` reads a cell by step, column and the entries of the row.
pub fn over_steps(
    one: &Panel,
    steps: &[usize],
    value: impl Fn(usize, usize, &[usize]) -> Option<f64> + Send + Sync + 'static,
) -> Panel {
    let lead: Vec<Axis> =
        [Axis::steps(steps.iter().copied())].into_iter().chain(one.lead.iter().cloned()).collect();
    let value = Arc::new(value);
    let ends = [steps.len(), steps.first().copied().unwrap_or(0), steps.last().copied().unwrap_or(0)];
    let taken = Taken::Over(Box::new(ends));
    let at: Vec<At> = (0..lead.len()).map(At::Lead).collect();
    let column = |(index, column): (usize, &Column)| {
        let (figure, value) = (&column.figure, Arc::clone(&value));
        let mut about = figure.about.clone();
        about.extend(column.factor().map(|factor| ("factor", factor.to_owned())));
        let fixed = figure.axes.iter().zip(&column.at).filter_map(|(axis, at)| match at {
            At::Fixed(entry) if *entry < axis.len() => Some((axis.dim.name(), axis.name(*entry).to_string())),
            At::Mean => Some((axis.dim.name(), "mean".into())),
            _ => None,
        });
        about.extend(fixed);
        let figure = Arc::new(Figure {
            spec: figure.spec,
            axes: lead.clone(),
            of: Arc::new(Subject { taken: taken.clone(), ..(*figure.of).clone() }),
            about,
            state: State::Done,
            cells: Arc::new(move |at| value(at[0], index, &at[1..]).map_or(Datum::Nothing, Datum::Wide)),
        });
        Column::new(column.name.clone(), &figure, at.clone())
    };
    Panel::new(one.name, lead.clone()).and(one.columns.iter().enumerate().map(column))
}
