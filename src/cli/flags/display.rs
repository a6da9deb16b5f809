//! Flags that say how the dashboard looks and behaves. They belong to a terminal, not to a run,
//! and are not written into its run.toml.

use super::values::truth;
use clap::{ArgAction, Args, ValueEnum};

/// Which colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ThemeChoice {
    /// default-dark or default-light, as `COLORFGBG` says; dark if it says nothing
    #[default]
    Auto,
    /// Okabe and Ito's colours, told apart with any kind of sight, for dark backgrounds
    DefaultDark,
    /// The same, darkened for light backgrounds
    DefaultLight,
    /// The terminal's own sixteen colours
    Terminal,
    /// Nothing dimmed, and colours far from the background
    HighContrast,
    /// Ethan Schoonover's colours, for a terminal that has them
    SolarizedDark,
    /// The same on a light background
    SolarizedLight,
}

/// How many colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColourChoice {
    /// As many as COLORTERM and TERM say; none if `NO_COLOR` is set
    #[default]
    Auto,
    /// Colours even where `NO_COLOR` is set
    Always,
    /// Weights alone: bold, dim, underlined, reversed
    Never,
    /// The sixteen of the terminal's palette
    #[value(name = "16")]
    Sixteen,
    /// The 256 of xterm
    #[value(name = "256")]
    Indexed,
    /// 24 bits
    Truecolor,
}

/// Which characters frames, bars and arrows are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GlyphChoice {
    /// UTF-8, unless `LC_ALL`, `LC_CTYPE` or LANG name another charset
    #[default]
    Auto,
    /// Frames and blocks as Unicode has them
    Utf8,
    /// ASCII; what you type and what your data says stays as it is
    Ascii,
}

/// What curves are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Markers {
    /// Eight dots a cell
    #[default]
    Braille,
    /// Two blocks a cell, for fonts without Braille
    Block,
    /// A dot a cell
    Dot,
    /// An asterisk a cell
    Ascii,
}

/// In which language the dashboard speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LangChoice {
    /// Korean where the locale is; else English
    #[default]
    Auto,
    /// English
    En,
    /// Korean
    Ko,
}

/// How the dashboard looks and behaves.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Display")]
pub struct DisplayFlags {
    /// Which colours
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    pub theme: ThemeChoice,
    /// How many colours
    #[arg(long, alias = "colour", value_name = "WHEN|HOW-MANY", value_enum, default_value_t)]
    pub color: ColourChoice,
    /// Which characters frames, bars and arrows are made of
    #[arg(long, value_name = "CHARSET", value_enum, default_value_t)]
    pub glyphs: GlyphChoice,
    /// What curves are made of [default: braille; block on the Linux console, ascii with ASCII glyphs]
    #[arg(long, value_name = "MARKER", value_enum)]
    pub markers: Option<Markers>,
    /// The dashboard's language
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value_t)]
    pub lang: LangChoice,
    /// Draw at most every 800 ms and send under 2.5 kB a second, for a slow or metered link; keys
    /// are still answered at once
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true)]
    pub low_bandwidth: bool,
    /// Leave the mouse to the terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true)]
    pub no_mouse: bool,
}

#[cfg(test)]
mod tests {
    use crate::cli::flags::{Cli, parse};

    fn parsed(line: &[&str]) -> Result<Cli, clap::Error> {
        parse([&["nsmc-tui"], line].concat().into_iter().map(Into::into))
    }

    #[test]
    fn values_are_named_as_the_help_says() -> Result<(), clap::Error> {
        use super::{ColourChoice, GlyphChoice, Markers, ThemeChoice};
        let line = ["--theme=solarized-light", "--colour", "256", "--glyphs", "utf8"];
        let display = parsed(&line)?.train.display;
        assert_eq!(display.theme, ThemeChoice::SolarizedLight);
        assert_eq!(display.color, ColourChoice::Indexed);
        assert_eq!(display.glyphs, GlyphChoice::Utf8);
        assert_eq!(
            (display.markers, display.low_bandwidth, display.no_mouse),
            (None, false, false)
        );
        let display = parsed(&["train", "--markers=ascii", "--low_bandwidth", "--no-mouse=on"])?;
        let Some(crate::cli::flags::Command::Train(train)) = display.command else {
            panic!("not train");
        };
        assert_eq!(train.display.markers, Some(Markers::Ascii));
        assert!(train.display.low_bandwidth && train.display.no_mouse);
        assert!(parsed(&["--theme", "pink"]).is_err());
        assert!(parsed(&["--color", "17"]).is_err());
        Ok(())
    }

    #[test]
    fn a_file_may_say_how_things_look_but_a_run_does_not_write_it_down() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("mine.toml");
        std::fs::write(
            &file,
            "theme = \"high-contrast\"\ncolor = 16\nlang = \"ko\"\nno_mouse = true\n",
        )?;
        let config = format!("--config={}", file.display());
        let train = parsed(&[&config, "--seed=3", "--low-bandwidth"])?.train;
        assert_eq!(train.display.theme, super::ThemeChoice::HighContrast);
        assert_eq!(train.display.color, super::ColourChoice::Sixteen);
        assert_eq!(train.display.lang, super::LangChoice::Ko);
        assert!(train.display.no_mouse);
        let written = crate::cli::flags::run_file::write(&train.sources, &[]);
        assert!(written.contains("seed = 3"), "{written}");
        for name in ["theme", "color", "lang", "no_mouse", "low_bandwidth"] {
            assert!(!written.contains(name), "{written}");
        }
        Ok(())
    }
}
