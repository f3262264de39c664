//! Which smallest change of tokens changes the answer at a position?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Progress};
use super::{Answer, Findings};
use crate::analysis::flip::{MOST_TRIED, Replacements, Tried, best, pairs, singles, try_all};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::task::{Class, Task};

/// The replacements.
pub static FLIP_POINT: Spec = Spec {
    name: "flip_point",
    definition: "the smallest change of tokens that changes the prediction at a position: every replacement of one token that \
                 it sees, then pairs of the 16 that came closest; of those that change it, the one with the largest margin",
    axes: &[Dim::Rank, Dim::Part],
    ..Spec::BARE
};

/// The change that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FlipPoint {
    /// The prediction without a change.
    pub answer: Class,
    /// The change; `None` if no change of one or two tokens changes the prediction, or there are too many to try.
    pub found: Option<Tried>,
    /// Number of changes tried; 0 if there are too many.
    pub tried: usize,
}

/// [`FLIP_POINT`], a row for each replaced token.
pub fn figure(answer: &Answer, found: &Arc<FlipPoint>, task: &Arc<dyn Task>) -> Arc<Figure> {
    let rows = found.found.as_ref().map_or(0, |found| found.replaced.len());
    let axes = vec![Axis::counted(Dim::Rank, rows), Axis::named(Dim::Part, PARTS)];
    let (found, task) = (Arc::clone(found), Arc::clone(task));
    answer.figure(&FLIP_POINT, axes, move |at| {
        let Some(change) = &found.found else { return Datum::from(None::<f32>) };
        let (position, token) = change.replaced[at[0]];
        match at[1] {
            0 => position.into(),
            1 => Datum::token(&*task, token),
            2 => Datum::class(&*task, found.answer),
            _ => Datum::class(&*task, change.answer),
        }
    })
}

/// The values of a replacement, in the order of [`FLIP_POINT`]'s last axis.
pub const PARTS: [&str; 4] = ["position", "token", "answer_before", "answer_after"];

pub(super) fn ask(subject: &Subject, position: usize) -> Box<dyn Job> {
    Box::new(Search { subject: subject.clone(), position, todo: None, tried: Vec::new(), is_of_pairs: false })
}

struct Search {
    subject: Subject,
    position: usize,
    todo: Option<Vec<Replacements>>,
    tried: Vec<Tried>,
    is_of_pairs: bool,
}

/// Changes tried in a step.
const SLICE: usize = 128;

impl Job for Search {
    fn step(&mut self, bench: &Bench) -> Progress {
        let clean = bench.clean(&self.subject);
        let tokens = self.subject.tokens();
        let done = |answer, found, tried| {
            Progress::Done(Findings::Flip(Arc::new(FlipPoint { answer, found, tried })))
        };
        let Some(answer) = clean.predictions[self.position] else { return done(0, None, 0) };
        let Some(todo) = &mut self.todo else {
            let end = clean.activations.keys.end(self.position);
            let task = bench.data().task();
            if end.saturating_mul(task.vocabulary().len()) > MOST_TRIED {
                return done(answer, None, 0);
            }
            self.todo = Some(singles(&**task, tokens, self.position, end));
            return Progress::More;
        };
        if !todo.is_empty() {
            let slice = todo.split_off(todo.len().saturating_sub(SLICE));
            let weights = bench.weights(&self.subject);
            let at = (self.position, answer);
            let tried = bench.long(|| try_all(&weights.weights, tokens, at, &slice));
            bench.count(tried.len());
            self.tried.extend(tried);
            return Progress::More;
        }
        if let Some(found) = best(&self.tried) {
            return done(answer, Some(found.clone()), self.tried.len());
        }
        if self.is_of_pairs {
            return done(answer, None, self.tried.len());
        }
        (self.todo, self.is_of_pairs) = (Some(pairs(&self.tried)), true);
        Progress::More
    }
}
