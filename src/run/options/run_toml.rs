//! A TOML file of options: read for `--config`, and written as a run's `run.toml`.

use super::error::{OptionError, invalid_value, unknown_option};
use super::group::{OptionGroup, ValueSource};
use super::train::{ResumeFrom, TrainOptions};
use crate::core::text::sanitize_for_terminal;
use crate::core::train::event::Setting;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The file that a run writes to its output folder.
pub use super::group::RUN_TOML as NAME;

/// The most bytes of a file.
const MAX_BYTES: u64 = 1 << 20;

/// The option whose value may be an array or a table.
const LIST: &str = "config_overrides";

/// The option of sentences, which an array lists.
const SENTENCES: &str = "probe";

/// Options that concern one call of the program, not the run, and are therefore not written.
const NOT_WRITTEN: [&str; 1] = ["resume_from_checkpoint"];

/// Settings that are written as given: their displayed text is a description, or sanitized.
const WRITTEN_AS_GIVEN: [&str; 7] = [
    "model_name_or_path",
    "train_file",
    "unlabelled",
    "validation_file",
    "corrections",
    "dataset_name",
    "output_dir",
];

/// Those of them whose default is written.
const WRITTEN_DEFAULTS: [&str; 2] = ["model_name_or_path", "output_dir"];

/// Reads a file of options.
///
/// # Errors
/// If the file cannot be read or is not TOML, or if an option is unknown or its value invalid; the
/// error names the line.
pub fn read<T: OptionGroup>(path: &Path) -> Result<T, OptionError> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    read_as(path, &ValueSource::File(sanitize_for_terminal(&file_name).into_owned()))
}

fn read_as<T: OptionGroup>(path: &Path, source: &ValueSource) -> Result<T, OptionError> {
    let shown = path.display();
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| OptionError::new(&shown, error))?;
    if bytes.len() as u64 > MAX_BYTES {
        let reason = "it is larger than a mebibyte, so it is not a file of options like run.toml";
        return Err(OptionError::new(shown, reason));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| OptionError::new(shown, "it is not UTF-8; save it as UTF-8"))?;
    let at = |byte: usize| {
        let line = text[..byte.min(text.len())].matches('\n').count() + 1;
        format!("{}:{line}", path.display())
    };
    let table = DeTable::parse(&text).map_err(|error| {
        let byte = error.span().map_or(0, |span| span.start);
        OptionError::new(at(byte), error.message())
    })?;
    let mut options = T::default();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().replace('-', "_");
        set(&mut options, &name, value.get_ref(), source)
            .map_err(|problem| OptionError::new(at(key.span().start), problem))?;
    }
    Ok(options)
}

fn set<T: OptionGroup>(
    options: &mut T,
    name: &str,
    value: &DeValue,
    source: &ValueSource,
) -> Result<(), String> {
    if name == "config" {
        return Err("a file of options cannot name another one".to_owned());
    }
    let text = flag_text(name, value)?;
    match options.set(name, OsStr::new(&text), source) {
        Some(outcome) => outcome.map_err(|reason| invalid_value(&text, name, &reason)),
        None => Err(unknown_option(name, &T::names())),
    }
}

/// A value in the form of a flag's text.
fn flag_text(name: &str, value: &DeValue) -> Result<String, String> {
    Ok(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => return Err(format!("{name} cannot be a date")),
        DeValue::Array(items) if name == SENTENCES => {
            let items = items.iter().map(|item| flag_text(name, item.get_ref()));
            serde_json::to_string(&items.collect::<Result<Vec<_>, _>>()?).unwrap_or_default()
        }
        DeValue::Array(_) | DeValue::Table(_) if name != LIST => {
            return Err(format!("{name} has one value; a list or a section is not possible"));
        }
        DeValue::Array(items) => {
            let items = items.iter().map(|item| flag_text(name, item.get_ref()));
            items.collect::<Result<Vec<_>, _>>()?.join(",")
        }
        DeValue::Table(items) => {
            let assignment = |(key, item): (&toml::Spanned<_>, &toml::Spanned<DeValue>)| {
                let key: &std::borrow::Cow<str> = key.get_ref();
                Ok::<_, String>(format!("{key}={}", flag_text(name, item.get_ref())?))
            };
            items.iter().map(assignment).collect::<Result<Vec<_>, _>>()?.join(",")
        }
    })
}

