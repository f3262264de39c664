//! Curves: at every kept snapshot the number that the panel shows there, on screen and headless.

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{Screen, Setup, trained};
use headcount::app::Mode;
use headcount::model::{Activations, ModelConfig, Patch, Weights, forward};
use headcount::task::Split;
use headcount::train::{RunState, TrainEvent};
use serde_json::Value;

const STEPS: [usize; 5] = [0, 1, 3, 10, 100];

fn model() -> ModelConfig {
    ModelConfig { n_layers: 2, d_model: 16, d_head: 8, d_mlp: 24, n_ctx: 12, ..ModelConfig::default() }
}

/// A run of so many snapshots that is explored, in a view.
fn explored(view: &str) -> Screen {
    let mode = Mode::Exploring { weights: "run".into() };
    let mut screen = Setup { model: model(), mode, ..Setup::sized(120, 40) }.screen();
    for step in STEPS {
        screen.snapshot(step, Weights::initial(&model(), step as u64));
    }
    screen.keys(view);
    screen
}

/// A table of the last export.
fn table(screen: &mut Screen, name: &str) -> Value {
    screen.keys("e");
    let whole: Value = serde_json::from_str(&screen.exported.last().unwrap().json).unwrap();
    let tables = whole["tables"].as_array().unwrap().clone();
    tables.into_iter().find(|table| table["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The numbers of a column in the rows that begin with `lead`.
fn column(table: &Value, name: &str, lead: &[usize]) -> Vec<f64> {
    let at = table["columns"].as_array().unwrap().iter().position(|column| column == name);
    let at = at.unwrap_or_else(|| panic!("no {name} in {}", table["columns"]));
    let is_it = |row: &&Value| lead.iter().enumerate().all(|(at, entry)| row[at] == *entry);
    let rows = table["rows"].as_array().unwrap().iter().filter(is_it);
    rows.map(|row| row[at].as_f64().unwrap_or(f64::NAN)).collect()
}

/// The same numbers from the panel at each snapshot, one after another.
fn scrubbed(screen: &mut Screen, (panel, name, lead): (&str, &str, &[usize])) -> Vec<f64> {
    screen.keys("{");
    let mut values = Vec::new();
    for _ in STEPS {
        values.push(column(&table(screen, panel), name, lead)[0]);
        screen.keys("]");
    }
    values
}

#[test]
fn a_pinned_cell_is_at_every_step_what_its_panel_shows_there() {
    let score = ("heads", "previous_score", &[1, 0][..]);
    let mut screen = explored("2..");
    screen.must_show("▸ 1.0");
    screen.keys("*previous_score<enter>").must_show("previous_score 1.0: its curve stands in view 1");
    let expected = scrubbed(&mut screen, score);
    screen.keys("1").must_show("curves, 5 kept snapshots");
    let curves = table(&mut screen, "curves");
    assert_eq!(column(&curves, "previous_score 1.0", &[]), expected);
    assert_eq!(column(&curves, "step", &[]), STEPS.map(|step| step as f64));
    let meaning = &curves["measured"][0];
    assert!(meaning["of"]["steps"] == serde_json::json!([0, 100]) && meaning["asked_with"]["layer"] == "1");
    // With edits, the cell is another.
    screen.keys("2,,<space>..*previous_score<enter>").must_show("previous_score 1.0, edited");
    let edited = scrubbed(&mut screen, score);
    screen.keys("1");
    let curves = table(&mut screen, "curves");
    assert_eq!(column(&curves, "previous_score 1.0", &[]), expected);
    assert_eq!(column(&curves, "previous_score 1.0, edited", &[]), edited);
    assert_ne!(edited, expected);
    screen.keys("<backspace><backspace>").must_show("none: * pins a cell");
}

#[test]
fn a_curve_goes_on_with_the_training_and_changes_no_question_of_the_user() {
    let mut screen = Setup { model: model(), ..Setup::sized(120, 40) }.screen();
    screen.start(1000);
    screen.snapshot(0, Weights::initial(&model(), 0));
    screen.keys("2*entropy<enter>");
    // 100 is no step that stays.
    for step in [1, 2, 99, 100] {
        screen.snapshot(step, Weights::initial(&model(), step as u64));
    }
    screen.keys("1").must_show("curves, 5 kept snapshots");
    let steps = |screen: &mut Screen| column(&table(screen, "curves"), "step", &[]);
    assert_eq!(steps(&mut screen), [0.0, 1.0, 2.0, 99.0]);
    screen.train(TrainEvent::State(RunState::Finished));
    assert_eq!(steps(&mut screen), [0.0, 1.0, 2.0, 99.0, 100.0]);
    assert_eq!(screen.kept_points.len(), 5);
    assert!(screen.kept_points.iter().all(|point| point.value.is_some()));
}

#[test]
fn the_standing_curves_are_one_key_away() {
    let mut screen = explored("1g");
    screen.must_show("accuracy, uniform attention");
    let curves = table(&mut screen, "curves");
    let uniform = column(&curves, "accuracy, uniform attention", &[]);
    let clean = column(&curves, "validation accuracy", &[]);
    let class = column(&curves, "accuracy, class 3", &[]);
    screen.keys("g").must_not_show("accuracy, uniform attention");
    assert_eq!(scrubbed(&mut screen, ("accuracies", "accuracy", &[])), clean);
    screen.keys("}");
    assert!((column(&table(&mut screen, "classes"), "accuracy", &[3])[0] - class[4]).abs() < 1e-12);
    screen.keys("2A6");
    let edited = table(&mut screen, "effect");
    let accuracy = edited["rows"].as_array().unwrap()[1].as_array().unwrap().last().unwrap().as_f64();
    assert_eq!(accuracy, Some(uniform[4]));
    // The answers of an earlier session are not computed again.
    let points = std::mem::take(&mut screen.kept_points);
    assert!(points.len() > 50 && points.iter().any(|point| point.step == 10));
}

#[test]
fn weights_without_steps_have_no_curves() {
    let mode = Mode::Exploring { weights: "w.safetensors".into() };
    let mut screen = Setup { model: model(), mode, ..Setup::default() }.screen();
    screen.snapshot(0, Weights::initial(&model(), 0));
    screen.keys("2*").must_show("these weights have no steps");
    screen.keys("1g").must_show("these weights have no steps");
}

#[test]
fn a_phase_change_is_ticked_where_it_is_and_told() {
    let mut screen = Setup::sized(120, 40).screen();
    let [before, after] = [Weights::initial(&ModelConfig::default(), 1), trained()];
    let early = [1, 2, 3, 4, 8, 16, 32, 64, 128].map(|step| (step, before.clone()));
    let late = [166, 182, 225, 256].map(|step| (step, after.clone()));
    let snapshots: Vec<(usize, Weights)> = early.into_iter().chain(late).collect();
    screen.run(287, &snapshots);
    screen.keys("1*accuracy<enter>").must_show("between 128 and 166");
    let text = screen.text();
    let ticked = text.lines().find(|line| line.contains('▾')).expect("a tick");
    // The chart of 63 columns is of the steps 1 to 287; half of the height is at step 147.
    let at = ticked.chars().position(|c| c == '▾').unwrap();
    assert!((8 + 28..8 + 36).contains(&at), "column {at} of {ticked}");
    screen.keys("g").must_not_show("▾");
}

#[test]
fn progress_measures_have_curves_by_the_newest_key_frequencies() {
    let dir = tempfile::tempdir().unwrap();
    let line = "train --task modular-addition --set task.p=7 --set model.d_model=16 --set model.d_head=4 \
                --set model.d_mlp=24 --steps 6 --seed 5 --run r --quiet";
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(headcount(dir.path(), &line).0, 0);
    let json = headcount(dir.path(), "show curve progress --run r --format json").1;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["columns"],
        serde_json::json!(["step", "restricted_loss", "excluded_loss", "embedding_gini"])
    );
    assert_eq!(json["rows"].as_array().unwrap().len(), 7);
    let keys = |table: &Value| table["measured"][0]["asked_with"]["key_frequencies"].clone();
    let newest = headcount(dir.path(), "show progress --run r --format json").1;
    let newest: Value = serde_json::from_str(&newest).unwrap();
    assert!(keys(&json).is_string() && keys(&json) == keys(&newest));
    let last = json["rows"][6].as_array().unwrap();
    assert_eq!(last[1..], newest["rows"][0].as_array().unwrap()[..]);
    let standing = headcount(dir.path(), "show curve --run r --format csv").1;
    assert!(standing.lines().next().unwrap().contains("restricted loss"));
}

#[test]
fn a_class_is_born_where_the_snapshots_say_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path());
    let json = |line: &str| {
        let (status, out, why) = headcount(dir.path(), &format!("{line} --run r --format json"));
        assert_eq!(status, 0, "{line}: {why}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let births = json("show births");
    assert_eq!(
        births["columns"],
        serde_json::json!(["class", "learnt_at", "tracked_since", "tracker_score", "tracker_chance"])
    );
    let steps = column(&json("show curve accuracies"), "step", &[]);
    let numbers = [("classes", "accuracy"), ("tracker_scores", "score"), ("tracker_scores", "chance")];
    let read = numbers.map(|(panel, name)| {
        let at = |step: &f64| {
            let table = json(&format!("show {panel} --step {step}"));
            assert_eq!(table["measured"][0]["of"]["step"], *step as usize);
            column(&table, name, &[])
        };
        steps.iter().map(at).collect::<Vec<_>>()
    });
    let [accuracy, score, chance] = read;
    let first = |holds: &dyn Fn(usize) -> bool| {
        let never_again = (0..steps.len()).rev().find(|at| !holds(*at));
        steps.get(never_again.map_or(0, |at| at + 1)).map(|step| *step as usize)
    };
    let (mut learnt, mut tracked) = (0, 0);
    for class in 0..10 {
        let [at, since] = ["learnt_at", "tracked_since"].map(|name| {
            let step = column(&births, name, &[class])[0];
            step.is_finite().then_some(step as usize)
        });
        assert_eq!(at, first(&|at| accuracy[at][class] >= 0.5), "class {class}");
        assert_eq!(
            since,
            first(&|at| {
                score[at][class] > chance[at][class]
                    && 2.0 * score[at][class] >= score[score.len() - 1][class]
            }),
            "class {class}"
        );
        learnt += usize::from(at.is_some_and(|step| step > 0));
        tracked += usize::from(since.is_some());
    }
    assert!(learnt > 0 && tracked > 0, "{learnt} classes are learnt, {tracked} tracked");
    // The first learnt first, the unlearnt last.
    let order = column(&births, "learnt_at", &[]);
    assert!(
        order.iter().map(|step| if step.is_nan() { f64::INFINITY } else { *step }).is_sorted(),
        "{order:?}"
    );
    let text = headcount(dir.path(), "show births --run r").1;
    assert!(text.contains("kept snapshots from step 0 to 60"), "{text}");
}

#[test]
fn a_tracker_score_is_the_correlation_of_the_newest_trackers_with_their_class() {
    let mut screen = explored("4");
    let trackers = table(&mut screen, "trackers");
    let mut sets = vec![Vec::new(); 10];
    for row in trackers["rows"].as_array().unwrap() {
        let [class, neuron, rank] = [0, 1, 2].map(|at| row[at].as_u64().unwrap() as usize);
        if rank < 4 {
            sets[class].push(neuron);
        }
    }
    screen.keys("1gg").must_show("classes in the order learnt");
    let births = table(&mut screen, "births");
    let weights = Weights::initial(&model(), 100);
    let (mut sums, mut targets) = (vec![Vec::new(); 10], Vec::new());
    for index in 0..screen.data.len(Split::Validation) {
        let example = screen.data.example(Split::Validation, index);
        let mut activations = Activations::new(&model(), example.tokens().len());
        forward(&weights, example.tokens(), &Patch::default(), &mut activations);
        let post = &activations.blocks[1].mlp.as_ref().unwrap().post;
        for (position, target) in example.targets().iter().enumerate() {
            for (set, sums) in sets.iter().zip(&mut sums) {
                sums.push(set.iter().map(|neuron| f64::from(post[position * 24 + neuron])).sum::<f64>());
            }
            targets.push(usize::from(target.unwrap()));
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    for class in 0..10 {
        let is: Vec<f64> = targets.iter().map(|target| f64::from(u8::from(*target == class))).collect();
        let (x, y) = (mean(&sums[class]), mean(&is));
        let of = |a: &[f64], b: &[f64], x: f64, y: f64| {
            a.iter().zip(b).map(|(a, b)| (a - x) * (b - y)).sum::<f64>()
        };
        let expected =
            of(&sums[class], &is, x, y) / (of(&sums[class], &sums[class], x, x) * of(&is, &is, y, y)).sqrt();
        let score = column(&births, "tracker_score", &[class])[0];
        assert!(
            (score - expected).abs() < 1e-4 || sets[class].is_empty(),
            "class {class}: {score} {expected}"
        );
        assert_eq!(score.is_nan(), sets[class].is_empty());
    }
}

#[test]
fn the_damage_of_trackers_is_that_of_switching_them_off() {
    let mut screen = explored("1g");
    screen.must_show("accuracy, uniform attention");
    let curves = table(&mut screen, "curves");
    let all: Vec<&str> = curves["columns"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let of = all.iter().find(|name| name.starts_with("damage of trackers, class ")).expect("a damage");
    let class: usize = of.rsplit(' ').next().unwrap().parse().unwrap();
    let last = *column(&curves, of, &[]).last().unwrap();
    // At the newest snapshot, the sets are those of the damage matrix.
    let matrix = table(screen.keys("g6D"), "damage_matrix");
    let rows = matrix["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row[0] == format!("trackers of {class}") && row[1] == class).unwrap();
    assert!((row[2].as_f64().unwrap() - last).abs() < 1e-9, "{row} {last}");
    for name in ["loss, lead 1", "loss, position 4"] {
        assert!(column(&curves, name, &[]).iter().all(|loss| loss.is_finite()), "{name}");
    }
    let clean = column(&table(screen.keys("1"), "position_accuracies"), "loss", &[4])[0];
    assert!((column(&curves, "loss, position 4", &[])[4] - clean).abs() < 1e-12);
}

fn headcount(dir: &Path, line: &str) -> (i32, String, String) {
    let output = Command::cargo_bin("headcount").unwrap().current_dir(dir).args(line.split(' ')).output();
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn rows(csv: &str) -> Vec<Vec<&str>> {
    csv.lines().skip(1).map(|line| line.split(',').collect()).collect()
}

/// A run of 60 steps, validated every three.
fn train(dir: &Path) {
    let settings = "[model]\nd_model = 16\nd_head = 8\nd_mlp = 24\nn_ctx = 12\n[task]\nsequences = 40\n\
                    [train]\nepochs = 30\nbatch_size = 16\n";
    fs::write(dir.join("settings.toml"), settings).unwrap();
    let (status, _, why) = headcount(dir, "train --config settings.toml --run r --seed 7 --quiet");
    assert_eq!(status, 0, "{why}");
}

#[test]
fn the_accuracies_of_classes_over_the_kept_steps_are_those_that_the_run_logged() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path());
    let line = "show curve accuracy_by_class --run r --format csv";
    let (status, csv, why) = headcount(dir.path(), line);
    assert_eq!((status, why.as_str()), (0, ""));
    assert!(csv.starts_with("step,edits,class,accuracy_by_class\n0,clean,0,"), "{csv}");
    let all = rows(&csv);
    let first = |class: usize, steps: &[String]| {
        let of_class = |row: &&Vec<&str>| row[2] == class.to_string() && steps.contains(&row[0].to_owned());
        let is_learnt = |row: &&Vec<&str>| row[3].parse().is_ok_and(|accuracy: f64| accuracy >= 0.5);
        all.iter().filter(of_class).find(is_learnt).map(|row| row[0].to_owned())
    };
    let metrics = fs::read_to_string(dir.path().join("r/metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let epochs: Vec<Value> = lines.filter(|line| line["val_accuracy_by_class"].is_array()).collect();
    let steps: Vec<String> = epochs.iter().map(|epoch| epoch["step"].to_string()).collect();
    let mut learnt = 0;
    for class in 0..10 {
        let logged = epochs.iter().find(|epoch| {
            epoch["val_accuracy_by_class"][class].as_f64().is_some_and(|accuracy| accuracy >= 0.5)
        });
        let logged = logged.map(|epoch| epoch["step"].to_string());
        assert_eq!(first(class, &steps), logged, "class {class}");
        learnt += usize::from(logged.is_some());
    }
    assert!(learnt > 0, "no class is ever learnt");
    // Again, from the points that were kept.
    assert_eq!(headcount(dir.path(), line).1, csv);
    let path = dir.path().join("r/curves.jsonl");
    let kept = fs::read_to_string(&path).unwrap();
    let value = rows(&csv)[0][3];
    fs::write(&path, kept.replace(&format!(":{value}}}"), ":0.123}")).unwrap();
    assert_eq!(headcount(dir.path(), line).1, csv.replace(&format!(",{value}\n"), ",0.123\n"));
}

#[test]
fn a_curve_is_at_each_kept_step_what_show_says_of_that_step() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path());
    let (status, csv, why) =
        headcount(dir.path(), "show curve previous_score --run r --head 0.1 --format csv");
    assert_eq!((status, why.as_str()), (0, ""));
    for step in ["0", "7", "60"] {
        let line = format!("show previous_score --run r --head 0.1 --step {step} --format csv");
        let single = headcount(dir.path(), &line).1;
        let [_, value] = [single.lines().next().unwrap(), single.lines().nth(1).unwrap()];
        assert!(csv.lines().any(|line| line == format!("{step},{value}")), "{step}: {value}\n{csv}");
    }
    let json = headcount(dir.path(), "show curve accuracies --run r --format json").1;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["columns"], serde_json::json!(["step", "edits", "loss", "accuracy"]));
    let svg = headcount(dir.path(), "show curve accuracies --run r --format svg").1;
    assert!(svg.starts_with("<svg") && svg.contains("kept snapshots"));
    let standing = headcount(dir.path(), "show curve --run r --format csv").1;
    assert!(standing.lines().next().unwrap().contains("accuracy, uniform attention"));
    for (line, why) in [
        ("show curve train --run r", "is a view"),
        ("show curve accuracies --run r --step 3", "over all steps"),
        ("show curve accuracies --weights r/weights.safetensors", "give --run"),
        ("show curve nothing --run r", "called `nothing`"),
        ("show heads accuracies --run r", "one at a time"),
        ("show curve losses --run r", "over steps by itself"),
    ] {
        let (status, out, said) = headcount(dir.path(), line);
        assert!(status == 2 && out.is_empty() && said.contains(why), "{line}: {said}");
    }
}
