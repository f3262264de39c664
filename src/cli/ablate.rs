//! `headcount ablate`: one sequence, or a set, with neurons and heads switched off.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::args::{AblateArgs, AblationKindArg, EditArgs, MeasuredArgs, PlaceArg, TokensArgs};
use super::measured::Measured;
use super::output::{print, print_text};
use super::positions::Chosen;
use super::{Failure, afford, input};
use crate::analysis::{AblationOutcome, Pass, Scores, donors, evaluation};
use crate::model::{
    AblationKind, FoldOptions, HeadId, Interventions, Means, ModelConfig, NeuronId, Patch, PatternKind,
    Positions, Weights, fold,
};
use crate::number::count;
use crate::task::{Dataset, Example, Split};

pub fn run(args: &AblateArgs) -> Result<(), Failure> {
    let measured = Measured::open(&args.measured)?;
    let kind = AblationKind::from(args.kind);
    let interventions = interventions(&args.edits, kind, measured.config())?;
    let set = Set::of(args, &measured)?;
    let folded = args.folded.then(|| fold(&measured.weights, FoldOptions::default()));
    let weights = folded.as_ref().unwrap_or(&measured.weights);
    let config = weights.config();
    let examples = set.data.examples(Split::Validation);
    let longest = set.data.longest(Split::Validation);
    let names = set.data.task().vocabulary();
    let chosen = args.positions.as_deref().map(|text| Chosen::parse(text, names, longest)).transpose()?;
    let last = chosen.as_ref().map_or(longest - 1, |chosen| chosen.last(longest));
    let (values, mean_over) = Values::of(args, &measured, weights, (&set, last))?;
    let positions_of =
        |index: usize| chosen.as_ref().map_or(Positions::All, |chosen| chosen.of(examples[index].tokens()));
    let patch_of = |index: usize| {
        let edits = Interventions { positions: positions_of(index), ..interventions.clone() };
        edits.patch(config, values.at(index, weights).as_deref())
    };
    let outcome = AblationOutcome {
        mean_over,
        kind: kind.word(),
        positions: args.positions.clone(),
        over: set.words.as_ref().map(|words| format!("{words} ({})", count(examples.len(), "sequence"))),
        step: measured.step,
        weights: if args.folded { "folded" } else { "trained" },
        weights_file: measured.place.clone(),
        ..AblationOutcome::new(
            config,
            (&interventions, &positions_of),
            (set.data.task(), &examples, set.words.is_none()),
            scores(weights, &examples, set.words.is_none(), &patch_of),
        )
    };
    if args.json {
        print(&serde_json::to_string(&outcome).map_err(|error| Failure::Failed(error.to_string()))?)
    } else {
        print_text(outcome.to_string().trim_end())
    }
}

/// Scores without and with the patches; of one sequence with the numbers of the screen.
fn scores(
    weights: &Weights,
    examples: &[Example<'_>],
    is_one: bool,
    patch_of: &(dyn Fn(usize) -> Patch + Sync),
) -> [Scores; 2] {
    let of = |patch_of: &(dyn Fn(usize) -> Patch + Sync)| match examples {
        [one] if is_one => Scores::of(&Pass::run(weights, *one, &patch_of(0)), one.targets()),
        all => Scores::over(weights, all, patch_of),
    };
    [of(&|_| Patch::default()), of(patch_of)]
}

/// The sequences of an ablation, as a validation set.
struct Set {
    data: Dataset,
    /// What they are; `None` for one typed sequence.
    words: Option<String>,
}

impl Set {
    fn of(args: &AblateArgs, measured: &Measured) -> Result<Self, Failure> {
        let config = measured.config();
        if let Some(tokens) = args.tokens.clone() {
            let task = match &args.measured.data.data {
                Some(path) => input::data(path, args.measured.data.rule(), config)?.task().clone(),
                None => measured.task(),
            };
            let tokens = input::tokens(&TokensArgs { tokens }, config, task.vocabulary())?;
            afford::ablate(config, tokens.len(), args.folded)?;
            return Ok(Self { data: Dataset::from_sequences(task, &[tokens]), words: None });
        }
        let MeasuredArgs { settings, data, run, .. } = &args.measured;
        if settings.task.is_none() && data.data.is_none() && run.is_none() {
            let asked = "nothing to run: give --tokens T, --data FILE or --task NAME";
            return Err(Failure::Usage(asked.into()));
        }
        let (data, words) = measured.dataset(data)?;
        let positions = data.len(Split::Validation) * data.longest(Split::Validation);
        afford::over_set("ablate", config, (1, afford::ablated(config, positions, args.folded)))?;
        Ok(Self { data, words: Some(words) })
    }
}

/// The values that ablated ones become.
enum Values {
    Zero,
    Means(Means),
    /// Those of another sequence for each.
    Donors(Dataset, Vec<usize>),
}

impl Values {
    /// The values for these sequences, whose last ablated position is `last`; and their origin in words.
    fn of(
        args: &AblateArgs,
        measured: &Measured,
        weights: &Weights,
        (set, last): (&Set, usize),
    ) -> Result<(Self, Option<String>), Failure> {
        if args.kind == AblationKindArg::Zero {
            return match &args.mean_over {
                None => Ok((Self::Zero, None)),
                Some(_) => Err(Failure::Usage("--mean-over: not with --kind zero".into())),
            };
        }
        let config = weights.config();
        let is_same_set = args.mean_over.is_none() && set.words.is_some();
        let (data, name) = match (&args.mean_over, &set.words) {
            (Some(path), _) => (input::data(path, None, config)?, path.display().to_string()),
            (None, Some(words)) => (set.data.clone(), words.clone()),
            (None, None) => measured.dataset(&args.measured.data)?,
        };
        let from =
            |what: &str| Some(format!("{what} {name} ({})", count(data.len(Split::Validation), "sequence")));
        match args.kind {
            AblationKindArg::Zero | AblationKindArg::Mean => {
                afford::over_set("ablate --kind mean", config, (1, 0))?;
                let (means, _) = evaluation::means(weights, &data.examples(Split::Validation));
                Ok((Self::Means(means), from("sequences and positions of")))
            }
            AblationKindArg::MeanPosition => {
                let means = means_by_position(weights, (&data, &name), last)?;
                Ok((Self::Means(means), from("sequences at each position of")))
            }
            AblationKindArg::Resample => {
                let seed = measured.run.seed;
                let drawn = drawn(&set.data, (&data, &name), is_same_set, seed)?;
                let words = from("other sequences of").map(|words| format!("{words}, drawn by seed {seed}"));
                Ok((Self::Donors(data, drawn), words))
            }
        }
    }

    /// The values for one sequence; `None` for zero.
    fn at(&self, index: usize, weights: &Weights) -> Option<Cow<'_, Means>> {
        match self {
            Self::Zero => None,
            Self::Means(means) => Some(Cow::Borrowed(means)),
            Self::Donors(data, of) => {
                let donor = data.example(Split::Validation, of[index]);
                Some(Cow::Owned(evaluation::values_of(weights, donor.tokens())))
            }
        }
    }
}

