//! The tokens of an answered text, in the colors of what they contribute.

use crate::core::predict::Prediction;
use crate::core::text::truncate_width;
use crate::core::tokenizer::hangul::visible_hangul;
use crate::screen::ui::attribution::{ShownWords, word_style};
use crate::screen::ui::theme::Theme;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// The most bytes between two tokens that are found in the text: those of unknown words.
const MAX_GAP: usize = 64;

/// The tokens, in lines of at most `width` columns; `[UNK]` is highlighted, special tokens are dim, and
/// the others have the style of their contribution, once the words are known.
/// (`Paragraph`'s own wrapping lets a wide character exceed the width by a column.)
pub(super) fn lines(
    prediction: &Prediction,
    words: Option<&ShownWords<'_>>,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let unknown = theme.error().patch(theme.selected());
    let styles = words.map(|words| token_styles(words, &prediction.tokens, theme));
    let mut spans: Vec<Span> = Vec::new();
    for (index, token) in prediction.tokens.iter().enumerate() {
        let style = match (token.as_str(), &styles) {
            ("[UNK]" | "<unk>", _) => unknown,
            ("[CLS]" | "[SEP]" | "<s>" | "</s>", _) => theme.dim(),
            (_, Some(styles)) => styles[index].unwrap_or_else(|| theme.dim()),
            (_, None) => theme.train(),
        };
        spans.push(Span::styled(truncate_width(&visible_hangul(token), width), style));
    }
    if prediction.truncated {
        spans.push(Span::styled("…", theme.warning()));
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

/// The style of each token by its integrated gradients or, by occlusion, that of the word which it is a
/// part of; `None` for a token that is not found in the text, such as a special token or one of a text that
/// the tokenizer has normalized.
fn token_styles(shown: &ShownWords<'_>, tokens: &[String], theme: Theme) -> Vec<Option<Style>> {
    let words = shown.words;
    let integrals = words.integrals.as_ref().map(|integrals| &integrals.tokens);
    if let Some(values) = integrals.filter(|values| values.len() == tokens.len()) {
        let largest = values.iter().copied().map(f64::abs).fold(0.0, f64::max);
        return values.iter().map(|&v| Some(word_style(shown, v, largest, theme))).collect();
    }
    let text: String = words.parts.iter().map(|part| part.text.as_str()).collect();
    let contributions = || words.parts.iter().map(|part| part.contribution);
    let largest = contributions().flatten().map(f64::abs).fold(0.0, f64::max);
    let mut ends = Vec::new();
    for part in &words.parts {
        ends.push(ends.last().copied().unwrap_or(0) + part.text.len());
    }
    let styles: Vec<Option<Style>> = contributions()
        .map(|value| value.map(|value| word_style(shown, value, largest, theme)))
        .collect();
    let style = |start: usize| styles.get(ends.partition_point(|end| *end <= start)).copied()?;
    starts(tokens, &text).into_iter().map(|start| start.and_then(style)).collect()
}

/// Where each token begins in the text, as a byte offset; `None` where that is not certain.
fn starts(tokens: &[String], text: &str) -> Vec<Option<usize>> {
    let (mut at, mut is_behind) = (0, false);
    let mut start = |token: &String| {
        let body = token.strip_prefix("##").unwrap_or(token).trim_start_matches('▁');
        let found = text[at..].find(body).filter(|_| !body.is_empty());
        // Behind a token that was not found, the next one may be further on.
        let is_next =
            |gap: &usize| text[at..at + gap].trim().is_empty() || (is_behind && *gap <= MAX_GAP);
        let Some(gap) = found.filter(is_next) else {
            is_behind |= !body.is_empty();
            return None;
        };
        let start = at + gap;
        (at, is_behind) = (start + body.len(), false);
        Some(start)
    };
    tokens.iter().map(&mut start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tokens: &[&str], text: &str) -> Vec<Option<usize>> {
        let tokens: Vec<String> = tokens.iter().map(|&token| token.to_owned()).collect();
        starts(&tokens, text)
    }

    #[test]
    fn tokens_are_found_in_their_text() {
        let tokens = ["[CLS]", "정말", "재", "##미", "##있다", "[UNK]", "!", "[SEP]"];
        let expected = [None, Some(0), Some(7), Some(10), Some(13), None, Some(23), None];
        assert_eq!(found(&tokens, "정말 재미있다 ☃!"), expected);
        let tokens = ["<s>", "▁초", "반", "▁", "났다", "</s>"];
        assert_eq!(found(&tokens, "초반 났다"), [None, Some(0), Some(3), None, Some(7), None]);
        // What was normalized has no place of its own, but the words around it have.
        assert_eq!(found(&["good", "film", "##s"], "Good films"), [None, Some(5), Some(9)]);
        assert_eq!(found(&["a", "a"], "a b a"), [Some(0), None], "b is missing");
    }
}
