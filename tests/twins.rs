//! Every number in a view has a twin without a screen, and the two are equal.

mod common;

use common::{Screen, Setup, trained};
use headcount::analysis::circuits::{HeadDrive, HeadMaps, circuits, qk_over_positions};
use headcount::analysis::hypotheses::{fit, trackers};
use headcount::analysis::lens::lens_over;
use headcount::analysis::quadrants::{Quadrants, direct_path};
use headcount::analysis::{AblationOutcome, Each, NeuronHook, Scores};
use headcount::analysis::{Pass, Readout, Target, evaluate, evaluation, head_scores};
use headcount::model::{
    AblationKind, FoldOptions, HeadId, Interventions, ModelConfig, NeuronId, Patch, PatternKind, Positions,
    Weights, fold,
};
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

/// The column of a table with a name, row by row.
#[track_caller]
fn column<'a>(export: &'a Value, table: &str, name: &str) -> Vec<&'a Value> {
    let tables = export["tables"].as_array().expect("an export has tables");
    let found = tables.iter().find(|one| one["name"] == table);
    let found = found.unwrap_or_else(|| panic!("no table is called {table}"));
    let names = found["columns"].as_array().expect("a table has columns");
    let at = names.iter().position(|one| one == name);
    let at = at.unwrap_or_else(|| panic!("{table} has no column {name}: {names:?}"));
    found["rows"].as_array().expect("a table has rows").iter().map(|row| &row[at]).collect()
}

/// What a column means.
#[track_caller]
fn meaning<'a>(export: &'a Value, table: &str, name: &str) -> &'a Value {
    let tables = export["tables"].as_array().expect("an export has tables");
    let found = tables.iter().find(|one| one["name"] == table).expect("the table is there");
    let measured = found["measured"].as_array().expect("a table says what its columns mean");
    measured.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no column {name}"))
}

#[track_caller]
fn index(cell: &Value) -> usize {
    usize::try_from(cell.as_u64().unwrap_or_else(|| panic!("{cell} is no index"))).unwrap()
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
    let components = column(&export, "components", "component");
    assert_eq!(components.len(), pass.attribution.components.len());
    let clean = column(&export, "components", "clean");
    for (at, (component, (name, value))) in
        pass.attribution.components.iter().zip(components.iter().zip(&clean)).enumerate()
    {
        assert_eq!(**name, component.to_string());
        same(value, pass.attribution.value(at, POSITION, target).into());
    }
    let neuron = index(&export["neuron"]);
    let one = Readout::new(weights).contribution(&pass.activations, 0, neuron, POSITION, target);
    let parts = column(&export, "mlp_parts", "clean");
    same(parts[0], one.into());
    let mlp = components.iter().position(|name| **name == "mlp.0").unwrap();
    assert!((number(parts[0]) + number(parts[1]) - number(clean[mlp])).abs() < 1e-5);
    let sums = column(&export, "sums", "clean");
    same(sums[1], pass.centred_logit(POSITION, target).into());
    assert!(number(sums[2]).abs() < 1e-4 && (number(sums[0]) - number(sums[1])).abs() < 1e-4);
    for (value, logit) in column(&export, "class_logits", "logit_clean").iter().zip(pass.logits(POSITION)) {
        same(value, (*logit).into());
    }
    let probabilities = column(&export, "class_logits", "probability_clean");
    assert!((probabilities.iter().map(|p| number(p)).sum::<f64>() - 1.0).abs() < 1e-5);
}

#[test]
fn lens() {
    let mut twin = Twin::new("3");
    let export = twin.export();
    let figures = lens_over(&twin.weights, &twin.screen.data.examples(Split::Validation));
    let places = column(&export, "lens", "place");
    assert_eq!(places.len(), figures.len());
    for (at, figures) in figures.iter().enumerate() {
        assert_eq!(*places[at], figures.name);
        same(column(&export, "lens", "validation_loss")[at], figures.loss);
        same(column(&export, "lens", "validation_accuracy")[at], figures.accuracy);
    }
}

