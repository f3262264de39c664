//! Panels in the format of `--format`, to `--out`.

use std::collections::HashMap;
use std::path::Path;

use super::super::Failure;
use super::super::args::{Format, ShowArgs};
use super::super::output::{self, print_text};
use super::Shown;
use crate::app::App;
use crate::figure::{Panel, csv, json, safetensors, text};
use crate::model::weights_file::encode_tensors;
use crate::{picture, view};

/// Writes panels in the requested format.
pub(super) fn write(args: &ShowArgs, shown: &Shown, app: &App, panels: &[Panel]) -> Result<(), Failure> {
    let out = args.out.as_deref().unwrap_or(Path::new("-"));
    let json_of = |panels: &[Panel]| -> Result<String, Failure> {
        let value =
            if let ([panel], Shown::Panel(..) | Shown::Question(..) | Shown::Curve(_)) = (panels, shown) {
                serde_json::to_string(&json(std::slice::from_ref(panel)))
                    .map(|text| text[1..text.len() - 1].into())
            } else {
                serde_json::to_string(&json(panels))
            };
        value.map_err(|error| Failure::Failed(error.to_string()))
    };
    let text = match args.format {
        Format::Text => panels.iter().map(text).collect::<Vec<_>>().join("\n"),
        Format::Json => json_of(panels)? + "\n",
        Format::Csv => match panels {
            [panel] => csv(panel),
            panels => {
                let names = panels.iter().map(|panel| panel.name).collect::<Vec<_>>().join(", ");
                return Err(Failure::Usage(format!(
                    "--format csv: a file holds one panel: show one of {names}"
                )));
            }
        },
        Format::Svg => picture::svg(&view::still(app), &format!("headcount: {}", shown.name())),
        Format::Safetensors => {
            let tensors: Vec<_> = panels.iter().flat_map(safetensors).collect();
            let about = HashMap::from([("panels".to_owned(), meanings(panels)?)]);
            return output::write(out, &encode_tensors(&tensors, about));
        }
    };
    if args.out.is_none() && args.format == Format::Text {
        return print_text(text.trim_end());
    }
    output::write_text(out, &text)
}

/// The metadata of a file's tensors: panels as JSON, without their rows.
fn meanings(panels: &[Panel]) -> Result<String, Failure> {
    let panels: Vec<Panel> = panels.iter().map(|panel| panel.clone().ordered([])).collect();
    let value = serde_json::to_value(json(&panels)).map_err(|error| Failure::Failed(error.to_string()))?;
    let without_rows = value.as_array().into_iter().flatten().filter_map(|panel| {
        let mut panel = panel.as_object()?.clone();
        panel.remove("rows");
        Some(serde_json::Value::Object(panel))
    });
    Ok(without_rows.collect::<serde_json::Value>().to_string())
}
