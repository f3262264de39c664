//! Where a command's answer goes: every kind of `--out`, and standard output that takes nothing.

use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::{Command, Output, Stdio};

use rustix::fs::{Mode, mkfifoat};

use super::*;

/// `headcount` by a shell line, where `$H` is the program and `$OUT` writes a safetensors file to what follows.
fn shell(dir: &Path, line: &str) -> Output {
    let weights = path("weights.safetensors");
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(dir).env("H", assert_cmd::cargo::cargo_bin("headcount"));
    command
        .env("W", &weights)
        .env("OUT", format!("inspect cache --weights {} --tokens 1,5,3 --out", weights.display()));
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn succeeds(dir: &Path, line: &str) -> Vec<u8> {
    let ran = shell(dir, line);
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{line}");
    ran.stdout
}

/// Exit 1 and one line with `words`.
#[track_caller]
fn fails(dir: &Path, line: &str, words: &str) {
    let ran = shell(dir, line);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!((ran.status.code(), said.lines().count()), (Some(1), 1), "{line}: {said}");
    assert!(said.contains(words), "{line}: {said}");
}

/// A folder, and the bytes that every kind of output must get.
fn folder() -> (TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    succeeds(dir.path(), "umask 022; $H $OUT plain");
    let bytes = fs::read(dir.path().join("plain")).unwrap();
    safetensors::SafeTensors::deserialize(&bytes).unwrap();
    (dir, bytes)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_file_has_the_mode_of_the_umask_and_an_old_one_keeps_its_own() {
    let (dir, bytes) = folder();
    assert_eq!(mode(&dir.path().join("plain")), 0o644);
    succeeds(dir.path(), "umask 027; $H $OUT new");
    assert_eq!(mode(&dir.path().join("new")), 0o640);
    fs::write(dir.path().join("old"), "old").unwrap();
    fs::set_permissions(dir.path().join("old"), PermissionsExt::from_mode(0o604)).unwrap();
    succeeds(dir.path(), "umask 077; $H $OUT old");
    assert_eq!((mode(&dir.path().join("old")), fs::read(dir.path().join("old")).unwrap()), (0o604, bytes));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "a temporary file is left");
}

#[test]
fn a_link_stays_and_its_target_is_replaced() {
    let (dir, bytes) = folder();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("far")).unwrap();
    fs::write(at("far/file"), "old").unwrap();
    symlink("far/file", at("link")).unwrap();
    symlink("link", at("second")).unwrap();
    symlink("far/none-yet", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();
    for (link, target) in [("second", "far/file"), ("dangling", "far/none-yet")] {
        succeeds(dir.path(), &format!("$H $OUT {link}"));
        assert!(at(link).is_symlink() && at("link").is_symlink(), "{link}");
        assert!(fs::read(at(target)).unwrap() == bytes, "{target}");
    }
    fails(dir.path(), "$H $OUT loop", "loop: cannot write: ");
    fails(dir.path(), "$H $OUT far", "far: cannot write: ");
    fails(dir.path(), "$H $OUT none/file", "none/file: cannot write: ");
    fails(dir.path(), "$H $OUT new/", "new/: cannot write: ");
}

#[test]
fn what_is_no_regular_file_is_written_into() {
    let (dir, bytes) = folder();
    let fifo = dir.path().join("fifo");
    mkfifoat(rustix::fs::CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let reader = std::thread::spawn({
        let fifo = fifo.clone();
        move || fs::read(fifo).unwrap()
    });
    succeeds(dir.path(), "$H $OUT fifo");
    assert!(reader.join().unwrap() == bytes);
    assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
    // A device of its own, which nobody misses if it is replaced after all.
    let own = "unshare -Urm sh -c 'touch null && mount --bind /dev/null null && \
               $H $OUT null && test -c null && ! test -e .headcount*'";
    succeeds(dir.path(), own);
    fails(dir.path(), "$H $OUT /dev/full", "/dev/full: cannot write: No space left");
    let gone = "head -c 1 fifo > /dev/null & $H inspect fold --weights $W --out fifo";
    fails(dir.path(), gone, "fifo: cannot write: Broken pipe");
}

#[test]
fn standard_output_under_every_name_gets_the_bytes() {
    let (dir, bytes) = folder();
    for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert!(succeeds(dir.path(), &format!("$H $OUT {name}")) == bytes, "{name}");
        succeeds(dir.path(), &format!("(printf before; $H $OUT {name}; printf after) > {}", "all"));
        let all = fs::read(dir.path().join("all")).unwrap();
        assert!(all == [b"before", &bytes[..], b"after"].concat(), "{name}");
        fails(dir.path(), &format!("$H $OUT {name} > /dev/full"), "cannot write to stdout: No space left");
    }
    succeeds(dir.path(), "(printf before >&3; $H $OUT /dev/fd/3) 3> all");
    assert!(fs::read(dir.path().join("all")).unwrap() == [b"before", &bytes[..]].concat());
    for what in ["attribution --tokens 1,2", "circuits", "fold"] {
        let stdout = succeeds(dir.path(), &format!("$H inspect {what} --weights $W --out -"));
        safetensors::SafeTensors::deserialize(&stdout).unwrap();
    }
}

#[test]
fn a_file_says_what_it_is_of() {
    let dir = tempfile::tempdir().unwrap();
    let about = |what: &str| {
        let bytes = succeeds(dir.path(), &format!("$H inspect {what} --weights $W --out -"));
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        header.metadata().clone().expect("there is metadata")
    };
    for (what, form, tokens) in [
        ("cache --tokens 1,5,3", "trained", Some("[1, 5, 3]")),
        ("cache --folded --tokens 1,5,3", "folded", Some("[1, 5, 3]")),
        ("attribution --tokens 1,5,3", "trained", Some("[1, 5, 3]")),
        ("circuits --folded", "folded", None),
        ("fold", "folded", None),
    ] {
        let about = about(what);
        assert_eq!((&*about["weights"], about.get("tokens").map(String::as_str)), (form, tokens), "{what}");
        assert!(about["weights_file"].ends_with("weights.safetensors"), "{what}");
        let config: Value = serde_json::from_str(&about["config"]).unwrap();
        assert_eq!(config["d_vocab"], 10, "{what}");
    }
}

#[test]
fn a_full_disk_is_said_and_leaves_the_old_file() {
    let (dir, _) = folder();
    let full = "unshare -Urm sh -c 'mkdir m && mount -t tmpfs -o size=8k none m && cd m && echo old > file; \
                $H $OUT file; status=$?; test \"$(ls -A)\" = file && test \"$(cat file)\" = old && exit $status'";
    fails(dir.path(), full, "file: cannot write: No space left");
}

#[test]
fn whatever_cannot_be_printed_is_said() {
    let dir = tiny();
    let commands = [
        "--help",
        "--version",
        "ablate --help",
        "completions bash",
        "man",
        "runs",
        "runs --json",
        "inspect summary --weights $W",
        "inspect trackers --weights $W --controls 0 --json",
        "ablate --weights $W --tokens 1,2,3 --heads 0",
        "ablate --weights $W --tokens 1,2,3 --heads 0 --json",
    ];
    for command in commands {
        fails(dir.path(), &format!("$H {command} > /dev/full"), "cannot write to stdout: No space left");
    }
}

#[test]
fn a_reader_that_has_gone_is_said() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("headcount"));
    command.args(["inspect", "summary", "--weights"]).arg(path("weights.safetensors")).stdout(writer);
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("cannot write to stdout: Broken pipe"), "{said}");
}

#[test]
fn metrics_that_cannot_be_printed_are_said_and_the_run_is_whole() {
    let dir = tiny();
    let line = "$H train --config tiny.toml --run r --quiet --json > /dev/full";
    fails(dir.path(), line, "cannot write to stdout: No space left");
    succeeds(dir.path(), "$H train --config tiny.toml --run other --quiet");
    let metrics = |run: &str| fs::read(dir.path().join(run).join("metrics.jsonl")).unwrap();
    assert!(metrics("r") == metrics("other"));
}