#[test]
fn attention_and_scores() {
    let mut twin = Twin::new("2.");
    let export = twin.export();
    let pass = twin.clean();
    let attention = column(&export, "keys", "attention");
    assert_eq!(attention.len(), POSITION + 1);
    for (key, cell) in attention.iter().enumerate() {
        let a = pass.attention(0, 1, POSITION)[key];
        same(cell, a.into());
        let weighed = column(&export, "keys", "attention_times_norm")[key];
        same(weighed, (a * pass.heads[1].value_norms[key]).into());
        same(column(&export, "keys", "times_uniform")[key], (a * (POSITION + 1) as f32).into());
    }
    let of = meaning(&export, "keys", "attention");
    assert_eq!(of["at"], json!({"layer": 0, "head": 1, "query": POSITION, "edits": "clean"}));
    assert_eq!((&of["question"], &of["of"]["over"]), (&json!("pattern"), &json!("sequence")));
    let grid = column(&export, "grid", "attention");
    same(grid[POSITION * 128 + 5], pass.attention(0, 1, POSITION)[5].into());
    let examples = twin.screen.data.examples(Split::Validation);
    let averages = head_scores::averages(&twin.weights, &Patch::default(), &examples);
    for (at, (average, summary)) in averages.iter().zip(&pass.heads).enumerate() {
        let cell = |name: &str| column(&export, "heads", name)[at];
        same(cell("mean_entropy_this_sequence"), summary.mean_entropy().into());
        same(cell("mean_kl_from_uniform_this_sequence"), summary.mean_kl().into());
        same(cell("previous_score"), average.scores.previous.into());
        same(cell("duplicate_score"), average.scores.duplicate.into());
        same(cell("induction_score"), average.scores.induction.into());
        same(cell("uniform_score"), average.scores.uniform.into());
        same(cell("previous_chance"), average.chance.previous.into());
        same(cell("induction_chance"), average.chance.induction.into());
    }
    assert_eq!(meaning(&export, "heads", "induction_score")["of"]["sequences"], 30);
    // The mean pattern is the same one.
    twin.screen.keys("v");
    let export = twin.export();
    assert_eq!(export["tables"][0]["name"], "mean_keys");
    for (key, cell) in column(&export, "mean_keys", "attention").iter().enumerate() {
        same(cell, averages[1].pattern[POSITION * 128 + key].into());
    }
    let of = &meaning(&export, "mean_keys", "attention")["of"];
    assert_eq!((&of["over"], &of["sequences"]), (&json!("validation"), &json!(30)));
}

#[test]
fn errors_by_situation_and_by_wrong_prediction() {
    let mut twin = Twin::new("2<space>6");
    let export = twin.export();
    let mut off = Interventions::default();
    off.toggle_head(HeadId { layer: 0, head: 0 });
    let patch = off.patch(twin.weights.config(), None);
    let situation = &twin.screen.data.task().situations()[0];
    let mut errors = [[0, 0]; 4];
    let mut confused = vec![[0, 0]; 100];
    for example in twin.screen.data.examples(Split::Validation) {
        let groups = (situation.of)(example.tokens());
        for (edits, patch) in [&Patch::default(), &patch].into_iter().enumerate() {
            let pass = Pass::run(&twin.weights, example, patch);
            for (position, prediction) in pass.predictions.iter().enumerate() {
                let target = usize::from(example.targets()[position].unwrap());
                let prediction = usize::from(prediction.unwrap());
                confused[target * 10 + prediction][edits] += 1;
                errors[groups[position].unwrap()][edits] += usize::from(prediction != target);
            }
        }
    }
    for (at, counted) in errors.iter().enumerate() {
        for (edits, name) in ["errors_clean", "errors_edited"].into_iter().enumerate() {
            assert_eq!(index(column(&export, "edited_situations", name)[at]), counted[edits], "{at} {name}");
        }
    }
    let rows = column(&export, "edited_wrong_predictions", "count_edited");
    assert!(rows.len() > 3);
    for (at, cell) in rows.iter().enumerate() {
        let [target, predicted] =
            ["class", "predicted"].map(|name| index(column(&export, "edited_wrong_predictions", name)[at]));
        assert_ne!(target, predicted);
        assert_eq!(index(cell), confused[target * 10 + predicted][1]);
        let clean = index(column(&export, "edited_wrong_predictions", "count_clean")[at]);
        assert_eq!(clean, confused[target * 10 + predicted][0]);
    }
}

