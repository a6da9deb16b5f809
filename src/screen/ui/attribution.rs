//! A text whose words are colored by how much they lead to the predicted class.

use super::theme::Theme;
use super::widgets::wrapped;
use crate::core::attribution::{ExplainMethod, TextPart, TokenIntegrals, WordAttributions};
use crate::core::predict::Prediction;
use crate::core::text::{sanitize_for_terminal, truncate_width};
use crate::screen::app::words::Replaced;
use crate::screen::lang::Lang;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A word with less than this change of the probability is not colored.
const NOTICEABLE: f64 = 0.005;

/// The share of the largest change from which a word is colored, and from which it is bold.
const SHARES: [f64; 2] = [0.1, 0.5];

/// The style of a word with this contribution, where `largest` is the largest one of its text.
pub fn word_style(shown: &ShownWords<'_>, value: f64, largest: f64, theme: Theme) -> Style {
    let styles = Styles { class: shown.words.class, classes: shown.labels.len(), theme };
    styles.of(contribution(Some(value), largest.max(NOTICEABLE)))
}

/// What words by a method are called.
pub fn words_name(method: ExplainMethod) -> &'static str {
    match method {
        ExplainMethod::Occlusion => "words",
        ExplainMethod::IntegratedGradients => "integrated gradients",
    }
}

/// The name of a method.
pub fn method_name(method: ExplainMethod) -> &'static str {
    match method {
        ExplainMethod::Occlusion => "occlusion",
        ExplainMethod::IntegratedGradients => "integrated gradients",
    }
}

/// How a word contributes to the predicted class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contribution {
    Towards {
        is_strong: bool,
    },
    Against {
        is_strong: bool,
    },
    Slight,
    /// Between words.
    None,
}

/// The words of a text by one model.
#[derive(Clone, Copy)]
pub struct ShownWords<'a> {
    /// The words.
    pub words: &'a WordAttributions,
    /// The step of the model, if it is still trained.
    pub step: Option<u64>,
    /// The number of the chosen word.
    pub chosen: Option<usize>,
    /// The word that was put in place of the chosen one.
    pub replaced: Option<&'a Replaced>,
    /// Whether the model is the one that is compared.
    pub is_compared: bool,
    /// The names of its classes.
    pub labels: &'a [String],
}

/// A text and what its styles mean.
pub struct WordLines {
    /// The text, with each word in the color of the class that it leads to. Words are bold if their
    /// contribution is at least half of the largest. Without colors they are marked with `+` and `-`.
    pub text: Vec<Line<'static>>,
    /// What the styles mean, or the probability without the chosen word or with another one in its
    /// place.
    pub summary: Vec<Line<'static>>,
    /// The line of the text in which the chosen word ends.
    pub chosen_line: Option<usize>,
}

/// A text whose words are not known, in lines of at most `width` columns.
pub fn plain(text: &str, width: usize) -> Vec<Line<'static>> {
    let text = sanitize_for_terminal(text);
    wrap(text.graphemes(true).map(|unit| (unit.to_owned(), Style::new())).collect(), width)
}

/// The lines of a text, of at most `width` columns.
pub fn lines(shown: ShownWords<'_>, width: usize, lang: Lang, theme: Theme) -> WordLines {
    let ShownWords { words, chosen, replaced, labels, .. } = shown;
    let largest = words.parts.iter().filter_map(|part| part.contribution).map(f64::abs);
    let largest = largest.fold(NOTICEABLE, f64::max);
    let styles = Styles { class: words.class, classes: labels.len(), theme };
    let (mut units, mut number, mut chosen_part) = (Vec::new(), 0, None);
    let mut chosen_line = None;
    for part in &words.parts {
        let value = part.contribution;
        let contribution = contribution(value, largest);
        let is_chosen = value.is_some() && chosen == Some(number);
        number += usize::from(value.is_some());
        if is_chosen {
            chosen_part = Some(part);
        }
        let mut style = styles.of(contribution);
        if is_chosen {
            style = style.patch(theme.selected());
        }
        let mark = styles.mark(contribution);
        let text = sanitize_for_terminal(&part.text);
        units.extend(mark.into_iter().chain(text.graphemes(true)).map(|g| (g.to_owned(), style)));
        if is_chosen {
            chosen_line = wrap(units.clone(), width).len().checked_sub(1);
        }
    }
    let change = Change { words, labels, is_compared: shown.is_compared, lang };
    let change = match (chosen_part, replaced) {
        (None, _) => None,
        (Some(part), None) if words.integrals.is_some() => Some(change.integrated(part)),
        (Some(part), None) => Some(change.without(part)),
        (Some(part), Some(replaced)) => Some(change.replaced(part, replaced)),
    };
    let mut summary = match change {
        None => vec![styles.legend(words, labels, width, lang)],
        Some(change) => wrapped(&change, width, theme.strong()),
    };
    if let Some(integrals) = &words.integrals {
        let sum = sum_check(words.score, integrals, shown.step, lang);
        summary.extend(wrapped(&sum, width, theme.dim()));
    }
    WordLines { text: wrap(units, width), summary, chosen_line }
}

