//! Borders, bars, dots and arrows in ASCII, for terminals and fonts without Unicode.
//!
//! Characters are replaced in the finished frame, so that panels need no code for ASCII. Each
//! replacement has the width of the original. Characters without a replacement, such as Korean
//! text, are unchanged.

use ratatui::buffer::Buffer;

/// Replaces every character of a frame that has an ASCII equivalent.
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

/// The ASCII equivalent of a character; `None` if it is ASCII itself, or has none.
#[expect(clippy::match_same_arms, reason = "grouped by purpose")]
fn ascii(character: char) -> Option<char> {
    Some(match character {
        // Borders: horizontal, vertical, diagonal, corners and junctions.
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
        // Blocks: bars, their last cell, columns by height, shades.
        '█' | '▓' | '▇' => '#',
        '▉' | '▊' | '▋' | '▌' | '▐' | '▅' | '▆' => '=',
        '▍' | '▎' | '▏' | '▕' | '▃' | '▄' => '-',
        '▁' | '▂' => '_',
        '▀' | '▔' => '"',
        '▒' => ':',
        '░' => '.',
        '\u{2580}'..='\u{259f}' => '*',
        // Braille dots.
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => braille(u32::from(character) - 0x2800),
        // Sextants and octants.
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
    fn borders_and_bars_become_ascii_and_text_is_kept() {
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
    fn every_equivalent_has_the_same_width() {
        for character in '\u{80}'..='\u{1fbff}' {
            if let Some(ascii) = ascii(character) {
                assert!(ascii.is_ascii_graphic() || ascii == ' ', "{character}");
                assert_eq!(character.width(), Some(1), "{character} U+{:x}", u32::from(character));
            }
        }
    }
}
