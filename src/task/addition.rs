//! Addition of numbers digit by digit (ARENA's monthly problem of September 2023).
//!
//! `a + b =` and the sum, each of as many digits; the first digits are 0 to 4, so that the sum fits.

use std::f32::consts::TAU;
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Class, Cycle, Definition, Facts, Feature, Shape, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "addition",
    question: "what is the next digit of the sum?",
    rule: "after `a + b =`, at the `=` and on: the digits of the sum from the first; none if it needs more",
    published: "accuracy 1.000; carries by attention to the digits to the right; sums mod 10 form a circle",
    time: "7 min",
    tour: TOUR,
    settings: &[],
    recipe: |_| RECIPE.into(),
    task: |_, shape| Arc::new(Addition::new(shape)),
};

const TOUR: &str = "\
2 Down     from the `=` and the digits of the answer on, heads attend to the two digits of their column
.          in others to the digits of the column to the right, where the carry comes from
i          type other digits over the sequence, 9s for example, and see the attention follow; Enter
5 b        spectra over the ten digits: W_U has one frequency; b again and Down Down: the circle of sums mod 10
6          after space on a head in 2: which digits of the answer need it
7          a digit that turns the answer, and which head carries it at which position
b          how much each head restores at all positions: one in each layer stands out; arrows choose it
space 6    the head takes the corrupted sequence's values in this one: loss and accuracy, here and over the set";

const RECIPE: &str = r#"
[model]
n_layers = 2
n_heads = 3
d_model = 48
d_head = 24
d_mlp = 0
n_ctx = 14
d_vocab = 12
[task]
sequences = 106667
train_fraction = 0.9375
[train]
epochs = 100
batch_size = 512
optimizer = "adam"
max_lr = 0.002
schedule = "linear"
final_lr = 0.0001
weight_decay = 0.001
keep_best = true
checkpoint_every = 196
"#;

const PLUS: Token = 10;
const EQUALS: Token = 11;

#[derive(Debug)]
struct Addition {
    /// Digits of each number.
    digits: usize,
    facts: Facts,
}

impl Addition {
    fn new(shape: Shape) -> Self {
        let digits = (shape.n_ctx.saturating_sub(2) / 3).max(1);
        let vocabulary = Vocabulary::numbers_and(10, &["+", "="]);
        let facts = Facts {
            features: &FEATURES,
            situations: &SITUATIONS,
            cycle: Some(Cycle { len: usize::from(PLUS), has_classes: true, has_pairs: false }),
            ..Facts::new(DEFINITION.name, vocabulary, 3 * digits + 2)
        };
        Self { digits, facts }
    }
}

impl Task for Addition {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        let mut tokens = Vec::with_capacity(self.facts.n_ctx);
        for sign in [PLUS, EQUALS] {
            tokens.push(random.gen_range(0..5));
            tokens.extend((1..self.digits).map(|_| random.gen_range(0..10_u16)));
            tokens.push(sign);
        }
        let columns = Columns::of(&tokens).expect("both numbers have these digits");
        tokens.extend(columns.answer());
        tokens
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        let fitting = Columns::of(tokens).filter(|columns| columns.carries[0] == 0);
        let Some(columns) = fitting else { return Targets::none(tokens.len()) };
        let answer: Vec<Class> = columns.answer().collect();
        let digit = |at: usize| answer.get(at.checked_sub(columns.equals)?).copied();
        (0..tokens.len()).map(digit).collect()
    }
}

/// A written addition, from the first digits to the last.
struct Columns {
    /// Position of the `=`, which predicts the first digit.
    equals: usize,
    /// The two digits.
    digits: Vec<[Token; 2]>,
    /// The carry out of each column, then 0: into column `i` comes `carries[i + 1]`.
    carries: Vec<Token>,
}

impl Columns {
    /// `None` unless the tokens begin with two numbers of as many digits and their signs.
    fn of(tokens: &[Token]) -> Option<Self> {
        let plus = tokens.iter().position(|token| *token == PLUS)?;
        let equals = 2 * plus + 1;
        let (a, b) = (&tokens[..plus], tokens.get(plus + 1..equals)?);
        let is_sum =
            plus > 0 && tokens.get(equals) == Some(&EQUALS) && a.iter().chain(b).all(|digit| *digit < PLUS);
        is_sum.then(|| {
            let digits: Vec<[Token; 2]> = a.iter().zip(b).map(|(a, b)| [*a, *b]).collect();
            let mut carries = vec![0; digits.len() + 1];
            for column in (0..digits.len()).rev() {
                carries[column] = Token::from(digits[column].iter().sum::<Token>() + carries[column + 1] > 9);
            }
            Self { equals, digits, carries }
        })
    }

    /// The digits of the sum, without a carry out of the first.
    fn answer(&self) -> impl Iterator<Item = Token> + '_ {
        self.digits.iter().zip(&self.carries[1..]).map(|([a, b], carry)| (a + b + carry) % 10)
    }

    /// Number of columns, from the one to the right on, that a carry into `column` comes through; 0 without a carry.
    fn chain(&self, column: usize) -> usize {
        let through = (column + 1..self.digits.len()).take_while(|&from| self.carries[from] == 1);
        let made = |from: usize| self.digits[from].iter().sum::<Token>() > 9;
        let mut length = 0;
        for from in through {
            length += 1;
            if made(from) {
                break;
            }
        }
        length
    }
}

/// A value at each position that predicts a digit, `rest` elsewhere.
fn by_column<T: Clone>(tokens: &[Token], rest: T, value: impl Fn(&Columns, usize) -> T) -> Vec<T> {
    let mut values = vec![rest; tokens.len()];
    if let Some(columns) = Columns::of(tokens) {
        let places = values.iter_mut().skip(columns.equals).take(columns.digits.len());
        places.enumerate().for_each(|(column, place)| *place = value(&columns, column));
    }
    values
}

