//! `--edits`: one file for every command that runs weights.

use super::*;
use headcount::model::weights_file::Container;

fn weights() -> String {
    path("weights.safetensors").to_str().unwrap().to_owned()
}

fn ok(dir: &Path, args: &[&str]) -> String {
    let ran = run(dir, args);
    assert_eq!(ran.status, 0, "{args:?}: {}", ran.stderr);
    ran.stdout
}

/// The arguments of a command that reads the weights.
fn of<'a>(command: &'a [&'a str], weights: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [command, &["--weights", weights, "--task", "majority"], more].concat()
}

const HEADS: &str = "[[edit]]\nsite = \"z\"\nheads = [0, 1]\nto = \"zero\"\n";
const SCALED: &str = "[[edit]]\nsite = \"mlp_out\"\npositions = \"token=5\"\nscale = 0.0\n\n[[edit]]\nsite = \"embed\"\nscale = 0.5\n";

#[test]
fn a_file_of_edits_says_the_same_as_options_in_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, weights) = (dir.path(), weights());
    std::fs::write(dir.join("heads.toml"), HEADS).unwrap();
    let tokens = ["--tokens", "1,2,2,5,5,2"];
    let by = |edits: &[&str]| {
        let ablate = of(&["ablate"], &weights, &[&tokens[..], &["--json"], edits].concat());
        let ablated: Value = serde_json::from_str(&ok(dir, &ablate)).unwrap();
        let numbers =
            ["loss_before", "loss_after", "predictions_after", "cells"].map(|key| ablated[key].clone());
        let show =
            of(&["show", "effect_here"], &weights, &[&tokens[..], &["--format", "json"], edits].concat());
        (numbers, ok(dir, &show))
    };
    assert_eq!(by(&["--edits", "heads.toml"]), by(&["--heads", "0,1"]));
    let eval = |more: &[&str]| -> Value {
        serde_json::from_str(&ok(dir, &of(&["eval"], &weights, &[&["--json"], more].concat()))).unwrap()
    };
    let ablate = of(&["ablate"], &weights, &["--heads", "0,1", "--json"]);
    let ablated: Value = serde_json::from_str(&ok(dir, &ablate)).unwrap();
    let edited = eval(&["--edits", "heads.toml"]);
    assert_eq!(edited["edits"], serde_json::json!(["z 0.0,0.1: to zero"]));
    for (key, after) in [("loss", "loss_after"), ("accuracy", "accuracy_after")] {
        let [ours, theirs] = [&edited[key], &ablated[after]].map(|value| value.as_f64().unwrap());
        assert!((ours - theirs).abs() < 1e-6, "{key}: {ours} {theirs}");
    }
    assert!(eval(&[])["accuracy"].as_f64() > edited["accuracy"].as_f64());
}

#[test]
fn both_runs_of_a_patching_grid_are_edited() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, weights) = (dir.path(), weights());
    std::fs::write(dir.join("scaled.toml"), SCALED).unwrap();
    let pair = ["--clean", "1,2,2,5,5,2", "--corrupted", "1,2,5,5,5,2", "--site", "resid_pre", "--json"];
    let patch = |more: &[&str]| -> Value {
        serde_json::from_str(&ok(dir, &of(&["patch"], &weights, &[&pair[..], more].concat()))).unwrap()
    };
    let (plain, edited) = (patch(&[]), patch(&["--edits", "scaled.toml"]));
    assert_ne!(plain["clean_value"], edited["clean_value"]);
    assert_eq!(edited["edits"][0], "mlp_out at token=5: times 0");
    let noised = patch(&["--edits", "scaled.toml", "--direction", "noise"]);
    assert_ne!(edited["values"], plain["values"]);
    assert_eq!(edited["clean_value"], noised["clean_value"]);
}

