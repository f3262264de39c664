//! The background of the terminal, asked for once.
//!
//! The question goes out before the first frame. The key thread finds the answer among the keys, whenever it comes: one
//! that comes too late for the first frame is dropped, and none is ever taken for keys.

use std::time::Duration;

/// OSC 11: which colour is behind the text?
pub(super) const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";

/// How long the first frame may wait for the answer: a terminal that gives none must not be felt.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// More than this is no answer.
const LONGEST_ANSWER: usize = 32;

/// What is behind the text, as far as colours are known to be readable on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ground {
    /// About as dark as black, or as Solarized's dark ground.
    Dark,
    /// About as light as white, or as Solarized's light ground.
    Light,
}

impl Ground {
    /// Of what follows `ESC ]` in an answer; `None` where it says nothing, or a colour between dark and light.
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

/// The light of a channel of one to four hexadecimal digits.
fn channel(digits: &str) -> Option<f64> {
    let most = match digits.len() {
        length @ 1..=4 => (1_u32 << (4 * length)) - 1,
        _ => return None,
    };
    let share = f64::from(u32::from_str_radix(digits, 16).ok()?) / f64::from(most);
    Some(if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) })
}

/// Where a string that follows `ESC ]` ends, and the bytes up to and with its end; `None` while it may go on.
pub(super) fn string(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.iter().take(LONGEST_ANSWER).position(|byte| matches!(byte, 0x07 | 0x1b | 0x18 | 0x1a));
    match end.map(|end| (end, &bytes[end..])) {
        Some((end, [0x1b, b'\\', ..])) => Some((end, end + 2)),
        Some((_, [0x1b])) => None,
        // Another sequence has broken in, and stands for itself.
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
    fn grounds_are_told_by_how_light_they_are() {
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
