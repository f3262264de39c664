//! `headcount patch`: its grids as text, JSON and a file, and what it refuses.

use headcount::analysis::patching::{By, Direction, Metric, Pair, Plan, Runs};
use headcount::model::Hook;

use super::*;

const PAIR: [&str; 4] = ["--clean", "1,2,2,5,5,2", "--corrupted", "1,2,5,5,5,2"];

fn arguments<'a>(weights: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["patch", "--weights", weights, "--task", "majority"], more].concat()
}

fn patch(dir: &Path, more: &[&str]) -> Ran {
    run(dir, &arguments(path("weights.safetensors").to_str().unwrap(), more))
}

#[test]
fn a_grid_is_that_of_the_library_with_the_targets_of_the_task() {
    let dir = tempfile::tempdir().unwrap();
    let json = patch(dir.path(), &[&PAIR[..], &["--by", "head-position", "--json"]].concat());
    assert_eq!(json.status, 0, "{}", json.stderr);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let (clean, corrupted) = (vec![1, 2, 2, 5, 5, 2], vec![1, 2, 5, 5, 5, 2]);
    let pair = Pair { clean, corrupted, position: 5, answer: 2, wrong: 5 };
    let (site, by, metric, direction) = (Hook::Z, By::IndexPosition, Metric::LogitDiff, Direction::Denoise);
    let weights = reference::weights("weights");
    let grid = Plan { site, by, metric, direction }.grid(&weights, &pair, &Runs::new(&weights, &pair));
    assert_eq!(grid.shape, [1, 2, 6]);
    for (at, value) in grid.values.iter().enumerate() {
        let found = json["values"][0][at / 6][at % 6].as_f64().unwrap() as f32;
        assert!((found - value).abs() < 1e-5, "{at}: {found} {value}");
    }
    let about =
        [&json["site"], &json["by"], &json["metric"], &json["position"], &json["answer"], &json["wrong"]];
    assert_eq!(serde_json::json!(about), serde_json::json!(["z", "head-position", "logit-diff", 5, 2, 5]));
    let [clean, corrupted] = ["clean_value", "corrupted_value"].map(|key| json[key].as_f64().unwrap());
    assert!(clean > 0.0 && corrupted < 0.0, "the model tells the two apart: {clean} {corrupted}");
    let text = patch(dir.path(), &[&PAIR[..], &["--normalize"]].concat()).stdout;
    assert!(text.starts_with("z, clean into corrupted; logit-diff, position 5: 2 or 5\n"), "{text}");
    assert!(text.contains("0: corrupted, 1: clean"), "{text}");
    let out = patch(dir.path(), &[&PAIR[..], &["--from", "z", "--to", "mlp_out", "--out", "o"]].concat());
    assert_eq!((out.status, out.stdout.len()), (0, 0), "{}", out.stderr);
    assert!(dir.path().join("o").exists());
}

#[test]
fn what_cannot_be_patched_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    for (args, said) in [
        (&[][..], "nothing to compare"),
        (&["--clean", "1,2", "--corrupted", "1"], "--corrupted: 1 tokens: the clean sequence has 2"),
        (&["--clean", "1,2", "--corrupted", "1,17"], "--corrupted: token 17 at position 1"),
        (
            &["--clean", "1,2", "--corrupted", "1,3", "--position", "2"],
            "--position: no position 2: there are 2",
        ),
        (&["--clean", "1,2", "--corrupted", "1,3", "--answer", "x"], "--answer: `x` is not a class"),
        (&["--clean", "1", "--corrupted", "2", "--site", "resid_pre", "--by", "head"], "belongs to no head"),
        (
            &["--clean", "1", "--corrupted", "1", "--normalize"],
            "--normalize: the metric of both runs is the same",
        ),
        (&["--clean", "1", "--corrupted", "2", "--site", "zz"], "possible values: resid_pre, q, k"),
    ] {
        refuses(dir.path(), &arguments(path("weights.safetensors").to_str().unwrap(), args), 2, &[said]);
    }
}
