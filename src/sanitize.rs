//! Makes text from outside safe to show.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character could control the terminal or reorder its line instead of being shown.
pub(crate) fn is_hostile(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Shows C0 and C1 controls, DEL and bidirectional overrides as visible escapes: `\x1b`, `\u{202e}`.
///
/// For the boundary: all text from files, the environment or other programs passes through here before it reaches a
/// widget or an error message. Text without such characters is borrowed.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_hostile) else {
        return Cow::Borrowed(text);
    };
    let mut safe = String::with_capacity(text.len() + 16);
    safe.push_str(&text[..first]);
    for character in text[first..].chars() {
        match character {
            '\t' => safe.push_str("\\t"),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\0'..='\x7f' if is_hostile(character) => {
                let _ = write!(safe, "\\x{:02x}", u32::from(character));
            }
            _ if is_hostile(character) => safe.extend(character.escape_unicode()),
            _ => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_and_overrides_become_visible() {
        assert_eq!(sanitize("\x1b]52;c;eA==\x07"), "\\x1b]52;c;eA==\\x07");
        assert_eq!(sanitize("a\tb\r\nc\x7f\0"), "a\\tb\\r\\nc\\x7f\\x00");
        assert_eq!(sanitize("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(sanitize("x\u{202e}y\u{2066}z"), "x\\u{202e}y\\u{2066}z");
    }

    #[test]
    fn harmless_text_is_borrowed() {
        for text in ["", "plain", "Grüße 漢字 👩‍🚀", "a\u{200d}b"] {
            assert!(matches!(sanitize(text), Cow::Borrowed(same) if same == text));
        }
    }

    proptest! {
        #[test]
        fn nothing_hostile_survives(text in any::<String>()) {
            let safe = sanitize(&text);
            prop_assert!(!safe.contains(is_hostile));
            prop_assert_eq!(sanitize(&safe), safe.as_ref());
        }
    }
}