#[test]
fn a_file_that_makes_no_sense_here_is_refused_with_the_edit_and_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, weights) = (dir.path(), weights());
    for (text, args, said) in [
        ("", &[][..], "--edits e.toml: no edits: a file of edits has a table [[edit]] for each"),
        (HEADS, &["--tokens", "1,2", "--positions", "0"], "--positions: each edit of --edits has its own"),
        (SCALED, &["--tokens", "1,2"], "--edits: edit 1 changes no value: mlp_out at token=5: times 0"),
        ("[[edit]]\nsite = \"z\"\nlayer = 3\nto = \"zero\"", &[], "e.toml: edit 1: layer: no layer 3"),
        ("[[edit]]\nsite = 3", &[], "e.toml: "),
    ] {
        std::fs::write(dir.join("e.toml"), text).unwrap();
        let ran = run(dir, &of(&["ablate"], &weights, &[&["--edits", "e.toml"], args].concat()));
        assert!(ran.status == 2 && ran.stderr.contains(said), "{text}: {} {}", ran.status, ran.stderr);
    }
    let ran = run(dir, &of(&["eval"], &weights, &["--edits", "none.toml"]));
    assert!(ran.status == 1 && ran.stderr.contains("none.toml"), "{}", ran.stderr);
}

#[test]
fn what_an_edit_needs_of_the_data_comes_from_the_validation_set() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, weights) = (dir.path(), weights());
    let write = |to: &str| {
        let text = format!("[[edit]]\nsite = \"z\"\nheads = [0]\nto = \"{to}\"\n");
        std::fs::write(dir.join("e.toml"), text).unwrap();
    };
    for to in ["mean", "mean-position", "resample"] {
        write(to);
        let loss = |more: &[&str]| {
            let args = of(&["ablate"], &weights, &[&["--json"], more].concat());
            let found: Value = serde_json::from_str(&ok(dir, &args)).unwrap();
            found["loss_after"].as_f64().unwrap()
        };
        let [listed, switched] = [loss(&["--edits", "e.toml"]), loss(&["--heads", "0", "--kind", to])];
        assert!((listed - switched).abs() < 1e-6, "{to}: {listed} {switched}");
    }
}

#[test]
fn doses_on_screen_are_those_of_ablate() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, weights) = (dir.path(), weights());
    let row = |first: usize| -> Vec<usize> { (0..12).map(|at| (first + at * at) % 10).collect() };
    let line =
        |first| serde_json::json!({ "tokens": row(first), "targets": row(first + 1) }).to_string() + "\n";
    std::fs::write(dir.join("few.jsonl"), (0..6).map(line).collect::<String>()).unwrap();
    let json = |command: &[&str], more: &[&str]| -> Value {
        let same = ["--weights", &weights, "--data", "few.jsonl", "--heads", "1", "--controls", "2"];
        serde_json::from_str(&ok(dir, &[command, &same, more].concat())).unwrap()
    };
    let shown = json(&["show", "dose_response"], &["--format", "json", "--neurons", "93,103"]);
    let scales = "0,0.25,0.5,0.75,1,1.25,1.5,1.75,2";
    let printed = json(&["ablate"], &["--neurons", "93,103", "--scale", scales, "--json"]);
    let column =
        |name: &str| shown["columns"].as_array().unwrap().iter().position(|one| one == name).unwrap();
    for (row, dose) in shown["rows"].as_array().unwrap().iter().zip(printed["doses"].as_array().unwrap()) {
        let random = &dose["random"];
        for (name, value) in [
            ("loss_clean", &printed["clean"]["loss"]),
            ("loss_edited", &dose["loss"]),
            ("accuracy_edited", &dose["accuracy"]),
            ("loss_random_0", &random[0]["loss"]),
            ("accuracy_random_1", &random[1]["accuracy"]),
        ] {
            let [shown, printed] = [&row[column(name)], value].map(|x| x.as_f64().unwrap());
            assert!((shown - printed).abs() < 1e-6, "{name}: {shown} {printed}");
        }
    }
    assert_eq!(shown["rows"].as_array().unwrap().len(), 9);
}

