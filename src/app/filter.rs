//! The filter: which positions of the validation set `n`, `N`, `w` and `W` stop at, and the search for them.

use std::sync::Arc;

use super::App;
use super::event::{Command, Notice};
use super::sequence::Source;
use super::studies::Refresh;
use crate::analysis::Scores;
use crate::inquiry::{AskedBy, Inquiry, Probe, Question};
use crate::number::count;
use crate::task::{Class, Example, Situation, Split, Task, Token};

/// A condition on a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// The target is this class.
    Class(Class),
    /// The token is this one.
    Token(Token),
    /// The position is in this group of one of the task's situations.
    Situation { which: usize, group: usize },
}

impl Filter {
    /// Every filter of a task: situations first, because there are few.
    pub(super) fn all(task: &dyn Task) -> impl Iterator<Item = Self> {
        let groups = |(which, situation): (usize, &Situation)| {
            (0..situation.values.len()).map(move |group| Self::Situation { which, group })
        };
        let situations: Vec<Self> = task.situations().iter().enumerate().flat_map(groups).collect();
        let classes = (0..task.outputs().len()).map(|class| Self::Class(class as Class));
        let tokens = (0..task.vocabulary().len()).map(|token| Self::Token(token as Token));
        situations.into_iter().chain(classes).chain(tokens)
    }

    /// Its name: `class 3`, `token 5`, `lead tie`.
    pub(crate) fn words(self, task: &dyn Task) -> String {
        match self {
            Self::Class(class) => format!("class {}", task.outputs().name(class)),
            Self::Token(token) => format!("token {}", task.vocabulary().name(token)),
            Self::Situation { which, group } => {
                let situation = &task.situations()[which];
                format!("{} {}", situation.name, situation.values[group])
            }
        }
    }

    /// Whether each position meets the condition, `[pos]`.
    fn passes(self, task: &dyn Task, example: Example<'_>) -> Vec<bool> {
        match self {
            Self::Class(class) => example.targets().iter().map(|target| *target == Some(class)).collect(),
            Self::Token(token) => example.tokens().iter().map(|one| *one == token).collect(),
            Self::Situation { which, group } => {
                let groups = (task.situations()[which].of)(example.tokens());
                groups.into_iter().map(|one| one == Some(group)).collect()
            }
        }
    }
}

/// Whether each position passes the filter, if there is one.
fn passing(filter: Option<Filter>, task: &dyn Task, example: Example<'_>) -> Vec<bool> {
    filter.map_or_else(|| vec![true; example.tokens().len()], |filter| filter.passes(task, example))
}

fn is_wrong(probe: &Probe, position: usize) -> bool {
    let prediction = probe.current().predictions.get(position).copied().flatten();
    probe.label(position).is_some_and(|label| prediction != Some(label))
}

fn is_changed(probe: &Probe, position: usize) -> bool {
    let clean = probe.clean.predictions.get(position);
    probe.ablated.as_ref().is_some_and(|ablated| ablated.predictions.get(position) != clean)
}

/// A place in the validation set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    sequence: usize,
    position: usize,
    /// Its number among all places that were searched for, from 1, and their number.
    number: (usize, usize),
}

impl App {
    /// Sets the filter, and says how much of the validation set it leaves.
    pub(super) fn keep_filter(&mut self, filter: Option<Filter>) -> Vec<Command> {
        self.filter = filter;
        let Some(filter) = filter else {
            return self.say(Notice::info("no filter: n and w stop everywhere"));
        };
        let words = filter.words(self.task());
        let each = self.places(|_, _, _| true);
        let sequences = each.iter().filter(|found| !found.is_empty()).count();
        let positions = each.iter().map(Vec::len).sum();
        let set = format!("{} in {}", count(positions, "position"), count(sequences, "sequence"));
        self.say(Notice::info(format!("{words}: {set} of the validation set; n N w W stop there")))
    }

    /// The matching positions of each validation sequence. `holds` is asked about sequence, position and target.
    fn places(&self, holds: impl Fn(usize, usize, Option<Class>) -> bool) -> Vec<Vec<usize>> {
        let (data, n_ctx) = (&self.options.dataset, self.options.model.n_ctx);
        let of_sequence = |index: usize| {
            let example = data.example(Split::Validation, index);
            let passes = passing(self.filter, self.task(), example);
            let positions = passes.iter().zip(example.targets()).enumerate().take(n_ctx);
            let found = positions.filter(|(at, (passes, target))| **passes && holds(index, *at, **target));
            found.map(|(position, _)| position).collect()
        };
        (0..data.len(Split::Validation)).map(of_sequence).collect()
    }

