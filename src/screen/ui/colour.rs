//! Colours in red, green and blue, brought down to what a terminal can show.

use ratatui::style::Color;
use std::cell::RefCell;
use std::collections::HashMap;

/// How many colours a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None: weights alone.
    None,
    /// The sixteen of the terminal's palette, which its user chose.
    Sixteen,
    /// The 256 of xterm: the palette, a cube of 6 x 6 x 6 and 24 greys.
    Indexed,
    /// 24 bits.
    Truecolor,
}

/// The levels of one channel in the cube of 256 colours.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Where the cube begins; below it is the terminal's own palette, which may be anything.
const CUBE: u8 = 16;

/// Where the greys begin.
const GREYS: u8 = 232;

/// A colour from its six hexadecimal digits.
pub const fn rgb(hex: u32) -> Color {
    Color::from_u32(hex)
}

/// The colour as a terminal of this depth can show it: in 24 bits as it is, in 256 the nearest of
/// the cube and the greys. Sixteen colours are not computed but chosen, role by role.
pub fn at_depth(colour: Color, depth: Depth) -> Color {
    match (colour, depth) {
        (Color::Rgb(r, g, b), Depth::Indexed) => Color::Indexed(nearest([r, g, b])),
        (colour, _) => colour,
    }
}

/// Red, green and blue of a number from the cube or the greys.
///
/// `None` for the first sixteen, which are the user's.
pub fn xterm(number: u8) -> Option<[u8; 3]> {
    match number {
        0..CUBE => None,
        CUBE..GREYS => {
            let place = usize::from(number - CUBE);
            Some([LEVELS[place / 36], LEVELS[place / 6 % 6], LEVELS[place % 6]])
        }
        GREYS.. => Some([8 + 10 * (number - GREYS); 3]),
    }
}

/// The number of the nearest colour in the cube and the greys. A theme has few colours, each of
/// which is looked for once.
fn nearest(colour: [u8; 3]) -> u8 {
    thread_local! {
        static KNOWN: RefCell<HashMap<[u8; 3], u8>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| *known.entry(colour).or_insert_with(|| search(colour)))
}

fn search(colour: [u8; 3]) -> u8 {
    let far = |number: &u8| xterm(*number).map_or(u32::MAX, |other| distance(colour, other));
    (CUBE..=u8::MAX).min_by_key(far).unwrap_or(CUBE)
}

/// How different two colours look, squared. The weights are those of the "redmean" approximation
/// (<https://www.compuphase.com/cmetric.htm>).
fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    let square = |channel: usize| u32::from(a[channel].abs_diff(b[channel])).pow(2);
    let red = u32::midpoint(u32::from(a[0]), u32::from(b[0]));
    (((512 + red) * square(0)) >> 8) + 4 * square(1) + (((767 - red) * square(2)) >> 8)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The channels without their gamma, 0 to 1 (IEC 61966-2-1).
    pub fn linear(colour: Color) -> [f64; 3] {
        let Color::Rgb(r, g, b) = colour else {
            panic!("{colour:?} is not written in red, green and blue");
        };
        [r, g, b].map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// The contrast of two colours, 1 to 21, as WCAG 2 defines it.
    pub fn contrast(a: Color, b: Color) -> f64 {
        let luminance = |colour| {
            let [r, g, b] = linear(colour);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn the_cube_and_the_greys_are_xterms() {
        assert_eq!(xterm(15), None);
        assert_eq!(xterm(16), Some([0, 0, 0]));
        assert_eq!(xterm(21), Some([0, 0, 255]));
        assert_eq!(xterm(208), Some([255, 135, 0]));
        assert_eq!(xterm(231), Some([255, 255, 255]));
        assert_eq!(xterm(232), Some([8, 8, 8]));
        assert_eq!(xterm(255), Some([238, 238, 238]));
    }

    #[test]
    fn each_of_the_256_is_nearest_to_itself() {
        for number in CUBE..=u8::MAX {
            let colour = xterm(number).unwrap_or_default();
            assert_eq!(xterm(nearest(colour)), Some(colour), "{number}");
        }
    }

    #[test]
    fn what_lies_between_goes_to_its_neighbour() {
        assert_eq!(at_depth(rgb(0x00fe_8801), Depth::Indexed), Color::Indexed(208));
        // A grey that the cube has not.
        assert_eq!(at_depth(rgb(0x0012_1212), Depth::Indexed), Color::Indexed(233));
        assert_eq!(at_depth(rgb(0x0012_1212), Depth::Truecolor), Color::Rgb(0x12, 0x12, 0x12));
        assert_eq!(at_depth(Color::Cyan, Depth::Indexed), Color::Cyan);
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let close = |a: f64, b: f64| (a - b).abs() < 0.01;
        assert!(close(contrast(rgb(0), rgb(0x00ff_ffff)), 21.0));
        // The well-known darkest grey that is still allowed on white.
        assert!(close(contrast(rgb(0x0076_7676), rgb(0x00ff_ffff)), 4.54));
    }
}
