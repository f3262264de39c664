//! Loss and accuracy over a set of sequences, and mean activations.

use serde::Serialize;

use super::logits::prediction;
use super::total::{Total, over};
use crate::model::{Activations, Means, ModelConfig, Patch, Weights, cross_entropy, forward};
use crate::task::{Answers, Example, Situation, Task, Token};

/// Loss and accuracy on a set of sequences, over all their targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Sequences.
    pub sequences: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of correct predictions.
    pub accuracy: f64,
    /// Share of correct predictions at the last position of each sequence; NaN without targets there.
    pub accuracy_last: f64,
    /// By class; `None` for a class that never occurs.
    pub accuracy_by_class: Vec<Option<f64>>,
    /// Mean cross-entropy by class, in nats; `None` for a class that never occurs.
    pub loss_by_class: Vec<Option<f64>>,
    /// By position; `None` for a position without targets.
    pub accuracy_by_position: Vec<Option<f64>>,
    /// Mean cross-entropy by position, in nats; empty if it is not known.
    #[serde(skip)]
    pub loss_by_position: Vec<Option<f64>>,
    /// The targets of each group of each of the task's situations; empty if they were not asked for.
    #[serde(skip)]
    pub by_situation: Vec<Vec<Count>>,
    /// Number of predictions of each kind of the task's answers; empty if they were not asked for.
    #[serde(skip)]
    pub answers: Vec<usize>,
    /// Number of predictions by target, then predicted class, `[d_vocab_out, d_vocab_out]`; empty for many classes.
    #[serde(skip)]
    pub confusion: Vec<usize>,
}

/// Most classes of a confusion matrix.
pub const MOST_CONFUSED: usize = 128;

impl Evaluation {
    /// The loss; `None` without targets. A broken model's is NaN.
    pub fn known_loss(&self) -> Option<f64> {
        self.known_accuracy().map(|_| self.loss)
    }

    /// The targets of one of the groups of all situations, if counted.
    pub fn group(&self, at: usize) -> Option<Count> {
        self.by_situation.iter().flatten().nth(at).copied()
    }

    /// The accuracy; `None` without targets.
    pub fn known_accuracy(&self) -> Option<f64> {
        Some(self.accuracy).filter(|accuracy| !accuracy.is_nan())
    }
}

/// Number of scored and of right predictions, and their summed cross-entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    right: usize,
    seen: usize,
    loss: f64,
}

impl Count {
    /// One target, its prediction and its cross-entropy.
    pub(super) fn one(is_right: bool, loss: f64) -> Self {
        Self { right: usize::from(is_right), seen: 1, loss }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.right += other.right;
        self.seen += other.seen;
        self.loss += other.loss;
    }

    /// Number of targets.
    pub fn targets(self) -> usize {
        self.seen
    }

    /// Number of wrong predictions.
    pub fn wrong(self) -> usize {
        self.seen - self.right
    }

    /// Share of right predictions; `None` without targets.
    pub fn share(self) -> Option<f64> {
        (self.seen > 0).then(|| self.right as f64 / self.seen as f64)
    }

    /// Mean cross-entropy, in nats; `None` without targets.
    pub fn mean_loss(self) -> Option<f64> {
        (self.seen > 0).then(|| self.loss / self.seen as f64)
    }
}

/// Counts over sequences.
pub struct Tally {
    sequences: usize,
    loss: f64,
    last: Count,
    by_position: Vec<Count>,
    by_class: Vec<Count>,
    situations: &'static [Situation],
    /// By situation, then group.
    by_situation: Vec<Vec<Count>>,
    sorted: Option<&'static Answers>,
    answers: Vec<usize>,
    confusion: Vec<usize>,
}

impl Tally {
    /// Empty counts.
    pub fn new(config: &ModelConfig) -> Self {
        Self::of_classes(config.outputs())
    }

    fn of_classes(classes: usize) -> Self {
        let by_class = vec![Count::default(); classes];
        let (last, by_position, by_situation) = (Count::default(), Vec::new(), Vec::new());
        let confusion = vec![0; if classes > MOST_CONFUSED { 0 } else { classes * classes }];
        Self {
            sequences: 0,
            loss: 0.0,
            last,
            by_position,
            by_class,
            situations: &[],
            by_situation,
            sorted: None,
            answers: Vec::new(),
            confusion,
        }
    }

    /// The same, also counting by the situations of a task and sorting its answers.
    #[must_use]
    pub fn with_groups_of(self, task: &dyn Task) -> Self {
        self.with_situations(task.situations()).with_answers(task.facts().answers)
    }

    fn with_answers(self, sorted: Option<&'static Answers>) -> Self {
        Self { sorted, answers: vec![0; sorted.map_or(0, |sorted| sorted.values.len())], ..self }
    }

