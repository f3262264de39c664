//! What each view looks like: reviewed pictures, colours included.

mod common;
#[path = "common/waves.rs"]
mod waves;

use common::{Screen, Setup, assert_image, assert_picture, trained};
use headcount::app::{ColorDepth, Event, Glyphs, Mode};
use headcount::model::{Activation, AttentionDirection, ModelConfig, Normalization, Weights};
use headcount::task::{Listing, Rows, Token};
use headcount::train::{RunConfig, RunState, Settings, StepMetrics, TrainEvent};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];
const VIEWS: [(&str, &str); 7] = [
    ("train", "1"),
    ("attention", "2"),
    ("logits", "3"),
    ("neurons", "4"),
    ("circuits", "5"),
    ("ablate", "6"),
    ("patch", "7"),
];

/// In the middle of a run, at a position of interest.
fn in_training(setup: Setup) -> Screen {
    let mut screen = setup.screen();
    let first = Weights::initial(&ModelConfig::default(), common::SEED);
    screen.run(287, &[(1, first), (287, trained())]);
    let right = "l".repeat(37);
    screen.keys("<home>").keys(&right);
    screen
}

fn untrained(setup: Setup) -> Screen {
    let mut screen = setup.screen();
    screen.start(420);
    screen.snapshot(0, Weights::initial(&ModelConfig::default(), common::SEED));
    screen
}

/// The four neurons that add most to the label, off and picked, and one head looked at.
const FOUR: &str = "4g<space>pj<space>pj<space>pj<space>p";

fn ablated(setup: Setup) -> Screen {
    let mut screen = in_training(setup);
    screen.keys(FOUR);
    screen
}

fn each(state: &str, make: fn(Setup) -> Screen) {
    for (width, height) in SIZES {
        let mut screen = make(Setup::sized(width, height));
        for (name, key) in VIEWS {
            screen.keys(key);
            assert_picture(&format!("{name}_{state}_{width}x{height}"), &screen);
        }
    }
}

/// Weights of which every third is NaN.
fn with_nan(mut weights: Weights) -> Weights {
    weights.values.iter_mut().step_by(3).for_each(|value| *value = f32::NAN);
    weights
}

#[test]
fn before_the_first_step() {
    each("empty", Setup::screen);
}

#[test]
fn untrained_weights() {
    each("untrained", untrained);
}

#[test]
fn a_run_in_the_middle() {
    each("trained", in_training);
}

#[test]
fn less_a_remembered_step() {
    fn less(setup: Setup) -> Screen {
        let mut screen = in_training(setup);
        screen.keys("{2-}");
        screen
    }
    each("less", less);
    let ascii = Setup { depth: ColorDepth::None, glyphs: Glyphs::Ascii, ..Setup::default() };
    assert_picture("attention_less_ascii_80x24", less(ascii).keys("2"));
    let mut screen = less(Setup::default());
    screen.stop_answering();
    assert_picture("attention_less_pending_80x24", screen.keys("-n"));
    let mut screen = less(Setup::default());
    screen.snapshot(300, with_nan(trained()));
    assert_picture("attention_less_nan_80x24", &screen);
}

#[test]
fn patches_of_heads_at_positions_and_of_heads_raw() {
    let mut screen = in_training(Setup::sized(80, 24));
    screen.keys("7b");
    assert_picture("patch_heads_80x24", &screen);
    screen.keys("vzxD");
    assert_picture("patch_raw_80x24", &screen);
    screen.keys("a");
    assert_picture("patch_pairs_80x24", &screen);
}

#[test]
fn four_neurons_off() {
    each("ablated", ablated);
}

/// A task that asks at the last position alone, of classes that are not its tokens.
#[test]
fn modular_addition() {
    let sizes = ["task.p=7", "model.d_model=16", "model.d_head=4", "model.d_mlp=24"];
    let mut settings = Settings::default();
    for set in ["task.name=modular-addition"].iter().chain(&sizes) {
        settings.set(set).unwrap();
    }
    let RunConfig { model, task, .. } = settings.run().unwrap();
    let mut screen = Setup { model: model.clone(), task: Some(task), ..Setup::default() }.screen();
    screen.start(25_000);
    screen.snapshot(0, Weights::initial(&model, common::SEED));
    screen.keys("<end>");
    for (name, key) in VIEWS {
        screen.keys(key).keys(if name == "ablate" { "4<space>6" } else { "" });
        assert_picture(&format!("{name}_modular-addition_80x24"), &screen);
    }
}

