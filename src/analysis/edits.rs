//! Edits with all they need, as the patch of a sequence.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{
    Activations, Becomes, EditRule, Hook, Op, Patch, PatternRows, Positions, Reader, Site, Weights,
    embed_rows, forward, hook_rows, pos_embed_rows,
};
use crate::task::Token;

/// The values of an index of a site in a pass, `[pos, width]`; of patterns, `[query, key]`.
pub(super) fn rows_of(
    weights: &Weights,
    (site, layer, index): (Site, usize, usize),
    (tokens, from): (&[Token], &Activations),
) -> Vec<f32> {
    match site {
        Site::Embed => embed_rows(weights, tokens),
        Site::PosEmbed => pos_embed_rows(weights, tokens.len()),
        Site::Of(hook) => hook_rows(weights, from, (layer, hook, index)),
    }
}

/// A pass of one sequence.
pub(super) fn run(weights: &Weights, tokens: &[Token], patch: &Patch) -> Activations {
    let mut activations = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, patch, &mut activations);
    activations
}

/// Edits with all they need.
pub struct ReadyEdits {
    pub(super) edits: Arc<[EditRule]>,
    /// Averages or a direction, by edit, then index.
    pub(super) values: Vec<Vec<Vec<f32>>>,
    /// The pass of a given sequence.
    pub(super) donors: Vec<Option<Activations>>,
}

/// A change of what one reader sees of the stream, `[pos, d_model]`.
type Seen = (Reader, Vec<f32>);

/// The sequence whose values are taken, and its pass.
type Source<'a> = (&'a [Token], &'a Activations);

impl ReadyEdits {
    /// Of no edits.
    pub fn none() -> Self {
        Self { edits: Arc::new([]), values: Vec::new(), donors: Vec::new() }
    }

    /// Whether there are no edits.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Bytes of the values.
    pub fn bytes(&self) -> usize {
        4 * self.values.iter().flatten().map(Vec::len).sum::<usize>()
    }

    /// Adds the edits to the patch of a sequence. `other` is the sequence from which values are resampled.
    pub fn patch<'a>(
        &self,
        weights: &Weights,
        (tokens, other): (&[Token], Option<&[Token]>),
        patch: Cow<'a, Patch>,
    ) -> Cow<'a, Patch> {
        if self.is_empty() {
            return patch;
        }
        let (mut patch, mut other_run) = (patch.into_owned(), None);
        for (at, edit) in self.edits.iter().enumerate().filter(|(_, edit)| edit.reader.is_none()) {
            for (nth, &index) in edit.indices.iter().enumerate() {
                let donor = self.donor(at, weights, other, &mut other_run);
                self.push(weights, ((at, nth), index), (tokens, donor), &mut patch);
            }
        }
        let mut readers: Vec<Reader> = self.edits.iter().filter_map(|edit| edit.reader).collect();
        readers.sort_by_key(|reader| depth(*reader));
        readers.dedup();
        for reader in readers {
            let clean = run(weights, tokens, &patch);
            let mut seen = (reader, vec![0.0; clean.resid_post.len()]);
            for (at, edit) in self.edits.iter().enumerate().filter(|(_, edit)| edit.reader == Some(reader)) {
                for (nth, &index) in edit.indices.iter().enumerate() {
                    let donor = self.donor(at, weights, other, &mut other_run);
                    self.add_seen(
                        weights,
                        ((at, nth), index),
                        ((tokens, &clean), &patch, donor),
                        &mut seen.1,
                    );
                }
            }
            show(weights, tokens, seen, &mut patch);
        }
        Cow::Owned(patch)
    }

    /// The edits.
    pub fn edits(&self) -> &[EditRule] {
        &self.edits
    }

    /// The pass whose values an edit takes, and its tokens.
    fn donor<'a>(
        &'a self,
        at: usize,
        weights: &Weights,
        other: Option<&'a [Token]>,
        run_of_other: &'a mut Option<Activations>,
    ) -> Option<Source<'a>> {
        match (&self.edits[at].becomes, &self.donors[at]) {
            (Becomes::From(tokens), Some(pass)) => Some((tokens, pass)),
            (Becomes::Resample, _) => {
                let tokens = other?;
                let pass = run_of_other.get_or_insert_with(|| run(weights, tokens, &Patch::default()));
                Some((tokens, pass))
            }
            _ => None,
        }
    }

    /// What happens to the rows of an index of an edit; nothing without a donor.
    fn op(
        &self,
        weights: &Weights,
        ((at, nth), index): ((usize, usize), usize),
        donor: Option<Source<'_>>,
    ) -> Option<(Op, Vec<f32>)> {
        let (edit, values) = (&self.edits[at], &self.values[at][nth]);
        let width = edit.site.width(weights.config());
        Some(match edit.becomes {
            Becomes::Zero => (Op::Put, vec![0.0; width]),
            Becomes::Set(value) => (Op::Put, vec![value; width]),
            Becomes::Mean | Becomes::MeanPosition => (Op::Put, values.clone()),
            Becomes::Add(by, None) => (Op::Add, vec![by; width]),
            Becomes::Add(by, Some(_)) => (Op::Add, values.iter().map(|x| by * x).collect()),
            Becomes::Scale(by) => (Op::Scale(by), vec![0.0; width]),
            Becomes::Clamp(low, high) => (Op::Clamp(low, high), vec![0.0; width]),
            Becomes::Without(_) => (Op::Remove, values.clone()),
            Becomes::From(_) | Becomes::Resample => {
                let (tokens, pass) = donor?;
                (Op::Put, rows_of(weights, (edit.site, edit.layer, index), (tokens, pass)))
            }
            Becomes::Pattern(_) | Becomes::Unseen(_) => return None,
        })
    }

    fn push(
        &self,
        weights: &Weights,
        (place, index): ((usize, usize), usize),
        (tokens, donor): (&[Token], Option<Source<'_>>),
        patch: &mut Patch,
    ) {
        let (edit, c) = (&self.edits[place.0], weights.config());
        let positions = reached(edit.positions(tokens), donor);
        if edit.site != Site::Of(Hook::Pattern) {
            let Some(op) = self.op(weights, (place, index), donor) else { return };
            return patch.push(c, (edit.layer, edit.site, index), positions, op);
        }
        let table = || self.values[place.0][place.1].clone();
        let rows = match &edit.becomes {
            Becomes::Pattern(kind) => PatternRows::Kind(*kind),
            Becomes::Unseen(keys) => {
                let hidden = keys.of(tokens);
                PatternRows::Without((0..tokens.len()).filter(|key| hidden.has(*key)).collect())
            }
            Becomes::Mean | Becomes::MeanPosition => PatternRows::Table { values: table(), width: c.n_ctx },
            _ => match self.op(weights, (place, index), donor) {
                Some((_, values)) => PatternRows::Donor(values),
                None => return,
            },
        };
        patch.push_pattern(c, (edit.layer, index), positions, rows);
    }

    /// Adds the change of what an index of an edit writes to the stream.
    fn add_seen(
        &self,
        weights: &Weights,
        (place, index): ((usize, usize), usize),
        ((tokens, clean), patch, donor): (Source<'_>, &Patch, Option<Source<'_>>),
        to: &mut [f32],
    ) {
        let Some(op) = self.op(weights, (place, index), donor) else { return };
        let edit = &self.edits[place.0];
        let mut rows = rows_of(weights, (edit.site, edit.layer, index), (tokens, clean));
        if let Site::Of(hook @ (Hook::AttnOut | Hook::MlpOut)) = edit.site {
            // A pass keeps what these are computed of, not them.
            patch.edit_rows((edit.layer, hook), &mut rows, tokens.len());
        }
        let by = changed(&rows, &op, &reached(edit.positions(tokens), donor), tokens.len());
        let by = written(weights, (edit.site, edit.layer, index), by);
        to.iter_mut().zip(by).for_each(|(to, by)| *to += by);
    }
}

