//! `headcount ablate`: one sequence with neurons and heads switched off.

use super::args::AblateArgs;
use super::output::print;
use super::{Failure, input};
use crate::analysis::{Pass, evaluation};
use crate::model::{
    AblationKind, FoldOptions, HeadId, Interventions, Means, ModelConfig, NeuronId, Patch, PatternKind,
    Weights, fold,
};
use crate::report::AblationOutcome;
use crate::task::{Example, Split};

pub fn run(args: &AblateArgs) -> Result<(), Failure> {
    let trained = input::weights(&args.weights)?;
    let interventions = interventions(args, trained.config())?;
    let tokens = input::tokens(&args.tokens, trained.config())?;
    let weights = if args.folded { fold(&trained, FoldOptions::default()) } else { trained };
    let config = weights.config();
    let run = input::settings_of(&args.weights.weights, args.weights.config.as_deref(), config)?;
    let targets = input::task_of(&run).targets(&tokens);
    let example = Example::new(&tokens, &targets);
    let (means, mean_over) = means(args, &weights)?.unzip();
    let pass = |patch: &Patch| Pass::run(&weights, example, patch);
    let (before, after) = (pass(&Patch::default()), pass(&interventions.patch(config, means.as_ref())));
    let outcome = AblationOutcome {
        mean_over,
        weights: if args.folded { "folded" } else { "trained" },
        weights_file: args.weights.weights.display().to_string(),
        ..AblationOutcome::new(config, &interventions, args.layer, example, [&before, &after])
    };
    if args.json {
        print(&serde_json::to_string(&outcome).map_err(|error| Failure::Failed(error.to_string()))?)
    } else {
        print(outcome.to_string().trim_end())
    }
}

fn interventions(args: &AblateArgs, config: &ModelConfig) -> Result<Interventions, Failure> {
    let check = |option: &str, what: &str, values: &[usize], count: usize| {
        let bad = values.iter().find(|&&value| value >= count);
        bad.map_or(Ok(()), |bad| {
            let there =
                if count == 0 { format!("no {what}s") } else { format!("{what}s 0 to {}", count - 1) };
            Err(Failure::Usage(format!("{option}: no {what} {bad}: the model has {there}")))
        })
    };
    check("--layer", "layer", &[args.layer], config.n_layers)?;
    check("--neurons", "neuron", &args.neurons, config.d_mlp)?;
    check("--heads", "head", &args.heads, config.n_heads)?;
    check("--pattern-heads", "head", &args.pattern_heads, config.n_heads)?;
    if args.neurons.is_empty() && args.heads.is_empty() && args.pattern.is_none() {
        return Err(Failure::Usage("nothing to switch off: give --neurons, --heads or --pattern".into()));
    }
    let layer = args.layer;
    let all: Vec<usize> = (0..config.n_heads).collect();
    let patterned = if args.pattern_heads.is_empty() { &all } else { &args.pattern_heads };
    let replaced = |kind: PatternKind| patterned.iter().map(move |&head| (HeadId { layer, head }, kind));
    Ok(Interventions {
        heads: args.heads.iter().map(|&head| HeadId { layer, head }).collect(),
        neurons: args.neurons.iter().map(|&neuron| NeuronId { layer, neuron }).collect(),
        kind: args.kind.into(),
        patterns: args.pattern.map(PatternKind::from).into_iter().flat_map(replaced).collect(),
    })
}

/// The averages an ablation to the mean needs, and what they were taken over.
fn means(args: &AblateArgs, weights: &Weights) -> Result<Option<(Means, String)>, Failure> {
    if AblationKind::from(args.kind) == AblationKind::Zero {
        return match &args.mean_over {
            None => Ok(None),
            Some(_) => Err(Failure::Usage("--mean-over: only with --kind mean".into())),
        };
    }
    let config = weights.config();
    let (dataset, name) = if let Some(path) = &args.mean_over {
        let dataset = input::sequences(path, config)?;
        let name = format!("{} ({} sequences)", path.display(), dataset.len(Split::Validation));
        (dataset, name)
    } else {
        let run = input::settings_of(&args.weights.weights, args.weights.config.as_deref(), config)?;
        let dataset = input::dataset_of(&run);
        let name =
            format!("the validation set of seed {} ({} sequences)", run.seed, dataset.len(Split::Validation));
        (dataset, name)
    };
    let (means, _) = evaluation::means(weights, &dataset.examples(Split::Validation));
    Ok(Some((means, name)))
}
