//! Elements of the figures: an SVG document, and axes with ticks.

use super::png::FONT_FAMILY;
use crate::core::text::escape_xml;
use crate::run::metric_series::Segment;
use crate::run::metric_series::ticks::{Tick, Unit, linear};
use std::fmt::Write;

/// The color of text.
pub(super) const TEXT: &str = "#222222";
/// The color of labels and axes.
pub(super) const SECONDARY_TEXT: &str = "#6b6b6b";
/// The color of grid lines.
const GRID: &str = "#e4e4e4";
/// The color of training metrics, from the palette of Okabe and Ito, which is distinguishable with
/// any type of color vision.
pub(super) const BLUE: &str = "#0072b2";
/// The color of evaluation metrics.
pub(super) const VERMILLION: &str = "#d55e00";
/// The color of F1.
pub(super) const GREEN: &str = "#009e73";

/// The part of a text that is placed at its coordinates.
#[derive(Clone, Copy)]
pub(super) enum TextAnchor {
    Start,
    Middle,
    End,
}

/// An SVG document.
pub(super) struct SvgDocument {
    text: String,
}

impl SvgDocument {
    pub fn new(width: f64, height: f64) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"'{FONT_FAMILY}',sans-serif\" \
             font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        Self { text }
    }

    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    /// Adds an element. Writing to a string cannot fail.
    fn push(&mut self, element: std::fmt::Arguments) {
        let _ = self.text.write_fmt(element);
        self.text.push('\n');
    }

    pub fn text(
        &mut self,
        (x, y): (f64, f64),
        anchor: TextAnchor,
        size: f64,
        fill: &str,
        text: &str,
    ) {
        let anchor = match anchor {
            TextAnchor::Start => "start",
            TextAnchor::Middle => "middle",
            TextAnchor::End => "end",
        };
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
             fill=\"{fill}\">{}</text>",
            escape_xml(text)
        ));
    }

    pub fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{fill}\"/>"
        ));
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str) {
        self.push(format_args!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{stroke}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    pub fn dot(&mut self, (x, y): (f64, f64), fill: &str) {
        self.push(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{fill}\"/>"));
    }

    fn path(&mut self, points: &[(f64, f64)], stroke: &str, width: f64, opacity: f64) {
        let mut path = String::new();
        for (at, (x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
        }
        self.push(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\" \
             stroke-opacity=\"{opacity}\" stroke-linejoin=\"round\"/>"
        ));
    }
}

/// How a curve is drawn.
#[derive(Clone, Copy)]
pub(super) struct LineStyle {
    pub color: &'static str,
    pub width: f64,
    pub opacity: f64,
    /// Whether each point has a marker.
    pub has_markers: bool,
}

/// The rectangle of a plot and the ranges of its axes.
pub(super) struct PlotAxes {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    /// The values at the left and the right edge.
    pub x: [f64; 2],
    /// The values at the lower and the upper edge.
    pub y: [f64; 2],
}

impl PlotAxes {
    /// The position of a point; values outside the range are at the edge.
    fn position(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, [from, to]: [f64; 2]| (value - from) / (to - from);
        let (across, up) = (share(x, self.x), share(y, self.y).clamp(0.0, 1.0));
        (self.left + across * self.width, self.top + (1.0 - up) * self.height)
    }

    /// Draws the axes, the grid and the tick labels.
    pub fn draw(&self, svg: &mut SvgDocument, name: &str) {
        let bottom = self.top + self.height;
        for Tick { value, label } in linear(self.y[0], self.y[1], 6, Unit::Number) {
            let (_, y) = self.position((self.x[0], value));
            svg.line((self.left, y), (self.left + self.width, y), GRID);
            svg.text((self.left - 8.0, y + 4.5), TextAnchor::End, 12.0, SECONDARY_TEXT, &label);
        }
        for Tick { value, label } in linear(self.x[0], self.x[1], 8, Unit::Count) {
            let (x, _) = self.position((value, self.y[0]));
            svg.line((x, bottom), (x, bottom + 4.0), SECONDARY_TEXT);
            svg.text((x, bottom + 18.0), TextAnchor::Middle, 12.0, SECONDARY_TEXT, &label);
        }
        svg.line((self.left, bottom), (self.left + self.width, bottom), SECONDARY_TEXT);
        svg.text((self.left, self.top - 10.0), TextAnchor::Start, 14.0, TEXT, name);
    }

    /// Draws a curve.
    pub fn curve(&self, svg: &mut SvgDocument, segments: &[Segment], style: LineStyle) {
        for segment in segments {
            let points: Vec<(f64, f64)> =
                segment.iter().map(|&point| self.position(point)).collect();
            svg.path(&points, style.color, style.width, style.opacity);
            if style.has_markers || points.len() == 1 {
                for &point in &points {
                    svg.dot(point, style.color);
                }
            }
        }
    }

    /// Draws a mark at the upper edge, for a value that is not finite.
    pub fn mark(&self, svg: &mut SvgDocument, x: f64, color: &str) {
        let (x, _) = self.position((x, self.y[1]));
        svg.text((x, self.top + 12.0), TextAnchor::Middle, 14.0, color, "!");
    }

    /// Draws the names of the curves with their colors, at the right.
    pub fn legend(&self, svg: &mut SvgDocument, names: &[(&str, &str)]) {
        // A letter is about half as wide as the font size.
        let width = |name: &str| 24.0 + 12.0 * 0.52 * name.chars().count() as f64 + 18.0;
        let all: f64 = names.iter().map(|(name, _)| width(name)).sum();
        let mut x = self.left + self.width - all + 18.0;
        for (name, color) in names {
            svg.rectangle((x, self.top - 16.0), (18.0, 3.0), color);
            svg.text((x + 24.0, self.top - 10.0), TextAnchor::Start, 12.0, TEXT, name);
            x += width(name);
        }
    }
}
