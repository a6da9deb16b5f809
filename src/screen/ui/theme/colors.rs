//! The colors of each theme, by role.
//!
//! The two default themes use the palette of Okabe and Ito ("Color Universal Design",
//! <https://jfly.uni-koeln.de/color/>), which are distinguishable with any kind of color vision;
//! for light backgrounds its colors are darkened, for dark ones its blue is lightened. No theme
//! sets the background color.

use super::color_depth::rgb;
use ratatui::style::Color;

/// The colors of a theme by role. The methods of [`Theme`](super::Theme) with the same names
/// describe the roles.
#[derive(Debug, PartialEq, Eq)]
pub struct ThemeColors {
    /// Whether the theme is for light backgrounds.
    pub is_light: bool,
    pub dim: Color,
    pub raw: Color,
    pub train: Color,
    pub eval: Color,
    pub f1: Color,
    pub bar: Color,
    pub good: Color,
    pub negative: Color,
    pub warning: Color,
    pub error: Color,
    pub curves: [Color; 8],
    pub cursor: Color,
    pub grid: Color,
    pub baseline: Color,
    pub focus: Color,
}

/// The sixteen colors of the terminal's own palette, without those that are hard to read on light
/// or on dark backgrounds. Every theme uses these if the terminal has only sixteen.
pub static TERMINAL: ThemeColors = ThemeColors {
    is_light: false,
    dim: Color::DarkGray,
    raw: Color::DarkGray,
    train: Color::Cyan,
    eval: Color::Yellow,
    f1: Color::Magenta,
    bar: Color::Reset,
    good: Color::Green,
    negative: Color::LightBlue,
    warning: Color::LightRed,
    error: Color::Red,
    curves: [
        Color::Cyan,
        Color::Yellow,
        Color::Green,
        Color::Magenta,
        Color::Blue,
        Color::Red,
        Color::DarkGray,
        Color::Reset,
    ],
    cursor: Color::Reset,
    grid: Color::DarkGray,
    baseline: Color::DarkGray,
    focus: Color::Reset,
};

/// Okabe and Ito's colors for a dark background.
pub static DEFAULT_DARK: ThemeColors = ThemeColors {
    is_light: false,
    dim: rgb(0x0085_8d98),
    raw: rgb(0x0070_7882),
    train: rgb(0x0056_b4e9),
    eval: rgb(0x00e6_9f00),
    f1: rgb(0x00cc_79a7),
    bar: rgb(0x008a_a0b8),
    good: rgb(0x0000_b389),
    negative: rgb(0x00b9_a3ff),
    warning: rgb(0x00f0_e442),
    error: rgb(0x00f0_702a),
    curves: [
        rgb(0x0056_b4e9),
        rgb(0x00e6_9f00),
        rgb(0x0000_9e73),
        rgb(0x00cc_79a7),
        rgb(0x00f0_e442),
        rgb(0x00d5_5e00),
        rgb(0x003d_7fd0),
        rgb(0x00ff_ffff),
    ],
    cursor: rgb(0x00ff_ffff),
    grid: rgb(0x004a_4f57),
    baseline: rgb(0x009a_a0a8),
    focus: Color::Reset,
};

/// Okabe and Ito's colors, darkened for a light background.
pub static DEFAULT_LIGHT: ThemeColors = ThemeColors {
    is_light: true,
    dim: rgb(0x006b_7280),
    raw: rgb(0x0085_8b95),
    train: rgb(0x0000_5aa8),
    eval: rgb(0x0096_6000),
    f1: rgb(0x0096_307c),
    bar: rgb(0x0055_6b80),
    good: rgb(0x0000_7355),
    negative: rgb(0x0055_3fb0),
    warning: rgb(0x006e_6400),
    error: rgb(0x00b8_4400),
    curves: [
        rgb(0x0000_5aa8),
        rgb(0x0096_6000),
        rgb(0x0000_7355),
        rgb(0x0096_307c),
        rgb(0x004a_4200),
        rgb(0x00d0_643c),
        rgb(0x002f_8fe0),
        rgb(0x0010_1010),
    ],
    cursor: rgb(0x0000_0000),
    grid: rgb(0x00c4_c9d0),
    baseline: rgb(0x006b_7280),
    focus: Color::Reset,
};

