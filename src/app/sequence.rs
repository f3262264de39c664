//! The explored sequence, and typing over it.

use std::fmt;
use std::sync::Arc;

use super::cursor::Cursor;
use crate::random::{Purpose, stream};
use crate::task::{Dataset, Split, Task, Token};

/// Origin of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A validation sequence, by index.
    Validation(usize),
    /// A random sequence, by the number drawn before.
    Random(u64),
    /// Typed.
    Edited,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validation(index) => write!(f, "val {index}"),
            Self::Random(index) => write!(f, "rand {index}"),
            Self::Edited => f.write_str("edited"),
        }
    }
}

/// The tokens on screen.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) tokens: Arc<[Token]>,
    pub(crate) source: Source,
    drawn: u64,
    seed: u64,
    n_ctx: usize,
    task: Arc<dyn Task>,
}

impl Sequence {
    /// Validation sequence 0, or a random one if the data set does not fit the model.
    pub(super) fn new(data: &Dataset, seed: u64, n_ctx: usize) -> Self {
        let (tokens, task) = (Arc::from([0].as_slice()), Arc::clone(data.task()));
        let mut new = Self { tokens, source: Source::Edited, drawn: 0, seed, n_ctx, task };
        if !new.validation(data, 0) {
            new.random();
        }
        new
    }

    /// Loads a validation sequence. Returns false, without a change, if there is none that the model can read.
    pub(super) fn validation(&mut self, data: &Dataset, index: usize) -> bool {
        if index >= data.len(Split::Validation) {
            return false;
        }
        let tokens = data.example(Split::Validation, index).tokens();
        let tokens = &tokens[..tokens.len().min(self.n_ctx)];
        if tokens.is_empty() || tokens.iter().any(|&token| usize::from(token) >= self.task.vocabulary().len())
        {
            return false;
        }
        (self.tokens, self.source) = (tokens.into(), Source::Validation(index));
        true
    }

    /// Moves by `by` validation sequences, wrapping around; from another source, to the first.
    pub(super) fn next_validation(&mut self, data: &Dataset, by: isize) -> bool {
        let len = data.len(Split::Validation);
        let index = match self.source {
            Source::Validation(index) if len > 0 => {
                (index.cast_signed() + by).rem_euclid(len.cast_signed()).cast_unsigned()
            }
            _ => 0,
        };
        self.validation(data, index)
    }

    /// Sets tokens that were checked against the model.
    pub(super) fn put(&mut self, tokens: Vec<Token>) {
        (self.tokens, self.source) = (tokens.into(), Source::Edited);
    }

    /// Draws a new random sequence.
    pub(super) fn random(&mut self) {
        let tokens = self.task.sequence(&mut stream(self.seed, Purpose::Exploration, self.drawn));
        (self.tokens, self.source) = (tokens.into(), Source::Random(self.drawn));
        self.drawn += 1;
    }
}

/// Longest entry: no token's name needs more characters.
const MOST_CHARACTERS: usize = 32;

/// Typing over the sequence: every change is evaluated at once, and `Esc` reverts them all.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) tokens: Vec<Token>,
    /// Where the next token goes: 0 to the length.
    pub(crate) at: usize,
    /// Characters of an incomplete token.
    pub(crate) entry: String,
    /// Whether typing inserts tokens rather than replacing them.
    pub(crate) insert: bool,
    /// Restored by `Esc`.
    pub(super) before: (Arc<[Token]>, Source),
    /// Position and key restored by `Esc`.
    pub(super) from: (usize, usize),
    n_ctx: usize,
    task: Arc<dyn Task>,
}

impl Edit {
    pub(super) fn new(sequence: &Sequence, cursor: &Cursor) -> Self {
        Self {
            tokens: sequence.tokens.to_vec(),
            at: cursor.position.min(sequence.tokens.len()),
            from: (cursor.position, cursor.key),
            entry: String::new(),
            insert: false,
            before: (Arc::clone(&sequence.tokens), sequence.source),
            n_ctx: sequence.n_ctx,
            task: Arc::clone(&sequence.task),
        }
    }

    /// Types a character of a token's name; a token of fewer digits than the longest waits for more.
    ///
    /// # Errors
    /// Says why the character was rejected.
    pub(super) fn typed(&mut self, typed: char) -> Result<(), String> {
        if self.entry.chars().count() < MOST_CHARACTERS {
            self.entry.push(typed);
        }
        let vocabulary = self.task.vocabulary();
        let is_whole = !typed.is_ascii_digit() && vocabulary.parse(&self.entry).is_some();
        let is_beginning =
            vocabulary.completions(&self.entry).any(|token| vocabulary.name(token) != self.entry);
        let is_full = self.entry.chars().count() >= vocabulary.width();
        self.check()?;
        if (is_whole && !is_beginning) || is_full { self.finish() } else { Ok(()) }
    }

