//! Draws the loss and, below it, accuracy and F1 over the steps.

use super::drawing::{
    BLUE, GREEN, LineStyle, PlotAxes, SECONDARY_TEXT, SvgDocument, TextAnchor, VERMILLION,
};
use crate::run::metric_series::ticks::round_bounds;
use crate::run::metric_series::{Curve, History};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;

/// The number of bins of a curve, more than the figure's width in pixels.
const BINS: usize = 1200;

/// The smoothing of the loss, as in TensorBoard.
const SMOOTHING: f64 = 0.9;

pub(super) fn draw(history: &History, title: &str) -> String {
    let has_metrics = !(history.eval_accuracy.is_empty() && history.train_accuracy.is_empty());
    let height = if has_metrics { 640.0 } else { 400.0 };
    let mut svg = SvgDocument::new(WIDTH, height);
    svg.text((WIDTH / 2.0, 24.0), TextAnchor::Middle, 13.0, SECONDARY_TEXT, title);
    let steps = [0.0, history.last_step().max(1.0)];
    draw_loss(&mut svg, history, steps);
    if has_metrics {
        draw_metrics(&mut svg, history, steps);
    }
    svg.text((WIDTH / 2.0, height - 8.0), TextAnchor::Middle, 12.0, SECONDARY_TEXT, "step");
    svg.finish()
}

fn axes(top: f64, height: f64, x: [f64; 2], y: [f64; 2]) -> PlotAxes {
    PlotAxes { left: LEFT, top, width: WIDTH - LEFT - RIGHT, height, x, y }
}

fn solid(color: &'static str, has_markers: bool) -> LineStyle {
    LineStyle { color, width: 2.0, opacity: 1.0, has_markers }
}

fn draw_loss(svg: &mut SvgDocument, history: &History, steps: [f64; 2]) {
    let mut loss = history.loss.clone();
    loss.smooth(SMOOTHING);
    // The usual range keeps one outlier from flattening the rest; it is drawn at the edge.
    let ranges = [loss.usual_range(steps), history.eval_loss.whole_range(steps)];
    let high = ranges.into_iter().flatten().map(|range| range[1]).fold(f64::MIN, f64::max);
    let high = if high.is_finite() && high > 0.0 { high } else { 1.0 };
    let axes = axes(64.0, 280.0, steps, round_bounds(0.0, high, 6));
    axes.draw(svg, "loss");
    let names = [("train", BLUE), ("eval", VERMILLION)];
    axes.legend(svg, if history.eval_loss.is_empty() { &names[..1] } else { &names });
    let raw = LineStyle { color: BLUE, width: 1.0, opacity: 0.3, has_markers: false };
    let at = |step, _| step;
    axes.curve(svg, &loss.raw_segments(steps, BINS, at), raw);
    axes.curve(svg, &loss.smoothed_segments(steps, BINS, at), solid(BLUE, false));
    axes.curve(svg, &history.eval_loss.raw_segments(steps, BINS, at), solid(VERMILLION, true));
    for curve in [&loss, &history.eval_loss] {
        // More marks would overlap.
        curve.not_finite().iter().take(100).for_each(|(step, _)| axes.mark(svg, *step, VERMILLION));
    }
}

fn draw_metrics(svg: &mut SvgDocument, history: &History, steps: [f64; 2]) {
    let metrics: [(&str, &Curve, LineStyle); 3] = [
        ("train accuracy", &history.train_accuracy, solid(BLUE, true)),
        ("eval F1", &history.eval_f1, solid(GREEN, true)),
        ("eval accuracy", &history.eval_accuracy, solid(VERMILLION, true)),
    ];
    let shown = metrics.iter().filter(|(_, curve, _)| !curve.is_empty());
    let ranges = shown.clone().filter_map(|(_, curve, _)| curve.whole_range(steps));
    let (low, high) =
        ranges.fold((1.0f64, 0.0f64), |(low, high), [a, b]| (low.min(a), high.max(b)));
    let axes = axes(408.0, 180.0, steps, round_bounds(low, high.max(low), 4));
    axes.draw(svg, "accuracy and F1");
    let names: Vec<(&str, &str)> =
        shown.clone().map(|(name, _, style)| (*name, style.color)).collect();
    axes.legend(svg, &names);
    for (_, curve, style) in shown {
        axes.curve(svg, &curve.raw_segments(steps, BINS, |step, _| step), *style);
    }
}
