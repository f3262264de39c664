//! The clipboard of the remote terminal, by OSC 52.

use crossterm::clipboard::CopyToClipboard;
use crossterm::queue;

use super::encode::encoded;

/// Length that every terminal accepts; some drop or truncate longer sequences.
const MOST: usize = 48 * 1024;

/// Result of a copy, as far as known: the terminal sends no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The terminal was asked.
    Sent,
    /// The terminal was asked through a multiplexer that may not pass the text on; a message for the user.
    Perhaps(&'static str),
    /// Longer than every terminal accepts. A pending earlier copy is still sent.
    TooLong,
}

const TMUX: &str = "sent; arrives if tmux has `set -s set-clipboard on`, otherwise e writes files";
const SCREEN: &str = "sent, but screen passes no clipboard on: e writes files";

/// The result of a sent copy.
pub(super) fn sent(variable: impl Fn(&str) -> Option<String>) -> Copied {
    let value = |name| variable(name).unwrap_or_default();
    let terminal = value("TERM");
    if !value("TMUX").is_empty() || terminal.starts_with("tmux") {
        Copied::Perhaps(TMUX)
    } else if !value("STY").is_empty() {
        Copied::Perhaps(SCREEN)
    } else if terminal.starts_with("screen") {
        // Over SSH only the name is known, and tmux may use this name too.
        Copied::Perhaps(TMUX)
    } else {
        Copied::Sent
    }
}

/// The sequence that puts this text on the terminal's clipboard; `None` if too long.
pub(super) fn copy(text: &str) -> Option<Vec<u8>> {
    (text.len() <= MOST).then(|| encoded(|bytes| queue!(bytes, CopyToClipboard::to_clipboard_from(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiplexer_is_recognised_from_the_environment() {
        let of = |variables: &[(&str, &str)]| {
            sent(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[("TERM", "xterm-256color"), ("TMUX", "")]), Copied::Sent);
        assert_eq!(of(&[("TERM", "screen-256color"), ("TMUX", "/tmp/tmux")]), Copied::Perhaps(TMUX));
        assert_eq!(of(&[("TERM", "tmux-256color")]), Copied::Perhaps(TMUX));
        assert_eq!(of(&[("TERM", "screen"), ("STY", "1.pts")]), Copied::Perhaps(SCREEN));
        assert_eq!(of(&[("TERM", "screen")]), Copied::Perhaps(TMUX));
    }

    #[test]
    fn too_much_is_refused() {
        assert!(copy(&"7".repeat(MOST)).is_some());
        assert_eq!(copy(&"7".repeat(MOST + 1)), None);
    }
}
