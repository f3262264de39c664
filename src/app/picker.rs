//! A line that is typed: the filter or the class of the target, from a list; an edit, or the name of some.

use super::event::Command;
use super::filter::Filter;
use super::{App, Focus};
use crate::analysis::Target;
use crate::task::Class;

/// Most choices that are listed: more do not fit on a line.
const MOST: usize = 64;

/// Longest entry.
const MOST_CHARACTERS: usize = 240;

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PickerKind {
    /// The filter of the data set.
    Filter,
    /// The class of the target.
    Target,
    /// The cell whose curve is pinned.
    Curve,
    /// An edit, as in a file.
    Edit,
    /// The name under which edits are saved.
    Save,
    /// The name of saved edits.
    Load,
}

impl PickerKind {
    /// Whether there is a list to choose from.
    pub(crate) fn is_of_list(self) -> bool {
        matches!(self, Self::Filter | Self::Target | Self::Curve)
    }
}

/// A possible choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Filter(Option<Filter>),
    Class(Class),
    /// By its place among the cells under the cursor.
    Curve(usize),
}

/// The state of a choice.
#[derive(Clone, Debug)]
pub(crate) struct Picker {
    pub(crate) kind: PickerKind,
    /// The typed characters.
    pub(crate) entry: String,
    /// The choices that fit the entry, best first, with their names.
    pub(crate) choices: Vec<(String, Choice)>,
    /// The marked choice.
    pub(crate) at: usize,
}

/// How well a name fits the entry, 0 best; `None` if not at all.
fn rank(name: &str, entry: &str) -> Option<usize> {
    let (name, entry) = (name.to_lowercase(), entry.trim().to_lowercase());
    let mut words = name.split_whitespace();
    let is_word = words.clone().any(|word| word == entry);
    match () {
        () if name == entry || is_word => Some(0),
        () if name.starts_with(&entry) => Some(1),
        () if words.any(|word| word.starts_with(&entry)) => Some(2),
        () => name.contains(&entry).then_some(3),
    }
}

impl App {
    /// Starts a choice.
    pub(super) fn pick_from(&mut self, kind: PickerKind) {
        let mut picker = Picker { kind, entry: String::new(), choices: Vec::new(), at: 0 };
        picker.choices = self.choices(&picker);
        self.focus = Focus::Pick(picker);
    }

    /// Goes on with an entry that was refused.
    pub(super) fn pick_again(&mut self, kind: PickerKind, entry: &str) {
        self.focus = Focus::Pick(Picker { kind, entry: entry.into(), choices: Vec::new(), at: 0 });
    }

    /// The choices that fit the entry.
    fn choices(&self, picker: &Picker) -> Vec<(String, Choice)> {
        let mut fitting: [Vec<(String, Choice)>; 4] = Default::default();
        let cells = if picker.kind == PickerKind::Curve { self.cells_here() } else { Vec::new() };
        let first = picker.entry.is_empty().then(|| self.suggested(picker.kind)).flatten();
        let others = self.all_choices(picker.kind).filter(|choice| Some(*choice) != first);
        for choice in first.into_iter().chain(others) {
            let name = match choice {
                Choice::Curve(at) => cells[at].label.clone(),
                other => self.choice_name(other),
            };
            if let Some(rank) = rank(&name, &picker.entry)
                && fitting[rank].len() < MOST
            {
                fitting[rank].push((name, choice));
            }
        }
        let mut all: Vec<_> = fitting.into_iter().flatten().collect();
        all.truncate(MOST);
        all
    }

    /// The choice for an empty entry.
    fn suggested(&self, kind: PickerKind) -> Option<Choice> {
        match kind {
            PickerKind::Filter => Some(Choice::Filter(None)),
            PickerKind::Target => {
                let predicted = || {
                    let probe = self.answered()?;
                    probe.current().predictions[self.position_in(probe)]
                };
                self.class_here().or_else(predicted).map(Choice::Class)
            }
            PickerKind::Curve | PickerKind::Edit | PickerKind::Save | PickerKind::Load => None,
        }
    }

    fn all_choices(&self, kind: PickerKind) -> Box<dyn Iterator<Item = Choice> + '_> {
        match kind {
            PickerKind::Filter => {
                Box::new(Filter::all(self.task()).map(|filter| Choice::Filter(Some(filter))))
            }
            PickerKind::Target => {
                Box::new((0..self.task().outputs().len()).map(|class| Choice::Class(class as Class)))
            }
            PickerKind::Curve => Box::new((0..self.cells_here().len()).map(Choice::Curve)),
            PickerKind::Edit | PickerKind::Save | PickerKind::Load => Box::new(std::iter::empty()),
        }
    }

    fn choice_name(&self, choice: Choice) -> String {
        match choice {
            Choice::Filter(None) => "none".into(),
            Choice::Filter(Some(filter)) => filter.words(self.task()),
            Choice::Class(class) => self.task().outputs().name(class),
            Choice::Curve(at) => format!("cell {at}"),
        }
    }

    /// Changes the entry.
    pub(super) fn retype(&mut self, change: impl FnOnce(&mut String)) {
        let Focus::Pick(picker) = &self.focus else { return };
        let mut picker = picker.clone();
        change(&mut picker.entry);
        (picker.choices, picker.at) = (self.choices(&picker), 0);
        self.focus = Focus::Pick(picker);
    }

    /// Adds a character to the entry.
    pub(super) fn type_choice(&mut self, typed: char) {
        self.retype(|entry| {
            if entry.chars().count() < MOST_CHARACTERS {
                entry.push(typed);
            }
        });
    }

    /// Marks another choice.
    pub(super) fn mark_choice(&mut self, by: isize) {
        if let Focus::Pick(picker) = &mut self.focus {
            picker.at = super::cursor::moved(picker.at, by, picker.choices.len());
        }
    }

    /// Takes the marked choice; without one, goes on typing.
    pub(super) fn take_choice(&mut self) -> Vec<Command> {
        let Focus::Pick(picker) = &self.focus else { return Vec::new() };
        let (kind, entry) = (picker.kind, picker.entry.trim().to_owned());
        if !kind.is_of_list() {
            self.focus = Focus::View;
            return match kind {
                PickerKind::Save => self.save_edits(&entry),
                PickerKind::Load => self.load_edits(&entry),
                _ => self.add_typed(&entry),
            };
        }
        let Some((_, choice)) = picker.choices.get(picker.at).cloned() else {
            let text = format!("nothing here is called {}", picker.entry);
            return self.say(super::Notice::warning(text));
        };
        self.focus = Focus::View;
        match choice {
            Choice::Filter(filter) => self.keep_filter(filter),
            Choice::Class(class) => {
                self.aim(Target::Token(class));
                Vec::new()
            }
            Choice::Curve(at) => self.pin(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_come_before_beginnings_and_these_before_parts() {
        let ranks =
            ["tie", "lead tie", "ties", "lead ties", "neckties", "lead"].map(|name| rank(name, "Tie"));
        assert_eq!(ranks, [Some(0), Some(0), Some(1), Some(2), Some(3), None]);
        assert_eq!(rank("class 13", "class 1"), Some(1));
    }
}
