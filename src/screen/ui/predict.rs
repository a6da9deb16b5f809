//! The predict page: a text field, the latest prediction, and the earlier ones.

mod answer;
mod companion;
mod field;
mod history;
mod ranking;
mod room;
mod tokens;

use super::attribution::{self, ShownWords, WordLines};
use super::theme::Theme;
use super::widgets::{titled_block, with_note, wrapped};
use crate::core::attribution::ExplainMethod;
use crate::core::predict::Prediction;
use crate::core::text::{display_path, truncate_width};
use crate::run::protocol::Answer;
use crate::screen::app::prompt::PromptAction;
use crate::screen::app::words::WordsAction;
use crate::screen::app::{Action, FrameLayout, State};
use crate::screen::keymap::BINDINGS;
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};
use std::path::Path;

/// The rows of the page from which the parts of a page without borders have titles.
const MIN_TITLES: u16 = 10;

/// The fewest rows of a list of words that does not have all of them.
const MIN_RANKING: usize = 4;

/// Draws the page.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme, layout: &mut FrameLayout) {
    let field = field::height(area, state, theme);
    let answer = room::answer_height(area, area.height.saturating_sub(field), state, theme);
    let [input, answer, history] =
        Layout::vertical([Constraint::Length(field), Constraint::Max(answer), Constraint::Fill(1)])
            .areas(area);
    layout.prompt_columns = Some(match state.words.typed() {
        Some((word, typed)) => field::draw_word(frame, input, word, typed, state, theme),
        None => field::draw(frame, input, state, theme),
    });
    let has_titles = !theme.is_frameless() || area.height >= MIN_TITLES;
    let is_roomy = room::is_roomy(area, theme);
    draw_answers(frame, answer, state, (has_titles, is_roomy), theme);
    let (history, rest) = room::below_history(area, history, state, theme);
    history::draw(frame, history, state, theme);
    if let Some(rest) = rest {
        companion::draw(frame, rest, state, theme, layout);
    }
}

/// The names of the classes of the model.
fn labels(state: &State) -> &[String] {
    state.started.as_ref().map_or(&[], |started| &started.labels)
}

/// The name of the model that is compared, if there is one.
fn compared_name(state: &State) -> Option<&str> {
    state.asked_model.as_ref()?.compared.as_deref()
}

/// What is shown of an answer.
#[derive(Clone, Copy)]
struct AnswerView<'a> {
    state: &'a State,
    /// Whether it is that of the compared model.
    is_compared: bool,
    /// The columns.
    width: usize,
    /// Whether there is room for larger bars, more classes and empty lines between the parts.
    is_roomy: bool,
    theme: Theme,
}

/// Draws the answer about the text being typed, or else the latest one; beside it, or below it on a
/// small screen, that of the model which is compared; or the list of words.
fn draw_answers(
    frame: &mut Frame,
    area: Rect,
    state: &State,
    (has_titles, is_roomy): (bool, bool),
    theme: Theme,
) {
    let lang = state.lang;
    let block = |title: &str| {
        if has_titles { titled_block(theme, title) } else { Block::new() }
    };
    let view = |is_compared, area: Rect| {
        let width = usize::from(block("").inner(area).width);
        AnswerView { state, is_compared, width, is_roomy, theme }
    };
    let Some(compared) = compared_name(state) else {
        let (area, words) = room::beside(area, is_roomy && has_words(state));
        let mut own = block(&prediction_title(state));
        if has_titles {
            own = with_answer_note(own, state, theme);
        }
        let rows = usize::from(own.inner(area).height);
        let lines = answer_lines(view(false, area));
        let lines =
            if words.is_some() { lines.scrolled(rows) } else { lines.in_rows(rows, lang, theme) };
        frame.render_widget(Paragraph::new(lines).block(own), area);
        if let Some(area) = words {
            let method = lang.tr(attribution::method_name(state.words.method()));
            let title = lang.tr_with("words · {0}", &[&method]);
            let block = with_method_note(block(&title), state, theme);
            let rows = usize::from(block.inner(area).height);
            let mut lines = answer_lines(view(false, area)).ranking;
            if lines.is_empty() {
                lines.push(Line::styled("…", theme.dim()));
            }
            let lines = ranking::cut(lines, rows, lang, theme);
            frame.render_widget(Paragraph::new(lines).block(block), area);
        }
        return;
    };
    let first = state.asked_model.as_ref().map_or("", |asked| asked.name.as_str());
    let shown = |name: &str, columns: u16| {
        let columns = usize::from(columns).saturating_sub(6);
        truncate_width(&display_path(Path::new(name)), columns)
    };
    if theme.is_frameless() {
        let models = [(first, false), (compared, true)];
        let answers = models.map(|(_, is_compared)| answer_lines(view(is_compared, area)));
        let needed: usize = answers.iter().map(|answer| 1 + answer.numbers.len()).sum();
        // Where there is too little room, the labels alone.
        let most = if needed > usize::from(area.height) { 1 } else { usize::MAX };
        let (mut lines, mut rest) = (Vec::new(), Vec::new());
        for ((name, _), answer) in models.into_iter().zip(answers) {
            lines.push(Line::styled(shown(name, area.width), theme.dim()));
            lines.extend(answer.numbers.into_iter().take(most));
            rest.extend(answer.words);
        }
        lines.append(&mut rest);
        return frame.render_widget(Paragraph::new(lines), area);
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    for (name, area, is_compared) in [(first, left, false), (compared, right, true)] {
        let mut block = block(&shown(name, area.width));
        if !is_compared {
            block = with_answer_note(block, state, theme);
        }
        let rows = usize::from(block.inner(area).height);
        let lines = answer_lines(view(is_compared, area)).in_rows(rows, lang, theme);
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }
}

/// The title of the answer: of one by a model that is still being trained, with its step.
fn prediction_title(state: &State) -> String {
    let lang = state.lang;
    match state.prompt.shown_answer().and_then(|answer| answer.step) {
        Some(step) => format!("{} · {}", lang.tr("prediction"), lang.tr_with("step {0}", &[&step])),
        None => lang.tr("prediction").to_owned(),
    }
}

/// The block with a note on what can be done with the answer.
fn with_answer_note<'a>(block: Block<'a>, state: &State, theme: Theme) -> Block<'a> {
    let prompt = &state.prompt;
    if prompt.live_answer().is_some() {
        let is_outdated = state.shows_outdated();
        let note = if is_outdated { " predicting … " } else { " Enter keeps the answer " };
        return with_note(block, state.lang.tr(note), theme);
    }
    let awaits = prompt.pending > 0 || prompt.awaits_live();
    let is_answered = prompt.answers.first().is_some_and(|answer| answer.outcome.is_ok());
    match key_of(Action::Prompt(PromptAction::Copy)).filter(|_| is_answered && !awaits) {
        Some(key) => {
            let note = state.lang.tr_with(" {0} copies ", &[&theme.keys(&key)]);
            with_note(block, note, theme)
        }
        None => block,
    }
}

