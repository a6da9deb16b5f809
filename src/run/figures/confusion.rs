//! Draws the confusion matrix: rows are true classes, columns are predicted classes. A larger share
//! of the row gives a darker cell.

use super::drawing::{SECONDARY_TEXT, SvgDocument, TEXT, TextAnchor};
use crate::core::text::show_number;
use crate::core::text::truncate_width;
use crate::core::train::event::Evaluated;

/// The most classes that are drawn; later ones are left out.
const MAX_CLASSES: usize = 60;

/// The most classes for which the cells are large enough to show counts.
const MAX_WITH_COUNTS: usize = 12;

/// The width of a class's name in columns.
const NAME_WIDTH: usize = 16;

pub(super) fn draw(evaluated: &Evaluated, labels: &[String]) -> String {
    let metrics = &evaluated.metrics;
    let matrix = &metrics.eval_confusion.counts;
    let classes = matrix.len().min(MAX_CLASSES);
    let cell = if classes <= MAX_WITH_COUNTS { 480.0 / classes.max(3) as f64 } else { 12.0 };
    let side = cell * classes as f64;
    let (left, top) = (150.0, 110.0);
    let (width, height) = ((left + side + 30.0).max(420.0), top + side + 50.0);
    let mut svg = SvgDocument::new(width, height);
    let metrics_line = format!(
        "accuracy {:.4}, F1 {:.4}, {} samples",
        metrics.eval_accuracy, metrics.eval_f1, metrics.eval_samples
    );
    let epoch = show_number((evaluated.epoch * 100.0).round() / 100.0);
    let when = format!("step {}, epoch {epoch}", evaluated.step);
    svg.text((24.0, 28.0), TextAnchor::Start, 15.0, TEXT, "confusion matrix");
    svg.text((24.0, 48.0), TextAnchor::Start, 12.0, SECONDARY_TEXT, &metrics_line);
    svg.text((24.0, 66.0), TextAnchor::Start, 12.0, SECONDARY_TEXT, &when);
    let name =
        |class: usize| truncate_width(labels.get(class).map_or("?", String::as_str), NAME_WIDTH);
    let size = if classes <= MAX_WITH_COUNTS { 13.0 } else { 9.0 };
    for class in 0..classes {
        let middle = (class as f64 + 0.5) * cell;
        let row = (left - 10.0, top + middle + size / 3.0);
        svg.text(row, TextAnchor::End, size, TEXT, &name(class));
        if classes <= MAX_WITH_COUNTS {
            svg.text((left + middle, top - 10.0), TextAnchor::Middle, size, TEXT, &name(class));
        }
    }
    for (class, row) in matrix.iter().take(classes).enumerate() {
        let total = row.iter().sum::<u64>().max(1) as f64;
        for (predicted, &count) in row.iter().take(classes).enumerate() {
            let share = count as f64 / total;
            let corner = (left + predicted as f64 * cell, top + class as f64 * cell);
            svg.rectangle(corner, (cell - 1.0, cell - 1.0), &shade(share));
            if classes <= MAX_WITH_COUNTS {
                let color = if share > 0.5 { "#ffffff" } else { TEXT };
                let middle = (corner.0 + cell / 2.0, corner.1 + cell / 2.0);
                svg.text(middle, TextAnchor::Middle, 15.0, color, &count.to_string());
                let below = (middle.0, middle.1 + 18.0);
                let percent = format!("{:.1} %", 100.0 * share);
                svg.text(below, TextAnchor::Middle, 12.0, color, &percent);
            }
        }
    }
    let below = top + side;
    svg.text((left - 10.0, below + 24.0), TextAnchor::End, 12.0, SECONDARY_TEXT, "true ↑");
    svg.text(
        (left + side / 2.0, below + 24.0),
        TextAnchor::Middle,
        12.0,
        SECONDARY_TEXT,
        "predicted →",
    );
    if matrix.len() > classes {
        let more = format!("and {} more classes", matrix.len() - classes);
        svg.text((left, below + 42.0), TextAnchor::Start, 12.0, SECONDARY_TEXT, &more);
    }
    svg.finish()
}

/// The color of a cell, from white (share 0) to dark blue (share 1).
fn shade(share: f64) -> String {
    let mix = |light: f64, dark: f64| (light + (dark - light) * share.clamp(0.0, 1.0)) as u8;
    format!("#{:02x}{:02x}{:02x}", mix(244.0, 0.0), mix(248.0, 82.0), mix(252.0, 138.0))
}
