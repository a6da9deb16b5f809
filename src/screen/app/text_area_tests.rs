use super::*;
use crate::screen::app::text_area::rows::{cells_of, offset_at, position, rows};

fn typed(text: &str) -> TextArea {
    let mut area = TextArea::default();
    area.paste(text);
    area
}

/// The text with the caret as `|`.
fn shown(area: &TextArea) -> String {
    let (left, right) = area.text().split_at(area.caret());
    format!("{left}|{right}")
}

fn edited(area: &mut TextArea, requests: &[InputRequest]) -> String {
    for request in requests {
        area.edit(*request);
    }
    shown(area)
}

#[test]
fn graphemes_are_never_cut() {
    use InputRequest::{DeleteNextChar, DeletePrevChar, GoToPrevChar, GoToStart};
    let family = "👨\u{200d}👩\u{200d}👧";
    let flag = "🇰🇷";
    let mut area = typed(&format!("한{family}{flag}e\u{323}\u{331}"));
    for expected in [
        format!("한{family}{flag}|ẹ\u{331}"),
        format!("한{family}|{flag}ẹ\u{331}"),
        format!("한|{family}{flag}ẹ\u{331}"),
    ] {
        assert_eq!(edited(&mut area, &[GoToPrevChar]), expected);
    }
    assert_eq!(edited(&mut area, &[DeleteNextChar]), format!("한|{flag}ẹ\u{331}"));
    assert_eq!(edited(&mut area, &[DeletePrevChar]), format!("|{flag}ẹ\u{331}"));
    assert_eq!(edited(&mut area, &[DeletePrevChar, GoToStart, DeleteNextChar]), "|ẹ\u{331}");
}

#[test]
fn the_text_is_composed_and_says_so() {
    let area = typed("cafe\u{301} \u{1112}\u{1161}\u{11ab}");
    assert_eq!(area.text(), "café 한");
    assert!(area.note().composed);
    // Typed jamo by jamo.
    let mut area = typed("");
    for c in ['\u{1112}', '\u{1161}', '\u{11ab}'] {
        area.edit(InputRequest::InsertChar(c));
    }
    assert_eq!(shown(&area), "한|");
    // A deletion may bring parts of a character together.
    let mut area = typed("가\n\u{11a8}");
    assert!(!area.note().composed);
    assert_eq!(
        edited(&mut area, &[InputRequest::GoToPrevChar, InputRequest::DeletePrevChar]),
        "각|"
    );
    area.set("");
    area.paste("한");
    assert_eq!(area.note(), InsertNote::default(), "the note is about the text in the field");
}

#[test]
fn line_ends_are_line_feeds_and_hidden_characters_are_left_out() {
    let area = typed("하나\r\n둘\r셋\n\t넷\u{1b}[31m\u{202e}\u{200b}\r\n");
    assert_eq!(area.text(), "하나\n둘\n셋\n 넷[31m");
    assert_eq!(area.note(), InsertNote { left_out: 3, ..InsertNote::default() });
    let area = typed(&"가".repeat(MAX_CHARS + 1));
    assert_eq!(area.text().chars().count(), MAX_CHARS);
    assert!(area.note().cut);
}

#[test]
fn a_note_is_about_the_text_that_is_there() {
    let mut area = typed("하나 둘");
    area.paste(&"가".repeat(MAX_CHARS));
    assert!(area.note().cut);
    area.undo();
    assert_eq!((area.text(), area.note()), ("하나 둘", InsertNote::default()));
    area.redo();
    assert!(area.note().cut);
    area.edit(InputRequest::DeletePrevChar);
    assert!(!area.note().cut);
    area.edit(InputRequest::InsertChar('나'));
    assert!(!area.note().cut, "it has room");
    area.edit(InputRequest::InsertChar('다'));
    assert!(area.note().cut, "a key that does nothing says why");
}

#[test]
fn changes_are_undone_word_by_word_and_redone() {
    let mut area = TextArea::default();
    for c in "정말 재미".chars() {
        area.edit(InputRequest::InsertChar(c));
    }
    area.edit(InputRequest::DeletePrevChar);
    area.edit(InputRequest::DeletePrevChar);
    area.paste("좋다");
    let mut seen = vec![area.text().to_owned()];
    for _ in 0..6 {
        area.undo();
        seen.push(area.text().to_owned());
    }
    assert_eq!(seen, ["정말 좋다", "정말 ", "정말 재미", "정말 ", "", "", ""]);
    for _ in 0..6 {
        area.redo();
    }
    assert_eq!(shown(&area), "정말 좋다|");
    area.undo();
    area.new_line();
    area.redo();
    assert_eq!(shown(&area), "정말 \n|", "a new change ends what can be redone");
    let revision = area.revision();
    area.edit(InputRequest::InsertChar('\u{200b}'));
    area.undo();
    assert_eq!(shown(&area), "정말 |", "what changed nothing is not undone");
    assert_ne!(area.revision(), revision);
}

