//! Fewer threads than the program would like: it does with fewer, or says in a line that it cannot.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use super::*;

/// Trains as a user who may have so many threads and processes. Root may have any number, so another user does.
fn train_with(most: u32) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    settings(folder.path(), 2, 100);
    let mut command = Command::new("setpriv");
    command.args(["--clear-groups", "--regid", "54321", "--reuid"]).arg((54_000 + most).to_string());
    command.args(["prlimit".into(), format!("--nproc={most}:{most}")]);
    let trainer = trainer(folder.path());
    command.arg(trainer.get_program()).args(trainer.get_args()).current_dir(folder.path());
    command.output().unwrap()
}

#[test]
fn a_limit_of_threads_is_a_line_and_never_a_panic() {
    if !rustix::process::getuid().is_root() {
        return println!("skipped: only root can become a user without processes");
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let plenty = u32::try_from(cores).unwrap() + 20;
    for most in [1, 2, 3, 4, 5, 6, 8, 10, 12, plenty] {
        let output = train_with(most);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.lines().all(|line| line.starts_with("headcount: ")), "{most}: {said}");
        assert!(said.lines().count() <= 2 && !said.contains("panicked"), "{most}: {said}");
        match output.status.code() {
            Some(0) => assert!(most > 2 && (most < plenty || said.is_empty()), "{most}: {said}"),
            Some(1) => assert!(most < 5 && said.contains("cannot start"), "{most}: {said}"),
            other => panic!("{most}: {other:?}, {said}"),
        }
    }
}