#[test]
fn predictions_at_ties_before_and_after_edits() {
    let mut twin = Twin::new("2<space>6");
    let export = twin.export();
    let mut off = Interventions::default();
    off.toggle_head(HeadId { layer: 0, head: 0 });
    let patch = off.patch(twin.weights.config(), None);
    let mut counted = [[0; 2]; 3];
    for example in twin.screen.data.examples(Split::Validation) {
        for (edits, patch) in [&Patch::default(), &patch].into_iter().enumerate() {
            let pass = Pass::run(&twin.weights, example, patch);
            for position in 0..example.tokens().len() {
                let seen = &example.tokens()[..=position];
                let count = |token: Token| seen.iter().filter(|one| **one == token).count();
                let most = (0..10).map(count).max().unwrap();
                let tied: Vec<Token> = (0..10).filter(|token| count(*token) == most).collect();
                if tied.len() > 1 {
                    let place = tied.iter().position(|token| Some(*token) == pass.predictions[position]);
                    counted[place.map_or(2, |place| place.min(1))][edits] += 1;
                }
            }
        }
    }
    for (edits, name) in ["count_clean", "count_edited"].into_iter().enumerate() {
        let cells = column(&export, "edited_prediction_kinds", name);
        let wanted = counted.map(|kind| kind[edits]);
        assert_eq!(cells.into_iter().map(index).collect::<Vec<_>>(), wanted, "{name}");
    }
}

#[test]
fn neurons_alone_sources_and_means() {
    let mut twin = Twin::new("4ss");
    let export = twin.export();
    let examples = twin.screen.data.examples(Split::Validation);
    let clean = evaluate(&twin.weights, &Patch::default(), &examples);
    let (means, _) = evaluation::means(&twin.weights, &examples);
    let neurons = column(&export, "neuron_ablations", "neuron");
    let [zero, mean, accuracy] =
        ["loss_zero", "loss_mean", "accuracy_zero"].map(|name| column(&export, "neuron_ablations", name));
    assert!(zero.windows(2).all(|two| number(two[0]) >= number(two[1])), "the costliest first");
    for at in [0, 1, 200] {
        let neurons = [NeuronId { layer: 0, neuron: index(neurons[at]) }].into();
        let cost = |kind| {
            let off = Interventions { neurons: Clone::clone(&neurons), kind, ..Interventions::default() };
            evaluate(&twin.weights, &off.patch(twin.weights.config(), Some(&means)), &examples)
        };
        let (at_zero, at_mean) = (cost(AblationKind::Zero), cost(AblationKind::Mean));
        assert!((number(zero[at]) - (at_zero.loss - clean.loss)).abs() < 1e-6);
        assert!((number(mean[at]) - (at_mean.loss - clean.loss)).abs() < 1e-6);
        assert!((number(accuracy[at]) - (at_zero.accuracy - clean.accuracy)).abs() < 1e-9);
    }
    let mut twin = Twin::new("2.xxx");
    let export = twin.export();
    let pass = twin.clean();
    let target = Target::Label.resolve(twin.labels[POSITION], pass.logits(POSITION));
    let sources = column(&export, "sources", "contribution");
    assert_eq!(sources.len(), POSITION + 1);
    let sum: f64 = sources.into_iter().map(number).sum();
    let head = pass.attribution.components.iter().position(|one| one.to_string() == "head.0.1").unwrap();
    let whole = f64::from(pass.attribution.value(head, POSITION, target));
    assert!((sum - whole).abs() < 1e-5, "{sum} {whole}");
    let export = Twin::new("3x").export();
    let [clean, relative, mean] =
        [("components", "clean"), ("relative_components", "clean"), ("relative_components", "mean")]
            .map(|(table, name)| column(&export, table, name));
    for at in 0..clean.len() {
        assert!((number(clean[at]) - number(mean[at]) - number(relative[at])).abs() < 1e-5);
    }
    assert_eq!(meaning(&export, "relative_components", "mean")["of"]["sequences"], 30);
}

#[test]
fn quadrants_biases_and_the_direct_path() {
    let mut twin = Twin::new("5.vvvvvv");
    let export = twin.export();
    let folded = fold(&twin.weights, FoldOptions::default());
    let found = Quadrants::new(&folded, HeadId { layer: 0, head: 1 });
    for (name, map) in [
        ("qk_token_position", &found.token_position),
        ("qk_position_token", &found.position_token),
        ("direct", &direct_path(&folded)),
    ] {
        let cells = column(&export, name, "value");
        assert_eq!(cells.len(), map.rows() * map.cols());
        for at in [0, 17, cells.len() - 1] {
            same(cells[at], map.get(at / map.cols(), at % map.cols()).unwrap().into());
        }
    }
    for (name, biases) in
        [("qk_token_biases", &found.token_bias), ("qk_position_biases", &found.position_bias)]
    {
        for (part, values) in ["b_Q.k", "q.b_K"].into_iter().zip(biases) {
            for (cell, value) in column(&export, name, part).into_iter().zip(values) {
                same(cell, (*value).into());
            }
        }
    }
}

