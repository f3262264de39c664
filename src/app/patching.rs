//! The state of the patching view: the corrupted sequence, and the grid.

use std::sync::Arc;

use super::App;
use super::cursor::moved;
use super::event::{Command, Notice};
use super::studies::Asked;
use crate::analysis::patching::{By, Direction, Metric, Plan};
use crate::inquiry::{Answer, FlipPoint, Patching, PatchingReport, Question, Subject};
use crate::model::{Hook, Interventions, ModelConfig};
use crate::task::Token;

/// The settings of the view.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PatchingSettings {
    pub(crate) plan: Plan,
    /// Whether values lie between the corrupted run, 0, and the clean one, 1.
    pub(crate) is_raw: bool,
    /// The corrupted sequence, unless it is the flip point.
    pub(crate) corrupted: Option<Arc<[Token]>>,
    /// Whether grids are averaged over pairs of the validation set.
    pub(crate) is_mean: bool,
}

impl Default for PatchingSettings {
    fn default() -> Self {
        let (metric, direction) = (Metric::default(), Direction::default());
        let plan = Plan { site: Hook::Z, by: By::IndexPosition, metric, direction };
        Self { plan, is_raw: false, corrupted: None, is_mean: false }
    }
}

/// The value after this one, after the last the first.
fn after<T: PartialEq + Copy>(all: &[T], one: T) -> T {
    let at = all.iter().position(|other| *other == one).map_or(0, |at| at + 1);
    all[at % all.len()]
}

/// The ways of cutting a site into cells; neurons have none by position and neuron, too many for a screen.
fn cuts(site: Hook) -> &'static [By] {
    match site {
        _ if site.is_of_heads() => &[By::Index, By::Position, By::IndexPosition],
        Hook::Pre | Hook::Post => &[By::Position, By::Index],
        _ => &[By::Position],
    }
}

impl PatchingSettings {
    /// The next site that the model has.
    pub(super) fn next_site(&mut self, c: &ModelConfig) {
        let sites: Vec<Hook> = Hook::ALL.into_iter().filter(|hook| hook.is_in(c)).collect();
        self.plan.site = after(&sites, self.plan.site);
        if !cuts(self.plan.site).contains(&self.plan.by) {
            self.plan.by = cuts(self.plan.site)[0];
        }
    }

    /// Whether the site can be cut in more than one way.
    pub(super) fn has_cuts(&self) -> bool {
        cuts(self.plan.site).len() > 1
    }

    pub(super) fn next_cut(&mut self) {
        self.plan.by = after(cuts(self.plan.site), self.plan.by);
    }

    pub(super) fn next_metric(&mut self) {
        self.plan.metric = after(Metric::ALL, self.plan.metric);
    }

    pub(super) fn turn(&mut self) {
        self.plan.direction = after(Direction::ALL, self.plan.direction);
    }
}

impl App {
    /// The clean sequence with the current weights, without edits.
    fn clean_subject(&self) -> Option<Subject> {
        let probe = self.probe.as_deref().filter(|probe| !probe.is_empty())?;
        Some((*probe.subject).clone().edited(&Interventions::default()))
    }

    /// The flip point at the cursor's position, if known.
    pub(crate) fn flip_point(&self) -> Option<(&Answer, &Arc<FlipPoint>)> {
        let (clean, probe) = (self.clean_subject()?, self.probe.as_deref()?);
        let question = Question::Flip(self.position_in(probe));
        let is_it =
            |answer: &Answer| answer.inquiry.question == question && answer.inquiry.subject.is_like(&clean);
        self.studies.flip().filter(|(answer, _)| is_it(answer))
    }

    /// Whether the user has chosen a corrupted sequence that can be compared with the clean one.
    pub(crate) fn is_corrupted_chosen(&self) -> bool {
        self.chosen_corrupted().is_some()
    }

    fn chosen_corrupted(&self) -> Option<Arc<[Token]>> {
        let probe = self.probe.as_deref()?;
        self.settings.patching.corrupted.clone().filter(|tokens| tokens.len() == probe.len())
    }

