//! Widgets that ratatui lacks. They know of ratatui alone, and of nothing in this program but its character sets.
//!
//! | widget | why ratatui's own does not serve |
//! |---|---|
//! | [`HeatMap`] | `Canvas` and `Chart` have one colour a series; a map needs a colour for every half cell |
//! | [`SignedMap`] | `Table` lays out each cell as text; a map of 10^4 cells must draw in a fraction of a millisecond |
//! | [`Ramp`] | the legend of a map |
//! | [`Curves`] | `Chart` joins points: a curve of buckets has a range in each column, and gaps where a value is NaN |
//! | [`ZeroBar`] | `BarChart` and `Gauge` grow one way: a signed bar starts at zero and grows to either side |
//! | [`Dots`] | several values as marks on one line, such as before and after |

mod curves;
mod dots;
mod heat_map;
mod ramp;
mod signed_map;
mod zero_bar;

pub(super) use curves::{CurveLook, Curves};
pub(super) use dots::{Dot, Dots};
pub(super) use heat_map::{Heat, HeatMap};
pub(super) use ramp::{Ramp, Scale};
#[cfg(test)]
pub(super) use ramp::{luminance, rgb};
pub(super) use signed_map::{NUMBER, SignedMap};
pub(super) use zero_bar::{ZeroBar, share_of_cells};
