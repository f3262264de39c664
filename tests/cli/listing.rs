//! `headcount runs`: what is found, how far it is, and what is wrong with what is damaged.

use std::os::unix::ffi::OsStrExt;

use headcount::train::Lock;

use super::*;

/// Three runs in `runs` of a folder: one finished, one stopped, one without a step.
fn three_runs() -> TempDir {
    let dir = tiny();
    for (name, more) in [("b-done", &[][..]), ("a-stopped", &["--steps", "4"]), ("c-new", &["--steps", "0"])]
    {
        let run_dir = format!("runs/{name}");
        let args = ["train", "--config", "tiny.toml", "--quiet", "--device", "cpu", "--run", &run_dir];
        let ran = run(dir.path(), &[&args[..], more].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }
    dir
}

#[track_caller]
fn listed(dir: &Path, args: &[&str]) -> Vec<String> {
    let ran = run(dir, &[&["runs"], args].concat());
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[track_caller]
fn objects(dir: &Path, args: &[&str]) -> Vec<Value> {
    serde_json::from_str(&listed(dir, &[args, &["--json"]].concat()).concat()).unwrap()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn runs_are_listed_by_name_with_what_their_files_say() {
    let dir = three_runs();
    fs::create_dir(dir.path().join("runs/photos")).unwrap();
    fs::write(dir.path().join("runs/notes.txt"), "no run").unwrap();
    let lines = listed(dir.path(), &[]);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert_eq!(words(&lines[0]), words("name task step val loss val accuracy state"));
    let metrics = fs::read_to_string(dir.path().join("runs/b-done/metrics.jsonl")).unwrap();
    let last: Value = serde_json::from_str(metrics.lines().next_back().unwrap()).unwrap();
    let number = |key: &str| format!("{:.4}", last[key].as_f64().unwrap());
    let (loss, accuracy) = (number("val_loss"), number("val_accuracy"));
    assert_eq!(words(&lines[2]), ["b-done", "majority", "9/9", &loss, &accuracy, "finished"]);
    assert_eq!(words(&lines[1])[..3], ["a-stopped", "majority", "4/9"]);
    assert!(lines[1].ends_with("stopped"), "{}", lines[1]);
    assert_eq!(words(&lines[3]), ["c-new", "majority", "0/9", "-", "-", "stopped"]);
    let column = |line: &str, word: &str| line.find(word);
    assert_eq!(column(&lines[0], "state"), column(&lines[2], "finished"), "{lines:#?}");
    let objects = objects(dir.path(), &["runs"]);
    let names: Vec<_> = objects.iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a-stopped", "b-done", "c-new"]);
    let done = &objects[1];
    assert_eq!((&done["loss"], &done["accuracy"]), (&last["val_loss"], &last["val_accuracy"]));
    assert_eq!((&done["step"], &done["steps"], &done["path"]), (&9.into(), &9.into(), &"runs/b-done".into()));
    assert_eq!((&done["task"], &done["state"]), (&"majority".into(), &"finished".into()));
    assert!(done["problem"].is_null() && objects[2]["loss"].is_null(), "{objects:#?}");
}

#[test]
fn a_directory_that_is_a_run_is_listed_itself() {
    let dir = three_runs();
    let names = |folder: &Path, args: &[&str]| -> Vec<String> {
        objects(folder, args).iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(dir.path(), &["runs/b-done"]), ["b-done"]);
    assert_eq!(names(&dir.path().join("runs/b-done"), &["."]), ["b-done"]);
}

#[test]
fn a_run_that_is_trained_now_names_its_trainer() {
    let dir = three_runs();
    let lock = Lock::take(&dir.path().join("runs/a-stopped")).unwrap();
    let line = listed(dir.path(), &[]).swap_remove(1);
    let trainer = format!("process {}", std::process::id());
    assert!(line.contains(&format!("training by {trainer}")), "{line}");
    let run = objects(dir.path(), &[]).swap_remove(0);
    assert_eq!(run["state"], "training");
    assert!(run["trainer"].as_str().unwrap().starts_with(&trainer), "{run}");
    drop(lock);
    assert!(listed(dir.path(), &[])[1].ends_with("stopped"));
}

#[test]
fn a_damaged_run_is_said_and_hides_no_other() {
    let dir = three_runs();
    let runs = dir.path().join("runs");
    fs::write(runs.join("b-done/config.toml"), "seed = 1\n[model]\nd_modle = 3\n").unwrap();
    fs::remove_file(runs.join("c-new/metrics.jsonl")).unwrap();
    fs::create_dir(runs.join("c-new/metrics.jsonl")).unwrap();
    let lines = listed(dir.path(), &[]);
    assert!(lines[1].contains("4/9"), "{lines:#?}");
    assert!(lines[2].starts_with("b-done     damaged: runs/b-done/config.toml:3:1: "), "{lines:#?}");
    assert!(lines[2].contains("d_modle"), "{lines:#?}");
    assert!(lines[3].contains("damaged: runs/c-new/metrics.jsonl: cannot read"), "{lines:#?}");
    let objects = objects(dir.path(), &[]);
    assert_eq!((&objects[1]["state"], &objects[1]["step"]), (&"damaged".into(), &Value::Null));
    assert!(objects[1]["problem"].as_str().unwrap().contains("config.toml:3:1"), "{objects:#?}");
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    let dir = three_runs();
    let hostile = std::ffi::OsStr::from_bytes(b"a\x1b[2J\nb");
    fs::rename(dir.path().join("runs/a-stopped"), dir.path().join("runs").join(hostile)).unwrap();
    let lines = listed(dir.path(), &[]);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[1].starts_with("a\\x1b[2J\\nb  majority"), "{lines:#?}");
    assert_eq!(objects(dir.path(), &[])[0]["name"], "a\x1b[2J\nb");
}

#[test]
fn where_no_run_is_one_line_says_so() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(listed(dir.path(), &[]), ["no runs in runs"]);
    assert_eq!(listed(dir.path(), &["."]), ["no runs in ."]);
    assert_eq!(objects(dir.path(), &[]), Vec::<Value>::new());
    refuses(dir.path(), &["runs", "none"], 1, &["none: cannot list: No such file"]);
    fs::write(dir.path().join("file"), "").unwrap();
    refuses(dir.path(), &["runs", "file"], 1, &["file: cannot list: Not a directory"]);
}
