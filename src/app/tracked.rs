//! Neurons that track a token: which neurons, and which features they may count.

use std::sync::Arc;

use super::App;
use super::event::{Command, Notice};
use super::settings::TrackerNumber;
use super::studies::Asked;
use crate::analysis::hypotheses::{Fitted, Tracker, TrackerSums};
use crate::figure::{At, Column, Panel};
use crate::inquiry::trackers::best;
use crate::inquiry::{Over, Question, WeightForm, tracker_sets};
use crate::model::NeuronId;
use crate::task::{Split, Token};

/// Most neurons that one key picks.
const BEST: usize = 4;

/// Of more classes the damage of their neurons would take too many passes.
const MOST_DAMAGED: usize = 16;

/// Larger tables of class by neuron are not computed, in bytes: a failed allocation ends the program.
const MOST_TABLE_BYTES: u128 = 2 << 30;

/// How well the newest snapshot's trackers of each class track it in the snapshot in view.
pub(crate) fn tracker_scores(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.tracker_scores()?;
    let figures = tracker_sets::scores(answer, found, app.options.dataset.task());
    let columns = ["score", "chance"].into_iter().zip(&figures);
    let columns = columns.map(|(name, figure)| Column::new(name, figure, [At::Lead(0)]));
    Some(Panel::new("tracker_scores", figures[0].axes.clone()).and(columns))
}

/// What they cost the class there.
pub(crate) fn tracker_costs(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.tracker_damage()?;
    let figure = tracker_sets::damage(answer, found, app.options.dataset.task());
    let column = Column::new("loss", &figure, [At::Lead(0)]);
    Some(Panel::new("tracker_costs", figure.axes.clone()).with(column))
}

impl App {
    /// The traced neurons: the picked ones, or the one under the cursor.
    pub(crate) fn traced(&self) -> Vec<NeuronId> {
        let picked = &self.settings.picked;
        if picked.is_empty() { vec![self.cursor.neuron_id()] } else { picked.clone() }
    }

    /// The token of the target at the cursor; `None` before the first answer.
    pub(crate) fn target_token(&self) -> Option<Token> {
        let probe = self.probe.as_deref().filter(|probe| !probe.is_empty())?;
        Some(self.target_at(probe, self.position_in(probe)).plus)
    }

    /// The token to compare the traced neurons with: for picked neurons, the token at the time of picking.
    pub(crate) fn traced_token(&self) -> Option<Token> {
        let picked_for = self.settings.picked_for.filter(|_| !self.settings.picked.is_empty());
        picked_for.or_else(|| self.target_token())
    }

    /// Names the token that neurons were picked for, if it differs from the target's.
    pub(crate) fn picked_for(&self) -> String {
        match (self.traced_token(), self.target_token()) {
            (Some(token), Some(target)) if token != target => format!(", for token {token}"),
            _ => String::new(),
        }
    }

    /// The neurons and token of the overlay; `None` without an overlay.
    pub(crate) fn overlay_question(&self) -> Option<(Vec<NeuronId>, Token)> {
        self.settings.overlay?;
        Some((self.traced(), self.traced_token()?))
    }

    /// The task's hypotheses for the traced neurons, the best fit first; in the task's order until the fit is known.
    pub(crate) fn ranked_hypotheses(&self) -> Vec<usize> {
        let fitted = self
            .traced_token()
            .and_then(|class| self.studies.fit((&self.traced(), self.settings.hook), class));
        let mut ranked: Vec<usize> = (0..self.task().features().len()).collect();
        if let Some((_, fitted)) = fitted {
            let r_squared = |which: usize| fitted.get(which).map_or(0.0, Fitted::r_squared);
            ranked.sort_by(|a, b| r_squared(*b).total_cmp(&r_squared(*a)));
        }
        ranked
    }

    /// Bytes of the tables of class by neuron, if too large to compute.
    pub(super) fn trackers_too_large(&self) -> Option<u128> {
        let (features, threads) = (self.task().features().len(), rayon::current_num_threads());
        let bytes = TrackerSums::approximate_bytes(&self.options.model, features, threads);
        Some(bytes).filter(|bytes| *bytes > MOST_TABLE_BYTES)
    }

