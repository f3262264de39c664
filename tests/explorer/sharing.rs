//! Two processes on one run: one trains, the other looks.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Starts training without a screen when the clock reaches `at`.
fn train_at(at: &str, folder: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", r#"while [ "$(date +%s%N)" -lt "$0" ]; do :; done; exec "$@""#, at]).arg(program());
    let command = arguments(&mut command, "train", folder).arg("--quiet");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The first of two to end, and the other.
fn sorted(mut one: Child, mut other: Child) -> (Child, Child) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if one.try_wait().unwrap().is_some() {
            return (one, other);
        }
        if other.try_wait().unwrap().is_some() {
            return (other, one);
        }
        assert!(Instant::now() < deadline, "both train");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_two_that_start_at_once_exactly_one_trains() {
    let pairs = watch(Duration::from_secs(3), Duration::from_secs(50)).as_secs();
    for _ in 0..pairs {
        let folder = folder_with(ENDLESS);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let at = (now + Duration::from_millis(80)).as_nanos().to_string();
        let (loser, winner) = sorted(train_at(&at, folder.path()), train_at(&at, folder.path()));
        let lost = loser.wait_with_output().unwrap();
        let said = String::from_utf8(lost.stderr).unwrap();
        assert_eq!(lost.status.code(), Some(3), "{said}");
        assert!(said.contains(&format!("process {}", winner.id())), "{said:?} does not name {}", winner.id());
        assert!(said.contains("headcount explore"), "{said:?} offers nothing");
        let run = folder.path().join("run");
        trains_to(&run, 1);
        kill_process(Pid::from_child(&winner), Signal::TERM).unwrap();
        let won = winner.wait_with_output().unwrap();
        assert_eq!(won.status.code(), Some(143), "the winner leaves in good order");
        is_saved(&run);
    }
}

#[test]
fn a_run_that_another_process_trains_can_be_looked_at() {
    let folder = folder_with(ENDLESS);
    let trainer = train_at("0", folder.path());
    let run = folder.path().join("run");
    trains_to(&run, 600);
    let looker = Explorer::go_on(session_leader(&program()), folder);
    looker.is_up();
    looker.type_keys("24P61");
    looker.trains_on(300);
    // It follows the run, which nobody here touches.
    let frames = looker.modes().frames;
    looker.wait_until("news", |pty| pty.modes().frames > frames + 1);
    looker.type_keys("q");
    let mut looker = looker;
    assert_eq!(looker.wait_for_exit(PATIENCE).code(), Some(0));
    looker.drain();
    assert!(looker.modes().is_restored());
    // Killed without a chance to clean up, it leaves nothing in the way of the next.
    let pid = Pid::from_child(&trainer);
    kill_process(pid, Signal::KILL).unwrap();
    trainer.wait_with_output().unwrap();
    let again = Explorer::go_on(session_leader(&program()), looker.take_folder());
    again.is_up();
    again.trains_on(300);
    again.type_keys("\x03");
    again.leaves(0, PATIENCE);
}

#[test]
fn whoever_looks_on_is_told_that_the_trainer_ended_and_that_the_run_is_another() {
    let folder = folder_with(ENDLESS);
    let run = folder.path().join("run");
    let trainer = train_at("0", folder.path());
    trains_to(&run, 600);
    let mut looker = Explorer::go_on(session_leader(&program()), folder);
    looker.wait_for(&format!("read-only: process {}", trainer.id()));
    kill_process(Pid::from_child(&trainer), Signal::TERM).unwrap();
    let trainer = trainer.wait_with_output().unwrap();
    assert_eq!(trainer.status.code(), Some(143));
    looker.wait_for("no longer trains this run: step ");
    let other = looker.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("config.toml"), format!("seed = 7\n{ENDLESS}")).unwrap();
    fs::rename(&run, looker.folder.path().join("before")).unwrap();
    fs::rename(&other, &run).unwrap();
    // Between the two renames it is gone.
    looker.wait_until("it is told", |pty| {
        ["another run is here now", "this run is gone"].iter().any(|words| pty.text().contains(words))
    });
    looker.type_keys("q");
    looker.ends(0, PATIENCE);
}
