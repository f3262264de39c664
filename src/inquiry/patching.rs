//! What does each activation of one sequence do in the pass of another?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Progress};
use super::{Answer, Findings};
use crate::analysis::patching::{By, Grid, Pair, Plan, Runs};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::{Patch, Snapshot};
use crate::task::{Class, Example, Split, Token};

/// The metric after each replacement.
pub static PATCHED: Spec = Spec {
    name: "patched",
    definition: "activation patching, without other edits: the metric in the run of one sequence after an activation is \
                 replaced by that of the other: of a head or all, at a position or all; the receiving run keeps its padding \
                 mask. logit-diff: the answer's logit minus the wrong class's. Over pairs: the mean over the first 32 pairs of \
                 validation sequences 0 and 1, 2 and 3, and so on that are as long as the sequence and whose targets differ at \
                 the position, the first of each pair clean",
    source: "Vig et al. 2020, Meng et al. 2022; TransformerLens' patching",
    baseline: "the metric of the receiving run",
    axes: &[Dim::Layer, Dim::Head, Dim::Position],
    ..Spec::BARE
};

/// The same on the scale of the two runs.
pub static PATCHED_SHARE: Spec = Spec {
    name: "patched_share",
    definition: "patched on a scale from the corrupted run, 0, to the clean run, 1; none if both have the same metric",
    baseline: "0, or 1 if corrupted activations go into the clean run",
    axes: &[Dim::Layer, Dim::Head, Dim::Position],
    ..Spec::BARE
};

/// The metric of both runs.
pub static PATCHED_RUNS: Spec = Spec {
    name: "patched_runs",
    definition: "the metric of patched in the clean run and in the corrupted run, without a replacement",
    axes: &[Dim::Part],
    ..Spec::BARE
};

/// Two sequences, and the grid to compute.
#[derive(Clone, Debug, PartialEq)]
pub struct Patching {
    /// The corrupted sequence, with the subject's as the clean one; none for the mean over pairs of the validation set.
    pub corrupted: Option<Arc<[Token]>>,
    /// Where the answer is read.
    pub position: usize,
    /// The grid.
    pub plan: Plan,
}

/// A grid, and the answers that it tells apart.
#[derive(Clone, Debug)]
pub struct PatchingReport {
    /// The values.
    pub grid: Grid,
    /// The classes of the clean and of the corrupted sequence, of one pair.
    pub classes: Option<[Class; 2]>,
    /// Number of pairs.
    pub pairs: usize,
}

/// [`PATCHED`], [`PATCHED_SHARE`] and [`PATCHED_RUNS`].
pub fn figures(answer: &Answer, found: &Arc<PatchingReport>, asked: &Patching) -> [Arc<Figure>; 3] {
    let (c, by, shape) = (answer.config(), asked.plan.by, found.grid.shape.clone());
    let all = |dim| Axis::named(dim, ["all"]);
    let heads = if by == By::Position { all(Dim::Head) } else { Axis::counted(Dim::Head, shape[1]) };
    let positions = if by == By::Index {
        all(Dim::Position)
    } else {
        Axis::counted(Dim::Position, shape[shape.len() - 1])
    };
    let (rows, cols) = (heads.len(), positions.len());
    let axes = vec![Axis::counted(Dim::Layer, c.n_layers), heads, positions];
    let cell = move |at: &[usize]| (at[0] * rows + at[1]) * cols + at[2];
    let report = Arc::clone(found);
    let grid = answer.figure(&PATCHED, axes.clone(), move |at| report.grid.values[cell(at)]);
    let scale = found.grid.clone().normalized();
    let share =
        answer.figure(&PATCHED_SHARE, axes, move |at| scale.as_ref().map(|scale| scale.values[cell(at)]));
    let report = Arc::clone(found);
    let ends = vec![Axis::named(Dim::Part, ["clean", "corrupted"])];
    let ends =
        answer.figure(&PATCHED_RUNS, ends, move |at| [report.grid.clean, report.grid.corrupted][at[0]]);
    [grid, share, ends].map(|figure| {
        let mut figure = figure;
        for (key, value) in [
            ("site", asked.plan.site.site().to_owned()),
            ("metric", asked.plan.metric.name().to_owned()),
            ("direction", asked.plan.direction.name().to_owned()),
            ("position", asked.position.to_string()),
            ("pairs", found.pairs.to_string()),
        ] {
            figure = figure.asked_with(key, &value);
        }
        if let (Some([answer, wrong]), Some(corrupted)) = (found.classes, &asked.corrupted) {
            let of = [("answer", answer.to_string()), ("wrong", wrong.to_string())];
            for (key, value) in of.into_iter().chain([("corrupted", format!("{corrupted:?}"))]) {
                figure = figure.asked_with(key, &value);
            }
        }
        figure
    })
}

