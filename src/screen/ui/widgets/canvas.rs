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

/// A rectangle of dots. Where curves meet in a cell, it shows the one drawn last.
pub struct Canvas {
    marker: Markers,
    columns: usize,
    rows: usize,
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
    /// An empty canvas of this many cells.
    pub fn new(columns: u16, rows: u16, marker: Markers) -> Self {
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        Self { marker, columns, rows, cells: vec![DotCell::default(); columns * rows], curve: 0 }
    }

    /// Starts a new curve, which is drawn over the earlier ones.
    pub fn begin_curve(&mut self) {
        self.curve += 1;
    }

    /// Draws a line between two points, given as fractions of the width from the left and of the
    /// height from the bottom. They may be outside the canvas.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), style: CurveStyle) {
        let (across, down) = dots_per_cell(self.marker);
        let (width, height) = ((self.columns * across) as f64, (self.rows * down) as f64);
        let to_dots = |(x, y): (f64, f64)| (x * (width - 1.0), (1.0 - y) * (height - 1.0));
        let Some((from, to)) =
            clipped(to_dots(from), to_dots(to), (-0.499, width - 0.501), (-0.499, height - 0.501))
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
        let (across, down) = dots_per_cell(self.marker);
        if x < 0.0 || y < 0.0 {
            return;
        }
        let (x, y) = (x as usize, y as usize);
        let (column, row) = (x / across, y / down);
        if column >= self.columns || row >= self.rows {
            return;
        }
        let cell = &mut self.cells[row * self.columns + column];
        if cell.curve != self.curve {
            *cell = DotCell { curve: self.curve, ..DotCell::default() };
        }
        cell.dots |= 1 << (y % down * across + x % across);
        cell.style = style;
    }

    /// Writes the dots into the buffer.
    pub fn render(&self, area: Rect, buffer: &mut Buffer) {
        for (at, cell) in self.cells.iter().enumerate().filter(|(_, cell)| cell.dots != 0) {
            let (column, row) = ((at % self.columns) as u16, (at / self.columns) as u16);
            if column < area.width && row < area.height {
                let target = &mut buffer[(area.x + column, area.y + row)];
                target.set_char(self.character(*cell)).set_style(cell.style.style);
            }
        }
    }

    fn character(&self, cell: DotCell) -> char {
        match self.marker {
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
        let mut canvas = Canvas::new(4, 2, marker);
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
        let mut canvas = Canvas::new(1, 1, Markers::Braille);
        canvas.line((0.0, 0.0), (1.0, 0.0), STYLE);
        canvas.begin_curve();
        canvas.line((0.0, 1.0), (1.0, 1.0), STYLE);
        canvas.render(area, &mut buffer);
        assert_eq!(buffer[(0, 0)].symbol(), "⠉");
    }
}
