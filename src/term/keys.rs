//! Decodes bytes from the terminal into keys and pastes.
//!
//! Replaces crossterm's reader, which spins for ever on a terminal that is gone, and leaves data unread when more than
//! a kilobyte arrives at once.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::ground::{self, Ground};

/// User input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Key(KeyEvent),
    Paste(String),
    /// The answer about the background; `None` if it gives none.
    Ground(Option<Ground>),
}

/// Collects bytes until they are a key or a paste.
pub(super) struct Decoder {
    /// How long to wait after a lone escape before it counts as a key.
    esc_delay: Duration,
    pending: Vec<u8>,
    paste: Option<Vec<u8>>,
    /// When the last bytes arrived.
    arrived: Instant,
    /// When a lone escape was taken for a key; it may still prove to be the start of a sequence.
    escaped: Option<Instant>,
}

/// A sequence longer than this does not come from a keyboard.
const LONGEST_SEQUENCE: usize = 32;

/// Longest paste, in bytes; the rest is dropped: pastes here are rows of tokens.
const LONGEST_PASTE: usize = 1 << 20;

/// How long the rest of a sequence may take on a slow line. After this an incomplete sequence is dropped.
const SEQUENCE_PATIENCE: Duration = Duration::from_secs(1);

/// The same for a paste: bytes that follow must not be taken for keys.
const PASTE_PATIENCE: Duration = Duration::from_secs(5);

/// A terminal sends the bytes of a key with Alt at once; a user who types escape and a letter takes longer.
const ALT: Duration = Duration::from_millis(50);

const PASTE_BEGINS: &[u8] = b"200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// The meaning of the first pending bytes.
enum Step {
    /// The sequence is not complete.
    More,
    /// This many bytes are this key, or have no meaning.
    Take(usize, Option<KeyEvent>),
    /// This many bytes start a paste.
    Paste(usize),
    /// This many bytes are the terminal's answer.
    Answer(usize, Option<Ground>),
}

impl Decoder {
    pub(super) fn new(esc_delay: Duration) -> Self {
        let (pending, paste, arrived, escaped) = (Vec::new(), None, Instant::now(), None);
        Self { esc_delay, pending, paste, arrived, escaped }
    }

    /// Decodes bytes that arrived at `now`.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Instant, mut typed: impl FnMut(Typed)) {
        let goes_on = matches!(bytes, [b'[' | b'O', ..] | [b']', b'1', ..]);
        let is_soon = |since: Instant| now.saturating_duration_since(since) < SEQUENCE_PATIENCE;
        if goes_on && self.pending.is_empty() && self.escaped.is_some_and(is_soon) {
            self.pending.push(0x1b);
        } else if !goes_on && self.pending == [0x1b] && now.saturating_duration_since(self.arrived) >= ALT {
            self.pending.clear();
            typed(Typed::Key(key(KeyCode::Esc)));
        }
        self.escaped = None;
        self.arrived = now;
        self.pending.extend_from_slice(bytes);
        self.drain(&mut typed);
    }

    /// When to stop waiting for the rest of an incomplete input; `None` if there is none. An escape key is also the
    /// start of every sequence: only silence distinguishes them.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let patience = match (&self.paste, self.pending.as_slice()) {
            (Some(_), _) => PASTE_PATIENCE,
            (None, [0x1b]) => self.esc_delay,
            (None, [_, ..]) => SEQUENCE_PATIENCE,
            (None, []) => return None,
        };
        Some(self.arrived + patience)
    }

    /// To be called at the [`deadline`](Self::deadline) if nothing more has arrived.
    pub(super) fn silence(&mut self, now: Instant, mut typed: impl FnMut(Typed)) {
        let rest = std::mem::take(&mut self.pending);
        if self.paste.is_some() {
            self.end_paste(&rest, &mut typed);
        } else if rest == [0x1b] {
            self.escaped = Some(now);
            typed(Typed::Key(key(KeyCode::Esc)));
        }
    }

    fn drain(&mut self, typed: &mut impl FnMut(Typed)) {
        let mut start = 0;
        while start < self.pending.len() {
            if self.paste.is_some() {
                self.pending.drain(..start);
                start = 0;
                if !self.drain_paste(typed) {
                    return;
                }
                continue;
            }
            match step(&self.pending[start..]) {
                Step::More => break,
                Step::Take(count, event) => {
                    start += count;
                    if let Some(event) = event {
                        typed(Typed::Key(event));
                    }
                }
                Step::Answer(count, ground) => {
                    start += count;
                    typed(Typed::Ground(ground));
                }
                Step::Paste(count) => {
                    start += count;
                    self.paste = Some(Vec::new());
                }
            }
        }
        self.pending.drain(..start);
    }

    /// Returns whether the paste has ended.
    fn drain_paste(&mut self, typed: &mut impl FnMut(Typed)) -> bool {
        let end = self.pending.windows(PASTE_ENDS.len()).position(|window| window == PASTE_ENDS);
        if let Some(end) = end {
            let text: Vec<u8> = self.pending.drain(..end).collect();
            self.pending.drain(..PASTE_ENDS.len());
            self.end_paste(&text, typed);
            return true;
        }
        // The last bytes may be part of the terminator.
        let sure = self.pending.len().saturating_sub(PASTE_ENDS.len() - 1);
        let text = self.pending.drain(..sure);
        if let Some(paste) = &mut self.paste {
            let room = LONGEST_PASTE.saturating_sub(paste.len());
            paste.extend(text.take(room));
        }
        false
    }

    fn end_paste(&mut self, rest: &[u8], typed: &mut impl FnMut(Typed)) {
        let mut text = self.paste.take().unwrap_or_default();
        text.extend_from_slice(&rest[..rest.len().min(LONGEST_PASTE.saturating_sub(text.len()))]);
        typed(Typed::Paste(String::from_utf8_lossy(&text).into_owned()));
    }
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [0x1b] | [0x1b, b'O'] => Step::More,
        [0x1b, b'[', rest @ ..] => control_sequence(rest),
        [0x1b, b']', rest @ ..] => ground::string(rest)
            .map_or(Step::More, |(text, end)| Step::Answer(end + 2, Ground::parse(&rest[..text]))),
        [0x1b, b'O', last, ..] => Step::Take(3, cursor_key(*last).map(key)),
        [0x1b, 0x1b, ..] => Step::Take(1, Some(key(KeyCode::Esc))),
        [0x1b, rest @ ..] => match character(rest) {
            Step::Take(count, event) => Step::Take(count + 1, event.map(alt)),
            other => other,
        },
        _ => character(bytes),
    }
}

