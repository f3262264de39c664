use super::*;
use crate::view::theme::palettes::{TERMINALS, seen};

const DEPTHS: [ColorDepth; 4] =
    [ColorDepth::None, ColorDepth::Ansi16, ColorDepth::Indexed256, ColorDepth::TrueColor];
const COLORED: [ColorDepth; 3] = [ColorDepth::Ansi16, ColorDepth::Indexed256, ColorDepth::TrueColor];

fn ramp(scale: Scale, depth: ColorDepth) -> Ramp {
    Ramp { scale, depth, has_halves: depth != ColorDepth::None }
}

/// Eyes: all cones, without those for long waves (protanopia), without those for middle waves (deuteranopia).
const EYES: [[[f64; 3]; 3]; 3] = [
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    // Viénot, Brettel and Mollon 1999, on linear sRGB.
    [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
];

/// CIE L*a*b* of a colour as some eyes see it.
fn lab((r, g, b): (u8, u8, u8), eyes: &[[f64; 3]; 3]) -> [f64; 3] {
    let light = [r, g, b].map(linear);
    let product = |m: &[[f64; 3]; 3], v: [f64; 3]| m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
    let xyz = product(
        &[[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
        product(eyes, light),
    );
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let [x, y, z] = [f(xyz[0] / 0.9505), f(xyz[1]), f(xyz[2] / 1.089)];
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

fn apart(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// The colours of a ramp as they are seen, from `x` of 0 to 1.
fn colors(
    ramp: Ramp,
    palette: &[u32; 16],
    eyes: &[[f64; 3]; 3],
    at: impl Iterator<Item = f32>,
) -> Vec<[f64; 3]> {
    let mut seen: Vec<[f64; 3]> = at.map(|x| lab(seen(ramp.color(x), palette), eyes)).collect();
    seen.dedup();
    seen
}

fn shares(from: f32, to: f32) -> impl Iterator<Item = f32> {
    (0_u16..=200).map(move |at| from + (to - from) * f32::from(at) / 200.0)
}

#[test]
fn every_step_is_lighter_than_the_one_before_to_every_eye_and_in_every_palette() {
    for (_, _, palette) in TERMINALS {
        for depth in COLORED {
            for eyes in &EYES {
                let rising = |scale, from, to| {
                    let colors = colors(ramp(scale, depth), &palette, eyes, shares(from, to));
                    assert!(colors.is_sorted_by(|a, b| a[0] < b[0]), "{scale:?} {depth:?}: {colors:?}");
                    colors.len()
                };
                let steps = rising(Scale::Sequential, 0.0, 1.0);
                assert_eq!(steps, ramp(Scale::Sequential, depth).steps());
                let sides = [rising(Scale::Diverging, 0.5, 0.0), rising(Scale::Diverging, 0.5, 1.0)];
                assert_eq!(sides[0] + sides[1] - 1, ramp(Scale::Diverging, depth).steps());
            }
        }
    }
}

#[test]
fn the_sides_of_a_diverging_scale_differ_to_every_eye() {
    for (_, _, palette) in TERMINALS {
        for depth in COLORED {
            for eyes in &EYES {
                let ramp = ramp(Scale::Diverging, depth);
                for at in 0_u8..=20 {
                    let distance = 0.05 + 0.95 * f32::from(at) / 20.0;
                    let [below, above] =
                        [-0.5, 0.5].map(|half| lab(seen(ramp.color(0.5 + half * distance), &palette), eyes));
                    assert!(apart(below, above) > 10.0, "{depth:?} {distance}: {below:?} {above:?}");
                }
            }
        }
    }
}

#[test]
fn a_small_value_has_the_colour_of_its_sign() {
    for depth in COLORED {
        let ramp = ramp(Scale::Diverging, depth);
        let [zero, plus, minus] = [0.5, 0.5 + 0.025, 0.5 - 0.025].map(|x| ramp.color(x));
        assert!(zero != plus && zero != minus && plus != minus, "{depth:?}");
    }
}

#[test]
fn text_on_a_scale_is_readable() {
    let contrast = |one: Color, other: Color| {
        let [one, other] = [one, other].map(|color| luminance(rgb(color).unwrap()) + 0.05);
        one.max(other) / one.min(other)
    };
    for depth in [ColorDepth::Indexed256, ColorDepth::TrueColor] {
        for scale in [Scale::Sequential, Scale::Diverging] {
            for x in shares(0.0, 1.0) {
                let style = ramp(scale, depth).text(x);
                let contrast = contrast(style.fg.unwrap(), style.bg.unwrap());
                assert!(contrast >= 4.5, "{scale:?} {x} at {depth:?}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn scales_stay_in_their_range() {
    for depth in DEPTHS {
        for scale in [Scale::Sequential, Scale::Diverging] {
            for x in [-1.0, 0.0, 0.5, 1.0, 2.0, f32::NAN, f32::INFINITY] {
                ramp(scale, depth).color(x);
                ramp(scale, depth).shade(x);
            }
        }
    }
}

#[test]
fn without_colour_a_number_is_never_blank_and_a_shade_never_a_sign() {
    let shade = |x: f32| ramp(Scale::Diverging, ColorDepth::None).shade(x);
    assert_eq!([0.0, 0.3, 0.5, 0.7, 1.0].map(shade), ['i', 'd', '.', '4', '9']);
    assert_eq!(ramp(Scale::Sequential, ColorDepth::None).shade(0.0), '.');
    assert!(!SHADES.iter().chain(&SIGNED_SHADES).any(|shade| "+- ".contains(*shade)));
}

#[test]
fn the_legend_is_each_step_once() {
    for depth in DEPTHS {
        for scale in [Scale::Sequential, Scale::Diverging] {
            let ramp = ramp(scale, depth);
            let area = Rect::new(0, 0, ramp.steps() as u16, 1);
            let mut buffer = Buffer::empty(area);
            ramp.render(area, &mut buffer);
            let mut seen: Vec<_> = buffer.content().iter().map(|cell| (cell.symbol(), cell.fg)).collect();
            seen.dedup();
            assert_eq!(seen.len(), ramp.steps(), "{scale:?} {depth:?}");
        }
    }
}
