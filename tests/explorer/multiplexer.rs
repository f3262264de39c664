//! Inside tmux, as those who want to stay attached are told to run it.

use std::time::Instant;

use super::*;
use crate::pty::has;

/// A tmux server of our own, which ends with us.
struct Tmux {
    folder: PathBuf,
}

impl Tmux {
    /// Starts the program in a session of 80 by 24 cells.
    fn start(folder: &Path) -> Self {
        let tmux = Self { folder: folder.to_owned() };
        let program = program();
        let words = ["new-session", "-d", "-s", "s", "-x", "80", "-y", "24", "env", "-uNO_COLOR"];
        let mut command = tmux.command(&["set", "-g", "status", "off", ";"]);
        command.args(words).args(["LC_ALL=C.UTF-8", "COLORTERM="]).arg(program);
        // Without a client tmux knows no background.
        let started = arguments(&mut command, "explore", folder).args(["--theme", "dark"]).output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        tmux
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(self.folder.join("socket")).args(words);
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").current_dir(&self.folder);
        command
    }

    fn tell(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn screen(&self) -> String {
        trimmed(&self.tell(&["capture-pane", "-p", "-t", "s"]))
    }

    fn waits_for(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.screen()) {
            assert!(Instant::now() < deadline, "not on the screen in tmux: {what}\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.tell(&["kill-server"]);
    }
}

/// Without the blanks at the end of lines, which tmux does not keep.
fn trimmed(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn the_screen_is_the_same_inside_tmux() {
    if !has("tmux", "-V") {
        return;
    }
    let mut direct = Explorer::finished();
    let views = ["2", "3", "4", "5", "6", "1"];
    let screens = views.map(|view| {
        direct.type_keys(view);
        direct.wait_for(&format!("▐{view} "));
        direct.wait_until("all its figures", |pty| !pty.text().contains("computing"));
        direct.settles();
        trimmed(&direct.text())
    });
    direct.type_keys("q");
    direct.ends(0, PATIENCE);
    let tmux = Tmux::start(direct.folder.path());
    for (view, screen) in views.iter().zip(screens) {
        tmux.tell(&["send-keys", "-t", "s", view]);
        tmux.waits_for(&screen, |text| text == screen);
    }
}

#[test]
fn a_copy_that_may_not_arrive_says_what_it_needs_and_the_other_way() {
    let mut direct = Explorer::finished();
    let copies = |explorer: &mut Explorer, said: &str| {
        explorer.until(said, "y", |pty| pty.text().contains(said));
    };
    copies(&mut direct, "sent to the terminal's clipboard");
    direct.quits();
    direct.ends(0, PATIENCE);
    let mut command = session_leader(Path::new("env"));
    command.args(["STY=1.s", "TERM=screen"]).arg(program());
    let mut in_screen = Explorer::go_on(command, direct.take_folder());
    in_screen.is_up();
    copies(&mut in_screen, "screen passes no clipboard on: e writes files");
    if has("tmux", "-V") {
        let tmux = Tmux::start(in_screen.folder.path());
        tmux.waits_for("a notice", |text| {
            tmux.tell(&["send-keys", "-t", "s", "y"]);
            text.contains("tmux has `set -s set-clipboard on`, otherwise e writes")
        });
    }
}

#[test]
fn detached_it_trains_on_and_a_session_that_is_killed_is_a_hang_up() {
    if !has("tmux", "-V") {
        return;
    }
    let folder = folder_with(ENDLESS);
    let run = folder.path().join("run");
    let tmux = Tmux::start(folder.path());
    tmux.waits_for("the first view", |text| text.contains("▐1 Train▌"));
    let attach = || {
        let mut command = session_leader(Path::new("tmux"));
        command.args(tmux.command(&["attach", "-t", "s"]).get_args());
        command.env_remove("TMUX");
        Pty::spawn(&mut command, folder_with("")).unwrap()
    };
    let mut client = attach();
    client.wait_for("▐1 Train▌");
    tmux.tell(&["detach-client", "-s", "s"]);
    client.wait_for_exit(PATIENCE);
    let before = last_step(&run);
    std::thread::sleep(watch(Duration::from_millis(500), Duration::from_secs(10)));
    trains_to(&run, before + 1);
    let mut client = attach();
    client.wait_for("▐1 Train▌");
    tmux.tell(&["send-keys", "-t", "s", "2"]);
    client.wait_for("▐2 Attention▌");
    let lock = fs::read_to_string(run.join("lock")).unwrap();
    let process = format!("/proc/{}/stat", lock.split_whitespace().next().unwrap());
    // One that has ended may wait for whoever asks for its status.
    let is_there = || fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(is_there());
    let killed = Instant::now();
    tmux.tell(&["kill-session", "-t", "s"]);
    while is_there() {
        assert!(killed.elapsed() < PATIENCE, "still there");
        std::thread::sleep(Duration::from_millis(2));
    }
    println!("session killed: gone after {:?}", killed.elapsed());
    assert!(killed.elapsed() < bar(2 * SOON), "{:?}", killed.elapsed());
    is_saved(&run);
    client.wait_for_exit(PATIENCE);
}
