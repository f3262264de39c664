//! A layer's neurons at the cursor, in the order of the list.

use super::cursor::moved;
use super::event::{Command, Notice};
use super::sequence::Source;
use super::settings::End;
use super::{App, LowerPanel, Sort};
use crate::analysis::Pass;
use crate::analysis::ResolvedTarget;
use crate::analysis::examples::NeuronExample;
use crate::inquiry::Probe;
use crate::model::NeuronId;

/// Screens from this width on show the traces and the map at once.
const WIDE: u16 = 120;

impl App {
    /// Shows the next panel beside the list of neurons.
    pub(super) fn next_lower_panel(&mut self) {
        let shown = self.settings.lower;
        let next =
            if shown == LowerPanel::Traces && self.size.0 >= WIDE { LowerPanel::Map } else { shown }.next();
        let is_known = |panel: &LowerPanel| match panel {
            LowerPanel::Pairs => self.has_pairs(),
            LowerPanel::Examples => self.has_data(),
            LowerPanel::Traces | LowerPanel::Map => true,
        };
        let panels = std::iter::successors(Some(next), |panel| Some(panel.next()));
        self.settings.lower = panels.take(3).find(is_known).unwrap_or_default();
    }

    /// The examples of the cursor's neuron, if they are known.
    fn examples(&self) -> Option<&[NeuronExample]> {
        let (_, found) = self.studies.examples(self.cursor.neuron_id(), self.settings.hook)?;
        Some(match self.settings.end {
            End::Highest => &found.highest,
            End::Lowest => &found.lowest,
        })
    }

    /// Rank of the example on screen, if the cursor is at one.
    pub(crate) fn example_here(&self) -> Option<usize> {
        let Source::Validation(sequence) = self.sequence.source else { return None };
        let is_here = |one: &NeuronExample| (one.sequence, one.position) == (sequence, self.cursor.position);
        self.examples()?.iter().position(is_here)
    }

    /// Goes to another example: to its sequence and position; first to the first.
    pub(super) fn move_example(&mut self, by: isize) -> Vec<Command> {
        let Some(len) = self.examples().map(<[_]>::len) else {
            return self.say(Notice::info("still computing: again in a moment"));
        };
        let rank = self.example_here().map_or(0, |at| moved(at, by, len));
        let Some(example) = self.examples().and_then(|examples| examples.get(rank)).copied() else {
            return self.say(Notice::info("this neuron has no example"));
        };
        // Elsewhere another neuron may be the first of the list.
        self.cursor.neuron_is_chosen = true;
        self.go_to(example.sequence, example.position)
    }

    /// The pass that a neuron's value is read from: a neuron that is off keeps its clean value, and so its place in the
    /// list.
    pub(crate) fn pass_of<'a>(&self, probe: &'a Probe, id: NeuronId) -> &'a Pass {
        if self.ablation.off.neurons.contains(&id) { &probe.clean } else { probe.current() }
    }

    /// The cursor's position, clamped to the last answer, which may be of a shorter sequence.
    pub(crate) fn position_in(&self, probe: &Probe) -> usize {
        self.cursor.position.min(probe.len().saturating_sub(1))
    }

    /// The target at a position, resolved without the ablation, so that ablating does not change the target.
    pub(crate) fn target_at(&self, probe: &Probe, position: usize) -> ResolvedTarget {
        probe.resolved(self.cursor.target, position)
    }

    /// The neurons of the cursor's layer in list order. Ranked without the edits: otherwise each neuron switched off
    /// would reorder the list.
    pub(crate) fn neuron_order(&self, probe: &Probe) -> Vec<usize> {
        if probe.is_empty() {
            return Vec::new();
        }
        let position = self.position_in(probe);
        let target = self.target_at(probe, position);
        let (layer, clean) = (self.cursor.layer, &probe.clean);
        let single = self.studies.single_neurons(layer).map(|(_, found)| found);
        let rank = |neuron: usize| match self.settings.sort {
            Sort::Contribution => {
                probe.readout.contribution(&clean.activations, layer, neuron, position, target).abs()
            }
            Sort::Activation => {
                self.settings.hook.of(&clean.activations, NeuronId { layer, neuron }, position).abs()
            }
            Sort::Damage => single.map_or(0.0, |found| found.ablated[neuron][0].loss as f32),
            Sort::Index => 0.0,
        };
        let mut order: Vec<(f32, usize)> =
            (0..probe.config().d_mlp).map(|neuron| (rank(neuron), neuron)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        order.into_iter().map(|(_, neuron)| neuron).collect()
    }
}
