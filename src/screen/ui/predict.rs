//! The predict page: a text field, the latest prediction, and the earlier ones.

mod answer;
mod field;

use super::attribution;
use super::theme::Theme;
use super::widgets::{border_note, titled_block};
use crate::core::predict::Prediction;
use crate::core::text::{align_left, display_path, truncate_width};
use crate::run::protocol::Answer;
use crate::screen::app::prompt::PromptAction;
use crate::screen::app::{Action, FrameLayout, State};
use crate::screen::keymap::BINDINGS;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use std::path::Path;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let answer = if area.height >= 24 { 12 } else { 9 };
    let field = field::height(area, state);
    let [input, answer, history] =
        Layout::vertical([Constraint::Length(field), Constraint::Max(answer), Constraint::Fill(1)])
            .areas(area);
    layout.prompt_columns = Some(match state.words.typed() {
        Some((word, typed)) => field::draw_word(frame, input, word, typed, state, theme),
        None => field::draw(frame, input, state, theme),
    });
    draw_answer(frame, answer, state, theme);
    draw_history(frame, history, state, theme);
}

/// The names of the classes of the model.
fn labels(state: &State) -> &[String] {
    state.started.as_ref().map_or(&[], |started| &started.labels)
}

/// Draws the answer about the text being typed, or else the latest one; beside it that of the model
/// which is compared.
fn draw_answer(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let Some(asked) = state.asked_model.as_ref().filter(|asked| asked.compared.is_some()) else {
        return draw_prediction(frame, area, state, state.lang.tr("prediction"), false, theme);
    };
    let halves = [Constraint::Fill(1); 2];
    let [left, right] = Layout::horizontal(halves).areas(area);
    let name = |name: &str| {
        let name = display_path(Path::new(name));
        truncate_width(&name, usize::from(left.width.saturating_sub(6)))
    };
    draw_prediction(frame, left, state, &name(&asked.name), false, theme);
    let compared = asked.compared.as_deref().unwrap_or_default();
    draw_prediction(frame, right, state, &name(compared), true, theme);
}

fn draw_prediction(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    title: &str,
    is_compared: bool,
    theme: Theme,
) {
    let mut block = titled_block(theme, title);
    let width = usize::from(block.inner(area).width);
    let prompt = &state.prompt;
    let hint = |text| vec![Line::styled(state.lang.tr(text).to_owned(), theme.dim())];
    let live = prompt.live_answer();
    let lines = match (live, prompt.answers.first()) {
        (Some((answer, is_current)), _) => {
            let note = if is_current { " Enter keeps the answer " } else { " predicting … " };
            block = block.title_bottom(border_note(state.lang.tr(note).to_owned(), theme));
            let mut lines = answer_lines(answer, state, width, is_compared, theme);
            if !is_current {
                for line in &mut lines {
                    dim(line, theme);
                }
            }
            lines
        }
        _ if prompt.pending > 0 || prompt.awaits_live() => hint("predicting …"),
        (None, None) if state.is_pretraining() => {
            hint("a pretrained model does not classify texts")
        }
        (None, None) => hint("Label and probabilities of the text, and its tokens."),
        (None, Some(answer)) => {
            if let Some(key) = copy_key().filter(|_| answer.outcome.is_ok() && !is_compared) {
                let note = state.lang.tr_with(" {0} copies ", &[&theme.keys(&key)]);
                block = block.title_bottom(border_note(note, theme));
            }
            // The words of the text that lead to the class, if they are known.
            let mut lines = match state.words.of(&answer.text).filter(|_| !is_compared) {
                Some((words, chosen)) => {
                    let chosen = (chosen, state.words.replaced());
                    attribution::lines(words, chosen, labels(state), width, (state.lang, theme))
                }
                None => vec![Line::from(truncate_width(&answer.text, width))],
            };
            lines.extend(answer_lines(answer, state, width, is_compared, theme));
            lines
        }
    };
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The name of the key that copies the answer.
fn copy_key() -> Option<String> {
    let copy = Action::Prompt(PromptAction::Copy);
    let binding = BINDINGS.iter().find(|binding| binding.action == copy)?;
    binding.keys.first().map(|key| key.name())
}

/// Shows a line as out of date.
fn dim(line: &mut Line, theme: Theme) {
    line.style = Style::default();
    line.spans.iter_mut().for_each(|span| span.style = theme.dim());
}

fn answer_lines(
    answer: &Answer,
    state: &State,
    width: usize,
    is_compared: bool,
    theme: Theme,
) -> Vec<Line<'static>> {
    match &answer.outcome {
        Err(reason) => {
            vec![Line::styled(truncate_width(&state.lang.tr_filled(reason), width), theme.error())]
        }
        Ok(prediction) if is_compared => {
            prediction.compared.as_ref().map_or_else(Vec::new, |other| {
                answer::lines(&other.prediction, &other.labels, width, state.lang, theme)
            })
        }
        Ok(prediction) => answer::lines(prediction, labels(state), width, state.lang, theme),
    }
}

fn draw_history(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let block = titled_block(theme, state.lang.tr("history"));
    let inner = block.inner(area);
    let prompt = &state.prompt;
    // The latest one is shown above, unless a newer one is awaited or shown.
    let is_shown_above =
        prompt.pending == 0 && prompt.live_answer().is_none() && !prompt.awaits_live();
    let lines: Vec<Line> = prompt
        .answers
        .iter()
        .skip(usize::from(is_shown_above))
        .take(usize::from(inner.height))
        .map(|answer| history_line(answer, state, usize::from(inner.width), theme))
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn history_line(answer: &Answer, state: &State, width: usize, theme: Theme) -> Line<'static> {
    let column = |prediction: &Prediction, labels: &[String]| {
        let class = labels.iter().position(|label| *label == prediction.label);
        let style = theme.class(class.unwrap_or(2));
        [
            Span::styled(align_left(&prediction.label, 10), style),
            Span::styled(format!(" {:>6.2}%  ", prediction.score * 100.0), theme.dim()),
        ]
    };
    let mut spans = Vec::new();
    if let Ok(prediction) = &answer.outcome {
        spans.extend(column(prediction, labels(state)));
        if let Some(other) = &prediction.compared {
            spans.extend(column(&other.prediction, &other.labels));
        }
    } else {
        let error = align_left(state.lang.tr("error"), 10);
        spans.extend([Span::styled(error, theme.error()), Span::raw(" ".repeat(10))]);
    }
    let used: usize = spans.iter().map(Span::width).sum();
    // One column remains free at the end.
    let text = truncate_width(&answer.text, width.saturating_sub(used + 1));
    spans.push(Span::raw(text));
    Line::from(spans)
}
