//! Frames, bars, dots and arrows in ASCII, for terminals and fonts that have nothing else.
//!
//! It is one pass over a finished frame, so that no panel needs to know of it. Each character
//! becomes one as wide. What is not among the dashboard's own characters, such as a review in
//! Korean, stays as it is.

use ratatui::buffer::Buffer;

/// Writes every character of a frame that is not ASCII, and has one that stands for it, in ASCII.
pub fn transcribe(buffer: &mut Buffer) {
    let mut bytes = [0; 4];
    for cell in &mut buffer.content {
        let mut characters = cell.symbol().chars();
        if let (Some(character), None) = (characters.next(), characters.next())
            && let Some(ascii) = ascii(character)
        {
            cell.set_symbol(ascii.encode_utf8(&mut bytes));
        }
    }
}

/// What stands for a character in ASCII; `None` if it is ASCII itself, or nothing stands for it.
#[expect(clippy::match_same_arms, reason = "grouped by what the characters are for")]
fn ascii(character: char) -> Option<char> {
    Some(match character {
        // Lines of frames: along, up and down, and where they meet.
        '─' | '━' | '═' | '┄' | '┅' | '┈' | '┉' | '╌' | '╍' | '╴' | '╶' | '╸' | '╺' | '╼' | '╾' => {
            '-'
        }
        '│' | '┃' | '║' | '┆' | '┇' | '┊' | '┋' | '╎' | '╏' | '╵' | '╷' | '╹' | '╻' | '╽' | '╿' => {
            '|'
        }
        '╱' => '/',
        '╲' => '\\',
        '╳' => 'X',
        '\u{2500}'..='\u{257f}' => '+',
        // Blocks: the filled part of a bar, its last cell, columns by their height, shades.
        '█' | '▓' | '▇' => '#',
        '▉' | '▊' | '▋' | '▌' | '▐' | '▅' | '▆' => '=',
        '▍' | '▎' | '▏' | '▕' | '▃' | '▄' => '-',
        '▁' | '▂' => '_',
        '▀' | '▔' => '"',
        '▒' => ':',
        '░' => '.',
        '\u{2580}'..='\u{259f}' => '*',
        // Dots, by how high the highest stands.
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => braille(u32::from(character) - 0x2800),
        // Quadrants, sextants and octants of curves.
        '\u{1fb00}'..='\u{1fbff}' | '\u{1cd00}'..='\u{1cde5}' => '*',
        '·' | '−' | '‐' | '‑' | '–' | '—' | '⋯' => '-',
        '…' => '~',
        '•' | '●' | '◆' | '★' | '☆' | '∗' | '✱' => '*',
        '○' | '◦' | '◇' | '◯' | '°' => 'o',
        '■' | '▪' | '▮' => '#',
        '□' | '▫' | '▯' => '.',
        '▶' | '▷' | '►' | '▸' | '▹' | '→' | '⟶' | '›' | '»' | '❯' => '>',
        '◀' | '◁' | '◄' | '◂' | '◃' | '←' | '⟵' | '‹' | '«' | '❮' => '<',
        '▲' | '△' | '▴' | '▵' | '↑' => '^',
        '▼' | '▽' | '▾' | '▿' | '↓' => 'v',
        '↔' | '↕' | '±' | '✓' | '✔' | '†' => '+',
        '×' | '✗' | '✘' | '✕' => 'x',
        '≤' => '<',
        '≥' => '>',
        '≈' | '∼' => '~',
        '≠' | '�' => '?',
        '‘' | '’' | '′' => '\'',
        '“' | '”' | '″' => '"',
        'µ' | 'μ' => 'u',
        'σ' => 's',
        'Δ' => 'd',
        'α' => 'a',
        'β' => 'b',
        'ε' => 'e',
        '∞' => '8',
        '²' => '2',
        '³' => '3',
        '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
        _ => return None,
    })
}

/// Bits 0 and 3 are the highest dots of a cell, 6 and 7 the lowest.
fn braille(bits: u32) -> char {
    let (high, low) = (bits & 0b0001_1011 != 0, bits & 0b1110_0100 != 0);
    match (high, low) {
        (true, true) if bits.count_ones() > 4 => '#',
        (true, true) => ':',
        (true, false) => '\'',
        (false, _) => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;
    use unicode_width::UnicodeWidthChar;

    #[test]
    fn frames_and_bars_become_ascii_and_words_stay() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 3));
        buffer.set_string(0, 0, "╭ loss ─ 재미있는 영화 ────╮", Style::new());
        buffer.set_string(0, 1, "│ ▶ ██▌··· 42% … é ⠉⣀⣿ ◂ │", Style::new());
        buffer.set_string(0, 2, "╰──────╯", Style::new());
        transcribe(&mut buffer);
        let lines = ["+ loss - 재미있는 영화 ----+", "| > ##=--- 42% ~ é '.# < |", "+------+"];
        let mut expected = Buffer::empty(buffer.area);
        for (row, line) in lines.into_iter().enumerate() {
            expected.set_string(0, row as u16, line, Style::new());
        }
        assert_eq!(buffer, expected);
    }

    #[test]
    fn no_character_changes_its_width() {
        for character in '\u{80}'..='\u{1fbff}' {
            if let Some(ascii) = ascii(character) {
                assert!(ascii.is_ascii_graphic() || ascii == ' ', "{character}");
                assert_eq!(character.width(), Some(1), "{character} U+{:x}", u32::from(character));
            }
        }
    }
}
