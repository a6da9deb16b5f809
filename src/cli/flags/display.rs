//! Flags for how the dashboard looks and behaves. They concern a terminal, not a run, and are not
//! written to its run.toml.

use super::values::{choice, flag};
use crate::run::options::parse::{boolean, from_str};
use crate::run::options::{Given, option_group};
use crate::screen::display::{
    ColorChoice, DisplayOptions, GlyphChoice, LanguageChoice, Markers, NotifyChoice, ThemeChoice,
};
use crate::screen::lang::Lang;
use clap::Args;

option_group! {
    /// Display options given by a flag, the environment or a file.
    pub struct GivenDisplay {
        /// The color theme of the dashboard.
        theme: ThemeChoice = from_str,
        /// The number of colors.
        color | "colour": ColorChoice = from_str,
        /// The character set of frames, bars and arrows.
        glyphs: GlyphChoice = from_str,
        /// The characters that curves are drawn with.
        markers: Markers = from_str,
        /// The language.
        lang: LanguageChoice = from_str,
        /// Whether to draw and send less.
        low_bandwidth: bool = boolean,
        /// Whether the mouse is left to the terminal.
        no_mouse: bool = boolean,
        /// How the terminal notifies the user.
        notify: NotifyChoice = from_str,
    }
}

/// How the dashboard looks and behaves.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Display")]
pub struct DisplayFlags {
    /// Which colors [default: those chosen last with T in the dashboard, at first auto]
    #[arg(long, value_name = "NAME", value_parser = choice(GivenDisplay::theme))]
    pub theme: Option<Given<ThemeChoice>>,
    /// How many colors [default: auto]
    #[arg(long, alias = "colour", value_name = "WHEN|HOW-MANY", value_parser = choice(GivenDisplay::color))]
    pub color: Option<Given<ColorChoice>>,
    /// The characters of frames, bars and arrows [default: auto]
    #[arg(long, value_name = "CHARSET", value_parser = choice(GivenDisplay::glyphs))]
    pub glyphs: Option<Given<GlyphChoice>>,
    /// The characters of curves [default: braille; block on the Linux console, ascii with ASCII
    /// glyphs]
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
    /// How the terminal notifies you [default: auto]
    #[arg(long, value_name = "HOW", value_parser = choice(GivenDisplay::notify))]
    pub notify: Option<Given<NotifyChoice>>,
}

impl From<DisplayFlags> for GivenDisplay {
    fn from(flags: DisplayFlags) -> Self {
        let DisplayFlags { theme, color, glyphs, markers, lang, low_bandwidth, no_mouse, notify } =
            flags;
        Self { theme, color, glyphs, markers, lang, low_bandwidth, no_mouse, notify }
    }
}

impl From<GivenDisplay> for DisplayOptions {
    fn from(given: GivenDisplay) -> Self {
        Self {
            theme: given.theme.map(|given| given.value),
            color: Given::value_or_default(given.color.as_ref()),
            glyphs: Given::value_or_default(given.glyphs.as_ref()),
            markers: given.markers.map(|given| given.value),
            language: Given::value_or_default(given.lang.as_ref()),
            low_bandwidth: Given::value_or_default(given.low_bandwidth.as_ref()),
            no_mouse: Given::value_or_default(given.no_mouse.as_ref()),
            notify: Given::value_or_default(given.notify.as_ref()),
        }
    }
}

impl DisplayFlags {
    /// The options, with defaults for those that are not given.
    pub fn options(&self) -> DisplayOptions {
        GivenDisplay::from(self.clone()).into()
    }

    /// The language, of the flag or else of the locale.
    pub fn lang(&self) -> Lang {
        Lang::detect(self.options().language, |name| std::env::var(name).ok())
    }
}
