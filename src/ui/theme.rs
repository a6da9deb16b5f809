//! All colours and weights, by what they mean. The sixteen colours of the terminal's own palette
//! are used, so that light and dark backgrounds both work.

use super::canvas::Marker;
use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    colour: bool,
}

impl Theme {
    /// With colours, or with weights alone.
    pub fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Without colours if `NO_COLOR` is set to anything but nothing (no-color.org).
    pub fn from_environment() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::new(!refused)
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// Titles and the figures that matter.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Frames, units, what is read last.
    pub fn dim(self) -> Style {
        if self.colour {
            Style::new().fg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    /// The page on view, the key in the footer.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Training figures as measured.
    pub fn raw(self) -> Style {
        self.coloured(Color::DarkGray)
    }

    /// Training figures, smoothed.
    pub fn train(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// Evaluation figures.
    pub fn eval(self) -> Style {
        self.coloured(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// F1, beside accuracy.
    pub fn f1(self) -> Style {
        self.coloured(Color::Magenta)
    }

    /// The axes of charts.
    pub fn grid(self) -> Style {
        self.dim()
    }

    /// Values to compare with.
    pub fn reference(self) -> Style {
        self.coloured(Color::Green)
    }

    /// The cursor of the charts.
    pub fn cursor(self) -> Style {
        self.strong()
    }

    /// The frame of the panel that keys are about.
    pub fn focus(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What the curves of charts are made of.
    pub fn marker(self) -> Marker {
        Marker::Braille
    }

    /// The filled part of a bar.
    pub fn bar(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// The positive class, and what went well.
    pub fn good(self) -> Style {
        self.coloured(Color::Green).add_modifier(Modifier::BOLD)
    }

    /// The negative class.
    pub fn negative(self) -> Style {
        self.coloured(Color::Magenta).add_modifier(Modifier::BOLD)
    }

    /// What the user should know.
    pub fn warning(self) -> Style {
        self.coloured(Color::Yellow)
    }

    /// What went wrong.
    pub fn error(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A class by its number.
    pub fn class(self, class: usize) -> Style {
        match class {
            0 => self.negative(),
            1 => self.good(),
            _ => self.train().add_modifier(Modifier::BOLD),
        }
    }
}
