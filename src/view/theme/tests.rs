use super::*;

type Rgb = (u8, u8, u8);

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

/// The sixteen as they are published, in the order of their numbers.
const XTERM: [u32; 16] = [
    0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000,
    0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
];
const VGA: [u32; 16] = [
    0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa, 0x555555, 0xff5555,
    0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
];
const SOLARIZED: [u32; 16] = [
    0x073642, 0xdc322f, 0x859900, 0xb58900, 0x268bd2, 0xd33682, 0x2aa198, 0xeee8d5, 0x002b36, 0xcb4b16,
    0x586e75, 0x657b83, 0x839496, 0x6c71c4, 0x93a1a1, 0xfdf6e3,
];

/// A terminal's ground, and its palette.
const TERMINALS: [(Ground, u32, [u32; 16]); 6] = [
    (Ground::Dark, 0x000000, XTERM),
    (Ground::Dark, 0x000000, VGA),
    (Ground::Dark, 0x002b36, SOLARIZED),
    (Ground::Light, 0xffffff, XTERM),
    (Ground::Light, 0xffffff, VGA),
    (Ground::Light, 0xfdf6e3, SOLARIZED),
];

fn split(rgb: u32) -> Rgb {
    ((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8)
}

fn seen(color: Color, palette: &[u32; 16]) -> Rgb {
    let named = crate::picture::xterm::NAMED.iter().position(|(_, named)| *named == color);
    named.map_or_else(|| rgb(color).expect("a colour that is seen"), |number| split(palette[number]))
}

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
fn text_on_a_heat_scale_is_readable() {
    for depth in DEPTHS {
        let theme = Theme { depth, glyphs: Glyphs::Utf8, ground: Ground::Dark };
        for scale in [Scale::Sequential, Scale::Diverging] {
            for step in 0_u8..=100 {
                let style = theme.heat_text(scale, f32::from(step) / 100.0);
                let (Some(ink), Some(paper)) = (style.fg, style.bg) else { continue };
                let contrast = contrast(rgb(ink).unwrap(), rgb(paper).unwrap());
                assert!(contrast >= 4.5, "{scale:?} {step} at {depth:?}: {contrast:.2}");
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
    assert_eq!(theme.heat(Scale::Sequential, 0.7), Color::Reset);
    for role in [Role::Wrong, Role::Warning, Role::Banner, Role::Off, Role::Changed, Role::Cursor] {
        assert_ne!(theme.style(role), theme.style(Role::Plain), "{role:?}");
    }
}

#[test]
fn scales_stay_in_their_range() {
    for depth in DEPTHS {
        let theme = Theme { depth, glyphs: Glyphs::Utf8, ground: Ground::Dark };
        for scale in [Scale::Sequential, Scale::Diverging] {
            for x in [-1.0, 0.0, 0.5, 1.0, 2.0, f32::NAN, f32::INFINITY] {
                theme.heat(scale, x);
                Theme::shade(scale, x);
            }
        }
    }
}

#[test]
fn shades_of_a_signed_scale_say_the_sign_and_no_shade_is_one() {
    let shade = |x: f32| Theme::shade(Scale::Diverging, x);
    assert_eq!([0.0, 0.3, 0.5, 0.7, 1.0].map(shade), ['i', 'd', '.', '4', '9']);
    assert!(!SHADES.iter().chain(&SIGNED_SHADES).any(|shade| "+-".contains(*shade)));
}
