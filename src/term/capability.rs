//! Capabilities of the terminal, determined once at the start from the flags and the environment.

use std::io::IsTerminal;

use super::{Ground, TermError};

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

/// The ground that the user says the terminal has, with `--theme`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ThemeChoice {
    /// Ask the terminal for its background once, at the start; plain where it does not say.
    #[default]
    Auto,
    /// Colours for a dark background.
    Dark,
    /// Colours for a light background.
    Light,
    /// No colours: bold, underline and reverse only.
    Plain,
}

/// What the user says about the screen.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct Looks {
    /// Colours for which background
    #[arg(long, value_enum, default_value_t)]
    pub theme: ThemeChoice,
    /// Characters below 0x80 only
    #[arg(long)]
    pub ascii: bool,
    /// Colours on screen
    #[arg(long, value_enum, default_value_t)]
    pub color: ColorChoice,
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
    /// The font of the Linux console: code page 437.
    Console,
    /// Bytes below 0x80 only.
    Ascii,
}

/// Capabilities of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// The colours that may be written.
    pub color: ColorDepth,
    /// The characters that may be written.
    pub glyphs: Glyphs,
    /// The background behind the text; `None` until the terminal is asked.
    pub ground: Option<Ground>,
}

/// Input of [`Capabilities::detect`].
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Whether keys can be read.
    pub stdin_is_terminal: bool,
    /// Whether a screen can be drawn.
    pub stdout_is_terminal: bool,
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Terminals with 24-bit colour, recognised by name: over SSH `COLORTERM` is rarely passed on.
const TRUE_COLOR_TERMINALS: [&str; 7] =
    ["xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour", "direct"];

/// Monochrome hardware terminals that emulators still claim to be.
const MONOCHROME_TERMINALS: [&str; 6] = ["vt52", "vt100", "vt102", "vt220", "vt320", "xterm-mono"];

impl Capabilities {
    /// Decides from the flags and the environment only: the terminal is not asked.
    ///
    /// # Errors
    /// [`TermError::NoTerminal`] without a terminal that can show a screen.
    pub fn detect(looks: Looks, environment: &Environment<'_>) -> Result<Self, TermError> {
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
            Some(name) => {
                let glyphs = if looks.ascii { Glyphs::Ascii } else { glyphs(name, environment) };
                let depth = depth(looks.color, name, environment);
                Ok(match looks.theme {
                    // The Linux console gives no answer, and is black unless a user has changed it.
                    ThemeChoice::Auto if name == "linux" => {
                        Self { color: depth, glyphs, ground: Some(Ground::Dark) }
                    }
                    ThemeChoice::Auto => Self { color: depth, glyphs, ground: None },
                    ThemeChoice::Dark => Self { color: depth, glyphs, ground: Some(Ground::Dark) },
                    ThemeChoice::Light => Self { color: depth, glyphs, ground: Some(Ground::Light) },
                    ThemeChoice::Plain => Self { color: ColorDepth::None, glyphs, ground: None },
                })
            }
        }
    }

    /// [`detect`](Self::detect) for this process.
    ///
    /// # Errors
    /// [`TermError::NoTerminal`] without a terminal that can show a screen.
    pub fn of_this_process(looks: Looks) -> Result<Self, TermError> {
        Self::detect(
            looks,
            &Environment {
                stdin_is_terminal: std::io::stdin().is_terminal(),
                stdout_is_terminal: std::io::stdout().is_terminal(),
                variable: &|name| std::env::var(name).ok(),
            },
        )
    }

    /// Whether colours depend on the terminal's answer about its background.
    pub(super) fn must_ask(self) -> bool {
        self.ground.is_none() && self.color != ColorDepth::None
    }

    /// Adds the terminal's answer about its background, if any: without it no colour is known to be readable.
    pub(super) fn on(self, ground: Option<Ground>) -> Self {
        let color = if ground.is_some() { self.color } else { ColorDepth::None };
        Self { color, ground, ..self }
    }
}

impl Glyphs {
    /// The glyphs of this process's locale.
    pub fn of_this_process() -> Self {
        let variable = &|name: &str| std::env::var(name).ok();
        let environment = Environment { stdin_is_terminal: false, stdout_is_terminal: false, variable };
        glyphs(&environment.non_empty("TERM").unwrap_or_default(), &environment)
    }
}

impl Environment<'_> {
    /// POSIX treats an empty variable as unset.
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

/// The first of the three variables that is set decides, even if its value "C" switches UTF-8 off.
fn glyphs(terminal: &str, environment: &Environment<'_>) -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.non_empty(name));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    match locale.contains("utf-8") || locale.contains("utf8") {
        true if terminal == "linux" => Glyphs::Console,
        true => Glyphs::Utf8,
        false => Glyphs::Ascii,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(choice: ColorChoice, variables: &[(&str, &str)]) -> Result<Capabilities, TermError> {
        let find =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let environment = Environment { stdin_is_terminal: true, stdout_is_terminal: true, variable: &find };
        Capabilities::detect(Looks { color: choice, ..Looks::default() }, &environment)
    }

    fn color(variables: &[(&str, &str)]) -> ColorDepth {
        detect(ColorChoice::Auto, variables).unwrap().color
    }

    fn glyphs_of(variables: &[(&str, &str)]) -> Glyphs {
        let variables = [variables, &[("TERM", "xterm")]].concat();
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
    fn the_linux_console_has_the_glyphs_of_its_font() {
        assert_eq!(glyphs_of(&[("TERM", "linux"), ("LANG", "C.UTF-8")]), Glyphs::Console);
        assert_eq!(glyphs_of(&[("TERM", "linux"), ("LANG", "C")]), Glyphs::Ascii);
    }

    #[test]
    fn only_a_theme_that_depends_on_the_terminal_asks_it() {
        let looks = |theme, color| {
            let find = |name: &str| (name == "TERM").then(|| "xterm".to_owned());
            let environment =
                Environment { stdin_is_terminal: true, stdout_is_terminal: true, variable: &find };
            Capabilities::detect(Looks { theme, ascii: true, color }, &environment).unwrap()
        };
        let auto = looks(ThemeChoice::Auto, ColorChoice::Auto);
        assert!(auto.must_ask() && auto.glyphs == Glyphs::Ascii);
        assert!(!looks(ThemeChoice::Auto, ColorChoice::Never).must_ask());
        assert!(!looks(ThemeChoice::Plain, ColorChoice::TrueColor).must_ask());
        for (theme, ground) in [(ThemeChoice::Dark, Ground::Dark), (ThemeChoice::Light, Ground::Light)] {
            let known = looks(theme, ColorChoice::Auto);
            assert_eq!(
                (known.must_ask(), known.ground, known.color),
                (false, Some(ground), ColorDepth::Ansi16)
            );
        }
        assert_eq!(auto.on(None).color, ColorDepth::None);
        assert_eq!(auto.on(Some(Ground::Light)).color, ColorDepth::Ansi16);
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
            let error = Capabilities::detect(Looks::default(), &environment).unwrap_err();
            let message = error.to_string();
            assert!(matches!(error, TermError::NoTerminal { .. }));
            assert!(message.contains("`headcount train`") && !message.contains('\n'), "{message}");
        }
    }
}
