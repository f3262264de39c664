//! Arrows go down only: which folder of `src/` may know which, and no files that import each other in a loop.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What knows of nothing and serves all.
const SERVICES: [&str; 5] = ["random", "number", "sanitize", "memory", "cuda"];

/// The folders of `src/`, the lowest first, and those below that each may know beside the services.
const LAYERS: [(&str, &[&str]); 13] = [
    ("task", &[]),
    ("model", &["task"]),
    ("analysis", &["task", "model"]),
    ("train", &["task", "model", "analysis"]),
    ("figure", &["task", "model", "analysis"]),
    ("inquiry", &["task", "model", "analysis", "train", "figure"]),
    ("picture", &[]),
    ("term", &["picture"]),
    ("app", &["task", "model", "analysis", "train", "figure", "inquiry", "picture", "term"]),
    ("view", &["task", "model", "analysis", "train", "figure", "inquiry", "picture", "term", "app"]),
    ("cli", &["*"]),
    ("lib", &["*"]),
    ("main", &["*"]),
];

/// A path from the crate's root.
type Place = Vec<String>;
/// By module, the code of its file without comments.
type Modules = BTreeMap<Place, String>;
/// By module, the places that it names.
type Imports = BTreeMap<Place, Vec<Place>>;

fn joined(place: &[String], name: &str) -> Place {
    place.iter().cloned().chain([name.to_owned()]).collect()
}

fn modules() -> Modules {
    fn walk(dir: &Path, at: &[String], found: &mut Modules) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let module = joined(at, &name);
            if path.is_dir() {
                walk(&path, &module, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                let lines = source.lines().map(|line| line.split("//").next().unwrap_or_default());
                let code = lines.collect::<Vec<_>>().join("\n");
                // What stands in a module of the file has the file for its parent.
                let (code, tests) = code.split_once("mod tests {").unwrap_or((&code, ""));
                let code = format!("{code}\n{}", tests.replace("super::", "self::"));
                found.insert(if name == "mod" { at.to_vec() } else { module }, code);
            }
        }
    }
    let mut found = Modules::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut found);
    found
}

/// Every path in `code`, groups written out: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<Place> {
    const JOINT: &str = "#";
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let apart = |c: char| if is_of_word(c) { c.to_string() } else { format!(" {c} ") };
    let code: String = code.replace('#', " ").replace("::", JOINT).chars().map(apart).collect();
    let (mut found, mut groups, mut path, mut is_joined) = (vec![], vec![], Vec::new(), false);
    for token in code.split_whitespace() {
        match (token, is_joined) {
            (JOINT, _) => {}
            ("{", true) => groups.push(std::mem::take(&mut path)),
            (word, true) if word.chars().all(is_of_word) => path.push(word.to_owned()),
            (other, _) => {
                found.push(std::mem::take(&mut path));
                match other {
                    "{" => groups.push(Vec::new()),
                    "}" => drop(groups.pop()),
                    word if word.chars().all(is_of_word) => {
                        path = joined(groups.last().unwrap_or(&Place::new()), word);
                    }
                    _ => {}
                }
            }
        }
        is_joined = token == JOINT;
    }
    found
}

fn imports() -> Imports {
    let modules = modules();
    let absolute = |of: &[String], path: &[String]| -> Option<Place> {
        let ups = path.iter().take_while(|word| *word == "super").count();
        let rest: Place = path.iter().skip(ups).filter(|word| *word != "self").cloned().collect();
        match path.first()?.as_str() {
            "crate" => Some(rest[1..].to_vec()),
            "super" => Some([&of[..of.len().saturating_sub(ups)], &rest].concat()),
            "self" => Some([of, &rest].concat()),
            child => modules.contains_key(&joined(of, child)).then(|| [of, path].concat()),
        }
    };
    let of = |(module, code): (&Place, &String)| {
        let named = paths(code).iter().filter_map(|path| absolute(module, path)).collect();
        (module.clone(), named)
    };
    modules.iter().map(of).collect()
}

