//! Names of tokens and classes.

use unicode_width::UnicodeWidthStr;

use super::Token;

/// The names of the tokens 0, 1, 2, ...
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// Each token is its number; the size of the vocabulary.
    Numbers(usize),
    /// Each token has a name.
    Names(Vec<String>),
}

/// Most names that a message lists.
const LISTED: usize = 12;

/// Most tokens without names that a file lists.
const MOST_NUMBERS: usize = 4096;

impl Vocabulary {
    /// The tokens with these names.
    pub fn named<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::Names(names.into_iter().map(Into::into).collect())
    }

    /// The numbers below `numbers`, then the tokens with these names.
    pub fn numbers_and(numbers: usize, names: &[&str]) -> Self {
        let names = names.iter().map(ToString::to_string);
        Self::named((0..numbers).map(|number| number.to_string()).chain(names))
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(len) => *len,
            Self::Names(names) => names.len(),
        }
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A token's name; its number if unnamed.
    pub fn name(&self, token: Token) -> String {
        match self {
            Self::Names(names) if usize::from(token) < names.len() => names[usize::from(token)].clone(),
            _ => token.to_string(),
        }
    }

    /// The token with this name, or else with this number.
    pub fn parse(&self, text: &str) -> Option<Token> {
        let named = match self {
            Self::Names(names) => names.iter().position(|name| name == text),
            Self::Numbers(_) => None,
        };
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let token = named.or_else(|| text.parse().ok().filter(|_| is_number))?;
        (token < self.len()).then_some(token as Token)
    }

    /// The tokens whose names begin with this text; of an exact name first.
    pub fn completions<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Token> + 'a {
        let exact = self.parse(text);
        let begins = move |token: &Token| match self {
            Self::Names(names) => names[usize::from(*token)].starts_with(text),
            Self::Numbers(_) => self.name(*token).starts_with(text),
        };
        let others = (0..self.len()).map(|token| token as Token).filter(move |token| Some(*token) != exact);
        exact.into_iter().chain(others.filter(begins))
    }

    /// Width of the widest name, in columns.
    pub fn width(&self) -> usize {
        match self {
            Self::Numbers(len) => len.saturating_sub(1).to_string().len(),
            Self::Names(names) => names.iter().map(|name| name.width()).max().unwrap_or(1),
        }
    }

    /// Whether any name contains this character.
    pub fn has(&self, c: char) -> bool {
        match self {
            Self::Numbers(_) => c.is_ascii_digit(),
            Self::Names(names) => c.is_ascii_digit() || names.iter().any(|name| name.contains(c)),
        }
    }

    /// The names as a JSON list; `None` for more numbers than a file should list.
    pub fn listed(&self) -> Option<String> {
        let is_short = matches!(self, Self::Names(_)) || self.len() <= MOST_NUMBERS;
        let names = || (0..self.len()).map(|token| self.name(token as Token)).collect::<Vec<_>>();
        is_short.then(|| serde_json::to_string(&names()).expect("names are always representable"))
    }

    /// `0 to 9`, or the names, for a message.
    pub fn described(&self) -> String {
        match self {
            Self::Numbers(len) => format!("0 to {}", len.saturating_sub(1)),
            Self::Names(names) if names.len() <= LISTED => names.join(", "),
            Self::Names(names) => {
                let last = names[names.len() - 2..].join(", ");
                format!("{}, {}, …, {last}", names[0], names[1])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_name_and_by_its_number() {
        let signs = Vocabulary::Names(["0", "1", "="].map(String::from).into());
        assert_eq!(
            ["0", "=", "2", "3", "-", ""].map(|text| signs.parse(text)),
            [Some(0), Some(2), Some(2), None, None, None]
        );
        assert_eq!((signs.name(2), signs.width(), signs.described()), ("=".into(), 1, "0, 1, =".into()));
        let numbers = Vocabulary::Numbers(300);
        assert_eq!(["299", "300", "+1"].map(|text| numbers.parse(text)), [Some(299), None, None]);
        assert_eq!((numbers.width(), numbers.described()), (3, "0 to 299".into()));
        assert_eq!(Vocabulary::Numbers(2).listed().as_deref(), Some(r#"["0","1"]"#));
        assert_eq!(Vocabulary::Numbers(60_000).listed(), None);
    }
}
