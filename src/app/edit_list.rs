//! The list of edits: components and cells at one key, typed, saved and loaded.

use super::App;
use super::event::{Command, Notice};
use super::picker::PickerKind;
use crate::analysis::Component;
use crate::analysis::patching::By;
use crate::model::{EditRule, EditTable, EditsError, Hook, Interventions, Name, read_edits, write_edits};

/// The edit of one line: its keys, separated by commas.
fn typed(line: &str) -> String {
    format!("edit = [{{ {line} }}]")
}

impl App {
    /// Adds an edit, or removes the one that says the same, and says which.
    fn toggle_edit(&mut self, table: EditTable, why: &str) -> Vec<Command> {
        let edit = match table.rule(&self.options.model, self.task()) {
            Ok(edit) => edit,
            Err(why) => return self.say(Notice::warning(why)),
        };
        let is_on = self.ablation.off.list.contains(&edit);
        self.say(Notice::info(format!("{}{edit}{why}", if is_on { "removed: " } else { "" })));
        self.ablation.off.toggle(edit);
        self.look_again()
    }

    /// The edit that switches a component off, unless it is a head; `None` of what no site holds alone.
    pub(crate) fn switch_of(&self, component: Component) -> Option<EditTable> {
        let (site, layer) = match component {
            Component::Embed => ("embed", None),
            Component::PosEmbed => ("pos_embed", None),
            Component::Mlp(layer) => (Hook::MlpOut.site(), Some(layer)),
            Component::Head(_) | Component::AttnBias(_) | Component::MlpBias(_) | Component::Bias => {
                return None;
            }
        };
        let to = Some(self.ablation.off.to());
        Some(EditTable { site: site.into(), layer, to, ..EditTable::default() })
    }

    /// Whether a component is switched off by an edit of the list.
    pub(crate) fn is_switched(&self, component: Component) -> bool {
        let table = self.switch_of(component);
        table.is_some_and(|table| self.ablation.off.list.iter().any(|edit| *edit.table() == table))
    }

    /// Switches a component off, or on again.
    pub(super) fn toggle_component(&mut self, component: Component) -> Vec<Command> {
        let why = if let Component::Mlp(_) = component { ", with its bias" } else { "" };
        self.switch_of(component).map_or_else(Vec::new, |table| self.toggle_edit(table, why))
    }

    /// The edit of the patching view's cell: the activation of the corrupted sequence.
    pub(crate) fn edit_of_cell(&self) -> Option<EditTable> {
        let (plan, corrupted) = (self.settings.patching.plan, self.corrupted()?);
        let c = &self.options.model;
        let (.., (row, col)) = self.patched_cell();
        let (layer, index, position) = match plan.by {
            By::Index => (row, Some(col), None),
            By::Position => (row, None, Some(col)),
            By::IndexPosition => (row / c.n_heads, Some(row % c.n_heads), Some(col)),
        };
        let of = |is_of: bool| index.filter(|_| is_of).map(|index| vec![index]);
        let names = self.task().vocabulary();
        Some(EditTable {
            site: plan.site.site().into(),
            layer: Some(layer),
            heads: of(plan.site.is_of_heads()),
            neurons: of(!plan.site.is_of_heads()),
            positions: position.map(|position| position.to_string()),
            from: Some(corrupted.iter().map(|token| Name::Text(names.name(*token))).collect()),
            ..EditTable::default()
        })
    }

    /// Makes the patching view's cell an edit, or takes the edit back.
    pub(super) fn toggle_cell(&mut self) -> Vec<Command> {
        let why = ", the corrupted sequence, in this one";
        self.edit_of_cell().map_or_else(Vec::new, |table| self.toggle_edit(table, why))
    }

    /// Adds an edit that was typed.
    pub(super) fn add_typed(&mut self, line: &str) -> Vec<Command> {
        match read_edits(&typed(line), &self.options.model, self.task()) {
            Ok(edits) => {
                edits.into_iter().for_each(|edit| self.ablation.off.toggle(edit));
                self.look_again()
            }
            Err(error) => {
                let why = match &error {
                    EditsError::Rule { why, .. } => why.clone(),
                    EditsError::Toml(toml) => toml.message().to_owned(),
                    other => other.to_string(),
                };
                self.pick_again(PickerKind::Edit, line);
                self.say(Notice::warning(why))
            }
        }
    }

    /// Saves all edits under a name.
    pub(super) fn save_edits(&mut self, name: &str) -> Vec<Command> {
        if !is_name(name) {
            self.pick_again(PickerKind::Save, name);
            return self.say(Notice::warning("a name has letters, digits, - and _"));
        }
        match write_edits(self.ablation.off.tables()) {
            Ok(text) => vec![Command::SaveEdits { name: name.into(), text }],
            Err(error) => self.say(Notice::error(error.to_string())),
        }
    }

    /// Asks for the edits that were saved under a name.
    pub(super) fn load_edits(&mut self, name: &str) -> Vec<Command> {
        if !is_name(name) {
            self.pick_again(PickerKind::Load, name);
            return self.say(Notice::warning("a name has letters, digits, - and _"));
        }
        vec![Command::LoadEdits(name.into())]
    }

    /// Edits as a file gives them, in place of those in force.
    pub(super) fn take_edits(&mut self, text: &str) -> Vec<Command> {
        match read_edits(text, &self.options.model, self.task()) {
            Ok(list) => {
                self.ablation.clear();
                self.ablation.off = Interventions::of_list(list);
                self.say(Notice::info("loaded; U has those that were in force"));
                self.look_again()
            }
            Err(error) => self.say(Notice::error(format!("cannot load: {error}"))),
        }
    }

    /// The same with these edits from the start.
    #[must_use]
    pub fn with_edits(mut self, list: Vec<EditRule>) -> Self {
        self.ablation.off = Interventions::of_list(list);
        self
    }
}

/// Whether this is a name of a file without a directory.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
