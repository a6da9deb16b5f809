//! The program's folders in the user's directories (XDG Base Directory Specification).

use etcetera::{BaseStrategy, choose_base_strategy};
use std::ffi::OsString;
use std::path::PathBuf;

/// The folder for state: `$XDG_STATE_HOME/nsmc-tui` or `~/.local/state/nsmc-tui`; `None` if there
/// is neither.
pub fn state() -> Option<PathBuf> {
    let user = choose_base_strategy().ok();
    let user = user.map(|user| user.state_dir().unwrap_or_else(|| user.data_dir()));
    choose(std::env::var_os("XDG_STATE_HOME"), user)
}

/// The folder for caches: `$XDG_CACHE_HOME/nsmc-tui` or `~/.cache/nsmc-tui`; `None` if there is
/// neither.
pub fn cache() -> Option<PathBuf> {
    let user = choose_base_strategy().ok().map(|user| user.cache_dir());
    choose(std::env::var_os("XDG_CACHE_HOME"), user)
}

/// The program's folder in the directory that a variable names or, without the variable, in that
/// below the home directory. Relative paths are ignored, as the specification requires.
fn choose(variable: Option<OsString>, user: Option<PathBuf>) -> Option<PathBuf> {
    let named = variable.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = named.or(user).filter(|folder| folder.is_absolute())?;
    Some(folder.join("nsmc-tui"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_needs_no_home_directory() {
        let named = |text: &str| Some(OsString::from(text));
        let home = || Some(PathBuf::from("/h/.local/state"));
        let expected = |path: &str| Some(PathBuf::from(path));
        assert_eq!(choose(named("/x"), None), expected("/x/nsmc-tui"));
        assert_eq!(choose(named("/x"), home()), expected("/x/nsmc-tui"));
        for ignored in [None, named(""), named("relative")] {
            assert_eq!(choose(ignored.clone(), home()), expected("/h/.local/state/nsmc-tui"));
            assert_eq!(choose(ignored.clone(), None), None);
            // An empty HOME.
            assert_eq!(choose(ignored, Some(".local/state".into())), None);
        }
    }
}