#[test]
fn neurons_trackers_and_fits() {
    let mut twin = Twin::new("4bo");
    let export = twin.export();
    let pass = twin.clean();
    let target = Target::Label.resolve(twin.labels[POSITION], pass.logits(POSITION));
    let directions = Readout::new(&twin.weights);
    let examples = twin.screen.data.examples(Split::Validation);
    let task = twin.screen.data.task();
    let tracked = trackers(&twin.weights, &examples, task);
    let neurons = column(&export, "neuron_list", "neuron");
    assert_eq!(neurons.len(), 256);
    for (at, neuron) in neurons.iter().map(|cell| index(cell)).enumerate() {
        let cell = |name: &str| column(&export, "neuron_list", name)[at];
        same(cell("activation_clean"), pass.neuron(0, neuron, POSITION).into());
        let contribution = directions.contribution(&pass.activations, 0, neuron, POSITION, target);
        same(cell("contribution_clean"), contribution.into());
        let by_token = |token: usize| tracked[token].iter().find(|tracker| tracker.neuron == neuron);
        match cell("tracks").as_u64() {
            Some(token) => same(cell("effect"), by_token(usize::try_from(token).unwrap()).unwrap().effect),
            None => assert!((0..10).all(|token| by_token(token).is_none()), "neuron {neuron}"),
        }
    }
    let all = tracked.iter().enumerate().flat_map(|(class, all)| all.iter().map(move |one| (class, one)));
    let effects = column(&export, "trackers", "effect");
    assert_eq!(effects.len(), all.clone().count());
    for (at, (class, tracker)) in all.enumerate() {
        assert_eq!(index(column(&export, "trackers", "class")[at]), class);
        assert_eq!(index(column(&export, "trackers", "neuron")[at]), tracker.neuron);
        same(effects[at], tracker.effect);
    }
    let token = twin.labels[POSITION].unwrap();
    let best: Vec<NeuronId> = tracked[usize::from(token)][..4]
        .iter()
        .map(|tracker| NeuronId { layer: 0, neuron: tracker.neuron })
        .collect();
    let mut fitted: Vec<_> = fit(&twin.weights, &examples, (&best, NeuronHook::Post), token, task)
        .into_iter()
        .zip(task.features())
        .collect();
    fitted.sort_by(|a, b| b.0.r_squared().total_cmp(&a.0.r_squared()));
    for (at, (fitted, which)) in fitted.iter().enumerate() {
        assert_eq!(*column(&export, "fit", "hypothesis")[at], which.name);
        same(column(&export, "fit", "r_squared")[at], fitted.r_squared());
        same(column(&export, "fit", "correlation")[at], fitted.correlation);
    }
    for (at, point) in fitted[0].0.tuning.iter().enumerate() {
        same(column(&export, "tuning_curve", "activation")[at], point.mean);
        same(column(&export, "tuning_curve", "deviation")[at], point.deviation);
        assert_eq!(index(column(&export, "tuning_curve", "positions")[at]), point.positions);
    }
    assert_eq!(meaning(&export, "fit", "r_squared")["asked_with"]["class"], token.to_string());
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
    let example = twin.example();
    let scores = [&before, &after].map(|pass| Scores::of(pass, example.targets()));
    let task = twin.screen.data.task();
    let outcome =
        AblationOutcome::new(&config, (&off, &|_| Positions::All), (task, &[example], true), scores);
    let nearly =
        AblationOutcome { accuracy_before: Some(0.999_7), accuracy_after: Some(0.000_2), ..outcome.clone() };
    assert!(nearly.to_string().contains("accuracy 99.9% -> <0.1%"), "{nearly}");
    let loss = column(&export, "effect_here", "loss");
    same(loss[0], outcome.loss_before.unwrap().into());
    same(loss[1], outcome.loss_after.unwrap().into());
    let accuracy = column(&export, "effect_here", "accuracy");
    same(accuracy[0], outcome.accuracy_before.unwrap().into());
    same(accuracy[1], outcome.accuracy_after.unwrap().into());
    let clean = column(&export, "positions", "prediction_clean");
    let edited = column(&export, "positions", "prediction_edited");
    let changed: Vec<usize> = (0..clean.len()).filter(|&at| clean[at] != edited[at]).collect();
    assert!(!changed.is_empty());
    assert_eq!(Each::One(changed), outcome.changed);
    let examples = twin.screen.data.examples(Split::Validation);
    let over = |off: &Interventions| evaluate(&twin.weights, &off.patch(&config, None), &examples);
    let (before, after) = (over(&Interventions::default()), over(&off));
    let loss = column(&export, "effect", "loss");
    same(loss[0], before.loss);
    same(loss[1], after.loss);
    assert_eq!((loss.len(), column(&export, "effect", "edits")[6]), (7, &json!("random 4")));
    let names = ["accuracy_clean", "accuracy_edited"].map(|name| column(&export, "edited_classes", name));
    for (at, (before, after)) in before.accuracy_by_class.iter().zip(&after.accuracy_by_class).enumerate() {
        same(names[0][at], before.unwrap());
        same(names[1][at], after.unwrap());
    }
}

