//! Where a value may come from: a flag, else the environment, else a TOML file, else the default.
//! All four go through the same definition, so that what one refuses they all refuse.

use super::run_file::{Entry, RunFile, check};
use super::train::{is_no, named_checkpoint};
use super::{Cli, Command, TrainFlags};
use crate::core::text::sanitize_for_terminal;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What begins the names of variables.
const VARIABLE: &str = "NSMC_TUI_";

/// Which of training's arguments were given, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    given: Vec<Given>,
}

/// An argument that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    name: String,
    value: String,
    source: String,
}

impl Sources {
    /// Where the argument of this name was given.
    pub fn of(&self, name: &str) -> String {
        let given = self.given.iter().find(|given| given.name == name);
        given.map_or("flag", |given| &given.source).to_owned()
    }

    /// Notes that an argument was given elsewhere.
    pub fn add(&mut self, name: &str, value: String, source: &str) {
        let (name, source) = (name.to_owned(), source.to_owned());
        self.given.push(Given { name, value, source });
    }

    /// The arguments given, with their values as one would type them.
    pub fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.given.iter().map(|given| (given.name.as_str(), given.value.as_str()))
    }

    fn new(matches: &ArgMatches, file: Option<&RunFile>) -> Self {
        let given = train_arguments().into_iter().filter_map(|name| {
            let source = match matches.value_source(&name)? {
                ValueSource::CommandLine => "flag".to_owned(),
                ValueSource::EnvVariable => "environment".to_owned(),
                _ => {
                    let file = file.filter(|file| file.holds(&name))?;
                    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
                    sanitize_for_terminal(&name).into_owned()
                }
            };
            let values = matches.get_raw(&name)?;
            let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
            Some(Given { value: values.join(","), name, source })
        });
        Self { given: given.collect() }
    }
}

/// The names of training's arguments.
fn train_arguments() -> Vec<String> {
    let command = TrainFlags::augment_args(clap::Command::new("train"));
    command.get_arguments().map(|argument| argument.get_id().to_string()).collect()
}

/// The variable that stands for an argument.
fn variable(name: &str) -> String {
    format!("{VARIABLE}{}", name.to_uppercase())
}

/// The definition, with the environment and a file's values below the flags of training.
fn layered(entries: &[Entry]) -> clap::Command {
    let names = train_arguments();
    let below = |argument: Arg| {
        let name = argument.get_id().to_string();
        if !names.contains(&name) {
            return argument;
        }
        // An empty variable counts as none.
        let variable = variable(&name);
        let is_set = std::env::var_os(&variable).is_some_and(|value| !value.is_empty());
        let argument = if is_set { argument.env(variable).hide_env(true) } else { argument };
        match entries.iter().find(|entry| entry.name == name) {
            Some(entry) => argument.default_value(entry.value.clone()),
            None => argument,
        }
    };
    Cli::command().mut_args(below).mut_subcommand("train", |train| train.mut_args(below))
}

/// Parses a command line, taking `--learning_rate` for `--learning-rate`, with what the environment
/// and a file of arguments add to it.
///
/// # Errors
/// clap's, help and version included; for a file's argument, naming file and line.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = with_dashes(arguments).collect();
    // The flags alone first: what they say does not depend on anything else.
    let mut matches = Cli::command().try_get_matches_from(&arguments)?;
    if train_matches(&matches).is_none() {
        return Cli::from_arg_matches_mut(&mut matches);
    }
    check_environment()?;
    matches = layered(&[]).try_get_matches_from(&arguments)?;
    let file = match train_matches(&matches).and_then(run_file_of) {
        Some((path, found)) => {
            let mut file = RunFile::read(&path).map_err(|reason| refused(&reason))?;
            if found {
                // It may have been moved together with what lies beside it.
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                file.set("output_dir", &folder.to_string_lossy());
            }
            matches = layered(&file.entries).try_get_matches_from(&arguments)?;
            Some(file)
        }
        None => None,
    };
    let sources =
        train_matches(&matches).map(|train| Sources::new(train, file.as_ref())).unwrap_or_default();
    let mut cli = Cli::from_arg_matches_mut(&mut matches)?;
    let flags = match &mut cli.command {
        None => &mut cli.train,
        Some(Command::Train(flags)) => flags,
        Some(_) => return Ok(cli),
    };
    flags.sources = sources;
    one_way_to_print(flags)?;
    Ok(cli)
}

/// The argument's name in a variable's; one that is not in capitals is none.
fn lower_case(name: &str) -> String {
    if name.to_uppercase() == name { name.to_lowercase() } else { name.to_owned() + "?" }
}

/// Whether the command line would take what the environment says.
fn check_environment() -> Result<(), clap::Error> {
    let names = train_arguments();
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let Some(argument) = name.strip_prefix(VARIABLE).map(lower_case) else {
            continue;
        };
        // Some are for tests of the program itself.
        if !names.contains(&argument) && !argument.starts_with("test_") {
            let reason = check(&argument, "").err().unwrap_or_default();
            return Err(refused(&format!("{}: {reason}", sanitize_for_terminal(&name))));
        }
    }
    for name in names {
        let variable = variable(&name);
        if let Some(value) = std::env::var_os(&variable).filter(|value| !value.is_empty()) {
            let value = value.to_string_lossy();
            check(&name, &value).map_err(|reason| refused(&format!("{variable}: {reason}")))?;
        }
    }
    Ok(())
}

/// Lines and JSON exclude each other: the one that was asked for by a flag holds, if it was one.
fn one_way_to_print(flags: &mut TrainFlags) -> Result<(), clap::Error> {
    if flags.plain && flags.json {
        match (flags.sources.of("plain").as_str(), flags.sources.of("json").as_str()) {
            ("flag", "flag") => return Err(refused("--plain and --json exclude each other")),
            ("flag", _) => flags.json = false,
            _ => flags.plain = false,
        }
    }
    Ok(())
}

