//! The edits of the command line, and their values over a set of sequences.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::Failure;
use super::args::{EditArgs, PlaceArg};
use crate::analysis::donors;
use crate::analysis::edit_sums::EditSums;
use crate::analysis::edits::ReadyEdits;
use crate::analysis::total::over;
use crate::model::{
    AblationKind, Becomes, EditRule, HeadId, Interventions, ModelConfig, NeuronId, Patch, PatternKind,
    Positions, Snapshot, Weights, read_edits,
};
use crate::task::{Dataset, Example, Split, Task};
use crate::train::FileError;

/// Reads a file of edits.
pub fn read(path: &Path, config: &ModelConfig, task: &dyn Task) -> Result<Vec<EditRule>, Failure> {
    let text = fs::read_to_string(path).map_err(FileError::at("read", path))?;
    let refuse = |why| Failure::Usage(format!("--edits {}: {why}", path.display()));
    read_edits(&text, config, task).map_err(|error| refuse(error.to_string()))
}

/// A list of edits with all they need for the sequences of a set.
pub struct EditsOverSet<'a> {
    ready: ReadyEdits,
    weights: &'a Weights,
    examples: &'a [Example<'a>],
    /// The set from which values are resampled, and for each sequence one of its own.
    donors: Option<(Dataset, Vec<usize>)>,
}

impl<'a> EditsOverSet<'a> {
    /// With means, directions and donors of `data`, in words `name`, which may be the set itself.
    ///
    /// # Errors
    /// When an edit changes nothing, or a sequence has no donor.
    pub fn new(
        list: &[EditRule],
        weights: &'a Weights,
        examples: &'a [Example<'a>],
        (data, name): (&Dataset, &str),
        (is_same_set, seed): (bool, u64),
    ) -> Result<Self, Failure> {
        for (at, edit) in list.iter().enumerate() {
            let cells = |example: &Example<'_>| {
                let keys = weights.config().visible_keys(example.tokens());
                edit.cells(weights.config(), (example.tokens(), &keys))
            };
            if examples.iter().all(|example| cells(example) == 0) {
                return Err(Failure::Usage(format!("--edits: edit {} changes no value: {edit}", at + 1)));
            }
        }
        // The copy is shared with the threads that sum.
        let sums = EditSums::new(&Arc::new(Snapshot::new(0, weights.clone())), &list.into());
        let ready = if list.iter().any(EditRule::needs_data) {
            over(sums, weights, &Patch::default(), &data.examples(Split::Validation)).ready()
        } else {
            sums.ready()
        };
        let resamples = list.iter().any(|edit| edit.becomes == Becomes::Resample);
        let drawn = || drawn(examples, (data, name), is_same_set, seed);
        let donors = resamples.then(drawn).transpose()?.map(|drawn| (data.clone(), drawn));
        Ok(Self { ready, weights, examples, donors })
    }

    /// Adds the edits to the patch of a sequence.
    pub fn patch<'b>(&self, index: usize, patch: Cow<'b, Patch>) -> Cow<'b, Patch> {
        let donor = self.donors.as_ref().map(|(data, of)| data.example(Split::Validation, of[index]));
        let donor = donor.as_ref().map(Example::tokens);
        self.ready.patch(self.weights, (self.examples[index].tokens(), donor), patch)
    }
}

impl EditsOverSet<'_> {
    /// Each edit in words.
    pub fn names(&self) -> Vec<String> {
        self.ready.edits().iter().map(ToString::to_string).collect()
    }
}

/// For each sequence of a set another one of `data`.
pub fn drawn(
    set: &[Example<'_>],
    (data, name): (&Dataset, &str),
    is_same_set: bool,
    seed: u64,
) -> Result<Vec<usize>, Failure> {
    let lens = |of: &[Example<'_>]| of.iter().map(|one| one.tokens().len()).collect::<Vec<_>>();
    let alone = |index| format!("{name}: no other sequence is as long as sequence {index}");
    donors(&lens(set), &lens(&data.examples(Split::Validation)), is_same_set, seed)
        .map_err(|index| Failure::Usage(alone(index)))
}

/// The requested edits, checked against the model and the names of a task.
pub fn requested(
    args: &EditArgs,
    kind: AblationKind,
    (config, task): (&ModelConfig, &dyn Task),
) -> Result<Interventions, Failure> {
    if args.is_empty() {
        let asked = "nothing to switch off: give --neurons, --heads, --pattern or --edits";
        return Err(Failure::Usage(asked.into()));
    }
    let list = args.edits.as_deref().map_or_else(|| Ok(Vec::new()), |path| read(path, config, task))?;
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
        list,
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