    /// The same, also counting by these situations.
    #[must_use]
    pub fn with_situations(self, situations: &'static [Situation]) -> Self {
        let groups = |situation: &Situation| vec![Count::default(); situation.values.len()];
        Self { situations, by_situation: situations.iter().map(groups).collect(), ..self }
    }

    /// Counts a sequence by its logits, `[pos, d_vocab_out]`.
    pub fn add(&mut self, logits: &[f32], example: Example<'_>) {
        let (outputs, targets) = (self.by_class.len(), example.targets());
        let groups: Vec<_> = self.situations.iter().map(|one| (one.of)(example.tokens())).collect();
        if let Some(sorted) = self.sorted {
            let predictions: Vec<_> = logits.chunks_exact(outputs).map(prediction).collect();
            let kinds = sorted.kinds(example.tokens(), &predictions);
            kinds.into_iter().flatten().for_each(|kind| self.answers[kind] += 1);
        }
        let mut sum = 0.0;
        self.sequences += 1;
        self.by_position.resize(self.by_position.len().max(targets.len()), Count::default());
        for (position, (logits, target)) in logits.chunks_exact(outputs).zip(targets).enumerate() {
            let Some(target) = *target else { continue };
            let predicted = prediction(logits);
            if let Some(class) = predicted.map(usize::from).filter(|_| !self.confusion.is_empty()) {
                self.confusion[usize::from(target) * outputs + class] += 1;
            }
            let loss = cross_entropy(logits, &[Some(target)], outputs);
            let one = Count::one(predicted == Some(target), loss);
            sum += one.loss;
            self.by_position[position].add(one);
            self.by_class[usize::from(target)].add(one);
            for (counts, groups) in self.by_situation.iter_mut().zip(&groups) {
                if let Some(group) = groups[position] {
                    counts[group].add(one);
                }
            }
            if position + 1 == targets.len() {
                self.last.add(one);
            }
        }
        self.loss += sum;
    }

    /// Sequences counted.
    pub fn sequences(&self) -> usize {
        self.sequences
    }

    /// All targets.
    pub fn all(&self) -> Count {
        let mut all = Count::default();
        self.by_class.iter().for_each(|&count| all.add(count));
        Count { loss: self.loss, ..all }
    }

    /// The targets of each class.
    pub fn by_class(&self) -> &[Count] {
        &self.by_class
    }

    /// The targets at each position of the longest sequence.
    pub fn by_position(&self) -> &[Count] {
        &self.by_position
    }

    /// The targets of each group of each situation.
    pub fn by_situation(&self) -> &[Vec<Count>] {
        &self.by_situation
    }

    /// The evaluation of everything counted.
    pub fn evaluation(&self) -> Evaluation {
        let all = self.all();
        let shares = |counts: &[Count]| counts.iter().map(|count| count.share()).collect();
        let losses = |counts: &[Count]| counts.iter().map(|count| count.mean_loss()).collect();
        Evaluation {
            sequences: self.sequences,
            loss: self.loss / all.seen as f64,
            accuracy: all.share().unwrap_or(f64::NAN),
            accuracy_last: self.last.share().unwrap_or(f64::NAN),
            accuracy_by_class: shares(&self.by_class),
            loss_by_class: losses(&self.by_class),
            accuracy_by_position: shares(&self.by_position),
            loss_by_position: losses(&self.by_position),
            by_situation: self.by_situation.clone(),
            answers: self.answers.clone(),
            confusion: self.confusion.clone(),
        }
    }
}

impl Total for Tally {
    fn empty(&self) -> Self {
        Self::of_classes(self.by_class.len()).with_situations(self.situations).with_answers(self.sorted)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        Self::add(self, &from.logits, example);
    }

    fn merge(&mut self, next: Self) {
        let each =
            |to: &mut [Count], from: &[Count]| to.iter_mut().zip(from).for_each(|(to, &from)| to.add(from));
        self.sequences += next.sequences;
        self.loss += next.loss;
        self.last.add(next.last);
        self.by_position.resize(self.by_position.len().max(next.by_position.len()), Count::default());
        each(&mut self.by_position, &next.by_position);
        each(&mut self.by_class, &next.by_class);
        let counts = [(&mut self.confusion, &next.confusion), (&mut self.answers, &next.answers)];
        counts.into_iter().for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(to, from)| *to += from));
        self.by_situation.iter_mut().zip(&next.by_situation).for_each(|(to, from)| each(to, from));
    }
}

