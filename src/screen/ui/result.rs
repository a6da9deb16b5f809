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

/// The most lines of the verdict, and of a command.
const VERDICT_LINES: usize = 3;
const COMMAND_LINES: usize = 3;

/// The rows that all of the card needs in so many columns, with its border.
pub(super) fn height(card: &ResultCard, width: u16) -> u16 {
    (card.facts.len() + shown_commands(card).count()).min(8) as u16 + 2 + more_lines(card, width)
}

/// The commands that the dashboard shows.
fn shown_commands(card: &ResultCard) -> impl Iterator<Item = &NextCommand> {
    card.commands.iter().filter(|command| !command.is_for_later)
}

/// The rows that the facts in several lines and the first command need beside their first ones in so many
/// columns, with the border.
pub(super) fn more_lines(card: &ResultCard, width: u16) -> u16 {
    let columns = usize::from(width.saturating_sub(2));
    let facts: usize = card.facts.iter().map(|fact| fact_height(&[fact], columns) - 1).sum();
    let command = shown_commands(card).next().map(command_words);
    let command = command.map_or(0, |words| command_texts(&words, columns).len() - 1);
    (facts + command) as u16
}

/// The rows of the card in so many columns, with its border, if time and files share a line.
pub(super) fn joined_height(card: &ResultCard, width: u16) -> u16 {
    let commands = shown_commands(card).count().clamp(1, 2) as u16;
    5 + commands + more_lines(card, width)
}

/// The fact that is left out first.
const VERDICT: &str = "verdict";

/// The facts that may have several lines.
const WRAPPED: [&str; 3] = ["failed", "hint", VERDICT];

