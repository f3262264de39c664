//! Sequences packed into the rows of one pass.
//!
//! A product of three rows takes nearly as long as one of sixty, and each gradient of a matrix is read and written once
//! per pass. So short sequences share a pass: row after row, with attention within each. A long sequence is a tile alone.

use std::ops::Range;

use super::config::ModelConfig;
use super::edit::Hook;
use super::patch::{BlockEdit, Patch};
use super::rule::Site;
use super::visible::VisibleKeys;
use crate::task::{Class, Example, Token};

/// Most rows of a tile, unless its one sequence is longer: enough for a product, few enough for the second-level cache.
pub(super) const ROWS: usize = 128;

/// Sequences packed into rows.
pub struct Tile<'a> {
    pub(super) sequences: Vec<Packed<'a>>,
    /// Token of each row.
    tokens: Vec<usize>,
    /// Position of each row in its sequence.
    positions: Vec<usize>,
    /// The rows that the last layer computes beside its keys and values, unless all.
    live: Option<Live>,
    /// Whether the pass goes on through the final norm to the logits.
    pub(super) has_logits: bool,
}

impl Default for Tile<'_> {
    fn default() -> Self {
        let (tokens, positions) = (Vec::new(), Vec::new());
        Self { sequences: Vec::new(), tokens, positions, live: None, has_logits: true }
    }
}

/// One sequence of a tile.
pub(super) struct Packed<'a> {
    pub(super) keys: VisibleKeys,
    patch: &'a Patch,
    /// Its first row, and its first among the live ones.
    first: usize,
    first_live: usize,
}

/// Rows in ascending order, and their positions in their sequences.
#[derive(Default)]
struct Live {
    rows: Vec<usize>,
    positions: Vec<usize>,
}

/// Ranges of consecutive sequences of these lengths that share a tile.
pub fn tiles(lens: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let (mut tiles, mut rows) = (Vec::<Range<usize>>::new(), 0);
    for (index, len) in lens.enumerate() {
        match tiles.last_mut() {
            Some(tile) if rows + len <= ROWS => tile.end = index + 1,
            _ => {
                tiles.push(index..index + 1);
                rows = 0;
            }
        }
        rows += len;
    }
    tiles
}

impl<'a> Tile<'a> {
    /// These sequences, each with its patch.
    pub fn new(c: &ModelConfig, sequences: impl IntoIterator<Item = (&'a [Token], &'a Patch)>) -> Self {
        let mut tile = Self::default();
        for (tokens, patch) in sequences {
            tile.tokens.extend(tokens.iter().map(|&token| usize::from(token)));
            tile.push(c.visible_keys(tokens), patch);
        }
        tile
    }

    /// One sequence, by its keys and tokens.
    pub(super) fn again((keys, tokens): (&VisibleKeys, &[usize]), patch: &'a Patch) -> Self {
        let mut tile = Self { tokens: tokens.to_vec(), ..Self::default() };
        tile.push(keys.clone(), patch);
        tile
    }

    fn push(&mut self, keys: VisibleKeys, patch: &'a Patch) {
        let first = self.positions.len();
        self.positions.extend(0..keys.len());
        self.sequences.push(Packed { keys, patch, first, first_live: first });
    }

    /// These sequences with their patches, of which the last layer computes only the rows with a target; and the targets of
    /// those rows.
    pub(super) fn scored(
        c: &ModelConfig,
        examples: &[Example<'a>],
        patches: impl Iterator<Item = &'a Patch>,
    ) -> (Self, Vec<Option<Class>>) {
        let mut tile = Self::new(c, examples.iter().map(Example::tokens).zip(patches));
        let (mut live, mut targets) = (Live::default(), Vec::new());
        for (packed, example) in tile.sequences.iter_mut().zip(examples) {
            packed.first_live = live.rows.len();
            for (position, target) in example.targets().iter().enumerate().filter(|at| at.1.is_some()) {
                live.rows.push(packed.first + position);
                live.positions.push(position);
                targets.push(*target);
            }
        }
        tile.live = (live.rows.len() < tile.rows()).then_some(live);
        (tile, targets)
    }

    /// Rows.
    pub(super) fn rows(&self) -> usize {
        self.positions.len()
    }

    /// Token of each row.
    pub(super) fn tokens(&self) -> &[usize] {
        &self.tokens
    }

    /// Cells of one head's pattern in the sequences before one, if all rows are computed.
    pub(super) fn cells_before(&self, index: usize) -> usize {
        self.sequences[..index].iter().map(|sequence| sequence.keys.len().pow(2)).sum()
    }

    /// The rows of one sequence.
    pub(super) fn rows_of(&self, index: usize) -> Range<usize> {
        let first = self.sequences[index].first;
        first..first + self.sequences[index].keys.len()
    }

    /// What the layer of this index computes, the last of `n_layers` if no other follows.
    pub(super) fn layer(&self, index: usize, n_layers: usize) -> Layer<'_> {
        Layer { tile: self, index, live: self.live.as_ref().filter(|_| index + 1 == n_layers) }
    }
}

/// What one layer computes of a tile: keys and values of all rows, and all else of the rows of its queries.
#[derive(Clone, Copy)]
pub(crate) struct Layer<'a> {
    tile: &'a Tile<'a>,
    index: usize,
    live: Option<&'a Live>,
}

