//! A chart: curves over an axis of steps or time, with ticks where their values are, lines for
//! what is worth comparing with, marks for what happened, and a cursor.

use super::canvas::{Canvas, Pen};
use super::theme::Theme;
use crate::run::metric_series::Segment;
use crate::run::metric_series::ticks::{Tick, Unit, linear, logarithmic};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

/// One curve.
pub struct Trace {
    /// Its pieces; between them are gaps.
    pub segments: Vec<Segment>,
    /// How it is drawn.
    pub pen: Pen,
    /// Whether its points are marked.
    pub points: bool,
}

/// Something that happened at a place of the x axis.
pub struct Mark {
    /// Where.
    pub x: f64,
    /// The sign at its top.
    pub sign: char,
    /// Its look.
    pub style: Style,
}

/// A value to compare with.
pub struct Reference {
    /// The value.
    pub y: f64,
    /// Whose it is.
    pub name: String,
}

/// A chart.
pub struct Chart {
    /// The x values at the left and the right edge.
    pub x: [f64; 2],
    /// What they count.
    pub x_unit: Unit,
    /// The y values at the lower and the upper edge.
    pub y: [f64; 2],
    /// What they count.
    pub y_unit: Unit,
    /// Whether the y axis is logarithmic; its values are then above zero.
    pub log_y: bool,
    /// The curves, the last one on top.
    pub traces: Vec<Trace>,
    /// Values to compare with.
    pub references: Vec<Reference>,
    /// What happened.
    pub marks: Vec<Mark>,
    /// Where the cursor is.
    pub cursor: Option<f64>,
}

