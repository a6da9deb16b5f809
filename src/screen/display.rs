//! How the dashboard looks and behaves. That depends on the terminal, not on a run.

use crate::core::named::named_enum;

named_enum! {
    /// Which colors.
    #[derive(Default)]
    pub enum ThemeChoice {
        /// default-dark or default-light, as `COLORFGBG` says; dark if it says nothing
        @default Auto = "auto",
        /// Okabe and Ito's colours, told apart with any kind of sight, for dark backgrounds
        DefaultDark = "default-dark",
        /// The same, darkened for light backgrounds
        DefaultLight = "default-light",
        /// The terminal's own sixteen colours
        Terminal = "terminal",
        /// Nothing dimmed, and colours far from the background
        HighContrast = "high-contrast",
        /// Ethan Schoonover's colours, for a terminal that has them
        SolarizedDark = "solarized-dark",
        /// The same on a light background
        SolarizedLight = "solarized-light",
    }
}

named_enum! {
    /// How many colors.
    #[derive(Default)]
    pub enum ColorChoice {
        /// As many as COLORTERM and TERM say; none if `NO_COLOR` is set
        @default Auto = "auto",
        /// Colours even where `NO_COLOR` is set
        Always = "always",
        /// Weights alone: bold, dim, underlined, reversed
        Never = "never",
        /// The sixteen of the terminal's palette
        Sixteen = "16",
        /// The 256 of xterm
        Indexed = "256",
        /// 24 bits
        Truecolor = "truecolor",
    }
}

named_enum! {
    /// Which characters frames, bars and arrows are made of.
    #[derive(Default)]
    pub enum GlyphChoice {
        /// UTF-8, unless `LC_ALL`, `LC_CTYPE` or LANG name another charset
        @default Auto = "auto",
        /// Unicode frames and blocks
        Utf8 = "utf8",
        /// ASCII; what you type and what your data says is shown unchanged
        Ascii = "ascii",
    }
}

named_enum! {
    /// What curves are made of.
    #[derive(Default)]
    pub enum Markers {
        /// Eight dots a cell
        @default Braille = "braille",
        /// Two blocks a cell, for fonts without Braille
        Block = "block",
        /// A dot a cell
        Dot = "dot",
        /// An asterisk a cell
        Ascii = "ascii",
    }
}

named_enum! {
    /// The language of the dashboard.
    #[derive(Default)]
    pub enum LanguageChoice {
        /// Korean where the locale is; else English
        @default Auto = "auto",
        /// English
        En = "en",
        /// Korean
        Ko = "ko",
    }
}

/// How the dashboard looks and behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DisplayOptions {
    /// Which colors.
    pub theme: ThemeChoice,
    /// How many colors.
    pub color: ColorChoice,
    /// Which characters frames, bars and arrows are made of.
    pub glyphs: GlyphChoice,
    /// What curves are made of; `None` chooses by the terminal and the glyphs.
    pub markers: Option<Markers>,
    /// The language.
    pub language: LanguageChoice,
    /// Whether little is drawn and sent, for a slow or metered link.
    pub low_bandwidth: bool,
    /// Whether the mouse is left to the terminal.
    pub no_mouse: bool,
}
