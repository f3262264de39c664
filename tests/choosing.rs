//! Choosing by typing: the next wrong prediction, the filter of the data set, the class of the target, and tokens by name.

mod common;

use common::{Screen, Setup, trained};
use headcount::analysis::Pass;
use headcount::app::Mode;
use headcount::model::{ModelConfig, Patch, Weights};
use headcount::task::{Listing, Rows, Split, Token};

fn running() -> Screen {
    let mut screen = Setup::default().screen();
    screen.run(20, &[(20, trained())]);
    screen
}

/// Every wrong prediction of the validation set that passes, as sequence and position.
fn wrong(screen: &Screen, passes: impl Fn(&[Token], usize) -> bool) -> Vec<(usize, usize)> {
    let weights = trained();
    let mut found = Vec::new();
    for sequence in 0..screen.data.len(Split::Validation) {
        let example = screen.data.example(Split::Validation, sequence);
        let pass = Pass::run(&weights, example, &Patch::default());
        for (position, (prediction, target)) in pass.predictions.iter().zip(example.targets()).enumerate() {
            if prediction != target && passes(example.tokens(), position) {
                found.push((sequence, position));
            }
        }
    }
    found
}

/// Where the screen says that it is: the sequence and the position in the ruler.
fn here(screen: &Screen) -> (usize, usize) {
    let ruler = screen.line("val ");
    let sequence = ruler.split("val ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    let export = {
        let commands = screen.exported.last().expect("e was pressed");
        serde_json::from_str::<serde_json::Value>(&commands.json).unwrap()
    };
    (sequence, usize::try_from(export["position"].as_u64().unwrap()).unwrap())
}

#[test]
fn the_next_wrong_prediction_is_found_beyond_this_sequence_and_all_of_them_in_turn() {
    let mut screen = running();
    let all = wrong(&screen, |_, _| true);
    assert!(all.len() > 3 && all.iter().any(|(sequence, _)| *sequence > all[0].0), "{all:?}");
    screen.keys("2<home>");
    // The cursor starts on the first position.
    let start = all.iter().position(|place| *place > (0, 0)).unwrap();
    for at in 0..=all.len() {
        screen.keys("we");
        assert_eq!(here(&screen), all[(start + at) % all.len()], "after {at} of {all:?}");
    }
    screen.keys("W").keys("e");
    assert_eq!(here(&screen), all[(start + all.len() - 1) % all.len()]);
}

