//! What a program has told its terminal, beyond the text: modes, colours, and whether it keeps to the
//! few sequences that it is allowed.

use std::collections::{BTreeMap, BTreeSet};

/// The state after some output.
#[derive(Debug, Default)]
pub(crate) struct Modes {
    /// The private modes that were ever changed, and how they are now.
    pub(crate) private: BTreeMap<u16, bool>,
    /// Whether a colour was ever chosen.
    pub(crate) has_colors: bool,
    /// The attributes that were ever chosen.
    pub(crate) attributes: BTreeSet<u8>,
    /// Whether the last SGR was a reset.
    pub(crate) plain: bool,
    /// Frames completed.
    pub(crate) frames: usize,
    /// Bytes on the alternate screen that belong to no frame.
    pub(crate) outside: usize,
    /// Sequences that ended with the escape of the next.
    pub(crate) cut: usize,
    /// What was put on the clipboard, in base 64.
    pub(crate) copied: Vec<String>,
    /// Times that the background was asked for: once, before the first frame.
    pub(crate) questions: usize,
    /// Sequences that nobody expects of us.
    pub(crate) unexpected: Vec<String>,
}

const ALTERNATE: u16 = 1049;
const CURSOR: u16 = 25;
const PASTE: u16 = 2004;
const FRAME: u16 = 2026;

impl Modes {
    pub(crate) fn of(output: &[u8]) -> Self {
        let mut modes = Self { plain: true, ..Self::default() };
        let mut rest = output;
        while let Some((first, after)) = rest.split_first() {
            rest = if *first == 0x1b { modes.sequence(after) } else { modes.byte(*first, after) };
        }
        modes
    }

    fn is_set(&self, mode: u16) -> bool {
        self.private.get(&mode).copied().unwrap_or(mode == CURSOR)
    }

    pub(crate) fn is_alternate(&self) -> bool {
        self.is_set(ALTERNATE)
    }

    /// Whether the terminal is as it was before.
    pub(crate) fn is_restored(&self) -> bool {
        let default = self.private.iter().all(|(mode, set)| *set == (*mode == CURSOR));
        default && self.plain && self.unexpected.is_empty()
    }

    /// The sequences that lead to these modes.
    pub(crate) fn set_again(&self) -> Vec<u8> {
        let sequence = |(mode, on): (&u16, &bool)| format!("\x1b[?{mode}{}", if *on { 'h' } else { 'l' });
        self.private.iter().map(sequence).collect::<String>().into_bytes()
    }