/// The list of words with a note on the other method of finding them.
fn with_method_note<'a>(block: Block<'a>, state: &State, theme: Theme) -> Block<'a> {
    let Some(key) = key_of(Action::Words(WordsAction::SwitchMethod)) else { return block };
    let note = match state.words.method() {
        ExplainMethod::Occlusion => " {0}: integrated gradients ",
        ExplainMethod::IntegratedGradients => " {0}: occlusion ",
    };
    with_note(block, state.lang.tr_with(note, &[&theme.keys(&key)]), theme)
}

/// The name of the key of an action.
fn key_of(action: Action) -> Option<String> {
    let binding = BINDINGS.iter().find(|binding| binding.action == action)?;
    binding.keys.first().map(|key| key.name())
}

/// The lines of an answer.
#[derive(Default)]
struct AnswerLines {
    /// The label and the probabilities.
    numbers: Vec<Line<'static>>,
    /// The text with its words.
    words: Vec<Line<'static>>,
    /// The line of `words` with which the text begins, and that of the chosen word.
    text: usize,
    chosen: Option<usize>,
    tokens: Vec<Line<'static>>,
    /// The words by what they contribute, below a line that says what the numbers are.
    ranking: Vec<Line<'static>>,
    /// Whether empty lines separate the parts.
    is_spaced: bool,
}

impl AnswerLines {
    fn only(numbers: Vec<Line<'static>>) -> Self {
        Self { numbers, ..Self::default() }
    }

    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Line<'static>> {
        let Self { numbers, words, tokens, ranking, .. } = self;
        [numbers, words, tokens, ranking].into_iter().flatten()
    }

    /// All but the list of words.
    fn all(&self) -> Vec<Line<'static>> {
        let parts = [&self.numbers, &self.words, &self.tokens];
        let mut lines: Vec<Line<'static>> = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            if self.is_spaced && !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.extend_from_slice(part);
        }
        lines
    }

    /// [`Self::all`] in so many rows: the first lines of the text are left out if the chosen word would be
    /// below the last row.
    fn scrolled(&self, rows: usize) -> Vec<Line<'static>> {
        let mut lines = self.all();
        let Some(chosen) = self.chosen else { return lines };
        let above = self.numbers.len() + usize::from(self.is_spaced && !self.numbers.is_empty());
        let hidden = (above + chosen + 1).saturating_sub(rows).min(chosen - self.text);
        lines.drain(above + self.text..above + self.text + hidden);
        lines
    }

    /// All, with as much of the list of words as these rows have room for, if that is worth it.
    fn in_rows(self, rows: usize, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
        let mut lines = self.scrolled(rows);
        let left = rows.saturating_sub(lines.len() + 1);
        if left >= MIN_RANKING.min(self.ranking.len()) && !self.ranking.is_empty() {
            lines.push(Line::default());
            lines.extend(ranking::cut(self.ranking, left, lang, theme));
        }
        lines
    }
}

