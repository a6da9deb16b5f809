//! The encoded frames, interpreted by a terminal emulator (vt100).

use super::*;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::num::NonZeroU16;

const COLUMNS: u16 = 20;
const ROWS: u16 = 5;

fn blank() -> Buffer {
    Buffer::empty(Rect::new(0, 0, COLUMNS, ROWS))
}

fn terminal() -> vt100::Parser {
    let [rows, columns] = [ROWS, COLUMNS].map(|n| NonZeroU16::new(n).unwrap());
    vt100::Parser::new(rows, columns, 0)
}

/// The bytes that change one screen into another.
fn frame(backend: &mut AnsiBackend, before: &Buffer, after: &Buffer) -> Vec<u8> {
    backend.draw(before.diff_iter(after)).unwrap();
    backend.take_frame()
}

fn vt100_color(color: Color) -> vt100::Color {
    match color {
        Color::Cyan => vt100::Color::Idx(6),
        Color::DarkGray => vt100::Color::Idx(8),
        Color::Indexed(number) => vt100::Color::Idx(number),
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        _ => vt100::Color::Default,
    }
}

/// Asserts that the terminal shows the buffer.
fn assert_shows(terminal: &vt100::Parser, buffer: &Buffer) {
    for row in 0..ROWS {
        let mut column = 0;
        while column < COLUMNS {
            let (cell, shown) = (&buffer[(column, row)], terminal.screen().cell(row, column));
            let shown = shown.unwrap();
            let blank = cell.symbol() == " ";
            let text = if shown.contents().is_empty() { " " } else { shown.contents() };
            assert_eq!(text, cell.symbol(), "{column}, {row}");
            assert_eq!(shown.bgcolor(), vt100_color(cell.bg), "{column}, {row}");
            assert_eq!(shown.inverse(), cell.modifier.contains(Modifier::REVERSED));
            assert_eq!(shown.underline(), cell.modifier.contains(Modifier::UNDERLINED));
            if !blank {
                assert_eq!(shown.fgcolor(), vt100_color(cell.fg), "{column}, {row}");
                assert_eq!(shown.bold(), cell.modifier.contains(Modifier::BOLD));
                assert_eq!(shown.dim(), cell.modifier.contains(Modifier::DIM));
                assert_eq!(shown.italic(), cell.modifier.contains(Modifier::ITALIC));
            }
            column += if shown.is_wide() { 2 } else { 1 };
        }
    }
}

fn styles() -> impl Strategy<Value = Style> {
    let colors = || {
        prop_oneof![
            Just(Color::Reset),
            Just(Color::Cyan),
            Just(Color::DarkGray),
            Just(Color::Indexed(208)),
            Just(Color::Rgb(1, 20, 255)),
        ]
    };
    let modifiers = prop_oneof![
        Just(Modifier::empty()),
        Just(Modifier::BOLD),
        Just(Modifier::REVERSED),
        Just(Modifier::UNDERLINED | Modifier::ITALIC),
    ];
    (colors(), colors(), modifiers)
        .prop_map(|(fg, bg, modifier)| Style::new().fg(fg).bg(bg).add_modifier(modifier))
}

/// A screen with texts at random positions.
fn screens() -> impl Strategy<Value = Buffer> {
    let words = prop_oneof![
        Just("loss 0.5"),
        Just("재미있는 영화"),
        Just("╭──╮ ⣿⠉"),
        Just("é한…👍x"),
        Just("   "),
    ];
    proptest::collection::vec((0..COLUMNS, 0..ROWS, words, styles()), 0..12).prop_map(|words| {
        let mut buffer = blank();
        for (column, row, word, style) in words {
            buffer.set_stringn(column, row, word, usize::from(COLUMNS - column), style);
        }
        buffer
    })
}

fn has_wide(buffer: &Buffer) -> bool {
    let width = |cell: &Cell| unicode_width::UnicodeWidthStr::width(cell.symbol());
    buffer.content.iter().any(|cell| width(cell) > 1)
}

/// Whether no wide character is cut in half. Overlapping random texts can do so, but panels do not,
/// and terminals differ in how they show it.
fn is_valid(buffer: &Buffer) -> bool {
    (0..ROWS).all(|row| {
        let mut column = 0;
        while column < COLUMNS {
            let symbol = buffer[(column, row)].symbol();
            let wide = unicode_width::UnicodeWidthStr::width(symbol) > 1;
            if wide && (column + 1 >= COLUMNS || buffer[(column + 1, row)] != Cell::default()) {
                return false;
            }
            column += if wide { 2 } else { 1 };
        }
        true
    })
}

