//! The maps of a head's circuits, and a map as shown.

use crate::analysis::LowRank;

/// What the view shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plot {
    /// A map of the cursor's head.
    #[default]
    Map,
    /// Spectra over the task's circle of tokens.
    Spectra,
    /// Vectors along two directions.
    Projection,
}

/// The kinds of maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CircuitMap {
    /// How well a query token matches a key token.
    #[default]
    QkTokens,
    /// How well a query position matches a key position.
    QkPositions,
    /// What a token attended to adds to each logit.
    OvLogits,
    /// How a token attended to drives each neuron.
    OvNeurons,
    /// How well a query token matches a key position.
    QkTokenPosition,
    /// How well a query position matches a key token.
    QkPositionToken,
    /// What a token adds to each logit of its own position without any layer.
    Direct,
}

impl CircuitMap {
    /// The map to show below it if there is room.
    pub(crate) fn companion(self) -> Option<Self> {
        match self {
            Self::QkTokens | Self::OvNeurons => Some(Self::OvLogits),
            Self::OvLogits => Some(Self::QkTokens),
            Self::QkPositions | Self::QkTokenPosition | Self::QkPositionToken | Self::Direct => None,
        }
    }

    /// The name of the panel.
    pub(in crate::app) fn panel(self) -> &'static str {
        match self {
            Self::QkTokens => "qk_tokens",
            Self::QkPositions => "qk_positions",
            Self::OvLogits => "ov_logits",
            Self::OvNeurons => "ov_neurons",
            Self::QkTokenPosition => "qk_token_position",
            Self::QkPositionToken => "qk_position_token",
            Self::Direct => "direct",
        }
    }

    /// Whether it is of queries and keys.
    pub(crate) fn is_of_queries(self) -> bool {
        !matches!(self, Self::OvLogits | Self::OvNeurons | Self::Direct)
    }

    pub(in crate::app) fn next(self) -> Self {
        match self {
            Self::QkTokens => Self::QkPositions,
            Self::QkPositions => Self::OvLogits,
            Self::OvLogits => Self::OvNeurons,
            Self::OvNeurons => Self::QkTokenPosition,
            Self::QkTokenPosition => Self::QkPositionToken,
            Self::QkPositionToken => Self::Direct,
            Self::Direct => Self::QkTokens,
        }
    }
}

/// The numbers in the list of heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HeadFacts {
    /// Copying score and largest singular values.
    #[default]
    Circuits,
    /// Copying scores beside those of permuted tokens; eigenvalues.
    Copying,
    /// Composition with the head under the cursor.
    Composition,
}

impl HeadFacts {
    pub(in crate::app) fn next(self) -> Self {
        match self {
            Self::Circuits => Self::Copying,
            Self::Copying => Self::Composition,
            Self::Composition => Self::Circuits,
        }
    }
}

/// The divisor of the product of query and key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum QkScale {
    /// Undivided: the weights alone.
    #[default]
    Weights,
    /// The square root of `d_head`, as attention scores are.
    Head,
    /// That, and the mean layer norm scales of query and key over this sequence.
    HeadAndNorm,
}

impl QkScale {
    pub(in crate::app) fn next(self) -> Self {
        match self {
            Self::Weights => Self::Head,
            Self::Head => Self::HeadAndNorm,
            Self::HeadAndNorm => Self::Weights,
        }
    }
}

/// A map as shown.
pub(crate) struct MapInView<'a> {
    pub(crate) kind: CircuitMap,
    /// The row and column of the cursor.
    pub(crate) cursor: (usize, usize),
    /// Whether a query sees no later key.
    pub(super) is_causal: bool,
    pub(super) values: &'a LowRank,
    /// The neuron of each column, where columns are neurons.
    pub(super) order: Option<&'a [usize]>,
    pub(crate) factor: f32,
}

impl MapInView<'_> {
    /// A cell; `None` where the query does not see the key.
    pub(crate) fn value(&self, row: usize, col: usize) -> Option<f32> {
        let is_masked = self.kind == CircuitMap::QkPositions && self.is_causal && col > row;
        (!is_masked).then(|| self.values.get(row, self.name_of(col)).unwrap_or(f32::NAN) * self.factor)
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.values.rows()
    }

    /// Number of columns.
    pub(crate) fn cols(&self) -> usize {
        self.values.cols()
    }

    /// The index of the token, position, class or neuron in a column.
    pub(crate) fn name_of(&self, col: usize) -> usize {
        self.order.and_then(|order| order.get(col).copied()).unwrap_or(col)
    }
}
