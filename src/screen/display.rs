//! How the dashboard looks and behaves. That depends on the terminal, not on a run.

use crate::core::named::named_enum;

named_enum! {
    /// The color theme of the dashboard.
    #[derive(Default)]
    pub enum ThemeChoice {
        /// default-dark or default-light, chosen by `COLORFGBG`; dark if it is unset
        @default Auto = "auto",
        /// Okabe and Ito's colors, distinguishable with any color vision, for dark backgrounds
        DefaultDark = "default-dark",
        /// The same, darkened for light backgrounds
        DefaultLight = "default-light",
        /// The terminal's own sixteen colors
        Terminal = "terminal",
        /// Nothing dimmed, and colors of high contrast to the background
        HighContrast = "high-contrast",
        /// Ethan Schoonover's colors, for a terminal that has them
        SolarizedDark = "solarized-dark",
        /// The same on a light background
        SolarizedLight = "solarized-light",
    }
}

named_enum! {
    /// The number of colors.
    #[derive(Default)]
    pub enum ColorChoice {
        /// From COLORTERM and TERM; none if `NO_COLOR` is set
        @default Auto = "auto",
        /// Colors even where `NO_COLOR` is set
        Always = "always",
        /// Text attributes only: bold, dim, underlined, reversed
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
    /// The character set of frames, bars and arrows.
    #[derive(Default)]
    pub enum GlyphChoice {
        /// UTF-8, unless `LC_ALL`, `LC_CTYPE` or LANG name another charset, or the terminal draws
        /// frames and arrows two cells wide
        @default Auto = "auto",
        /// Unicode frames and blocks
        Utf8 = "utf8",
        /// ASCII; what you type and what your data says is shown unchanged
        Ascii = "ascii",
    }
}

named_enum! {
    /// The characters that curves are drawn with.
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

named_enum! {
    /// How the terminal notifies the user.
    #[derive(Default)]
    pub enum NotifyChoice {
        /// The bell, and a notification of the desktop, at the end of a run of a minute and more
        @default Auto = "auto",
        /// The bell, for each event of --notify-on
        Bell = "bell",
        /// A notification of the desktop (OSC 9 or 777), for each event of --notify-on
        Osc = "osc",
        /// Both, for each event of --notify-on
        Both = "both",
        /// Neither
        Off = "off",
    }
}

/// How the dashboard looks and behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DisplayOptions {
    /// The color theme of the dashboard; `None` is the one that was chosen there last.
    pub theme: Option<ThemeChoice>,
    /// The number of colors.
    pub color: ColorChoice,
    /// The character set of frames, bars and arrows.
    pub glyphs: GlyphChoice,
    /// The characters that curves are drawn with; `None` chooses by the terminal and the glyphs.
    pub markers: Option<Markers>,
    /// The language.
    pub language: LanguageChoice,
    /// Whether to draw and send less, for a slow or metered connection.
    pub low_bandwidth: bool,
    /// Whether the mouse is left to the terminal.
    pub no_mouse: bool,
    /// How the terminal notifies the user.
    pub notify: NotifyChoice,
}