impl Chart {
    /// Draws it, and says where its curves stand.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, theme: Theme) -> Rect {
        let rows = area.height.saturating_sub(1).max(1);
        let most = usize::from(rows / 3).clamp(2, 8);
        let ticks = if self.log_y {
            logarithmic(self.y[0], self.y[1], most)
        } else {
            linear(self.y[0], self.y[1], most, self.y_unit)
        };
        let labels = ticks.iter().map(|tick| tick.label.len()).max().unwrap_or(0) as u16;
        let gutter = (labels + 1).min(area.width / 2);
        let plot = Rect {
            x: area.x + gutter,
            width: area.width - gutter,
            height: area.height.saturating_sub(1),
            ..area
        };
        if plot.width == 0 || plot.height == 0 {
            return plot;
        }
        self.draw_y_axis(&ticks, plot, gutter, buffer, theme);
        self.draw_x_axis(plot, buffer, theme);
        self.draw_references(plot, buffer, theme);
        self.draw_curves(plot, buffer, theme);
        self.name_references(plot, buffer, theme);
        self.draw_marks(plot, buffer);
        self.draw_cursor(plot, buffer, theme);
        plot
    }

    /// Where a value stands, as a share of the width.
    fn across(&self, x: f64) -> f64 {
        (x - self.x[0]) / (self.x[1] - self.x[0]).max(f64::MIN_POSITIVE)
    }

    /// Where a value stands, as a share of the height from below.
    fn up(&self, y: f64) -> f64 {
        let scale = |value: f64| if self.log_y { value.max(1e-300).log10() } else { value };
        let [low, high] = self.y.map(scale);
        (scale(y) - low) / (high - low).max(f64::MIN_POSITIVE)
    }

    fn column(&self, x: f64, plot: Rect) -> Option<u16> {
        let share = self.across(x);
        let within = (-1e-9..=1.0 + 1e-9).contains(&share);
        within.then(|| plot.x + (share * f64::from(plot.width - 1)).round() as u16)
    }

    fn row(&self, y: f64, plot: Rect) -> Option<u16> {
        let share = self.up(y);
        let within = (-1e-9..=1.0 + 1e-9).contains(&share);
        within.then(|| plot.y + ((1.0 - share) * f64::from(plot.height - 1)).round() as u16)
    }

    fn draw_y_axis(
        &self,
        ticks: &[Tick],
        plot: Rect,
        gutter: u16,
        buffer: &mut Buffer,
        theme: Theme,
    ) {
        let axis = plot.x - 1;
        for row in plot.top()..plot.bottom() {
            buffer[(axis, row)].set_char('│').set_style(theme.grid());
        }
        let mut taken = None;
        for tick in ticks {
            let Some(row) = self.row(tick.value, plot).filter(|row| taken != Some(*row)) else {
                continue;
            };
            taken = Some(row);
            let room = usize::from(gutter - 1);
            let label = &tick.label[..tick.label.len().min(room)];
            let x = axis - label.len() as u16;
            buffer.set_string(x, row, label, theme.dim());
            buffer[(axis, row)].set_char('┤').set_style(theme.grid());
        }
    }

    fn draw_x_axis(&self, plot: Rect, buffer: &mut Buffer, theme: Theme) {
        let row = plot.bottom();
        let widest = match self.x_unit {
            Unit::Clock | Unit::Duration => 11,
            _ => 9,
        };
        let most = (usize::from(plot.width) / widest).max(1);
        let mut free = plot.x.saturating_sub(1);
        for tick in linear(self.x[0], self.x[1], most, self.x_unit) {
            let Some(column) = self.column(tick.value, plot) else { continue };
            let width = tick.label.len() as u16;
            let start = column.saturating_sub(width / 2);
            let start = start.min(plot.right().saturating_sub(width)).max(plot.x);
            if start < free || start + width > plot.right() {
                continue;
            }
            buffer.set_string(start, row, &tick.label, theme.dim());
            free = start + width + 2;
        }
    }

    fn draw_references(&self, plot: Rect, buffer: &mut Buffer, theme: Theme) {
        for reference in &self.references {
            let Some(row) = self.row(reference.y, plot) else { continue };
            for column in plot.left()..plot.right() {
                buffer[(column, row)].set_char('┄').set_style(theme.reference());
            }
        }
    }

    /// Above the curves, which would make the names illegible; at the left, where curves that rise
    /// are far below.
    fn name_references(&self, plot: Rect, buffer: &mut Buffer, theme: Theme) {
        let mut named = Vec::new();
        for reference in &self.references {
            let Some(row) = self.row(reference.y, plot) else { continue };
            // Two names do not fit into one row.
            let width = reference.name.width() as u16;
            if !named.contains(&row) && width < plot.width {
                for column in 0..width {
                    // What a curve left there, its weight among it, would show through.
                    buffer[(plot.left() + 1 + column, row)].reset();
                }
                buffer.set_string(plot.left() + 1, row, &reference.name, theme.reference());
                named.push(row);
            }
        }
    }

    fn draw_curves(&self, plot: Rect, buffer: &mut Buffer, theme: Theme) {
        let mut canvas = Canvas::new(plot.width, plot.height, theme.marker());
        for trace in &self.traces {
            canvas.next_layer();
            for segment in &trace.segments {
                let place = |point: (f64, f64)| (self.across(point.0), self.up(point.1));
                if let [only] = segment[..] {
                    canvas.line(place(only), place(only), trace.pen);
                }
                for pair in segment.windows(2) {
                    canvas.line(place(pair[0]), place(pair[1]), trace.pen);
                }
            }
        }
        canvas.render(plot, buffer);
        for trace in self.traces.iter().filter(|trace| trace.points) {
            // So many that they touch say no more than the line.
            let points: usize = trace.segments.iter().map(Vec::len).sum();
            if points > usize::from(plot.width) / 2 {
                continue;
            }
            for &(x, y) in trace.segments.iter().flatten() {
                if let (Some(column), Some(row)) = (self.column(x, plot), self.row(y, plot)) {
                    buffer[(column, row)].set_char('•').set_style(trace.pen.style);
                }
            }
        }
    }

    fn draw_marks(&self, plot: Rect, buffer: &mut Buffer) {
        for mark in &self.marks {
            let Some(column) = self.column(mark.x, plot) else { continue };
            for row in plot.top()..plot.bottom() {
                let cell = &mut buffer[(column, row)];
                if cell.symbol() == " " {
                    cell.set_char('┊').set_style(mark.style);
                }
            }
            buffer[(column, plot.y)].set_char(mark.sign).set_style(mark.style);
        }
    }

    fn draw_cursor(&self, plot: Rect, buffer: &mut Buffer, theme: Theme) {
        let Some(column) = self.cursor.and_then(|x| self.column(x, plot)) else { return };
        for row in plot.top()..plot.bottom() {
            let cell = &mut buffer[(column, row)];
            if [" ", "┄"].contains(&cell.symbol()) {
                cell.set_char('│').set_style(theme.cursor());
            } else {
                cell.set_style(theme.selected());
            }
        }
    }
}
