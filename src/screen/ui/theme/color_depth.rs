//! The number of colors that a terminal supports, and the quantization of RGB colors to it.

use ratatui::style::Color;
use std::cell::RefCell;
use std::collections::HashMap;

/// The number of colors that a terminal supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorDepth {
    /// No colors, only attributes such as bold.
    None,
    /// The 16 colors of the terminal's own palette.
    Sixteen,
    /// The 256 colors of xterm: the palette, a color cube of 6 x 6 x 6 and 24 grays.
    Indexed,
    /// 24 bits (RGB).
    Truecolor,
}

/// The levels of one channel in the color cube.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The first index of the cube; the indices below are the terminal's own palette.
const CUBE: u8 = 16;

/// The first index of the grays.
const GRAYS: u8 = 232;

/// A color from its six hexadecimal digits.
pub const fn rgb(hex: u32) -> Color {
    Color::from_u32(hex)
}

/// The color as a terminal of this depth can show it: RGB becomes the nearest color of the cube and
/// the grays if the depth is [`ColorDepth::Indexed`]. Themes define their sixteen colors
/// themselves.
pub fn quantize(color: Color, depth: ColorDepth) -> Color {
    match (color, depth) {
        (Color::Rgb(r, g, b), ColorDepth::Indexed) => Color::Indexed(nearest([r, g, b])),
        (color, _) => color,
    }
}

/// Red, green and blue of an index of the cube or the grays; `None` for the terminal's palette.
pub fn xterm_rgb(index: u8) -> Option<[u8; 3]> {
    match index {
        0..CUBE => None,
        CUBE..GRAYS => {
            let offset = usize::from(index - CUBE);
            Some([LEVELS[offset / 36], LEVELS[offset / 6 % 6], LEVELS[offset % 6]])
        }
        GRAYS.. => Some([8 + 10 * (index - GRAYS); 3]),
    }
}

/// The index of the nearest color in the cube and the grays. Cached: a theme has few colors, which
/// are needed for every frame.
fn nearest(color: [u8; 3]) -> u8 {
    thread_local! {
        static CACHE: RefCell<HashMap<[u8; 3], u8>> = RefCell::default();
    }
    CACHE.with_borrow_mut(|cache| *cache.entry(color).or_insert_with(|| search(color)))
}

fn search(color: [u8; 3]) -> u8 {
    let distance = |index: &u8| xterm_rgb(*index).map_or(u32::MAX, |other| distance(color, other));
    (CUBE..=u8::MAX).min_by_key(distance).unwrap_or(CUBE)
}

/// The squared perceptual distance of two colors by the "redmean" approximation
/// (<https://www.compuphase.com/cmetric.htm>).
fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    let square = |channel: usize| u32::from(a[channel].abs_diff(b[channel])).pow(2);
    let red = u32::midpoint(u32::from(a[0]), u32::from(b[0]));
    (((512 + red) * square(0)) >> 8) + 4 * square(1) + (((767 - red) * square(2)) >> 8)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The linear channels of an sRGB color, 0 to 1 (IEC 61966-2-1).
    pub fn linear(color: Color) -> [f64; 3] {
        let Color::Rgb(r, g, b) = color else {
            panic!("{color:?} is not an RGB color");
        };
        [r, g, b].map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// The contrast ratio of two colors, 1 to 21 (WCAG 2.2, definition of "contrast ratio").
    pub fn contrast(a: Color, b: Color) -> f64 {
        let luminance = |color| {
            let [r, g, b] = linear(color);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn the_cube_and_the_grays_match_xterm() {
        assert_eq!(xterm_rgb(15), None);
        assert_eq!(xterm_rgb(16), Some([0, 0, 0]));
        assert_eq!(xterm_rgb(21), Some([0, 0, 255]));
        assert_eq!(xterm_rgb(208), Some([255, 135, 0]));
        assert_eq!(xterm_rgb(231), Some([255, 255, 255]));
        assert_eq!(xterm_rgb(232), Some([8, 8, 8]));
        assert_eq!(xterm_rgb(255), Some([238, 238, 238]));
    }

    #[test]
    fn each_indexed_color_is_nearest_to_itself() {
        for number in CUBE..=u8::MAX {
            let color = xterm_rgb(number).unwrap_or_default();
            assert_eq!(xterm_rgb(nearest(color)), Some(color), "{number}");
        }
    }

    #[test]
    fn other_colors_become_the_nearest_one() {
        assert_eq!(quantize(rgb(0x00fe_8801), ColorDepth::Indexed), Color::Indexed(208));
        // A gray that is not in the cube.
        assert_eq!(quantize(rgb(0x0012_1212), ColorDepth::Indexed), Color::Indexed(233));
        assert_eq!(quantize(rgb(0x0012_1212), ColorDepth::Truecolor), Color::Rgb(0x12, 0x12, 0x12));
        assert_eq!(quantize(Color::Cyan, ColorDepth::Indexed), Color::Cyan);
    }

    #[test]
    fn contrast_matches_wcag() {
        let close = |a: f64, b: f64| (a - b).abs() < 0.01;
        assert!(close(contrast(rgb(0), rgb(0x00ff_ffff)), 21.0));
        // The lightest gray with a contrast of 4.5 on white.
        assert!(close(contrast(rgb(0x0076_7676), rgb(0x00ff_ffff)), 4.54));
    }
}
