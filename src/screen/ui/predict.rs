//! The predict page: a text field, the latest prediction, and the earlier ones.

use super::attribution;
use super::theme::Theme;
use super::widgets::bar::bar;
use super::widgets::text_field::TextField;
use super::widgets::{border_note, titled_block};
use crate::core::predict::Prediction;
use crate::core::text::{align_left, truncate_width};
use crate::run::protocol::Answer;
use crate::screen::app::State;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The maximum number of classes shown for a prediction.
const MAX_CLASSES: usize = 3;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let answer = if area.height >= 24 { 12 } else { 9 };
    let [input, answer, history] =
        Layout::vertical([Constraint::Length(3), Constraint::Length(answer), Constraint::Fill(1)])
            .areas(area);
    draw_input(frame, input, state, theme);
    draw_answer(frame, answer, state, theme);
    draw_history(frame, history, state, theme);
}

fn draw_input(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let lang = state.lang;
    let mut block = titled_block(theme, lang.tr("text"));
    let note = if state.is_opened() {
        let note = if state.saved.is_some() {
            " answers with the saved model, on the CPU "
        } else {
            " this run has not saved a model "
        };
        Some(lang.tr(note).to_owned())
    } else if state.replay.is_some() {
        Some(lang.tr(" a replay has no model ").to_owned())
    } else if state.started.is_none() {
        Some(lang.tr(" available once the model is loaded ").to_owned())
    } else if state.is_running() {
        Some(lang.tr_with(" predicts with the model at step {0} ", &[&state.steps_done()]))
    } else {
        None
    };
    if let Some(note) = note {
        block = block.title_bottom(border_note(note, theme));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let placeholder = if state.reads_pairs() {
        lang.tr("type two texts with ||| between them and press Enter")
    } else {
        lang.tr("type a review and press Enter")
    };
    let field = TextField {
        prefix: "> ",
        input: &state.prompt.input,
        placeholder,
        focused: state.overlay.is_none(),
    };
    field.draw(frame, inner, theme);
}

fn draw_answer(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let block = titled_block(theme, state.lang.tr("prediction"));
    let width = usize::from(block.inner(area).width);
    let hint = |text| vec![Line::styled(state.lang.tr(text), theme.dim())];
    let lines = match state.prompt.answers.first() {
        _ if state.prompt.pending > 0 => hint("predicting …"),
        None if state.is_pretraining() => hint("a pretrained model does not classify texts"),
        None => hint("Label and probabilities of the text, and its tokens."),
        Some(answer) => answer_lines(answer, state, width, theme),
    };
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn answer_lines(answer: &Answer, state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let labels = state.started.as_ref().map_or(&[][..], |s| &s.labels[..]);
    let mut lines = match state.words.of(&answer.text) {
        Some((words, chosen)) => {
            attribution::lines(words, chosen, labels, width, (state.lang, theme))
        }
        None => vec![Line::from(truncate_width(&answer.text, width))],
    };
    match &answer.outcome {
        Err(reason) => {
            lines.push(Line::styled(truncate_width(reason, width), theme.error()));
        }
        Ok(prediction) => {
            // If there are too many classes, the most probable ones are shown, in order of
            // probability.
            let mut classes: Vec<usize> = (0..prediction.probabilities.len()).collect();
            if classes.len() > MAX_CLASSES {
                classes.sort_by(|&a, &b| {
                    prediction.probabilities[b].total_cmp(&prediction.probabilities[a])
                });
            }
            for class in classes.into_iter().take(MAX_CLASSES) {
                let name = labels.get(class).map_or("?", String::as_str);
                let probability = prediction.probabilities[class];
                lines.push(probability_line(name, class, probability, prediction, width, theme));
            }
            if prediction.has_many_unknown() {
                let counts = prediction.unknown_tokens();
                let warning = state.lang.tr_with(
                    "{0} of {1} tokens are not in the vocabulary",
                    &[&counts.unknown, &counts.tokens],
                );
                lines.push(Line::styled(truncate_width(&warning, width), theme.warning()));
            }
            lines.extend(token_lines(prediction, width, state.lang, theme));
        }
    }
    lines
}

fn probability_line(
    name: &str,
    class: usize,
    probability: f64,
    prediction: &Prediction,
    width: usize,
    theme: Theme,
) -> Line<'static> {
    let chosen = prediction.label == name;
    let style = if chosen { theme.class(class) } else { theme.dim() };
    let mark = if chosen { "▶ " } else { "  " };
    let cells = width.saturating_sub(2 + 12 + 8).min(60);
    let mut spans = vec![Span::styled(mark, style), Span::styled(align_left(name, 12), style)];
    spans.extend(bar(probability, cells, theme));
    spans.push(Span::styled(format!(" {:>6.2}%", probability * 100.0), style));
    Line::from(spans)
}

/// The tokens, in lines of at most `width` columns; `[UNK]` is highlighted, special tokens are dim.
/// (`Paragraph`'s own wrapping lets a wide character exceed the width by a column.)
fn token_lines(
    prediction: &Prediction,
    width: usize,
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let unknown = theme.error().patch(theme.selected());
    let mut spans: Vec<Span> = Vec::new();
    for token in &prediction.tokens {
        let style = match token.as_str() {
            "[UNK]" => unknown,
            "[CLS]" | "[SEP]" => theme.dim(),
            _ => theme.train(),
        };
        spans.push(Span::styled(truncate_width(token, width), style));
    }
    if prediction.truncated {
        spans.push(Span::styled(lang.tr("(truncated)").to_owned(), theme.warning()));
    }
    let mut lines = vec![Line::default()];
    for span in spans {
        let last = lines.len() - 1;
        let used = lines[last].width();
        if used > 0 && used + 1 + span.width() > width {
            lines.push(Line::from(span));
        } else {
            if used > 0 {
                lines[last].push_span(Span::raw(" "));
            }
            lines[last].push_span(span);
        }
    }
    lines
}

fn draw_history(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let block = titled_block(theme, state.lang.tr("history"));
    let inner = block.inner(area);
    let labels = state.started.as_ref().map_or(&[][..], |s| &s.labels[..]);
    // The latest one is shown above, unless a newer one is awaited.
    let skipped = usize::from(state.prompt.pending == 0);
    let lines: Vec<Line> = state
        .prompt
        .answers
        .iter()
        .skip(skipped)
        .take(usize::from(inner.height))
        .map(|answer| {
            let (label, score, style) = match &answer.outcome {
                Ok(prediction) => {
                    let class = labels.iter().position(|l| *l == prediction.label);
                    let score = format!("{:>6.2}%", prediction.score * 100.0);
                    (prediction.label.clone(), score, theme.class(class.unwrap_or(2)))
                }
                Err(_) => (state.lang.tr("error").to_owned(), " ".repeat(7), theme.error()),
            };
            let width = usize::from(inner.width).saturating_sub(21);
            Line::from(vec![
                Span::styled(align_left(&label, 10), style),
                Span::styled(format!(" {score}  "), theme.dim()),
                Span::raw(truncate_width(&answer.text, width)),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