fn alt(mut event: KeyEvent) -> KeyEvent {
    event.modifiers |= KeyModifiers::ALT;
    event
}

/// Parses the bytes after `ESC [`.
fn control_sequence(bytes: &[u8]) -> Step {
    const INTRODUCER: usize = 2;
    // The Linux console's F1 to F5 and the oldest mouse reports have a different end.
    match bytes {
        [b'[', letter @ b'A'..=b'E', ..] => {
            return Step::Take(INTRODUCER + 2, Some(key(KeyCode::F(letter - b'A' + 1))));
        }
        [b'M', _, _, _, ..] => return Step::Take(INTRODUCER + 4, None),
        [b'['] | [b'M', ..] => return Step::More,
        _ => {}
    }
    match bytes.iter().position(|byte| !matches!(byte, 0x20..=0x3f)) {
        None if bytes.len() < LONGEST_SEQUENCE => Step::More,
        None => Step::Take(INTRODUCER + bytes.len(), None),
        Some(end) if bytes[..=end] == *PASTE_BEGINS => Step::Paste(INTRODUCER + end + 1),
        Some(end) if matches!(bytes[end], 0x40..=0x7e) => {
            Step::Take(INTRODUCER + end + 1, named_key(&bytes[..end], bytes[end]))
        }
        // Interrupted: the interrupting bytes are parsed separately.
        Some(end) => Step::Take(INTRODUCER + end, None),
    }
}

/// A key from the parameters and the final byte of a control sequence.
fn named_key(parameters: &[u8], last: u8) -> Option<KeyEvent> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut numbers = text.split(';').map(|number| number.parse::<u8>().ok());
    let first = numbers.next().flatten();
    let modifiers = modifiers(numbers.next().flatten().unwrap_or(1));
    match last {
        b'~' => numbered_key(first?).map(|code| KeyEvent::new(code, modifiers)),
        b'Z' => Some(KeyEvent::new(KeyCode::BackTab, modifiers | KeyModifiers::SHIFT)),
        _ if text.is_empty() || first == Some(1) => {
            cursor_key(last).map(|code| KeyEvent::new(code, modifiers))
        }
        _ => None,
    }
}

fn cursor_key(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

fn numbered_key(number: u8) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(number - 10),
        17..=21 => KeyCode::F(number - 11),
        23 | 24 => KeyCode::F(number - 12),
        _ => return None,
    })
}

/// xterm's encoding: 1 plus the sum of 1 shift, 2 alt, 4 control.
fn modifiers(number: u8) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, bits & 1 != 0);
    modifiers.set(KeyModifiers::ALT, bits & 2 != 0);
    modifiers.set(KeyModifiers::CONTROL, bits & 4 != 0);
    modifiers
}

fn character(bytes: &[u8]) -> Step {
    let control = |letter| Some(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
    let event = match bytes[0] {
        b'\r' => Some(key(KeyCode::Enter)),
        b'\t' => Some(key(KeyCode::Tab)),
        0x7f | 0x08 => Some(key(KeyCode::Backspace)),
        0 => control(' '),
        byte @ 0x01..=0x1a => control(char::from(byte - 1 + b'a')),
        byte @ 0x1c..=0x1f => control(char::from(byte - 0x1c + b'4')),
        0x1b => Some(key(KeyCode::Esc)),
        _ => return unicode(bytes),
    };
    Step::Take(1, event)
}

/// One UTF-8 character; an invalid byte is dropped.
fn unicode(bytes: &[u8]) -> Step {
    let length = match bytes[0] {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Take(1, None),
    };
    let available = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(available) {
        Ok(text) => Step::Take(length, text.chars().next().and_then(typed_character)),
        Err(error) if error.error_len().is_none() => Step::More,
        Err(_) => Step::Take(1, None),
    }
}

/// Like crossterm: a capital letter includes the shift modifier.
fn typed_character(character: char) -> Option<KeyEvent> {
    let modifiers = if character.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    (!character.is_control()).then(|| KeyEvent::new(KeyCode::Char(character), modifiers))
}

#[cfg(test)]
mod tests;
