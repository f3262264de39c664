//! What edits need of a data set: means, and directions by target.

use std::sync::Arc;

use super::edits::{ReadyEdits, rows_of, run};
use super::moments::Moments;
use super::total::Total;
use crate::model::{Activations, Becomes, EditDirection, EditRule, Hook, Patch, Site, Snapshot, Weights};
use crate::task::{Class, Example};

/// Sums of one site's values over a data set.
#[derive(Clone)]
enum Sums {
    /// Not needed.
    Nothing,
    /// At all positions alike, or at each, with the number of values in each cell.
    Rows { width: usize, is_by_position: bool, cells: Vec<(f64, u32)> },
    /// By target.
    Classes(Moments),
}

/// What edits need of a data set, summed over its sequences.
pub struct EditSums {
    snapshot: Arc<Snapshot>,
    edits: Arc<[EditRule]>,
    /// By edit, then index.
    sums: Vec<Vec<Sums>>,
}

impl EditSums {
    /// Empty sums.
    pub fn new(snapshot: &Arc<Snapshot>, edits: &Arc<[EditRule]>) -> Self {
        let c = snapshot.config();
        let sums_of = |edit: &EditRule| {
            let width = if edit.site == Site::Of(Hook::Pattern) { c.n_ctx } else { edit.site.width(c) };
            let rows = |is_by_position| Sums::Rows { width, is_by_position, cells: Vec::new() };
            let classes = |probe| Sums::Classes(Moments::new(c.outputs(), width, probe));
            let one = match &edit.becomes {
                Becomes::Mean => rows(false),
                Becomes::MeanPosition => rows(true),
                Becomes::Add(_, Some(EditDirection::Mean(..)))
                | Becomes::Without(EditDirection::Mean(..)) => classes(false),
                Becomes::Add(_, Some(EditDirection::Probe(_)))
                | Becomes::Without(EditDirection::Probe(_)) => classes(true),
                _ => Sums::Nothing,
            };
            vec![one; edit.indices.len()]
        };
        let sums = edits.iter().map(sums_of).collect();
        Self { snapshot: Arc::clone(snapshot), edits: Arc::clone(edits), sums }
    }

    /// The edits with the averages of what was summed.
    pub fn ready(&self) -> ReadyEdits {
        let weights = &self.snapshot.weights;
        let values = |(edit, sums): (&EditRule, &Vec<Sums>)| {
            sums.iter().map(|sums| values(weights, edit, sums)).collect()
        };
        let donor = |edit: &EditRule| match &edit.becomes {
            Becomes::From(tokens) => Some(run(weights, tokens, &Patch::default())),
            _ => None,
        };
        ReadyEdits {
            values: self.edits.iter().zip(&self.sums).map(values).collect(),
            donors: self.edits.iter().map(donor).collect(),
            edits: Arc::clone(&self.edits),
        }
    }
}

/// The values that an edit needs of one index: averages, or a direction.
fn values(weights: &Weights, edit: &EditRule, sums: &Sums) -> Vec<f32> {
    let direction = match &edit.becomes {
        Becomes::Add(_, Some(direction)) | Becomes::Without(direction) => Some(*direction),
        _ => None,
    };
    match (direction, sums) {
        (_, Sums::Rows { cells, .. }) => {
            cells.iter().map(|(sum, count)| (sum / f64::from((*count).max(1))) as f32).collect()
        }
        (Some(EditDirection::Mean(class, minus)), Sums::Classes(moments)) => {
            let is = |wanted: Class| move |class: usize| class == usize::from(wanted);
            let [of, from] = match minus {
                Some(minus) => [moments.mean(is(class)), moments.mean(is(minus))],
                None => [moments.mean(is(class)), moments.mean(|other| !is(class)(other))],
            };
            of.iter().zip(&from).map(|(a, b)| (a - b) as f32).collect()
        }
        (Some(EditDirection::Probe(class)), Sums::Classes(moments)) => moments.probe().direction(class),
        (Some(EditDirection::Class(class, minus)), _) => {
            let (w_u, outputs) = (weights.get("unembed.W_U").unwrap_or_default(), weights.config().outputs());
            let of = |class: Class| w_u.iter().skip(usize::from(class)).step_by(outputs).copied();
            match minus {
                None => of(class).collect(),
                Some(minus) => of(class).zip(of(minus)).map(|(a, b)| a - b).collect(),
            }
        }
        _ => Vec::new(),
    }
}

impl Total for EditSums {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::new(&self.snapshot, &self.edits)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn()) {
        let keys = self.snapshot.config().visible_keys(example.tokens());
        for (edit, sums) in self.edits.iter().zip(&mut self.sums) {
            between();
            for (&index, sums) in edit.indices.iter().zip(sums) {
                if matches!(sums, Sums::Nothing) {
                    continue;
                }
                let place = (edit.site, edit.layer, index);
                let rows = rows_of(&self.snapshot.weights, place, (example.tokens(), from));
                let is_pattern = edit.site == Site::Of(Hook::Pattern);
                let seen = |query: usize, key: usize| !is_pattern || keys.sees(query, key);
                sums.add(&rows, example, &seen);
            }
        }
    }

    fn merge(&mut self, next: Self) {
        for (ours, theirs) in self.sums.iter_mut().flatten().zip(next.sums.iter().flatten()) {
            match (ours, theirs) {
                (Sums::Rows { cells, .. }, Sums::Rows { cells: more, .. }) => {
                    cells.resize(cells.len().max(more.len()), (0.0, 0));
                    cells.iter_mut().zip(more).for_each(|(a, b)| *a = (a.0 + b.0, a.1 + b.1));
                }
                (Sums::Classes(ours), Sums::Classes(theirs)) => ours.merge(theirs),
                _ => {}
            }
        }
    }
}

impl Sums {
    /// Adds the rows of a sequence; of patterns, the keys that each query sees.
    fn add(&mut self, rows: &[f32], example: Example<'_>, seen: &dyn Fn(usize, usize) -> bool) {
        let len = example.tokens().len();
        let of_row = rows.len() / len.max(1);
        for (position, row) in rows.chunks_exact(of_row.max(1)).enumerate() {
            match self {
                Self::Nothing => {}
                Self::Rows { width, is_by_position, cells } => {
                    let first = if *is_by_position { position * *width } else { 0 };
                    cells.resize(cells.len().max(first + *width), (0.0, 0));
                    let seen = row.iter().enumerate().filter(|at| seen(position, at.0));
                    seen.for_each(|(at, x)| {
                        let cell = &mut cells[first + at];
                        *cell = (cell.0 + f64::from(*x), cell.1 + 1);
                    });
                }
                Self::Classes(moments) => {
                    if let Some(class) = example.targets()[position] {
                        moments.add(row, class);
                    }
                }
            }
        }
    }
}
