//! The styles of the dashboard by role, and the characters that it draws with.
//!
//! Themes are defined in RGB and quantized to what the terminal supports; with sixteen colors,
//! every theme uses the terminal's own palette. Without colors, roles differ in attributes such as
//! bold.

mod ascii;
mod color_depth;
mod colors;

use crate::screen::display::{ColorChoice, DisplayOptions, GlyphChoice, Markers, ThemeChoice};
use crate::screen::lang;
use color_depth::{ColorDepth, quantize};
use colors::{
    DEFAULT_DARK, DEFAULT_LIGHT, HIGH_CONTRAST_DARK, HIGH_CONTRAST_LIGHT, SOLARIZED_DARK,
    SOLARIZED_LIGHT, TERMINAL, ThemeColors,
};
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use termprofile::{DetectorSettings, EnvVarSource, IsTerminal, TermProfile, TermVars};

/// Colors, attributes and characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    colors: &'static ThemeColors,
    depth: ColorDepth,
    ascii: bool,
    markers: Markers,
    /// Whether the terminal's background is light, as far as known.
    on_light: bool,
    /// Whether panels have a title instead of a border.
    frameless: bool,
}

impl Theme {
    /// A theme with the terminal's own sixteen colors, or with attributes only.
    pub fn new(color: bool) -> Self {
        let depth = if color { ColorDepth::Sixteen } else { ColorDepth::None };
        Self {
            colors: &TERMINAL,
            depth,
            ascii: false,
            markers: Markers::Braille,
            on_light: false,
            frameless: false,
        }
    }

    /// The theme for a small screen, on which panels have a title instead of a border.
    #[must_use]
    pub fn without_borders(self) -> Self {
        Self { frameless: true, ..self }
    }

    /// Whether panels have a title instead of a border.
    pub fn is_frameless(self) -> bool {
        self.frameless
    }

    /// The same theme in RGB, unless it has no colors. For pictures of the screen.
    #[must_use]
    pub fn in_full_color(self) -> Self {
        match self.depth {
            ColorDepth::None => self,
            _ => Self { depth: ColorDepth::Truecolor, ..self },
        }
    }

    /// Whether the theme is for light backgrounds.
    pub fn is_light(self) -> bool {
        self.colors.is_light
    }

    /// The theme that the flags request, or else one that suits the terminal as the environment
    /// describes it. `variable` looks up an environment variable.
    pub fn detect(flags: &DisplayOptions, variable: impl Fn(&str) -> Option<String>) -> Self {
        // An empty variable counts as unset.
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let light = is_light(variable("COLORFGBG").as_deref());
        let colors = colors_of(flags.theme.unwrap_or_default(), light);
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
        let depth = match color_depth(flags.color, &variable) {
            // A change to an RGB color takes about twenty bytes, to an indexed one eleven.
            ColorDepth::Truecolor
                if flags.low_bandwidth && flags.color != ColorChoice::Truecolor =>
            {
                ColorDepth::Indexed
            }
            depth => depth,
        };
        Self { colors, depth, ascii, markers, on_light: light, frameless: false }
    }

    /// The theme with the colors of another choice, if there is one.
    #[must_use]
    pub fn chosen(self, choice: Option<ThemeChoice>) -> Self {
        let colors = choice.map_or(self.colors, |choice| colors_of(choice, self.on_light));
        Self { colors, ..self }
    }

    /// Whether there are colors.
    pub fn has_colors(self) -> bool {
        self.depth != ColorDepth::None
    }

    /// Whether frames, bars and arrows are drawn in ASCII.
    pub fn is_ascii(self) -> bool {
        self.ascii
    }

    /// The names of keys, with arrows spelled out in ASCII: `<` and `^` are keys themselves.
    pub fn keys(self, names: &str) -> String {
        if !self.ascii {
            return names.to_owned();
        }
        let arrows = [("←", "Left"), ("→", "Right"), ("↑", "Up"), ("↓", "Down")];
        arrows.into_iter().fold(names.to_owned(), |names, (arrow, word)| names.replace(arrow, word))
    }

    /// The characters that curves are drawn with.
    pub fn marker(self) -> Markers {
        self.markers
    }

    /// Replaces borders, bars and arrows in a finished frame by ASCII, if the theme is in ASCII.
    pub fn finish(self, buffer: &mut Buffer) {
        if self.ascii {
            ascii::transcribe(buffer);
        }
    }