/// Sequences drawn without regard to the targets, which are cyclic; every fourth is not scored.
fn listing(name: &str, tokens: &[&str], classes: &[&str], len: usize) -> Listing {
    let mut rows = Rows::with_space(8, len);
    for row in 0..8 {
        let sequence: Vec<Token> = (0..len).map(|at| ((at * at + 3 * row) % tokens.len()) as Token).collect();
        let target = |at: usize| (at % 4 != 3).then_some(((at + row) % classes.len()) as Token);
        rows.push(&sequence, &(0..len).map(target).collect::<Vec<_>>(), len);
    }
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let (vocabulary, outputs) = (names(tokens), names(classes));
    Listing { name: name.into(), rows, rule: None, train: None, vocabulary, outputs }
}

/// Signed numbers with three classes, and brackets with two, whose attention is bidirectional and whose padding is hidden.
fn foreign(name: &str, setup: Setup) -> (Setup, ModelConfig) {
    let small = ModelConfig { d_model: 16, d_head: 8, d_mlp: 12, n_ctx: 14, ..ModelConfig::default() };
    let (listing, model) = if name == "signs" {
        let numbers = ["0", "1", "2", "3", "4", "5", "-5", "-4", "-3", "-2", "-1"];
        let model = ModelConfig {
            n_heads: 1,
            d_vocab: 11,
            d_vocab_out: Some(3),
            act_fn: Activation::Relu,
            normalization_type: Normalization::None,
            ..small
        };
        (listing(name, &numbers, &["neg", "zero", "pos"], 14), model)
    } else {
        let brackets = ["[start]", "[pad]", "[end]", "(", ")"];
        let model = ModelConfig {
            n_layers: 2,
            d_vocab: 5,
            d_vocab_out: Some(2),
            act_fn: Activation::Gelu,
            attention_dir: AttentionDirection::Bidirectional,
            pad_token: Some(1),
            ..small
        };
        (listing(name, &brackets, &["unbalanced", "balanced"], 12), model)
    };
    (Setup { model: model.clone(), listing: Some(listing), ..setup }, model)
}

const FOREIGN: [&str; 2] = ["signs", "brackets"];

#[test]
fn vocabularies_of_others() {
    for name in FOREIGN {
        for (width, height) in SIZES {
            let mode = Mode::Exploring { weights: format!("{name}.safetensors") };
            let (setup, model) = foreign(name, Setup { mode, ..Setup::sized(width, height) });
            let mut screen = setup.screen();
            screen.snapshot(0, Weights::initial(&model, common::SEED));
            for (view, key) in VIEWS {
                screen.keys(key).keys(if view == "ablate" { "4<space>6" } else { "" });
                assert_picture(&format!("{view}_{name}_{width}x{height}"), &screen);
            }
            if name == "brackets" {
                assert_picture(&format!("circuits_composition_{width}x{height}"), screen.keys("5ss"));
            }
        }
    }
}

#[test]
fn a_run_that_came_to_nothing() {
    each("nan", |setup| {
        let mut screen = setup.screen();
        screen.run(100, &[]);
        for step in 101..=160 {
            let train_loss = if step > 130 { f32::NAN } else { common::loss_at(step) };
            screen.train(TrainEvent::Step(StepMetrics { step, epoch: 14, train_loss, lr: 0.01 }));
        }
        screen.snapshot(160, with_nan(trained()));
        screen.train(TrainEvent::Failed("the loss is not a number".into()));
        screen.train(TrainEvent::State(RunState::Failed));
        screen
    });
}

#[test]
fn sixteen_colours_none_and_no_unicode() {
    for (name, depth, glyphs) in [
        ("16", ColorDepth::Ansi16, Glyphs::Utf8),
        ("256", ColorDepth::Indexed256, Glyphs::Utf8),
        ("mono", ColorDepth::None, Glyphs::Utf8),
        ("ascii", ColorDepth::None, Glyphs::Ascii),
    ] {
        let mut screen = ablated(Setup { depth, glyphs, ..Setup::default() });
        for (view, key) in VIEWS {
            screen.keys(key);
            assert_picture(&format!("{view}_{name}_80x24"), &screen);
        }
    }
}

