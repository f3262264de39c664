//! `headcount ablate`: one sequence with neurons and heads switched off.

use std::collections::BTreeSet;

use super::args::{AblateArgs, EditArgs, PlaceArg};
use super::output::{print, print_text};
use super::{Failure, afford, input};
use crate::analysis::{AblationOutcome, Pass, evaluation};
use crate::model::{
    AblationKind, FoldOptions, HeadId, Interventions, Means, ModelConfig, NeuronId, Patch, PatternKind,
    Weights, fold,
};
use crate::number::count;
use crate::task::{Example, Split};

pub fn run(args: &AblateArgs) -> Result<(), Failure> {
    let trained = input::weights(&args.weights)?;
    let interventions = interventions(&args.edits, trained.config())?;
    let run = input::settings_of(&args.weights.weights, &args.weights.settings, trained.config())?;
    let task = input::task_of(&run);
    let tokens = input::tokens(&args.tokens, trained.config(), task.vocabulary())?;
    afford::ablate(trained.config(), tokens.len(), args.folded)?;
    let weights = if args.folded { fold(&trained, FoldOptions::default()) } else { trained };
    let config = weights.config();
    let targets = task.targets(&tokens);
    let example = Example::new(&tokens, &targets);
    let (means, mean_over) = means(args, &weights)?.unzip();
    let pass = |patch: &Patch| Pass::run(&weights, example, patch);
    let (before, after) = (pass(&Patch::default()), pass(&interventions.patch(config, means.as_ref())));
    let outcome = AblationOutcome {
        mean_over,
        weights: if args.folded { "folded" } else { "trained" },
        weights_file: args.weights.weights.display().to_string(),
        ..AblationOutcome::new(config, &interventions, example, [&before, &after])
    };
    if args.json {
        print(&serde_json::to_string(&outcome).map_err(|error| Failure::Failed(error.to_string()))?)
    } else {
        print_text(outcome.to_string().trim_end())
    }
}

/// The requested edits, checked against the model.
pub fn interventions(args: &EditArgs, config: &ModelConfig) -> Result<Interventions, Failure> {
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
    let kind = args.pattern.map(PatternKind::from);
    Ok(Interventions {
        heads: args.heads.iter().map(head("--heads")).collect::<Result<_, Failure>>()?,
        neurons: args.neurons.iter().map(neuron).collect::<Result<_, Failure>>()?,
        kind: args.kind.into(),
        patterns: kind.into_iter().flat_map(|kind| patterned.iter().map(move |&id| (id, kind))).collect(),
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

/// The means for an ablation to the mean, and the set that they are taken over.
fn means(args: &AblateArgs, weights: &Weights) -> Result<Option<(Means, String)>, Failure> {
    if AblationKind::from(args.edits.kind) == AblationKind::Zero {
        return match &args.mean_over {
            None => Ok(None),
            Some(_) => Err(Failure::Usage("--mean-over: only with --kind mean".into())),
        };
    }
    let config = weights.config();
    let (dataset, name) = if let Some(path) = &args.mean_over {
        let dataset = input::data(path, None, config)?;
        (dataset, path.display().to_string())
    } else {
        let run = input::settings_of(&args.weights.weights, &args.weights.settings, config)?;
        afford::means(&run)?;
        (input::dataset_of(&run)?, format!("the validation set of seed {}", run.seed))
    };
    let (means, _) = evaluation::means(weights, &dataset.examples(Split::Validation));
    let sequences = count(dataset.len(Split::Validation), "sequence");
    Ok(Some((means, format!("sequences and positions of {name} ({sequences})"))))
}
