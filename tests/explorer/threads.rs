//! Fewer threads than the program would like, on a terminal.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Starts as a user who may have so many threads and processes: root may have any number, so another user does.
fn start_with(most: u32) -> Explorer {
    let folder = folder_with(ENDLESS);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = session_leader(Path::new("setpriv"));
    command.args(["--clear-groups", "--regid", "54321", "--reuid"]).arg((53_000 + most).to_string());
    command.arg("prlimit").arg(format!("--nproc={most}:{most}")).arg(program());
    Explorer::go_on(command, folder)
}

#[test]
fn a_limit_of_threads_is_a_line_after_the_screen_or_costs_speed_alone() {
    if !rustix::process::getuid().is_root() {
        return pty::skip("only root can become a user without processes");
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let plenty = u32::try_from(cores).unwrap() + 20;
    for most in (1..=10).chain([plenty]) {
        let mut explorer = start_with(most);
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