#[test]
fn a_dose_of_one_changes_nothing_and_of_zero_is_the_ablation() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, weights) = (dir.path(), weights());
    let json = |more: &[&str]| -> Value {
        let args = of(&["ablate"], &weights, &[&["--neurons", "93,103", "--json"], more].concat());
        serde_json::from_str(&ok(dir, &args)).unwrap()
    };
    let doses = json(&["--scale", "0,1,-1", "--controls", "2"]);
    let ablated = json(&[]);
    let close = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-6;
    assert!(close(&doses["doses"][0]["loss"], &ablated["loss_after"]));
    assert!(
        close(&doses["doses"][1]["loss"], &ablated["loss_before"]) && doses["clean"] != doses["doses"][2]
    );
    let random = |dose: usize| doses["doses"][dose]["random"].as_array().unwrap().clone();
    assert!(random(0).len() == 2 && random(1).iter().all(|one| close(&one["loss"], &ablated["loss_before"])));
    let values = json(&["--value", "0", "--positions", "token=3", "--controls", "0"]);
    let at_positions = json(&["--positions", "token=3"]);
    assert!(close(&values["doses"][0]["loss"], &at_positions["loss_after"]));
    let text = ok(dir, &of(&["ablate"], &weights, &["--neurons", "93", "--scale", "0,2"]));
    assert!(text.contains("random sets") && text.contains("clean"), "{text}");
    for (args, said) in [
        (&["--pattern", "uniform", "--scale", "0"][..], "give --heads or --neurons"),
        (&["--heads", "0", "--kind", "mean", "--scale", "0"], "without --kind"),
    ] {
        let ran = run(dir, &of(&["ablate"], &weights, args));
        assert!(ran.status == 2 && ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn a_cache_under_edits_holds_what_the_edits_make_of_each_hook() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, weights) = (dir.path(), weights());
    let text = "edit = [{ site = \"embed\", scale = 0.5 }, { site = \"attn_out\", positions = \"2\", to = \"zero\" }, \
                { site = \"mlp_out\", add = 1.0 }]\n";
    std::fs::write(dir.join("e.toml"), text).unwrap();
    let cache = |more: &[&str], out: &str| {
        let args = ["inspect", "cache", "--weights", &weights, "--tokens", "1,5,3", "--out", out];
        ok(dir, &[&args, more].concat());
        let bytes = std::fs::read(dir.join(out)).unwrap();
        let container = Container::parse(&bytes).unwrap();
        let values = |name: &str| -> Vec<f32> {
            let (values, _) = container.tensors[name].data().as_chunks();
            values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        [
            "hook_embed",
            "hook_pos_embed",
            "blocks.0.hook_resid_pre",
            "blocks.0.hook_attn_out",
            "blocks.0.hook_resid_mid",
            "blocks.0.hook_mlp_out",
            "blocks.0.hook_resid_post",
        ]
        .map(values)
    };
    let clean = cache(&[], "clean.safetensors");
    let [embed, positions, pre, attn, mid, mlp, post] = cache(&["--edits", "e.toml"], "edited.safetensors");
    let is_sum = |sum: &[f32], a: &[f32], b: &[f32]| {
        sum.iter().zip(a.iter().zip(b)).all(|(sum, (a, b))| (sum - a - b).abs() < 1e-5)
    };
    assert!(is_sum(&pre, &embed, &positions) && is_sum(&mid, &pre, &attn) && is_sum(&post, &mid, &mlp));
    assert!(embed.iter().zip(&clean[0]).all(|(edited, clean)| (edited - 0.5 * clean).abs() < 1e-6));
    let width = embed.len() / 3;
    assert!(attn[2 * width..].iter().all(|x| *x == 0.0) && attn[..width].iter().any(|x| *x != 0.0));
    let parts = [
        "inspect",
        "attribution",
        "--weights",
        &weights,
        "--tokens",
        "1,5,3",
        "--edits",
        "e.toml",
        "--out",
        "p",
    ];
    ok(dir, &parts);
    assert!(std::fs::read(dir.join("p")).unwrap().len() > 1000);
}