/// The lines of the shown answer, or a hint while there is none.
fn answer_lines(view: AnswerView) -> AnswerLines {
    let AnswerView { state, theme, .. } = view;
    let prompt = &state.prompt;
    let hint =
        |text| AnswerLines::only(vec![Line::styled(state.lang.tr(text).to_owned(), theme.dim())]);
    match (prompt.live_answer(), prompt.answers.first()) {
        (Some((answer, _)), _) => {
            let mut lines = lines_of(answer, view);
            if state.shows_outdated() {
                lines.parts_mut().for_each(|line| dim(line, theme));
            }
            lines
        }
        _ if prompt.pending > 0 || prompt.awaits_live() => hint("predicting …"),
        (None, None) if state.is_pretraining() => {
            hint("a pretrained model does not classify texts")
        }
        (None, None) => match field::model_note(state).filter(|_| theme.is_frameless()) {
            // A field without a border has no room for it.
            Some(note) => {
                AnswerLines::only(vec![Line::styled(note.trim().to_owned(), theme.dim())])
            }
            None => hint("Label and probabilities of the text, and its tokens."),
        },
        (None, Some(answer)) => lines_of(answer, view),
    }
}

/// Shows a line as out of date.
fn dim(line: &mut Line, theme: Theme) {
    line.style = Style::default();
    line.spans.iter_mut().for_each(|span| span.style = theme.dim());
}

fn lines_of(answer: &Answer, view: AnswerView) -> AnswerLines {
    let AnswerView { state, is_compared, width, is_roomy, theme } = view;
    let (lang, own) = (state.lang, labels(state));
    let prediction = match &answer.outcome {
        Err(reason) => {
            let reason = truncate_width(&lang.tr_filled(reason), 4 * width);
            return AnswerLines::only(wrapped(&reason, width, theme.error()));
        }
        Ok(prediction) => prediction,
    };
    let (shown, labels): (&Prediction, &[String]) = match &prediction.compared {
        Some(other) if is_compared => (&other.prediction, &other.labels),
        _ => (prediction, own),
    };
    let words = shown_words(answer, labels, view);
    let tokens = tokens::lines(shown, words.as_ref(), width, theme);
    let ranking = words.as_ref().map(|words| ranking::lines(words, width, lang, theme));
    let WordLines { text, summary, chosen_line } = word_lines(answer, words, view);
    let mut numbers = answer::numbers(shown, labels, (width, is_roomy), lang, theme);
    let is_untrained = state.asked_model.as_ref().is_some_and(|asked| asked.is_untrained);
    if let (true, true, Some(note)) = (is_untrained, theme.is_frameless(), field::model_note(state))
    {
        // A field without a border has no room for it.
        numbers.splice(0..0, wrapped(note.trim(), width, theme.warning()));
    }
    AnswerLines {
        numbers,
        text: summary.len(),
        chosen: chosen_line.map(|line| summary.len() + line),
        words: [summary, text].concat(),
        tokens,
        ranking: ranking.unwrap_or_default(),
        is_spaced: is_roomy,
    }
}

/// The words of an answer, if they are shown and known.
fn shown_words<'a>(
    answer: &Answer,
    labels: &'a [String],
    view: AnswerView<'a>,
) -> Option<ShownWords<'a>> {
    let AnswerView { state, is_compared, .. } = view;
    let words = &state.words;
    let known = if is_compared { words.of_compared(&answer.text) } else { words.of(&answer.text) };
    let (known, chosen) = known?;
    let (step, replaced) = (words.step(), words.replaced());
    Some(ShownWords { words: known, step, chosen, replaced, is_compared, labels })
}

/// The text of an answer with the words that lead to its class, as far as they are known.
fn word_lines(answer: &Answer, shown: Option<ShownWords<'_>>, view: AnswerView) -> WordLines {
    let AnswerView { state, width, theme, .. } = view;
    let words = &state.words;
    if let Some(shown) = shown {
        return attribution::lines(shown, width, state.lang, theme);
    }
    let text = attribution::plain(&answer.text, width);
    // The line is there before the words are known, so that nothing moves when they are.
    let summary = match words.failure_of(&answer.text) {
        Some(reason) => truncate_width(&state.lang.tr_filled(reason), width),
        None => format!("{}: …", state.lang.tr(attribution::words_name(words.method()))),
    };
    let is_expected = words.are_shown() && !state.is_pretraining();
    let summary = is_expected.then(|| Line::styled(summary, theme.dim()));
    WordLines { text, summary: summary.into_iter().collect(), chosen_line: None }
}

/// Whether there is an answer whose words are shown or awaited.
fn has_words(state: &State) -> bool {
    let prompt = &state.prompt;
    let shown = match (prompt.live_answer(), prompt.answers.first()) {
        (Some((answer, _)), _) => Some(answer),
        _ if prompt.pending > 0 || prompt.awaits_live() => None,
        (None, latest) => latest,
    };
    state.words.are_shown() && shown.is_some_and(|answer| answer.outcome.is_ok())
}
