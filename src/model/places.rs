//! Positions by number, range or token.

use std::ops::RangeInclusive;

use super::edit::Positions;
use crate::task::{Token, Vocabulary};

/// Some positions of every sequence, and those that hold certain tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    ranges: Vec<RangeInclusive<usize>>,
    tokens: Vec<Token>,
}

impl Places {
    /// Reads `3,5-9,token=7`; `longest` is the length of the longest sequence.
    ///
    /// # Errors
    /// Names the part that is no position, no range or no token.
    pub fn parse(text: &str, names: &Vocabulary, longest: usize) -> Result<Self, String> {
        let refuse = |part: &str, why: String| format!("`{part}`: {why}");
        let mut chosen = Self { ranges: Vec::new(), tokens: Vec::new() };
        for part in text.split(',').map(str::trim) {
            if let Some(name) = part.strip_prefix("token=") {
                let unknown = || refuse(part, format!("the tokens are {}", names.described()));
                chosen.tokens.push(names.parse(name).ok_or_else(unknown)?);
                continue;
            }
            let whole = |word: &str| word.trim().parse::<usize>().ok();
            let ends = part.split_once('-').map_or((whole(part), whole(part)), |(a, b)| (whole(a), whole(b)));
            let (Some(first), Some(last)) = ends else {
                return Err(refuse(part, "neither a position, a range such as 5-9, nor token=NAME".into()));
            };
            if first > last {
                return Err(refuse(part, "a range goes from its first position to its last".into()));
            }
            if last >= longest {
                return Err(refuse(part, format!("the longest sequence has positions 0 to {}", longest - 1)));
            }
            chosen.ranges.push(first..=last);
        }
        Ok(chosen)
    }

    /// The chosen positions of one sequence.
    pub fn of(&self, tokens: &[Token]) -> Positions {
        let is_chosen = |(position, token): &(usize, &Token)| {
            self.ranges.iter().any(|range| range.contains(position)) || self.tokens.contains(token)
        };
        Positions::Only(tokens.iter().enumerate().filter(is_chosen).map(|(position, _)| position).collect())
    }

    /// The last position that is chosen in a sequence as long as `longest`.
    pub fn last(&self, longest: usize) -> usize {
        let last = self.ranges.iter().map(|range| *range.end()).max().unwrap_or(0);
        if self.tokens.is_empty() { last } else { longest.saturating_sub(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_numbers_ranges_and_those_of_a_token() {
        let names = Vocabulary::Names(["a", "+", "="].map(Into::into).into());
        let of = |text: &str| Places::parse(text, &names, 8).unwrap().of(&[0, 1, 2, 0, 1, 0]);
        let only = |positions: &[usize]| Positions::Only(positions.iter().copied().collect());
        assert_eq!(of("3,0"), only(&[0, 3]));
        assert_eq!(of("1-2, 4-7"), only(&[1, 2, 4, 5]));
        assert_eq!(of("token=+,5"), only(&[1, 4, 5]));
        assert_eq!(of("token=2"), only(&[2]), "by number");
    }

    #[test]
    fn what_is_no_position_is_named() {
        let refused = |text: &str| Places::parse(text, &Vocabulary::Numbers(4), 8).unwrap_err();
        for (text, words) in [
            ("8", "`8`: the longest sequence has positions 0 to 7"),
            ("1,5-2", "`5-2`: a range goes from"),
            ("2-", "`2-`: neither a position, a range"),
            ("x", "`x`"),
            ("", "``"),
            ("token=4", "`token=4`: the tokens are 0 to 3"),
        ] {
            assert!(refused(text).contains(words), "{text}: {}", refused(text));
        }
    }
}
