//! Every number in a view has a twin without a screen, and the two are equal.

mod common;

use common::{Screen, Setup, trained};
use headcount::analysis::circuits::{HeadDrive, circuits, qk_over_positions};
use headcount::analysis::hypotheses::{fit, trackers};
use headcount::analysis::lens::lens_over;
use headcount::analysis::{NeuronDirections, Pass, Target, attention, evaluate, evaluation};
use headcount::model::{
    FoldOptions, HeadId, Interventions, ModelConfig, NeuronId, Patch, PatternKind, Weights, fold,
};
use headcount::report::AblationOutcome;
use headcount::task::{Class, Example, Split, Token};
use serde_json::{Value, json};

/// Where the cursor is put.
const POSITION: usize = 37;

/// A screen in the middle of a run, and what a script would have: the weights, the tokens, a clean pass.
struct Twin {
    screen: Screen,
    weights: Weights,
    tokens: Vec<Token>,
    labels: Vec<Option<Class>>,
}

impl Twin {
    fn new(keys: &str) -> Self {
        let mut screen = Setup::default().screen();
        screen.run(20, &[(20, trained())]);
        screen.keys("<home>").keys(&"l".repeat(POSITION)).keys(keys);
        let example = screen.data.example(Split::Validation, 0);
        let (tokens, labels) = (example.tokens().to_vec(), example.targets().to_vec());
        Self { screen, weights: trained(), tokens, labels }
    }

    fn example(&self) -> Example<'_> {
        Example::new(&self.tokens, &self.labels)
    }

    /// The export of the view in front.
    fn export(&mut self) -> Value {
        self.screen.keys("e");
        let export = self.screen.exported.last().expect("e exports");
        serde_json::from_str(&export.json).expect("an export is JSON")
    }

    fn pass(&self, off: &Interventions) -> Pass {
        let patch = off.patch(self.weights.config(), None);
        Pass::run(&self.weights, self.example(), &patch)
    }

    fn clean(&self) -> Pass {
        self.pass(&Interventions::default())
    }
}

/// The rows of a table.
#[track_caller]
fn rows<'a>(export: &'a Value, table: &str) -> &'a Vec<Value> {
    let tables = export["tables"].as_array().expect("an export has tables");
    let found = tables.iter().find(|one| one["name"] == table);
    found.unwrap_or_else(|| panic!("no table is called {table}"))["rows"]
        .as_array()
        .expect("a table has rows")
}

/// Some cells of a row.
#[track_caller]
fn cells(row: &Value, at: std::ops::Range<usize>) -> Value {
    row.as_array().expect("a row has cells")[at].into()
}

/// A number as the screen has it.
#[track_caller]
fn number(cell: &Value) -> f64 {
    cell.as_f64().unwrap_or_else(|| panic!("{cell} is not a number"))
}

/// Equal but for the digits that a decimal takes.
#[track_caller]
fn same(cell: &Value, twin: f64) {
    let value = number(cell);
    assert!((value - twin).abs() <= 1e-6 * twin.abs().max(1e-3), "{value} on screen, {twin} without");
}

#[test]
fn attribution() {
    let mut twin = Twin::new("3o");
    let export = twin.export();
    let (pass, weights) = (twin.clean(), &twin.weights);
    let target = Target::Label.resolve(twin.labels[POSITION], pass.logits(POSITION));
    let rows = rows(&export, "writers");
    let whole = rows.iter().filter(|row| row[3] == false && row[0] != "logit");
    assert_eq!(whole.clone().count(), pass.attribution.writers.len());
    for (at, (row, writer)) in whole.zip(&pass.attribution.writers).enumerate() {
        assert_eq!(row[0], writer.to_string());
        same(&row[1], target.value(pass.attribution.row(at, POSITION)).into());
    }
    let neuron = usize::try_from(export["neuron"].as_u64().unwrap()).unwrap();
    let one = NeuronDirections::new(weights).contribution(&pass.activations, 0, neuron, POSITION, target);
    let parts: Vec<&Value> = rows.iter().filter(|row| row[3] == true).collect();
    same(&parts[0][1], one.into());
    let mlp = rows.iter().find(|row| row[0] == "mlp_out.0").unwrap();
    assert!((number(&parts[0][1]) + number(&parts[1][1]) - number(&mlp[1])).abs() < 1e-5);
}

