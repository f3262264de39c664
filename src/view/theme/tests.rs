use super::palettes::{Rgb, TERMINALS, seen, split};
use super::*;
use crate::view::widgets::luminance;

const DEPTHS: [ColorDepth; 4] =
    [ColorDepth::None, ColorDepth::Ansi16, ColorDepth::Indexed256, ColorDepth::TrueColor];

const ROLES: [Role; 16] = [
    Role::Plain,
    Role::Strong,
    Role::Faint,
    Role::Title,
    Role::Key,
    Role::Cursor,
    Role::Good,
    Role::Warning,
    Role::Wrong,
    Role::Banner,
    Role::Off,
    Role::Changed,
    Role::Bar,
    Role::Second,
    Role::Positive,
    Role::Negative,
];

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn contrast_is_that_of_the_web_guidelines() {
    assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 1e-9);
    assert!((contrast((0x77, 0x77, 0x77), (255, 255, 255)) - 4.48).abs() < 0.01);
}

#[test]
fn every_role_is_readable_on_every_ground_that_its_theme_is_for() {
    for (ground, paper, palette) in TERMINALS {
        for depth in DEPTHS {
            let theme = Theme { depth, glyphs: Glyphs::Utf8, ground };
            for role in ROLES {
                let style = theme.style(role);
                assert_eq!(style.bg, None, "{role:?}");
                // The default foreground is the user's own choice.
                let Some(color) = style.fg else { continue };
                let contrast = contrast(seen(color, &palette), split(paper));
                assert!(contrast >= 4.5, "{role:?} at {depth:?} on {paper:06x}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn what_calls_for_attention_is_marked_without_colour_too() {
    let theme = Theme { depth: ColorDepth::None, glyphs: Glyphs::Utf8, ground: Ground::Dark };
    for role in ROLES {
        let style = theme.style(role);
        assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
    }
    for role in [Role::Wrong, Role::Warning, Role::Banner, Role::Off, Role::Changed, Role::Cursor] {
        assert_ne!(theme.style(role), theme.style(Role::Plain), "{role:?}");
    }
}