/// The positions that a donor reaches.
fn reached(positions: Positions, donor: Option<Source<'_>>) -> Positions {
    let Some((tokens, _)) = donor else { return positions };
    Positions::Only((0..tokens.len()).filter(|position| positions.has(*position)).collect())
}

/// What an operation adds to rows, 0 at other positions.
fn changed(rows: &[f32], (op, values): &(Op, Vec<f32>), positions: &Positions, len: usize) -> Vec<f32> {
    let width = rows.len() / len.max(1);
    let mut by = vec![0.0; rows.len()];
    let pairs = rows.chunks_exact(width.max(1)).zip(by.chunks_exact_mut(width.max(1)));
    for (position, (row, by)) in pairs.enumerate().filter(|at| positions.has(at.0)) {
        let first = if values.len() == width { 0 } else { position * width };
        let Some(values) = values.get(first..first + width) else { continue };
        let mut new = row.to_vec();
        op.apply(&mut new, values);
        by.iter_mut().zip(new.iter().zip(row)).for_each(|(by, (new, old))| *by = new - old);
    }
    by
}

/// What rows of a site write to the stream, `[pos, d_model]`, without biases.
fn written(weights: &Weights, (site, layer, index): (Site, usize, usize), rows: Vec<f32>) -> Vec<f32> {
    let c = weights.config();
    let (name, width) = match site {
        Site::Of(Hook::Z) => (format!("blocks.{layer}.attn.W_O"), c.d_head),
        Site::Of(Hook::Post) => (format!("blocks.{layer}.mlp.W_out"), 1),
        _ => return rows,
    };
    let matrix = weights.get(&name).unwrap_or_default();
    let matrix = &matrix[index * width * c.d_model..(index + 1) * width * c.d_model];
    let mut written = vec![0.0; rows.len() / width * c.d_model];
    for (row, written) in rows.chunks_exact(width).zip(written.chunks_exact_mut(c.d_model)) {
        for (x, weights) in row.iter().zip(matrix.chunks_exact(c.d_model)) {
            written.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
        }
    }
    written
}

/// Place of a reader in the pass.
fn depth(reader: Reader) -> (usize, usize, usize) {
    match reader {
        Reader::Head(hook, id) => (2 * id.layer, id.head, hook as usize),
        Reader::Mlp(layer) => (2 * layer + 1, 0, 0),
        Reader::Logits => (usize::MAX, 0, 0),
    }
}

/// Adds to a patch that one reader alone sees a change of the stream: what the reader makes of the changed stream takes the
/// place of its own, whose other readers see the stream as it is. Norms are computed of what is seen.
fn show(weights: &Weights, tokens: &[Token], (reader, by): Seen, patch: &mut Patch) {
    let (c, last) = (weights.config(), weights.config().n_layers - 1);
    let (seen_at, made) = match reader {
        Reader::Logits => {
            return patch.push(c, (last, Hook::ResidPost, 0), Positions::All, (Op::Add, by));
        }
        Reader::Mlp(layer) => ((layer, Hook::ResidMid, 0), (layer, Hook::MlpOut, 0)),
        Reader::Head(hook, id) => ((id.layer, Hook::ResidPre, 0), (id.layer, hook, id.head)),
    };
    let mut seen = patch.without((made.0, made.1));
    seen.push(c, seen_at, Positions::All, (Op::Add, by));
    let values = hook_rows(weights, &run(weights, tokens, &seen), made);
    patch.push_first(c, made, Positions::All, (Op::Put, values));
}
