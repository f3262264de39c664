//! `headcount ablate`: one sequence, or a set, with neurons and heads switched off.

use std::borrow::Cow;

use super::args::{AblateArgs, AblationKindArg, MeasuredArgs, TokensArgs};
use super::edits::{EditsOverSet, drawn, requested};
use super::measured::Measured;
use super::output::{print, print_text};
use super::{Failure, afford, dose, input};
use crate::analysis::{AblationOutcome, Pass, Scores, evaluation};
use crate::model::{
    AblationKind, Becomes, FoldOptions, Interventions, Means, Patch, Places, Positions, Weights, fold,
};
use crate::number::count;
use crate::task::{Dataset, Example, Split};

pub fn run(args: &AblateArgs) -> Result<(), Failure> {
    let measured = Measured::open(&args.measured)?;
    let kind = AblationKind::from(args.kind);
    let set = Set::of(args, &measured)?;
    let interventions = requested(&args.edits, kind, (measured.config(), &**set.data.task()))?;
    if args.positions.is_some() && interventions.switched() == 0 {
        return Err(Failure::Usage("--positions: each edit of --edits has its own".into()));
    }
    if dose::is_asked(args) {
        dose::check(args, &interventions)?;
        let measurement = dose::Measurement {
            weights: &measured.weights,
            data: &set.data,
            examples: &set.data.examples(Split::Validation),
            edits: &interventions,
            place: (&measured.place, dose::words(set.words.as_ref(), &set.data)),
            step: measured.step,
            seed: measured.run.seed,
        };
        return measurement.run(args);
    }
    let folded = args.folded.then(|| fold(&measured.weights, FoldOptions::default()));
    let weights = folded.as_ref().unwrap_or(&measured.weights);
    let config = weights.config();
    let examples = set.data.examples(Split::Validation);
    let longest = set.data.longest(Split::Validation);
    let names = set.data.task().vocabulary();
    let chosen = args.positions.as_deref().map(|text| Places::parse(text, names, longest)).transpose();
    let chosen = chosen.map_err(|why| Failure::Usage(format!("--positions: {why}")))?;
    let last = chosen.as_ref().map_or(longest - 1, |chosen| chosen.last(longest));
    let (pool, name) = pool(args, &measured, &set, &interventions)?;
    let is_same_set = args.mean_over.is_none() && set.words.is_some();
    let from = (&pool, &name[..]);
    let seed = measured.run.seed;
    let (values, mean_over) = Values::of(args.kind, weights, (&examples, last), from, (is_same_set, seed))?;
    let list = EditsOverSet::new(&interventions.list, weights, &examples, from, (is_same_set, seed))?;
    let positions_of =
        |index: usize| chosen.as_ref().map_or(Positions::All, |chosen| chosen.of(examples[index].tokens()));
    let patch_of = |index: usize| {
        let edits = Interventions { positions: positions_of(index), ..interventions.clone() };
        list.patch(index, Cow::Owned(edits.patch(config, values.at(index, weights).as_deref()))).into_owned()
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

/// The sequences of means and donors: those of `--mean-over`, else the set itself, else the validation set if an edit needs
/// one; and what they are.
fn pool(
    args: &AblateArgs,
    measured: &Measured,
    set: &Set,
    edits: &Interventions,
) -> Result<(Dataset, String), Failure> {
    let of_list = edits.list.iter().any(|edit| edit.needs_data() || edit.becomes == Becomes::Resample);
    let is_needed = of_list || args.kind != AblationKindArg::Zero;
    match (&args.mean_over, &set.words) {
        (Some(_), _) if !is_needed => Err(Failure::Usage("--mean-over: not with --kind zero".into())),
        (Some(path), _) => Ok((input::data(path, None, measured.config())?, path.display().to_string())),
        (None, None) if is_needed => measured.dataset(&args.measured.data),
        (None, words) => Ok((set.data.clone(), words.clone().unwrap_or_default())),
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
    /// The values of an ablation for these sequences, whose last ablated position is `last`; and their origin in words.
    fn of(
        kind: AblationKindArg,
        weights: &Weights,
        (examples, last): (&[Example<'_>], usize),
        (data, name): (&Dataset, &str),
        (is_same_set, seed): (bool, u64),
    ) -> Result<(Self, Option<String>), Failure> {
        let config = weights.config();
        let from =
            |what: &str| Some(format!("{what} {name} ({})", count(data.len(Split::Validation), "sequence")));
        match kind {
            AblationKindArg::Zero => Ok((Self::Zero, None)),
            AblationKindArg::Mean => {
                afford::over_set("ablate --kind mean", config, (1, 0))?;
                let (means, _) = evaluation::means(weights, &data.examples(Split::Validation));
                Ok((Self::Means(means), from("sequences and positions of")))
            }
            AblationKindArg::MeanPosition => {
                let means = means_by_position(weights, (data, name), last)?;
                Ok((Self::Means(means), from("sequences at each position of")))
            }
            AblationKindArg::Resample => {
                let drawn = drawn(examples, (data, name), is_same_set, seed)?;
                let words = from("other sequences of").map(|words| format!("{words}, drawn by seed {seed}"));
                Ok((Self::Donors(data.clone(), drawn), words))
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
