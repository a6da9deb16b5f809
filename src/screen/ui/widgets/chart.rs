//! A chart: curves over steps or time, with ticks at round values, baselines, annotations of
//! events, and a cursor.

use super::canvas::{Canvas, CurveStyle};
use crate::run::metric_series::Segment;
use crate::run::metric_series::ticks::{Tick, Unit, linear, logarithmic};
use crate::screen::ui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

/// One curve.
pub struct ChartSeries {
    /// Its segments, with gaps between them.
    pub segments: Vec<Segment>,
    /// How it is drawn.
    pub style: CurveStyle,
    /// Whether its points are shown, if there are few enough.
    pub points: bool,
}

/// A vertical line at an event.
pub struct ChartAnnotation {
    /// The event's x value.
    pub x: f64,
    /// The character at the top of the line.
    pub symbol: char,
    /// The line's style.
    pub style: Style,
}

/// A horizontal line at a value to compare with.
pub struct ChartBaseline {
    /// The value.
    pub y: f64,
    /// The text beside the line.
    pub name: String,
}

/// A chart.
pub struct Chart {
    /// The x values at the left and the right edge.
    pub x: [f64; 2],
    /// The unit of the x values.
    pub x_unit: Unit,
    /// The y values at the lower and the upper edge.
    pub y: [f64; 2],
    /// The unit of the y values.
    pub y_unit: Unit,
    /// Whether the y axis is logarithmic; its values are then above zero.
    pub log_y: bool,
    /// The curves, the last one on top.
    pub series: Vec<ChartSeries>,
    /// Horizontal lines at values to compare with.
    pub baselines: Vec<ChartBaseline>,
    /// Vertical lines at events.
    pub annotations: Vec<ChartAnnotation>,
    /// The cursor's x value.
    pub cursor: Option<f64>,
}

impl Chart {
    /// Draws the chart and returns the area of its curves.
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
        self.draw_baselines(plot, buffer, theme);
        self.draw_curves(plot, buffer, theme);
        self.draw_baseline_names(plot, buffer, theme);
        self.draw_annotations(plot, buffer);
        self.draw_cursor(plot, buffer, theme);
        plot
    }

    /// The position of a value as a fraction of the width.
    fn x_fraction(&self, x: f64) -> f64 {
        (x - self.x[0]) / (self.x[1] - self.x[0]).max(f64::MIN_POSITIVE)
    }

    /// The position of a value as a fraction of the height from the bottom.
    fn y_fraction(&self, y: f64) -> f64 {
        let scale = |value: f64| if self.log_y { value.max(1e-300).log10() } else { value };
        let [low, high] = self.y.map(scale);
        (scale(y) - low) / (high - low).max(f64::MIN_POSITIVE)
    }

    fn column(&self, x: f64, plot: Rect) -> Option<u16> {
        let fraction = self.x_fraction(x);
        let within = (-1e-9..=1.0 + 1e-9).contains(&fraction);
        within.then(|| plot.x + (fraction * f64::from(plot.width - 1)).round() as u16)
    }

    fn row(&self, y: f64, plot: Rect) -> Option<u16> {
        let fraction = self.y_fraction(y);
        let within = (-1e-9..=1.0 + 1e-9).contains(&fraction);
        within.then(|| plot.y + ((1.0 - fraction) * f64::from(plot.height - 1)).round() as u16)
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
        let mut last_row = None;
        for tick in ticks {
            let Some(row) = self.row(tick.value, plot).filter(|row| last_row != Some(*row)) else {
                continue;
            };
            last_row = Some(row);
            let width = usize::from(gutter - 1);
            let label = &tick.label[..tick.label.len().min(width)];
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

    fn draw_baselines(&self, plot: Rect, buffer: &mut Buffer, theme: Theme) {
        for baseline in &self.baselines {
            let Some(row) = self.row(baseline.y, plot) else { continue };
            for column in plot.left()..plot.right() {
                buffer[(column, row)].set_char('┄').set_style(theme.baseline());
            }
        }
    }

    /// Draws the names over the curves, so that they stay legible, and at the left, where rising
    /// curves are still far below.
    fn draw_baseline_names(&self, plot: Rect, buffer: &mut Buffer, theme: Theme) {
        let mut named = Vec::new();
        for baseline in &self.baselines {
            let Some(row) = self.row(baseline.y, plot) else { continue };
            // Each row has at most one name.
            let width = baseline.name.width() as u16;
            if !named.contains(&row) && width < plot.width {
                for column in 0..width {
                    // Otherwise the attributes of a curve below would remain.
                    buffer[(plot.left() + 1 + column, row)].reset();
                }
                buffer.set_string(plot.left() + 1, row, &baseline.name, theme.baseline());
                named.push(row);
            }
        }
    }

    fn draw_curves(&self, plot: Rect, buffer: &mut Buffer, theme: Theme) {
        let mut canvas = Canvas::new(plot.width, plot.height, theme.marker());
        for series in &self.series {
            canvas.begin_curve();
            for segment in &series.segments {
                let position =
                    |point: (f64, f64)| (self.x_fraction(point.0), self.y_fraction(point.1));
                if let [only] = segment[..] {
                    canvas.line(position(only), position(only), series.style);
                }
                for pair in segment.windows(2) {
                    canvas.line(position(pair[0]), position(pair[1]), series.style);
                }
            }
        }
        canvas.render(plot, buffer);
        for series in self.series.iter().filter(|series| series.points) {
            // Points are not drawn if they are so close that they would look like the line.
            let points: usize = series.segments.iter().map(Vec::len).sum();
            if points > usize::from(plot.width) / 2 {
                continue;
            }
            for &(x, y) in series.segments.iter().flatten() {
                if let (Some(column), Some(row)) = (self.column(x, plot), self.row(y, plot)) {
                    buffer[(column, row)].set_char('•').set_style(series.style.style);
                }
            }
        }
    }

    fn draw_annotations(&self, plot: Rect, buffer: &mut Buffer) {
        for annotation in &self.annotations {
            let Some(column) = self.column(annotation.x, plot) else { continue };
            for row in plot.top()..plot.bottom() {
                let cell = &mut buffer[(column, row)];
                if cell.symbol() == " " {
                    cell.set_char('┊').set_style(annotation.style);
                }
            }
            buffer[(column, plot.y)].set_char(annotation.symbol).set_style(annotation.style);
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
