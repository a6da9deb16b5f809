//! The words of a text as a list, those that change the probability most first.

use crate::core::text::{align_left, sanitize_for_terminal, truncate_width};
use crate::screen::lang::Lang;
use crate::screen::ui::attribution::{ShownWords, word_style};
use crate::screen::ui::theme::Theme;
use crate::screen::ui::widgets::bar::bar;
use ratatui::text::{Line, Span};

/// The columns of a change in percentage points.
const POINTS: usize = 8;

/// The most columns of a word.
const MAX_WORD: usize = 30;

/// The words in lines of `width` columns, below a line that says what the numbers are: by how many percentage points the probability
/// of the class is higher with the word than without it, a bar of the size of that, and the word.
pub(super) fn lines(
    shown: &ShownWords<'_>,
    width: usize,
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let known = shown.words.parts.iter();
    let known = known.filter_map(|part| Some((part, part.contribution?)));
    let mut known: Vec<_> = known.enumerate().collect();
    known.sort_by(|(_, (_, one)), (_, (_, other))| other.abs().total_cmp(&one.abs()));
    let largest = known.iter().map(|(_, (_, value))| value.abs()).fold(0.0, f64::max);

    let label = shown.labels.get(shown.words.class).map_or("?", String::as_str);
    let head = lang.tr_with("points for {0}", &[&truncate_width(label, 20)]);
    let mut lines = vec![Line::styled(truncate_width(&head, width), theme.dim())];
    let texts: Vec<String> = known
        .iter()
        .map(|(_, (part, _))| sanitize_for_terminal(part.text.trim()).into_owned())
        .collect();
    let widest = texts.iter().map(|text| Span::raw(text.as_str()).width()).max().unwrap_or(0);
    let word = widest.min(MAX_WORD).min(width.saturating_sub(POINTS + 2) / 2);
    let cells = width.saturating_sub(POINTS + word + 2);
    for ((number, (_, value)), text) in known.iter().zip(&texts) {
        let mut style = word_style(shown, *value, largest, theme);
        let [filled, rest] = bar(value.abs() / largest.max(f64::MIN_POSITIVE), cells, theme);
        let filled = filled.style(style);
        if shown.chosen == Some(*number) {
            style = style.patch(theme.selected());
        }
        lines.push(Line::from(vec![
            Span::raw(format!("{:>+7.2} ", 100.0 * value)),
            Span::styled(align_left(text, word), style),
            Span::raw(" "),
            filled,
            rest,
        ]));
    }
    lines
}

/// The lines of a list in at most `rows` of them: the last one then says how many are left out.
pub(super) fn cut(
    mut lines: Vec<Line<'static>>,
    rows: usize,
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let hidden = lines.len().saturating_sub(rows);
    lines.truncate(rows);
    if let (1.., Some(last)) = (hidden, lines.last_mut()) {
        *last = Line::styled(lang.tr_with("… {0} more", &[&(hidden + 1)]), theme.dim());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::attribution::{TextPart, WordAttributions};

    #[test]
    fn the_words_with_the_largest_changes_are_first() {
        let part = |text: &str, contribution| TextPart { text: text.to_owned(), contribution };
        let parts = vec![
            part("이", Some(0.01)),
            part(" ", None),
            part("영화", Some(-0.1)),
            part("최고", Some(0.5)),
        ];
        let words = WordAttributions {
            class: 1,
            score: 0.8,
            baseline: "[MASK]".into(),
            parts,
            integrals: None,
        };
        let labels = ["negative", "positive"].map(str::to_owned);
        let shown = ShownWords {
            words: &words,
            step: None,
            chosen: Some(2),
            replaced: None,
            is_compared: false,
            labels: &labels,
        };
        let theme = Theme::new(true);
        for width in [8, 20, 60] {
            let lines = lines(&shown, width, Lang::English, theme);
            assert!(lines.iter().all(|line| line.width() <= width.max(POINTS + 2)), "{width}");
        }
        let lines = lines(&shown, 30, Lang::English, theme);
        let texts: Vec<String> = lines.iter().map(Line::to_string).collect();
        assert_eq!(texts[0], "points for positive");
        assert!(texts[1].starts_with(" +50.00 최고 ██████"), "{texts:?}");
        assert!(texts[2].starts_with(" -10.00 영화 ███"), "{texts:?}");
        assert!(texts[3].starts_with("  +1.00 이   ▍"), "{texts:?}");
        assert_eq!(lines[1].spans[1].style, lines[1].spans[1].style.patch(theme.selected()));
        let cut = cut(lines, 3, Lang::English, theme);
        assert_eq!(cut.len(), 3);
        assert_eq!(cut[2].to_string(), "… 2 more");
    }
}
