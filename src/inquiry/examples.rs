//! Where in the validation set is a neuron most and least active?

use std::sync::Arc;

use super::job::{Job, OverValidation};
use super::{Answer, Findings};
use crate::analysis::NeuronHook;
use crate::analysis::examples::{NeuronExample, NeuronExamples};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::NeuronId;
use crate::task::{Class, Dataset, Example, Split};

/// Values of top examples.
pub static EXAMPLE_VALUE: Spec = Spec {
    name: "example_value",
    definition: "a neuron's highest and lowest values over the scored positions of the validation set, each sequence at the \
                 position where its own is highest or lowest; over all positions of a sequence without targets",
    source: "the field's maximum activating dataset examples",
    baseline: "value_mean, with value_deviation",
    axes: &[Dim::Part, Dim::Rank],
    ..Spec::BARE
};

/// Sequences of top examples.
pub static EXAMPLE_SEQUENCE: Spec = Spec {
    name: "example_sequence",
    definition: "index in the validation set of the sequence of an example_value",
    axes: &[Dim::Part, Dim::Rank],
    ..Spec::BARE
};

/// Positions of top examples.
pub static EXAMPLE_POSITION: Spec = Spec {
    name: "example_position",
    definition: "position of an example_value in its sequence, the first of equal ones",
    axes: &[Dim::Part, Dim::Rank],
    ..Spec::BARE
};

/// Tokens of top examples.
pub static EXAMPLE_TOKEN: Spec = Spec {
    name: "example_token",
    definition: "token at the position of an example_value",
    axes: &[Dim::Part, Dim::Rank],
    ..Spec::BARE
};

/// Targets of top examples.
pub static EXAMPLE_TARGET: Spec = Spec {
    name: "example_target",
    definition: "correct class at the position of an example_value; none where it is not scored",
    axes: &[Dim::Part, Dim::Rank],
    ..Spec::BARE
};

/// Predictions of top examples.
pub static EXAMPLE_PREDICTION: Spec = Spec {
    name: "example_prediction",
    definition: "class with the largest logit at the position of an example_value; none where a logit is NaN",
    axes: &[Dim::Part, Dim::Rank],
    ..Spec::BARE
};

/// Mean over the set.
pub static VALUE_MEAN: Spec = Spec {
    name: "value_mean",
    definition: "mean of a neuron's values over the positions of example_value, of all sequences",
    ..Spec::BARE
};

/// Spread over the set.
pub static VALUE_DEVIATION: Spec = Spec {
    name: "value_deviation",
    definition: "standard deviation of a neuron's values over the positions of example_value, of all sequences",
    ..Spec::BARE
};

/// The two ends, in the order of their axis.
const ENDS: [&str; 2] = ["highest", "lowest"];

pub(super) fn ask(subject: &Subject, id: NeuronId, hook: NeuronHook) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        move |_, _| NeuronExamples::new(id, hook),
        |found| Findings::Examples(Arc::new(found)),
    )
}

fn class(class: Option<Class>, data: &Dataset) -> Datum {
    class.map_or(Datum::Nothing, |class| Datum::class(&**data.task(), class))
}

/// The columns of a table of examples.
pub struct Figures {
    /// [`EXAMPLE_VALUE`], [`EXAMPLE_SEQUENCE`], [`EXAMPLE_POSITION`], [`EXAMPLE_TOKEN`], [`EXAMPLE_TARGET`] and
    /// [`EXAMPLE_PREDICTION`].
    pub of_examples: [Arc<Figure>; 6],
    /// [`VALUE_MEAN`] and [`VALUE_DEVIATION`].
    pub of_set: [Arc<Figure>; 2],
}

/// The examples of an answer, which is about the neuron `id` read at `hook`, in the validation set of `data`.
pub fn figures(
    answer: &Answer,
    found: &Arc<NeuronExamples>,
    (id, hook): (NeuronId, NeuronHook),
    data: &Arc<Dataset>,
) -> Figures {
    let about = |figure: Arc<Figure>| {
        figure.asked_with("neuron", &format!("{}.{}", id.layer, id.neuron)).asked_with("hook", hook.name())
    };
    let figure = |spec, of: fn(&NeuronExample, Example<'_>, &Dataset) -> Datum| {
        let axes = vec![Axis::named(Dim::Part, ENDS), Axis::counted(Dim::Rank, found.highest.len())];
        let (found, data) = (Arc::clone(found), Arc::clone(data));
        about(answer.figure(spec, axes, move |at| {
            let example = if at[0] == 0 { &found.highest } else { &found.lowest }[at[1]];
            of(&example, data.example(Split::Validation, example.sequence), &data)
        }))
    };
    let of_set = |spec, of: fn(&NeuronExamples) -> f64| {
        let found = Arc::clone(found);
        about(answer.figure(spec, Vec::new(), move |_| of(&found)))
    };
    Figures {
        of_examples: [
            figure(&EXAMPLE_VALUE, |one, _, _| one.value.into()),
            figure(&EXAMPLE_SEQUENCE, |one, _, _| one.sequence.into()),
            figure(&EXAMPLE_POSITION, |one, _, _| one.position.into()),
            figure(&EXAMPLE_TOKEN, |one, example, data| {
                Datum::token(&**data.task(), example.tokens()[one.position])
            }),
            figure(&EXAMPLE_TARGET, |one, example, data| class(example.targets()[one.position], data)),
            figure(&EXAMPLE_PREDICTION, |one, _, data| class(one.prediction, data)),
        ],
        of_set: [
            of_set(&VALUE_MEAN, NeuronExamples::mean),
            of_set(&VALUE_DEVIATION, NeuronExamples::deviation),
        ],
    }
}
