//! A run that is made longer by a key.

use super::*;

#[test]
fn a_key_makes_a_run_longer_and_another_command_goes_on_with_it_to_its_new_end() {
    let epochs = 40_000;
    let mut explorer = Explorer::start(session_leader(&program()), &self::epochs(epochs));
    explorer.is_up();
    explorer.trains_on(30);
    explorer.type_keys("1E");
    explorer.wait_for("to step 180000 now, extended at step 120000: learning rate decays");
    explorer.quits();
    explorer.ends(0, PATIENCE);
    let run = explorer.run();
    let found = look(&run).unwrap().unwrap();
    assert_eq!((found.config.train.epochs, found.skipped.len()), (60_000, 0));
    assert_eq!(found.config.train.extended[0].from_step, 120_000);
    let until = (found.step() + 5).to_string();
    let mut command = Command::new(program());
    let args = ["train", "--resume", "--quiet", "--device", "cpu", "--steps", &until, "--run"];
    let resumed = command.args(args).arg(&run).output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    assert_eq!(last_step(&run), found.step() + 5);
}
