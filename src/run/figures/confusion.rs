//! The confusion matrix: rows are true classes, columns predicted ones, the darker the more of a
//! row is in it.

use super::drawing::{Anchor, FAINT, INK, Svg};
use crate::core::text::show_number;
use crate::core::text::truncate_width;
use crate::core::train::event::Evaluated;

/// The most classes that are drawn; of more the first.
const MOST: usize = 60;

/// The most whose counts are written into the cells.
const COUNTED: usize = 12;

/// Columns of a class's name.
const NAME: usize = 16;

pub(super) fn draw(evaluated: &Evaluated, labels: &[String]) -> String {
    let metrics = &evaluated.metrics;
    let matrix = &metrics.eval_confusion.counts;
    let classes = matrix.len().min(MOST);
    let cell = if classes <= COUNTED { 480.0 / classes.max(3) as f64 } else { 12.0 };
    let side = cell * classes as f64;
    let (left, top) = (150.0, 110.0);
    let (width, height) = ((left + side + 30.0).max(420.0), top + side + 50.0);
    let mut svg = Svg::new(width, height);
    let scores = format!(
        "accuracy {:.4}, F1 {:.4}, {} reviews",
        metrics.eval_accuracy, metrics.eval_f1, metrics.eval_samples
    );
    let epoch = show_number((evaluated.epoch * 100.0).round() / 100.0);
    let when = format!("step {}, epoch {epoch}", evaluated.step);
    svg.words((24.0, 28.0), Anchor::Start, 15.0, INK, "confusion matrix");
    svg.words((24.0, 48.0), Anchor::Start, 12.0, FAINT, &scores);
    svg.words((24.0, 66.0), Anchor::Start, 12.0, FAINT, &when);
    let name = |class: usize| truncate_width(labels.get(class).map_or("?", String::as_str), NAME);
    let size = if classes <= COUNTED { 13.0 } else { 9.0 };
    for class in 0..classes {
        let middle = (class as f64 + 0.5) * cell;
        let row = (left - 10.0, top + middle + size / 3.0);
        svg.words(row, Anchor::End, size, INK, &name(class));
        if classes <= COUNTED {
            svg.words((left + middle, top - 10.0), Anchor::Middle, size, INK, &name(class));
        }
    }
    for (class, row) in matrix.iter().take(classes).enumerate() {
        let total = row.iter().sum::<u64>().max(1) as f64;
        for (predicted, &count) in row.iter().take(classes).enumerate() {
            let share = count as f64 / total;
            let place = (left + predicted as f64 * cell, top + class as f64 * cell);
            svg.rectangle(place, (cell - 1.0, cell - 1.0), &shade(share));
            if classes <= COUNTED {
                let ink = if share > 0.5 { "#ffffff" } else { INK };
                let middle = (place.0 + cell / 2.0, place.1 + cell / 2.0);
                svg.words(middle, Anchor::Middle, 15.0, ink, &count.to_string());
                let below = (middle.0, middle.1 + 18.0);
                let percent = format!("{:.1} %", 100.0 * share);
                svg.words(below, Anchor::Middle, 12.0, ink, &percent);
            }
        }
    }
    let below = top + side;
    svg.words((left - 10.0, below + 24.0), Anchor::End, 12.0, FAINT, "true ↑");
    svg.words((left + side / 2.0, below + 24.0), Anchor::Middle, 12.0, FAINT, "predicted →");
    if matrix.len() > classes {
        let more = format!("and {} more classes", matrix.len() - classes);
        svg.words((left, below + 42.0), Anchor::Start, 12.0, FAINT, &more);
    }
    svg.finish()
}

/// From white to a dark blue.
fn shade(share: f64) -> String {
    let mix = |light: f64, dark: f64| (light + (dark - light) * share.clamp(0.0, 1.0)) as u8;
    format!("#{:02x}{:02x}{:02x}", mix(244.0, 0.0), mix(248.0, 82.0), mix(252.0, 138.0))
}