/// The lines of a row of facts.
fn fact_height(row: &[&ResultFact], width: usize) -> usize {
    match row {
        [fact] if WRAPPED.contains(&fact.name) => {
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
/// are joined and abbreviated, then the verdict has one line and then the command; the verdict is the
/// first to be left out.
pub(super) fn lines(
    card: &ResultCard,
    (width, rows): (usize, usize),
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let named = || shown_commands(card).zip(std::iter::once("next").chain(std::iter::repeat("or")));
    let commands: Vec<Vec<Line>> =
        named().map(|(command, name)| command_lines(name, command, width, lang, theme)).collect();
    let most = commands.first().map_or(0, Vec::len);
    let joined: Vec<Vec<Row>> = JOINED.iter().map(|joined| rows_of(card, joined)).collect();
    let mut without_verdict = rows_of(card, JOINED[JOINED.len() - 1]);
    without_verdict.retain(|row| row.iter().all(|fact| fact.name != VERDICT));
    let one_line = |command: usize| joined.iter().map(move |facts| (facts, false, command));
    let wrapped =
        |command: usize| joined[..JOINED.len() - 1].iter().map(move |facts| (facts, true, command));
    let all: usize = commands.iter().map(Vec::len).sum();
    let mut choices = wrapped(all)
        .chain(one_line(all).take(JOINED.len() - 1))
        .chain(wrapped(most))
        .chain(one_line(most))
        .chain(one_line(most.min(1)))
        .chain([(&without_verdict, false, most), (&without_verdict, false, most.min(1))]);
    let lines_of = |facts: &[Row], is_wrapped: bool| {
        if is_wrapped {
            facts.iter().map(|row| fact_height(row, width)).sum::<usize>()
        } else {
            facts.len()
        }
    };
    let chosen = choices.find(|(facts, wrap, command)| lines_of(facts, *wrap) + command <= rows);
    let (facts, is_wrapped, command) =
        chosen.unwrap_or((&without_verdict, false, most.min(rows / 2).min(1)));
    let command = command.min(most);
    let mut lines: Vec<Line> = Vec::new();
    for row in facts.iter().take(rows.saturating_sub(command)) {
        match row[..] {
            [fact] if is_wrapped && fact_height(row, width) > 1 => {
                lines.extend(wrapped_fact(fact, width, lang, theme));
            }
            _ => lines.push(fact_line(row, width, lang, theme)),
        }
    }
    for (index, (wrapped, (of, name))) in commands.into_iter().zip(named()).enumerate() {
        let left = rows.saturating_sub(lines.len());
        if wrapped.len() <= left && (index > 0 || command == wrapped.len()) {
            lines.extend(wrapped);
        } else if left > 0 && command > 0 {
            lines.push(command_line(name, of, width, lang, theme));
        }
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

/// The words of a command with the program's usual name, as a shell takes them.
fn command_words(command: &NextCommand) -> Vec<String> {
    let words = command.arguments.iter().map(|word| shell_word(word));
    std::iter::once("nsmc-tui".to_owned()).chain(words).collect()
}

/// A command in one line, cut if it is too long.
fn command_line(
    name: &str,
    command: &NextCommand,
    width: usize,
    lang: Lang,
    theme: Theme,
) -> Line<'static> {
    let text = command_words(command).join(" ");
    named_command(name, &truncate_width(&text, width.saturating_sub(NAME)), lang, theme)
}

/// A command in as many lines as it needs.
fn command_lines(
    name: &str,
    command: &NextCommand,
    width: usize,
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let texts = command_texts(&command_words(command), width);
    texts.iter().zip(names).map(|(text, name)| named_command(name, text, lang, theme)).collect()
}

/// The lines of a command, which a shell takes as one; a single line that is cut if they were more than
/// [`COMMAND_LINES`] or if a word is too long for a line.
fn command_texts(words: &[String], width: usize) -> Vec<String> {
    const CONTINUED: &str = " \\";
    let available = width.saturating_sub(NAME);
    let mut lines: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let end = if index + 1 == words.len() { 0 } else { CONTINUED.width() };
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() + end <= available => {
                line.push(' ');
                line.push_str(word);
            }
            line => {
                if let Some(line) = line {
                    line.push_str(CONTINUED);
                }
                lines.push(word.clone());
            }
        }
    }
    if lines.len() > COMMAND_LINES || lines.iter().any(|line| line.width() > available) {
        return vec![truncate_width(&words.join(" "), available)];
    }
    lines
}

fn named_command(name: &str, text: &str, lang: Lang, theme: Theme) -> Line<'static> {
    let name = if name.is_empty() { name } else { lang.tr(name) };
    let name = Span::styled(align_left(name, NAME), theme.dim());
    Line::from(vec![name, Span::styled(text.to_owned(), theme.strong())])
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
    fn a_command_that_is_too_long_for_a_line_is_continued_as_in_a_shell() {
        let words =
            ["nsmc-tui", "predict", "--model-name-or-path", "/data/runs/1", "'정말 재미있다'"];
        let words = words.map(str::to_owned);
        for width in 44..100 {
            let texts = command_texts(&words, width);
            let typed = texts.join("\n");
            assert_eq!(
                shlex::split(&typed.replace("\\\n", " ")),
                shlex::split(&words.join(" ")),
                "{typed}"
            );
            assert!(texts.iter().all(|text| text.width() + NAME <= width), "{width}: {texts:?}");
            assert_eq!(texts.len() > 1, words.join(" ").width() + NAME > width, "{texts:?}");
        }
        assert_eq!(command_texts(&words, 30).len(), 1, "a word is too long");
    }

    #[test]
    fn a_command_is_whole_before_the_verdict_has_more_lines() {
        let mut card = ended(Lang::English);
        card.commands[0].arguments =
            ["predict", "--model-name-or-path", "/data/runs/1", "재미있다"]
                .map(str::to_owned)
                .to_vec();
        for (width, rows) in [(58, 4), (58, 5), (45, 5), (78, 4)] {
            let lines = lines(&card, (width, rows), Lang::English, Theme::new(true));
            let text: Vec<String> = lines.iter().map(Line::to_string).collect();
            assert!(lines.len() <= rows, "{text:?}");
            assert!(text.iter().any(|line| line.trim_end().ends_with("재미있다'")), "{text:?}");
            assert!(text.iter().any(|line| line.starts_with("verdict")), "{text:?}");
        }
    }

    #[test]
    fn both_commands_are_shown_where_time_and_files_share_a_line() {
        for lang in [Lang::English, Lang::Korean] {
            let mut card = ended(lang);
            let arguments = ["train", "--resume-from-checkpoint"].map(str::to_owned).to_vec();
            card.commands.truncate(1);
            card.commands.push(NextCommand {
                purpose: "continue the run".to_owned(),
                arguments,
                is_for_later: false,
            });
            for width in [80, 100] {
                let rows = usize::from(joined_height(&card, width)) - 2;
                let lines = lines(&card, (usize::from(width) - 2, rows), lang, Theme::new(true));
                let text: Vec<String> = lines.iter().map(Line::to_string).collect();
                let begins =
                    |name, command: &str| format!("{}{command}", align_left(lang.tr(name), NAME));
                for command in [begins("next", "nsmc-tui predict"), begins("or", "nsmc-tui train")]
                {
                    assert!(text.iter().any(|line| line.starts_with(&command)), "{text:?}");
                }
                assert!(lines.len() <= rows, "{text:?}");
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
