//! All colours, weights and characters, by what they mean.
//!
//! A theme is written in red, green and blue and brought down to what the terminal can show; with
//! sixteen colours, every theme is the terminal's own palette, role by role. Without colours, roles
//! differ by weight.

use super::ascii;
use super::colour::{Depth, at_depth};
use super::palettes::{
    DEFAULT_DARK, DEFAULT_LIGHT, HIGH_CONTRAST_DARK, HIGH_CONTRAST_LIGHT, Palette, SOLARIZED_DARK,
    SOLARIZED_LIGHT, TERMINAL,
};
use crate::screen::display::{ColorChoice, DisplayOptions, GlyphChoice, Markers, ThemeChoice};
use crate::screen::lang;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    palette: &'static Palette,
    depth: Depth,
    ascii: bool,
    markers: Markers,
}

impl Theme {
    /// In the terminal's own sixteen colours, or with weights alone.
    pub fn new(colour: bool) -> Self {
        let depth = if colour { Depth::Sixteen } else { Depth::None };
        Self { palette: &TERMINAL, depth, ascii: false, markers: Markers::Braille }
    }

    /// The same in all its colours, where there are any, for pictures of the screen.
    #[must_use]
    pub fn in_full_colour(self) -> Self {
        match self.depth {
            Depth::None => self,
            _ => Self { depth: Depth::Truecolor, ..self },
        }
    }

    /// Whether it is for light backgrounds.
    pub fn is_light(self) -> bool {
        self.palette.is_light
    }

    /// What the flags ask for, and else what the environment says of the terminal; `variable` looks
    /// one of its variables up.
    pub fn detect(flags: &DisplayOptions, variable: impl Fn(&str) -> Option<String>) -> Self {
        // An empty variable counts as none.
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let light = is_light(variable("COLORFGBG").as_deref());
        let palette = match flags.theme {
            ThemeChoice::Auto if light => &DEFAULT_LIGHT,
            ThemeChoice::Auto | ThemeChoice::DefaultDark => &DEFAULT_DARK,
            ThemeChoice::DefaultLight => &DEFAULT_LIGHT,
            ThemeChoice::Terminal => &TERMINAL,
            ThemeChoice::HighContrast if light => &HIGH_CONTRAST_LIGHT,
            ThemeChoice::HighContrast => &HIGH_CONTRAST_DARK,
            ThemeChoice::SolarizedDark => &SOLARIZED_DARK,
            ThemeChoice::SolarizedLight => &SOLARIZED_LIGHT,
        };
        let ascii = match flags.glyphs {
            GlyphChoice::Auto => !is_utf8(&variable),
            GlyphChoice::Utf8 => false,
            GlyphChoice::Ascii => true,
        };
        let console = variable("TERM").is_some_and(|term| term.starts_with("linux"));
        let markers = match flags.markers {
            _ if ascii => Markers::Ascii,
            Some(markers) => markers,
            None if console => Markers::Block,
            None => Markers::Braille,
        };
        let depth = match depth(flags.color, &variable) {
            // Each change of a colour in 24 bits takes twenty bytes, of the 256 it takes eleven.
            Depth::Truecolor if flags.low_bandwidth && flags.color != ColorChoice::Truecolor => {
                Depth::Indexed
            }
            depth => depth,
        };
        Self { palette, depth, ascii, markers }
    }

    /// The names of keys; an arrow in ASCII would be another key's sign.
    pub fn keys(self, names: &str) -> String {
        if !self.ascii {
            return names.to_owned();
        }
        let arrows = [("←", "Left"), ("→", "Right"), ("↑", "Up"), ("↓", "Down")];
        arrows.into_iter().fold(names.to_owned(), |names, (arrow, word)| names.replace(arrow, word))
    }

    /// What curves are drawn with.
    pub fn marker(self) -> Markers {
        self.markers
    }

    /// The last touch on a finished frame: ASCII in place of frames, bars and arrows, if that is
    /// asked for.
    pub fn finish(self, buffer: &mut Buffer) {
        if self.ascii {
            ascii::transcribe(buffer);
        }
    }

