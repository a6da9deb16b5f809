//! Lines drawn with the dots of characters: eight a cell in Braille, two in blocks, or one.

use crate::screen::display::Markers;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Dots across and down a cell.
fn dots_of(marker: Markers) -> (usize, usize) {
    match marker {
        Markers::Braille => (2, 4),
        Markers::Block => (1, 2),
        Markers::Dot | Markers::Ascii => (1, 1),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// Which dots are set, a bit each, by rows.
    dots: u8,
    /// Which curve set them.
    layer: u16,
    sign: char,
    style: Style,
}

/// A rectangle of dots. Where curves meet in a cell, the last one drawn has it.
pub struct Canvas {
    marker: Markers,
    columns: usize,
    rows: usize,
    cells: Vec<Cell>,
    layer: u16,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    /// Its colour and weight.
    pub style: Style,
    /// The sign that stands for it in ASCII.
    pub sign: char,
}

impl Canvas {
    /// Of so many cells.
    pub fn new(columns: u16, rows: u16, marker: Markers) -> Self {
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        Self { marker, columns, rows, cells: vec![Cell::default(); columns * rows], layer: 0 }
    }

    /// Begins another curve.
    pub fn next_layer(&mut self) {
        self.layer += 1;
    }

    /// Draws a line; places are shares of the width from the left and of the height from below, and
    /// may lie outside.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), pen: Pen) {
        let (across, down) = dots_of(self.marker);
        let (width, height) = ((self.columns * across) as f64, (self.rows * down) as f64);
        let place = |(x, y): (f64, f64)| (x * (width - 1.0), (1.0 - y) * (height - 1.0));
        let Some((from, to)) =
            clipped(place(from), place(to), (-0.499, width - 0.501), (-0.499, height - 0.501))
        else {
            return;
        };
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0);
        for i in 0..=steps as usize {
            let share = i as f64 / steps;
            let x = from.0 + (to.0 - from.0) * share;
            let y = from.1 + (to.1 - from.1) * share;
            self.dot(x.round(), y.round(), pen);
        }
    }

    fn dot(&mut self, x: f64, y: f64, pen: Pen) {
        let (across, down) = dots_of(self.marker);
        if x < 0.0 || y < 0.0 {
            return;
        }
        let (x, y) = (x as usize, y as usize);
        let (column, row) = (x / across, y / down);
        if column >= self.columns || row >= self.rows {
            return;
        }
        let cell = &mut self.cells[row * self.columns + column];
        if cell.layer != self.layer {
            *cell = Cell { layer: self.layer, ..Cell::default() };
        }
        cell.dots |= 1 << (y % down * across + x % across);
        (cell.style, cell.sign) = (pen.style, pen.sign);
    }

    /// Puts the dots on the screen.
    pub fn render(&self, area: Rect, buffer: &mut Buffer) {
        for (at, cell) in self.cells.iter().enumerate().filter(|(_, cell)| cell.dots != 0) {
            let (column, row) = ((at % self.columns) as u16, (at / self.columns) as u16);
            if column < area.width && row < area.height {
                let target = &mut buffer[(area.x + column, area.y + row)];
                target.set_char(self.sign(*cell)).set_style(cell.style);
            }
        }
    }

    fn sign(&self, cell: Cell) -> char {
        match self.marker {
            Markers::Braille => braille(cell.dots),
            Markers::Block => match cell.dots {
                1 => '▀',
                2 => '▄',
                _ => '█',
            },
            Markers::Dot => '•',
            Markers::Ascii => cell.sign,
        }
    }
}

/// The Braille character of eight dots, by rows.
fn braille(dots: u8) -> char {
    // Unicode numbers the upper three rows by columns, then the lowest row.
    const BITS: [u32; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
    let set = BITS.iter().enumerate().filter(|(at, _)| dots & (1 << at) != 0);
    char::from_u32(0x2800 + set.map(|(_, bit)| bit).sum::<u32>()).unwrap_or(' ')
}

/// The part of a line within bounds (Liang and Barsky, 1984).
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

    const PEN: Pen = Pen { style: Style::new(), sign: '*' };

    type Place = (f64, f64);

    fn drawn(marker: Markers, lines: &[(Place, Place)]) -> Vec<String> {
        let area = Rect::new(0, 0, 4, 2);
        let mut buffer = Buffer::empty(area);
        let mut canvas = Canvas::new(4, 2, marker);
        for (from, to) in lines {
            canvas.line(*from, *to, PEN);
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
    fn what_lies_outside_is_cut_off() {
        let lines = [((-5.0, 0.4), (5.0, 0.4))];
        assert_eq!(drawn(Markers::Dot, &lines)[1], "••••");
        for wild in [f64::NAN, f64::INFINITY, 1e300] {
            let lines = [((0.0, 0.0), (1.0, wild)), ((wild, 0.0), (1.0, wild))];
            drawn(Markers::Braille, &lines);
        }
        assert_eq!(drawn(Markers::Ascii, &[((0.0, 2.0), (1.0, 3.0))]).concat().trim(), "");
    }

    #[test]
    fn the_last_curve_has_the_cell() {
        let area = Rect::new(0, 0, 1, 1);
        let mut buffer = Buffer::empty(area);
        let mut canvas = Canvas::new(1, 1, Markers::Braille);
        canvas.line((0.0, 0.0), (1.0, 0.0), PEN);
        canvas.next_layer();
        canvas.line((0.0, 1.0), (1.0, 1.0), PEN);
        canvas.render(area, &mut buffer);
        assert_eq!(buffer[(0, 0)].symbol(), "⠉");
    }
}
