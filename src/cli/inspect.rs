//! `headcount inspect`: writes a model's numbers to a file or to stdout.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::args::{Inspect, InspectArgs, TokensArgs, WeightsArgs};
use super::edits::{self, EditsOverSet};
use super::output::{self, Destination, print};
use super::{Failure, afford, input};
use crate::analysis::circuits::{HeadMaps, ov_neuron};
use crate::analysis::{Component, ControlPool, Pass, token_trackers};
use crate::model::weights_file::{encode, encode_tensors, parts_of};
use crate::model::{
    Activations, Becomes, FoldOptions, NamedTensor, Opened, Patch, Weights, cache, edit_cache, fold, forward,
    summary,
};
use crate::task::{Dataset, Example, Split, Targets, Token};
use crate::train::RunConfig;

pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    match &args.what {
        Inspect::Summary { weights } => print(summary(&input::weights(weights)?.2.weights).trim_end()),
        Inspect::Cache { weights, tokens, folded, edits, out } => {
            refuse_overwriting(out, weights, Some(tokens))?;
            write_cache(&Subject::open(weights, *folded)?, (tokens, edits.as_deref()), out)
        }
        Inspect::Attribution { weights, tokens, edits, out } => {
            refuse_overwriting(out, weights, Some(tokens))?;
            write_attribution(&Subject::open(weights, false)?, (tokens, edits.as_deref()), out)
        }
        Inspect::Circuits { weights, folded, out } => {
            refuse_overwriting(out, weights, None)?;
            write_circuits(&Subject::open(weights, *folded)?, out)
        }
        Inspect::Trackers { weights, top, controls, any_neurons, json } => {
            let pool = if *any_neurons { ControlPool::Any } else { ControlPool::NonTrackers };
            print_trackers(weights, (*top, *controls, pool), *json)
        }
        Inspect::Fold { weights, center_reading, fold_value_biases, out } => {
            refuse_overwriting(out, weights, None)?;
            let options =
                FoldOptions { center_reading: *center_reading, fold_value_biases: *fold_value_biases };
            let subject = Subject::open(weights, false)?;
            afford::fold(subject.weights.config())?;
            let subject = subject.fold(options);
            output::write(out, &encode(&parts_of(&subject.weights), Some(subject.about(&[], &[]))))
        }
    }
}

/// Refuses to overwrite an input file.
fn refuse_overwriting(out: &Path, weights: &WeightsArgs, tokens: Option<&TokensArgs>) -> Result<(), Failure> {
    let tokens = tokens.and_then(input::tokens_file).map(|(path, _)| path);
    let (weights, config) = (input::file_of(weights)?.0, weights.settings.config.as_deref());
    let inputs = [Some(weights.as_path()), tokens, config];
    let Ok(Destination::File(out)) = Destination::of(out) else { return Ok(()) };
    match inputs.into_iter().flatten().find(|input| input.canonicalize().is_ok_and(|input| input == out)) {
        Some(input) => {
            Err(Failure::Usage(format!("--out {}: that is what is read: name another file", input.display())))
        }
        None => Ok(()),
    }
}

/// The subject of a file of numbers.
struct Subject<'a> {
    args: &'a WeightsArgs,
    file: PathBuf,
    step: Option<usize>,
    weights: Weights,
    about: Vec<(String, String)>,
    form: &'static str,
}

impl<'a> Subject<'a> {
    fn open(args: &'a WeightsArgs, folded: bool) -> Result<Self, Failure> {
        let (file, step, Opened { weights, about, .. }) = input::weights(args)?;
        let trained = Self { args, file, step, weights, about, form: "trained" };
        Ok(if folded { trained.fold(FoldOptions::default()) } else { trained })
    }

    fn fold(self, options: FoldOptions) -> Self {
        Self { weights: fold(&self.weights, options), form: "folded", ..self }
    }

    /// The requested sequence, as a data set.
    fn sequence(&self, tokens: &TokensArgs) -> Result<(Dataset, RunConfig), Failure> {
        let run = input::settings_of(&self.file, &self.args.settings, self.weights.config())?;
        let task = input::named_task_of(&run, &self.file);
        let tokens = input::tokens(tokens, self.weights.config(), task.vocabulary())?;
        Ok((Dataset::from_sequences(task, &[tokens]), run))
    }