    /// The corrupted sequence: the chosen one, else the flip point.
    pub(crate) fn corrupted(&self) -> Option<Arc<[Token]>> {
        let flipped = || {
            let found = self.flip_point()?.1.found.as_ref()?;
            Some(crate::analysis::flip::replaced(self.probe.as_deref()?.tokens(), &found.replaced).into())
        };
        self.chosen_corrupted().or_else(flipped)
    }

    /// The questions of the view: the flip point unless a corrupted sequence is chosen, and the grid.
    pub(super) fn of_patching(&self) -> Vec<Asked> {
        let (Some(clean), Some(probe)) = (self.clean_subject(), self.probe.as_deref()) else {
            return Vec::new();
        };
        let position = self.position_in(probe);
        let plan = self.settings.patching.plan;
        let grid = |corrupted| (clean.clone(), Question::Patching(Patching { corrupted, position, plan }));
        if self.settings.patching.is_mean {
            return vec![grid(None)];
        }
        let flip = (!self.is_corrupted_chosen()).then(|| (clean.clone(), Question::Flip(position)));
        let grid = self.corrupted().map(|corrupted| grid(Some(corrupted)));
        flip.into_iter().chain(grid).collect()
    }

    /// The grid of the current settings, with its question, if known.
    pub(crate) fn patched(&self) -> Option<(&Answer, &Arc<PatchingReport>, &Patching)> {
        let (answer, found) = self.studies.patching()?;
        let Question::Patching(asked) = &answer.inquiry.question else { return None };
        let is_current = self.of_patching().iter().any(|(subject, question)| {
            *question == answer.inquiry.question && subject.is_like(&answer.inquiry.subject)
        });
        is_current.then_some((answer, found, asked))
    }

    /// Rows and columns of the grid, and the cell under the cursor.
    pub(crate) fn patched_cell(&self) -> (usize, usize, (usize, usize)) {
        let (c, plan, cursor) = (&self.options.model, self.settings.patching.plan, &self.cursor);
        let len = self.probe.as_deref().map_or(1, |probe| probe.len().max(1));
        let key = cursor.key.min(len - 1);
        match plan.by {
            By::Index if plan.site.is_of_heads() => (c.n_layers, c.n_heads, (cursor.layer, cursor.head)),
            By::Index => (c.n_layers, c.d_mlp, (cursor.layer, cursor.neuron)),
            By::Position => (c.n_layers, len, (cursor.layer, key)),
            By::IndexPosition => (c.n_layers * c.n_heads, len, (cursor.layer * c.n_heads + cursor.head, key)),
        }
    }

    pub(super) fn move_patched_row(&mut self, by: isize) {
        let (rows, _, (row, _)) = self.patched_cell();
        let row = moved(row, by, rows);
        if self.settings.patching.plan.by == By::IndexPosition {
            (self.cursor.layer, self.cursor.head) =
                (row / self.options.model.n_heads, row % self.options.model.n_heads);
        } else {
            self.cursor.layer = row;
        }
    }

    pub(super) fn move_patched_column(&mut self, by: isize) {
        let (_, cols, (_, col)) = self.patched_cell();
        let (plan, col) = (self.settings.patching.plan, moved(col, by, cols));
        match plan.by {
            By::Index if plan.site.is_of_heads() => self.cursor.head = col,
            By::Index => (self.cursor.neuron, self.cursor.neuron_is_chosen) = (col, true),
            By::Position | By::IndexPosition => self.cursor.key = col,
        }
    }

    /// Takes the sequence in view as the corrupted one.
    pub(super) fn corrupt_with_this(&mut self) -> Vec<Command> {
        self.settings.patching.corrupted = Some(Arc::clone(&self.sequence.tokens));
        self.say(Notice::info("this is the corrupted sequence now: go to the clean one, of the same length"));
        Vec::new()
    }

    /// Exchanges the clean and the corrupted sequence.
    pub(super) fn exchange_sequences(&mut self) -> Vec<Command> {
        let Some(corrupted) = self.corrupted() else {
            self.say(Notice::info("there is no corrupted sequence"));
            return Vec::new();
        };
        self.settings.patching.corrupted = Some(Arc::clone(&self.sequence.tokens));
        self.sequence.put(corrupted.to_vec());
        self.request_probe()
    }
}
