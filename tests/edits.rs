//! Edits of any activation: against TransformerLens' hooks, against path patching, and against themselves.
//!
//! `fixtures/architectures/edits.py` wrote the logits of the committed models under edits.

mod reference;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use headcount::analysis::Pass;
use headcount::analysis::edit_sums::EditSums;
use headcount::analysis::edits::ReadyEdits;
use headcount::analysis::patching::{Direction, Metric, Pair, Runs};
use headcount::analysis::path_patching::Paths;
use headcount::analysis::total::over;
use headcount::model::weights_file::Container;
use headcount::model::{
    Activations, EditRule, Hook, Interventions, ModelConfig, Patch, Snapshot, Weights, forward, hook_rows,
    read_edits, read_weights, write_edits,
};
use headcount::task::{Dataset, Example, Split, Targets, Task, TaskConfig, Token, unlabelled};
use reference::models::{odd_models, perturbed};
use serde::Deserialize;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "architectures"].iter().collect()
}

/// A committed model and the first two rows of its tokens.
fn open(name: &str) -> (Arc<Snapshot>, [Vec<Token>; 2]) {
    let path = folder().join(format!("{name}.safetensors"));
    let weights = read_weights(&path, None).unwrap().weights;
    let bytes = fs::read(&path).unwrap();
    let (values, _) = Container::parse(&bytes).unwrap().tensors["tokens"].data().as_chunks();
    let tokens: Vec<Token> = values.iter().map(|bytes| i64::from_le_bytes(*bytes) as Token).collect();
    let len = weights.config().n_ctx;
    (Arc::new(Snapshot::new(0, weights)), [tokens[..len].to_vec(), tokens[len..2 * len].to_vec()])
}

fn task_of(weights: &Weights) -> Arc<dyn Task> {
    unlabelled(weights.config().shape())
}

