//! What the screen does with text and numbers that need more room than usual.

mod common;

use common::{Screen, Setup, trained};
use headcount::app::{Event, Glyphs, Mode, Notice};
use headcount::train::TrainEvent;
use ratatui::buffer::CellWidth;

/// Ideograms, an emoji of several code points, combining marks, and right-to-left letters.
const WIDE: &str = "/home/研究者/🧪👩‍🚀/e\u{301}tude\u{308}/ריצה/実験二十三";

fn exploring(weights: &str) -> Screen {
    let mode = Mode::Exploring { weights: weights.into() };
    let mut screen = Setup { mode, ..Setup::default() }.screen();
    screen.snapshot(420, trained());
    screen
}

#[track_caller]
fn every_line_is_as_wide_as_the_screen(screen: &Screen) {
    for line in screen.text().lines() {
        assert_eq!(line.cell_width(), 80, "{line}");
    }
}

#[test]
fn wide_text_keeps_its_place_in_every_view() {
    let mut screen = exploring(WIDE);
    for view in ["1", "2", "3", "4", "5", "6", "?"] {
        screen.keys(view);
        every_line_is_as_wide_as_the_screen(&screen);
        screen.must_show("実験二十三");
        screen.must_show("3 Logits");
    }
}

#[test]
fn of_a_path_that_is_too_long_the_end_stays() {
    let mut screen = exploring(&format!("{}{WIDE}", "/very/long".repeat(12)));
    for view in ["1", "2"] {
        screen.keys(view);
        every_line_is_as_wide_as_the_screen(&screen);
        screen.must_show("…");
        screen.must_show("実験二十三");
    }
}

#[test]
fn without_unicode_wide_text_takes_as_many_cells() {
    let mode = Mode::Exploring { weights: WIDE.into() };
    let mut screen = Setup { mode, glyphs: Glyphs::Ascii, ..Setup::default() }.screen();
    screen.snapshot(420, trained());
    assert!(screen.text().is_ascii(), "{}", screen.text());
    screen.must_show("/home/??????/????/etude/????/??????????");
}

#[test]
fn a_message_that_is_long_is_shown_whole() {
    let mut screen = exploring("weights.safetensors");
    let text = format!("written to {WIDE}{WIDE}, which takes more than a line and ends here");
    for event in [Notice::info(&*text), Notice::warning(&*text), Notice::error(&*text)] {
        screen.send(Event::Notice(event));
        every_line_is_as_wide_as_the_screen(&screen);
        screen.must_show("written to /home/研究者/");
        screen.must_show("ends here");
    }
    screen.keys("l");
    screen.must_not_show("ends here");
}

#[test]
fn a_banner_says_why_however_long_the_path() {
    for repeats in [1, 3, 40] {
        let path = "/scratch/a long name".repeat(repeats);
        let mut screen = Setup::default().screen();
        screen.run(20, &[(20, trained())]);
        let why = format!("{path}/checkpoints/000020.safetensors: cannot write: No space left on device");
        screen.train(TrainEvent::Unsaved(Some(why)));
        screen.must_show("NOT SAVED: /scratch/a long name");
        screen.must_show("No space left");
        screen.must_show("tries again");
        every_line_is_as_wide_as_the_screen(&screen);
        assert!(screen.line("token").starts_with(" token"), "the strip has its place below");
    }
}

#[test]
fn a_failure_names_its_step_once() {
    let mut screen = Setup::default().screen();
    screen.run(20, &[(20, trained())]);
    screen.train(TrainEvent::Failed("step 20: the loss is not finite".into()));
    screen.must_show("TRAINING FAILED: step 20: the loss is not finite");
    screen.train(TrainEvent::Failed("the trainer died".into()));
    screen.must_show("TRAINING FAILED at step 20: the trainer died");
}
