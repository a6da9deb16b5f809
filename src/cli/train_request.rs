//! The options of a call of `nsmc-tui train`: the command line overrides the environment, which
//! overrides a file.

use super::flags::{GivenDisplay, InvocationOptions, PretrainFlags, TrainFlags};
use crate::core::model::Objective;
use crate::run::options::{
    Given, NotifyOptions, OptionError, OptionGroup, TrainOptions, ValueSource,
    compose_option_groups, read_environment, run_toml,
};
use std::ffi::OsString;

compose_option_groups! {
    /// All options of `nsmc-tui train`.
    pub struct TrainRequest {
        /// The options of the run.
        run: TrainOptions,
        /// The options of this call.
        invocation: InvocationOptions,
        /// How the user is notified.
        notify: NotifyOptions,
        /// The options of the dashboard.
        display: GivenDisplay,
    }
}

/// Options that cannot be combined or used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RequestError {
    /// An unknown or invalid option in the environment or a file.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// An option of pretraining without an objective.
    #[error("{0} is an option of nsmc-tui pretrain, or needs an objective")]
    WithoutObjective(&'static str),
    /// The run to resume has no objective.
    #[error(
        "the run to resume trains a classifier: its run.toml has no objective. Resume it with \
         nsmc-tui train"
    )]
    NotPretraining,
    /// The `run.toml` of the run to resume has an option that is of one call.
    #[error(
        "run.toml of the run to resume has {0}, which a run never writes there and which is not \
         obeyed there: remove it, and pass it as a flag or in a file with --config"
    )]
    NotifyInRunToml(&'static str),
    /// Both `--plain` and `--json` are given.
    #[error("--plain and --json cannot be used together")]
    PlainAndJson,
}

impl From<TrainFlags> for TrainRequest {
    fn from(flags: TrainFlags) -> Self {
        let invocation = InvocationOptions {
            config: flags.config.clone(),
            print_config: flags.print_config.clone(),
            plain: flags.plain.clone(),
            json: flags.json.clone(),
            detach: flags.detach.clone(),
            nproc_per_node: flags.nproc_per_node.clone(),
        };
        let display = flags.display.clone().into();
        let notify = flags.notify.clone().into();
        Self { run: flags.into(), invocation, notify, display }
    }
}

