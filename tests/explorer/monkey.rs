//! Keys, junk, pastes, windows and signals as they come, from a seed.

use std::thread;
use std::time::{Duration, Instant};

use headcount::random::{Purpose, stream};
use rand::Rng;

use super::*;

/// Every key of the keymap but those that end the program, and `e`, which fills the disk.
const KEYS: &str = "123456 uUmdtT[]{}fFiyrnN0$wWcC.,><PS?hljkxzZ+-aAvogGspbB\t\r\x0c\x1a\x7f\x0b";

/// Sequences whole, cut, unknown and unasked for.
const SEQUENCES: [&str; 16] = [
    "\x1b",
    "\x1b[A",
    "\x1b[B",
    "\x1bOP",
    "\x1b[5~",
    "\x1b[1;5D",
    "\x1b[Z",
    "\x1b[999;999H",
    "\x1b[<35;300;200M",
    "\x1b[M !!",
    "\x1b[200~P,1,2,qq\x03\x1b[201~",
    "\x1b[200~ never closed",
    "\x1b]11;rgb:0/0/0\x1b\\",
    "\x1bP>|term\x1b\\",
    "\u{202e}漢字",
    "\x1b[?1;2c",
];

/// Bytes without a key that ends the program.
fn junk(random: &mut impl Rng) -> String {
    let bytes = (0..random.gen_range(1..12)).map(|_| random.r#gen::<u8>());
    String::from_utf8_lossy(&bytes.filter(|byte| !b"qe\x03".contains(byte)).collect::<Vec<_>>()).into_owned()
}

/// Does something to the program.
fn act(explorer: &mut Explorer, random: &mut impl Rng) {
    match random.gen_range(0..100) {
        0..70 => {
            let key = KEYS.as_bytes()[random.gen_range(0..KEYS.len())];
            explorer.type_keys(&char::from(key).to_string());
        }
        70..82 => explorer.type_keys(SEQUENCES[random.gen_range(0..SEQUENCES.len())]),
        82..88 => explorer.type_keys(&junk(random)),
        88..98 => explorer.resize(random.gen_range(0..300), random.gen_range(0..100)),
        _ => {
            let signals = [Signal::WINCH, Signal::TSTP, Signal::USR1, Signal::CONT, Signal::STOP];
            explorer.signal(signals[random.gen_range(0..signals.len())]);
            explorer.signal(Signal::CONT);
        }
    }
}

/// From a key to the frame that it asks for, once what came before is dealt with.
fn answer(explorer: &mut Explorer) -> Duration {
    explorer.resize(80, 24);
    // The end of a paste that was never closed, and time for a sequence that was cut.
    explorer.type_keys("\x1b[201~");
    thread::sleep(Duration::from_millis(120));
    explorer.type_keys("\x1b");
    thread::sleep(Duration::from_millis(120));
    let before = explorer.output().len();
    explorer.until("the screen is redrawn", "\x0c", |pty| {
        pty.output()[before..].windows(4).any(|bytes| bytes == b"\x1b[2J")
    })
}

/// Lets the monkey at it for a while; how long keys took meanwhile, in order.
fn play(seed: u64, time: Duration) -> Vec<Duration> {
    let mut explorer = Explorer::training();
    let mut random = stream(seed, Purpose::Data, 0);
    let (started, mut took, mut resident) = (Instant::now(), Vec::new(), None);
    while started.elapsed() < time {
        for _ in 0..100 {
            act(&mut explorer, &mut random);
            thread::sleep(Duration::from_millis(5));
        }
        took.push(answer(&mut explorer));
        if started.elapsed() > time / 3 {
            resident.get_or_insert_with(|| memory(explorer.holder()));
        }
    }
    let growth = memory(explorer.holder()).saturating_sub(resident.unwrap_or_default());
    took.sort_unstable();
    println!(
        "seed {seed}: {} keys answered, the slowest after {:?}, {growth} KiB more",
        took.len(),
        took[took.len() - 1]
    );
    assert!(growth <= 16 << 10, "seed {seed}: {growth} KiB");
    let modes = explorer.modes();
    assert!(modes.unexpected.is_empty(), "seed {seed}: {:?}", modes.unexpected);
    explorer.type_keys("\x1b");
    thread::sleep(Duration::from_millis(120));
    explorer.quits();
    explorer.leaves(0, PATIENCE);
    took
}

#[test]
fn a_monkey_at_the_keys_changes_nothing_that_matters() {
    let (seeds, time) =
        if is_long() { (1..=3, Duration::from_secs(60)) } else { (1..=1, Duration::from_secs(4)) };
    for seed in seeds {
        let took = play(seed, time);
        let late = took[took.len() * 99 / 100];
        assert!(late <= bar(Duration::from_millis(250)), "seed {seed}: {took:?}");
    }
}
