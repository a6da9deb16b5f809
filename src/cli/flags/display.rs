//! Flags for how the dashboard looks and behaves. They concern a terminal, not a run, and are not
//! written to its run.toml.

use super::values::{choice, flag};
use crate::run::options::parse::{boolean, from_str};
use crate::run::options::{Given, option_group};
use crate::screen::display::{
    ColorChoice, DisplayOptions, GlyphChoice, LanguageChoice, Markers, ThemeChoice,
};
use clap::Args;

option_group! {
    /// Display options as they are given, by a flag, the environment or a file.
    pub struct GivenDisplay {
        /// Which colors.
        theme: ThemeChoice = from_str,
        /// How many colors.
        color | "colour": ColorChoice = from_str,
        /// Which characters.
        glyphs: GlyphChoice = from_str,
        /// What curves are made of.
        markers: Markers = from_str,
        /// The language.
        lang: LanguageChoice = from_str,
        /// Whether little is drawn and sent.
        low_bandwidth: bool = boolean,
        /// Whether the mouse is left to the terminal.
        no_mouse: bool = boolean,
    }
}

/// How the dashboard looks and behaves.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Display")]
pub struct DisplayFlags {
    /// Which colours [default: auto]
    #[arg(long, value_name = "NAME", value_parser = choice(GivenDisplay::theme))]
    pub theme: Option<Given<ThemeChoice>>,
    /// How many colours [default: auto]
    #[arg(long, alias = "colour", value_name = "WHEN|HOW-MANY", value_parser = choice(GivenDisplay::color))]
    pub color: Option<Given<ColorChoice>>,
    /// Which characters frames, bars and arrows are made of [default: auto]
    #[arg(long, value_name = "CHARSET", value_parser = choice(GivenDisplay::glyphs))]
    pub glyphs: Option<Given<GlyphChoice>>,
    /// What curves are made of [default: braille; block on the Linux console, ascii with ASCII glyphs]
    #[arg(long, value_name = "MARKER", value_parser = choice(GivenDisplay::markers))]
    pub markers: Option<Given<Markers>>,
    /// The dashboard's language [default: auto]
    #[arg(long, value_name = "LANGUAGE", value_parser = choice(GivenDisplay::lang))]
    pub lang: Option<Given<LanguageChoice>>,
    /// Draw at most every 800 ms and send under 2.5 kB a second, for a slow or metered link; keys
    /// are still answered at once
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(GivenDisplay::low_bandwidth))]
    pub low_bandwidth: Option<Given<bool>>,
    /// Leave the mouse to the terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(GivenDisplay::no_mouse))]
    pub no_mouse: Option<Given<bool>>,
}

impl From<DisplayFlags> for GivenDisplay {
    fn from(flags: DisplayFlags) -> Self {
        let DisplayFlags { theme, color, glyphs, markers, lang, low_bandwidth, no_mouse } = flags;
        Self { theme, color, glyphs, markers, lang, low_bandwidth, no_mouse }
    }
}

impl From<GivenDisplay> for DisplayOptions {
    fn from(given: GivenDisplay) -> Self {
        fn value<T: Default>(given: Option<Given<T>>) -> T {
            given.map(|given| given.value).unwrap_or_default()
        }
        Self {
            theme: value(given.theme),
            color: value(given.color),
            glyphs: value(given.glyphs),
            markers: given.markers.map(|given| given.value),
            language: value(given.lang),
            low_bandwidth: value(given.low_bandwidth),
            no_mouse: value(given.no_mouse),
        }
    }
}

impl DisplayFlags {
    /// The options, with defaults for what is not given.
    pub fn options(&self) -> DisplayOptions {
        GivenDisplay::from(self.clone()).into()
    }
}
