//! Formats command lines of this program as hints that can be pasted into a shell.

use crate::core::text::sanitize_for_terminal;

/// A command line of this program with the path it was started with, so that the hint also works
/// after `cargo run`. Each argument is quoted for a POSIX shell.
pub fn command_line(arguments: &[&str]) -> String {
    let program = std::env::args_os().next();
    let program =
        program.map_or_else(|| "nsmc-tui".to_owned(), |name| name.to_string_lossy().into_owned());
    let words = std::iter::once(program.as_str()).chain(arguments.iter().copied());
    words.map(shell_word).collect::<Vec<_>>().join(" ")
}

/// Quotes a text as one word for a POSIX shell. Control characters are replaced as in
/// `sanitize_for_terminal`.
pub fn shell_word(text: &str) -> String {
    let text = sanitize_for_terminal(text);
    // Only NUL cannot be quoted, and it has been replaced as a control character.
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), std::borrow::Cow::into_owned)
}

/// The path as an argument of a hint: it cannot be taken for a flag, and is `FOLDER` if its text for
/// display is not its name; see [`crate::core::text::display_path`].
pub fn path_argument(path: &str) -> String {
    if path.contains('\u{fffd}') || sanitize_for_terminal(path) != path {
        "FOLDER".to_owned()
    } else if path.starts_with('-') {
        format!("./{path}")
    } else {
        path.to_owned()
    }
}

/// The command line that resumes the run in a folder; without a folder, the run in `outputs`.
pub fn resume_command(folder: Option<&str>) -> String {
    let arguments = ["train", "--resume-from-checkpoint"];
    let folder = folder.map(path_argument);
    command_line(&arguments.into_iter().chain(folder.as_deref()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_changed_for_display_is_not_offered_as_a_path() {
        use crate::core::text::display_path;
        let hint = |path: &str| resume_command(Some(&display_path(path.as_ref())));
        assert!(hint("out puts").ends_with("--resume-from-checkpoint 'out puts'"));
        for path in ["out\nputs", "out\u{1b}[31m", "out\u{202e}"] {
            assert!(hint(path).ends_with("--resume-from-checkpoint FOLDER"), "{}", hint(path));
        }
    }

    #[test]
    fn a_shell_word_is_safe_to_paste() {
        assert_eq!(shell_word("outputs/checkpoint-3"), "outputs/checkpoint-3");
        for path in ["it's", "a b", "$HOME", "`id`", "a\"b", "x;y", "~", "-n", "!!", "*", "{a,b}"] {
            assert_eq!(shlex::split(&shell_word(path)), Some(vec![path.to_owned()]), "{path}");
        }
        for path in ["$HOME", "`id`", "a b"] {
            assert!(shell_word(path).starts_with('\''), "{path} is expanded");
        }
        assert_eq!(shell_word("a\u{1b}\0b"), "'a\u{fffd}\u{fffd}b'");
    }

    #[test]
    fn the_folder_of_a_journal_is_one_argument_and_never_a_flag() {
        for (folder, argument) in [
            ("$(touch${IFS}PWNED);x", "$(touch${IFS}PWNED);x"),
            ("--config-overrides=a=b", "./--config-overrides=a=b"),
            ("out puts", "out puts"),
        ] {
            let words = shlex::split(&resume_command(Some(folder))).unwrap_or_default();
            assert_eq!(words[1..], ["train", "--resume-from-checkpoint", argument]);
        }
    }
}