    /// The style of a role; `weight` holds in colour and without.
    fn role(self, role: impl Fn(&'static Palette) -> Color, weight: Modifier) -> Style {
        let style = Style::new().add_modifier(weight);
        match self.depth {
            Depth::None => style,
            Depth::Sixteen => style.fg(role(&TERMINAL)),
            depth => match role(self.palette) {
                // The terminal's foreground needs no word.
                Color::Reset => style,
                colour => style.fg(at_depth(colour, depth)),
            },
        }
    }

    /// The role in colour, or else its weight.
    fn role_or(self, role: impl Fn(&'static Palette) -> Color, weight: Modifier) -> Style {
        let coloured = self.depth != Depth::None;
        self.role(role, if coloured { Modifier::empty() } else { weight })
    }

    /// Titles and the figures that matter.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Frames, units, what is read last.
    pub fn dim(self) -> Style {
        self.role_or(|palette| palette.dim, Modifier::DIM)
    }

    /// The page on view, the key in the footer.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Training figures as measured.
    pub fn raw(self) -> Style {
        self.role(|palette| palette.raw, Modifier::empty())
    }

    /// Training figures, smoothed.
    pub fn train(self) -> Style {
        self.role(|palette| palette.train, Modifier::empty())
    }

    /// Evaluation figures.
    pub fn eval(self) -> Style {
        self.role(|palette| palette.eval, Modifier::BOLD)
    }

    /// F1, beside accuracy.
    pub fn f1(self) -> Style {
        self.role(|palette| palette.f1, Modifier::empty())
    }

    /// The filled part of a bar.
    pub fn bar(self) -> Style {
        self.role(|palette| palette.bar, Modifier::empty())
    }

    /// The positive class, and what went well.
    pub fn good(self) -> Style {
        self.role(|palette| palette.good, Modifier::BOLD)
    }

    /// The negative class.
    pub fn negative(self) -> Style {
        self.role(|palette| palette.negative, Modifier::BOLD)
    }

    /// What the user should know.
    pub fn warning(self) -> Style {
        self.role(|palette| palette.warning, Modifier::empty())
    }

    /// What went wrong.
    pub fn error(self) -> Style {
        self.role(|palette| palette.error, Modifier::BOLD)
    }

    /// A class by its number.
    pub fn class(self, class: usize) -> Style {
        match class {
            0 => self.negative(),
            1 => self.good(),
            _ => self.train().add_modifier(Modifier::BOLD),
        }
    }

    /// A curve by its number, of eight that differ; then they begin again.
    pub fn curve(self, index: usize) -> Style {
        const WEIGHTS: [Modifier; 8] = [
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::DIM,
            Modifier::UNDERLINED,
            Modifier::ITALIC,
            Modifier::BOLD.union(Modifier::UNDERLINED),
            Modifier::DIM.union(Modifier::UNDERLINED),
            Modifier::BOLD.union(Modifier::ITALIC),
        ];
        let index = index % WEIGHTS.len();
        self.role_or(|palette| palette.curves[index], WEIGHTS[index])
    }

    /// The place in a chart whose figures are read.
    pub fn cursor(self) -> Style {
        self.role(|palette| palette.cursor, Modifier::BOLD)
    }

    /// Lines behind a chart.
    pub fn grid(self) -> Style {
        self.role_or(|palette| palette.grid, Modifier::DIM)
    }

    /// Lines that figures are compared with.
    pub fn reference(self) -> Style {
        self.role_or(|palette| palette.reference, Modifier::ITALIC)
    }

    /// The frame of the panel that keys go to.
    pub fn focus(self) -> Style {
        self.role(|palette| palette.focus, Modifier::BOLD)
    }

    /// What the user has marked.
    pub fn mark(self) -> Style {
        let weight = Modifier::BOLD | Modifier::UNDERLINED;
        self.role_or(|palette| palette.mark, weight)
    }
}

/// How many colours, as a flag or else the environment says (no-color.org).
fn depth(asked: ColorChoice, variable: &impl Fn(&str) -> Option<String>) -> Depth {
    let term = variable("TERM").unwrap_or_default();
    let found = || {
        let truecolor = |said: String| matches!(said.as_str(), "truecolor" | "24bit");
        if variable("COLORTERM").is_some_and(truecolor) || term.ends_with("-direct") {
            Depth::Truecolor
        } else if term.contains("256color") {
            Depth::Indexed
        } else {
            Depth::Sixteen
        }
    };
    match asked {
        ColorChoice::Auto if variable("NO_COLOR").is_some() || is_colourless(&term) => Depth::None,
        ColorChoice::Auto | ColorChoice::Always => found(),
        ColorChoice::Never => Depth::None,
        ColorChoice::Sixteen => Depth::Sixteen,
        ColorChoice::Indexed => Depth::Indexed,
        ColorChoice::Truecolor => Depth::Truecolor,
    }
}

/// Terminals of glass and paper.
fn is_colourless(term: &str) -> bool {
    matches!(term, "dumb" | "vt52" | "vt100" | "vt102" | "vt220" | "vt320") || term.ends_with("-m")
}

/// Whether the background is light, as rxvt, Konsole and others say it: `foreground;background` by
/// their numbers in the palette, of which 7 and 9 to 15 are light.
fn is_light(colorfgbg: Option<&str>) -> bool {
    let background = colorfgbg.and_then(|said| said.rsplit(';').next()?.parse().ok());
    background.is_some_and(|number: u8| matches!(number, 7 | 9..=15))
}

/// Whether the locale's charset is UTF-8. A variable that is set hides those behind it; a locale
/// that names no charset, and no locale at all, say nothing against it.
fn is_utf8(variable: &impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    locale.as_deref().is_none_or(lang::is_utf8)
}

#[cfg(test)]
#[path = "theme_tests.rs"]
mod tests;
