//! The difference to a remembered subject, entry by entry, on screen and in exports.

mod common;

use common::{Screen, Setup};
use headcount::app::Mode;
use headcount::model::{ModelConfig, Weights};
use serde_json::Value;

fn model() -> ModelConfig {
    ModelConfig { n_layers: 2, d_model: 16, d_head: 8, d_mlp: 24, n_ctx: 12, ..ModelConfig::default() }
}

/// A run with the snapshots 3, 10 and 100.
fn explored(width: u16, height: u16) -> Screen {
    let mode = Mode::Exploring { weights: "run".into() };
    let mut screen = Setup { model: model(), mode, ..Setup::sized(width, height) }.screen();
    for step in [3, 10, 100] {
        screen.snapshot(step, Weights::initial(&model(), step as u64));
    }
    screen
}

/// The tables of the current view's export.
fn tables(screen: &mut Screen) -> Vec<Value> {
    screen.keys("e");
    let whole: Value = serde_json::from_str(&screen.exported.last().unwrap().json).unwrap();
    whole["tables"].as_array().unwrap().clone()
}

/// The rows of the table of the same name that start with the same entries, by column.
fn cell<'a>(tables: &'a [Value], table: &Value, row: &Value, column: &str) -> Option<&'a Value> {
    let other = tables.iter().find(|other| other["name"] == table["name"])?;
    let measured = table["measured"].as_array().unwrap().len();
    let lead = table["columns"].as_array().unwrap().len() - measured;
    let is_it = |other: &&Value| (0..lead).all(|at| other[at] == row[at]);
    let at = other["columns"].as_array().unwrap().iter().position(|name| name == column)?;
    Some(&other["rows"].as_array().unwrap().iter().find(is_it)?[at])
}

/// Holds a view's differences against exports of both subjects. Returns how many numbers differ.
fn must_be_less(now: &[Value], before: &[Value], difference: &[Value]) -> usize {
    let mut differ = 0;
    for table in difference {
        let columns = table["columns"].as_array().unwrap();
        let measured = table["measured"].as_array().unwrap();
        let lead = columns.len() - measured.len();
        for (meaning, at) in measured.iter().zip(lead..) {
            let name = columns[at].as_str().unwrap();
            for row in table["rows"].as_array().unwrap() {
                let ours = cell(now, table, row, name).unwrap_or_else(|| panic!("{} {name}", table["name"]));
                if meaning.get("minus").is_none_or(|_| ours.is_u64()) {
                    assert_eq!(&row[at], ours, "{} {name} stands as it is", table["name"]);
                    continue;
                }
                let (Some(a), Some(b)) =
                    (ours.as_f64(), cell(before, table, row, name).and_then(Value::as_f64))
                else {
                    assert!(!row[at].is_number(), "{} {name}: {row}", table["name"]);
                    continue;
                };
                let less = row[at].as_f64().unwrap_or_else(|| panic!("{} {name}: {row}", table["name"]));
                assert!(
                    (less - (a - b)).abs() <= 1e-6 * (1.0 + a.abs()),
                    "{} {name}: {less} {a} {b}",
                    table["name"]
                );
                differ += usize::from(less != 0.0);
            }
        }
    }
    differ
}

#[test]
fn every_view_is_less_the_remembered_step_entry_by_entry() {
    for view in ["1", "2", "3", "3x", "4<down>", "4sss<down>", "5", "5ss", "2<space>6", "7x"] {
        let mut screen = explored(120, 40);
        screen.keys(view);
        let before = tables(&mut screen);
        screen.keys("[<enter>");
        let now = tables(&mut screen);
        screen.keys("]<enter>-[<enter>").must_show("less step 100");
        let difference = tables(&mut screen);
        assert_eq!(now.len(), difference.len(), "view {view}");
        let differ = must_be_less(&now, &before, &difference);
        assert!(differ > 20, "view {view}: {differ} numbers differ");
    }
}

#[test]
fn edits_and_sequences_are_less_those_remembered() {
    // Remembered unedited, then edited; and the other way round.
    let mut screen = explored(80, 24);
    screen.keys("3");
    let clean = tables(&mut screen);
    screen.keys("-2<space>3").must_show("less unedited");
    let difference = tables(&mut screen);
    let sums =
        |tables: &[Value]| tables.iter().find(|table| table["name"] == "sums").unwrap()["rows"][1].clone();
    screen.keys("-").must_not_show("less unedited");
    let edited = tables(&mut screen);
    let number = |row: &Value, at: usize| row[at].as_f64().unwrap();
    let expected = number(&sums(&edited), 2) - number(&sums(&clean), 1);
    assert!((number(&sums(&difference), 2) - expected).abs() < 1e-6 && expected != 0.0);
    screen.keys("u").must_show("less the earlier edits");
    let back = tables(&mut screen);
    assert!((number(&sums(&back), 1) + expected).abs() < 1e-6);
    screen.keys("Um").must_show("less to zero");
    // Another sequence, and the same again.
    let mut screen = explored(80, 24);
    screen.keys("2-n").must_show("grid less the earlier sequence");
    screen.must_show("  less the earlier sequence  ");
    screen.keys("N").must_not_show("less the earlier");
    screen.keys("-").must_show("forgotten");
    screen.keys("n").must_not_show("less the earlier");
}

#[test]
fn other_axes_and_names_stand_as_they_are_and_say_so() {
    let mut screen = explored(120, 40);
    screen.keys("3-i<home><delete><delete><enter>").must_show("as it is: the axes differ");
    screen.must_show("less the earlier sequence");
    let mut screen = explored(120, 40);
    screen.keys("7-[").must_show("as it is: ranks hold other entries");
    screen.keys("1").must_show("as it is: only names, counts, flags");
    screen.keys("v").must_show("less step 100");
}

#[test]
fn a_remembered_step_stays_while_the_training_goes_on() {
    let mut screen = Setup { model: model(), ..Setup::sized(80, 24) }.screen();
    screen.start(1000);
    screen.snapshot(1, Weights::initial(&model(), 1));
    screen.keys("2-").must_not_show("less step");
    for step in 2..6 {
        screen.snapshot(step, Weights::initial(&model(), step as u64));
        screen.must_show("less step 1 ");
    }
    // No question of the user is replaced by one about the remembered subject.
    screen.stop_answering();
    screen.keys("n4");
    screen.go_on_answering();
    screen.must_show("less step 1, the earlier sequence");
    screen.must_not_show("computing");
}