/// The edits of a text, as a file's `[[edit]]` each.
fn rules(weights: &Weights, edits: &[&str]) -> Vec<EditRule> {
    let tables: Vec<String> = edits.iter().map(|edit| format!("{{ {edit} }}")).collect();
    let text = format!("edit = [{}]", tables.join(", "));
    read_edits(&text, weights.config(), &*task_of(weights)).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn ready(of: &Arc<Snapshot>, edits: &[&str], data: &[Example<'_>]) -> ReadyEdits {
    let sums = EditSums::new(of, &rules(&of.weights, edits).into());
    over(sums, &of.weights, &Patch::default(), data).ready()
}

fn run(weights: &Weights, tokens: &[Token], patch: &Patch) -> Activations {
    let mut activations = Activations::new(weights.config(), tokens.len());
    forward(weights, tokens, patch, &mut activations);
    activations
}

/// The pass with edits that need no data.
fn edited(of: &Arc<Snapshot>, tokens: &[Token], edits: &[&str]) -> Activations {
    let patch = ready(of, edits, &[]).patch(&of.weights, (tokens, None), Cow::Owned(Patch::default()));
    run(&of.weights, tokens, &patch)
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[derive(Deserialize)]
struct Case {
    edit: String,
    logits: Vec<f32>,
}

#[test]
fn edits_and_edges_are_those_of_transformer_lens_hooks() {
    let text = fs::read_to_string(folder().join("edits.json")).unwrap();
    let all: BTreeMap<String, Vec<Case>> = serde_json::from_str(&text).unwrap();
    assert_eq!(all.len(), 8, "the committed models");
    for (name, cases) in all {
        let (snapshot, [tokens, _]) = open(&name);
        let clean = run(&snapshot.weights, &tokens, &Patch::default());
        assert!(cases.len() >= 11, "{name}: {}", cases.len());
        let mut moved = 0;
        for case in cases {
            let after = edited(&snapshot, &tokens, &[&case.edit]);
            let last = after.logits.len() - case.logits.len();
            let error = distance(&after.logits[last..], &case.logits);
            assert!(error < 2e-4, "{name}: {}: {error}", case.edit);
            moved += usize::from(distance(&clean.logits[last..], &case.logits) > 1e-3);
        }
        assert!(moved >= 8, "{name}: {moved} edits change the answer");
    }
}

#[test]
fn an_edge_from_another_sequence_is_the_cell_of_path_patching() {
    for name in ["rotary-rms", "shortformer-solu-ln"] {
        let (snapshot, [clean, corrupted]) = open(name);
        edges_are_paths(&snapshot, &clean, &corrupted);
    }
}

fn edges_are_paths(snapshot: &Arc<Snapshot>, clean: &[Token], corrupted: &[Token]) {
    let (weights, c) = (&snapshot.weights, snapshot.config());
    let pair = Pair {
        clean: clean.to_vec(),
        corrupted: corrupted.to_vec(),
        position: clean.len() - 1,
        answer: 0,
        wrong: 1,
    };
    let (metric, direction) = (Metric::LogitDiff, Direction::Denoise);
    let names: Vec<String> = clean.iter().map(ToString::to_string).collect();
    let from = names.join(", ");
    for to in [None, Some(Hook::Q), Some(Hook::V)] {
        let grid = Paths { from: Hook::Z, to, freezes_mlps: true, metric, direction }.grid(
            weights,
            &pair,
            &Runs::new(weights, &pair),
        );
        let receiver = |cell: usize| (cell / c.n_heads, cell % c.n_heads);
        let receivers = if to.is_some() { c.n_layers * c.n_heads } else { 1 };
        for (cell, want) in grid.values.iter().enumerate() {
            let ((layer, head), (at, index)) = (receiver(cell / receivers), receiver(cell % receivers));
            if to.is_some() && at <= layer {
                continue;
            }
            let reader = match to {
                None => "{ site = 'logits' }".into(),
                Some(hook) => format!("{{ site = '{}', layer = {at}, head = {index} }}", hook.site()),
            };
            let edit =
                format!("site = 'z', layer = {layer}, heads = [{head}], from = [{from}], reader = {reader}");
            let after = edited(snapshot, corrupted, &[&edit]);
            let outputs = c.outputs();
            let logits = &after.logits[after.logits.len() - outputs..];
            assert!((logits[0] - logits[1] - want).abs() < 1e-4, "{edit}: {}", logits[0] - logits[1]);
        }
    }
}

#[test]
fn what_changes_nothing_changes_no_bit_and_what_hides_everything_leaves_the_bias() {
    for config in odd_models() {
        let snapshot = Arc::new(Snapshot::new(0, perturbed(&config)));
        let tokens: Vec<Token> = (0..config.n_ctx).map(|at| (at * 3 % config.d_vocab) as Token).collect();
        let clean = run(&snapshot.weights, &tokens, &Patch::default());
        for hook in Hook::ALL.into_iter().filter(|hook| hook.is_in(&config) && *hook != Hook::Pattern) {
            let place = format!("site = '{}', layer = 0", hook.site());
            for change in ["add = 0.0", "scale = 1.0", "clamp = [-1e30, 1e30]"] {
                let after = edited(&snapshot, &tokens, &[&format!("{place}, {change}")]);
                // Outputs of a sublayer are summed in another order than without an edit.
                assert!(distance(&after.logits, &clean.logits) < 1e-5, "{place}, {change}");
            }
            let twice = edited(
                &snapshot,
                &tokens,
                &[&format!("{place}, scale = 0.25"), &format!("{place}, scale = 4.0")],
            );
            assert!(distance(&twice.logits, &clean.logits) < 1e-5, "{place}: both edits act, in order");
        }
        let last = config.n_layers - 1;
        let all = edited(&snapshot, &tokens, &[&format!("site = 'resid_post', layer = {last}, to = 'zero'")]);
        let rows: Vec<&[f32]> = all.logits.chunks_exact(config.outputs()).collect();
        assert!(rows.iter().all(|row| *row == rows[0]), "no position knows its token");
    }
}

#[test]
fn means_and_directions_are_those_of_the_data_set() {
    let snapshot = small();
    let (weights, c) = (&snapshot.weights, snapshot.config());
    let data = labelled(c);
    let examples = data.examples(Split::Validation);
    let runs: Vec<Activations> =
        examples.iter().map(|one| run(weights, one.tokens(), &Patch::default())).collect();
    let place = (0, Hook::Post, 3);
    let rows: Vec<Vec<f32>> = runs.iter().map(|run| hook_rows(weights, run, place)).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let tokens = examples[0].tokens();
    let post = |edit: &str| {
        let patch = ready(&snapshot, &[edit], &examples).patch(
            weights,
            (tokens, Some(examples[1].tokens())),
            Cow::Owned(Patch::default()),
        );
        hook_rows(weights, &run(weights, tokens, &patch), place)
    };
    let all: Vec<f64> = rows.iter().flatten().map(|x| f64::from(*x)).collect();
    for x in post("site = 'post', layer = 0, neurons = [3], to = 'mean'") {
        assert!((f64::from(x) - mean(&all)).abs() < 1e-6);
    }
    let by_position = post("site = 'post', layer = 0, neurons = [3], to = 'mean-position'");
    for (at, x) in by_position.iter().enumerate() {
        let here: Vec<f64> = rows.iter().map(|row| f64::from(row[at])).collect();
        assert!((f64::from(*x) - mean(&here)).abs() < 1e-6);
    }
    assert_eq!(post("site = 'post', layer = 0, neurons = [3], to = 'resample'"), rows[1]);
    let of_class = |is: &dyn Fn(Token) -> bool| -> f64 {
        let pairs = examples.iter().zip(&rows).flat_map(|(one, row)| one.targets().iter().zip(row));
        let of = pairs.filter(|(target, _)| target.is_some_and(is)).map(|(_, x)| f64::from(*x));
        mean(&of.collect::<Vec<_>>())
    };
    for (minus, want) in [
        ("", of_class(&|class| class == 1) - of_class(&|class| class != 1)),
        (", minus = 2", of_class(&|class| class == 1) - of_class(&|class| class == 2)),
    ] {
        let direction = format!("direction = {{ mean = 1{minus} }}");
        let moved = post(&format!("site = 'post', layer = 0, neurons = [3], add = 2.0, {direction}"));
        for (x, before) in moved.iter().zip(&rows[0]) {
            assert!((f64::from(x - before) - 2.0 * want).abs() < 1e-5, "{direction}");
        }
    }
    let patterns = mean_patterns(&snapshot, &examples);
    let (len, n_ctx) = (tokens.len(), c.n_ctx);
    for (query, row) in patterns[0].chunks_exact(len).enumerate() {
        let sum: f32 = row.iter().sum();
        assert!((sum - 1.0).abs() < 1e-5 && row[query + 1..].iter().all(|x| *x == 0.0), "{row:?}");
        let alike =
            |at: usize| row[at] * patterns[0][(len - 1) * len] - row[0] * patterns[0][(len - 1) * len + at];
        assert!((0..=query).all(|at| alike(at).abs() < 1e-5), "one order of keys for all queries");
    }
    let want = |query: usize, key: usize| {
        let cell = |run: &Activations| {
            f64::from(hook_rows(weights, run, (0, Hook::Pattern, 0))[query * n_ctx + key])
        };
        mean(&runs.iter().map(cell).collect::<Vec<_>>())
    };
    for query in 0..len {
        for key in 0..=query {
            assert!((f64::from(patterns[1][query * len + key]) - want(query, key)).abs() < 1e-5);
        }
    }
}

/// A head's pattern after its mean whatever the query, and its mean at each query.
fn mean_patterns(snapshot: &Arc<Snapshot>, examples: &[Example<'_>]) -> [Vec<f32>; 2] {
    ["mean", "mean-position"].map(|to| {
        let edit = format!("site = 'pattern', layer = 0, heads = [0], to = '{to}'");
        let tokens = examples[0].tokens();
        let patch = ready(snapshot, &[&edit], examples);
        let patch = patch.patch(&snapshot.weights, (tokens, None), Cow::Owned(Patch::default()));
        hook_rows(&snapshot.weights, &run(&snapshot.weights, tokens, &patch), (0, Hook::Pattern, 0))
    })
}

/// A small model of the default task.
fn small() -> Arc<Snapshot> {
    let config =
        ModelConfig { d_model: 8, d_head: 4, d_mlp: 12, n_ctx: 6, d_vocab: 5, ..ModelConfig::default() };
    Arc::new(Snapshot::new(0, perturbed(&config)))
}

fn labelled(c: &ModelConfig) -> Dataset {
    let config = TaskConfig { sequences: 40, train_fraction: 0.5, ..TaskConfig::default() };
    config.dataset(c.shape(), 3).unwrap()
}

#[test]
fn a_list_written_and_read_again_says_the_same_and_switches_become_switches() {
    let snapshot = small();
    let (weights, c) = (&snapshot.weights, snapshot.config());
    let list = rules(
        weights,
        &[
            "site = 'z', heads = [0, 1], to = 'mean'",
            "site = 'post', neurons = [7], to = 'mean'",
            "site = 'post', neurons = [8], to = 'zero'",
            "site = 'pattern', heads = [1], to = 'uniform'",
            "site = 'resid_mid', positions = '1-2,token=3', add = 0.5, direction = { class = 2, minus = 4 }",
            "site = 'z', heads = [1], to = 'zero', reader = { site = 'mlp', layer = 0 }",
        ],
    );
    let words: Vec<String> = list.iter().map(ToString::to_string).collect();
    assert_eq!(words[4], "resid_mid at 1-2,token=3: plus 0.5 times class 2 - 4");
    assert_eq!(words[5], "z 0.1: to zero, for mlp 0 alone");
    let all = Interventions::of_list(list.clone());
    assert_eq!((all.heads.len(), all.neurons.len(), all.patterns.len(), all.list.len()), (2, 1, 1, 3));
    let text = write_edits(all.tables()).unwrap();
    let again = Interventions::of_list(read_edits(&text, c, &*task_of(weights)).unwrap());
    assert_eq!(again, all, "{text}");
    let other = write_edits(list.iter().map(|edit| edit.table().clone())).unwrap();
    assert_eq!(read_edits(&other, c, &*task_of(weights)).unwrap(), list);
}

#[test]
fn an_edit_that_makes_no_sense_is_named_with_its_reason() {
    let snapshot = small();
    let task = task_of(&snapshot.weights);
    for (edit, why) in [
        ("site = 'x', to = 'zero'", "site: no `x` in this model: embed, pos_embed, resid_pre"),
        ("site = 'z', layer = 1, to = 'zero'", "layer: no layer 1: the model has layers 0 to 0"),
        ("site = 'z', heads = [9], to = 'zero'", "heads: no head 9"),
        ("site = 'z', neurons = [1], to = 'zero'", "neurons: z belongs to no neuron"),
        ("site = 'z', heads = [], to = 'zero'", "heads: none"),
        ("site = 'z'", "says what the values become, here 0"),
        ("site = 'z', to = 'zero', scale = 2.0", "here 2"),
        (
            "site = 'z', positions = '6', to = 'zero'",
            "positions: `6`: the longest sequence has positions 0 to 5",
        ),
        ("site = 'z', to = 'uniform'", "are of site \"pattern\", not z"),
        ("site = 'pattern', to = 'zero'", "rows sum to 1"),
        ("site = 'post', clamp = [1.0, 0.0]", "clamp: 1 is more than 0"),
        ("site = 'post', set = inf", "set: not a finite number"),
        ("site = 'post', add = 1.0, direction = { class = 0 }", "an unembedding is of the residual stream"),
        ("site = 'resid_mid', add = 1.0, direction = { class = 9 }", "direction.class: no `9`: 0 to 4"),
        ("site = 'resid_mid', to = 'zero', direction = { class = 1 }", "direction: only of add"),
        ("site = 'z', from = []", "from: no tokens"),
        ("site = 'z', from = [1, 9]", "from: no `9`"),
        ("site = 'z', from = [1, 1, 1, 1, 1, 1, 1]", "from: 7 tokens: the model takes at most 6"),
        ("site = 'z', heads = [1, 0, 1], scale = 0.5", "heads: 1 twice"),
        ("site = 'mlp_out', to = 'zero', reader = { site = 'mlp', layer = 0 }", "written after it is read"),
        ("site = 'q', to = 'zero', reader = { site = 'logits' }", "q writes nothing to the stream"),
        ("site = 'z', to = 'zero', reader = { site = 'q', layer = 0 }", "reader.head: missing"),
        ("site = 'embed', layer = 0, to = 'zero'", "layer: embed is of no layer"),
        ("site = 'z', to = 'gone'", "unknown variant `gone`"),
        ("site = 'z', too = 'zero'", "unknown field `too`"),
    ] {
        let error = read_edits(&format!("edit = [{{ {edit} }}]"), snapshot.config(), &*task).unwrap_err();
        assert!(error.to_string().contains(why), "{edit}: {error}");
    }
    let empty = read_edits("", snapshot.config(), &*task).unwrap_err();
    assert!(empty.to_string().contains("a table [[edit]] for each"), "{empty}");
}

#[test]
fn a_shorter_sequence_gives_its_values_at_its_own_positions_alone() {
    let snapshot = small();
    let tokens = [1, 2, 3, 4, 0];
    let rows = |edit: &str| {
        let after = edited(&snapshot, &tokens, &[edit]);
        hook_rows(&snapshot.weights, &after, (0, Hook::Post, 3))
    };
    let clean = run(&snapshot.weights, &tokens, &Patch::default());
    let clean = hook_rows(&snapshot.weights, &clean, (0, Hook::Post, 3));
    let one = run(&snapshot.weights, &[4], &Patch::default());
    let one = hook_rows(&snapshot.weights, &one, (0, Hook::Post, 3));
    let after = rows("site = 'post', neurons = [3], from = [4]");
    assert_eq!((after[0], &after[1..]), (one[0], &clean[1..]));
}

#[test]
fn components_sum_to_the_logits_under_edits_of_the_stream() {
    for config in odd_models() {
        let snapshot = Arc::new(Snapshot::new(0, perturbed(&config)));
        let weights = &snapshot.weights;
        let tokens: Vec<Token> = (0..config.n_ctx).map(|at| (at * 3 % config.d_vocab) as Token).collect();
        let last = config.n_layers - 1;
        let mut edits = vec![
            "site = 'embed', scale = 0.5".to_owned(),
            format!("site = 'attn_out', layer = {last}, add = 0.25"),
            format!("site = 'resid_pre', layer = {last}, positions = '0', scale = 3.0"),
            format!("site = 'resid_post', layer = {last}, add = -0.5"),
        ];
        if config.has_mlp() {
            edits.push(format!("site = 'mlp_out', layer = {last}, to = 'zero'"));
            edits.push("site = 'resid_mid', layer = 0, clamp = [-0.1, 0.3]".into());
        }
        let edits: Vec<&str> = edits.iter().map(String::as_str).collect();
        for count in 1..=edits.len() {
            let patch = ready(&snapshot, &edits[..count], &[]);
            let patch = patch.patch(weights, (&tokens, None), Cow::Owned(Patch::default()));
            let targets = Targets::none(tokens.len());
            let pass = Pass::run(weights, Example::new(&tokens, &targets), &patch);
            assert!(pass.attribution.residual < 2e-4, "{:?}: {}", &edits[..count], pass.attribution.residual);
            let embed = pass.attribution.value(0, 0, 0.into());
            let clean = Pass::run(weights, Example::new(&tokens, &targets), &Patch::default());
            assert!(
                (embed - clean.attribution.value(0, 0, 0.into())).abs() > 1e-4,
                "the embedding is halved"
            );
        }
    }
}

#[test]
fn edits_of_one_embedding_act_one_after_the_other_and_before_the_stream() {
    let (snapshot, tokens) = (small(), [1, 2, 3, 1]);
    let logits = |edits: &[&str]| edited(&snapshot, &tokens, edits).logits;
    let once = logits(&["site = 'embed', scale = 0.25"]);
    let twice = logits(&["site = 'embed', scale = 0.5", "site = 'embed', scale = 0.5"]);
    assert!(distance(&once, &twice) < 1e-5, "{}", distance(&once, &twice));
    let stream = logits(&["site = 'resid_pre', set = 1.0"]);
    let both = logits(&["site = 'resid_pre', set = 1.0", "site = 'embed', to = 'zero'"]);
    assert_eq!(stream, both, "what replaces the stream hides what came before");
}