impl TrainRequest {
    /// Adds the options of environment variables and of files to the flags: of the file of
    /// `--config`, then of the `run.toml` of the run to be resumed.
    ///
    /// # Errors
    /// If an option of the environment or the file is unknown or invalid.
    pub fn new(
        flags: TrainFlags,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, RequestError> {
        let request = Self::from(flags).completed(environment)?;
        let pretraining = &request.run.pretraining;
        match pretraining.given().first().filter(|_| pretraining.objective.is_none()) {
            Some(given) => Err(RequestError::WithoutObjective(given.name)),
            None => Ok(request),
        }
    }

    /// As [`Self::new`], for `nsmc-tui pretrain`, whose default objective is masked language modeling.
    /// A run that is resumed has its own.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_pretraining(
        flags: PretrainFlags,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, RequestError> {
        let (pretraining, flags) = flags.into_parts();
        let mut request = Self::from(flags);
        request.run.pretraining = pretraining;
        let mut request = request.completed(environment)?;
        if request.run.resume_from().is_some() {
            // Without a run.toml, the checkpoint's own record has the objective.
            let has_settings = run_toml::of_resumed_run(&request.run).is_some();
            if has_settings && request.run.pretraining.objective.is_none() {
                return Err(RequestError::NotPretraining);
            }
        } else {
            request.run.pretraining.objective.get_or_insert_with(|| Given {
                value: Objective::default(),
                text: Objective::default().to_string(),
                source: ValueSource::Flag,
            });
        }
        Ok(request)
    }

    /// Adds the options of environment variables and of files.
    fn completed(
        self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, RequestError> {
        let mut request = self.over(read_environment(environment)?);
        if let Some(config) = &request.invocation.config {
            let file = run_toml::read(&config.value)?;
            request = request.over(file);
        }
        request.run.start_anew_without_checkpoint();
        if let Some(path) = run_toml::of_resumed_run(&request.run) {
            let own: Self = run_toml::read_resumed(&path)?;
            if let Some(given) = own.notify.given().first() {
                return Err(RequestError::NotifyInRunToml(given.name));
            }
            request = request.over(own);
        }
        request.choose_output()?;
        Ok(request)
    }

    /// Merges with the options of a source that has less priority; see [`TrainOptions::over`].
    fn over(self, mut lower: Self) -> Self {
        self.run.override_length(&mut lower.run);
        self.or(lower)
    }

    /// Applies one of `plain` and `json` if both are set: a flag overrides the environment or a
    /// file.
    fn choose_output(&mut self) -> Result<(), RequestError> {
        let InvocationOptions { plain, json, .. } = &mut self.invocation;
        let is_flag = |given: &Option<Given<bool>>| {
            given.as_ref().is_some_and(|g| g.source == ValueSource::Flag)
        };
        if Given::value_or_default(plain.as_ref()) && Given::value_or_default(json.as_ref()) {
            match (is_flag(plain), is_flag(json)) {
                (true, true) => return Err(RequestError::PlainAndJson),
                (true, false) => *json = None,
                (false, _) => *plain = None,
            }
        }
        Ok(())
    }

    /// Whether to print lines instead of showing the dashboard.
    pub fn prints_lines(&self) -> bool {
        Given::value_or_default(self.invocation.plain.as_ref())
    }

    /// Whether to print events as JSON.
    pub fn prints_json(&self) -> bool {
        Given::value_or_default(self.invocation.json.as_ref())
    }

    /// Whether to run in the background.
    pub fn detaches(&self) -> bool {
        Given::value_or_default(self.invocation.detach.as_ref())
    }

    /// The number of processes to train with on this machine, if it is given.
    pub fn processes(&self) -> Option<usize> {
        self.invocation.nproc_per_node.as_ref().map(|given| given.value)
    }

    /// Whether to print the effective settings only.
    pub fn prints_config(&self) -> bool {
        Given::value_or_default(self.invocation.print_config.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags::{Cli, CliCommand, parse};
    use crate::screen::display::{ColorChoice, DisplayOptions, LanguageChoice, ThemeChoice};

    fn request(line: &[&str]) -> anyhow::Result<TrainRequest> {
        request_in(line, &[])
    }

    fn request_in(line: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<TrainRequest> {
        let line = [&["nsmc-tui"], line].concat();
        let Cli { command, train } = parse(line.into_iter().map(Into::into))?;
        let flags = match command {
            Some(CliCommand::Train(flags)) => *flags,
            _ => train,
        };
        let environment = environment.iter().map(|&(name, value)| (name.into(), value.into()));
        Ok(TrainRequest::new(flags, environment)?)
    }

    /// A file of options, and the `--config` flag with its path.
    fn file(text: &str) -> std::io::Result<(tempfile::TempDir, String)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, text)?;
        Ok((folder, format!("--config={}", path.display())))
    }

    #[test]
    fn flags_override_the_environment_which_overrides_the_file() -> anyhow::Result<()> {
        let text = "learning_rate = 3e-5\nseed = 7\ndata_seed = 7\nplain = true\n\
                    [config_overrides]\nhidden_size = 96\nhidden_act = \"relu\"\n";
        let (_folder, config) = file(text)?;
        for line in [vec![config.as_str()], vec!["train", &config]] {
            let line = [&line[..], &["--seed", "9"]].concat();
            let request =
                request_in(&line, &[("NSMC_TUI_SEED", "8"), ("NSMC_TUI_DATA_SEED", "8")])?;
            let trainer = &request.run.trainer;
            let given = [&trainer.seed, &trainer.data_seed]
                .map(|given| given.as_ref().map(|given| (given.value, given.source.to_string())));
            let expected = [Some((9, "flag".into())), Some((8, "environment".into()))];
            assert_eq!(given, expected);
            let rate = trainer.learning_rate.as_ref();
            assert_eq!(
                rate.map(|rate| (rate.value, rate.source.to_string())),
                Some((3e-5, "mine.toml".to_owned()))
            );
            assert!(request.prints_lines() && !request.prints_json());
            assert_eq!(request.run.model.overrides().len(), 2);
        }
        Ok(())
    }

    #[test]
    fn a_file_in_the_environment_is_read() -> anyhow::Result<()> {
        let (folder, _) = file("seed = 7\n")?;
        let path = folder.path().join("mine.toml").display().to_string();
        let request = request_in(&[], &[("NSMC_TUI_CONFIG", &path)])?;
        assert_eq!(request.run.trainer.seed.map(|given| given.value), Some(7));
        Ok(())
    }

    #[test]
    fn a_resumed_run_uses_its_own_options_and_its_current_folder() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let checkpoint = folder.path().join("checkpoint-3");
        std::fs::create_dir(&checkpoint)?;
        std::fs::write(folder.path().join("run.toml"), "seed = 7\noutput_dir = \"elsewhere\"\n")?;
        let here = folder.path().display().to_string();
        for resumed in [here.clone(), checkpoint.display().to_string()] {
            let run = request(&["--resume-from-checkpoint", &resumed])?.run;
            assert_eq!(run.output_dir(), folder.path());
            assert_eq!(run.trainer.seed.map(|given| given.value), Some(7));
        }
        let run = request(&["--output-dir", &here, "--resume-from-checkpoint"])?.run;
        assert_eq!(run.resume_from(), Some(&crate::run::options::ResumeFrom::Last));
        assert_eq!(run.trainer.seed.map(|given| given.value), Some(7));
        let run = request(&["--output-dir", &here, "--resume-from-checkpoint=false"])?.run;
        assert!(run.resume_from().is_none() && run.trainer.seed.is_none());
        Ok(())
    }

    #[test]
    fn a_file_overrides_the_options_of_the_resumed_run_which_supply_the_rest() -> anyhow::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let text = "seed = 7\nmax_steps = 9\nlearning_rate = 1e-3\n";
        std::fs::write(folder.path().join("run.toml"), text)?;
        let (_folder, config) = file("learning_rate = 2e-3\n")?;
        let here = folder.path().display().to_string();
        let resumed = ["--resume-from-checkpoint", &here, &config];
        let trainer = request(&resumed)?.run.trainer;
        assert_eq!(trainer.learning_rate.map(|given| given.value), Some(2e-3));
        assert_eq!(trainer.seed.map(|given| given.value), Some(7));
        assert_eq!(trainer.max_steps.map(|given| given.value), Some(Some(9)));
        // Epochs that are given override the steps of the file.
        let resumed = [&resumed[..], &["--num-train-epochs", "3"]].concat();
        let trainer = request(&resumed)?.run.trainer;
        assert_eq!(
            (trainer.max_steps, trainer.num_train_epochs.map(|e| e.value)),
            (None, Some(3.0))
        );
        Ok(())
    }

    #[test]
    fn notifications_are_of_a_call_and_never_of_a_resumed_run() -> anyhow::Result<()> {
        let (_folder, config) = file("on_event = \"mail me\"\n")?;
        let given = [("NSMC_TUI_NOTIFY_URL", "https://ntfy.sh/x"), ("NSMC_TUI_EVENT", "failed")];
        let request = request_in(&[&config, "--stall-minutes", "3"], &given)?;
        assert_eq!(request.notify.on_event.map(|given| given.value).as_deref(), Some("mail me"));
        assert_eq!(
            request.notify.notify_url.map(|g| g.value.host().to_owned()).as_deref(),
            Some("ntfy.sh")
        );
        assert_eq!(request.notify.stall_minutes.map(|given| given.value), Some(3.0));
        assert!(!run_toml::write(&request.run, &[]).contains("mail me"));

        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("run.toml"), "on_event = \"touch PWNED\"\n")?;
        let here = folder.path().display().to_string();
        let error = super::TrainRequest::new(
            match parse(["nsmc-tui", "train", "--resume-from-checkpoint", &here].map(Into::into))?
                .command
            {
                Some(CliCommand::Train(flags)) => *flags,
                _ => anyhow::bail!("not train"),
            },
            [],
        )
        .err();
        assert_eq!(error, Some(RequestError::NotifyInRunToml("on_event")));
        Ok(())
    }

