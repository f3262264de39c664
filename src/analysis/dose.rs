//! Doses: the same heads and neurons at one strength after another.

use crate::model::{EditTable, Interventions, ModelConfig};
use crate::task::Task;

/// What a dose does to the values of the heads and neurons.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dose {
    /// Multiplies them.
    Scale(f32),
    /// Takes their place.
    Value(f32),
}

impl Dose {
    /// The number.
    pub fn number(self) -> f32 {
        match self {
            Self::Scale(number) | Self::Value(number) => number,
        }
    }
}

/// A row of doses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doses {
    /// Factors from 0 to 2: 1 changes nothing.
    Scales,
    /// Values from 0 to 8.
    Values,
}

/// Doses in a row.
const DOSES: u8 = 9;

impl Doses {
    /// Each dose.
    pub fn all(self) -> impl Iterator<Item = Dose> {
        (0..DOSES).map(move |at| match self {
            Self::Scales => Dose::Scale(f32::from(at) / 4.0),
            Self::Values => Dose::Value(f32::from(at)),
        })
    }

    /// What a dose is, before its number.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scales => "times",
            Self::Values => "set to",
        }
    }
}

/// The edits with the heads and neurons at a dose in place of ablated, at some positions as an edit's table names them; every
/// other edit stays.
///
/// # Errors
/// In words, if the model has no such head or neuron, or the positions are none.
pub fn at_dose(
    edits: &Interventions,
    dose: Dose,
    positions: Option<&String>,
    (config, task): (&ModelConfig, &dyn Task),
) -> Result<Interventions, String> {
    let mut switched = Interventions { list: Vec::new(), ..edits.clone() };
    let patterns = std::mem::take(&mut switched.patterns);
    let (scale, set) = match dose {
        Dose::Scale(by) => (Some(by), None),
        Dose::Value(value) => (None, Some(value)),
    };
    let rule = |table: EditTable| {
        let positions = positions.cloned();
        EditTable { to: None, scale, set, positions, ..table }.rule(config, task)
    };
    let dosed = switched.tables().into_iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    let list = edits.list.iter().cloned().chain(dosed).collect();
    Ok(Interventions { patterns, list, positions: switched.positions, ..Interventions::default() })
}