#[test]
fn other_settings_of_the_views() {
    let mut screen = ablated(Setup::default());
    assert_picture("neurons_map_80x24", screen.keys("4v"));
    assert_picture("attention_uniform_80x24", screen.keys("2x"));
    assert_picture("attention_info_fit_80x24", screen.keys("xZ"));
    assert_picture("logits_runner_up_80x24", screen.keys("3tt<up>"));
    assert_picture("train_linear_80x24", screen.keys("1x"));
    assert_picture("circuits_positions_80x24", screen.keys("5vxx<down><right>"));
    assert_picture("circuits_logits_80x24", screen.keys("v<down><right>"));
    assert_picture("circuits_neurons_80x24", screen.keys("v<right>"));
    assert_picture("circuits_path_80x24", screen.keys("JJJ"));
    assert_picture("attention_replaced_80x24", screen.keys("2uxxa"));
    assert_picture("ablate_replaced_80x24", screen.keys("U6"));
    assert_picture("attention_mean_80x24", screen.keys("u2v"));
    assert_picture("logits_lens_80x24", screen.keys("U3tvo<down><down><down>"));
    assert_picture("neurons_overlay_80x24", screen.keys("4vvbBoo"));
    assert_picture("folded_80x24", screen.keys("u4F"));
    assert_picture("help_80x24", screen.keys("?"));
    assert_picture("edit_80x24", screen.keys("<esc>4i7"));
    assert_picture("quit_80x24", screen.keys("<esc>q"));
}

/// Settings that ask for more: the name of the picture, and the keys after those before.
const ON_REQUEST: [(&str, &str); 13] = [
    ("neurons_damage", "4ss"),
    ("attention_contribution", "2xxx"),
    ("logits_relative", "3x"),
    ("circuits_token_position", "5vvvv"),
    ("circuits_position_token", "v"),
    ("circuits_direct", "v"),
    ("circuits_copying", "vs"),
    ("ablate_resampled", "2<space>6mmm<esc>"),
    ("ablate_ties", "vvv"),
    ("ablate_edits", LISTED),
    ("ablate_doses", "u2<space>4<space>6x"),
    ("logits_probes", "xxu3b"),
    ("logits_features", "b"),
];

/// Edits of an output, of a head at some positions, and of what one reader sees.
const LISTED: &str = "uasite = 'mlp_out', scale = 0.5<enter>\
                      asite = 'z', heads = [1], positions = '3-9', to = 'mean'<enter>\
                      asite = 'embed', to = 'zero', reader = { site = 'mlp', layer = 0 }<enter>";

#[test]
fn numbers_on_request() {
    for (width, height) in SIZES {
        let mut screen = in_training(Setup::sized(width, height));
        for (name, keys) in ON_REQUEST {
            assert_picture(&format!("{name}_{width}x{height}"), screen.keys(keys));
        }
    }
    let mut screen = untrained(Setup::default());
    screen.snapshot(1, with_nan(trained()));
    for (name, keys) in ON_REQUEST {
        assert_picture(&format!("{name}_nan_80x24"), screen.keys(keys));
    }
    let mut screen = untrained(Setup::default());
    screen.stop_answering();
    for (name, keys) in ON_REQUEST {
        assert_picture(&format!("{name}_pending_80x24"), screen.keys(keys));
    }
}

#[test]
fn a_run_on_a_gpu() {
    for (width, height) in SIZES {
        let mut screen = Setup::sized(width, height).screen();
        screen.device = "cuda:0 H100 80GB HBM3";
        screen.run(287, &[(287, trained())]);
        screen.train(TrainEvent::Memory { used: 3_865_470_566, total: 85_031_714_816 });
        assert_picture(&format!("gpu_{width}x{height}"), screen.keys("1"));
    }
}

#[test]
fn exploring_a_file() {
    let mode = Mode::Exploring { weights: "weights.safetensors".into() };
    let mut screen = Setup { mode, ..Setup::default() }.screen();
    screen.snapshot(420, trained());
    assert_picture("exploring_train_80x24", screen.keys("1"));
    assert_picture("exploring_attention_80x24", screen.keys("2lll"));
    assert_picture("exploring_situations_80x24", screen.keys("1v"));
    assert_picture("exploring_situations_120x40", screen.sized(120, 40));
    assert_picture("exploring_errors_120x40", screen.keys("v"));
    assert_picture("exploring_errors_80x24", screen.sized(80, 24));
    assert_picture("exploring_edited_errors_80x24", screen.keys("2<space>6"));
    assert_picture("exploring_edited_situations_80x24", screen.keys("vv"));
    assert_picture("exploring_filter_80x24", screen.keys("2/le"));
}

