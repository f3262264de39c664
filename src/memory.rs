//! Compares sizes with the available memory before allocation: a failed allocation ends the program.

use std::fs;

use thiserror::Error;

/// More memory than available.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
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

/// Rejects more bytes than are available; `cause` names what determines the size.
///
/// # Errors
/// Gives the estimate and the cause.
pub fn check(what: &'static str, needed: u128, cause: impl FnOnce() -> String) -> Result<(), TooMuch> {
    match available() {
        Some(available) if needed > available => Err(TooMuch { what, needed, available, cause: cause() }),
        _ => Ok(()),
    }
}

/// A setting that affects sizes.
pub struct Size<C> {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: fn(&C) -> usize,
    /// Changes its value.
    pub set: fn(&mut C, usize),
}

/// `name = value` of the setting that takes most of the bytes of `config`: reset to its value in `usual`, it would save
/// most.
pub fn largest<C: Clone>(config: &C, usual: &C, sizes: &[Size<C>], bytes: impl Fn(&C) -> u128) -> String {
    let without = |size: &Size<C>| {
        let mut smaller = config.clone();
        (size.set)(&mut smaller, (size.value)(usual));
        bytes(&smaller)
    };
    let largest = sizes.iter().min_by_key(|size| without(size));
    largest.map_or_else(String::new, |size| format!("{} = {}", size.name, (size.value)(config)))
}

/// Bytes that this process can still allocate, from the kernel and the process's address space limit.
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
    fn sizes_beyond_all_memory_are_refused_with_size_and_cause() {
        assert_eq!(check("nothing", 0, String::new), Ok(()));
        let error = check("the figure", 1 << 60, || "model.d_vocab = 7".into()).unwrap_err().to_string();
        assert!(error.starts_with("the figure would take 1073741824.0 GiB of memory"), "{error}");
        assert!(error.ends_with(": model.d_vocab = 7"), "{error}");
    }

    #[test]
    fn the_setting_that_is_far_from_usual_is_named() {
        type Table = [usize; 2];
        let sizes: [Size<Table>; 2] = [
            Size { name: "rows", value: |of| of[0], set: |of, to| of[0] = to },
            Size { name: "columns", value: |of| of[1], set: |of, to| of[1] = to },
        ];
        let named =
            |rows, columns| largest(&[rows, columns], &[100, 10], &sizes, |of| of[0] as u128 * of[1] as u128);
        assert_eq!(named(100, 1000), "columns = 1000");
        assert_eq!(named(500, 20), "rows = 500");
    }
}