const FEATURES: [Feature; 5] = [
    Feature::new("digit sum", "sum", "digit_sum", is_sum_without_carry),
    Feature::new("circle", "circle", "circle", circle),
    Feature::new("carry in", "carry", "carry_in", carry_in),
    Feature::new("chain", "chain", "chain", chain),
    Feature::new("is nine", "nine", "is_nine", is_nine),
];

/// The sum of the column's two digits.
fn plain_sum(columns: &Columns, column: usize) -> Token {
    columns.digits[column].iter().sum()
}

/// Whether the two digits add up to the digit, without the carry.
fn is_sum_without_carry(tokens: &[Token], digit: Class) -> Vec<f32> {
    by_column(tokens, 0.0, |columns, column| f32::from(u8::from(plain_sum(columns, column) % 10 == digit)))
}

/// The cosine of the angle between the sum and the digit on a circle of ten.
fn circle(tokens: &[Token], digit: Class) -> Vec<f32> {
    by_column(tokens, 0.0, |columns, column| {
        (TAU / 10.0 * (f32::from(plain_sum(columns, column)) - f32::from(digit))).cos()
    })
}

/// The carry into the column.
fn carry_in(tokens: &[Token], _: Class) -> Vec<f32> {
    by_column(tokens, 0.0, |columns, column| f32::from(columns.carries[column + 1]))
}

/// Number of columns that the carry comes through.
fn chain(tokens: &[Token], _: Class) -> Vec<f32> {
    by_column(tokens, 0.0, |columns, column| columns.chain(column) as f32)
}

/// Whether the column passes a carry on: its digits add up to 9.
fn is_nine(tokens: &[Token], _: Class) -> Vec<f32> {
    by_column(tokens, 0.0, |columns, column| f32::from(u8::from(plain_sum(columns, column) == 9)))
}

const SITUATIONS: [Situation; 1] = [Situation {
    name: "carry",
    values: &["none", "1", "2", "3+"],
    of: |tokens| by_column(tokens, None, |columns, column| Some(columns.chain(column).min(3))),
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use proptest::prelude::*;

    const SHAPE: Shape = Shape { n_ctx: 14, d_vocab: 12, d_vocab_out: 12 };

    /// `1588+3119=4707` as tokens.
    fn tokens(text: &str) -> Vec<Token> {
        text.chars().map(|c| "0123456789+=".find(c).unwrap() as Token).collect()
    }

    fn text(tokens: &[Token]) -> String {
        tokens.iter().map(|&token| char::from(b"0123456789+="[usize::from(token)])).collect()
    }

    #[test]
    fn sequences_are_sums_as_integers_add() {
        let task = Addition::new(SHAPE);
        for index in 0..500 {
            let tokens = task.sequence(&mut stream(1, Purpose::Data, index));
            let text = text(&tokens);
            let (left, sum) = text.split_once('=').unwrap();
            let (a, b) = left.split_once('+').unwrap();
            let [a, b, sum] = [a, b, sum].map(|number| number.parse::<u32>().unwrap());
            assert_eq!((a + b, text.len()), (sum, 14), "{text}");
            assert!(a < 5000 && b < 5000, "{text}");
            let next: Vec<_> = tokens[10..].iter().copied().map(Some).collect();
            assert_eq!(task.targets(&tokens)[9..13], next);
            assert_eq!(task.targets(&tokens).iter().flatten().count(), 4);
        }
    }

    #[test]
    fn what_is_no_sum_has_no_target() {
        let task = Addition::new(SHAPE);
        for line in ["12+345=", "1234", "+=", "12+3", "99+99=", "1=+3=", "12+34+46", ""] {
            assert_eq!(task.targets(&tokens(line)).iter().flatten().count(), 0, "{line}");
        }
        assert_eq!(task.targets(&tokens("7+2=")).last(), Some(&Some(9)));
        assert_eq!(
            task.targets(&tokens("15+17=99"))[5..],
            [Some(3), Some(2), None],
            "the digits typed do not count"
        );
    }

    #[test]
    fn features_and_situations_are_of_the_digit_that_is_predicted() {
        // Carries: into the third column from the fourth, which passes on into the second and the first.
        let tokens = tokens("1456+1545=3001");
        assert_eq!(carry_in(&tokens, 0)[9..], [1.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(chain(&tokens, 0)[9..], [3.0, 2.0, 1.0, 0.0, 0.0]);
        assert_eq!(is_nine(&tokens, 0)[9..], [0.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(is_sum_without_carry(&tokens, 1)[9..], [0.0, 0.0, 0.0, 1.0, 0.0]);
        assert!((circle(&tokens, 7)[9] + 1.0).abs() < 1e-6, "2 is opposite of 7");
        assert_eq!((SITUATIONS[0].of)(&tokens)[8..], [None, Some(3), Some(2), Some(1), Some(0), None]);
        let made_on_the_way = self::tokens("0096+0094=0190");
        assert_eq!(chain(&made_on_the_way, 0)[9..], [0.0, 1.0, 1.0, 0.0, 0.0]);
    }

    proptest! {
        #[test]
        fn targets_are_the_digits_of_the_sum(a in 0_u32..5000, b in 0_u32..5000) {
            let targets = Addition::new(SHAPE).targets(&tokens(&format!("{a:04}+{b:04}=")));
            prop_assert_eq!(targets[9], Some(((a + b) / 1000) as Class));
            let whole = tokens(&format!("{a:04}+{b:04}={:04}", a + b));
            let targets: Vec<Class> = Addition::new(SHAPE).targets(&whole).iter().flatten().copied().collect();
            prop_assert_eq!(text(&targets), format!("{:04}", a + b));
        }
    }
}
