//! `headcount inspect`: a model's numbers, to a file or to stdout.

use super::args::{Inspect, InspectArgs};
use super::{Failure, input, print};
use crate::analysis::Pass;
use crate::model::weights_file::{encode_tensors, encode_weights};
use crate::model::{Activations, FoldOptions, NamedTensor, Patch, cache, fold, forward};
use crate::report::summary;
use crate::task::majority;
use crate::train::write_atomically;

pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    match &args.what {
        Inspect::Summary { weights } => print(summary(&input::weights(weights)?).trim_end()),
        Inspect::Fold { weights, out } => Ok(write_atomically(
            out,
            &encode_weights(&fold(&input::weights(weights)?, FoldOptions::default())),
        )?),
        Inspect::Cache { weights, tokens, folded, out } => {
            let trained = input::weights(weights)?;
            let weights = if *folded { fold(&trained, FoldOptions::default()) } else { trained };
            let tokens = input::tokens(tokens, weights.config())?;
            let mut activations = Activations::new(weights.config(), tokens.len());
            forward(&weights, &tokens, &Patch::default(), &mut activations);
            Ok(write_atomically(out, &encode_tensors(&cache(&weights, &tokens, &activations)))?)
        }
        Inspect::Attribution { weights, tokens, out } => {
            let weights = input::weights(weights)?;
            let d_vocab = weights.config().d_vocab;
            let tokens = input::tokens(tokens, weights.config())?;
            let labels = majority::labels(&tokens, d_vocab);
            let attribution = Pass::run(&weights, &tokens, &labels, &Patch::default()).attribution;
            let parts = attribution.writers.iter().zip(attribution.parts).map(|(writer, values)| {
                NamedTensor { name: writer.to_string(), shape: vec![tokens.len(), d_vocab], values }
            });
            Ok(write_atomically(out, &encode_tensors(&parts.collect::<Vec<_>>()))?)
        }
    }
}
