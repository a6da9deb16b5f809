//! The predict pane: a line to type in, the latest answer, and the earlier ones.

use super::bars::bar;
use super::panel;
use super::theme::Theme;
use crate::core::predict::Prediction;
use crate::core::text::{align_left, truncate_width};
use crate::run::protocol::Answer;
use crate::screen::app::State;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

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
    let mut block = panel(theme, state.lang.tr("sentence"));
    if state.replay.is_some() {
        let hint = Line::styled(state.lang.tr(" a replay has no model to ask "), theme.dim());
        block = block.title_bottom(hint.right_aligned());
    } else if state.started.is_none() {
        let hint = state.lang.tr(" answers come once the model is loaded ");
        let hint = Line::styled(hint, theme.dim());
        block = block.title_bottom(hint.right_aligned());
    } else if state.is_running() {
        let step = state.steps_done();
        let hint = state.lang.fill(" asks the model as it is now, at step {0} ", &[&step]);
        block = block.title_bottom(Line::styled(hint, theme.dim()).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let prefix = "> ";
    let (shown, caret) = state.prompt.view(usize::from(inner.width).saturating_sub(prefix.len()));
    let text = if state.prompt.input.value().is_empty() {
        Span::styled(state.lang.tr("type a review and press Enter"), theme.dim())
    } else {
        Span::raw(shown)
    };
    let line = Line::from(vec![Span::styled(prefix, theme.train()), text]);
    frame.render_widget(Paragraph::new(line), inner);
    if state.overlay.is_none() {
        // The real cursor, so that an input method composes in the right place.
        let x = inner.x + prefix.len() as u16 + caret as u16;
        let x = x.min(inner.right().saturating_sub(1));
        frame.set_cursor_position(Position::new(x, inner.y));
    }
}

fn draw_answer(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let block = panel(theme, state.lang.tr("answer"));
    let inner = block.inner(area);
    let lines = if state.prompt.waiting > 0 {
        vec![Line::styled(state.lang.tr("asking …"), theme.dim())]
    } else {
        match state.prompt.answers.first() {
            None => {
                let what = "Label and probabilities of the sentence, and the pieces the model saw.";
                vec![Line::styled(state.lang.tr(what), theme.dim())]
            }
            Some(answer) => answer_lines(answer, state, usize::from(inner.width), theme),
        }
    };
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// How many classes are shown of an answer.
const SHOWN: usize = 3;

fn answer_lines(answer: &Answer, state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(truncate_width(&answer.text, width))];
    match &answer.outcome {
        Err(reason) => {
            lines.push(Line::styled(truncate_width(reason, width), theme.error()));
        }
        Ok(prediction) => {
            let labels = state.started.as_ref().map_or(&[][..], |s| &s.labels[..]);
            // Of many classes the most probable ones; of few, each always in its place.
            let mut classes: Vec<usize> = (0..prediction.probabilities.len()).collect();
            if classes.len() > SHOWN {
                classes.sort_by(|&a, &b| {
                    prediction.probabilities[b].total_cmp(&prediction.probabilities[a])
                });
            }
            for class in classes.into_iter().take(SHOWN) {
                let name = labels.get(class).map_or("?", String::as_str);
                let probability = prediction.probabilities[class];
                lines.push(probability_line(name, class, probability, prediction, width, theme));
            }
            lines.extend(pieces_lines(prediction, width, state.lang, theme));
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

/// The pieces, in lines of at most `width` columns; `[UNK]` stands out, special ones stand back.
///
/// ratatui's own wrapping lets a wide character reach a column too far.
fn pieces_lines(
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
        spans.push(Span::styled(lang.tr("(the end was cut off)").to_owned(), theme.warning()));
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
    let block = panel(theme, state.lang.tr("earlier"));
    let inner = block.inner(area);
    let labels = state.started.as_ref().map_or(&[][..], |s| &s.labels[..]);
    let earlier = usize::from(state.prompt.waiting == 0);
    let lines: Vec<Line> = state
        .prompt
        .answers
        .iter()
        .skip(earlier)
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
            let room = usize::from(inner.width).saturating_sub(21);
            Line::from(vec![
                Span::styled(align_left(&label, 10), style),
                Span::styled(format!(" {score}  "), theme.dim()),
                Span::raw(truncate_width(&answer.text, room)),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
