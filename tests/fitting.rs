//! What the screen does with text and numbers that need more room than usual.

mod common;

use common::{Screen, Setup, trained};
use headcount::app::{ColorDepth, Event, Glyphs, Mode, Notice};
use headcount::model::{ModelConfig, Weights};
use headcount::train::TrainEvent;
use proptest::prelude::*;
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
    for view in ["1", "2", "3", "4", "5", "6", "7", "?"] {
        screen.keys(view);
        every_line_is_as_wide_as_the_screen(&screen);
        screen.must_show("実験二十三");
        screen.must_show("3 Logit");
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

/// A small model with a vocabulary and a context of that size, untrained.
fn sized(d_vocab: usize, n_ctx: usize, width: u16, height: u16) -> Screen {
    let model = ModelConfig {
        n_layers: 1,
        n_heads: 2,
        d_model: 4,
        d_head: 2,
        d_mlp: 6,
        d_vocab,
        n_ctx,
        ..ModelConfig::default()
    };
    let mut screen = Setup { model: model.clone(), width, height, sequences: 2, ..Setup::default() }.screen();
    screen.run(3, &[]);
    screen.snapshot(3, Weights::initial(&model, common::SEED));
    screen
}

/// Fields of the lines below a heading, until the next one.
fn rows(screen: &Screen, heading: &str) -> Vec<Vec<String>> {
    let text = screen.text();
    let start = |line: &str| {
        line.find(heading).and_then(|at| line[..at].rfind("── ")).map(|at| line[..at].chars().count())
    };
    let at = text.lines().find_map(start).unwrap_or_else(|| panic!("no heading {heading:?}:\n{text}"));
    let right = |line: &str| line.chars().skip(at.saturating_sub(1)).collect::<String>();
    let below = text.lines().skip_while(|line| !line.contains(heading)).skip(1);
    let rows = below.map(right).take_while(|line| !line.contains("──"));
    rows.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_keep_apart_whatever_the_vocabulary_and_the_context(
        digits in 1_u32..6,
        share in 0.0..1.0_f64,
        wide in any::<bool>(),
        keys in "[hlHLjk]{0,12}",
    ) {
        let d_vocab = (10_usize.pow(digits) / 2 - 1).max(2);
        // Many positions or many tokens: both at once are more than a test should compute.
        let most = if d_vocab > 1000 { 12 } else { 600 };
        let n_ctx = 2 + (share * f64::from(most)) as usize;
        let (width, height) = if wide { (120, 40) } else { (80, 24) };
        let mut screen = sized(d_vocab, n_ctx, width, height);
        screen.keys("2<end>").keys(&keys);
        for row in rows(&screen, "strongest keys").iter().filter(|row| row.len() > 1) {
            prop_assert!(is_number(&row[0]) && is_number(&row[2]), "{row:?}\n{}", screen.text());
            let token = row[1].strip_prefix('(').and_then(|token| token.strip_suffix(')'));
            prop_assert!(token.is_some_and(is_number), "{row:?}\n{}", screen.text());
        }
        for name in ["entropy", "KL unif."] {
            let text = screen.text();
            let line = text.lines().find(|line| line.contains(name)).unwrap();
            prop_assert!(line.trim_end().ends_with("nats") || !line.contains(" na"), "{line}");
        }
        // The maps of a large vocabulary are more than a test should compute.
        if d_vocab < 1000 {
            screen.keys("5<end>");
            for row in rows(&screen, "paths at").iter().filter(|row| row.first().is_some_and(|first| is_number(first))) {
                let numbers = row.iter().filter(|field| is_number(field) || *field == "\"").count();
                prop_assert!(numbers == row.len() && row.len() >= 5, "{row:?}\n{}", screen.text());
            }
        }
        screen.keys("3<end>");
        for row in rows(&screen, "logits at position") {
            let cells = row.iter().filter(|field| is_number(field)).count();
            prop_assert!(row.is_empty() || row[0] == "token" || cells >= 2, "{row:?}\n{}", screen.text());
        }
    }
}

#[test]
fn the_linux_console_gets_the_glyphs_of_its_font() {
    // All of code page 437 beyond ASCII, with what its kernel draws for control codes.
    let font = "☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■";
    for depth in [ColorDepth::Ansi16, ColorDepth::None] {
        let mut screen = Setup { glyphs: Glyphs::Console, depth, ..Setup::default() }.screen();
        screen.run(287, &[(1, trained()), (287, trained())]);
        for keys in [
            "1", "2", "x", ".<space>", "3", "4", "<space>p", "v", "o", "5", "v", "v", "v", "6", "?",
            "<esc>[", "i", "<esc>q",
        ] {
            screen.keys(keys);
            let text = screen.text();
            let strange = text.chars().find(|glyph| !glyph.is_ascii() && !font.contains(*glyph));
            assert_eq!(strange, None, "{keys}:\n{text}");
            assert!(!text.contains('?') || keys == "?" || text.contains("? keys"), "{keys}:\n{text}");
        }
    }
}

#[test]
fn centred_and_raw_logits_say_which_they_are_and_a_tie_how_it_is_decided() {
    let mut screen = exploring("weights.safetensors");
    screen.keys("3");
    screen.must_show("raw logit ");
    screen.must_show("centred over tokens");
    screen.keys("5vv");
    screen.must_show("OV to logits, centred");
    screen.keys("1");
    screen.must_show("label: ties go to the smallest");
}