#[test]
fn lens() {
    let mut twin = Twin::new("3");
    let export = twin.export();
    let figures = lens_over(&twin.weights, &twin.screen.data.examples(Split::Validation));
    let rows = rows(&export, "lens");
    assert_eq!(rows.len(), figures.len());
    for (row, figures) in rows.iter().zip(figures) {
        assert_eq!(row[0], figures.name);
        same(&row[3], figures.loss);
        same(&row[4], figures.accuracy);
    }
}

#[test]
fn attention_and_scores() {
    let mut twin = Twin::new("2.");
    let export = twin.export();
    let pass = twin.clean();
    for (key, row) in rows(&export, "keys").iter().enumerate() {
        let a = pass.attention(0, 1, POSITION)[key];
        same(&row[3], a.into());
        same(&row[6], (a * pass.heads[1].value_norms[key]).into());
        assert_eq!(cells(row, 7..11), json!([0, 1, "this sequence", 1]));
    }
    let examples = twin.screen.data.examples(Split::Validation);
    let averages = attention::averages(&twin.weights, &Patch::default(), &examples);
    for ((row, average), summary) in rows(&export, "heads").iter().zip(&averages).zip(&pass.heads) {
        same(&row[2], summary.mean_entropy().into());
        let scores = [average.scores.previous, average.scores.duplicate, average.scores.induction];
        (4..).zip(scores).for_each(|(at, score)| same(&row[at], score.into()));
        assert_eq!(row[8], 30, "the sequences of the scores");
    }
    let names = &export["tables"][1]["columns"];
    assert_eq!((&names[2], &names[8]), (&json!("mean_entropy_this_sequence"), &json!("scores_sequences")));
    // The mean pattern is the same one.
    twin.screen.keys("v");
    let export = twin.export();
    for (key, row) in rows(&export, "keys").iter().enumerate() {
        same(&row[3], averages[1].pattern[POSITION * 128 + key].into());
        assert_eq!(cells(row, 7..11), json!([0, 1, "mean", 30]));
    }
}

#[test]
fn neurons_trackers_and_fits() {
    let mut twin = Twin::new("4bo");
    let export = twin.export();
    let pass = twin.clean();
    let target = Target::Label.resolve(twin.labels[POSITION], pass.logits(POSITION));
    let directions = NeuronDirections::new(&twin.weights);
    let examples = twin.screen.data.examples(Split::Validation);
    let features = twin.screen.data.task().features();
    let tracked = trackers(&twin.weights, &examples, features);
    for row in rows(&export, "neurons") {
        let neuron = usize::try_from(row[0].as_u64().unwrap()).unwrap();
        same(&row[1], pass.neuron(0, neuron, POSITION).into());
        same(&row[2], pass.neuron(0, neuron, POSITION).into());
        same(&row[3], directions.contribution(&pass.activations, 0, neuron, POSITION, target).into());
        let by_token = |token: usize| tracked[token].iter().find(|tracker| tracker.neuron == neuron);
        match row[6].as_u64() {
            Some(token) => same(&row[7], by_token(usize::try_from(token).unwrap()).unwrap().effect),
            None => assert!((0..10).all(|token| by_token(token).is_none()), "neuron {neuron}"),
        }
    }
    let token = twin.labels[POSITION].unwrap();
    let best: Vec<NeuronId> = tracked[usize::from(token)][..4]
        .iter()
        .map(|tracker| NeuronId { layer: 0, neuron: tracker.neuron })
        .collect();
    let r_squared = fit(&twin.weights, &examples, &best, token, features);
    for ((row, which), r_squared) in rows(&export, "fit").iter().zip(features).zip(r_squared) {
        assert_eq!(row[0], which.name);
        same(&row[2], r_squared);
    }
}

