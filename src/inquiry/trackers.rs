//! Which neurons track which class?

use std::sync::Arc;

use super::job::{Job, OverValidation};
use super::{Answer, Findings};
use crate::analysis::hypotheses::{Tracker, TrackerSums};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::task::{Class, Task};

/// How much a neuron tracks a class.
pub static TRACKING: Spec = Spec {
    name: "tracking",
    unit: "logit",
    definition: "mean activation of a last-layer neuron where the class is the target, minus the mean where another class \
                 is, times the logit of the class per unit of activation, over the mean scale of the final norm; only \
                 for neurons that raise the class's logit and are more active where the class is the target",
    baseline: "0",
    axes: &[Dim::Class, Dim::Neuron],
    ..Spec::BARE
};

/// Rank of a neuron among those that track a class.
pub static TRACKING_RANK: Spec = Spec {
    name: "tracking_rank",
    definition: "rank of a neuron among those that track the class, strongest first",
    axes: &[Dim::Class, Dim::Neuron],
    ..Spec::BARE
};

/// The class that a neuron tracks best.
pub static TRACKS: Spec = Spec {
    name: "tracks",
    definition: "the class in whose tracking_rank the neuron ranks highest; only for the last layer",
    axes: &[Dim::Layer, Dim::Neuron],
    ..Spec::BARE
};

/// How much a neuron tracks that class.
pub static TRACKS_BY: Spec = Spec {
    name: "tracks_by",
    unit: "logit",
    definition: "tracking of the class that a neuron tracks",
    baseline: "0",
    axes: &[Dim::Layer, Dim::Neuron],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, bench| TrackerSums::new(of.snapshot.config(), bench.readout(of), bench.data().task()),
        |sums| Findings::Trackers(Arc::new(sums.trackers())),
    )
}

/// For each neuron of the last layer, `[d_mlp]`: the class in whose list it ranks highest, and its effect there.
pub fn best(by_class: &[Vec<Tracker>], d_mlp: usize) -> Vec<Option<(Class, f64)>> {
    let mut best: Vec<Option<(usize, Class, f64)>> = vec![None; d_mlp];
    for (class, ranked) in by_class.iter().enumerate() {
        for (rank, tracker) in ranked.iter().enumerate() {
            let Some(best) = best.get_mut(tracker.neuron) else { continue };
            if best.is_none_or(|(least, _, most)| rank < least || rank == least && tracker.effect > most) {
                *best = Some((rank, class as Class, tracker.effect));
            }
        }
    }
    best.into_iter().map(|best| best.map(|(_, class, effect)| (class, effect))).collect()
}

/// [`TRACKS`] and [`TRACKS_BY`], from the result of [`best`].
pub fn tracked(
    answer: &Answer,
    best: &Arc<Vec<Option<(Class, f64)>>>,
    task: &Arc<dyn Task>,
) -> [Arc<Figure>; 2] {
    let last = answer.config().n_layers - 1;
    let axes = || vec![Axis::counted(Dim::Layer, last + 1), Axis::counted(Dim::Neuron, best.len())];
    let of = |best: &Arc<Vec<Option<(Class, f64)>>>| {
        let best = Arc::clone(best);
        move |at: &[usize]| best[at[1]].filter(|_| at[0] == last)
    };
    let (class, effect, task) = (of(best), of(best), Arc::clone(task));
    [
        answer.figure(&TRACKS, axes(), move |at| class(at).map(|(class, _)| Datum::class(&*task, class))),
        answer.figure(&TRACKS_BY, axes(), move |at| effect(at).map(|(_, effect)| effect)),
    ]
}

/// [`TRACKING`] and [`TRACKING_RANK`].
pub fn tracking(answer: &Answer, found: &Arc<Vec<Vec<Tracker>>>, task: &Arc<dyn Task>) -> [Arc<Figure>; 2] {
    let axes = || vec![Axis::classes(task), Axis::counted(Dim::Neuron, answer.config().d_mlp)];
    let find = |found: &Arc<Vec<Vec<Tracker>>>| {
        let found = Arc::clone(found);
        move |at: &[usize]| {
            let rank = found.get(at[0])?.iter().position(|tracker| tracker.neuron == at[1])?;
            Some((rank, found[at[0]][rank].effect))
        }
    };
    let (effect, rank) = (find(found), find(found));
    [
        answer.figure(&TRACKING, axes(), move |at| effect(at).map(|(_, effect)| effect)),
        answer.figure(&TRACKING_RANK, axes(), move |at| rank(at).map(|(rank, _)| rank)),
    ]
}
