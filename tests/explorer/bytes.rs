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
    thread::sleep(Duration::from_millis(1500));
    let seconds = watch(Duration::from_secs(4), Duration::from_secs(60)).as_secs() as usize;
    let mut bytes = counted(&explorer, seconds, Duration::from_secs(1));
    bytes.sort_unstable();
    let (median, most) = (bytes[bytes.len() / 2], bytes[bytes.len() * 99 / 100]);
    println!("training: median {median}, 99th percentile {most} bytes a second");
    assert!(median <= 1 << 10, "{bytes:?}");
    assert!(most <= 4 << 10, "{bytes:?}");
    let modes = explorer.modes();
    assert_eq!((modes.outside, &modes.unexpected), (0, &vec![]));
}
