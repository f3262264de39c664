//! Colours as named roles, in this one file.

/// Colours a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColorDepth {
    /// None; bold, underline and reverse remain.
    None,
    /// The sixteen of the terminal's own palette.
    Ansi16,
    /// The 256 indexed ones.
    Indexed256,
    /// 24 bits.
    TrueColor,
}

/// Characters a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Glyphs {
    /// Anything in Unicode.
    Utf8,
    /// Bytes below 0x80 only.
    Ascii,
}