/// High contrast on a black background.
pub static HIGH_CONTRAST_DARK: ThemeColors = ThemeColors {
    is_light: false,
    dim: Color::Reset,
    raw: rgb(0x00c8_c8c8),
    train: rgb(0x007c_d0ff),
    eval: rgb(0x00ff_b000),
    f1: rgb(0x00ff_a0d0),
    bar: rgb(0x00d8_e0e8),
    good: rgb(0x0020_e0a0),
    negative: rgb(0x00c8_b8ff),
    warning: rgb(0x00ff_ff60),
    error: rgb(0x00ff_8050),
    curves: [
        rgb(0x007c_d0ff),
        rgb(0x00ff_b000),
        rgb(0x0020_e0a0),
        rgb(0x00ff_a0d0),
        rgb(0x00ff_ff60),
        rgb(0x00ff_8050),
        rgb(0x008a_b0ff),
        rgb(0x00ff_ffff),
    ],
    cursor: Color::Reset,
    grid: rgb(0x0090_9090),
    baseline: Color::Reset,
    focus: Color::Reset,
};

/// High contrast on a white background.
pub static HIGH_CONTRAST_LIGHT: ThemeColors = ThemeColors {
    is_light: true,
    dim: Color::Reset,
    raw: rgb(0x0050_5050),
    train: rgb(0x0000_50a0),
    eval: rgb(0x007a_4a00),
    f1: rgb(0x0080_205f),
    bar: rgb(0x0030_4050),
    good: rgb(0x0000_5a42),
    negative: rgb(0x0040_2a98),
    warning: rgb(0x0050_4800),
    error: rgb(0x009e_2a00),
    curves: [
        rgb(0x0000_50a0),
        rgb(0x007a_4a00),
        rgb(0x0000_5a42),
        rgb(0x0080_205f),
        rgb(0x004a_4200),
        rgb(0x009e_2a00),
        rgb(0x0030_30c0),
        rgb(0x0000_0000),
    ],
    cursor: Color::Reset,
    grid: rgb(0x0080_8080),
    baseline: Color::Reset,
    focus: Color::Reset,
};

/// Solarized (<https://ethanschoonover.com/solarized/>) on its dark background.
pub static SOLARIZED_DARK: ThemeColors = solarized(0x0058_6e75, 0x0093_a1a1, 0x0007_3642);

/// Solarized on its light background.
pub static SOLARIZED_LIGHT: ThemeColors = solarized(0x0093_a1a1, 0x0058_6e75, 0x00ee_e8d5);