    /// Whether the entry cannot become a token any more.
    pub(crate) fn is_refused(&self) -> bool {
        let vocabulary = self.task.vocabulary();
        let is_full = self.entry.chars().count() >= vocabulary.width();
        is_full && vocabulary.parse(&self.entry).is_none()
    }

    /// # Errors
    /// Says why the entry is no token.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.is_refused() { self.token(&self.entry).map(drop) } else { Ok(()) }
    }

    /// Ends the entry; an invalid one is dropped, and the token at its place stays.
    ///
    /// # Errors
    /// Says why the entry is no token.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let result = self.finish();
        self.entry.clear();
        result
    }

    /// Completes the entry to the first token whose name begins with it.
    ///
    /// # Errors
    /// Says why there is none.
    pub(super) fn complete(&mut self) -> Result<(), String> {
        let first = self.task.vocabulary().completions(&self.entry).next();
        if let Some(first) = first {
            self.entry = self.task.vocabulary().name(first);
        }
        self.finish()
    }

    /// Turns the entry into a token; an invalid entry stays.
    ///
    /// # Errors
    /// Says why the entry is no token.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        if self.entry.is_empty() {
            return Ok(());
        }
        let token = self.token(&self.entry)?;
        self.entry.clear();
        self.put(token, self.insert)
    }

    fn token(&self, name: &str) -> Result<Token, String> {
        let vocabulary = self.task.vocabulary();
        let unknown = || format!("{name} is not a token: the vocabulary is {}", vocabulary.described());
        vocabulary.parse(name).ok_or_else(unknown)
    }

    fn put(&mut self, token: Token, insert: bool) -> Result<(), String> {
        if self.at < self.tokens.len() && !insert {
            self.tokens[self.at] = token;
        } else if self.tokens.len() < self.n_ctx {
            self.tokens.insert(self.at, token);
        } else {
            return Err(format!("the model reads at most {} tokens", self.n_ctx));
        }
        self.at += 1;
        Ok(())
    }

    /// Inserts the tokens of pasted text: all or none.
    ///
    /// # Errors
    /// Says why none were inserted.
    pub(super) fn paste(&mut self, text: &str) -> Result<(), String> {
        let separator = |c: char| c.is_whitespace() || ",;[]()".contains(c);
        let words = text.split(separator).filter(|word| !word.is_empty());
        let mut tokens = Vec::new();
        let vocabulary = self.task.vocabulary();
        for word in words {
            if !word.chars().all(|c| vocabulary.has(c)) {
                return Err("pasted text is not tokens: digits, commas and white space only".into());
            }
            // Without tokens of two characters, each character is a token.
            let pieces: Vec<String> = if vocabulary.width() == 1 {
                word.chars().map(String::from).collect()
            } else {
                vec![word.into()]
            };
            let pieces: Result<Vec<Token>, String> = pieces.iter().map(|piece| self.token(piece)).collect();
            tokens.extend(pieces?);
        }
        let room = self.n_ctx - self.tokens.len();
        let replaced = if self.insert { 0 } else { tokens.len().min(self.tokens.len() - self.at) };
        if tokens.len() - replaced > room {
            return Err(format!(
                "{} tokens do not fit: the model reads at most {}",
                tokens.len(),
                self.n_ctx
            ));
        }
        self.entry.clear();
        tokens.into_iter().try_for_each(|token| self.put(token, self.insert))
    }

    /// Removes a digit of the entry, or the token to the left.
    pub(super) fn backspace(&mut self) {
        if self.entry.pop().is_none() && self.at > 0 {
            self.at -= 1;
            self.tokens.remove(self.at);
        }
    }

    /// Removes the token to the right.
    pub(super) fn delete(&mut self) {
        if self.at < self.tokens.len() {
            self.tokens.remove(self.at);
        }
    }

    /// Removes all tokens from the cursor on.
    pub(super) fn cut(&mut self) {
        self.tokens.truncate(self.at);
    }

    /// Moves the cursor, after ending the entry.
    ///
    /// # Errors
    /// Says why the entry is no token.
    pub(super) fn go(&mut self, at: usize) -> Result<(), String> {
        let result = self.end();
        self.at = at.min(self.tokens.len());
        result
    }
}