/// The means at each position up to `last`, over the padded rows of a set.
fn means_by_position(
    weights: &Weights,
    (data, name): (&Dataset, &str),
    last: usize,
) -> Result<Means, Failure> {
    let config = weights.config();
    let padded = data.padded(config.n_ctx).map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
    let longest = padded.longest(Split::Validation);
    if last >= longest {
        return Err(Failure::Usage(format!("{name}: no sequence has position {last}, which is ablated")));
    }
    afford::over_set("ablate --kind mean-position", config, (longest, 0))?;
    Ok(evaluation::means_by_position(weights, &padded.examples(Split::Validation)))
}

/// For each sequence of a set another one of `data`.
fn drawn(
    set: &Dataset,
    (data, name): (&Dataset, &str),
    is_same_set: bool,
    seed: u64,
) -> Result<Vec<usize>, Failure> {
    let [set, data] = [set, data].map(|of| -> Vec<usize> {
        of.examples(Split::Validation).iter().map(|one| one.tokens().len()).collect()
    });
    let alone = |index| format!("{name}: no other sequence is as long as sequence {index}");
    donors(&set, &data, is_same_set, seed).map_err(|index| Failure::Usage(alone(index)))
}

/// The requested edits, checked against the model.
pub fn interventions(
    args: &EditArgs,
    kind: AblationKind,
    config: &ModelConfig,
) -> Result<Interventions, Failure> {
    if args.is_empty() {
        return Err(Failure::Usage("nothing to switch off: give --neurons, --heads or --pattern".into()));
    }
    check("--layer", "layer", args.layer, config.n_layers)?;
    let place = |option: &'static str, what: &'static str, count: usize| {
        move |&PlaceArg { layer, number }: &PlaceArg| {
            let layer = layer.unwrap_or(args.layer);
            check(option, "layer", layer, config.n_layers)?;
            check(option, what, number, count)?;
            Ok((layer, number))
        }
    };
    let head = |option| {
        let place = place(option, "head", config.n_heads);
        move |arg: &PlaceArg| place(arg).map(|(layer, head)| HeadId { layer, head })
    };
    let neuron = place("--neurons", "neuron", config.d_mlp);
    let neuron = |arg: &PlaceArg| neuron(arg).map(|(layer, neuron)| NeuronId { layer, neuron });
    let patterned: BTreeSet<HeadId> =
        args.pattern_heads.iter().map(head("--pattern-heads")).collect::<Result<_, Failure>>()?;
    let all = config.heads().filter(|id| id.layer == args.layer);
    let patterned = if patterned.is_empty() { all.collect() } else { patterned };
    let pattern = args.pattern.map(PatternKind::from);
    Ok(Interventions {
        heads: args.heads.iter().map(head("--heads")).collect::<Result<_, Failure>>()?,
        neurons: args.neurons.iter().map(neuron).collect::<Result<_, Failure>>()?,
        kind,
        patterns: pattern.into_iter().flat_map(|kind| patterned.iter().map(move |&id| (id, kind))).collect(),
        positions: Positions::All,
    })
}

/// Rejects an index beyond the model's `count`.
pub fn check(option: &str, what: &str, number: usize, count: usize) -> Result<(), Failure> {
    let there = match count {
        _ if number < count => return Ok(()),
        0 => format!("no {what}s"),
        count => format!("{what}s 0 to {}", count - 1),
    };
    Err(Failure::Usage(format!("{option}: no {what} {number}: the model has {there}")))
}