/// Evaluates `weights` with `patch`. No sequence may be longer than `n_ctx`.
pub fn evaluate(weights: &Weights, patch: &Patch, examples: &[Example<'_>]) -> Evaluation {
    over(Tally::new(weights.config()), weights, patch, examples).evaluation()
}

/// Mean activations over `examples`, and the activity of each neuron: its mean |activation|, by layer.
pub fn means(weights: &Weights, examples: &[Example<'_>]) -> (Means, Vec<Vec<f32>>) {
    over(Totals::new(weights.config()), weights, &Patch::default(), examples).averages()
}

/// Mean activations over `examples` at each position.
pub fn means_by_position(weights: &Weights, examples: &[Example<'_>]) -> Means {
    let longest = examples.iter().map(|example| example.tokens().len()).max().unwrap_or(1);
    let totals = Totals::of_rows(weights.config(), longest);
    over(totals, weights, &Patch::default(), examples).averages().0
}

/// The activations of one sequence, to replace those of another.
pub fn values_of(weights: &Weights, tokens: &[Token]) -> Means {
    let mut activations = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, &Patch::default(), &mut activations);
    let blocks = activations.blocks.into_iter();
    let (z, post) =
        blocks.map(|block| (block.attn.z, block.mlp.map_or_else(Vec::new, |mlp| mlp.post))).unzip();
    Means { z, post, rows: tokens.len(), sequences: 1 }
}

/// Sums of activations over sequences, and over positions or at each.
#[derive(Clone)]
pub struct Totals {
    config: ModelConfig,
    sequences: usize,
    /// Number of values summed in each row.
    cells: Vec<usize>,
    /// `[rows, d_heads]` by layer.
    z: Vec<Vec<f64>>,
    /// `[rows, d_mlp]` by layer.
    post: Vec<Vec<f64>>,
    /// `[d_mlp]` by layer, over all positions.
    activity: Vec<Vec<f64>>,
}

impl Totals {
    /// Empty sums over all positions.
    pub fn new(c: &ModelConfig) -> Self {
        Self::of_rows(c, 1)
    }

    /// Empty sums at each of the first `rows` positions; of 1 row, over all positions.
    pub fn of_rows(c: &ModelConfig, rows: usize) -> Self {
        let zeros = |width: usize| vec![vec![0.0; width]; c.n_layers];
        let (z, post, activity) = (zeros(rows * c.d_heads()), zeros(rows * c.d_mlp), zeros(c.d_mlp));
        Self { config: c.clone(), sequences: 0, cells: vec![0; rows], z, post, activity }
    }

    /// Bytes of the sums at each of `rows` positions, as a type that cannot overflow.
    pub fn approximate_bytes(c: &ModelConfig, rows: usize) -> u128 {
        let values = c.n_layers as u128 * rows as u128 * (c.d_heads() + c.d_mlp) as u128;
        values * size_of::<f64>() as u128
    }

    /// Mean activations, and the mean |activation| of each neuron by layer.
    pub fn averages(&self) -> (Means, Vec<Vec<f32>>) {
        let rows = self.cells.len();
        let average = |sums: &[Vec<f64>]| -> Vec<Vec<f32>> {
            let of_layer = |sums: &Vec<f64>| {
                let width = (sums.len() / rows).max(1);
                let count = |at: usize| self.cells[at / width].max(1) as f64;
                sums.iter().enumerate().map(|(at, sum)| (sum / count(at)) as f32).collect()
            };
            sums.iter().map(of_layer).collect()
        };
        let all = self.cells.iter().sum::<usize>().max(1) as f64;
        let activity = |sums: &Vec<f64>| sums.iter().map(|sum| (sum / all) as f32).collect();
        let (z, post, sequences) = (average(&self.z), average(&self.post), self.sequences);
        (Means { z, post, rows, sequences }, self.activity.iter().map(activity).collect())
    }
}

impl Total for Totals {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::of_rows(&self.config, self.cells.len())
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let c = &self.config;
        let last = self.cells.len() - 1;
        self.sequences += 1;
        (0..example.tokens().len()).for_each(|position| self.cells[position.min(last)] += 1);
        let row_of = |position: usize, width: usize| {
            let row = position.min(last);
            row * width..(row + 1) * width
        };
        for (layer, block) in from.blocks.iter().enumerate() {
            for (position, row) in block.attn.z.chunks_exact(c.d_heads()).enumerate() {
                let sums = &mut self.z[layer][row_of(position, c.d_heads())];
                sums.iter_mut().zip(row).for_each(|(total, &x)| *total += f64::from(x));
            }
            let rows = block.mlp.iter().flat_map(|mlp| mlp.post.chunks_exact(c.d_mlp));
            for (position, row) in rows.enumerate() {
                let sums = &mut self.post[layer][row_of(position, c.d_mlp)];
                sums.iter_mut().zip(row).for_each(|(total, &x)| *total += f64::from(x));
                self.activity[layer].iter_mut().zip(row).for_each(|(total, &x)| *total += f64::from(x.abs()));
            }
        }
    }

    fn merge(&mut self, next: Self) {
        self.sequences += next.sequences;
        self.cells.iter_mut().zip(next.cells).for_each(|(ours, theirs)| *ours += theirs);
        let pairs = [(&mut self.z, next.z), (&mut self.post, next.post), (&mut self.activity, next.activity)];
        for (ours, theirs) in pairs {
            let rows = ours.iter_mut().zip(theirs);
            rows.for_each(|(ours, theirs)| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b));
        }
    }
}
