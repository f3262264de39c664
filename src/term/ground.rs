//! The terminal's background, asked for once.
//!
//! The question is sent before the first frame. The key thread finds the answer among the keys at any time: a late
//! answer is dropped, and no answer is ever taken for keys.

use std::time::Duration;

/// OSC 11: asks for the background colour.
pub(super) const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";

/// How long the first frame may wait for the answer: a terminal without an answer must not cause a visible delay.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// Longest answer accepted.
const LONGEST_ANSWER: usize = 32;

/// The background, if colours are known to be readable on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ground {
    /// Approximately black, or as dark as Solarized's dark background.
    Dark,
    /// Approximately white, or as light as Solarized's light background.
    Light,
}

impl Ground {
    /// Parses the bytes after `ESC ]` in an answer; `None` without a colour, or for one between dark and light.
    pub(super) fn parse(answer: &[u8]) -> Option<Self> {
        let answer = std::str::from_utf8(answer).ok()?.strip_prefix("11;")?;
        let (_, channels) = answer.split_once(':').filter(|(model, _)| matches!(*model, "rgb" | "rgba"))?;
        let mut channels = channels.split('/').map(channel);
        let [r, g, b] = [channels.next()??, channels.next()??, channels.next()??];
        match 0.2126 * r + 0.7152 * g + 0.0722 * b {
            luminance if luminance <= 0.03 => Some(Self::Dark),
            luminance if luminance >= 0.85 => Some(Self::Light),
            _ => None,
        }
    }
}

/// The brightness of a channel of one to four hexadecimal digits.
fn channel(digits: &str) -> Option<f64> {
    let most = match digits.len() {
        length @ 1..=4 => (1_u32 << (4 * length)) - 1,
        _ => return None,
    };
    let share = f64::from(u32::from_str_radix(digits, 16).ok()?) / f64::from(most);
    Some(if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) })
}

/// End of the string after `ESC ]`, without and with its terminator; `None` while it is incomplete.
pub(super) fn string(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.iter().take(LONGEST_ANSWER).position(|byte| matches!(byte, 0x07 | 0x1b | 0x18 | 0x1a));
    match end.map(|end| (end, &bytes[end..])) {
        Some((end, [0x1b, b'\\', ..])) => Some((end, end + 2)),
        Some((_, [0x1b])) => None,
        // Another sequence has interrupted this one, and is parsed separately.
        Some((end, [0x1b, ..])) => Some((end, end)),
        Some((end, _)) => Some((end, end + 1)),
        None if bytes.len() < LONGEST_ANSWER => None,
        None => Some((LONGEST_ANSWER, LONGEST_ANSWER)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grounds_are_classified_by_their_brightness() {
        for dark in
            ["11;rgb:0000/0000/0000", "11;rgb:00/2b/36", "11;rgba:2828/2828/2828/ffff", "11;rgb:1/1/1"]
        {
            assert_eq!(Ground::parse(dark.as_bytes()), Some(Ground::Dark), "{dark}");
        }
        for light in ["11;rgb:ffff/ffff/ffff", "11;rgb:fdfd/f6f6/e3e3", "11;rgb:f/f/f"] {
            assert_eq!(Ground::parse(light.as_bytes()), Some(Ground::Light), "{light}");
        }
        for unknown in
            ["11;rgb:8080/8080/8080", "10;rgb:0/0/0", "11;?", "11;rgb:0/0", "11;rgb:00000/0/0", "11;"]
        {
            assert_eq!(Ground::parse(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