    fn byte<'a>(&mut self, byte: u8, after: &'a [u8]) -> &'a [u8] {
        if self.is_alternate() {
            self.outside += usize::from(!self.is_set(FRAME));
            if byte < 0x20 || byte == 0x7f {
                self.unexpected.push(format!("byte {byte:#x}"));
            }
        }
        after
    }

    /// What follows an escape.
    fn sequence<'a>(&mut self, after: &'a [u8]) -> &'a [u8] {
        if let Some(rest) = after.strip_prefix(b"]52;c;") {
            return self.clipboard(rest);
        }
        if let Some(rest) = after.strip_prefix(b"]11;?\x1b\\") {
            self.questions += 1;
            if self.questions > 1 || self.frames > 0 {
                self.unexpected.push("a question for the background".into());
            }
            return rest;
        }
        let Some(rest) = after.strip_prefix(b"[") else {
            self.unexpected.push("an escape without a bracket".into());
            return after;
        };
        let length = rest.iter().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
        let (parameters, rest) = rest.split_at(length);
        let parameters = String::from_utf8_lossy(parameters).into_owned();
        match rest.split_first() {
            Some((0x1b, _)) => {
                self.cut += 1;
                rest
            }
            Some((last, rest)) => {
                self.control(&parameters, *last);
                rest
            }
            None => rest,
        }
    }

    /// The text that follows is put on the clipboard; a question about what is there is none of ours.
    fn clipboard<'a>(&mut self, after: &'a [u8]) -> &'a [u8] {
        let is_text = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        let (text, rest) = after.split_at(after.iter().take_while(|byte| is_text(byte)).count());
        match rest.strip_prefix(b"\x07").or_else(|| rest.strip_prefix(b"\x1b\\")) {
            Some(rest) if !text.is_empty() => {
                self.copied.push(String::from_utf8_lossy(text).into_owned());
                self.outside += usize::from(self.is_alternate() && !self.is_set(FRAME));
                rest
            }
            _ => {
                self.unexpected.push("a request to the clipboard".into());
                rest
            }
        }
    }

    fn control(&mut self, parameters: &str, last: u8) {
        let in_frame = self.is_set(FRAME);
        match (last, parameters.strip_prefix('?')) {
            (b'h' | b'l', Some(mode)) => return self.switch(mode.parse().unwrap_or(0), last == b'h'),
            (b'm', None) => {
                self.plain = matches!(parameters, "" | "0");
                self.rendition(parameters);
            }
            (b'H' | b'C', None) => {}
            (b'J', None) if parameters == "2" => {}
            _ => self.unexpected.push(format!("CSI {parameters} {}", char::from(last))),
        }
        // The way in resets the colours once, before the first frame.
        if self.is_alternate() && !in_frame && last != b'm' {
            self.outside += 1;
        }
    }

    fn rendition(&mut self, parameters: &str) {
        for code in parameters.split(';').map(|code| code.parse().unwrap_or(0)) {
            match code {
                1..=9 => drop(self.attributes.insert(code)),
                30..=49 | 90..=107 => {
                    self.has_colors = true;
                    // What follows may be the numbers of a colour.
                    return;
                }
                _ => {}
            }
        }
    }

    fn switch(&mut self, mode: u16, on: bool) {
        if ![ALTERNATE, CURSOR, PASTE, FRAME].contains(&mode) {
            self.unexpected.push(format!("mode {mode}"));
        }
        self.frames += usize::from(mode == FRAME && !on && self.is_set(FRAME));
        self.private.insert(mode, on);
    }
}

#[test]
fn what_is_left_on_shows() {
    let is_restored = |output: &str| Modes::of(output.as_bytes()).is_restored();
    assert!(is_restored("plain \x1b[1mbold\x1b[0m\r\n"));
    assert!(is_restored("\x1b[?1049h\x1b[?25l\x1b[?2004hx\x1b[?2004l\x1b[?25h\x1b[?1049l"));
    for left_on in
        ["\x1b[?1049h", "\x1b[?25l", "\x1b[?2004h", "\x1b[?2026h", "\x1b[7m", "\x1b[?1000h\x1b[?1000l"]
    {
        assert!(!is_restored(left_on), "{left_on:?}");
    }
    assert!(is_restored("\x1b[?2026h\x1b[7m\x1b[1;38;\x1b[?2026l\x1b[0m"), "an escape ends what was cut");
    for query in ["\x1b[6n", "\x1b[c", "\x1b]52;c;?\x07", "\x1b]0;title\x07", "\x1bP+q\x1b\\"] {
        assert!(!Modes::of(query.as_bytes()).unexpected.is_empty(), "{query:?}");
    }
    let copied = Modes::of(b"\x1b]52;c;eA==\x07\x1b]52;c;eQ==\x1b\\");
    assert!(copied.copied == ["eA==", "eQ=="] && copied.is_restored(), "{copied:?}");
}

#[test]
fn what_is_drawn_outside_a_frame_shows() {
    let of = |output: &str| Modes::of(output.as_bytes());
    let good = of("\x1b[?1049h\x1b[?2026h\x1b[2J\x1b[1;1Hab\x1b[?2026l");
    assert_eq!((good.frames, good.outside), (1, 0));
    assert_eq!(of("\x1b[?1049hab\x1b[1;1H").outside, 3);
    assert!(of("\x1b[1;38;5;2m").has_colors && !of("\x1b[1;7m\x1b[0m").has_colors);
}