pub(super) fn ask(subject: &Subject, asked: &Patching) -> Box<dyn Job> {
    let (subject, asked) = (subject.clone(), asked.clone());
    Box::new(Cells { subject, asked, waiting: None, begun: None, done: Vec::new() })
}

struct Cells {
    subject: Subject,
    asked: Patching,
    /// Pairs to come; `None` before the first step.
    waiting: Option<std::vec::IntoIter<Pair>>,
    begun: Option<(Pair, Runs, Grid)>,
    /// Whole grids, with the classes of the last.
    done: Vec<(Grid, [Class; 2])>,
}

/// Cells of a step.
const SLICE: usize = 64;

/// Most pairs whose grids are averaged.
const MOST_PAIRS: usize = 32;

impl Cells {
    /// The class that a sequence asks for: its target, else the prediction.
    fn class(&self, weights: &Snapshot, tokens: &[Token], bench: &Bench) -> Class {
        let (targets, position) = (bench.targets(tokens), self.asked.position);
        let run = || {
            let pass = crate::analysis::Pass::run(
                &weights.weights,
                Example::new(tokens, &targets),
                &Patch::default(),
            );
            pass.predictions[position].unwrap_or_default()
        };
        targets[position].unwrap_or_else(run)
    }

    /// The pairs of the question.
    fn pairs(&self, bench: &Bench) -> Vec<Pair> {
        let (clean, position) = (self.subject.tokens(), self.asked.position);
        let Some(corrupted) = &self.asked.corrupted else {
            let all = bench.data().examples(Split::Validation);
            let pair = |rows: &[Example<'_>]| {
                let [one, other] = rows else { return None };
                let is_fit = [one, other].iter().all(|row| row.tokens().len() == clean.len());
                let [answer, wrong] = [one, other].map(|row| row.targets().get(position).copied().flatten());
                let (clean, corrupted) = (one.tokens().to_vec(), other.tokens().to_vec());
                let (answer, wrong) = answer.zip(wrong).filter(|(a, b)| is_fit && a != b)?;
                Some(Pair { clean, corrupted, position, answer, wrong })
            };
            return all.chunks(2).filter_map(pair).take(MOST_PAIRS).collect();
        };
        let weights = bench.weights(&self.subject);
        let [answer, wrong] = [clean, &corrupted[..]].map(|tokens| self.class(&weights, tokens, bench));
        vec![Pair { clean: clean.to_vec(), corrupted: corrupted.to_vec(), position, answer, wrong }]
    }

    fn begin(&self, pair: Pair, bench: &Bench) -> (Pair, Runs, Grid) {
        let weights = bench.weights(&self.subject);
        let runs = Runs::new(&weights.weights, &pair);
        bench.count(2);
        let grid = self.asked.plan.empty(&weights.weights, &pair, &runs);
        (pair, runs, grid)
    }

    fn report(&mut self) -> PatchingReport {
        let pairs = self.done.len();
        let classes = self.done.last().map(|(_, classes)| *classes);
        let classes = classes.filter(|_| self.asked.corrupted.is_some());
        let grid = Grid::mean(self.done.drain(..).map(|(grid, _)| grid));
        let nothing = Grid { values: Vec::new(), shape: vec![0; 3], clean: f32::NAN, corrupted: f32::NAN };
        PatchingReport { grid: grid.unwrap_or(nothing), classes, pairs }
    }
}

impl Job for Cells {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some((pair, runs, grid)) = &mut self.begun else {
            let mut waiting = self.waiting.take().unwrap_or_else(|| self.pairs(bench).into_iter());
            let next = waiting.next();
            self.waiting = Some(waiting);
            let Some(pair) = next else {
                return Progress::Done(Findings::Patching(Arc::new(self.report())));
            };
            self.begun = Some(self.begin(pair, bench));
            return Progress::More;
        };
        let (first, all) = (grid.values.len(), grid.shape.iter().product::<usize>());
        let cells = first..(first + SLICE).min(all);
        let (weights, plan) = (bench.weights(&self.subject), self.asked.plan);
        bench.count(cells.len());
        grid.values.extend(bench.long(|| plan.cells(&weights.weights, pair, runs, cells)));
        if grid.values.len() == all
            && let Some((pair, _, grid)) = self.begun.take()
        {
            self.done.push((grid, [pair.answer, pair.wrong]));
        }
        Progress::More
    }
}