/// The path of the `run.toml` of the run to resume, if there is one.
pub fn of_resumed_run(options: &TrainOptions) -> Option<PathBuf> {
    let folders = match options.resume_from()? {
        ResumeFrom::No => return None,
        ResumeFrom::Last | ResumeFrom::Auto => vec![options.output_dir().to_path_buf()],
        ResumeFrom::Folder(folder) => {
            vec![folder.clone(), folder.parent().unwrap_or(Path::new(".")).to_path_buf()]
        }
    };
    folders.into_iter().map(|folder| folder.join(NAME)).find(|file| file.is_file())
}

/// Reads the `run.toml` of a run to resume. The output folder is the folder of the file, because
/// the run may have been moved since the file was written.
///
/// # Errors
/// The errors of [`read`].
pub fn read_resumed<T: OptionGroup>(path: &Path) -> Result<T, OptionError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut moved = T::default();
    let source = ValueSource::RunToml;
    if let Some(Err(reason)) = moved.set("output_dir", folder.as_os_str(), &source) {
        return Err(OptionError::new(folder.display(), reason));
    }
    Ok(moved.or(read_as(path, &source)?))
}

/// The options that repeat a run, and the settings that follow from them: name, value and reason.
fn recorded<'a>(
    options: &'a TrainOptions,
    settings: &'a [Setting],
) -> Vec<(&'a str, &'a str, &'a str)> {
    let mut given = options.given();
    given.retain(|given| !NOT_WRITTEN.contains(&given.name));
    let mut lines = Vec::new();
    for setting in settings {
        let text = given.iter().find(|given| given.name == setting.name).map(|given| given.text);
        let text = text.map(|text| current_value(&setting.name, text));
        let value = match (WRITTEN_AS_GIVEN.contains(&setting.name.as_str()), text) {
            (true, Some(text)) => text,
            (true, None) if !WRITTEN_DEFAULTS.contains(&setting.name.as_str()) => continue,
            _ => &setting.value,
        };
        lines.push((setting.name.as_str(), value, setting.reason.as_str()));
    }
    for given in &given {
        if !settings.iter().any(|setting| setting.name == given.name) {
            lines.push((given.name, current_value(given.name, given.text), ""));
        }
    }
    lines
}

/// The value of an option, under its present name if it was renamed.
pub(super) fn current_value<'a>(name: &str, value: &'a str) -> &'a str {
    match (name, value) {
        ("ops", "plain") => "reference",
        _ => value,
    }
}

/// Whether the value is a path that is not UTF-8, whose text lacks a part of it. It cannot be
/// written, and reading its text would name another file.
fn is_incomplete_path(name: &str, value: &str) -> bool {
    const PATHS: [&str; 6] =
        ["train_file", "unlabelled", "validation_file", "corrections", "output_dir", "logging_dir"];
    PATHS.contains(&name) && value.contains('\u{fffd}')
}

/// Options of which a checkpoint has no record: where a run writes is for the caller to say.
const NOT_IN_CHECKPOINTS: [&str; 2] = ["output_dir", "logging_dir"];