#[test]
fn the_search_says_how_many_there_are_and_of_which_edits() {
    let mut screen = running();
    let all = wrong(&screen, |_, _| true);
    screen.keys("2<home>");
    while !screen.shows("wrong prediction ") {
        screen.keys("w");
    }
    screen.must_show(&format!(" of {} in the validation set", all.len()));
    // Without both heads almost everything is wrong.
    screen.keys("<space>.<space><end>w").must_show("wrong prediction ");
    let text = screen.line("wrong prediction ");
    let number = text.split(" of ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(number.parse::<usize>().unwrap() > 10 * all.len(), "{text}");
}

#[test]
fn a_key_ends_a_search_that_is_not_answered() {
    let mut screen = running();
    screen.keys("2<end>").stop_answering();
    screen.keys("w").must_show("looking through the validation set");
    screen.keys("<home>");
    screen.go_on_answering();
    screen.must_show("val 0");
    screen.must_not_show("wrong prediction");
}

#[test]
fn a_filter_holds_for_sequences_and_wrong_predictions() {
    let mut screen = running();
    screen.keys("2/").must_show("filter: _");
    screen.keys("tie").must_show("lead tie");
    screen.keys("<enter>").must_show("lead tie: ");
    let ruler = screen.line("val 0");
    assert!(ruler.contains("lead tie"), "{ruler}");
    let tied = |tokens: &[Token], position: usize| {
        let count = |token: Token| tokens[..=position].iter().filter(|&&one| one == token).count();
        let mut counts: Vec<usize> = (0..10).map(count).collect();
        counts.sort_unstable();
        counts[9] == counts[8]
    };
    let all = wrong(&screen, tied);
    screen.keys("<home>");
    let start = all.iter().position(|place| *place > (0, 0)).unwrap();
    for at in 0..3 {
        screen.keys("we");
        assert_eq!(here(&screen), all[(start + at) % all.len()], "{all:?}");
    }
    screen.keys("/<enter>").must_show("no filter");
    assert!(!screen.line("val ").contains("tie"));
}

#[test]
fn a_filter_of_a_token_leads_from_sequence_to_sequence() {
    let mut screen = running();
    screen.keys("2/token 7<enter>");
    for sequence in 1..4 {
        screen.keys("ne");
        let tokens = screen.data.example(Split::Validation, sequence).tokens();
        let first = tokens.iter().position(|token| *token == 7).unwrap();
        assert_eq!(here(&screen), (sequence, first));
    }
    screen.keys("Ne");
    assert_eq!(here(&screen).0, 2);
}

#[test]
fn what_is_called_nothing_is_said_and_escape_leaves_everything() {
    let mut screen = running();
    let before = screen.keys("2").text();
    screen.keys("/zebra").must_show("nothing begins like this");
    screen.keys("<enter>").must_show("nothing here is called zebra");
    screen.keys("<esc>");
    assert_eq!(before, screen.text());
    screen.keys("/class 1<right><left><backspace><esc>");
    assert_eq!(before, screen.text());
}

/// Words, of which one begins another, and classes with names of their own.
fn words() -> Screen {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let mut rows = Rows::with_space(4, 8);
    for row in 0..4 {
        let sequence: Vec<Token> = (0..8).map(|at| (at + row) % 4).collect();
        rows.push(&sequence, &sequence.iter().map(|token| Some(token % 2)).collect::<Vec<_>>(), 8);
    }
    let (vocabulary, outputs) = (names(&["a", "at", "attic", "b"]), names(&["even", "odd"]));
    let listing = Listing { name: "words".into(), rows, rule: None, train: None, vocabulary, outputs };
    let model = ModelConfig {
        n_ctx: 8,
        d_vocab: 4,
        d_vocab_out: Some(2),
        d_model: 16,
        d_head: 8,
        d_mlp: 12,
        ..ModelConfig::default()
    };
    let mode = Mode::Exploring { weights: "words.safetensors".into() };
    let mut screen =
        Setup { mode, model: model.clone(), listing: Some(listing), ..Setup::default() }.screen();
    screen.snapshot(0, Weights::initial(&model, common::SEED));
    screen
}

#[test]
fn the_target_is_a_class_by_its_name_not_a_token() {
    let mut screen = words();
    screen.keys("3T").must_show("target class: _");
    screen.keys("od").must_show("odd");
    screen.keys("<enter>").must_show("odd");
    screen.keys("e");
    let export: serde_json::Value = serde_json::from_str(&screen.exported.last().unwrap().json).unwrap();
    assert_eq!(export["target"], "class odd");
}

#[test]
fn a_token_is_typed_by_name_also_where_one_begins_another() {
    let mut screen = words();
    let first =
        |screen: &Screen| screen.line("token ").split_whitespace().nth(1).unwrap().replace(['▐', '▌'], "");
    screen.keys("2<home>iat").must_show("token (Tab): at_");
    screen.must_show("attic");
    screen.keys("t<tab><enter>");
    assert_eq!(first(&screen), "attic");
    screen.keys("<home>iat <enter>");
    assert_eq!(first(&screen), "at");
    screen.keys("<home>ib<enter>");
    assert_eq!(first(&screen), "b");
}

#[test]
fn of_more_classes_than_fit_all_are_reached() {
    let model =
        ModelConfig { n_ctx: 8, d_vocab: 90, d_model: 16, d_head: 8, d_mlp: 12, ..ModelConfig::default() };
    for (width, height, keys) in [(80, 24, "1"), (120, 40, "1"), (80, 24, "4<space>6")] {
        let mode = Mode::Exploring { weights: "wide.safetensors".into() };
        let setup = Setup { mode, model: model.clone(), sequences: 600, ..Setup::sized(width, height) };
        let mut screen = setup.screen();
        screen.snapshot(0, Weights::initial(&model, common::SEED));
        screen.keys(keys).must_show("classes");
        let first = screen.text();
        let [back, on] = if keys == "1" { ["<pgup>", "<pgdn>"] } else { ["(", ")"] };
        for _ in 0..12 {
            screen.keys(on);
        }
        screen.must_show(if width == 120 { " 90/90" } else { " of 90" });
        for _ in 0..12 {
            screen.keys(back);
        }
        assert_eq!(first, screen.text());
    }
}
