//! What the flags of a sweep and of its runs ask for.

use crate::cli::commands::saved::download_progress;
use crate::cli::flags::{Cli, CliCommand, InvocationOptions, SweepFlags, parse};
use crate::cli::output::print_clap_error;
use crate::cli::train_request::TrainRequest;
use crate::core::engine::device::DeviceChoice;
use crate::run::options::{Given, OptionGroup, TrainOptions, ValueSource};
use crate::run::sweep::{PlanError, PlanRequest, SweepJobs, SweepPlan, SweptSetting, budgets};
use crate::run::worker::print_config;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

const DEFAULT_ETA: u32 = 3;
const DEFAULT_SEARCH_SEED: u64 = 42;

/// The prefix of the environment's variables of options.
const PREFIX: &str = "NSMC_TUI_";

/// The options of all runs, and how their user is notified.
pub(super) struct RunRequest {
    /// The options of all runs.
    pub train: TrainOptions,
    /// Variables for the processes of the runs, and those to remove. The options of a run come from the
    /// plan alone; those of notifications are of this call, and an address is not for everyone to see
    /// in the list of processes.
    pub environment: Vec<(OsString, Option<String>)>,
}

impl RunRequest {
    /// Parses the flags behind `--`, with the environment and the file of `--config`. If that is
    /// impossible, or help is requested, prints why and returns the exit code.
    ///
    /// # Errors
    /// If an option is invalid, or not one for a sweep.
    pub fn new(words: &[OsString]) -> anyhow::Result<Result<Self, ExitCode>> {
        let line = ["nsmc-tui", "train"].map(OsString::from).into_iter();
        let line: Vec<OsString> = line.chain(words.iter().cloned()).collect();
        let flags = match parse(line.iter().cloned()) {
            Ok(Cli { command: Some(CliCommand::Train(flags)), .. }) => *flags,
            Ok(Cli { train, .. }) => train,
            Err(error) => return Ok(Err(print_clap_error(error, &line))),
        };
        let is_internal = flags.background || flags.foreground;
        let request = TrainRequest::new(flags, std::env::vars_os())?;
        let of_the_call = request.invocation.given().into_iter().chain(request.display.given());
        let is_refused = |given: &&str| *given != "config";
        let mut refused = of_the_call
            .filter(|given| *given.source == ValueSource::Flag)
            .map(|given| given.name)
            .filter(is_refused);
        if let Some(name) = refused.next().or(is_internal.then_some("background")) {
            return Err(PlanError::Request(format!(
                "--{} has no use for the runs of a sweep, which have neither a dashboard nor an output \
                 of their own: leave it out, or pass it before the --",
                name.replace('_', "-")
            ))
            .into());
        }
        let notify = request.notify.given().into_iter().map(|given| {
            let name = format!("{PREFIX}{}", given.name.to_uppercase());
            (OsString::from(name), Some(given.text.to_owned()))
        });
        let removed = std::env::vars_os().map(|(name, _)| name).filter(|name| is_option(name));
        let environment = removed.map(|name| (name, None)).chain(notify).collect();
        Ok(Ok(Self { train: request.run, environment }))
    }
}

/// Whether a variable is an option of a run, or of a call of `train`.
fn is_option(variable: &OsStr) -> bool {
    let name = variable.to_str().and_then(|name| name.strip_prefix(PREFIX));
    name.is_some_and(|name| {
        let name = name.to_lowercase();
        let (text, source) = (OsStr::new(""), ValueSource::Environment);
        TrainOptions::default().set(&name, text, &source).is_some()
            || InvocationOptions::default().set(&name, text, &source).is_some()
    })
}

/// The plan that the flags ask for.
///
/// # Errors
/// If it is not possible.
pub(super) fn new_plan(flags: &SweepFlags, request: &RunRequest) -> anyhow::Result<SweepPlan> {
    let mut settings: Vec<SweptSetting> = Vec::new();
    for setting in &flags.set {
        match settings.iter_mut().find(|earlier| earlier.name == setting.name) {
            Some(earlier) => earlier.extend(setting.clone()).map_err(PlanError::Request)?,
            None => settings.push(setting.clone()),
        }
    }
    let eta = flags.eta.unwrap_or(DEFAULT_ETA);
    let plan = PlanRequest {
        search: flags.search.unwrap_or_default(),
        metric: flags.metric.unwrap_or_default(),
        trials: flags.trials,
        search_seed: flags.search_seed.unwrap_or(DEFAULT_SEARCH_SEED),
        eta,
        settings,
        train: request.train.clone(),
    };
    SweepPlan::new(plan, |configurations| {
        Ok(budgets(configurations, eta, full_epochs(&request.train)?))
    })
}

/// The epochs of a run with these options.
fn full_epochs(train: &TrainOptions) -> anyhow::Result<f64> {
    if let Some(given) = &train.trainer.num_train_epochs {
        return Ok(given.value);
    }
    let resolved: toml::Table = toml::from_str(&print_config(train, &mut download_progress())?)?;
    let epochs = resolved.get("num_train_epochs").and_then(|value| {
        value.as_float().or_else(|| value.as_integer().map(|epochs| epochs as f64))
    });
    epochs.ok_or_else(|| PlanError::Request("pass --num-train-epochs".to_owned()).into())
}

/// How the trials are run.
///
/// # Errors
/// If there are fewer devices than jobs, or the runs choose another device themselves.
pub(super) fn jobs(flags: &SweepFlags, plan: &SweepPlan) -> Result<SweepJobs, PlanError> {
    let devices = flags.devices.len();
    let count = flags.jobs.unwrap_or(devices.max(1));
    if devices > 0 && count > devices {
        return Err(PlanError::Request(format!(
            "--jobs {count} needs as many --devices, and there are {devices}: name more, or pass \
             --jobs {devices}"
        )));
    }
    for trial in plan.trials_of(&(0..plan.configurations.len()).collect::<Vec<_>>(), 0) {
        let options = plan.options(&trial)?;
        let chosen = Given::value_or_default(options.compute.device.as_ref());
        if devices > 0 && !matches!(chosen, DeviceChoice::Auto | DeviceChoice::Cuda(0)) {
            return Err(PlanError::Request(
                "--devices chooses the GPU of each run, which then is its only one: pass --device \
                 cuda for the runs, or leave out --devices"
                    .to_owned(),
            ));
        }
    }
    Ok(SweepJobs { count, have_devices: devices > 0, retry_failed: flags.retry_failed })
}
