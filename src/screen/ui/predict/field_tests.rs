use super::*;
use crate::screen::app::text_area::property_tests::{apply, operations};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::{Backend, TestBackend};
use unicode_segmentation::UnicodeSegmentation;

/// The field as it is drawn, and the cell of the terminal's cursor.
fn drawn(state: &State, columns: u16, rows: u16) -> (TestBackend, Position) {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| {
        draw(frame, frame.area(), state, Theme::new(true));
    });
    let mut backend = terminal.backend().clone();
    let Ok(cursor) = backend.get_cursor_position();
    (backend, cursor)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever was typed, pasted, deleted, moved and undone, the terminal's cursor is in the cell in
    /// which the grapheme after the caret is drawn.
    #[test]
    fn the_cursor_is_on_the_grapheme_after_the_caret(
        operations in operations(),
        columns in 9u16..40,
        rows in 3u16..9,
    ) {
        let mut state = State::default();
        for operation in &operations {
            apply(&mut state.prompt.input, operation);
            let (backend, cursor) = drawn(&state, columns, rows);
            let input = &state.prompt.input;
            prop_assert!(cursor.x > PREFIX && cursor.x < columns - 1);
            prop_assert!(cursor.y > 0 && cursor.y < rows - 1);
            if input.text().is_empty() {
                continue;
            }
            if !input.is_at_border() {
                // What was typed has become one grapheme with what follows.
                continue;
            }
            let next = input.text()[input.caret()..].graphemes(true).next();
            let expected = match next {
                None | Some("\n") => " ",
                Some(grapheme) => rows::shown(grapheme).0,
            };
            prop_assert_eq!(backend.buffer()[cursor].symbol(), expected, "{:?}", input.text());
        }
    }
}

#[test]
fn a_grapheme_wider_than_the_field_is_replaced() {
    let mut state = State::default();
    state.prompt.paste("🇰🏽🏽🏽가");
    let (backend, cursor) = drawn(&state, 9, 3);
    assert!(backend.to_string().contains("> \u{fffd}가"), "{backend}");
    assert_eq!(cursor.x, 1 + PREFIX + 3);
}

#[test]
fn a_long_text_is_scrolled_to_the_caret() {
    let mut state = State::default();
    state.prompt.paste(&"가나다라마바사 ".repeat(60));
    let area = Rect::new(0, 0, 60, 22);
    assert_eq!(height(area, &state, Theme::new(true)), 9, "a third of the page");
    let (backend, cursor) = drawn(&state, 60, 9);
    assert_eq!(cursor.y, 7, "the last row");
    assert!(backend.to_string().contains(" text 20/20 "), "{backend}");
    state.prompt.input.set("");
    assert_eq!(height(area, &state, Theme::new(true)), 3);
}
