//! A line as slow as a modem, whose buffers are as large as today's.

use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// What a frame of training may take; the same again may be on its way when a key is pressed.
const FRAME: usize = 4 << 10;

/// The place of the cursor in the strip of tokens.
fn cursor(pty: &Pty) -> Option<usize> {
    let text = pty.text();
    let strip = text.lines().find(|line| line.starts_with(" token"))?;
    strip.chars().position(|c| c == '▐')
}

/// Moves the cursor to either end; how long it took each time until that was seen, in order of length.
fn moves(explorer: &Explorer, number: usize) -> Vec<Duration> {
    let mut took: Vec<Duration> = (0..number)
        .map(|index| {
            thread::sleep(Duration::from_millis(300 + 137 * (index as u64 % 7)));
            let before = cursor(explorer);
            let pressed = Instant::now();
            explorer.type_keys(if index % 2 == 0 { "0" } else { "$" });
            explorer.wait_until("the cursor moves", |pty| {
                let now = cursor(pty);
                now.is_some() && now != before
            });
            pressed.elapsed()
        })
        .collect();
    took.sort_unstable();
    took
}

/// Looks around on a line of so many bytes a second: every key is answered within the bound, nothing piles up, and
/// quitting works.
fn look_around(rate: usize, bound: Duration, views: &str, number: usize) {
    let is_slow = rate < DEFAULT.parse().unwrap();
    let explorer = Explorer::training_with(&["--line-rate", if is_slow { SLOW } else { DEFAULT }]);
    for view in views.chars() {
        explorer.carry(0);
        explorer.type_keys(&view.to_string());
        explorer.wait_for(&format!("▐{view} "));
        thread::sleep(Duration::from_millis(500));
        explorer.carry(rate);
        let most = most_queued(&explorer, Duration::from_secs(number as u64));
        let took = moves(&explorer, number);
        let late = took[took.len() * 95 / 100];
        println!(
            "{rate} B/s, view {view}: a key is seen after {:?}, 95 % after {late:?}, at most {most} bytes wait",
            took[took.len() / 2]
        );
        assert!(late <= bound, "view {view} at {rate} B/s: {took:?}");
        assert!(most <= FRAME, "view {view} at {rate} B/s: {most} bytes wait on the line");
    }
    let asked = Instant::now();
    explorer.type_keys("\x03");
    explorer.leaves(0, PATIENCE);
    assert!(asked.elapsed() < bar(2 * SOON), "{:?}", asked.elapsed());
}

fn most_queued(explorer: &Explorer, time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut most = 0;
    while Instant::now() < end {
        most = most.max(explorer.queued());
        thread::sleep(Duration::from_millis(20));
    }
    most
}

#[test]
fn at_9600_bits_a_second_keys_are_answered_and_nothing_piles_up() {
    let (views, keys) = if is_long() { ("123456", 40) } else { ("1", 3) };
    look_around(960, bar(Duration::from_millis(2500)), views, keys);
}

#[test]
fn at_115200_bits_a_second_keys_are_answered_at_once() {
    let (views, keys) = if is_long() { ("123456", 40) } else { ("4", 3) };
    look_around(11_520, bar(Duration::from_millis(300)), views, keys);
}

#[test]
fn keys_that_come_faster_than_frames_share_one() {
    let explorer = Explorer::training();
    explorer.rests();
    explorer.carry(960);
    let before = explorer.modes().frames;
    explorer.type_keys(&format!("{}4", "23456".repeat(40)));
    thread::sleep(Duration::from_millis(500));
    let queued = explorer.queued();
    explorer.carry(0);
    explorer.wait_for("▐4 Neurons▌");
    let frames = explorer.modes().frames - before;
    assert!(frames <= 20, "{frames} frames for 201 keys, {queued} bytes on the line");
    explorer.type_keys("\x03");
    explorer.leaves(0, PATIENCE);
}
