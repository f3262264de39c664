//! What the terminal can show, decided once at the start from the flags and the environment.

use std::io::IsTerminal;

use super::TermError;

/// The colours that the user asked for with `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// Decide from `NO_COLOR`, `COLORTERM` and `TERM`.
    #[default]
    Auto,
    /// No colours; bold, underline and reverse remain.
    Never,
    /// The sixteen colours of the terminal's own palette.
    #[value(name = "16")]
    Ansi16,
    /// The 256 indexed colours.
    #[value(name = "256")]
    Indexed256,
    /// 24-bit colours.
    #[value(name = "truecolor")]
    TrueColor,
}

/// The colours that may be written to the terminal, from fewest to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColorDepth {
    /// No colours; bold, underline and reverse remain.
    None,
    /// The sixteen colours of the terminal's own palette.
    Ansi16,
    /// The 256 indexed colours.
    Indexed256,
    /// 24-bit colours.
    TrueColor,
}

/// The characters that may be written to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Glyphs {
    /// Anything in Unicode.
    Utf8,
    /// Bytes below 0x80 only.
    Ascii,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// The colours that may be written.
    pub color: ColorDepth,
    /// The characters that may be written.
    pub glyphs: Glyphs,
}

/// What [`Capabilities::detect`] looks at.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Whether keys can be read.
    pub stdin_is_terminal: bool,
    /// Whether a screen can be drawn.
    pub stdout_is_terminal: bool,
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Terminals known for 24-bit colour by their name alone: over SSH `COLORTERM` is rarely passed on.
const TRUE_COLOR_TERMINALS: [&str; 7] =
    ["xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour", "direct"];

/// The hardware terminals of one colour that terminal emulators still pretend to be.
const MONOCHROME_TERMINALS: [&str; 6] = ["vt52", "vt100", "vt102", "vt220", "vt320", "xterm-mono"];

impl Capabilities {
    /// Decides from the flags and the environment, and from nothing else: the terminal is not asked.
    ///
    /// # Errors
    /// [`TermError::NoTerminal`] when there is no terminal that a screen can be drawn on.
    pub fn detect(choice: ColorChoice, environment: &Environment<'_>) -> Result<Self, TermError> {
        let unfit = |reason| Err(TermError::NoTerminal { reason });
        if !environment.stdout_is_terminal {
            return unfit("standard output is not one");
        }
        if !environment.stdin_is_terminal {
            return unfit("standard input is not one");
        }
        match environment.non_empty("TERM").as_deref() {
            None => unfit("TERM is not set"),
            Some("dumb") => unfit("TERM is dumb"),
            Some(name) => Ok(Self { color: depth(choice, name, environment), glyphs: glyphs(environment) }),
        }
    }

    /// [`detect`](Self::detect) for this process.
    ///
    /// # Errors
    /// [`TermError::NoTerminal`] when there is no terminal that a screen can be drawn on.
    pub fn of_this_process(choice: ColorChoice) -> Result<Self, TermError> {
        Self::detect(
            choice,
            &Environment {
                stdin_is_terminal: std::io::stdin().is_terminal(),
                stdout_is_terminal: std::io::stdout().is_terminal(),
                variable: &|name| std::env::var(name).ok(),
            },
        )
    }
}

impl Glyphs {
    /// Those of this process's locale.
    pub fn of_this_process() -> Self {
        let variable = &|name: &str| std::env::var(name).ok();
        glyphs(&Environment { stdin_is_terminal: false, stdout_is_terminal: false, variable })
    }
}

impl Environment<'_> {
    /// POSIX treats an empty variable as one that is not set.
    fn non_empty(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }
}

fn depth(choice: ColorChoice, terminal: &str, environment: &Environment<'_>) -> ColorDepth {
    match choice {
        ColorChoice::Never => ColorDepth::None,
        ColorChoice::Ansi16 => ColorDepth::Ansi16,
        ColorChoice::Indexed256 => ColorDepth::Indexed256,
        ColorChoice::TrueColor => ColorDepth::TrueColor,
        ColorChoice::Auto if environment.non_empty("NO_COLOR").is_some() => ColorDepth::None,
        ColorChoice::Auto => match environment.non_empty("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => ColorDepth::TrueColor,
            _ => depth_of(terminal),
        },
    }
}

fn depth_of(terminal: &str) -> ColorDepth {
    if TRUE_COLOR_TERMINALS.iter().any(|name| terminal.contains(name)) {
        ColorDepth::TrueColor
    } else if terminal.contains("256color") {
        ColorDepth::Indexed256
    } else if MONOCHROME_TERMINALS.contains(&terminal) || terminal.ends_with("-m") {
        ColorDepth::None
    } else {
        ColorDepth::Ansi16
    }
}