    /// The next sequence in a direction that has a place, and its first place in that direction.
    fn next_place(&self, by: isize, first_of_sequence: bool, each: &[Vec<usize>]) -> Option<Found> {
        let len = each.len();
        let start = match self.sequence.source {
            Source::Validation(index) => index,
            // From elsewhere to the first sequence, or the last.
            _ if by > 0 => len.wrapping_sub(1),
            _ => 0,
        };
        let step =
            |steps: usize| if by > 0 { (start + steps) % len } else { (start + len - steps % len) % len };
        let sequence = (1..=len).map(step).find(|&index| !each[index].is_empty())?;
        let places = &each[sequence];
        let at = if by > 0 || first_of_sequence { 0 } else { places.len() - 1 };
        let before: usize = each[..sequence].iter().map(Vec::len).sum();
        let all = each.iter().map(Vec::len).sum();
        Some(Found { sequence, position: places[at], number: (before + at + 1, all) })
    }

    /// Shows the next sequence that passes the filter.
    pub(super) fn filtered_sequence(&mut self, filter: Filter, by: isize) -> Vec<Command> {
        let each = self.places(|_, _, _| true);
        if let Some(found) = self.next_place(by, true, &each) {
            return self.go_to(found.sequence, found.position);
        }
        let words = filter.words(self.task());
        self.say(Notice::info(format!("no position of the validation set has {words}: / clears it")))
    }

    /// Shows a position of a validation sequence.
    pub(super) fn go_to(&mut self, sequence: usize, position: usize) -> Vec<Command> {
        let data = Arc::clone(&self.options.dataset);
        if !self.sequence.validation(&data, sequence) {
            return self.say(Notice::warning(format!("the model cannot read sequence {sequence}")));
        }
        self.set_position(position);
        self.request_probe()
    }

    /// Moves to the next wrong prediction that passes the filter: in this sequence, then in the validation set.
    pub(super) fn jump_to_wrong(&mut self, by: isize) -> Vec<Command> {
        if self.jump_here(by, is_wrong) {
            return Vec::new();
        }
        let Some(subject) = self.of_validation().filter(|_| self.is_labelled()) else {
            return self.none_here(by, "wrong");
        };
        let subject = subject.edited(&self.ablation.off);
        let known = self.studies.predictions().filter(|(answer, _)| answer.inquiry.subject == subject);
        if let Some(found) = known.map(|(_, found)| Arc::clone(found)) {
            return self.go_to_wrong(by, &found);
        }
        self.generation += 1;
        let (generation, question) = (self.generation, Question::Predictions);
        let inquiry = Inquiry { generation, by: AskedBy::User, subject, question };
        self.searching = Some(by);
        self.say(Notice::info("looking through the validation set for the next wrong prediction"));
        self.studies.ask(inquiry, Refresh::Newer).into_iter().collect()
    }

    /// Whether any validation sequence has a target: unlabelled data are never wrong.
    pub(super) fn is_labelled(&self) -> bool {
        let data = &self.options.dataset;
        (0..data.len(Split::Validation)).any(|index| data.example(Split::Validation, index).scored() > 0)
    }

    /// Goes on with the search that waited for the predictions.
    pub(super) fn search_on(&mut self) -> Vec<Command> {
        let found = self.studies.predictions().map(|(_, found)| Arc::clone(found));
        match (self.searching.take(), found) {
            (Some(by), Some(found)) => self.go_to_wrong(by, &found),
            _ => Vec::new(),
        }
    }

    fn go_to_wrong(&mut self, by: isize, found: &Scores) -> Vec<Command> {
        let wrong = |sequence: usize, position: usize, target: Option<Class>| {
            let predicted = found.predictions.get(sequence).and_then(|row| row.get(position));
            target.is_some() && predicted.is_some_and(|prediction| *prediction != target)
        };
        let filter =
            self.filter.map_or(String::new(), |filter| format!(" with {}", filter.words(self.task())));
        let Some(place) = self.next_place(by, false, &self.places(wrong)) else {
            return self.say(Notice::info(format!("no wrong prediction{filter} in the validation set")));
        };
        let commands = self.go_to(place.sequence, place.position);
        let (number, all) = place.number;
        self.say(Notice::info(format!("wrong prediction {number} of {all}{filter} in the validation set")));
        commands
    }

    /// Moves to the next changed prediction of this sequence.
    pub(super) fn jump_to_changed(&mut self, by: isize) -> Vec<Command> {
        if self.jump_here(by, is_changed) { Vec::new() } else { self.none_here(by, "changed") }
    }

    fn none_here(&mut self, by: isize, what: &str) -> Vec<Command> {
        let (side, here) = (if by > 0 { "after" } else { "before" }, self.cursor.position);
        self.say(Notice::info(format!("no {what} prediction {side} position {here}")))
    }

    /// Moves to the next position of this sequence in a direction where `holds` is true and that passes the filter.
    fn jump_here(&mut self, by: isize, holds: fn(&Probe, usize) -> bool) -> bool {
        let Some(probe) = self.probe.as_deref() else { return false };
        let len = probe.len().min(self.sequence.tokens.len());
        let passes = passing(self.filter, self.task(), Example::new(probe.tokens(), &probe.targets));
        let stops = |position: &usize| passes[*position] && holds(probe, *position);
        let here = self.cursor.position;
        let found = if by > 0 { (here + 1..len).find(stops) } else { (0..here.min(len)).rev().find(stops) };
        found.map(|position| self.set_position(position)).is_some()
    }
}
