//! Fewer threads than the program would like, on a terminal.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder that any user may write to.
fn open_folder() -> TempDir {
    let folder = folder_with(ENDLESS);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// Starts as a user who may have so many threads and processes: root may have any number, so another user does.
fn start_as(user: u32, most: usize, folder: TempDir) -> Explorer {
    let mut command = session_leader(Path::new("setpriv"));
    command.args(["--clear-groups", "--regid", "54321", "--reuid"]).arg(user.to_string());
    command.arg("prlimit").arg(format!("--nproc={most}:{most}")).arg(program());
    Explorer::go_on(command, folder)
}

#[test]
fn a_limit_of_threads_is_a_line_after_the_screen_or_costs_speed_alone() {
    if !rustix::process::getuid().is_root() {
        return pty::skip("only root can become a user without processes");
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let plenty = cores + 20;
    for most in (1..=10).chain([plenty]) {
        let mut explorer = start_as(53_000 + u32::try_from(most).unwrap(), most, open_folder());
        let run = explorer.run();
        explorer.wait_until("it trains, or has ended", |pty| {
            last_step(&run) > 0 || String::from_utf8_lossy(&pty.output()).contains("cannot start")
        });
        let starts = !String::from_utf8_lossy(&explorer.output()).contains("cannot start");
        assert!(starts || most < plenty);
        if starts {
            explorer.quits();
        }
        let output = String::from_utf8(explorer.ends(i32::from(!starts), PATIENCE)).unwrap();
        assert!(!output.contains("panicked"), "{most}: {output}");
        let after = output.rsplit("\x1b[?1049l").next().unwrap();
        let said = after.lines().filter(|line| line.contains("cannot start")).count();
        assert_eq!(said, usize::from(!starts), "{most}: {after}");
    }
}

/// A process that ends with the test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is shown of a run that another process trains where there are so many threads; then it quits.
fn looks(user: u32, most: usize, folder: TempDir) -> (String, TempDir) {
    let mut explorer = start_as(user, most, folder);
    explorer.wait_until("it shows the run, or has ended", |pty| {
        let output = String::from_utf8_lossy(&pty.output()).into_owned();
        output.contains("cannot start") || pty.text().contains("read-only: ")
    });
    let shown = explorer.text();
    let starts = explorer.modes().is_alternate();
    if starts {
        explorer.type_keys("2");
        explorer.wait_for("▐2 Attention▌");
        explorer.quits();
    }
    let output = String::from_utf8(explorer.ends(i32::from(!starts), PATIENCE)).unwrap();
    assert!(!output.contains("panicked"), "{most}: {output}");
    (shown, explorer.take_folder())
}

/// The last thread to start follows the run: with some number of threads it is the one that is missing.
#[test]
fn a_run_that_cannot_be_followed_is_shown_as_it_was() {
    if !rustix::process::getuid().is_root() {
        return pty::skip("only root can become a user without processes");
    }
    let user = 53_999;
    let mut folder = open_folder();
    let mut command = Command::new("setpriv");
    command.args(["--clear-groups", "--regid", "54321", "--reuid"]).arg(user.to_string()).arg(program());
    let trainer = arguments(&mut command, "train", folder.path()).arg("--quiet").spawn().unwrap();
    let trainer = Killed(trainer);
    trains_to(&folder.path().join("run"), 30);
    let taken = fs::read_dir(format!("/proc/{}/task", trainer.0.id())).unwrap().count();
    let mut shown = Vec::new();
    for most in taken + 1..taken + 20 {
        let (screen, same) = looks(user, most, folder);
        folder = same;
        shown.push(screen.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let unfollowed = "note: cannot start the thread that follows this run: ";
    let of_it = shown.iter().filter(|screen| screen.contains(unfollowed));
    assert!(
        of_it.clone().count() > 0 && of_it.clone().all(|screen| screen.contains("shown as it was")),
        "{shown:#?}"
    );
    assert!(shown.last().unwrap().contains("read-only: process "), "{shown:#?}");
}
