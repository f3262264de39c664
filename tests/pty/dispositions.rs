//! What a program under test inherits is decided here, not by whoever started the tests: a script without job control
//! starts what runs in the background with SIGINT and SIGQUIT ignored, and `nohup` with SIGHUP.

use std::fs;
use std::sync::{Arc, Once};

/// From now on every program that is started has the default disposition of every signal, unless a shell in between
/// says otherwise: a signal that is caught is reset for a new program, and one that is ignored is not.
pub(crate) fn are_the_default() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").expect("there is /proc");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
        let mask = u64::from_str_radix(mask.trim(), 16).expect("a number");
        // The C library keeps the two in between for itself.
        let ignored = (1..32).chain(34..=64).filter(|signal| mask >> (signal - 1) & 1 == 1);
        for signal in ignored.filter(|signal| !signal_hook::consts::FORBIDDEN.contains(signal)) {
            signal_hook::flag::register(signal, Arc::default()).expect("a signal can be caught");
        }
    });
}