#[test]
fn ablation_of_neurons_and_patterns() {
    let mut twin = Twin::new("4B2a6");
    let export = twin.export();
    let ids = |list: &Value| -> Vec<NeuronId> { serde_json::from_value(list.clone()).unwrap() };
    let off = Interventions {
        neurons: ids(&export["off"]["neurons"]).into_iter().collect(),
        patterns: [(HeadId { layer: 0, head: 0 }, PatternKind::Uniform)].into(),
        ..Interventions::default()
    };
    assert_eq!(off.neurons.len(), 4);
    let (before, after) = (twin.clean(), twin.pass(&off));
    let config = ModelConfig::default();
    let outcome = AblationOutcome::new(&config, &off, twin.example(), [&before, &after]);
    let nearly =
        AblationOutcome { accuracy_before: Some(0.999_7), accuracy_after: Some(0.000_2), ..outcome.clone() };
    assert!(nearly.to_string().contains("accuracy 99.9% -> <0.1%"), "{nearly}");
    let figures = rows(&export, "figures");
    same(&figures[0][2], outcome.loss_before.unwrap().into());
    same(&figures[0][3], outcome.loss_after.unwrap().into());
    same(&figures[0][4], outcome.accuracy_before.unwrap().into());
    same(&figures[0][5], outcome.accuracy_after.unwrap().into());
    let changed: Vec<usize> = rows(&export, "positions")
        .iter()
        .filter(|row| row[5] == true)
        .map(|row| usize::try_from(row[0].as_u64().unwrap()).unwrap())
        .collect();
    assert!(!changed.is_empty());
    assert_eq!(changed, outcome.changed);
    let examples = twin.screen.data.examples(Split::Validation);
    let over = |off: &Interventions| evaluate(&twin.weights, &off.patch(&config, None), &examples);
    let (before, after) = (over(&Interventions::default()), over(&off));
    same(&figures[1][2], before.loss);
    same(&figures[1][3], after.loss);
    for (row, (before, after)) in
        rows(&export, "classes").iter().zip(before.accuracy_by_class.iter().zip(&after.accuracy_by_class))
    {
        same(&row[1], before.unwrap());
        same(&row[2], after.unwrap());
    }
}

#[test]
fn circuits_and_paths() {
    let mut twin = Twin::new("5.");
    let folded = fold(&twin.weights, FoldOptions::default());
    let (heads, positions) = (circuits(&folded), qk_over_positions(&folded, HeadId { layer: 0, head: 1 }));
    let drives = [0, 1].map(|head| HeadDrive::new(&folded, HeadId { layer: 0, head }).values);
    let centred = &drives[1];
    let of = |values: &[f32], width: usize, row: &Value| {
        let at = |cell: &Value| usize::try_from(cell.as_u64().unwrap()).unwrap();
        f64::from(values[at(&row[0]) * width + at(&row[1])])
    };
    for (name, values, width) in [
        ("qk_tokens", &heads[1].qk, 10),
        ("qk_positions", &positions, 128),
        ("ov_logits", &heads[1].ov_logit, 10),
        ("ov_neurons_centred", centred, 256),
    ] {
        let export = twin.export();
        let map = rows(&export, "map");
        assert!(map.len() >= 100);
        map.iter().for_each(|row| same(&row[2], of(values, width, row)));
        assert_eq!(cells(&map[0], 3..7), json!([name, 0, 1, "weights"]));
        twin.screen.keys("v");
    }
    let export = twin.export();
    assert_eq!((&export["weights"], &export["taken"][0]["weights"]), (&"folded".into(), &"folded".into()));
    for (row, head) in rows(&export, "heads").iter().zip(&heads) {
        same(&row[2], head.copying_score.into());
    }
    for row in rows(&export, "paths") {
        let cell = |at: usize| usize::try_from(row[at].as_u64().unwrap()).unwrap();
        let (token, head, neuron) = (cell(0), cell(2), cell(3));
        let target = Target::Label.resolve(twin.labels[POSITION], &[0.0; 10]);
        let (directions, by_weights) = (NeuronDirections::new(&twin.weights), NeuronDirections::new(&folded));
        let drive = drives[head][token * 256 + neuron];
        same(&row[4], (drive * target.value(by_weights.of(0, neuron))).into());
        same(&row[6], directions.contribution(&twin.clean().activations, 0, neuron, POSITION, target).into());
    }
}

