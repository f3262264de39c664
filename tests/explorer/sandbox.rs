//! What the program does to the rest of the machine: every call that starts a process, opens a connection or changes
//! a file, as strace sees it.

use super::*;
use crate::pty::has;

const CALLS: &str = "trace=execve,execveat,fork,vfork,socket,socketpair,connect,bind,listen,open,openat,openat2,creat,unlink,unlinkat,rename,\
                     renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,truncate,chmod,fchmodat,\
                     chown,mknod,mknodat";

/// What is wrong with a call, if something is. The program works in `folder` and may write in `folder/run` only.
fn objection(call: &str, folder: &Path) -> Option<&'static str> {
    let (name, arguments) = call.split_once('(')?;
    let texts = || arguments.split('"').skip(1).step_by(2);
    let is_inside = |path: &str| {
        let path = folder.join(path);
        path.starts_with(folder.join("run")) && !path.to_string_lossy().contains("..")
    };
    // What has no right for anybody else, where rights are given at all.
    let is_private = || {
        let end = arguments.find(')').or_else(|| arguments.find(" <unfinished")).unwrap_or(arguments.len());
        arguments[..end].ends_with("00")
    };
    match name {
        "execve" | "execveat" | "fork" | "vfork" => Some("starts a process"),
        "open" | "openat" | "openat2" | "creat" => {
            let writes =
                ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| arguments.contains(flag));
            let is_terminal = texts().all(|path| path.starts_with("/dev/pts/") || path == "/dev/tty");
            if !writes || is_terminal {
                None
            } else if !texts().all(is_inside) {
                Some("writes outside the run directory")
            } else {
                (arguments.contains("O_CREAT") && !is_private())
                    .then_some("makes a file that others can read")
            }
        }
        "mkdir" | "mkdirat" if !is_private() => Some("makes a directory that others can enter"),
        "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2" | "mkdir" | "mkdirat" => {
            (!texts().all(is_inside)).then_some("changes names outside the run directory")
        }
        // How signals reach their thread.
        "socketpair" if arguments.starts_with("AF_UNIX") => None,
        _ => Some("is no call that it needs"),
    }
}

#[test]
fn what_must_not_be_called_is_told_from_what_may() {
    let of = |call: &str| objection(call, Path::new("/w"));
    for good in [
        r#"openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3"#,
        r#"openat(AT_FDCWD, "run/lock", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3"#,
        r#"openat(AT_FDCWD, "/dev/pts/3", O_RDWR|O_NONBLOCK) = 4"#,
        r#"mkdir("run/checkpoints", 0700)     = -1 ENOENT (No such file)"#,
        r#"mkdir("run/exports", 0700 <unfinished ...>"#,
        "socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, [6, 7]) = 0",
        r#"rename("run/.a.tmp", "/w/run/a") = 0"#,
    ] {
        assert_eq!(of(good), None, "{good}");
    }
    for bad in [
        r#"execve("/bin/sh", ["sh"], 0x7ff) = 0"#,
        "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3",
        r#"openat(AT_FDCWD, "run/lock", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 3"#,
        r#"openat(AT_FDCWD, "run/../x", O_WRONLY|O_CREAT, 0600) = 3"#,
        r#"openat(AT_FDCWD, "/tmp/x", O_WRONLY|O_CREAT, 0600 <unfinished ...>"#,
        r#"mkdir("run", 0755) = 0"#,
        r#"unlink("settings.toml") = 0"#,
        r#"rename("run/a", "b") = 0"#,
    ] {
        assert!(of(bad).is_some(), "{bad}");
    }
}

#[test]
fn it_starts_nothing_connects_to_nothing_and_writes_in_its_run_alone() {
    if !has("strace", "true") {
        return;
    }
    let folder = folder_with(ENDLESS);
    let log = folder.path().join("calls");
    let mut command = session_leader(Path::new("strace"));
    command.args(["-f", "-qq", "-e", "signal=none", "-e", CALLS, "-o"]).arg(&log).arg(program());
    let explorer = Explorer::go_on(command, folder);
    explorer.is_up();
    explorer.trains_on(30);
    for keys in
        ["1ye", "2ye\x1b", "3i12\x1b", "4b \x1b", "5ye", "6\r", "?\x1b", "PSP", "[]", "\x0c", "m", "F"]
    {
        explorer.type_keys(keys);
        std::thread::sleep(Duration::from_millis(100));
    }
    explorer.wait_until("numbers are exported", |explorer| explorer.run().join("exports").exists());
    explorer.type_keys("\x1b\x1b");
    std::thread::sleep(Duration::from_millis(300));
    let mut explorer = explorer;
    explorer.quits();
    explorer.ends(0, PATIENCE);
    explorer.is_saved();
    let calls = fs::read_to_string(log).unwrap();
    let calls: Vec<&str> = calls
        .lines()
        .map(|line| line.split_once(' ').map_or(line, |(_, call)| call.trim_start()))
        .filter(|call| !call.starts_with("<...") && !call.starts_with("+++"))
        .collect();
    let (first, rest) = calls.split_first().unwrap();
    assert!(first.starts_with("execve(") && rest.len() > 20, "{calls:?}");
    let odd: Vec<_> =
        rest.iter().filter_map(|call| Some((objection(call, explorer.folder.path())?, call))).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    println!("{} calls, and nothing to object to", rest.len());
}
