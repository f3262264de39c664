//! Path patching: what one component does through one reader alone (Wang et al. 2022; Goldowsky-Dill et al. 2023).

use rayon::prelude::*;

use super::patching::{By, Direction, Grid, Metric, Pair, Plan, Runs};
use crate::model::{Activations, Change, Donor, Edit, Hook, ModelConfig, Positions, Weights};

/// A grid of paths: every sender, and every receiver.
#[derive(Clone, Copy, Debug)]
pub struct Paths {
    /// What sends: `z`, heads, or `mlp_out`.
    pub from: Hook,
    /// What receives: `q`, `k`, `v` of heads, or `mlp_out`; `None` for the logits.
    pub to: Option<Hook>,
    /// Whether MLPs between sender and receiver keep their output in the receiving run.
    pub freezes_mlps: bool,
    /// What is measured.
    pub metric: Metric,
    /// Where the sender's activation comes from.
    pub direction: Direction,
}

/// The edit of every position of some indices of a hook.
fn whole(layer: usize, hook: Hook, indices: Vec<usize>) -> Edit {
    Edit { layer, hook, indices, positions: Positions::All, change: Change::Donor }
}

/// Every layer and index of a hook.
fn places(c: &ModelConfig, hook: Hook) -> Vec<(usize, usize)> {
    (0..c.n_layers).flat_map(|layer| (0..hook.indices(c)).map(move |index| (layer, index))).collect()
}

impl Paths {
    /// The metric of the receiving run after the path from each sender to each receiver is replaced: `[layer][index]`, or
    /// `[layer][index][layer][index]`, sender first; a path that runs against the order of the pass changes nothing.
    ///
    /// The sender's activation is the donor's; all other heads, and the MLPs if frozen, keep those of the receiving run; so
    /// the receiver alone sees the change. It is then replaced in the receiving run, where all else runs again. Norms are
    /// recomputed. Panics if the sequences differ in length, or the model lacks a site: callers check both.
    pub fn grid(self, weights: &Weights, pair: &Pair, runs: &Runs) -> Grid {
        let c = weights.config();
        let [from, into] = runs.in_direction(self.direction);
        let sent = Donor::new(weights, self.from, from.activations());
        let kept = [Hook::Z, Hook::MlpOut].map(|hook| Donor::new(weights, hook, into.activations()));
        let senders = places(c, self.from);
        let of_sender = |[first, second]: &mut [Activations; 2], &(layer, index): &(usize, usize)| {
            let others = self.frozen(c, (layer, index)).into_iter().zip(&kept);
            let mut patch = sent.patch(&[whole(layer, self.from, vec![index])]);
            others.for_each(|(edits, kept)| patch.extend(kept.patch(&edits)));
            into.again(weights, patch, first);
            let Some(to) = self.to else { return vec![pair.measure(self.metric, first)] };
            let received = Donor::new(weights, to, first);
            let through = |(layer, index): (usize, usize)| {
                into.again(weights, received.patch(&[whole(layer, to, vec![index])]), second);
                pair.measure(self.metric, second)
            };
            places(c, to).into_iter().map(through).collect()
        };
        let rows = senders.par_iter().map_init(<[Activations; 2]>::default, of_sender);
        let values = rows.collect::<Vec<_>>().concat();
        let mut shape = vec![c.n_layers, self.from.indices(c)];
        shape.extend(self.to.iter().flat_map(|to| [c.n_layers, to.indices(c)]));
        let ends = Plan { site: self.from, by: By::Index, metric: self.metric, direction: self.direction };
        Grid { values, shape, ..ends.empty(weights, pair, runs) }
    }

    /// What keeps the values of the receiving run: heads, and MLPs.
    fn frozen(self, c: &ModelConfig, sender: (usize, usize)) -> [Vec<Edit>; 2] {
        let others = |layer: usize| {
            let is_sender = |head: &usize| self.from == Hook::Z && (layer, *head) == sender;
            (0..c.n_heads).filter(|head| !is_sender(head)).collect()
        };
        let heads = (0..c.n_layers).map(|layer| whole(layer, Hook::Z, others(layer)));
        let keeps = |layer: &usize| self.freezes_mlps && !(self.from == Hook::MlpOut && *layer == sender.0);
        let mlps = (0..if c.has_mlp() { c.n_layers } else { 0 }).filter(keeps);
        [heads.collect(), mlps.map(|layer| whole(layer, Hook::MlpOut, vec![0])).collect()]
    }
}
