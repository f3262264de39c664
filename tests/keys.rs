//! The one table of keys: it is complete, free of contradictions, and on screen.

mod common;

use std::collections::HashSet;

use common::{Setup, trained};
use headcount::app::keymap::{self, Binding, Context, JOIN, Key};
use headcount::app::{Glyphs, ViewId};
use headcount::train::{RunState, TrainEvent};

fn bindings() -> impl Iterator<Item = (Context, &'static Binding)> {
    Context::all().flat_map(|context| context.bindings().map(move |binding| (context, binding)))
}

/// A view by the key that opens it.
fn view(number: &str) -> Context {
    Context::View(*ViewId::ALL.iter().find(|view| view.number() == number).unwrap())
}

#[test]
fn no_key_means_two_things_in_a_context() {
    for context in Context::all() {
        let everywhere =
            Context::Everywhere.bindings().filter(|_| !context.is_alone() && context != Context::Everywhere);
        let mut seen: HashSet<Key> = HashSet::new();
        for key in context.bindings().chain(everywhere).flat_map(|binding| binding.keys) {
            assert!(seen.insert(*key), "{} twice in {context:?}", key.name(true));
        }
    }
}

#[test]
fn every_action_is_reached_by_its_keys_and_described() {
    for (context, binding) in bindings() {
        assert!(!binding.help.is_empty() && !binding.keys.is_empty(), "{binding:?}");
        assert!(binding.help.chars().count() <= 61, "{binding:?} is cut at 80 columns");
        for key in binding.keys {
            let context = if context == Context::Everywhere { view("1") } else { context };
            let pressed = Key::of(&key.event()).expect("a key of the table is a key");
            let found = keymap::find(context, pressed).expect("a key of the table is bound");
            assert!(std::ptr::eq(found, binding), "{binding:?}");
        }
    }
}

#[test]
fn the_keys_of_a_view_are_in_its_key_line() {
    for glyphs in [Glyphs::Utf8, Glyphs::Ascii] {
        let mut screen = Setup { glyphs, ..Setup::default() }.screen();
        screen.snapshot(1, trained());
        screen.train(TrainEvent::State(RunState::Running));
        for (view, context) in [
            ("1", view("1")),
            ("2", view("2")),
            ("3", view("3")),
            ("4", view("4")),
            // With something off there is a list.
            ("<space>6", view("6")),
            ("5", view("5")),
            ("i", Context::Typing),
            ("<esc>?", Context::Help),
        ] {
            screen.keys(view);
            let text = screen.text();
            let line = text.lines().last().unwrap();
            // Ten classes all fit: there is nothing to scroll. On every other key line a hint is its own.
            assert!(!line.contains(" classes "), "{line}");
            for binding in context.bindings().filter(|binding| !["", JOIN, "classes"].contains(&binding.hint))
            {
                assert!(line.contains(binding.hint), "{context:?} does not show {:?}: {line}", binding.hint);
            }
            assert!(context.is_alone() || line.ends_with("? keys"), "{line}");
        }
    }
}

#[test]
fn the_list_of_keys_shows_every_one() {
    let mut screen = Setup::default().screen();
    screen.keys("?");
    let mut seen = String::new();
    for _ in 0..300 {
        seen += &screen.text();
        screen.keys("<down>");
    }
    for (_, binding) in bindings() {
        let start: String = binding.help.into();
        assert!(seen.contains(&start), "{start}");
    }
    // The end is the end: one key back shows something else.
    let end = screen.text();
    screen.keys("<pgdn>");
    assert_eq!(end, screen.text());
    assert_ne!(end, screen.keys("<up>").text());
}

#[test]
fn the_list_of_keys_begins_with_those_of_the_view() {
    for (view, context) in [("2", view("2")), ("5", view("5"))] {
        let mut screen = Setup::default().screen();
        let text = screen.keys(view).keys("?").text();
        assert_eq!(text.lines().nth(3).unwrap().trim_end_matches('█').trim(), context.title());
    }
}

#[test]
fn keys_that_mean_nothing_do_nothing() {
    let mut screen = Setup::default().screen();
    screen.snapshot(1, trained());
    let before = screen.text();
    screen.app.take_dirty();
    screen.keys("<delete>YbBoOAZ89<ctrl-a><ctrl-x>");
    assert_eq!(before, screen.text());
    assert!(!screen.app.take_dirty());
    assert!(!screen.quit && screen.told.is_empty());
}

#[test]
fn the_readme_table_has_a_line_for_each_binding() {
    assert_eq!(keymap::markdown_table().lines().count(), bindings().count() + 2);
}
