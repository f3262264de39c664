//! Colours as named roles, in this one file.
