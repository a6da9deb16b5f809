//! Finds out whether the terminal draws characters of ambiguous width (Unicode Standard Annex 11)
//! one cell wide or two, as terminals in East Asian settings may: `·`, `…`, arrows, borders, blocks.
//!
//! The terminal is asked where its cursor is after such characters. An answer that comes too late is
//! discarded by crossterm.

use super::input::ExternalEvent;
use super::writer::write_between_frames;
use crate::screen::display::{DisplayOptions, GlyphChoice};
use crate::screen::ui::Theme;
use crossbeam_channel::Sender;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::time::{Duration, Instant};

/// How long to wait for the answer.
const TIMEOUT: Duration = Duration::from_millis(200);

/// Characters that the dashboard draws, of every kind that some terminal draws wide.
const SAMPLE: [&str; 8] = ["·", "…", "→", "●", "─", "█", "▁", "⣿"];

/// The row of the sample. In the first one, the answer could be taken for F3 with Shift.
const ROW: usize = 2;

/// The outcome of the question.
#[derive(Debug, Default, PartialEq, Eq)]
struct ProbeReply {
    /// Whether one of the characters takes two cells. False if there was no answer.
    is_wide: bool,
    /// The keys that were typed in the meantime.
    typed: Vec<Event>,
}

/// The theme that suits the options, the environment and the terminal. Keys that are typed while
/// the terminal is asked are sent to the dashboard.
pub(super) fn choose_theme(display: DisplayOptions, keys: &Sender<ExternalEvent>) -> Theme {
    let detect = |display| Theme::detect(&display, |name| std::env::var(name).ok());
    let theme = detect(display);
    // On a slow connection, the answer would come too late.
    if display.glyphs != GlyphChoice::Auto || theme.is_ascii() || display.low_bandwidth {
        return theme;
    }
    let answer = ask();
    for event in answer.typed {
        // The dashboard has the other end.
        let _ = keys.send(ExternalEvent::Terminal(event));
    }
    if !answer.is_wide {
        return theme;
    }
    detect(DisplayOptions { glyphs: GlyphChoice::Ascii, ..display })
}

/// Asks the terminal, which must be in raw mode and show the alternate screen. Only to be called
/// before anything else reads its input.
fn ask() -> ProbeReply {
    let sample = SAMPLE.concat();
    // What was printed is cleared at once.
    let question = format!("\x1b[{ROW};1H{sample}\x1b[6n\r\x1b[2K");
    if write_between_frames(question.as_bytes()).is_err() {
        return ProbeReply::default();
    }
    let (mut bytes, began) = (Vec::new(), Instant::now());
    let input = rustix::stdio::stdin();
    while find_report(&bytes).is_none() {
        let left = TIMEOUT.saturating_sub(began.elapsed());
        let left = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        let mut ready = [PollFd::new(&input, PollFlags::IN)];
        if !poll(&mut ready, Some(&left)).is_ok_and(|count| count > 0) {
            break;
        }
        let mut buffer = [0; 256];
        match rustix::io::read(input, &mut buffer) {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    parse(&bytes)
}

/// The answer among the bytes read.
fn parse(bytes: &[u8]) -> ProbeReply {
    let Some((start, end, column)) = find_report(bytes) else {
        return ProbeReply { is_wide: false, typed: typed_keys(bytes) };
    };
    let typed = [&bytes[..start], &bytes[end..]].concat();
    ProbeReply { is_wide: column > SAMPLE.len() + 1, typed: typed_keys(&typed) }
}

/// The start, the end and the column of a cursor position report `ESC [ row ; column R`.
fn find_report(bytes: &[u8]) -> Option<(usize, usize, usize)> {
    let head = format!("\x1b[{ROW};");
    let mut from = 0;
    while let Some(at) = bytes[from..].windows(head.len()).position(|part| part == head.as_bytes())
    {
        let (start, digits) = (from + at, from + at + head.len());
        let length = bytes[digits..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let column = std::str::from_utf8(&bytes[digits..digits + length]).ok();
        let column = column.and_then(|digits| digits.parse().ok());
        match (column, bytes.get(digits + length)) {
            (Some(column), Some(b'R')) => return Some((start, digits + length + 1, column)),
            _ => from = digits,
        }
    }
    None
}

/// The keys of characters typed; those that send escape sequences are left out.
fn typed_keys(bytes: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(bytes);
    let (mut keys, mut rest) = (Vec::new(), text.chars().peekable());
    while let Some(c) = rest.next() {
        let (code, modifiers) = match c {
            '\x1b' => {
                if rest.next_if(|c| matches!(c, '[' | 'O')).is_some() {
                    // Up to the final character.
                    rest.find(|c| matches!(c, '@'..='~'));
                }
                continue;
            }
            '\r' => (KeyCode::Enter, KeyModifiers::NONE),
            '\t' => (KeyCode::Tab, KeyModifiers::NONE),
            '\x7f' => (KeyCode::Backspace, KeyModifiers::NONE),
            '\x01'..='\x1a' => {
                let letter = char::from(c as u8 - 1 + b'a');
                (KeyCode::Char(letter), KeyModifiers::CONTROL)
            }
            c if c.is_control() || c == '\u{fffd}' => continue,
            c => (KeyCode::Char(c), KeyModifiers::NONE),
        };
        keys.push(Event::Key(KeyEvent::new(code, modifiers)));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: &str) -> (bool, Vec<KeyCode>) {
        let ProbeReply { is_wide, typed } = parse(bytes.as_bytes());
        let code = |event: Event| event.as_key_event().map(|key| key.code);
        (is_wide, typed.into_iter().filter_map(code).collect())
    }

    #[test]
    fn the_column_after_the_sample_tells_its_width() {
        assert_eq!(answer("\x1b[2;9R"), (false, vec![]));
        assert_eq!(answer("\x1b[2;17R"), (true, vec![]));
        assert_eq!(answer("\x1b[2;10R"), (true, vec![]), "one character is wide");
        assert_eq!(answer(""), (false, vec![]), "no answer");
        // Shift and F3, and an answer that is cut off.
        assert_eq!(answer("\x1b[1;2R\x1b[2;1"), (false, vec![]));
    }

    #[test]
    fn keys_typed_before_the_answer_are_kept() {
        let (is_wide, keys) = answer("q한\x1b[A\r\x1b[2;17Ry\x03");
        assert!(is_wide);
        let characters = ['q', '한'].map(KeyCode::Char);
        let expected = [&characters[..], &[KeyCode::Enter, KeyCode::Char('y'), KeyCode::Char('c')]];
        assert_eq!(keys, expected.concat());
    }
}
