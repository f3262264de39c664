//! The running majority element, the founding notebook's task.

use super::Token;

/// The task's name in run directories and on screen.
pub const NAME: &str = "majority";

/// At each position the token seen most often so far, ties going to the smallest token.
///
/// Matches the notebook's `one_hot(x).cumsum(-2).argmax(-1)`. Tokens must be below `d_vocab`.
pub fn labels(tokens: &[Token], d_vocab: usize) -> Vec<Token> {
    let mut counts = vec![0_u32; d_vocab];
    let mut leader = 0;
    tokens
        .iter()
        .map(|&token| {
            let token = usize::from(token);
            counts[token] += 1;
            if counts[token] > counts[leader] || (counts[token] == counts[leader] && token < leader) {
                leader = token;
            }
            leader as Token
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_to_the_smallest_token() {
        assert_eq!(labels(&[1, 5, 3, 6, 0, 9, 6], 10), [1, 1, 1, 1, 0, 0, 6]);
        assert_eq!(labels(&[9, 9, 3, 3, 3, 9], 10), [9, 9, 9, 3, 3, 3]);
    }

    proptest! {
        #[test]
        fn equals_the_notebooks_definition(tokens in prop::collection::vec(0_u16..7, 0..60)) {
            let by_definition: Vec<Token> = (0..tokens.len())
                .map(|end| {
                    let count = |d: Token| tokens[..=end].iter().filter(|&&t| t == d).count();
                    (0..7).max_by_key(|&d| (count(d), std::cmp::Reverse(d))).unwrap()
                })
                .collect();
            prop_assert_eq!(labels(&tokens, 7), by_definition);
        }
    }
}