/// The options and settings of a run by name, for its checkpoints; [`from_record`] reads them.
pub fn record(options: &TrainOptions, settings: &[Setting]) -> BTreeMap<String, String> {
    let lines = recorded(options, settings).into_iter();
    lines
        .filter(|(name, value, _)| {
            !NOT_IN_CHECKPOINTS.contains(name) && !is_incomplete_path(name, value)
        })
        .map(|(name, value, _)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The options in the record of a checkpoint.
///
/// # Errors
/// If an option is unknown or its value invalid.
pub fn from_record(record: &BTreeMap<String, String>) -> Result<TrainOptions, String> {
    let mut options = TrainOptions::default();
    for (name, text) in record {
        if NOT_IN_CHECKPOINTS.contains(&name.as_str()) || NOT_WRITTEN.contains(&name.as_str()) {
            return Err(format!("{name} does not belong there"));
        }
        match options.set(name, OsStr::new(text), &ValueSource::Checkpoint) {
            Some(outcome) => outcome.map_err(|reason| invalid_value(text, name, &reason))?,
            None => return Err(unknown_option(name, &TrainOptions::names())),
        }
    }
    Ok(options)
}

/// The text of a file that repeats a run: its options, and the settings that follow from them.
pub fn write(options: &TrainOptions, settings: &[Setting]) -> String {
    let lines = recorded(options, settings).into_iter();
    let lines: Vec<_> = lines.map(|(name, value, reason)| (name, literal(value), reason)).collect();
    let width = lines.iter().map(|(name, value, _)| name.len() + value.len() + 3).max();
    let width = width.unwrap_or(0).min(60);
    let command = if options.pretraining.chosen().is_some() { "pretrain" } else { "train" };
    let mut text = format!(
        "# The arguments of this run: nsmc-tui {command} --config {NAME}\n\
         # Paths are relative to the folder the program is called in.\n\n"
    );
    for (name, value, reason) in lines {
        if is_incomplete_path(name, &value) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# {name} is a path that is not UTF-8: pass it again");
            continue;
        }
        let line = format!("{name} = {value}");
        if reason.is_empty() {
            text += &line;
        } else {
            let _ = write!(text, "{line:<width$}  # {reason}");
        }
        text.push('\n');
    }
    text
}

/// A value in TOML: unquoted if it is a number or a boolean that reads back unchanged, otherwise a
/// string.
fn literal(value: &str) -> String {
    let bare = DeValue::parse(value).is_ok_and(|parsed| match parsed.get_ref() {
        DeValue::Integer(number) => number.to_string() == value,
        DeValue::Float(number) => number.to_string() == value,
        DeValue::Boolean(_) => true,
        _ => false,
    });
    if bare { value.to_owned() } else { toml::Value::String(value.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::Pooling;
    use crate::core::train::arguments::StartingWeights;
    use crate::run::options::{ModelTraits, resolve};

    /// Options with the command line as their source.
    fn flags(given: &[(&str, &str)]) -> Result<TrainOptions, String> {
        let mut options = TrainOptions::default();
        for (name, text) in given {
            let outcome = options.set(name, OsStr::new(text), &ValueSource::Flag);
            outcome.ok_or_else(|| format!("no option {name}"))??;
        }
        Ok(options)
    }

    fn read_text(text: &str) -> anyhow::Result<Result<TrainOptions, String>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, text)?;
        Ok(read(&file).map_err(|error| error.to_string()))
    }

    #[test]
    fn the_written_file_reproduces_the_run() -> anyhow::Result<()> {
        let options = flags(&[
            ("learning_rate", "3e-5"),
            ("output_dir", "a \"b\"\n"),
            ("config_overrides", "hidden_size=96,num_hidden_layers=2"),
            ("revision", "1e5"),
            ("recipe", "native"),
            ("load_best_model_at_end", "true"),
            ("resume_from_checkpoint", "last"),
        ])
        .map_err(anyhow::Error::msg)?;
        let traits = ModelTraits {
            weights: StartingWeights::Random,
            max_tokens: 160,
            pooling: Pooling::Cls,
        };
        let (arguments, settings) = resolve(&options, traits)?;
        let text = write(&options, &settings);
        let again = read_text(&text)?.map_err(anyhow::Error::msg)?;
        // Defaults of the first run are explicit values in the second run, whatever the model.
        let traits = ModelTraits {
            weights: StartingWeights::Pretrained,
            max_tokens: 512,
            pooling: Pooling::Mean,
        };
        assert_eq!(resolve(&again, traits)?.0, arguments, "{text}");
        assert_eq!(again.model.overrides(), options.model.overrides());
        assert_eq!(again.model.hub_revision(), "1e5");
        assert_eq!(again.resume_from(), None);
        Ok(())
    }

    #[test]
    fn an_error_names_the_invalid_option_and_its_line() -> anyhow::Result<()> {
        for (text, expected) in [
            ("seed = 1\nlearning_rte = 1\n", "mine.toml:2: unknown option learning_rte; did you"),
            ("\n\nlearning_rate = -1\n", "mine.toml:3: invalid value '-1' for learning_rate: "),
            ("seed = \n", "mine.toml:1:"),
            ("config = \"other.toml\"\n", "mine.toml:1: a file of options cannot name another"),
            ("seed = 1979-05-27\n", "mine.toml:1: seed cannot be a date"),
            ("seed = [1]\n", "mine.toml:1: seed has one value"),
        ] {
            let message = read_text(text)?.err().unwrap_or_default();
            assert!(message.contains(expected), "{text:?} gives {message}");
        }
        let long = format!("seed = 1\n{}learning_rte = 1\n", "#\n".repeat(1 << 19));
        let message = read_text(&long)?.err().unwrap_or_default();
        assert!(message.contains("mine.toml: it is larger than a mebibyte"), "{message}");
        let missing = read::<TrainOptions>(Path::new("no/such.toml"));
        assert!(missing.is_err_and(|error| error.to_string().starts_with("no/such.toml: ")));
        Ok(())
    }

    #[test]
    fn lists_sections_dashes_and_aliases_are_read() -> anyhow::Result<()> {
        let text = "warmup_ratio = 0.06\nnum-train-epochs = 2\n\
                    [config_overrides]\nhidden_size = 96\nhidden_act = \"relu\"\n";
        let options = read_text(text)?.map_err(anyhow::Error::msg)?;
        assert_eq!(options.trainer.warmup_steps.map(|given| given.value), Some(0.06));
        assert_eq!(options.trainer.num_train_epochs.map(|given| given.value), Some(2.0));
        assert_eq!(options.model.overrides().len(), 2);
        let list = read_text("config_overrides = [\"hidden_size=96\", \"a=1\"]\n")?;
        assert_eq!(list.map_err(anyhow::Error::msg)?.model.overrides().len(), 2);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_is_not_written_as_another_path() -> anyhow::Result<()> {
        use std::os::unix::ffi::OsStrExt;
        let mut options = TrainOptions::default();
        for name in ["train_file", "output_dir", "logging_dir"] {
            let path = OsStr::from_bytes(b"data\xff.tsv");
            let set = options.set(name, path, &ValueSource::Flag);
            set.ok_or_else(|| anyhow::anyhow!("no {name}"))?.map_err(anyhow::Error::msg)?;
        }
        let traits = ModelTraits {
            weights: StartingWeights::Random,
            max_tokens: 160,
            pooling: Pooling::Cls,
        };
        let settings =
            [super::super::data_settings(&options), resolve(&options, traits)?.1].concat();
        assert!(!record(&options, &settings).contains_key("train_file"));
        let text = write(&options, &settings);
        assert!(text.contains("# train_file is a path that is not UTF-8"), "{text}");
        let again = read_text(&text)?.map_err(anyhow::Error::msg)?;
        assert_eq!((again.data.train_file, again.output.output_dir), (None, None));
        assert_eq!(again.output.logging_dir, None);
        Ok(())
    }

    #[test]
    fn literals_read_back_as_given() {
        for bare in ["5e-5", "10", "0.01", "true", "-1"] {
            assert_eq!(literal(bare), bare);
        }
        for text in ["007", "outputs", "a\"b", "1e", "", "all"] {
            let table: Result<toml::Table, _> = toml::from_str(&format!("x = {}", literal(text)));
            assert_eq!(
                table.ok().and_then(|t| t["x"].as_str().map(str::to_owned)).as_deref(),
                Some(text)
            );
        }
    }
}
