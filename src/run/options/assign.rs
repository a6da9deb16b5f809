//! Sets options by name, from text that is neither a flag nor a line of a file of options.

use super::error::{invalid_value, unknown_option};
use super::group::{OptionGroup, ValueSource};
use std::ffi::OsStr;

/// Parses and sets the option of a name, unless it is already set.
///
/// # Errors
/// If there is no such option, or its value is invalid.
pub fn assign<T: OptionGroup>(
    options: &mut T,
    name: &str,
    text: &str,
    source: &ValueSource,
) -> Result<(), String> {
    match options.set(name, OsStr::new(text), source) {
        Some(outcome) => outcome.map_err(|reason| invalid_value(text, name, &reason)),
        None => Err(unknown_option(name, &T::names())),
    }
}
