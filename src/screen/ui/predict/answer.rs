//! The lines of one prediction.

use crate::core::predict::Prediction;
use crate::core::text::{align_left, truncate_width};
use crate::screen::lang::Lang;
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::bar::bar;
use crate::screen::ui::widgets::wrapped;
use ratatui::text::{Line, Span};

/// The most classes that are shown, and those where there is room.
const MAX_CLASSES: [usize; 2] = [3, 12];

/// The most classes whose bars have two rows where there is room.
const MAX_LARGE: usize = 4;

/// The most columns of a bar, and that where there is room.
const MAX_BAR: [usize; 2] = [60, 120];

/// The columns of the name of a class.
const NAME: usize = 12;

/// The columns of a probability.
const PROBABILITY: usize = 8;

/// The numbers of a prediction, in `width` columns: the label and the probability of each class. If it
/// `is_roomy`, bars are larger, and there are more of them.
pub(super) fn numbers(
    prediction: &Prediction,
    labels: &[String],
    (width, is_roomy): (usize, bool),
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut lines = headline(prediction, labels, width, lang, theme);
    // If there are too many classes, the most probable ones are shown, in order of probability.
    let mut classes: Vec<usize> = (0..prediction.probabilities.len()).collect();
    let most = MAX_CLASSES[usize::from(is_roomy)];
    if classes.len() > most {
        classes
            .sort_by(|&a, &b| prediction.probabilities[b].total_cmp(&prediction.probabilities[a]));
    }
    let is_large = is_roomy && classes.len() <= MAX_LARGE;
    for class in classes.into_iter().take(most) {
        let name = labels.get(class).map_or("?", String::as_str);
        let width = (width, MAX_BAR[usize::from(is_roomy)]);
        let line = probability_line(name, class, prediction, width, theme);
        if is_large {
            let below = below(&line);
            lines.extend([Line::default(), line, below]);
        } else {
            lines.push(line);
        }
    }
    if prediction.truncated {
        let warning =
            lang.tr_with("only the first {0} tokens are read", &[&prediction.tokens.len()]);
        lines.extend(wrapped(&warning, width, theme.warning()));
    }
    if prediction.has_many_unknown() {
        let counts = prediction.unknown_tokens();
        let warning = lang.tr_with(
            "{0} of {1} tokens are not in the vocabulary",
            &[&counts.unknown, &counts.tokens],
        );
        lines.extend(wrapped(&warning, width, theme.warning()));
    }
    lines
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// The label, its probability, the margin, and the calibrated probability if there is one: in one
/// line, or in two where it does not fit.
fn headline(
    prediction: &Prediction,
    labels: &[String],
    width: usize,
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let class = labels.iter().position(|label| *label == prediction.label).unwrap_or(2);
    let spans = vec![
        Span::styled(truncate_width(&prediction.label, 24), theme.class(class)),
        Span::styled(format!(" {}", percent(prediction.score)), theme.strong()),
        Span::styled(format!("  {} ", lang.tr("margin")), theme.dim()),
        Span::raw(percent(prediction.margin())),
    ];
    let mut lines = vec![Line::from(spans)];
    if let Some(score) = prediction.calibrated_score() {
        let name = Span::styled(format!("{} ", lang.tr("calibrated")), theme.dim());
        let score = Span::raw(percent(score));
        if lines[0].width() + 2 + name.width() + score.width() <= width {
            lines[0].extend([Span::raw("  "), name, score]);
        } else if !theme.is_frameless() {
            // On a small screen, it is beside the bars alone.
            lines.push(Line::from(vec![name, score]));
        }
    }
    lines
}

/// The second row of a larger bar, without its name and its numbers.
fn below(line: &Line<'static>) -> Line<'static> {
    let mut line = line.clone();
    for (place, span) in line.spans.iter_mut().enumerate() {
        if !BAR_SPANS.contains(&place) {
            span.content = " ".repeat(span.width()).into();
        }
    }
    line
}

/// The spans of a line of a class that are its bar.
const BAR_SPANS: std::ops::Range<usize> = 2..4;

fn probability_line(
    name: &str,
    class: usize,
    prediction: &Prediction,
    (width, most): (usize, usize),
    theme: Theme,
) -> Line<'static> {
    let chosen = prediction.label == name;
    let style = if chosen { theme.class(class) } else { theme.dim() };
    let mark = if chosen { "▶ " } else { "  " };
    let calibrated = prediction.calibrated_probabilities.as_ref();
    let calibrated = calibrated.and_then(|probabilities| probabilities.get(class));
    let numbers = PROBABILITY * (1 + usize::from(calibrated.is_some()));
    let cells = width.saturating_sub(2 + NAME + numbers).min(most);
    let mut spans = vec![Span::styled(mark, style), Span::styled(align_left(name, NAME), style)];
    let probability = prediction.probabilities[class];
    let [filled, rest] = bar(probability, cells, theme);
    spans.extend([filled.style(theme.class(class)), rest]);
    spans.push(Span::styled(format!(" {:>7}", percent(probability)), style));
    if let Some(calibrated) = calibrated {
        spans.push(Span::styled(format!(" {:>7}", percent(*calibrated)), theme.dim()));
    }
    Line::from(spans)
}
