//! The result of a run that has ended, instead of its progress.

use super::theme::Theme;
use super::widgets::{border_note, titled_block};
use crate::core::text::{align_left, truncate_width, wrap_width};
use crate::run::command_line::shell_word;
use crate::screen::app::State;
use crate::screen::app::log::Level;
use crate::screen::app::result_card::{NextCommand, ResultCard, ResultFact};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

/// Columns of the names of the lines.
const NAME: usize = 10;

/// What is between the facts of a line.
const SEPARATOR: &str = " · ";

/// The most lines of the verdict.
const VERDICT_LINES: usize = 3;

/// The rows that all of the card needs in so many columns, with its border.
pub(super) fn height(card: &ResultCard, width: u16) -> u16 {
    (card.facts.len() + card.commands.len()).min(8) as u16 + 2 + more_lines(card, width)
}

/// The rows that the verdict needs beside its first one in so many columns, with the border.
pub(super) fn more_lines(card: &ResultCard, width: u16) -> u16 {
    let width = usize::from(width.saturating_sub(2));
    let verdict = card.facts.iter().find(|fact| fact.name == VERDICT);
    verdict.map_or(0, |fact| fact_height(&[fact], width) as u16 - 1)
}

/// The name of the fact that may have several lines.
const VERDICT: &str = "verdict";

/// The lines of a row of facts.
fn fact_height(row: &[&ResultFact], width: usize) -> usize {
    match row {
        [fact] if fact.name == VERDICT => {
            let available = width.saturating_sub(NAME).max(1);
            wrap_width(&fact.text, available).len().clamp(1, VERDICT_LINES)
        }
        _ => 1,
    }
}

/// Draws the card, with a note in its border.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    card: &ResultCard,
    state: &State,
    theme: Theme,
    note: &str,
) {
    let mut block = titled_block(theme, state.lang.tr("result"));
    if !note.is_empty() {
        block = block.title(border_note(format!(" {note} "), theme));
    }
    let inner = block.inner(area);
    let size = (usize::from(inner.width), usize::from(inner.height));
    frame.render_widget(Paragraph::new(lines(card, size, state.lang, theme)).block(block), area);
}

/// The card in at most `rows` lines, of which the last one is a command. Where there are too few, lines
/// are joined and abbreviated; the verdict is the first to be left out.
pub(super) fn lines(
    card: &ResultCard,
    (width, rows): (usize, usize),
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let least_commands = card.commands.len().min(1);
    let joined = JOINED.iter().map(|joined| rows_of(card, joined));
    let without_verdict = rows_of(card, JOINED[JOINED.len() - 1]).into_iter();
    let without_verdict: Vec<Row> =
        without_verdict.filter(|row| row.iter().all(|fact| fact.name != VERDICT)).collect();
    let all: Vec<Vec<Row>> = joined.chain([without_verdict.clone()]).collect();
    let lines_of = |facts: &[Row]| facts.iter().map(|row| fact_height(row, width)).sum::<usize>();
    let whole = all[..JOINED.len() - 1].iter().find(|all| lines_of(all) + least_commands <= rows);
    let is_whole = whole.is_some();
    let fitting = all.iter().find(|facts| facts.len() + least_commands <= rows);
    let facts = whole.or(fitting).unwrap_or(&without_verdict);
    let used = if is_whole { lines_of(facts) } else { facts.len() };
    let commands = rows.saturating_sub(used).max(least_commands.min(rows / 2));
    let mut lines: Vec<Line> = Vec::new();
    for row in facts.iter().take(rows.saturating_sub(commands.min(least_commands))) {
        match row[..] {
            [fact] if is_whole && fact_height(row, width) > 1 => {
                lines.extend(wrapped_fact(fact, width, lang, theme));
            }
            _ => lines.push(fact_line(row, width, lang, theme)),
        }
    }
    for command in card.commands.iter().take(commands) {
        lines.push(command_line(command, width, lang, theme));
    }
    lines
}

/// The facts of a line.
type Row<'a> = Vec<&'a ResultFact>;

/// What may share a line, the most roomy arrangement first.
const JOINED: [&[&str]; 3] = [&[], &["time", "files"], &["best", "time", "files"]];

/// The facts by line; those named share the line of the first of them.
fn rows_of<'a>(card: &'a ResultCard, joined: &[&str]) -> Vec<Row<'a>> {
    let mut rows: Vec<Row> = Vec::new();
    for fact in &card.facts {
        let shares = joined.contains(&fact.name);
        let row = rows.iter_mut().find(|row| shares && joined.contains(&row[0].name));
        match row {
            Some(row) => row.push(fact),
            None => rows.push(vec![fact]),
        }
    }
    rows
}