#[test]
fn arrows_point_down() {
    for (at, (layer, may_know)) in LAYERS.iter().enumerate() {
        let is_below = |name: &&str| *name == "*" || LAYERS[..at].iter().any(|(below, _)| below == name);
        assert!(may_know.iter().all(is_below), "{layer} stands below what it may know");
    }
    let is_known = |name: &str| SERVICES.contains(&name) || LAYERS.iter().any(|(layer, _)| *layer == name);
    for (module, named) in imports() {
        let Some(layer) = module.first().map(String::as_str) else { continue };
        assert!(is_known(layer), "src/{layer} has no place among the layers");
        let may_know =
            LAYERS.iter().find(|(name, _)| *name == layer).map_or(&[][..], |(_, may_know)| may_know);
        for path in &named {
            let to = path.first().map_or(layer, String::as_str);
            let is_service = SERVICES.contains(&to) && !SERVICES.contains(&layer);
            let may =
                to == layer || is_service || may_know.contains(&to) || may_know == ["*"] || !is_known(to);
            assert!(may, "{} knows {}", module.join("/"), path.join("::"));
        }
    }
}

/// The file that has the item at `path`, found through what the folders' own files hand on.
fn resolve(imports: &Imports, path: &[String]) -> Place {
    let mut at = Place::new();
    for (depth, word) in path.iter().enumerate() {
        let child = joined(&at, word);
        if !imports.contains_key(&child) {
            let is_it = |named: &&Place| named.len() > at.len() + 1 && named.last() == Some(word);
            let handed_on = imports[&at].iter().find(is_it).filter(|_| depth > 0);
            return handed_on.map_or_else(|| at.clone(), |named| resolve(imports, named));
        }
        at = child;
    }
    at
}

/// A folder's own file and its members are one: they may know each other.
#[test]
fn no_files_import_each_other_in_a_loop() {
    let imports = imports();
    let mut arrows: BTreeSet<(Place, Place)> = BTreeSet::new();
    for (module, named) in &imports {
        let to = named.iter().map(|path| resolve(&imports, path));
        let apart = to.filter(|to| !to.starts_with(module) && !module.starts_with(to));
        arrows.extend(apart.map(|to| (module.clone(), to)));
    }
    // What nothing points to, and what points nowhere, is in no loop.
    for _ in 0..imports.len() {
        let (from, to): (BTreeSet<Place>, BTreeSet<Place>) = arrows.iter().cloned().unzip();
        arrows.retain(|(a, b)| to.contains(a) && from.contains(b));
    }
    let arrows: Vec<_> = arrows.iter().map(|(a, b)| format!("{} -> {}", a.join("/"), b.join("/"))).collect();
    assert!(arrows.is_empty(), "{arrows:#?}");
}

/// No code of `layer` has any of `words`.
#[track_caller]
fn does_not_say(layer: &str, words: &[&str]) {
    for (module, code) in modules().iter().filter(|(module, _)| module.first().is_some_and(|of| of == layer))
    {
        let said = words.iter().find(|word| code.contains(**word));
        assert!(said.is_none(), "{}: {}", module.join("/"), said.unwrap_or(&""));
    }
}

#[test]
fn what_computes_knows_of_no_screen() {
    for (layer, _) in &LAYERS[..6] {
        does_not_say(layer, &["ratatui", "crossterm"]);
    }
}

/// What questions have in common.
const COMMON_TO_QUESTIONS: [&str; 7] =
    ["bench", "job", "memo", "passes", "question", "random_sets", "schedule"];

#[test]
fn no_question_knows_another_or_a_thread() {
    let is_question = |module: &[String]| matches!(module, [layer, file, ..] if layer == "inquiry" && !COMMON_TO_QUESTIONS.contains(&file.as_str()));
    let modules = modules();
    for (module, named) in imports().iter().filter(|(module, _)| is_question(module)) {
        let other = named
            .iter()
            .find(|path| is_question(path) && path[1] != module[1] && modules.contains_key(&path[..2]));
        assert!(other.is_none(), "{} knows {other:?}", module.join("/"));
    }
    does_not_say("inquiry", &["std::thread", "mpsc", "Instant"]);
}

#[test]
fn the_app_and_its_views_know_of_no_thread_channel_clock_or_file() {
    let outside =
        ["std::thread", "mpsc", "std::time", "Instant", "std::fs", "std::io", "std::net", "std::env"];
    for layer in ["app", "view"] {
        does_not_say(layer, &outside);
    }
}

#[test]
fn only_the_tasks_know_which_tasks_there_are() {
    for layer in ["model", "analysis", "train", "app", "view", "term", "cli"] {
        does_not_say(layer, &["majority::", "\"majority\""]);
    }
}