fn refused(reason: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{reason}\n"))
}

/// The matches of training, if that is what was asked for.
fn train_matches(matches: &ArgMatches) -> Option<&ArgMatches> {
    match matches.subcommand() {
        None => Some(matches),
        Some(("train", train)) => Some(train),
        Some(_) => None,
    }
}

/// The file of arguments to use: the one named, or that of the run to be resumed, which is then
/// `true`.
fn run_file_of(train: &ArgMatches) -> Option<(PathBuf, bool)> {
    if let Some(named) = train.get_one::<PathBuf>("config") {
        return Some((named.clone(), false));
    }
    let resumed = train.get_one::<PathBuf>("resume_from_checkpoint").filter(|p| !is_no(p))?;
    let output_dir = train.get_one::<PathBuf>("output_dir").cloned();
    let places = match named_checkpoint(resumed) {
        None => vec![output_dir.unwrap_or_else(|| "outputs".into())],
        Some(named) => {
            vec![named.to_path_buf(), named.parent().unwrap_or(Path::new(".")).to_path_buf()]
        }
    };
    let files = places.into_iter().map(|place| place.join(super::run_file::NAME));
    files.into_iter().find(|file| file.is_file()).map(|file| (file, true))
}

/// `--some_flag=a_b` as `--some-flag=a_b`, up to a lone `--`.
fn with_dashes(arguments: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut options = true;
    arguments.into_iter().map(move |argument| {
        let Some(text) = argument.to_str() else {
            return argument;
        };
        options &= text != "--";
        match text.strip_prefix("--") {
            Some(flag) if options && !flag.is_empty() => {
                let (name, value) =
                    flag.find('=').map_or((flag, ""), |equals| flag.split_at(equals));
                format!("--{}{value}", name.replace('_', "-")).into()
            }
            _ => argument,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Cli, clap::Error> {
        parse([&["nsmc-tui"], line].concat().into_iter().map(OsString::from))
    }

    fn message(line: &[&str]) -> String {
        parsed(line).map_or_else(|error| error.to_string(), |_| String::new())
    }

    /// A file of arguments, and the flag that names it.
    fn file(text: &str) -> std::io::Result<(tempfile::TempDir, String)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, text)?;
        Ok((folder, format!("--config={}", path.display())))
    }

    #[test]
    fn underscores_are_dashes_in_names_only() -> Result<(), clap::Error> {
        let cli = parsed(&["--output_dir=my_run", "--num_train_epochs", "3"])?;
        assert_eq!(cli.train.output_dir, Some("my_run".into()));
        assert_eq!(cli.train.num_train_epochs, Some(3.0));
        let cli = parsed(&["predict", "--", "--not_a_flag"])?;
        let Some(Command::Predict(predict)) = cli.command else {
            panic!("not predict");
        };
        assert_eq!(predict.texts, ["--not_a_flag"]);
        Ok(())
    }

    #[test]
    fn a_flag_wins_over_the_file() -> anyhow::Result<()> {
        let text = "learning_rate = 3e-5\nseed = 7\nplain = true\n\
                    [config_overrides]\nhidden_size = 96\nhidden_act = \"relu\"\n";
        let (_folder, config) = file(text)?;
        for line in [vec![config.as_str()], vec!["train", &config]] {
            let line = [&line[..], &["--seed", "9"]].concat();
            let cli = parsed(&line)?;
            let train = match cli.command {
                Some(Command::Train(train)) => *train,
                _ => cli.train,
            };
            assert_eq!((train.learning_rate, train.seed), (Some(3e-5), Some(9)));
            assert!(train.plain && !train.json);
            assert_eq!(train.config_overrides.len(), 2);
            assert_eq!(train.sources.of("learning_rate"), "mine.toml");
            assert_eq!(train.sources.of("seed"), "flag");
        }
        Ok(())
    }

    #[test]
    fn a_bad_file_is_named_with_the_line() -> anyhow::Result<()> {
        for (text, expected) in [
            ("seed = 1\nlearning_rte = 1\n", "mine.toml:2: unexpected argument '--learning-rte'"),
            ("\n\nlearning_rate = -1\n", "mine.toml:3: invalid value '-1'"),
            ("plain = 3\n", "mine.toml:1: invalid value '3'"),
            ("seed = \n", "mine.toml:1:"),
            ("config = \"other.toml\"\n", "mine.toml:1: a file cannot name another"),
            ("seed = 1979-05-27\n", "mine.toml:1: seed cannot be a date"),
        ] {
            let (_folder, config) = file(text)?;
            let message = message(&[&config]);
            assert!(message.contains(expected), "{text:?} gives {message}");
        }
        assert!(message(&["--config", "no/such.toml"]).contains("no/such.toml"));
        Ok(())
    }

    #[test]
    fn a_resumed_run_goes_on_with_its_own_arguments_where_it_lies_now() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let checkpoint = folder.path().join("checkpoint-3");
        std::fs::create_dir(&checkpoint)?;
        std::fs::write(folder.path().join("run.toml"), "seed = 7\noutput_dir = \"elsewhere\"\n")?;
        let here = folder.path().display().to_string();
        for resumed in [here.clone(), checkpoint.display().to_string()] {
            let train = parsed(&["--resume-from-checkpoint", &resumed])?.train;
            assert_eq!(train.seed, Some(7));
            assert_eq!(train.output_dir, Some(folder.path().into()));
        }
        let train = parsed(&["--output-dir", &here, "--resume-from-checkpoint"])?.train;
        assert_eq!((train.seed, train.resume()), (Some(7), Some(None)));
        Ok(())
    }
}
