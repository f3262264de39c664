//! Panels less other panels, cell by cell.

use std::sync::Arc;

use super::{At, Axis, Column, Datum, Dim, Panel};

/// Why a panel less another one is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDifference {
    /// Other entries on the leading axes.
    #[error("the axes differ")]
    Axes,
    /// A column that only one of the two has.
    #[error("the columns differ")]
    Columns,
    /// Slices at other entries.
    #[error("the places differ")]
    Places,
    /// Rows with names in the order of a ranking.
    #[error("ranks hold other entries")]
    Ranks,
    /// No cell is a number.
    #[error("only names, counts, flags")]
    Names,
}

impl Panel {
    /// This panel's numbers minus those of another panel with the same rows and columns. Names, counts and flags stay
    /// those of this panel.
    ///
    /// # Errors
    /// When the two do not match, or hold no numbers.
    pub fn minus(&self, other: &Self) -> Result<Self, NoDifference> {
        let are_alike = |(ours, theirs): (&Axis, &Axis)| ours.is_like(theirs);
        if self.lead.len() != other.lead.len() || !self.lead.iter().zip(&other.lead).all(are_alike) {
            return Err(NoDifference::Axes);
        }
        let columns: Result<Vec<Column>, NoDifference> =
            self.columns.iter().map(|column| self.column_minus(column, other)).collect();
        let columns = columns?;
        if self.is_ranking() {
            return Err(NoDifference::Ranks);
        }
        if !self.has(|cell| cell.number().is_some() && !matches!(cell, Datum::Whole(_))) {
            return Err(NoDifference::Names);
        }
        let mut difference = self.clone();
        difference.columns = columns;
        Ok(difference)
    }

    fn column_minus(&self, column: &Column, other: &Self) -> Result<Column, NoDifference> {
        let edited = column.name.replace("clean", "edited");
        let is_alone = self.column(&[&edited]).is_none();
        // Without edits, the edited values are the clean ones: of either panel.
        let names = [edited.as_str(), &column.name, &column.name.replace("edited", "clean")];
        let minus = other.column(&names[usize::from(!is_alone)..]).ok_or(NoDifference::Columns)?;
        if !column.is_at_place_of(minus) {
            return Err(NoDifference::Places);
        }
        Ok(column.clone().less(&Arc::new(minus.clone())))
    }

    /// Whether rows are ranks of named things: in the same row another panel has another thing.
    fn is_ranking(&self) -> bool {
        let is_name = |cell: Datum| matches!(cell, Datum::Text(_) | Datum::Whole(_));
        self.lead.iter().any(|axis| axis.dim == Dim::Rank) && self.has(is_name)
    }

    /// Whether some cell is such.
    fn has(&self, is_such: impl Fn(Datum) -> bool) -> bool {
        (0..self.len()).any(|row| (0..self.columns.len()).any(|column| is_such(self.cell(column, row))))
    }
}

impl Column {
    /// Whether two columns read the same entries, but for edits.
    fn is_at_place_of(&self, other: &Self) -> bool {
        let places = |column: &Self| {
            let fixed = column.figure.axes.iter().zip(&column.at).filter_map(|(axis, at)| match at {
                At::Fixed(entry) if axis.dim != Dim::Edits => Some((axis.dim, *entry)),
                _ => None,
            });
            fixed.collect::<Vec<_>>()
        };
        places(self) == places(other)
    }
}
