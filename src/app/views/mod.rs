//! One `Room` per view: its keys, when they are active, and its questions.
//!
//! A new view needs a file here with its `ROOM`, a file of the same name in `view` with its `LOOK`, and its name in
//! `for_each_view`.

pub(crate) mod attention;
pub(crate) mod circuits;
pub(crate) mod edits;
pub(crate) mod logits;
pub(crate) mod neurons;
pub(crate) mod patch;
pub(crate) mod train;

use std::fmt;
use std::hash::{Hash, Hasher};

use super::App;
use super::keymap::{Binding, Offer};
use super::panels::PanelEntry;
use super::studies::Asked;

/// The list of views, in the order of the tabs.
macro_rules! for_each_view {
    ($each:ident) => {
        $each! { train, attention, logits, neurons, circuits, edits, patch }
    };
}
pub(crate) use for_each_view;

/// Everything about a view except its drawing.
pub(crate) struct Room {
    /// Name on the tab.
    pub(crate) title: &'static str,
    /// Short name for narrow screens.
    pub(crate) short: &'static str,
    /// The key that opens the view.
    pub(crate) open: Binding,
    /// Keys that are active in the view.
    pub(crate) keys: &'static [Binding],
    /// Whether it shows numbers about the target.
    pub(crate) has_target: bool,
    /// Whether its cursor has a key position beside the query position.
    pub(crate) has_key: bool,
    /// What `space` does to the component under the cursor.
    pub(crate) toggle: fn(&App) -> Offer,
    /// Its questions beyond the probe.
    pub(crate) asks: fn(&App) -> Vec<Asked>,
    /// Updates the state that the view keeps.
    pub(crate) prepare: fn(&mut App),
    /// Its panels.
    pub(crate) panels: &'static [PanelEntry],
    /// The name of the focused panel: `y` copies it.
    pub(crate) focus: fn(&App) -> &'static str,
    /// Whether its numbers are about the run rather than the sequence.
    pub(crate) is_of_run: bool,
    /// Why a panel may be empty although everything is answered.
    pub(crate) lacks: fn(&App) -> &'static str,
}

macro_rules! rooms {
    ($($name:ident),*) => {
        const ROOMS: &[ViewId] = &[$(ViewId(&$name::ROOM)),*];
    };
}
for_each_view!(rooms);

/// A view, one at a time on screen.
#[derive(Clone, Copy)]
pub struct ViewId(&'static Room);

impl ViewId {
    /// Every view, in the order of the tabs.
    pub const ALL: &'static [Self] = ROOMS;

    /// Everything about the view except its drawing.
    pub(crate) fn room(self) -> &'static Room {
        self.0
    }

    /// The key that shows the view.
    pub fn number(self) -> String {
        self.0.open.key_names(true)
    }

    /// The view's name.
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// Index of its tab.
    pub(crate) fn place(self) -> usize {
        Self::ALL.iter().position(|view| *view == self).unwrap_or_default()
    }

    /// The view `by` tabs further, wrapping around.
    pub(super) fn next(self, by: isize) -> Self {
        let len = Self::ALL.len().cast_signed();
        Self::ALL[(self.place().cast_signed() + by).rem_euclid(len).cast_unsigned()]
    }
}

impl PartialEq for ViewId {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for ViewId {}

impl Hash for ViewId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0).hash(state);
    }
}

impl fmt::Debug for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.title)
    }
}

/// A view by its room.
pub(crate) const fn view(room: &'static Room) -> ViewId {
    ViewId(room)
}

/// Moves the position; the same in all views of a sequence.
pub(crate) fn position(by: isize) -> Offer {
    Offer::set(move |app| app.move_position(by))
}