fn contribution(value: Option<f64>, largest: f64) -> Contribution {
    let Some(value) = value else { return Contribution::None };
    let share = value.abs() / largest;
    let is_strong = share >= SHARES[1];
    match value {
        _ if value.abs() < NOTICEABLE || share < SHARES[0] => Contribution::Slight,
        _ if value > 0.0 => Contribution::Towards { is_strong },
        _ => Contribution::Against { is_strong },
    }
}

/// The sum check of integrated gradients, in percentage points, and the step of the model, which may have
/// been trained since.
fn sum_check(score: f64, integrals: &TokenIntegrals, step: Option<u64>, lang: Lang) -> String {
    let &TokenIntegrals { baseline_score, gap, .. } = integrals;
    let sum = score - baseline_score + gap;
    // A gap that is rounded to zero has no sign.
    let gap = (1e5 * gap).round() / 1e3 + 0.0;
    let gap = if gap == 0.0 { "0".to_owned() } else { format!("{gap:+.3}") };
    let sum = format!("{:+.2}", 100.0 * sum);
    let [score, baseline] = [score, baseline_score].map(|score| format!("{:.2}%", 100.0 * score));
    let step = step.map(|step| format!("{} · ", lang.tr_with("step {0}", &[&step])));
    let values: [&dyn std::fmt::Display; 4] = [&sum, &score, &baseline, &gap];
    let sum = lang.tr_with("sum {0} = {1} − {2} without any word, gap {3}", &values);
    step.unwrap_or_default() + &sum
}

/// The styles of words of one text.
#[derive(Clone, Copy)]
struct Styles {
    class: usize,
    classes: usize,
    theme: Theme,
}

impl Styles {
    fn towards(self) -> Style {
        self.theme.class(self.class)
    }

    /// The other class's or, of several others, a color of its own.
    fn against(self) -> Style {
        match (self.classes, self.class) {
            (2, class) => self.theme.class(1 - class.min(1)),
            _ => self.theme.warning().add_modifier(Modifier::BOLD),
        }
    }

    fn of(self, contribution: Contribution) -> Style {
        let with = |style: Style, is_strong: bool| {
            if is_strong { style } else { style.remove_modifier(Modifier::BOLD) }
        };
        match contribution {
            Contribution::Towards { is_strong } => with(self.towards(), is_strong),
            Contribution::Against { is_strong } => {
                with(self.against(), is_strong).add_modifier(Modifier::UNDERLINED)
            }
            Contribution::Slight => Style::new(),
            Contribution::None => self.theme.dim(),
        }
    }

    /// What precedes a word where there are no colors.
    fn mark(self, contribution: Contribution) -> Option<&'static str> {
        match contribution {
            _ if self.theme.has_colors() => None,
            Contribution::Towards { .. } => Some("+"),
            Contribution::Against { .. } => Some("-"),
            Contribution::Slight | Contribution::None => None,
        }
    }

    /// What the styles mean.
    fn legend(
        self,
        words: &WordAttributions,
        labels: &[String],
        width: usize,
        lang: Lang,
    ) -> Line<'static> {
        let are_together = |part: &TextPart| {
            part.contribution.is_some() && part.text.trim().contains(char::is_whitespace)
        };
        let name = if words.parts.iter().any(are_together) {
            "words, several at once"
        } else {
            words_name(words.method())
        };
        let label = labels.get(self.class).map_or("?", String::as_str);
        let label = truncate_width(label, 20);
        let strong = true;
        let marked = |contribution: Contribution, text: String| {
            let mark = self.mark(contribution).unwrap_or_default();
            Span::styled(format!("{mark}{text}"), self.of(contribution))
        };
        let spans = [
            Span::styled(lang.tr(name).to_owned() + ": ", self.theme.dim()),
            marked(Contribution::Towards { is_strong: strong }, lang.tr_with("for {0}", &[&label])),
            Span::raw(" "),
            marked(Contribution::Against { is_strong: strong }, lang.tr("against").to_owned()),
        ];
        cut(spans, width)
    }
}

/// What a change of one word does to the probability of the predicted class.
#[derive(Clone, Copy)]
struct Change<'a> {
    words: &'a WordAttributions,
    labels: &'a [String],
    is_compared: bool,
    lang: Lang,
}

