//! How a model knows the order of its tokens. The formulas have a file each: `embed`, `shortformer` and `rotary`.

use serde::{Deserialize, Serialize};

/// How a model knows the order of its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionEmbedding {
    /// `W_pos` is added to the token embedding.
    #[default]
    Standard,
    /// Only the attention's mask tells the order: as `standard` with `W_pos` = 0.
    None,
    /// `W_pos` is added to what queries and keys read, in every layer (Press et al. 2020).
    Shortformer,
    /// Queries and keys are rotated by angles proportional to their position (Su et al. 2021).
    Rotary,
}

impl PositionEmbedding {
    /// Whether positions have an embedding in the residual stream.
    pub fn is_in_stream(self) -> bool {
        self == Self::Standard
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Standard, Self::None, Self::Shortformer, Self::Rotary];

    /// Whether the residual stream starts with a position embedding beside that of the token, maybe of 0.
    pub fn is_of_stream(self) -> bool {
        matches!(self, Self::Standard | Self::None)
    }

    /// Whether there is a `W_pos`.
    pub fn has_weight(self) -> bool {
        matches!(self, Self::Standard | Self::Shortformer)
    }
}
