//! What goes over the line, and what does not.

use std::thread;
use std::time::Duration;

use super::*;

/// Bytes in each of some stretches of time.
fn counted(explorer: &Explorer, stretches: usize, each: Duration) -> Vec<usize> {
    let mut before = explorer.output().len();
    let mut next = || {
        thread::sleep(each);
        let now = explorer.output().len();
        now - std::mem::replace(&mut before, now)
    };
    (0..stretches).map(|_| next()).collect()
}

#[test]
fn an_idle_screen_sends_nothing() {
    let time = watch(Duration::from_millis(1500), Duration::from_secs(10));
    let paused = Explorer::training();
    paused.rests();
    for explorer in [paused, Explorer::finished()] {
        thread::sleep(Duration::from_millis(1200));
        assert_eq!(counted(&explorer, 1, time), [0]);
        // It is not dead either.
        let before = explorer.modes().frames;
        explorer.type_keys("?");
        explorer.wait_until("a frame after a key", |pty| pty.modes().frames > before);
    }
}

#[test]
fn training_sends_little_and_only_whole_frames() {
    let explorer = Explorer::training();
    let seconds = watch(Duration::from_secs(3), Duration::from_secs(60)).as_secs() as usize;
    let views: &[&str] = if seconds > 3 { &["1", "2", "3", "4", "5", "6"] } else { &["1", "2"] };
    for view in views {
        let before = (explorer.output().len(), explorer.modes().frames);
        explorer.type_keys(view);
        thread::sleep(Duration::from_millis(300));
        let change = explorer.output().len() - before.0;
        // What the change of view took is earned again first.
        thread::sleep(Duration::from_millis(2500));
        let frames = explorer.modes().frames;
        let mut bytes = counted(&explorer, seconds, Duration::from_secs(1));
        let frames = explorer.modes().frames - frames;
        bytes.sort_unstable();
        let (median, most) = (bytes[bytes.len() / 2], bytes[bytes.len() * 99 / 100]);
        println!(
            "view {view}: {change} bytes at first, then {frames} frames, median {median}, most {most} a second"
        );
        assert!(bytes.iter().sum::<usize>() <= bytes.len() << 10, "view {view}: {bytes:?}");
        assert!(most <= 4 << 10, "view {view}: {bytes:?}");
    }
    let modes = explorer.modes();
    assert_eq!((modes.outside, &modes.unexpected), (0, &vec![]));
}