#[test]
fn a_map_says_what_it_was_divided_by() {
    let mut twin = Twin::new("5");
    let raw = number(&rows(&twin.export(), "map")[0][2]);
    let by_head = 1.0 / 32.0_f64.sqrt();
    let scale = &twin.clean().activations.blocks[0].ln1.scale;
    let mean_norm = f64::from(scale.iter().sum::<f32>() / scale.len() as f32);
    let by_both = by_head / mean_norm.powi(2);
    for (scale, factor) in [("weights/sqrt(d_head)", by_head), ("weights/sqrt(d_head)/mean_norm^2", by_both)]
    {
        twin.screen.keys("x");
        let export = twin.export();
        let cell = &rows(&export, "map")[0];
        assert_eq!(cell[6], scale);
        same(&cell[7], factor);
        same(&cell[2], raw * factor);
    }
    // What reads no query and key is not divided.
    twin.screen.keys("vv").must_show("OV to logits");
    let export = twin.export();
    let cell = &rows(&export, "map")[0];
    assert_eq!((&cell[6], number(&cell[7])), (&"weights".into(), 1.0));
}

#[test]
fn a_neuron_that_is_off_is_exported_as_it_was_and_as_it_is() {
    for (keys, replaced) in [("4g<space>p", Some(0.0)), ("4g<space>pm", None)] {
        let mut twin = Twin::new(keys);
        let export = twin.export();
        let clean = twin.clean();
        let off: Vec<&Value> = rows(&export, "neurons").iter().filter(|row| row[8] == true).collect();
        assert_eq!(off.len(), 1);
        let neuron = usize::try_from(off[0][0].as_u64().unwrap()).unwrap();
        same(&off[0][1], clean.neuron(0, neuron, POSITION).into());
        let examples = twin.screen.data.examples(Split::Validation);
        let (means, _) = evaluation::means(&twin.weights, &examples);
        let replaced = replaced.unwrap_or(means.post[0][neuron]);
        same(&off[0][2], replaced.into());
        let traces = rows(&export, "traces");
        for (position, row) in traces.iter().enumerate() {
            same(&row[2], clean.neuron(0, neuron, position).into());
            same(&row[3], replaced.into());
        }
        let names = &export["tables"][1]["columns"];
        assert_eq!(names[2], format!("neuron.0.{neuron}.clean"));
        assert_eq!(names[3], format!("neuron.0.{neuron}.current"));
    }
}

#[test]
fn folded_numbers_are_of_the_folded_weights() {
    let mut twin = Twin::new("F4");
    let export = twin.export();
    assert_eq!(export["weights"], "folded");
    twin.weights = fold(&trained(), FoldOptions::default());
    let pass = twin.clean();
    for row in rows(&export, "neurons") {
        let neuron = usize::try_from(row[0].as_u64().unwrap()).unwrap();
        same(&row[1], pass.neuron(0, neuron, POSITION).into());
    }
    twin.screen.must_show("folded weights");
}

#[test]
fn an_export_says_of_which_step_its_studies_are() {
    for (view, what) in [("2", "heads"), ("3", "lens"), ("4", "trackers"), ("5", "circuits")] {
        let mut twin = Twin::new(view);
        twin.screen.snapshot(25, trained());
        let export = twin.export();
        let taken = &export["taken"][0];
        assert_eq!((taken["what"].as_str(), taken["step"].as_u64()), (Some(what), Some(20)));
        assert_eq!(export["step"], if view == "5" { 20 } else { 25 });
    }
    let export = Twin::new("4g<space>6").export();
    assert_eq!(
        (&export["taken"][0]["what"], &export["taken"][0]["sequences"]),
        (&"validation".into(), &30.into())
    );
}

#[test]
fn what_is_copied_is_the_focused_table() {
    let mut twin = Twin::new("5Jy");
    assert!(twin.screen.copied.remove(0).starts_with("token,layer,head,neuron,score,"));
    for view in ["1", "2", "3", "4", "5"] {
        let mut twin = Twin::new(view);
        twin.screen.keys("ye");
        let (copied, exported) = (&twin.screen.copied[0], &twin.screen.exported[0]);
        assert_eq!(*copied, exported.csv);
        let columns = copied.lines().next().unwrap().split(',').count();
        assert!(copied.lines().count() > 2 && copied.lines().all(|line| line.split(',').count() == columns));
    }
    let mut twin = Twin::new("6");
    twin.screen.keys("ye");
    twin.screen.must_show("there are no numbers here yet");
    assert!(twin.screen.copied.is_empty() && twin.screen.exported.is_empty());
}