    /// The edits of a file, if one is given, with means and donors of the validation set.
    fn edits<'b>(
        &'b self,
        file: Option<&Path>,
        (example, run): (&'b [Example<'b>], &RunConfig),
        data: &Dataset,
    ) -> Result<EditsOverSet<'b>, Failure> {
        let list = file.map(|file| edits::read(file, self.weights.config(), &**data.task())).transpose()?;
        let list = list.unwrap_or_default();
        let is_needed = list.iter().any(|edit| edit.needs_data() || edit.becomes == Becomes::Resample);
        let validation = if is_needed { Some(input::dataset_of(run)?) } else { None };
        let from = (validation.as_ref().unwrap_or(data), "the validation set");
        EditsOverSet::new(&list, &self.weights, example, from, (false, run.seed))
    }

    /// The metadata of a file, under the names of `ablate --json`.
    fn about(&self, tokens: &[Token], edits: &[String]) -> HashMap<String, String> {
        let json = |config| serde_json::to_string(config).expect("a configuration is always representable");
        let always = [
            ("config", json(self.weights.config())),
            ("weights", self.form.to_owned()),
            ("weights_file", self.file.display().to_string()),
            ("headcount", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let tokens = (!tokens.is_empty()).then(|| ("tokens", format!("{tokens:?}")));
        let step = self.step.map(|step| ("step", step.to_string()));
        let edits = (!edits.is_empty()).then(|| ("edits", format!("{edits:?}")));
        let own = always
            .into_iter()
            .chain(step)
            .chain(tokens)
            .chain(edits)
            .map(|(key, value)| (key.to_owned(), value));
        self.about.iter().cloned().chain(own).collect()
    }
}

/// A sequence, and a file of edits.
type Edited<'a> = (&'a TokensArgs, Option<&'a Path>);

fn write_cache(subject: &Subject<'_>, (tokens, file): Edited<'_>, out: &Path) -> Result<(), Failure> {
    let weights = &subject.weights;
    let (data, run) = subject.sequence(tokens)?;
    let (tokens, example) = (data.example(Split::Validation, 0).tokens(), data.examples(Split::Validation));
    afford::cache(weights.config(), tokens.len())?;
    let edits = subject.edits(file, (&example, &run), &data)?;
    let patch = edits.patch(0, Cow::Owned(Patch::default()));
    let mut activations = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, &patch, &mut activations);
    let mut tensors = cache(weights, tokens, &activations);
    edit_cache(&patch, (weights.config(), tokens.len()), &mut tensors);
    output::write(out, &encode_tensors(&tensors, subject.about(tokens, &edits.names())))
}

fn write_attribution(subject: &Subject<'_>, (tokens, file): Edited<'_>, out: &Path) -> Result<(), Failure> {
    let weights = &subject.weights;
    let (data, run) = subject.sequence(tokens)?;
    let (tokens, example) = (data.example(Split::Validation, 0).tokens(), data.examples(Split::Validation));
    afford::attribution(weights.config(), tokens.len())?;
    let edits = subject.edits(file, (&example, &run), &data)?;
    let unscored = Targets::none(tokens.len());
    let patch = edits.patch(0, Cow::Owned(Patch::default()));
    let pass = Pass::run(weights, Example::new(tokens, &unscored), &patch);
    let attribution = pass.attribution;
    let mut parts: Vec<NamedTensor> = Vec::new();
    for (at, component) in attribution.components.iter().enumerate() {
        let values = attribution.part(at);
        // TransformerLens' hook_mlp_out includes b_out, which follows the MLP in the list.
        if let (Component::MlpBias(_), Some(mlp)) = (component, parts.last_mut()) {
            mlp.values.iter_mut().zip(values).for_each(|(x, b)| *x += b);
            continue;
        }
        let name = match component {
            Component::Mlp(layer) => format!("mlp_out.{layer}"),
            other => other.to_string(),
        };
        let shape = vec![tokens.len(), weights.config().outputs()];
        parts.push(NamedTensor { name, shape, values });
    }
    output::write(out, &encode_tensors(&parts, subject.about(tokens, &edits.names())))
}

fn write_circuits(subject: &Subject<'_>, out: &Path) -> Result<(), Failure> {
    let weights = &subject.weights;
    let d_vocab = weights.config().d_vocab;
    afford::circuits(weights.config())?;
    let tensors = weights.config().heads().flat_map(|id| {
        let (maps, name) =
            (HeadMaps::new(weights, id), |kind: &str| format!("{kind}.{}.{}", id.layer, id.head));
        [("qk", maps.qk), ("ov_neuron", ov_neuron(weights, id)), ("ov_logit", maps.ov_logit)].map(
            |(kind, map)| NamedTensor {
                name: name(kind),
                shape: vec![d_vocab, map.cols()],
                values: map.dense(),
            },
        )
    });
    let tensors: Vec<NamedTensor> = tensors.filter(|tensor| !tensor.values.is_empty()).collect();
    output::write(out, &encode_tensors(&tensors, subject.about(&[], &[])))
}

fn print_trackers(
    args: &WeightsArgs,
    (top, controls, pool): (usize, usize, ControlPool),
    json: bool,
) -> Result<(), Failure> {
    let (file, _, Opened { weights, .. }) = input::weights(args)?;
    let config = weights.config();
    if !config.has_mlp() {
        return Err(Failure::Usage("inspect trackers: an attention-only model has no neurons".into()));
    }
    if top == 0 || top > config.d_mlp {
        return Err(Failure::Usage(format!(
            "--top: {top} neurons: the model has {} in a layer",
            config.d_mlp
        )));
    }
    let run = input::settings_of(&file, &args.settings, config)?;
    afford::trackers(&run, input::task_of(&run).features().len())?;
    let dataset = input::dataset_of(&run)?;
    let found = token_trackers(&weights, &dataset, (top, controls, pool), run.seed);
    if json {
        return print(&serde_json::to_string(&found).map_err(|error| Failure::Failed(error.to_string()))?);
    }
    let sequences = dataset.len(Split::Validation);
    print(&format!("trained weights, over the validation set of seed {} ({sequences} sequences)", run.seed))?;
    found.iter().try_for_each(|tracked| print(tracked.to_string().trim_end()))
}