/// Which rows of a layer a site has.
#[derive(Clone, Copy)]
pub(crate) enum Rows {
    /// All of the tile.
    All,
    /// Those of the queries.
    Queries,
}

/// One sequence of a tile in one layer.
pub(crate) struct Span<'a> {
    pub(super) keys: &'a VisibleKeys,
    pub(super) edit: &'a BlockEdit,
    /// Its rows.
    pub(super) rows: Range<usize>,
    /// Its queries among those of the layer.
    pub(super) queries: Range<usize>,
    /// The position of each query.
    pub(super) positions: &'a [usize],
    /// Cells of one head's pattern in all sequences before.
    pub(super) cells: usize,
}

impl<'a> Layer<'a> {
    /// Rows of the tile.
    pub(super) fn rows(self) -> usize {
        self.tile.rows()
    }

    /// Number of queries.
    pub(super) fn queries(self) -> usize {
        self.positions().len()
    }

    /// The row of each query, unless every row is one.
    pub(super) fn live(self) -> Option<&'a [usize]> {
        self.live.map(|live| &live.rows[..])
    }

    /// The position of each query in its sequence.
    pub(super) fn positions(self) -> &'a [usize] {
        self.live.map_or(&self.tile.positions, |live| &live.positions)
    }

    /// The token of each row.
    pub(super) fn tokens(self) -> &'a [usize] {
        &self.tile.tokens
    }

    /// The position of each row in its sequence.
    pub(super) fn positions_of_rows(self) -> &'a [usize] {
        &self.tile.positions
    }

    /// Cells of one head's patterns.
    pub(super) fn cells(self) -> usize {
        self.spans().last().map_or(0, |span| span.cells + span.queries.len() * span.rows.len())
    }

    /// Whether a site of any sequence is edited.
    pub(super) fn edits(self, site: impl Into<Site>) -> bool {
        let site = site.into();
        self.tile.sequences.iter().any(|packed| packed.patch.block(self.index).edits(site))
    }

    /// Applies the edits of a site to its rows, one for each row of the tile.
    pub(super) fn edit_rows(self, site: impl Into<Site>, values: &mut [f32]) {
        self.edit((site.into(), Rows::All), values, |edit, site, rows, positions| {
            edit.apply(site, rows, positions);
        });
    }

    /// Applies the edits of a hook to its rows, one for each query; what follows the queries is left.
    pub(super) fn edit_queries(self, hook: Hook, values: &mut [f32]) {
        let apply = |edit: &BlockEdit, site, rows: &mut [f32], positions: &[usize]| {
            edit.apply(site, rows, positions);
        };
        self.edit((hook.into(), Rows::Queries), values, apply);
    }

    fn edit(
        self,
        (site, of): (Site, Rows),
        values: &mut [f32],
        apply: impl Fn(&BlockEdit, Site, &mut [f32], &[usize]),
    ) {
        if !self.edits(site) {
            return;
        }
        let width = self.width((site, of), values.len());
        for span in self.spans() {
            let (rows, positions) = self.range(&span, of);
            apply(span.edit, site, &mut values[rows.start * width..rows.end * width], positions);
        }
    }

    /// In: the gradient of the rows of a site after its edits; out, in place: that of the rows before, which are computed if
    /// there are edits.
    pub(super) fn back(
        self,
        (site, of): (impl Into<Site>, Rows),
        before: impl FnOnce() -> Vec<f32>,
        grads: &mut [f32],
    ) {
        let site = site.into();
        if !self.edits(site) {
            return;
        }
        let values = before();
        let width = self.width((site, of), values.len());
        for span in self.spans() {
            let (rows, positions) = self.range(&span, of);
            let cells = rows.start * width..rows.end * width;
            span.edit.back(site, &values[cells.clone()], &mut grads[cells], positions);
        }
    }

    fn width(self, (site, of): (Site, Rows), values: usize) -> usize {
        let is_of_queries = matches!(of, Rows::Queries) && site != Site::Of(Hook::Q);
        values / if is_of_queries { self.queries() } else { self.rows() }.max(1)
    }

    fn range<'b>(self, span: &'b Span<'a>, of: Rows) -> (Range<usize>, &'b [usize])
    where
        'a: 'b,
    {
        match of {
            Rows::All => (span.rows.clone(), &self.tile.positions[span.rows.clone()]),
            Rows::Queries => (span.queries.clone(), span.positions),
        }
    }

    /// The sequences.
    pub(super) fn spans(self) -> impl Iterator<Item = Span<'a>> {
        let (sequences, positions, queries) = (&self.tile.sequences, self.positions(), self.queries());
        let mut cells = 0;
        sequences.iter().enumerate().map(move |(at, packed)| {
            let rows = self.tile.rows_of(at);
            let queries = match self.live {
                None => rows.clone(),
                Some(_) => packed.first_live..sequences.get(at + 1).map_or(queries, |next| next.first_live),
            };
            let (edit, before) = (packed.patch.block(self.index), cells);
            cells += queries.len() * rows.len();
            let positions = &positions[queries.clone()];
            Span { keys: &packed.keys, edit, rows, queries, positions, cells: before }
        })
    }
}
