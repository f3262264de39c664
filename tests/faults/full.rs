//! A disk that is really full, and a file that may not grow.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use headcount::train::run_dir::look;
use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// A trainer and the lines of its standard error.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// Waits for a line with these words.
    fn says(&self, words: &str) -> String {
        let mut said = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("nothing about `{words}` in {said:?}"));
            if line.contains(words) {
                return line;
            }
            said.push(line);
        }
    }

    fn limit(&self, limit: &str) {
        let pid = self.child.id().to_string();
        let done =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}:unlimited")]).status();
        assert!(done.unwrap().success());
    }

    fn ends(mut self, status: i32) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(status));
    }
}

#[test]
fn a_file_that_may_not_grow_is_said_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), 1_000_000, 50);
    let running = Running::start(trainer(folder.path()));
    let run = folder.path().join("run");
    let deadline = std::time::Instant::now() + PATIENCE;
    while look(&run).ok().flatten().is_none_or(|found| found.step() < 100) {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    running.limit("1000");
    let line = running.says("not saved");
    assert!(line.contains("step-") && line.contains("too large"), "{line}");
    let before = look(&run).unwrap().unwrap();
    assert!(before.state.is_some() && before.skipped.is_empty());
    running.says("not saved");
    let names = fs::read_dir(run.join("checkpoints")).unwrap().flatten().map(|entry| entry.file_name());
    assert!(names.into_iter().filter(|name| name.to_string_lossy().ends_with(".tmp")).count() <= 1);
    running.limit("unlimited");
    running.says("saved again");
    assert!(look(&run).unwrap().unwrap().step() > before.step());
    running.ends(143);
    assert!(look(&run).unwrap().unwrap().skipped.is_empty());
}

/// Runs the words after it with a small file system of its own on `disk`.
const ON_A_SMALL_DISK: &str = r#"
    mount -t tmpfs -o size=1m,mode=700 none disk && cp settings.toml disk && cd disk || exit 99
    "$@" & trainer=$!
    while ! ls run/checkpoints/step-00[1-9]* >/dev/null 2>&1; do sleep 0.05; done
    # Kept snapshots would give way.
    rm run/snapshots/*
    head -c 2m /dev/zero >filler 2>/dev/null
    while [ ! -e ../go ]; do sleep 0.05; done
    cp -r run ../kept && rm filler
    while [ ! -e ../stop ]; do sleep 0.05; done
    kill -TERM $trainer; wait $trainer; status=$?
    cp -r run .. && exit $status
"#;

#[test]
fn on_a_full_disk_the_training_goes_on_and_saves_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), 1_000_000, 500);
    fs::create_dir(folder.path().join("disk")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", ON_A_SMALL_DISK, "sh"]).current_dir(folder.path());
    if !Command::new("unshare").args(["-Urm", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: this machine gives nobody a file system of their own");
        return;
    }
    let words = trainer(folder.path());
    command.arg(words.get_program()).args(words.get_args());
    let running = Running::start(command);
    let line = running.says("not saved");
    assert!(line.contains("step-") && line.contains("No space left"), "{line}");
    running.says("not saved");
    fs::write(folder.path().join("go"), "").unwrap();
    running.says("saved again");
    fs::write(folder.path().join("stop"), "").unwrap();
    let mut running = running;
    assert_eq!(running.child.wait().unwrap().code(), Some(143));
    let found = |run: &str| look(&folder.path().join(run)).unwrap().unwrap();
    assert!(found("kept").state.is_some() && found("kept").skipped.is_empty());
    assert!(found("run").step() > found("kept").step() && found("run").skipped.is_empty());
    let text = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
    let steps = text.lines().filter(|line| line.contains("train_loss")).count();
    assert_eq!(steps, found("run").step(), "lines were lost while the disk was full");
}