#[test]
fn circuits_and_paths() {
    let mut twin = Twin::new("5.");
    let folded = fold(&twin.weights, FoldOptions::default());
    let id = HeadId { layer: 0, head: 1 };
    let (heads, maps, positions) =
        (circuits(&folded), HeadMaps::new(&folded, id), qk_over_positions(&folded, id));
    let drives = [0, 1].map(|head| HeadDrive::new(&folded, HeadId { layer: 0, head }).values);
    let centred = &drives[1];
    for (name, values, axes) in [
        ("qk_tokens", &maps.qk, ["query_token", "token"]),
        ("qk_positions", &positions, ["query", "key"]),
        ("ov_logits", &maps.ov_logit, ["token", "class"]),
        ("ov_neurons", centred, ["token", "neuron"]),
    ] {
        let export = twin.export();
        assert_eq!(export["tables"][0]["name"], name);
        let [rows, cols, cells] =
            [axes[0], axes[1], "value"].map(|column_name| column(&export, name, column_name));
        assert!(cells.len() >= 100);
        for ((row, col), cell) in rows.iter().zip(&cols).zip(&cells) {
            same(cell, values.get(index(row), index(col)).unwrap().into());
        }
        let of = meaning(&export, name, "value");
        assert_eq!(of["of"]["weights"], "folded");
        assert_eq!(of["asked_with"]["head"], "0.1");
        twin.screen.keys("v");
    }
    twin.screen.keys("b");
    let export = twin.export();
    assert_eq!(
        (&export["tables"][0]["name"], &export["weights"]),
        (&json!("embed_vectors"), &json!("trained"))
    );
    twin.screen.keys("b");
    let export = twin.export();
    assert_eq!(export["weights"], "folded");
    for (cell, head) in column(&export, "copying", "copying_score").iter().zip(&heads) {
        same(cell, head.copying_score.into());
    }
    for (cell, value) in column(&export, "singular_values", "qk").iter().zip(&heads[0].qk_singular) {
        same(cell, (*value).into());
    }
    let names = ["token", "head", "neuron", "score", "neuron_contribution"];
    let [tokens, of_heads, neurons, scores, contributions] = names.map(|name| column(&export, "paths", name));
    assert!(!scores.is_empty());
    for at in 0..scores.len() {
        let [token, head, neuron] = [&tokens, &of_heads, &neurons].map(|cells| index(cells[at]));
        let target = Target::Label.resolve(twin.labels[POSITION], &[0.0; 10]);
        let (directions, by_weights) = (Readout::new(&twin.weights), Readout::new(&folded));
        let drive = drives[head].get(token, neuron).unwrap();
        same(scores[at], (drive * by_weights.neuron(0, neuron, target)).into());
        let contribution = directions.contribution(&twin.clean().activations, 0, neuron, POSITION, target);
        same(contributions[at], contribution.into());
    }
}