    /// A question about the sets of neurons that track each class in the newest snapshot.
    pub(crate) fn of_tracker_sets(&self, number: TrackerNumber) -> Option<Asked> {
        let has_neurons = self.options.model.has_mlp() && self.trackers_too_large().is_none();
        let is_asked = match number {
            TrackerNumber::Score => true,
            TrackerNumber::Damage => self.task().outputs().len() <= MOST_DAMAGED,
        };
        let subjects = [self.timeline.current()?, self.timeline.newest()?];
        let [current, newest] =
            subjects.map(|snapshot| self.subject(snapshot, WeightForm::Trained).over(Over::Validation));
        let question = match number {
            TrackerNumber::Score => Question::TrackerScores(Box::new(newest)),
            TrackerNumber::Damage => Question::TrackerDamage(Box::new(newest)),
        };
        let is_of_run = self.has_data() && !self.is_without_step();
        (has_neurons && is_asked && is_of_run).then_some((current, question))
    }

    /// Records for each neuron the token in whose list it ranks highest.
    pub(super) fn note_tracked(&mut self) {
        let Some((_, by_token)) = self.studies.trackers() else { return };
        self.tracked = Arc::new(best(by_token, self.options.model.d_mlp));
    }

    /// The neurons that track the target token best; a notice if there are none or they are unknown.
    fn best_trackers(&mut self) -> Option<(Token, Vec<NeuronId>)> {
        let known = self.studies.trackers().zip(self.target_token());
        let best = known.map(|((_, by_token), token)| {
            let id = |tracker: &Tracker| NeuronId { layer: tracker.layer, neuron: tracker.neuron };
            let ranked = by_token.get(usize::from(token)).into_iter().flatten();
            (token, ranked.take(BEST).map(id).collect::<Vec<_>>())
        });
        let why_not = match (best, self.trackers_too_large()) {
            (Some((token, ids)), _) if ids.is_empty() => {
                format!("no neuron of the last layer tracks token {token}")
            }
            (Some(best), _) => return Some(best),
            (None, Some(bytes)) => {
                let (model, gib) = (&self.options.model, bytes as f64 / f64::from(1_u32 << 30));
                format!(
                    "which neurons track which of {} tokens would take {gib:.1} GiB to find out",
                    model.outputs()
                )
            }
            (None, None) if self.options.dataset.len(Split::Validation) > 0 => {
                "still computing which neurons track which token: again in a moment".into()
            }
            (None, None) => "without a validation set it is not known which neurons track a token".into(),
        };
        self.say(Notice::info(why_not));
        None
    }

    pub(super) fn pick_trackers(&mut self) -> Vec<Command> {
        let Some((token, ids)) = self.best_trackers() else { return Vec::new() };
        let text = if self.settings.picked == ids {
            self.settings.picked.clear();
            "no neuron is picked".into()
        } else {
            let text = format!("picked {}", self.named(&ids, token));
            (self.settings.picked, self.settings.picked_for) = (ids, Some(token));
            text
        };
        self.say(Notice::info(text))
    }

    pub(super) fn toggle_trackers(&mut self) -> Vec<Command> {
        let Some((token, ids)) = self.best_trackers() else { return Vec::new() };
        let off = &mut self.ablation.off.neurons;
        let all_off = ids.iter().all(|id| off.contains(id));
        for id in &ids {
            if all_off {
                off.remove(id)
            } else {
                off.insert(*id)
            };
        }
        let word = if all_off { "on" } else { "off" };
        self.say(Notice::info(format!("switched {word} {}", self.named(&ids, token))));
        self.look_again()
    }

    /// `96 254: they track token 6 best`, with their layer if the model has several.
    fn named(&self, ids: &[NeuronId], token: Token) -> String {
        let names: Vec<String> = ids.iter().map(|id| id.neuron.to_string()).collect();
        let last = self.options.model.n_layers - 1;
        let layer = if last > 0 { format!(" of layer {last}") } else { String::new() };
        let who = if ids.len() == 1 { "it tracks" } else { "they track" };
        format!("{}{layer}: {who} token {token} best", names.join(" "))
    }
}
