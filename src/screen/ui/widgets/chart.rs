//! A chart: curves over steps or time, with ticks at round values, baselines, annotations of
//! events, and a cursor. [`PlotGrid`] places all of them.

use super::canvas::{Canvas, CurveStyle, PlotGrid};
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
    /// The texts at the right end of the line, the longest one first; the first that fits is used.
    pub names: Vec<String>,
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

/// The area of the curves, and which of its cells are in use.
struct Plot {
    area: Rect,
    grid: PlotGrid,
    /// Whether a curve, a point or the letter of an event is in a cell, row by row.
    taken: Vec<bool>,
}

impl Plot {
    fn new(area: Rect, theme: Theme) -> Self {
        let grid = PlotGrid::new(area.width, area.height, theme.marker());
        let cells = usize::from(area.width) * usize::from(area.height);
        Self { area, grid, taken: vec![false; cells] }
    }

    fn index(&self, column: u16, row: u16) -> usize {
        usize::from(row) * usize::from(self.area.width) + usize::from(column)
    }

    fn is_taken(&self, column: u16, row: u16) -> bool {
        self.taken.get(self.index(column, row)).copied().unwrap_or(true)
    }

    fn take(&mut self, column: u16, row: u16) {
        let index = self.index(column, row);
        if let Some(taken) = self.taken.get_mut(index) {
            *taken = true;
        }
    }

    /// Whether `width` cells from a column on are free.
    fn has_room(&self, column: u16, row: u16, width: u16) -> bool {
        (column..column + width).all(|column| !self.is_taken(column, row))
    }

    /// The place of the name of a line in `row` at the right end of the row, of the row above or of
    /// the one below.
    fn place_at_end(&self, row: u16, width: u16) -> Option<(u16, u16)> {
        let end = self.area.width.checked_sub(width)?;
        let rows = [Some(row), row.checked_sub(1), Some(row + 1)];
        let rows = rows.into_iter().flatten().filter(|row| *row < self.area.height);
        rows.map(|row| (end, row)).find(|&(column, row)| self.has_room(column, row, width))
    }

    /// The place of a name in a row, as far to the right as there is room.
    fn place_in_row(&self, row: u16, width: u16) -> Option<(u16, u16)> {
        let end = self.area.width.checked_sub(width)?;
        let places = (0..end).rev().map(|column| (column, row));
        places.into_iter().find(|&(column, row)| self.has_room(column, row, width))
    }
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
        let area = Rect {
            x: area.x + gutter,
            width: area.width - gutter,
            height: area.height.saturating_sub(1),
            ..area
        };
        if area.width == 0 || area.height == 0 {
            return area;
        }
        let mut plot = Plot::new(area, theme);
        self.draw_y_axis(&ticks, &plot, gutter, buffer, theme);
        self.draw_x_axis(&plot, buffer, theme);
        self.draw_curves(&mut plot, buffer, theme);
        self.draw_points(&mut plot, buffer);
        self.draw_annotations(&mut plot, buffer);
        self.draw_baseline_names(&mut plot, buffer, theme);
        self.draw_cursor(&plot, buffer, theme);
        area
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

    /// The column of a value within the plot.
    fn column(&self, x: f64, plot: &Plot) -> Option<u16> {
        plot.grid.column(self.x_fraction(x))
    }

    /// The row of a value within the plot.
    fn row(&self, y: f64, plot: &Plot) -> Option<u16> {
        plot.grid.row(self.y_fraction(y))
    }

    fn draw_y_axis(
        &self,
        ticks: &[Tick],
        plot: &Plot,
        gutter: u16,
        buffer: &mut Buffer,
        theme: Theme,
    ) {
        let axis = plot.area.x - 1;
        for row in plot.area.top()..plot.area.bottom() {
            buffer[(axis, row)].set_char('│').set_style(theme.grid());
        }
        let mut last_row = None;
        for tick in ticks {
            let Some(row) = self.row(tick.value, plot).filter(|row| last_row != Some(*row)) else {
                continue;
            };
            last_row = Some(row);
            let row = plot.area.y + row;
            let width = usize::from(gutter - 1);
            let label = &tick.label[..tick.label.len().min(width)];
            let x = axis - label.len() as u16;
            buffer.set_string(x, row, label, theme.dim());
            buffer[(axis, row)].set_char('┤').set_style(theme.grid());
        }
    }

