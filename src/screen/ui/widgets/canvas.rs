//! Lines drawn with dots: eight per cell in Braille, two per cell in blocks, or one per cell.

use crate::screen::display::Markers;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns and rows of dots in a cell.
fn dots_per_cell(marker: Markers) -> (usize, usize) {
    match marker {
        Markers::Braille => (2, 4),
        Markers::Block => (1, 2),
        Markers::Dot | Markers::Ascii => (1, 1),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct DotCell {
    /// The dots that are set, one bit per dot, in row order.
    dots: u8,
    /// The curve that set them.
    curve: u16,
    style: CurveStyle,
}

/// The one mapping from a position in a plot to its dots and cells: curves, points, labels of axes
/// and reference lines of the same value are in the same row. Positions are fractions of the width
/// from the left and of the height from the bottom.
#[derive(Clone, Copy, Debug)]
pub struct PlotGrid {
    marker: Markers,
    columns: usize,
    rows: usize,
}

impl PlotGrid {
    /// The mapping for a plot of this many cells.
    pub fn new(columns: u16, rows: u16, marker: Markers) -> Self {
        Self { marker, columns: usize::from(columns), rows: usize::from(rows) }
    }

    /// The numbers of dots across and down, less one.
    fn last_dot(self) -> (f64, f64) {
        let (across, down) = dots_per_cell(self.marker);
        ((self.columns * across) as f64 - 1.0, (self.rows * down) as f64 - 1.0)
    }

    /// The position in dots from the upper left corner, not rounded.
    fn dot(self, (x, y): (f64, f64)) -> (f64, f64) {
        let (width, height) = self.last_dot();
        (x * width, (1.0 - y) * height)
    }

    /// The column of a position, from 0; `None` outside the plot.
    pub fn column(self, x: f64) -> Option<u16> {
        let dot = self.dot((x, 0.0)).0.round();
        is_within(x).then(|| (dot as usize / dots_per_cell(self.marker).0) as u16)
    }

    /// The row of a position, from 0 at the top; `None` outside the plot.
    pub fn row(self, y: f64) -> Option<u16> {
        let dot = self.dot((0.0, y)).1.round();
        is_within(y).then(|| (dot as usize / dots_per_cell(self.marker).1) as u16)
    }
}

/// Whether a fraction is within the plot, apart from rounding errors.
fn is_within(fraction: f64) -> bool {
    (-1e-9..=1.0 + 1e-9).contains(&fraction)
}

/// A rectangle of dots. Where curves meet in a cell, it shows the one drawn last.
pub struct Canvas {
    grid: PlotGrid,
    cells: Vec<DotCell>,
    curve: u16,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct CurveStyle {
    /// Its color and attributes.
    pub style: Style,
    /// The character that draws it in ASCII.
    pub symbol: char,
}

impl Canvas {
    /// An empty canvas.
    pub fn new(grid: PlotGrid) -> Self {
        Self { grid, cells: vec![DotCell::default(); grid.columns * grid.rows], curve: 0 }
    }

    /// Draws a dotted line across the whole width, below all curves: a dot in each cell.
    pub fn reference_line(&mut self, y: f64, style: CurveStyle) {
        if !is_within(y) {
            return;
        }
        let (across, _) = dots_per_cell(self.grid.marker);
        let row = self.grid.dot((0.0, y)).1.round();
        for column in 0..self.grid.columns {
            self.dot((column * across) as f64, row, style);
        }
    }

    /// Whether a curve is drawn in a cell.
    pub fn has_curve(&self, column: usize, row: usize) -> bool {
        let cell = self.cells.get(row * self.grid.columns + column);
        column < self.grid.columns && cell.is_some_and(|cell| cell.dots != 0 && cell.curve > 0)
    }

    /// Starts a new curve, which is drawn over the earlier ones.
    pub fn begin_curve(&mut self) {
        self.curve += 1;
    }

    /// Draws a line between two points, given as fractions of the width from the left and of the
    /// height from the bottom. They may be outside the canvas.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), style: CurveStyle) {
        let (width, height) = self.grid.last_dot();
        let (from, to) = (self.grid.dot(from), self.grid.dot(to));
        let Some((from, to)) = clipped(from, to, (-0.499, width + 0.499), (-0.499, height + 0.499))
        else {
            return;
        };
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0);
        for i in 0..=steps as usize {
            let share = i as f64 / steps;
            let x = from.0 + (to.0 - from.0) * share;
            let y = from.1 + (to.1 - from.1) * share;
            self.dot(x.round(), y.round(), style);
        }
    }

    fn dot(&mut self, x: f64, y: f64, style: CurveStyle) {
        let (across, down) = dots_per_cell(self.grid.marker);
        if x < 0.0 || y < 0.0 {
            return;
        }
        let (x, y) = (x as usize, y as usize);
        let (column, row) = (x / across, y / down);
        if column >= self.grid.columns || row >= self.grid.rows {
            return;
        }
        let cell = &mut self.cells[row * self.grid.columns + column];
        if cell.curve != self.curve {
            *cell = DotCell { curve: self.curve, ..DotCell::default() };
        }
        cell.dots |= 1 << (y % down * across + x % across);
        cell.style = style;
    }

    /// Writes the dots into the buffer.
    pub fn render(&self, area: Rect, buffer: &mut Buffer) {
        for (at, cell) in self.cells.iter().enumerate().filter(|(_, cell)| cell.dots != 0) {
            let (column, row) = (at % self.grid.columns, at / self.grid.columns);
            let (column, row) = (column as u16, row as u16);
            if column < area.width && row < area.height {
                let target = &mut buffer[(area.x + column, area.y + row)];
                target.set_char(self.character(*cell)).set_style(cell.style.style);
            }
        }
    }

    fn character(&self, cell: DotCell) -> char {
        if cell.curve == 0 && self.grid.marker != Markers::Braille {
            return '┄';
        }
        match self.grid.marker {
            Markers::Braille => braille(cell.dots),
            Markers::Block => match cell.dots {
                1 => '▀',
                2 => '▄',
                _ => '█',
            },
            Markers::Dot => '•',
            Markers::Ascii => cell.style.symbol,
        }
    }
}

/// The Braille character of eight dots in row order.
fn braille(dots: u8) -> char {
    // Unicode numbers the dots of the upper three rows by columns, then those of the lowest row.
    const BITS: [u32; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
    let set = BITS.iter().enumerate().filter(|(at, _)| dots & (1 << at) != 0);
    char::from_u32(0x2800 + set.map(|(_, bit)| bit).sum::<u32>()).unwrap_or(' ')
}

/// The part of a line within the bounds (Liang and Barsky, 1984).
fn clipped(
    from: (f64, f64),
    to: (f64, f64),
    x: (f64, f64),
    y: (f64, f64),
) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut start, mut end) = (0.0f64, 1.0f64);
    for (p, q) in [(-dx, from.0 - x.0), (dx, x.1 - from.0), (-dy, from.1 - y.0), (dy, y.1 - from.1)]
    {
        if !(p.is_finite() && q.is_finite()) || (p == 0.0 && q < 0.0) {
            return None;
        }
        if p < 0.0 {
            start = start.max(q / p);
        } else if p > 0.0 {
            end = end.min(q / p);
        }
    }
    let at = |share: f64| (from.0 + dx * share, from.1 + dy * share);
    (start <= end).then(|| (at(start), at(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: CurveStyle = CurveStyle { style: Style::new(), symbol: '*' };

    type Point = (f64, f64);

    fn drawn(marker: Markers, lines: &[(Point, Point)]) -> Vec<String> {
        let area = Rect::new(0, 0, 4, 2);
        let mut buffer = Buffer::empty(area);
        let mut canvas = Canvas::new(PlotGrid::new(4, 2, marker));
        canvas.begin_curve();
        for (from, to) in lines {
            canvas.line(*from, *to, STYLE);
        }
        canvas.render(area, &mut buffer);
        let rows = buffer.content().chunks(4);
        rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect()).collect()
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let line = [((0.0, 0.0), (1.0, 1.0))];
        assert_eq!(drawn(Markers::Braille, &line), ["  ⡠⠊", "⡠⠊  "]);
        assert_eq!(drawn(Markers::Block, &line), ["  ▄▀", "▄▀  "]);
        assert_eq!(drawn(Markers::Ascii, &line), ["  **", "**  "]);
    }

    #[test]
    fn lines_are_clipped() {
        let lines = [((-5.0, 0.4), (5.0, 0.4))];
        assert_eq!(drawn(Markers::Dot, &lines)[1], "••••");
        for wild in [f64::NAN, f64::INFINITY, 1e300] {
            let lines = [((0.0, 0.0), (1.0, wild)), ((wild, 0.0), (1.0, wild))];
            drawn(Markers::Braille, &lines);
        }
        assert_eq!(drawn(Markers::Ascii, &[((0.0, 2.0), (1.0, 3.0))]).concat().trim(), "");
    }

    #[test]
    fn the_last_curve_hides_the_earlier_ones() {
        let area = Rect::new(0, 0, 1, 1);
        let mut buffer = Buffer::empty(area);
        let mut canvas = Canvas::new(PlotGrid::new(1, 1, Markers::Braille));
        canvas.begin_curve();
        canvas.line((0.0, 0.0), (1.0, 0.0), STYLE);
        canvas.begin_curve();
        canvas.line((0.0, 1.0), (1.0, 1.0), STYLE);
        canvas.render(area, &mut buffer);
        assert_eq!(buffer[(0, 0)].symbol(), "⠉");
    }
}
