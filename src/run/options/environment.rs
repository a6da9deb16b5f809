//! Options in environment variables: `NSMC_TUI_LEARNING_RATE` for `learning_rate`.

use super::error::{OptionError, invalid_value, unknown_option};
use super::group::{OptionGroup, ValueSource};
use std::ffi::OsString;

/// The prefix of the variables' names.
const PREFIX: &str = "NSMC_TUI_";

/// The prefix of variables for tests of the program, which are not options.
const TEST_PREFIX: &str = "NSMC_TUI_TEST_";

/// Variables that a command of `--on-event` is executed with, which are not options. Such a command
/// may call the program again.
const EVENT_VARIABLES: [&str; 4] =
    ["NSMC_TUI_EVENT", "NSMC_TUI_RUN", "NSMC_TUI_MESSAGE", "NSMC_TUI_STEP"];

/// The key of `nsmc-tui serve`, which is not an option: nothing may record it.
const KEY_VARIABLE: &str = "NSMC_TUI_API_KEY";

/// Reads options from environment variables. An empty variable counts as unset.
///
/// # Errors
/// If a variable with the program's prefix is not an option, or its value is invalid.
pub fn read_environment<T: OptionGroup>(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<T, OptionError> {
    let mut options = T::default();
    let mut variables: Vec<(String, OsString)> = variables
        .into_iter()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, _)| name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX))
        .filter(|(name, _)| name != KEY_VARIABLE)
        .filter(|(name, _)| !EVENT_VARIABLES.contains(&name.as_str()))
        .collect();
    // Sorted, so that the same environment gives the same error.
    variables.sort_unstable();
    for (variable, value) in &variables {
        let name = variable.strip_prefix(PREFIX).unwrap_or(variable);
        if name != name.to_uppercase() {
            return Err(OptionError::new(variable, "write the variable's name in capitals"));
        }
        let name = name.to_lowercase();
        // Also under an alias, such as `warmup_ratio`.
        let is_known = || T::default().set(&name, value, &ValueSource::Environment).is_some();
        if value.is_empty() && is_known() {
            continue;
        }
        match options.set(&name, value, &ValueSource::Environment) {
            Some(Ok(())) => {}
            Some(Err(reason)) => {
                let problem = invalid_value(&value.to_string_lossy(), &name, &reason);
                return Err(OptionError::new(variable, problem));
            }
            None => return Err(OptionError::new(variable, unknown_option(&name, &T::names()))),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::options::TrainOptions;

    fn read(variables: &[(&str, &str)]) -> Result<TrainOptions, String> {
        let variables = variables.iter().map(|&(name, value)| (name.into(), value.into()));
        read_environment(variables).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_give_options() -> Result<(), String> {
        let options = read(&[
            ("NSMC_TUI_SEED", "7"),
            ("NSMC_TUI_WARMUP_RATIO", "0.06"),
            ("NSMC_TUI_DATA_SEED", ""),
            ("NSMC_TUI_TEST_PANIC", "trainer"),
            ("NSMC_TUI_API_KEY", "secret"),
            ("NSMC_TUI_EVENT", "finished"),
            ("NSMC_TUI_MESSAGE", "finished at step 3"),
            ("HOME", "/"),
        ])?;
        let seed = options.trainer.seed.ok_or("no seed")?;
        assert_eq!((seed.value, seed.source), (7, ValueSource::Environment));
        assert_eq!(options.trainer.warmup_steps.map(|given| given.value), Some(0.06));
        assert_eq!(options.trainer.data_seed, None);
        Ok(())
    }

    #[test]
    fn an_empty_variable_is_not_given_under_any_name() -> Result<(), String> {
        let empty = ["NSMC_TUI_WARMUP_STEPS", "NSMC_TUI_WARMUP_RATIO", "NSMC_TUI_SEED"];
        let options = read(&empty.map(|name| (name, "")))?;
        assert_eq!(options.trainer.warmup_steps, None);
        assert!(read(&[("NSMC_TUI_SEDE", "")]).is_err(), "an unknown option is an error");
        Ok(())
    }

    #[test]
    fn an_error_names_the_invalid_variable() {
        for (variable, value, expected) in [
            ("NSMC_TUI_SEED", "x", "NSMC_TUI_SEED: invalid value 'x' for seed: expected"),
            ("NSMC_TUI_SEDE", "1", "NSMC_TUI_SEDE: unknown option sede; did you mean seed?"),
            ("NSMC_TUI_seed", "1", "NSMC_TUI_seed: write the variable's name in capitals"),
        ] {
            let message = read(&[(variable, value)]).err().unwrap_or_default();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