impl Change<'_> {
    /// The name of the predicted class, the probability before, the one after, and the difference in
    /// percentage points.
    fn values(self, before: f64, probability: f64) -> [String; 4] {
        let label = self.labels.get(self.words.class).map_or("?", String::as_str);
        let percent = |value: f64| format!("{:.2}%", value * 100.0);
        let change = format!("{:+.2}", (probability - before) * 100.0);
        [truncate_width(label, 20), percent(before), percent(probability), change]
    }

    /// The probability with a word masked.
    fn without(self, part: &TextPart) -> String {
        let score = self.words.score;
        let [label, before, after, change] =
            self.values(score, score - part.contribution.unwrap_or(f64::NAN));
        self.lang.tr_with(
            "{0} masked: {1} {2} → {3} ({4})",
            &[&truncate_width(&part.text, 20), &label, &before, &after, &change],
        )
    }

    /// What a word contributes by integrated gradients, in percentage points.
    fn integrated(self, part: &TextPart) -> String {
        let label = self.labels.get(self.words.class).map_or("?", String::as_str);
        let points = format!("{:+.2}", 100.0 * part.contribution.unwrap_or(f64::NAN));
        self.lang.tr_with(
            "{0} contributes {1} points for {2}",
            &[&truncate_width(&part.text, 20), &points, &truncate_width(label, 20)],
        )
    }

    /// The probability with another word.
    fn replaced(self, part: &TextPart, replaced: &Replaced) -> String {
        let lang = self.lang;
        let old = truncate_width(&part.text, 20);
        let new = match replaced.word.trim() {
            "" => lang.tr("(nothing)").to_owned(),
            word => truncate_width(word, 20),
        };
        let own = |prediction| own_prediction(prediction, self.is_compared);
        let prediction = match &replaced.outcome {
            None => return format!("{old} → {new}: {}", lang.tr("predicting …")),
            Some(Err(reason)) => return format!("{old} → {new}: {}", lang.tr_filled(reason)),
            Some(Ok(prediction)) => own(prediction),
        };
        let of_class =
            |prediction: &Prediction| prediction.probabilities.get(self.words.class).copied();
        let label_before = match &replaced.before {
            Some(before) => Some(&own(before).label),
            None => self.labels.get(self.words.class),
        };
        let before = replaced.before.as_ref().and_then(|before| of_class(own(before)));
        let [label, before, after, change] = self
            .values(before.unwrap_or(self.words.score), of_class(prediction).unwrap_or(f64::NAN));
        let text = lang.tr_with(
            "{0} → {1}: {2} {3} → {4} ({5})",
            &[&old, &new, &label, &before, &after, &change],
        );
        let step = replaced.step.map(|step| format!(" · {}", lang.tr_with("step {0}", &[&step])));
        let step = step.unwrap_or_default();
        if label_before == Some(&prediction.label) {
            return text + &step;
        }
        let now = truncate_width(&prediction.label, 20);
        text + &lang.tr_with(", now {0}", &[&now]) + &step
    }
}

/// The prediction of the model, or that of the one that is compared.
fn own_prediction(prediction: &Prediction, is_compared: bool) -> &Prediction {
    match &prediction.compared {
        Some(other) if is_compared => &other.prediction,
        _ => prediction,
    }
}

/// The spans as a line of at most `width` columns.
fn cut<const N: usize>(spans: [Span<'static>; N], width: usize) -> Line<'static> {
    let mut line = Line::default();
    for span in spans {
        let left = width.saturating_sub(line.width());
        if span.width() > left {
            if left > 0 {
                line.push_span(Span::styled(truncate_width(&span.content, left), span.style));
            }
            break;
        }
        line.push_span(span);
    }
    line
}

/// Styled graphemes in lines of at most `width` columns, broken at spaces where there are any. Spaces at
/// the end of a line are left out.
fn wrap(units: Vec<(String, Style)>, width: usize) -> Vec<Line<'static>> {
    let is_space = |unit: &(String, Style)| unit.0.trim().is_empty();
    let mut lines: Vec<Vec<(String, Style)>> = vec![Vec::new()];
    let mut used = 0;
    for unit in units {
        let columns = unit.0.width();
        let last = lines.len() - 1;
        if used + columns > width && !is_space(&unit) {
            // The word that the line ends with moves to the next line, unless it fills the line.
            let at = lines[last].iter().rposition(is_space).map_or(lines[last].len(), |at| at + 1);
            let moved = lines[last].split_off(at);
            used = moved.iter().map(|unit| unit.0.width()).sum();
            lines.push(moved);
        }
        let last = lines.len() - 1;
        if is_space(&unit) && used + columns > width {
            // The line ends with it.
            lines.push(Vec::new());
            used = 0;
            continue;
        }
        if is_space(&unit) && last > 0 && lines[last].is_empty() {
            continue;
        }
        used += columns;
        lines[last].push(unit);
    }
    if lines.len() > 1 && lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines.into_iter().map(joined).collect()
}

/// Graphemes of one style as one span.
fn joined(units: Vec<(String, Style)>) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (text, style) in units {
        match spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(&text),
            _ => spans.push(Span::styled(text, style)),
        }
    }
    Line::from(spans)
}

#[cfg(test)]
#[path = "attribution_tests.rs"]
pub(super) mod tests;