    fn draw_x_axis(&self, plot: &Plot, buffer: &mut Buffer, theme: Theme) {
        let area = plot.area;
        let widest = match self.x_unit {
            Unit::Clock | Unit::Duration => 11,
            _ => 9,
        };
        let most = (usize::from(area.width) / widest).max(1);
        let mut free = area.x.saturating_sub(1);
        for tick in linear(self.x[0], self.x[1], most, self.x_unit) {
            let Some(column) = self.column(tick.value, plot) else { continue };
            let width = tick.label.len() as u16;
            let start = (area.x + column).saturating_sub(width / 2);
            let start = start.min(area.right().saturating_sub(width)).max(area.x);
            if start < free || start + width > area.right() {
                continue;
            }
            buffer.set_string(start, area.bottom(), &tick.label, theme.dim());
            free = start + width + 2;
        }
    }

    /// Draws the baselines and, over them, the curves.
    fn draw_curves(&self, plot: &mut Plot, buffer: &mut Buffer, theme: Theme) {
        let mut canvas = Canvas::new(plot.grid);
        for baseline in &self.baselines {
            let style = CurveStyle { style: theme.baseline(), symbol: '-' };
            canvas.reference_line(self.y_fraction(baseline.y), style);
        }
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
        canvas.render(plot.area, buffer);
        for row in 0..plot.area.height {
            for column in 0..plot.area.width {
                if canvas.has_curve(usize::from(column), usize::from(row)) {
                    plot.take(column, row);
                }
            }
        }
    }

    fn draw_points(&self, plot: &mut Plot, buffer: &mut Buffer) {
        for series in self.series.iter().filter(|series| series.points) {
            // Points are not drawn if they are so close that they would look like the line.
            let points: usize = series.segments.iter().map(Vec::len).sum();
            if points > usize::from(plot.area.width) / 2 {
                continue;
            }
            for &(x, y) in series.segments.iter().flatten() {
                if let (Some(column), Some(row)) = (self.column(x, plot), self.row(y, plot)) {
                    let cell = &mut buffer[(plot.area.x + column, plot.area.y + row)];
                    cell.set_char('•').set_style(series.style.style);
                    plot.take(column, row);
                }
            }
        }
    }

    /// Draws a line at each event, and its letter in the highest free cell of the line's column; where a
    /// curve is in all of them, of the columns beside it.
    fn draw_annotations(&self, plot: &mut Plot, buffer: &mut Buffer) {
        for annotation in &self.annotations {
            let Some(column) = self.column(annotation.x, plot) else { continue };
            let beside = [Some(column), Some(column + 1), column.checked_sub(1)];
            let beside = beside.into_iter().flatten().filter(|column| *column < plot.area.width);
            let mut cells =
                beside.flat_map(|column| (0..plot.area.height).map(move |row| (column, row)));
            let free = cells.find(|(column, row)| !plot.is_taken(*column, *row));
            let x = plot.area.x + column;
            for row in 0..plot.area.height {
                let cell = &mut buffer[(x, plot.area.y + row)];
                if cell.symbol() == " " {
                    cell.set_char('┊').set_style(annotation.style);
                }
            }
            if let Some((column, row)) = free {
                buffer[(plot.area.x + column, plot.area.y + row)]
                    .set_char(annotation.symbol)
                    .set_style(annotation.style);
                plot.take(column, row);
            }
        }
    }

    /// Draws the names at the right end of their lines, where neither a curve nor the letter of an
    /// event is: the longest form that has room there, or else further to the left. A name without any
    /// room is left out.
    fn draw_baseline_names(&self, plot: &mut Plot, buffer: &mut Buffer, theme: Theme) {
        for baseline in &self.baselines {
            let Some(row) = self.row(baseline.y, plot) else { continue };
            let place = |place: fn(&Plot, u16, u16) -> Option<(u16, u16)>| {
                baseline.names.iter().find_map(|name| {
                    let width = name.width() as u16;
                    let (column, row) = place(plot, row, width)?;
                    Some((column, row, width, name.clone()))
                })
            };
            let Some((column, row, width, name)) =
                place(Plot::place_at_end).or_else(|| place(Plot::place_in_row))
            else {
                continue;
            };
            let (x, y) = (plot.area.x + column, plot.area.y + row);
            for column in column..column + width {
                // Otherwise the attributes of the line below would remain.
                buffer[(plot.area.x + column, y)].reset();
                plot.take(column, row);
            }
            buffer.set_string(x, y, &name, theme.baseline());
        }
    }

    fn draw_cursor(&self, plot: &Plot, buffer: &mut Buffer, theme: Theme) {
        let Some(column) = self.cursor.and_then(|x| self.column(x, plot)) else { return };
        for row in 0..plot.area.height {
            let cell = &mut buffer[(plot.area.x + column, plot.area.y + row)];
            if plot.is_taken(column, row) {
                cell.set_style(theme.selected());
            } else {
                cell.set_char('│').set_style(theme.cursor());
            }
        }
    }
}

#[cfg(test)]
#[path = "chart_tests.rs"]
mod tests;