    #[test]
    fn auto_resumes_only_where_there_is_a_checkpoint() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("run.toml"), "seed = 7\n")?;
        let here = folder.path().display().to_string();
        let line = ["--output-dir", &here, "--resume-from-checkpoint", "auto"];
        let run = request(&line)?.run;
        assert!(run.resume_from().is_none() && run.trainer.seed.is_none());
        let checkpoint = folder.path().join("checkpoint-3");
        std::fs::create_dir(&checkpoint)?;
        for name in ["config.json", "model.safetensors"] {
            std::fs::write(checkpoint.join(name), "{}")?;
        }
        let run = request(&line)?.run;
        assert_eq!(run.resume_from(), Some(&crate::run::options::ResumeFrom::Auto));
        assert_eq!(run.trainer.seed.map(|given| given.value), Some(7));
        Ok(())
    }

    #[test]
    fn lines_and_json_exclude_each_other() -> anyhow::Result<()> {
        let (_folder, config) = file("json = true\n")?;
        let request_with_plain = request(&[&config, "--plain"])?;
        assert!(request_with_plain.prints_lines() && !request_with_plain.prints_json());
        let error = request(&["--plain", "--json"]).err();
        assert!(error.is_some_and(|error| error.to_string().contains("cannot be used together")));
        Ok(())
    }

    #[test]
    fn display_options_in_a_file_are_not_written_to_run_toml() -> anyhow::Result<()> {
        let text = "theme = \"high-contrast\"\ncolour = 16\nlang = \"ko\"\nno_mouse = true\n";
        let (_folder, config) = file(text)?;
        let request = request(&[&config, "--seed=3", "--low-bandwidth"])?;
        let written = run_toml::write(&request.run, &[]);
        let display = DisplayOptions::from(request.display);
        assert_eq!(display.theme, Some(ThemeChoice::HighContrast));
        assert_eq!(display.color, ColorChoice::Sixteen);
        assert_eq!(display.language, LanguageChoice::Ko);
        assert!(display.no_mouse && display.low_bandwidth);
        assert!(written.contains("seed = 3"), "{written}");
        for name in ["theme", "color", "lang", "no_mouse", "low_bandwidth", "config"] {
            assert!(!written.contains(&format!("{name} =")), "{written}");
        }
        Ok(())
    }
}
