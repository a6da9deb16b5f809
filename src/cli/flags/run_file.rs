//! A TOML file of arguments: read for `--config`, written as a run's `run.toml`.

use super::Cli;
use super::merge::Sources;
use crate::core::text::sanitize_for_terminal;
use crate::core::train::event::Setting;
use clap::CommandFactory;
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The file that a run leaves in its output folder.
pub const NAME: &str = "run.toml";

/// A file of arguments that is longer is none.
const LONGEST: u64 = 1 << 20;

/// Arguments that say how a program is called, not what a run does; they are not written.
const OF_ONE_CALL: [&str; 12] = [
    "config",
    "json",
    "plain",
    "print_config",
    "resume_from_checkpoint",
    // How the dashboard looks is a matter of the terminal.
    "theme",
    "color",
    "glyphs",
    "markers",
    "lang",
    "low_bandwidth",
    "no_mouse",
];

/// Settings that are shown otherwise than they are typed; all but the last have a default that
/// nobody could type.
const AS_TYPED: [&str; 5] =
    ["model_name_or_path", "train_file", "validation_file", "dataset_name", "output_dir"];

/// An argument in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name, with underscores.
    pub name: String,
    /// Its value, as one would type it.
    pub value: String,
}

/// A file of arguments, each of which the command line would take.
#[derive(Clone, Debug)]
pub(super) struct RunFile {
    pub path: PathBuf,
    pub entries: Vec<Entry>,
}

impl RunFile {
    /// Reads a file; the error names it, the line and what is wrong.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = sanitize_for_terminal(&path.display().to_string()).into_owned();
        let unreadable = |error: std::io::Error| format!("{shown}: {error}");
        let mut text = String::new();
        let mut file = std::fs::File::open(path).map_err(unreadable)?;
        Read::take(&mut file, LONGEST).read_to_string(&mut text).map_err(unreadable)?;
        let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let table = DeTable::parse(&text).map_err(|error| {
            let at = line(error.span().map_or(0, |span| span.start));
            format!("{shown}:{at}: {}", sanitize_for_terminal(error.message()))
        })?;
        let mut entries = Vec::new();
        for (key, value) in table.get_ref() {
            let at = line(key.span().start);
            let name = without_alias(&key.get_ref().replace('-', "_"));
            if name == "config" {
                return Err(format!("{shown}:{at}: a file cannot name another"));
            }
            let value = typed(&name, value.get_ref())
                .and_then(|value| check(&name, &value).map(|()| value))
                .map_err(|reason| format!("{shown}:{at}: {}", sanitize_for_terminal(&reason)))?;
            entries.push(Entry { name, value });
        }
        Ok(Self { path: path.to_path_buf(), entries })
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// Says something else than the file does.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.entries.retain(|entry| entry.name != name);
        self.entries.push(Entry { name: name.to_owned(), value: value.to_owned() });
    }
}

/// A value as one would type it.
fn typed(name: &str, value: &DeValue) -> Result<String, String> {
    Ok(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => return Err(format!("{name} cannot be a date")),
        DeValue::Array(_) | DeValue::Table(_) if name != "config_overrides" => {
            return Err(format!("{name} takes one value, no list and no section"));
        }
        DeValue::Array(items) => {
            let items: Result<Vec<_>, _> =
                items.iter().map(|item| typed(name, item.get_ref())).collect();
            items?.join(",")
        }
        DeValue::Table(items) => {
            let items: Result<Vec<_>, _> = items
                .iter()
                .map(|(key, item)| {
                    Ok::<_, String>(format!("{}={}", key.get_ref(), typed(name, item.get_ref())?))
                })
                .collect();
            items?.join(",")
        }
    })
}

/// The name of the argument that goes by this name, too.
fn without_alias(name: &str) -> String {
    let flag = name.replace('_', "-");
    let command = Cli::command();
    let known = command.get_arguments().find(|argument| {
        argument.get_all_aliases().is_some_and(|aliases| aliases.contains(&flag.as_str()))
    });
    known.map_or_else(|| name.to_owned(), |argument| argument.get_id().to_string())
}

/// Whether the command line would take it; if not, what it says.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    let flag = format!("--{}={value}", name.replace('_', "-"));
    let outcome = Cli::command().try_get_matches_from(["nsmc-tui".to_owned(), flag]);
    outcome.map(drop).map_err(|error| {
        // The first paragraph, without its "error: "; the rest is about the command line.
        let text = error.to_string();
        let first = text.split("\n\nUsage").next().unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        first
            .split("\n\nFor more")
            .next()
            .unwrap_or_default()
            .replace("\n\n", "; ")
            .trim()
            .to_owned()
    })
}

/// The text of a file that repeats a run: what was given, and what held because of it.
pub fn write(sources: &Sources, settings: &[Setting]) -> String {
    let given: Vec<(&str, &str)> =
        sources.given().filter(|(name, _)| !OF_ONE_CALL.contains(name)).collect();
    let mut lines = Vec::new();
    for setting in settings {
        let raw = given.iter().find(|(name, _)| *name == setting.name).map(|(_, value)| *value);
        let value = match (AS_TYPED.contains(&setting.name.as_str()), raw) {
            // A path is shown otherwise than it is typed.
            (true, Some(raw)) => raw,
            (true, None) if setting.name != "output_dir" => continue,
            _ => &setting.value,
        };
        lines.push((setting.name.as_str(), literal(value), setting.why.as_str()));
    }
    for (name, value) in &given {
        if !settings.iter().any(|setting| setting.name == *name) {
            lines.push((name, literal(value), ""));
        }
    }
    let width = lines.iter().map(|(name, value, _)| name.len() + value.len() + 3).max();
    let width = width.unwrap_or(0).min(60);
    let mut text = format!(
        "# The arguments of this run: nsmc-tui train --config {NAME}\n\
         # Paths are relative to the folder the program is called in.\n\n"
    );
    for (name, value, why) in lines {
        // Writing to a string cannot fail.
        let line = format!("{name} = {value}");
        if why.is_empty() {
            text += &line;
        } else {
            let _ = write!(text, "{line:<width$}  # {why}");
        }
        text.push('\n');
    }
    text
}

/// A value in TOML: bare where it is a number or a truth value that reads back the same.
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
    use crate::cli::flags::parse;
    use crate::core::config::{ModelTraits, resolve};

    #[test]
    fn what_is_written_repeats_the_run() -> anyhow::Result<()> {
        let line = [
            "nsmc-tui",
            "--learning_rate=3e-5",
            "--output-dir",
            "a \"b\"\n",
            "--config-overrides",
            "hidden_size=96,num_hidden_layers=2",
            "--revision=1e5",
            "--recipe=native",
            "--load-best-model-at-end",
            "--json",
        ];
        let traits = ModelTraits { random_weights: true, max_tokens: 160 };
        let flags = parse(line.map(Into::into))?.train;
        let (arguments, settings) = resolve(&flags, traits)?;
        let text = write(&flags.sources, &settings);
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(NAME);
        std::fs::write(&file, &text)?;
        let again = ["nsmc-tui".into(), "--config".into(), file.into_os_string()];
        let again = parse(again)?.train;
        // The reasons are other ones now, and what was only ever the default is given.
        let traits = ModelTraits { random_weights: false, max_tokens: 512 };
        assert_eq!(format!("{:?}", resolve(&again, traits)?.0), format!("{arguments:?}"), "{text}");
        assert_eq!(again.config_overrides, flags.config_overrides);
        assert_eq!((again.revision.as_str(), again.json), ("1e5", false));
        Ok(())
    }

    #[test]
    fn literals_read_back_as_they_were_typed() {
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