/// The accents are the same on both backgrounds; `dim` is secondary text, `strong` emphasized text,
/// and `faint` nearly the background.
const fn solarized(dim: u32, strong: u32, faint: u32) -> ThemeColors {
    const YELLOW: Color = rgb(0x00b5_8900);
    const ORANGE: Color = rgb(0x00cb_4b16);
    const RED: Color = rgb(0x00dc_322f);
    const MAGENTA: Color = rgb(0x00d3_3682);
    const VIOLET: Color = rgb(0x006c_71c4);
    const BLUE: Color = rgb(0x0026_8bd2);
    const CYAN: Color = rgb(0x002a_a198);
    const GREEN: Color = rgb(0x0085_9900);
    ThemeColors {
        is_light: faint > dim,
        dim: rgb(dim),
        raw: rgb(dim),
        train: BLUE,
        eval: YELLOW,
        f1: MAGENTA,
        bar: CYAN,
        good: GREEN,
        negative: VIOLET,
        warning: ORANGE,
        error: RED,
        curves: [BLUE, YELLOW, CYAN, MAGENTA, GREEN, ORANGE, VIOLET, rgb(strong)],
        cursor: rgb(strong),
        grid: rgb(faint),
        baseline: rgb(dim),
        focus: rgb(strong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::ui::theme::color_depth::tests::{contrast, linear};

    const BLACK: Color = rgb(0);
    const WHITE: Color = rgb(0x00ff_ffff);
    /// What many terminals call black.
    const DARK: Color = rgb(0x001e_1e1e);

    /// The colors of text, without the terminal's own foreground.
    fn text_colors(palette: &ThemeColors) -> Vec<Color> {
        let ThemeColors { dim, train, eval, f1, bar, good, negative, warning, error, .. } = palette;
        let text = [dim, train, eval, f1, bar, good, negative, warning, error];
        text.into_iter().copied().filter(|color| *color != Color::Reset).collect()
    }

    #[test]
    fn text_and_curves_have_enough_contrast() {
        for (palette, background, least) in [
            (&DEFAULT_DARK, DARK, 4.5),
            (&DEFAULT_DARK, BLACK, 4.5),
            (&DEFAULT_LIGHT, WHITE, 4.5),
            (&HIGH_CONTRAST_DARK, BLACK, 7.0),
            (&HIGH_CONTRAST_LIGHT, WHITE, 7.0),
        ] {
            for color in text_colors(palette) {
                let found = contrast(color, background);
                assert!(found >= least, "{color:?} on {background:?} has {found}");
            }
            // WCAG 2.2, 1.4.11: graphics need a contrast of 3.
            for color in palette.curves.into_iter().chain([palette.raw]) {
                let found = contrast(color, background);
                assert!(found >= 3.0, "{color:?} on {background:?} has {found}");
            }
        }
    }

    /// How red, green and blue appear with normal vision and the three kinds of dichromacy
    /// (Machado, Oliveira and Fernandes 2009, severity 1).
    const VISION: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ];

    /// The color in CIE L*a*b* (D65) as it appears with this vision.
    fn appearance(color: Color, vision: &[[f64; 3]; 3]) -> [f64; 3] {
        let dot = |row: &[f64; 3], v: [f64; 3]| row[0] * v[0] + row[1] * v[1] + row[2] * v[2];
        let linear = linear(color);
        let [r, g, b] = [0, 1, 2].map(|i| dot(&vision[i], linear).clamp(0.0, 1.0));
        let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.950_47);
        let y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
        let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.088_83);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn the_default_themes_suit_every_kind_of_color_vision() {
        for palette in [&DEFAULT_DARK, &DEFAULT_LIGHT] {
            for vision in &VISION {
                let assert_distinct = |a: Color, b: Color| {
                    let (a, b) = (appearance(a, vision), appearance(b, vision));
                    // Below a distance of 10, colors that are not side by side look the same.
                    let distance: f64 = (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt();
                    assert!(distance > 10.0, "{a:?} and {b:?}: {distance}");
                };
                for (i, a) in palette.curves.iter().enumerate() {
                    palette.curves[..i].iter().for_each(|b| assert_distinct(*a, *b));
                }
                assert_distinct(palette.train, palette.eval);
                assert_distinct(palette.f1, palette.eval);
                assert_distinct(palette.train, palette.f1);
                assert_distinct(palette.good, palette.negative);
                assert_distinct(palette.good, palette.error);
                assert_distinct(palette.train, palette.raw);
            }
        }
    }

    #[test]
    fn curves_differ_in_every_theme() {
        for palette in [
            &TERMINAL,
            &DEFAULT_DARK,
            &DEFAULT_LIGHT,
            &HIGH_CONTRAST_DARK,
            &HIGH_CONTRAST_LIGHT,
            &SOLARIZED_DARK,
            &SOLARIZED_LIGHT,
        ] {
            for (i, curve) in palette.curves.iter().enumerate() {
                assert!(!palette.curves[..i].contains(curve), "{curve:?} twice");
            }
        }
    }
}