    /// The style of a role: its color, if there are colors, and its attributes.
    fn role(self, role: impl Fn(&'static ThemeColors) -> Color, attributes: Modifier) -> Style {
        let style = Style::new().add_modifier(attributes);
        match self.depth {
            ColorDepth::None => style,
            ColorDepth::Sixteen => style.fg(role(&TERMINAL)),
            depth => match role(self.colors) {
                // The terminal's own foreground.
                Color::Reset => style,
                color => style.fg(quantize(color, depth)),
            },
        }
    }

    /// The style of a role: its color if there are colors, otherwise its attributes.
    fn role_or(self, role: impl Fn(&'static ThemeColors) -> Color, attributes: Modifier) -> Style {
        self.role(role, if self.has_colors() { Modifier::empty() } else { attributes })
    }

    /// Titles and the most important values.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Borders, units and other secondary text.
    pub fn dim(self) -> Style {
        self.role_or(|colors| colors.dim, Modifier::DIM)
    }

    /// The current page, and keys in the footer.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Training metrics, not smoothed.
    pub fn raw(self) -> Style {
        self.role(|colors| colors.raw, Modifier::empty())
    }

    /// Training metrics, smoothed.
    pub fn train(self) -> Style {
        self.role(|colors| colors.train, Modifier::empty())
    }

    /// Evaluation metrics.
    pub fn eval(self) -> Style {
        self.role(|colors| colors.eval, Modifier::BOLD)
    }

    /// F1, beside accuracy.
    pub fn f1(self) -> Style {
        self.role(|colors| colors.f1, Modifier::empty())
    }

    /// The filled part of a bar.
    pub fn bar(self) -> Style {
        self.role(|colors| colors.bar, Modifier::empty())
    }

    /// The positive class, and success.
    pub fn good(self) -> Style {
        self.role(|colors| colors.good, Modifier::BOLD)
    }

    /// The negative class.
    pub fn negative(self) -> Style {
        self.role(|colors| colors.negative, Modifier::BOLD)
    }

    /// Warnings.
    pub fn warning(self) -> Style {
        self.role(|colors| colors.warning, Modifier::empty())
    }

    /// Errors.
    pub fn error(self) -> Style {
        self.role(|colors| colors.error, Modifier::BOLD)
    }

    /// A class, by index.
    pub fn class(self, class: usize) -> Style {
        match class {
            0 => self.negative(),
            1 => self.good(),
            _ => self.train().add_modifier(Modifier::BOLD),
        }
    }

    /// A curve, by index: eight different styles, which repeat.
    pub fn curve(self, index: usize) -> Style {
        const ATTRIBUTES: [Modifier; 8] = [
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::DIM,
            Modifier::UNDERLINED,
            Modifier::ITALIC,
            Modifier::BOLD.union(Modifier::UNDERLINED),
            Modifier::DIM.union(Modifier::UNDERLINED),
            Modifier::BOLD.union(Modifier::ITALIC),
        ];
        let index = index % ATTRIBUTES.len();
        self.role_or(|colors| colors.curves[index], ATTRIBUTES[index])
    }

    /// The curve of a pinned sentence, by index: in the colors that the metrics do not have, then in these
    /// with an attribute. Without colors, as [`Self::curve`].
    pub fn pinned(self, index: usize) -> Style {
        const OWN: [usize; 5] = [2, 7, 6, 5, 4];
        const ATTRIBUTES: [Modifier; 4] =
            [Modifier::empty(), Modifier::DIM, Modifier::BOLD, Modifier::ITALIC];
        if !self.has_colors() {
            return self.curve(index);
        }
        let round = index / OWN.len() % ATTRIBUTES.len();
        self.curve(OWN[index % OWN.len()]).add_modifier(ATTRIBUTES[round])
    }

    /// The cursor of a chart.
    pub fn cursor(self) -> Style {
        self.role(|colors| colors.cursor, Modifier::BOLD)
    }

    /// The axes of a chart.
    pub fn grid(self) -> Style {
        self.role_or(|colors| colors.grid, Modifier::DIM)
    }

    /// Baselines in a chart.
    pub fn baseline(self) -> Style {
        self.role_or(|colors| colors.baseline, Modifier::ITALIC)
    }

    /// The background of a cell of a matrix by its share from 0 to 1: right or wrong predictions.
    /// Without RGB colors there is none.
    pub fn heat(self, share: f64, is_right: bool) -> Style {
        let role = if is_right { self.colors.good } else { self.colors.error };
        let (Color::Rgb(r, g, b), ColorDepth::Truecolor | ColorDepth::Indexed) = (role, self.depth)
        else {
            return Style::new();
        };
        let base = if self.is_light() { 255.0 } else { 24.0 };
        // Text stays legible on it.
        let weight = 0.55 * share.clamp(0.0, 1.0);
        let mixed = |channel: u8| (base + (f64::from(channel) - base) * weight).round() as u8;
        Style::new().bg(quantize(Color::Rgb(mixed(r), mixed(g), mixed(b)), self.depth))
    }

    /// The border of the focused panel.
    pub fn focus(self) -> Style {
        self.role(|colors| colors.focus, Modifier::BOLD)
    }
}

/// The colors of a choice on a light or a dark background.
fn colors_of(choice: ThemeChoice, light: bool) -> &'static ThemeColors {
    match choice {
        ThemeChoice::Auto if light => &DEFAULT_LIGHT,
        ThemeChoice::Auto | ThemeChoice::DefaultDark => &DEFAULT_DARK,
        ThemeChoice::DefaultLight => &DEFAULT_LIGHT,
        ThemeChoice::Terminal => &TERMINAL,
        ThemeChoice::HighContrast if light => &HIGH_CONTRAST_LIGHT,
        ThemeChoice::HighContrast => &HIGH_CONTRAST_DARK,
        ThemeChoice::SolarizedDark => &SOLARIZED_DARK,
        ThemeChoice::SolarizedLight => &SOLARIZED_LIGHT,
    }
}

/// The environment passed to termprofile, which contains only `TERM`. `NO_COLOR` and `COLORTERM`
/// are handled below; variables of CI services and `FORCE_COLOR` do not describe the terminal of
/// the dashboard.
struct TermName(String);

impl EnvVarSource for TermName {
    fn var(&self, name: &str) -> Option<String> {
        (name == "TERM").then(|| self.0.clone())
    }
}

impl IsTerminal for TermName {
    /// The dashboard runs only in a terminal.
    fn is_terminal(&self) -> bool {
        true
    }
}

/// The number of colors, from the flag or else the environment (<https://no-color.org>).
fn color_depth(choice: ColorChoice, variable: &impl Fn(&str) -> Option<String>) -> ColorDepth {
    let term = variable("TERM").unwrap_or_default();
    let detected = || match variable("COLORTERM").as_deref() {
        Some("truecolor" | "24bit") => ColorDepth::Truecolor,
        _ => depth_of_term(&term),
    };
    match choice {
        ColorChoice::Auto if variable("NO_COLOR").is_some() || is_monochrome(&term) => {
            ColorDepth::None
        }
        ColorChoice::Auto | ColorChoice::Always => detected(),
        ColorChoice::Never => ColorDepth::None,
        ColorChoice::Sixteen => ColorDepth::Sixteen,
        ColorChoice::Indexed => ColorDepth::Indexed,
        ColorChoice::Truecolor => ColorDepth::Truecolor,
    }
}

/// The number of colors of terminals with this `TERM`. Over SSH, `TERM` is often the only
/// information, because `COLORTERM` is not forwarded by default.
fn depth_of_term(term: &str) -> ColorDepth {
    let source = TermName(term.to_owned());
    let settings = DetectorSettings::new().enable_tmux_info(false);
    match TermProfile::detect_with_vars(TermVars::from_source(&source, &source, settings)) {
        TermProfile::TrueColor => ColorDepth::Truecolor,
        TermProfile::Ansi256 => ColorDepth::Indexed,
        _ if term.contains("256color") => ColorDepth::Indexed,
        // An unknown terminal is assumed to have the sixteen colors of ECMA-48 and aixterm.
        _ => ColorDepth::Sixteen,
    }
}

/// Terminals without colors.
fn is_monochrome(term: &str) -> bool {
    matches!(term, "dumb" | "vt52" | "vt100" | "vt102" | "vt220" | "vt320") || term.ends_with("-m")
}

/// Whether the background is light according to `COLORFGBG`, which rxvt, Konsole and others set to
/// `foreground;background` as palette indices; 7 and 9 to 15 are light. The terminal itself is not
/// queried (OSC 11): over a slow connection the reply would arrive late and be read as typed keys.
fn is_light(colorfgbg: Option<&str>) -> bool {
    let background = colorfgbg.and_then(|value| value.rsplit(';').next()?.parse().ok());
    background.is_some_and(|index: u8| matches!(index, 7 | 9..=15))
}

/// Whether the locale's charset is UTF-8. `LC_ALL` overrides `LC_CTYPE`, which overrides `LANG`; a
/// locale without a charset, or no locale, counts as UTF-8.
fn is_utf8(variable: &impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    locale.as_deref().is_none_or(lang::is_utf8)
}

#[cfg(test)]
mod tests;