/// What the weights are of a circle of tokens, and a neuron over all pairs of operands: of waves by hand, of random weights,
/// of weights that are no numbers, and before the answer.
#[test]
fn maps_of_modular_addition() {
    let p = 17;
    for (width, height) in SIZES {
        for state in MAP_STATES {
            let (model, mode) = (waves::config(p), Mode::Exploring { weights: "w.safetensors".into() });
            let setup = Setup { model, task: Some(waves::task(p)), mode, ..Setup::sized(width, height) };
            let mut screen = setup.screen();
            let mut weights = waves::weights(p);
            match state {
                "random" => weights = Weights::initial(weights.config(), common::SEED),
                "nan" => weights = with_nan(weights),
                _ => {}
            }
            screen.snapshot(0, weights);
            if state == "asked" {
                screen.keys("<end>5").stop_answering();
            }
            let [pairs, spectra] = if width == 80 { ["4vvJJ<right>", "5b"] } else { ["4vJJ<right>", "5b"] };
            assert_picture(&format!("neurons_pairs_{state}_{width}x{height}"), screen.keys(pairs));
            assert_picture(
                &format!("circuits_spectra_{state}_{width}x{height}"),
                screen.keys(spectra).keys("<right>"),
            );
            assert_picture(&format!("circuits_vectors_{state}_{width}x{height}"), screen.keys("b"));
        }
    }
}

const MAP_STATES: [&str; 4] = ["waves", "random", "nan", "asked"];

#[test]
fn examples_vectors_and_patterns_by_class() {
    for (width, height) in SIZES {
        let name = |name: &str| format!("{name}_{width}x{height}");
        let mode = Mode::Exploring { weights: "weights.safetensors".into() };
        let mut screen = Setup { mode, ..Setup::sized(width, height) }.screen();
        screen.snapshot(420, trained());
        assert_picture(&name("attention_class"), screen.keys("2vv<down>"));
        assert_picture(&name("neurons_examples"), screen.keys(if width == 80 { "4vvJJ" } else { "4vJJ" }));
        assert_picture(&name("neurons_lowest"), screen.keys("L"));
        assert_picture(&name("circuits_positions_vectors"), screen.keys("5bj<right>"));
        let (setup, model) = foreign("brackets", Setup::sized(width, height));
        let mut screen = setup.screen();
        screen.snapshot(0, Weights::initial(&model, common::SEED));
        assert_picture(&name("circuits_activations"), screen.keys("5bjjj"));
    }
}

#[test]
fn the_images_of_the_readme() {
    for (name, key) in VIEWS {
        let mut screen = ablated(Setup::sized(120, 40));
        assert_image(name, screen.keys(key));
    }
}

#[test]
fn without_unicode_no_byte_is_above_ascii() {
    let ascii = Setup { glyphs: Glyphs::Ascii, ..Setup::default() };
    let mut screen = ablated(ascii);
    for keys in ["1", "2", "x", "3", "4", "v", "o", "5", "v", "v", "v", "6", "?", "<esc>i", "<esc>q"] {
        assert!(screen.keys(keys).text().is_ascii(), "{keys}:\n{}", screen.text());
    }
    screen.send(Event::TrainerSilent(12.0));
    screen.must_show("silent 12s");
}

#[test]
fn raw_colours_are_in_the_theme_and_the_ramps_alone() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/view")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !["theme", "ramp", "palettes"].iter().any(|name| path.file_stem().unwrap() == *name) {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains("Color::"), "{}", path.display());
            }
        }
    }
}