/// The facts of a line with the name of the first; abbreviated if they are too long.
fn fact_line(row: &Row, width: usize, lang: Lang, theme: Theme) -> Line<'static> {
    let available = width.saturating_sub(NAME);
    let full: Vec<&str> = row.iter().map(|fact| fact.text.as_str()).collect();
    let is_cut = full.join(SEPARATOR).width() > available;
    let mut spans = Vec::new();
    for (index, fact) in row.iter().enumerate() {
        let text = fact.short.as_ref().filter(|_| is_cut).unwrap_or(&fact.text);
        if index > 0 {
            spans.push(Span::styled(SEPARATOR, theme.dim()));
        }
        let used: usize = spans.iter().map(Span::width).sum();
        let text = truncate_width(text, available.saturating_sub(used));
        spans.push(Span::styled(text, level_style(fact.level, theme)));
    }
    let name = row.first().map_or("", |fact| fact.name);
    spans.insert(0, Span::styled(align_left(lang.tr(name), NAME), theme.dim()));
    Line::from(spans)
}

/// A fact in several lines.
fn wrapped_fact(fact: &ResultFact, width: usize, lang: Lang, theme: Theme) -> Vec<Line<'static>> {
    let available = width.saturating_sub(NAME).max(1);
    let parts = wrap_width(&fact.text, available);
    let is_cut = parts.len() > VERDICT_LINES;
    let names = std::iter::once(lang.tr(fact.name)).chain(std::iter::repeat(""));
    let line = |(index, (name, part)): (usize, (&str, &str))| {
        let part = part.trim_end();
        let is_last = is_cut && index + 1 == VERDICT_LINES;
        let part = if is_last { format!("{part}…") } else { part.to_owned() };
        let text = Span::styled(truncate_width(&part, available), level_style(fact.level, theme));
        Line::from(vec![Span::styled(align_left(name, NAME), theme.dim()), text])
    };
    names.zip(parts).take(VERDICT_LINES).enumerate().map(line).collect()
}

fn level_style(level: Level, theme: Theme) -> Style {
    match level {
        Level::Info => Style::new(),
        Level::Result => theme.eval(),
        Level::Warning => theme.warning(),
        Level::Error => theme.error(),
    }
}

/// A command with the program's usual name.
fn command_line(command: &NextCommand, width: usize, lang: Lang, theme: Theme) -> Line<'static> {
    let words = std::iter::once("nsmc-tui".to_owned())
        .chain(command.arguments.iter().map(|word| shell_word(word)));
    let text = words.collect::<Vec<_>>().join(" ");
    let name = align_left(lang.tr("next"), NAME);
    let text = truncate_width(&text, width.saturating_sub(NAME));
    Line::from(vec![Span::styled(name, theme.dim()), Span::styled(text, theme.strong())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::{ending, run};
    use crate::run::protocol::{Activity, RunReport};
    use crate::screen::app::result_card::result_card;
    use crate::screen::app::{Message, update};

    fn ended(lang: Lang) -> ResultCard {
        let mut state = State { lang, ..State::default() };
        for event in [run(630), ending()].concat() {
            update(&mut state, Message::Report(RunReport::Event(event)));
        }
        update(&mut state, Message::Report(RunReport::Activity(Activity::Idle)));
        result_card(&state).expect("it has ended")
    }

    #[test]
    fn the_best_epoch_time_files_and_the_next_command_are_kept_in_two_lines() {
        for lang in [Lang::English, Lang::Korean] {
            let card = ended(lang);
            for (width, rows) in [(78, 5), (78, 4), (78, 3), (58, 3), (54, 2), (78, 2)] {
                let lines = lines(&card, (width, rows), lang, Theme::new(true));
                let text: Vec<String> = lines.iter().map(Line::to_string).collect();
                assert!(lines.len() <= rows && lines.iter().all(|line| line.width() <= width));
                let all = text.join("\n");
                let epoch = lang.tr_with("epoch {0}", &[&10]);
                for part in ["1:39", "outputs", epoch.as_str(), "nsmc-tui predict"] {
                    assert!(all.contains(part), "{part} at {width} x {rows}: {all}");
                }
                let has_verdict = card.facts.iter().any(|fact| fact.name == "verdict");
                let is_shown = all.contains(lang.tr("verdict"));
                assert_eq!(is_shown, has_verdict && rows > 2, "{width} x {rows}: {all}");
            }
        }
    }

    #[test]
    fn a_long_verdict_is_wrapped_between_words() {
        for lang in [Lang::English, Lang::Korean] {
            let mut card = ended(lang);
            for fact in card.facts.iter_mut().filter(|fact| fact.name == VERDICT) {
                fact.text =
                    format!("{}: {}", lang.tr("learning rate too high"), "word ".repeat(24));
            }
            let rows = usize::from(height(&card, 80)) - 2;
            let lines = lines(&card, (78, rows), lang, Theme::new(true));
            let text: Vec<String> = lines.iter().map(Line::to_string).collect();
            assert_eq!(text.join("\n").matches("word").count(), 24, "{text:?}");
            assert!(text.iter().all(|line| !line.contains('…')), "{text:?}");
        }
    }
}
