//! The damage of each set to each class, while nothing is off.

use ratatui::layout::Rect;

use super::columns::{of_all, window};
use super::ink::{Ink, lines, tail};
use super::table::Row;
use super::theme::Role;
use crate::app::App;
use crate::app::views::edits::damage;
use crate::task::Class;

/// Width of a set's name.
const NAME: u16 = 14;

/// Width of a class.
const CELL: u16 = 5;

/// A rise or fall of loss in five columns: `+.03`, `+1.2`, `+12`.
fn short(x: f64) -> String {
    match x.abs() {
        size if size < 0.005 => ".".into(),
        size if size < 0.995 => format!("{x:+.2}").replacen("0.", ".", 1),
        size if size < 9.95 => format!("{x:+.1}"),
        _ => format!("{x:+.0}"),
    }
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    if area.height < 4 || !app.has_data() {
        return;
    }
    let Some(panel) = damage(app) else {
        ink.rule(area, 0, "loss that a set costs a class, nats", "");
        let is_asked = app.of_damage().is_some();
        let text = if is_asked {
            "computing"
        } else {
            "D: what each head and each class's trackers cost each class"
        };
        ink.text(area, 2, 1, text, Role::Faint);
        return;
    };
    let (Some((answer, report)), outputs) = (app.studies.damage(), app.task().outputs()) else { return };
    let room = usize::from(area.height.saturating_sub(2));
    let sets = window(app.cursor.off_line.min(report.sets.len() - 1), report.sets.len(), room);
    let right = match (report.sets.len(), report.planned) {
        (done, planned) if done < planned => format!("{done} of {planned} sets"),
        _ => super::taken(app, answer),
    };
    let title =
        format!("loss that a set costs a class, nats; . below 0.005{}", of_all(&sets, report.sets.len()));
    ink.rule(area, 0, &title, &right);
    let shown = usize::from(area.width.saturating_sub(NAME + 1) / (CELL + 1)).min(outputs.len());
    let first = app.cursor.class_rank.min(outputs.len() - shown);
    let classes = first..first + shown;
    let widths: Vec<u16> = [NAME].into_iter().chain(classes.clone().map(|_| CELL)).collect();
    let name = |class: usize| tail(&outputs.name(class as Class), CELL).into_owned();
    let all = if shown < outputs.len() { format!(" class {first} on") } else { " class".into() };
    let heading = classes.clone().map(|class| ink.right(name(class), Role::Faint));
    let heading = Row::new([ink.left(all, Role::Faint)].into_iter().chain(heading));
    let values = panel.values("loss");
    let row = |set: usize| {
        let cells = classes.clone().map(|class| match values[set * outputs.len() + class] {
            None => ink.right("-", Role::Faint),
            // A class that loses much stands out.
            Some(loss) if loss > 0.5 => ink.right(short(loss), Role::Changed),
            Some(loss) => ink.right(short(loss), Role::Plain),
        });
        let role = if set == app.cursor.off_line { Role::Cursor } else { Role::Plain };
        let name = ink.left(format!(" {}", report.sets[set].name), role);
        Row::new([name].into_iter().chain(cells))
    };
    let rows: Vec<Row<'_>> = sets.map(row).collect();
    let rows: Vec<Row<'_>> = [heading].into_iter().chain(rows).collect();
    ink.table(lines(area, 1, area.height), &widths, rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_loss_takes_five_columns_at_most() {
        let texts = [0.001, -0.031, 0.5, 1.24, 12.3, -3.0].map(short);
        assert_eq!(texts, [".", "-.03", "+.50", "+1.2", "+12", "-3.0"]);
    }
}
