//! Numbers in few columns; a value that is not a number is always visible.

/// A whole number without decimals, another with four digits.
pub(crate) fn short(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e6 { format!("{x:.0}") } else { figure(x) }
}

/// Three significant digits or more, two with an exponent, in at most eight columns: `0.0442`, `2.303`, `1.2e-5`, `NaN`.
pub(crate) fn figure(x: f64) -> String {
    let size = x.abs();
    match size {
        _ if x.is_nan() => "NaN".into(),
        _ if x.is_infinite() => (if x > 0.0 { "inf" } else { "-inf" }).into(),
        _ if size == 0.0 => "0".into(),
        _ if !(0.001..1e5).contains(&size) => format!("{x:.1e}"),
        _ if size < 0.01 => format!("{x:.5}"),
        _ if size < 1.0 => format!("{x:.4}"),
        _ if size < 10.0 => format!("{x:.3}"),
        _ if size < 100.0 => format!("{x:.2}"),
        _ => format!("{x:.0}"),
    }
}

/// Two decimals and a sign, as for contributions; no sign if rounded to zero.
pub(crate) fn signed(x: f32) -> String {
    match x.abs() {
        _ if x.is_nan() => "NaN".into(),
        size if size >= 1e4 => format!("{x:+.0e}"),
        size if size >= 100.0 => format!("{x:+.0}"),
        _ => without_sign_of_zero(format!("{x:+.2}")),
    }
}

/// The same as [`figure`], with the sign of a change.
pub(crate) fn signed_figure(x: f64) -> String {
    let text = figure(x);
    if x > 0.0 { format!("+{text}") } else { text }
}

/// A number below 1 by its sign and three decimals: `-.012`; no sign if rounded to zero.
pub(crate) fn signed_fraction(x: f32) -> String {
    without_sign_of_zero(format!("{x:+.3}").replacen("0.", ".", 1))
}

fn without_sign_of_zero(number: String) -> String {
    let is_zero = !number.contains(|c: char| ('1'..='9').contains(&c));
    if is_zero { number.trim_start_matches(['+', '-']).into() } else { number }
}

/// A share in percent: `98.1%`. Almost all is never shown as all, nor almost nothing as nothing.
pub(crate) fn percent(x: f64) -> String {
    match x {
        _ if x.is_nan() => "NaN".into(),
        _ if x >= 1.0 => "100%".into(),
        _ if x >= 0.9995 => "99.9%".into(),
        _ if x > 0.0 && x < 0.0005 => "<0.1%".into(),
        _ => format!("{:.1}%", 100.0 * x),
    }
}

/// A share in four columns, with the rules of [`percent`]: `.996`, `1`, `3e-4`.
pub(crate) fn share(x: Option<f64>) -> String {
    match x {
        None => "–".into(),
        Some(x) if x.is_nan() => "NaN".into(),
        Some(x) if x >= 1.0 => "1".into(),
        Some(x) if x >= 0.9995 => ".999".into(),
        Some(x) if x > 0.0 && x < 0.0005 => format!("{x:.0e}"),
        Some(x) => format!("{x:.3}").trim_start_matches('0').into(),
    }
}

/// A softmax probability in five columns: `0.912`. Never shown as exactly 0 or 1.
pub(crate) fn probability(x: f32) -> String {
    match x {
        x if x.is_nan() => "NaN".into(),
        x if x >= 0.9995 => ">.999".into(),
        x if x < 0.0005 => "<.001".into(),
        x => format!("{x:.3}"),
    }
}

/// A count with its noun: `1 head`, `4 neurons`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_say_what_is_none() {
        let figures =
            [0.001_234, 0.044_21, 2.345_67, 12.345, 987.6, 1.2e-5, 0.0, f64::NAN, f64::INFINITY].map(figure);
        assert_eq!(figures, ["0.00123", "0.0442", "2.346", "12.35", "988", "1.2e-5", "0", "NaN", "inf"]);
    }

    #[test]
    fn almost_all_is_not_shown_as_all_nor_almost_nothing_as_nothing() {
        let percents = [0.0, 1e-9, 0.000_5, 0.999_4, 0.999_5, 0.999_97, 1.0].map(percent);
        assert_eq!(percents, ["0.0%", "<0.1%", "0.1%", "99.9%", "99.9%", "99.9%", "100%"]);
        let shares = [0.0, 0.000_32, 0.000_5, 0.999_5, 0.999_97, 1.0].map(|x| share(Some(x)));
        assert_eq!(shares, [".000", "3e-4", ".001", ".999", ".999", "1"]);
        let probabilities = [0.0, 1e-4, 0.25, 0.999_51, 1.0, f32::NAN].map(probability);
        assert_eq!(probabilities, ["<.001", "<.001", "0.250", ">.999", ">.999", "NaN"]);
    }

    #[test]
    fn a_zero_has_no_sign() {
        assert_eq!([0.0, -0.0, -0.004, 0.004, -0.006].map(signed), ["0.00", "0.00", "0.00", "0.00", "-0.01"]);
        assert_eq!([-0.0001, 0.0, 0.0093].map(signed_fraction), [".000", ".000", "+.009"]);
    }
}
