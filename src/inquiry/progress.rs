//! How far is the model on the way to the answer by waves of the sum of two operands?

use std::collections::HashMap;
use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Progress, Sweep};
use super::{Answer, Findings};
use crate::analysis::pairs::{PairValues, every_pair};
use crate::analysis::progress::{ProgressMeasures, gini, key_frequencies, losses};
use crate::analysis::spectra::Fourier;
use crate::figure::{Figure, Spec, Subject};
use crate::model::Patch;
use crate::task::{Cycle, Dataset, Split, Token};

/// Loss of the key frequencies.
pub static RESTRICTED_LOSS: Spec = Spec {
    name: "restricted_loss",
    unit: "nats",
    definition: "mean cross-entropy over all pairs of operands, of the logits with only their mean and the terms of the key \
                 frequencies: the four products of cosine or sine of a and of b. Key frequencies: of the newest snapshot, those \
                 whose spectrum_share of the logits is more than twice chance",
    source: "Nanda et al. 2023, Progress measures for grokking",
    baseline: "ln d_vocab_out",
    ..Spec::BARE
};

/// Loss without the key frequencies.
pub static EXCLUDED_LOSS: Spec = Spec {
    name: "excluded_loss",
    unit: "nats",
    definition: "mean cross-entropy over the training pairs, of the logits without the terms of restricted_loss's key frequencies",
    source: "Nanda et al. 2023, Progress measures for grokking",
    baseline: "ln d_vocab_out",
    ..Spec::BARE
};

/// Sparsity of the embedding's spectrum.
pub static EMBEDDING_GINI: Spec = Spec {
    name: "embedding_gini",
    definition: "Gini coefficient of spectrum over the frequencies of W_E",
    source: "Nanda et al. 2023, Progress measures for grokking",
    baseline: "0, of equal norms",
    ..Spec::BARE
};

struct Asked {
    subject: Subject,
    keys_of: Subject,
    keys: Option<Arc<Vec<usize>>>,
    sweep: Option<Sweep<PairValues>>,
}

/// Asked only about a task of pairs on a circle; the key frequencies are those of `keys_of`.
pub(super) fn ask(subject: &Subject, keys_of: &Subject) -> Box<dyn Job> {
    Box::new(Asked { subject: subject.clone(), keys_of: keys_of.clone(), keys: None, sweep: None })
}

impl Asked {
    /// The logits over all pairs of the next subject, once known.
    fn values(&mut self, cycle: Cycle, bench: &Bench) -> Option<PairValues> {
        let of = if self.keys.is_none() { &self.keys_of } else { &self.subject };
        let sweep = self.sweep.get_or_insert_with(|| {
            let weights = bench.weights(of);
            let values = PairValues::of_logits(weights.config());
            Sweep::new(weights, Patch::default(), values).over(every_pair(bench.data().task(), cycle.len))
        });
        let values = sweep.step(bench)?;
        self.sweep = None;
        Some(values)
    }
}

/// The class of each pair, and the pairs that are trained on.
fn pairs_of(data: &Dataset, cycle: Cycle) -> (Vec<Option<usize>>, Vec<usize>) {
    let task = data.task();
    let inputs: Vec<Vec<Token>> = (0..cycle.len * cycle.len).map(|pair| task.input(pair)).collect();
    let class = |tokens: &Vec<Token>| task.targets(tokens).last().copied().flatten().map(usize::from);
    let targets = inputs.iter().map(class).collect();
    let by_tokens: HashMap<&[Token], usize> = inputs.iter().map(Vec::as_slice).zip(0..).collect();
    let trained = (0..data.len(Split::Train))
        .filter_map(|index| by_tokens.get(data.example(Split::Train, index).tokens()).copied());
    (targets, trained.collect())
}

impl Job for Asked {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(cycle) = bench.data().task().facts().cycle else {
            panic!("progress measures are of a circle of tokens")
        };
        self.keys = self.keys.take().or_else(|| bench.known_keys(&self.keys_of));
        let Some(values) = self.values(cycle, bench) else { return Progress::More };
        let fourier = Fourier::new(cycle.len);
        let Some(keys) = self.keys.as_deref().cloned() else {
            let keys = bench.long(|| key_frequencies(&values, &fourier));
            self.keys = Some(bench.keep_keys(&self.keys_of, keys));
            return Progress::More;
        };
        let (targets, training) = pairs_of(bench.data(), cycle);
        let [restricted, excluded] = bench.long(|| losses(&values, (&fourier, &keys), &targets, &training));
        let weights = &bench.weights(&self.subject).weights;
        let c = weights.config();
        let w_e = &weights.part(&weights.layout.w_e)[..cycle.len * c.d_model];
        let gini = gini(fourier.of_points(w_e, c.d_model).power.iter().map(|power| power.sqrt()));
        Progress::Done(Findings::Progress(Arc::new(ProgressMeasures { keys, restricted, excluded, gini })))
    }
}

/// [`RESTRICTED_LOSS`], [`EXCLUDED_LOSS`] and [`EMBEDDING_GINI`].
pub fn figures(answer: &Answer, found: &ProgressMeasures) -> [Arc<Figure>; 3] {
    let keys: Vec<String> = found.keys.iter().map(ToString::to_string).collect();
    let figure = |spec, value: f64| {
        let figure = answer.figure(spec, Vec::new(), move |_| Some(value).filter(|value| value.is_finite()));
        figure.asked_with(KEYS, &keys.join(" "))
    };
    [
        figure(&RESTRICTED_LOSS, found.restricted),
        figure(&EXCLUDED_LOSS, found.excluded),
        figure(&EMBEDDING_GINI, found.gini),
    ]
}

/// The choice of the question that names the key frequencies.
pub const KEYS: &str = "key_frequencies";
