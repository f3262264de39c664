//! The line that says where a run was saved.

use std::borrow::Cow;
use std::path::Path;

use crate::term::sanitize;
use crate::train::Outcome;

/// Where the run was saved, and the command that opens it again.
pub fn saved(run: &Path, outcome: Outcome) -> String {
    let run = run.display().to_string();
    let (place, argument) = (sanitize(&run), quoted(&run));
    let then = match outcome {
        Outcome::Finished => "opens it",
        Outcome::Stopped => "goes on",
    };
    format!("run saved in {place}: `headcount --run {}` {then}", sanitize(&argument))
}

/// Quotes a text as one word for a shell.
fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if text.chars().all(is_plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_command_can_be_typed_in_a_shell() {
        let said = |run: &str| saved(Path::new(run), Outcome::Stopped);
        assert_eq!(
            said("runs/majority-23"),
            "run saved in runs/majority-23: `headcount --run runs/majority-23` goes on"
        );
        assert!(said("my run").ends_with("`headcount --run 'my run'` goes on"));
        assert!(said("it's").ends_with(r"`headcount --run 'it'\''s'` goes on"));
        assert!(!said("a\x1b[2J").contains('\x1b'));
    }
}