proptest! {
    #[test]
    fn a_terminal_shows_what_was_drawn(screens in proptest::collection::vec(screens(), 1..5)) {
        let (mut backend, mut terminal, mut before) = (AnsiBackend::default(), terminal(), blank());
        for after in screens.into_iter().filter(is_valid) {
            if has_wide(&before) {
                // Where half of a wide character is overwritten, ratatui does not update the other
                // half (its test `no_force_update_when_wide_char_has_default_style`), and what a
                // terminal shows there is undefined. This does not depend on the backend.
                backend.clear_region(ClearType::All).unwrap();
                before = blank();
            }
            terminal.process(&frame(&mut backend, &before, &after));
            assert_shows(&terminal, &after);
            before = after;
        }
    }
}

#[test]
fn a_frame_without_changes_is_empty() {
    let mut backend = AnsiBackend::default();
    let mut buffer = blank();
    buffer.set_string(3, 1, "step 1", Style::new().fg(Color::Cyan));
    assert!(!frame(&mut backend, &blank(), &buffer).is_empty());
    backend.hide_cursor().unwrap();
    assert!(!backend.take_frame().is_empty());
    for _ in 0..3 {
        backend.draw(buffer.diff_iter(&buffer.clone())).unwrap();
        backend.hide_cursor().unwrap();
        assert_eq!(backend.take_frame(), b"");
    }
    for _ in 0..2 {
        backend.show_cursor().unwrap();
        backend.set_cursor_position((4, 2)).unwrap();
        let bytes = backend.take_frame();
        backend.show_cursor().unwrap();
        backend.set_cursor_position((4, 2)).unwrap();
        assert_eq!(backend.take_frame(), b"", "after {bytes:?}");
    }
}

#[test]
fn one_changed_digit_is_encoded_in_few_bytes() {
    let mut backend = AnsiBackend::default();
    let (mut before, mut after) = (blank(), blank());
    before.set_string(3, 1, "step 17", Style::new().fg(Color::Cyan));
    after.set_string(3, 1, "step 18", Style::new().fg(Color::Cyan));
    frame(&mut backend, &blank(), &before);
    let bytes = frame(&mut backend, &before, &after);
    // The cursor is already behind the digit.
    let expected = "\u{1b}[?2026h\u{1b}[10G\u{1b}[36m8\u{1b}[m\u{1b}[?2026l";
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
}

#[test]
fn after_clearing_everything_is_written_again() {
    let (mut backend, mut terminal) = (AnsiBackend::default(), terminal());
    let mut buffer = blank();
    buffer.set_string(0, 0, "page", Style::new().add_modifier(Modifier::BOLD));
    backend.hide_cursor().unwrap();
    terminal.process(&frame(&mut backend, &blank(), &buffer));
    // A shell writes to the screen meanwhile.
    terminal.process(b"\x1b[?25h\x1b[31m$ fg\r\n");
    backend.clear_region(ClearType::All).unwrap();
    backend.hide_cursor().unwrap();
    terminal.process(&frame(&mut backend, &blank(), &buffer));
    assert_shows(&terminal, &buffer);
    assert!(terminal.screen().hide_cursor());
}

#[test]
fn the_color_of_an_underline_is_drawn_as_one_parameter() {
    let mut after = blank();
    let underlined = |color| Style::new().underlined().underline_color(color);
    after.set_string(0, 0, "ab", underlined(Color::Rgb(1, 2, 3)));
    after.set_string(2, 0, "c", underlined(Color::LightRed));
    after.set_string(3, 0, "d", Style::new().underlined());
    // Without an underline there is nothing to color.
    after.set_string(4, 0, "e", Style::new().underline_color(Color::Red));
    let bytes = frame(&mut AnsiBackend::default(), &blank(), &after);
    let text = String::from_utf8_lossy(&bytes);
    let expected = "\u{1b}[4;58:2::1:2:3mab\u{1b}[58:5:9mc\u{1b}[59md\u{1b}[me";
    assert!(text.contains(expected), "{text:?}");
    assert_eq!(text.matches("58:").count(), 2, "{text:?}");
}