#[test]
fn a_deleted_word_or_line_comes_back_by_itself() {
    use InputRequest::{DeleteLine, DeletePrevChar, DeletePrevWord};
    let mut area = typed("정말 재미있는 영화");
    for request in [DeletePrevChar, DeletePrevChar, DeletePrevWord, DeleteLine] {
        area.edit(request);
    }
    for before in ["정말 |", "정말 재미있는 |", "정말 재미있는 영화|"] {
        area.undo();
        assert_eq!(shown(&area), before);
    }
}

#[test]
fn the_caret_goes_to_both_ends_of_the_text() {
    let mut area = typed("하나\n둘\n셋");
    area.edit(InputRequest::GoToPrevChar);
    area.move_to_start();
    assert_eq!(shown(&area), "|하나\n둘\n셋");
    area.move_to_end();
    assert_eq!(shown(&area), "하나\n둘\n셋|");
}

#[test]
fn lines_are_edited_one_by_one() {
    use InputRequest::{DeleteLine, DeleteTillEnd, GoToEnd, GoToPrevWord, GoToStart};
    let mut area = typed("하나 둘\n셋 넷\n다섯");
    assert!(area.move_rows(-1, 40));
    assert_eq!(shown(&area), "하나 둘\n셋 |넷\n다섯");
    assert_eq!(edited(&mut area, &[GoToEnd]), "하나 둘\n셋 넷|\n다섯");
    assert_eq!(edited(&mut area, &[GoToPrevWord, GoToPrevWord]), "하나 둘\n|셋 넷\n다섯");
    assert_eq!(edited(&mut area, &[DeleteTillEnd]), "하나 둘\n|\n다섯");
    assert_eq!(edited(&mut area, &[DeleteTillEnd]), "하나 둘\n|다섯");
    assert_eq!(edited(&mut area, &[DeleteLine]), "하나 둘\n|");
    assert_eq!(edited(&mut area, &[DeleteLine]), "하나 둘|");
    assert_eq!(edited(&mut area, &[GoToStart, DeleteLine]), "|");
}

#[test]
fn rows_break_at_spaces_and_count_cells() {
    let broken = |text: &str, columns: usize| -> Vec<String> {
        rows(text, columns).into_iter().map(|range| text[range].to_owned()).collect()
    };
    assert_eq!(broken("", 10), [""]);
    assert_eq!(broken("정말 재미있는 영화", 12), ["정말 ", "재미있는 ", "영화"]);
    assert_eq!(broken("재미있는영화", 6), ["재미", "있는", "영화"]);
    assert_eq!(broken("a\n\nb\n", 10), ["a", "", "b", ""]);
    assert_eq!(broken("abc    def", 5), ["abc ", "   ", "def"]);
    assert_eq!(broken("👨\u{200d}👩\u{200d}👧👨\u{200d}👩\u{200d}👧", 4).len(), 2);
    // A combining mark that has nothing to combine with is drawn in a cell of its own.
    assert_eq!((cells_of("\u{301}"), rows::drawn("\u{301}a").as_ref()), (1, "\u{fffd}a"));
}

#[test]
fn the_caret_moves_between_rows_and_aims_at_its_column() {
    let text = "정말 재미있는 영화\n끝\n다시 보고 싶다";
    let mut area = typed(text);
    let mut at = Vec::new();
    while area.move_rows(-1, 12) {
        at.push(position(area.text(), &rows(area.text(), 12), area.caret()));
    }
    assert_eq!(at, [(4, 4), (3, 2), (2, 4), (1, 4), (0, 4)]);
    assert!(area.move_rows(1, 12) && !area.move_rows(1 << 20, 12));
    // The end of a row that continues is the start of the next one.
    let broken = rows("가나다라", 5);
    assert_eq!(offset_at("가나다라", &broken, 0, 99), "가".len());
    assert_eq!(position("가나다라", &broken, "가나".len()), (1, 0));
}

#[test]
fn what_is_typed_before_a_flag_an_emoji_or_a_syllable_is_not_mixed_with_it() {
    for (typed, before) in [
        ("🇺🇸", "🇰🇷a"),
        ("\u{1112}\u{1161}\u{11ab}", "가나"),
        ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧\u{200d}👦!"),
        ("e", "\u{301}x"),
    ] {
        let mut area = TextArea::default();
        area.paste(before);
        area.edit(InputRequest::GoToStart);
        typed.chars().for_each(|c| area.edit(InputRequest::InsertChar(c)));
        assert_eq!(area.text(), format!("{typed}{before}").nfc().collect::<String>());
        if typed != "e" {
            while area.caret() > 0 {
                area.edit(InputRequest::DeletePrevChar);
            }
            assert_eq!(area.text(), before.nfc().collect::<String>());
        }
    }
}