#[test]
fn every_picture_belongs_to_a_test() {
    let states = ["empty", "untrained", "trained", "ablated", "nan", "less"];
    let terminals = ["16", "256", "mono", "ascii"];
    let settings = [
        "neurons_map",
        "attention_uniform",
        "attention_info_fit",
        "logits_runner_up",
        "train_linear",
        "circuits_positions",
        "circuits_logits",
        "circuits_neurons",
        "circuits_path",
        "attention_replaced",
        "ablate_replaced",
        "attention_mean",
        "logits_lens",
        "neurons_overlay",
        "folded",
        "help",
        "edit",
        "quit",
        "exploring_train",
        "exploring_attention",
        "exploring_situations",
        "exploring_errors",
        "exploring_edited_errors",
        "exploring_edited_situations",
        "exploring_filter",
        "patch_heads",
        "patch_raw",
        "patch_pairs",
        "attention_less_ascii",
        "attention_less_pending",
        "attention_less_nan",
    ];
    let mut known: Vec<String> = settings.iter().map(|name| format!("{name}_80x24.snap")).collect();
    known.extend(SIZES.iter().map(|(width, height)| format!("gpu_{width}x{height}.snap")));
    known.extend(["situations", "errors"].map(|name| format!("exploring_{name}_120x40.snap")));
    for (name, _) in ON_REQUEST {
        known.extend(["nan", "pending"].map(|state| format!("{name}_{state}_80x24.snap")));
    }
    for (width, height) in SIZES {
        let names = ON_REQUEST.iter().map(|(name, _)| *name).chain(["circuits_composition"]);
        known.extend(names.map(|name| format!("{name}_{width}x{height}.snap")));
    }
    known.push("show_list.snap".into());
    for (width, height) in SIZES {
        let maps = ["neurons_pairs", "circuits_spectra", "circuits_vectors"];
        let maps = maps.iter().flat_map(|map| MAP_STATES.map(|state| format!("{map}_{state}")));
        let others = [
            "attention_class",
            "neurons_examples",
            "neurons_lowest",
            "circuits_positions_vectors",
            "train_curves",
            "train_curves_live",
            "train_curves_nan",
            "train_births",
            "attention_pinning",
            "circuits_activations",
        ];
        let all = maps.chain(others.map(String::from));
        known.extend(all.map(|name| format!("{name}_{width}x{height}.snap")));
    }
    for (view, _) in VIEWS {
        known.push(format!("{view}.svg"));
        known.push(format!("{view}_modular-addition_80x24.snap"));
        known.extend(terminals.iter().map(|terminal| format!("{view}_{terminal}_80x24.snap")));
        for (width, height) in SIZES {
            known.extend(
                states.iter().chain(&FOREIGN).map(|state| format!("{view}_{state}_{width}x{height}.snap")),
            );
        }
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name) || name.ends_with(".snap.new"), "{name} is of no test");
    }
}

/// A finished run that is explored.
fn finished(setup: Setup) -> common::Screen {
    let mode = Mode::Exploring { weights: "runs/majority-23".into() };
    Setup { mode, ..setup }.screen()
}

/// Weights on the straight line from initial to trained ones.
fn between(share: f32) -> Weights {
    let (mut weights, trained) = (Weights::initial(&ModelConfig::default(), common::SEED), trained());
    weights.values.iter_mut().zip(&trained.values).for_each(|(x, to)| *x += share * (to - *x));
    weights
}

#[test]
fn curves_beside_the_training() {
    for (width, height) in SIZES {
        let mut screen = Setup::sized(width, height).screen();
        screen.run(104, &[]);
        for step in [0, 7, 14, 28, 42, 56, 63, 70, 77, 84, 91, 98] {
            screen.snapshot(step, between((step as f32 / 98.0).powi(3)));
        }
        screen.keys("1g<down>");
        assert_picture(&format!("train_curves_live_{width}x{height}"), &screen);
    }
}

#[test]
fn curves_of_a_run_that_came_to_nothing() {
    for (width, height) in SIZES {
        let mut screen = finished(Setup { glyphs: Glyphs::Ascii, ..Setup::sized(width, height) });
        for step in [0, 50, 100] {
            screen.snapshot(step, between(step as f32 / 200.0));
        }
        screen.snapshot(150, with_nan(trained()));
        screen.keys("1g");
        assert_picture(&format!("train_curves_nan_{width}x{height}"), &screen);
    }
}

/// The standing curves of an explored run, and one that was pinned.
#[test]
fn curves_over_the_kept_snapshots() {
    for (width, height) in SIZES {
        let mut screen = finished(Setup::sized(width, height));
        screen.snapshot(0, Weights::initial(&ModelConfig::default(), common::SEED));
        screen.snapshot(100, Weights::initial(&ModelConfig::default(), 4));
        screen.snapshot(420, trained());
        screen.keys("1g");
        assert_picture(&format!("train_curves_{width}x{height}"), &screen);
        screen.keys("g");
        assert_picture(&format!("train_births_{width}x{height}"), &screen);
        screen.keys("2*");
        assert_picture(&format!("attention_pinning_{width}x{height}"), &screen);
    }
}