/// The first of the three that is set decides, even when it is the "C" that switches UTF-8 off.
fn glyphs(environment: &Environment<'_>) -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.non_empty(name));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    if locale.contains("utf-8") || locale.contains("utf8") { Glyphs::Utf8 } else { Glyphs::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(choice: ColorChoice, variables: &[(&str, &str)]) -> Result<Capabilities, TermError> {
        let find =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let environment = Environment { stdin_is_terminal: true, stdout_is_terminal: true, variable: &find };
        Capabilities::detect(choice, &environment)
    }

    fn color(variables: &[(&str, &str)]) -> ColorDepth {
        detect(ColorChoice::Auto, variables).unwrap().color
    }

    fn glyphs_of(variables: &[(&str, &str)]) -> Glyphs {
        let variables = [&[("TERM", "xterm")], variables].concat();
        detect(ColorChoice::Auto, &variables).unwrap().glyphs
    }

    #[test]
    fn the_terminal_name_decides_the_colours() {
        assert_eq!(color(&[("TERM", "xterm")]), ColorDepth::Ansi16);
        assert_eq!(color(&[("TERM", "screen")]), ColorDepth::Ansi16);
        assert_eq!(color(&[("TERM", "linux")]), ColorDepth::Ansi16);
        assert_eq!(color(&[("TERM", "tmux-256color")]), ColorDepth::Indexed256);
        assert_eq!(color(&[("TERM", "xterm-direct")]), ColorDepth::TrueColor);
        assert_eq!(color(&[("TERM", "foot-extra")]), ColorDepth::TrueColor);
        assert_eq!(color(&[("TERM", "vt100")]), ColorDepth::None);
    }

    #[test]
    fn colorterm_raises_and_no_color_beats_it() {
        let rich = [("TERM", "xterm"), ("COLORTERM", "truecolor")];
        assert_eq!(color(&rich), ColorDepth::TrueColor);
        assert_eq!(color(&[rich[0], ("COLORTERM", "yes")]), ColorDepth::Ansi16);
        assert_eq!(color(&[rich[0], rich[1], ("NO_COLOR", "1")]), ColorDepth::None);
        assert_eq!(color(&[rich[0], rich[1], ("NO_COLOR", "")]), ColorDepth::TrueColor);
    }

    #[test]
    fn an_explicit_choice_beats_the_environment() {
        let no_color = [("TERM", "vt100"), ("NO_COLOR", "1")];
        let depth = |choice| detect(choice, &no_color).unwrap().color;
        assert_eq!(depth(ColorChoice::TrueColor), ColorDepth::TrueColor);
        assert_eq!(depth(ColorChoice::Indexed256), ColorDepth::Indexed256);
        assert_eq!(depth(ColorChoice::Ansi16), ColorDepth::Ansi16);
        let rich = [("TERM", "xterm"), ("COLORTERM", "truecolor")];
        assert_eq!(detect(ColorChoice::Never, &rich).unwrap().color, ColorDepth::None);
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert_eq!(glyphs_of(&[("LANG", "en_US.UTF-8")]), Glyphs::Utf8);
        assert_eq!(glyphs_of(&[("LANG", "de_DE.utf8")]), Glyphs::Utf8);
        assert_eq!(glyphs_of(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]), Glyphs::Ascii);
        assert_eq!(glyphs_of(&[("LANG", "C"), ("LC_CTYPE", "C.UTF-8")]), Glyphs::Utf8);
        assert_eq!(glyphs_of(&[("LANG", "C.UTF-8"), ("LC_ALL", "")]), Glyphs::Utf8);
        assert_eq!(glyphs_of(&[("LANG", "en_US.ISO-8859-1")]), Glyphs::Ascii);
        assert_eq!(glyphs_of(&[]), Glyphs::Ascii);
    }

    #[test]
    fn a_missing_terminal_is_one_line_that_names_the_way_out() {
        let cases = [
            (false, true, Some("xterm")),
            (true, false, Some("xterm")),
            (true, true, Some("dumb")),
            (true, true, Some("")),
            (true, true, None),
        ];
        for (stdin_is_terminal, stdout_is_terminal, term) in cases {
            let find = |name: &str| term.filter(|_| name == "TERM").map(str::to_owned);
            let environment = Environment { stdin_is_terminal, stdout_is_terminal, variable: &find };
            let error = Capabilities::detect(ColorChoice::TrueColor, &environment).unwrap_err();
            let message = error.to_string();
            assert!(matches!(error, TermError::NoTerminal { .. }));
            assert!(message.contains("`headcount train`") && !message.contains('\n'), "{message}");
        }
    }
}
