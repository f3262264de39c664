//! What memory there is: sizes are held against it before anything is allocated, for an allocation that fails ends the
//! program.

use std::fs;

use thiserror::Error;

/// More than there is.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{what} would take {} of memory, and {} are available: {cause}", gib(*needed), gib(*available))]
pub struct TooMuch {
    what: &'static str,
    needed: u128,
    available: u128,
    cause: String,
}

fn gib(bytes: u128) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1_u32 << 30))
}

/// Refuses what takes more bytes than are available; `cause` names the settings that decide the size.
///
/// # Errors
/// With the estimate and the cause.
pub fn check(what: &'static str, needed: u128, cause: &str) -> Result<(), TooMuch> {
    match available() {
        Some(available) if needed > available => {
            Err(TooMuch { what, needed, available, cause: cause.into() })
        }
        _ => Ok(()),
    }
}

/// Bytes that this process can still take, as the kernel and its own limit of address space say.
fn available() -> Option<u128> {
    let number = |file: &str, line: &str, field: usize| -> Option<u128> {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|found| found.strip_prefix(line))?;
        line.split_whitespace().nth(field)?.parse().ok()
    };
    let free = number("/proc/meminfo", "MemAvailable:", 0).map(|kib| kib << 10);
    let limit = number("/proc/self/limits", "Max address space", 0);
    let taken = number("/proc/self/status", "VmSize:", 0).map_or(0, |kib| kib << 10);
    free.into_iter().chain(limit.map(|limit| limit.saturating_sub(taken))).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_all_memory_is_refused_with_its_size_and_cause() {
        assert_eq!(check("nothing", 0, ""), Ok(()));
        let error = check("the figure", 1 << 60, "model.d_vocab = 7").unwrap_err().to_string();
        assert!(error.starts_with("the figure would take 1073741824.0 GiB of memory"), "{error}");
        assert!(error.ends_with(": model.d_vocab = 7"), "{error}");
    }
}