#[test]
fn a_map_says_what_it_was_divided_by() {
    let mut twin = Twin::new("5");
    let raw = number(column(&twin.export(), "qk_tokens", "value")[0]);
    let by_head = 1.0 / 32.0_f64.sqrt();
    let scale = &twin.clean().activations.blocks[0].ln1.scale;
    let mean_norm = f64::from(scale.iter().sum::<f32>() / scale.len() as f32);
    let by_both = by_head / mean_norm.powi(2);
    for (scale, factor) in [("1/sqrt(d_head)", by_head), ("1/sqrt(d_head)/mean_norm^2", by_both)] {
        twin.screen.keys("x");
        let export = twin.export();
        assert_eq!(meaning(&export, "qk_tokens", "value")["factor"], scale);
        same(column(&export, "qk_tokens", "value")[0], raw * factor);
    }
    // What reads no query and key is not divided.
    twin.screen.keys("vv").must_show("OV to logits");
    assert!(meaning(&twin.export(), "ov_logits", "value")["factor"].is_null());
}

#[test]
fn a_neuron_that_is_off_is_exported_as_it_was_and_as_it_is() {
    for (keys, replaced) in [("4g<space>p", Some(0.0)), ("4g<space>pm", None)] {
        let mut twin = Twin::new(keys);
        let export = twin.export();
        let clean = twin.clean();
        let off = column(&export, "neuron_list", "off");
        let off: Vec<usize> = (0..off.len()).filter(|&at| *off[at] == true).collect();
        assert_eq!(off.len(), 1);
        let cell = |name: &str| column(&export, "neuron_list", name)[off[0]];
        let neuron = index(cell("neuron"));
        same(cell("activation_clean"), clean.neuron(0, neuron, POSITION).into());
        let examples = twin.screen.data.examples(Split::Validation);
        let (means, _) = evaluation::means(&twin.weights, &examples);
        let replaced = replaced.unwrap_or(means.post[0][neuron]);
        same(cell("activation_edited"), replaced.into());
        let traces =
            ["clean", "edited"].map(|edits| column(&export, "traces", &format!("neuron.0.{neuron}_{edits}")));
        for (position, (clean_cell, edited)) in traces[0].iter().zip(&traces[1]).enumerate() {
            same(clean_cell, clean.neuron(0, neuron, position).into());
            same(edited, replaced.into());
        }
    }
}

#[test]
fn folded_numbers_are_of_the_folded_weights() {
    let mut twin = Twin::new("F4");
    let export = twin.export();
    assert_eq!(export["weights"], "folded");
    twin.weights = fold(&trained(), FoldOptions::default());
    let pass = twin.clean();
    let neurons = column(&export, "neuron_list", "neuron");
    for (neuron, cell) in neurons.iter().zip(column(&export, "neuron_list", "activation_clean")) {
        same(cell, pass.neuron(0, index(neuron), POSITION).into());
    }
    twin.screen.must_show("folded weights");
}

#[test]
fn an_export_says_of_which_step_its_studies_are() {
    for (view, table, name) in [
        ("2", "heads", "induction_score"),
        ("3", "lens", "validation_loss"),
        ("4", "neuron_list", "effect"),
        ("5", "qk_tokens", "value"),
    ] {
        let mut twin = Twin::new(view);
        twin.screen.snapshot(25, trained());
        let export = twin.export();
        assert_eq!(meaning(&export, table, name)["of"]["step"], 20);
        assert_eq!(export["step"], if view == "5" { 20 } else { 25 });
    }
    let export = Twin::new("4g<space>6").export();
    assert_eq!(meaning(&export, "effect", "loss")["of"]["sequences"], 30);
    let edits = &meaning(&export, "effect", "loss")["of"]["edits"];
    assert!(edits[0].as_str().unwrap().ends_with(" to zero"), "{edits}");
}

#[test]
fn what_is_copied_is_the_focused_table() {
    let mut twin = Twin::new("5Jy");
    assert!(twin.screen.copied.remove(0).starts_with("rank,token,layer,head,neuron,score,"));
    for view in ["1", "2", "3", "4", "5"] {
        let mut twin = Twin::new(view);
        twin.screen.keys("ye");
        let (copied, exported) = (&twin.screen.copied[0], &twin.screen.exported[0]);
        assert_eq!(*copied, exported.csv);
        let columns = copied.lines().next().unwrap().split(',').count();
        assert!(copied.lines().count() > 2 && copied.lines().all(|line| line.split(',').count() == columns));
    }
    // Before the first weights.
    let mut screen = Setup::default().screen();
    screen.keys("6ye").must_show("there are no numbers here yet");
    assert!(screen.copied.is_empty() && screen.exported.is_empty());
}
