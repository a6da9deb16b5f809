//! `nsmc-tui attach`.

use super::after_dashboard::{is_paused, write_has_ended, write_summary, write_way_back};
use super::dashboard;
use crate::cli::flags::AttachFlags;
use crate::cli::output::print_to_stderr;
use crate::cli::text_output::{EventPrinter, write_json};
use crate::core::text::{sanitize_for_terminal, to_json};
use crate::core::train::event::{CommandEffect, TrainEvent};
use crate::run::command_line::{command_line, path_argument};
use crate::run::protocol::{Activity, Answer, Command, Explanation, RunChannels, RunReport};
use crate::run::run_index::{RunStatus, read_entry};
use crate::run::session::{AttachError, Attached, Purpose, attach, follow_journal};
use crate::run::system_metrics::user_name;
use crate::run::worker::opened_run;
use crate::run::{is_being_prepared, is_locked, other_computer};
use crate::screen::app::replay::{OpenedRun, Replay};
use crate::screen::app::{RunLocation, State};
use crate::screen::display::DisplayOptions;
use crate::screen::lang::Lang;
use crate::screen::terminal::ExitReason;
use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How often it is checked whether a run that is being prepared has begun.
const PREPARATION_CHECKS: Duration = Duration::from_millis(200);

/// The commands that `--send` takes.
const COMMANDS: [&str; 12] = [
    "pause",
    "resume",
    "save_checkpoint",
    "evaluate",
    "stop_after_epoch",
    "set_learning_rate",
    "stop",
    "predict",
    "explain",
    "pin",
    "unpin",
    "save_model",
];

pub fn run(flags: &AttachFlags, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let folder = &flags.run;
    if let Some(command) = &flags.send {
        return send(folder, command, out);
    }
    if flags.json || flags.plain || !dashboard::is_possible() {
        return print_events(folder, flags.json, &mut out);
    }
    show(folder, flags.display.options(), out)
}

/// Shows the run in a folder until the user leaves it.
///
/// # Errors
/// If there is no run, or the dashboard fails.
pub fn show(
    folder: &Path,
    display: DisplayOptions,
    mut out: impl Write,
) -> anyhow::Result<ExitCode> {
    let (leaving, state) = watch(folder, display, false)?;
    match leaving {
        ExitReason::Panicked => {
            bail!("{}", state.lang.tr("the dashboard failed; the run continues without it"))
        }
        ExitReason::HungUp => return Ok(ExitCode::SUCCESS),
        _ => {}
    }
    if leaving == ExitReason::Detached && !state.is_running() {
        write_has_ended(&state, &mut out)?;
    }
    if state.is_running() {
        if let RunLocation::Attached { pid } = state.location {
            write_way_back(folder, pid, is_paused(&state), state.lang, &mut out)?;
        }
    } else if state.finished.is_some() || state.failed.is_some() {
        write_summary(&state, &mut out)?;
    }
    out.flush()?;
    Ok(match leaving {
        ExitReason::Signalled(number) => ExitCode::from(128 + number),
        _ if state.failed.is_some() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// Shows the run in a folder until the user leaves it, and prints nothing. Returns the last state.
///
/// # Errors
/// If there is no run, the connection to it is lost, or the dashboard cannot be shown.
pub fn watch(
    folder: &Path,
    display: DisplayOptions,
    opened_from_list: bool,
) -> anyhow::Result<(ExitReason, State)> {
    let lang = Lang::detect(display.language, |name| std::env::var(name).ok());
    loop {
        let (channels, location) = match connect(folder, Purpose::Watch, lang)? {
            Connection::Process(channels, pid) => (channels, RunLocation::Attached { pid }),
            Connection::Journal(channels) => (channels, RunLocation::Unreachable),
            Connection::Ended(..) => {
                return show_recorded(folder, shown(folder), display, opened_from_list);
            }
        };
        let run_folder = Some(folder.to_path_buf());
        let state = State { run_folder, location, opened_from_list, ..State::default() };
        let (leaving, state) = dashboard::show(&channels, display, state)?;
        let Some(reason) = &state.lost else { return Ok((leaving, state)) };
        // A dashboard that was stopped for a while is attached again.
        if !is_locked(folder) || leaving != ExitReason::Quit {
            bail!("{}: {}", shown(folder), lost(folder, reason, lang));
        }
    }
}

/// Shows a run that has ended, whole, by this name. Returns the last state.
///
/// # Errors
/// If its journal cannot be read, or the dashboard cannot be shown.
pub fn show_recorded(
    folder: &Path,
    name: String,
    display: DisplayOptions,
    opened_from_list: bool,
) -> anyhow::Result<(ExitReason, State)> {
    let worker = opened_run::start(folder)?;
    let replay = Some(Replay::of_opened(folder.to_path_buf(), OpenedRun { name }));
    let state = State { opened_from_list, replay, ..State::default() };
    let outcome = dashboard::show(&worker.channels, display, state)?;
    worker.join();
    Ok(outcome)
}

/// How the run in a folder can be followed.
enum Connection {
    /// By its process, which has this number.
    Process(RunChannels, u32),
    /// By its journal only: it may be under way on another computer.
    Journal(RunChannels),
    /// By its journal: it has ended like this.
    Ended(RunChannels, String),
}

/// Connects to the run in a folder, or follows its journal if its process cannot be reached. Says on
/// standard error what is not the usual case.
fn connect(folder: &Path, purpose: Purpose, lang: Lang) -> anyhow::Result<Connection> {
    match attach_once_begun(folder, purpose, lang) {
        Ok(Attached { channels, status }) => Ok(Connection::Process(channels, status.pid)),
        Err(AttachError::NotRunning) => {
            // Without a journal, there is no run.
            let channels = follow_journal(folder)?;
            let computer = other_computer(folder);
            if let Some(ended) = describe_end(folder, computer.is_some(), lang) {
                let text = "{0}: {1}; its recording is shown";
                print_to_stderr(lang.tr_with(text, &[&shown(folder), &ended]));
                return Ok(Connection::Ended(channels, ended));
            }
            if let Some(computer) = &computer {
                let text = "{0}: the run was started on {1}; it is watched through its journal";
                print_to_stderr(lang.tr_with(text, &[&shown(folder), computer]));
            }
            Ok(Connection::Journal(channels))
        }
        Err(error) => Err(error).with_context(|| shown(folder)),
    }
}

/// Attaches to a run. If it is still being prepared, waits until it begins or its process ends.
fn attach_once_begun(folder: &Path, purpose: Purpose, lang: Lang) -> Result<Attached, AttachError> {
    let mut has_waited = false;
    loop {
        let is_being_prepared = is_being_prepared(folder);
        match attach(folder, own_name(), purpose) {
            Err(AttachError::NotRunning) if is_being_prepared => {}
            outcome => return outcome,
        }
        if !std::mem::replace(&mut has_waited, true) {
            let text = "{0}: the run is being prepared; it is shown once it begins";
            print_to_stderr(lang.tr_with(text, &[&shown(folder)]));
        }
        std::thread::sleep(PREPARATION_CHECKS);
    }
}

fn shown(folder: &Path) -> String {
    sanitize_for_terminal(&folder.display().to_string()).into_owned()
}

/// How the run in a folder ended; `None` while it is or may be under way.
pub(super) fn end_of(folder: &Path, lang: Lang) -> Option<String> {
    describe_end(folder, other_computer(folder).is_some(), lang)
}

/// How a run ended; `None` while a process of this computer runs it, or one of another computer may.
fn describe_end(folder: &Path, may_run_elsewhere: bool, lang: Lang) -> Option<String> {
    let summary = read_entry(folder, folder).and_then(|entry| entry.summary.ok())?;
    let (step, max_steps) = (summary.step, summary.max_steps);
    let text = match summary.status {
        RunStatus::Running => return None,
        RunStatus::Dead if may_run_elsewhere => return None,
        RunStatus::Finished => "the run has finished",
        RunStatus::Stopped => "the run was stopped at step {0} of {1}",
        RunStatus::Failed => "the run failed at step {0} of {1}",
        RunStatus::Dead => "the run was killed after step {0} of {1}; resume it: {2}",
    };
    Some(lang.tr_with(text, &[&step, &max_steps, &resume(folder)]))
}

fn resume(folder: &Path) -> String {
    let path = path_argument(&folder.display().to_string());
    command_line(&["train", "--resume-from-checkpoint", &path])
}

fn lost(folder: &Path, reason: &str, lang: Lang) -> String {
    let text = "the connection to the run is lost: {0}. If it was killed, resume it with {1}";
    lang.tr_with(text, &[&lang.tr_filled(reason), &resume(folder)])
}

/// A name for the other front ends: the user and the terminal.
fn own_name() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let id = rustix::process::getuid().as_raw();
    let user = user.ok().or_else(|| user_name(id)).unwrap_or_else(|| format!("user {id}"));
    let terminal = rustix::termios::ttyname(rustix::stdio::stdin(), Vec::new()).ok();
    let terminal = terminal.and_then(|name| name.into_string().ok());
    match terminal.as_deref().map(|name| name.trim_start_matches("/dev/")) {
        Some(terminal) => format!("{user} ({terminal})"),
        None => format!("{user} (process {})", std::process::id()),
    }
}

/// Prints the events of a run from its beginning to its end.
fn print_events(folder: &Path, json: bool, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let (channels, ended) = match connect(folder, Purpose::Script, Lang::English)? {
        Connection::Process(channels, _) | Connection::Journal(channels) => (channels, None),
        Connection::Ended(channels, how) => (channels, Some(how)),
    };
    let (mut printer, mut failed) = (EventPrinter::default(), false);
    let mut print = |event: &TrainEvent, out: &mut _| {
        failed |= matches!(event, TrainEvent::Failed(_));
        if json { write_json(event, out) } else { printer.write(event, out) }
    };
    for report in &channels.reports {
        match report {
            RunReport::Recorded(events) => {
                events.iter().try_for_each(|event| print(event, out))?;
            }
            RunReport::Event(event) => print(&event, out)?,
            RunReport::Lost(reason) => {
                bail!("{}: {}", shown(folder), lost(folder, &reason, Lang::English))
            }
            RunReport::Activity(Activity::Idle) => {
                return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
            }
            // The journal of a run that was killed has no end.
            RunReport::Activity(_) => {
                if let Some(how) = &ended {
                    bail!("{}: {how}", shown(folder));
                }
            }
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends one command and prints what comes of it: the answer to a question, else the event that
/// shows its effect.
fn send(folder: &Path, command: &str, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let command = parse_command(command).with_context(
        || "--send takes a command such as {\"command\":\"pause\"}; see nsmc-tui attach --help",
    )?;
    let is_being_prepared = is_being_prepared(folder);
    let Attached { channels, .. } = match attach(folder, own_name(), Purpose::Script) {
        Err(AttachError::NotRunning) if is_being_prepared => {
            bail!("{}: the run is being prepared; it takes commands once it begins", shown(folder))
        }
        outcome => outcome.with_context(|| shown(folder))?,
    };
    let mut is_sent = false;
    for report in &channels.reports {
        match report {
            // The activity is reported after the events before the connection.
            RunReport::Activity(activity) if !is_sent => {
                if is_done(&command, &activity) {
                    writeln!(out, "{}", to_json(&activity)?)?;
                    return Ok(ExitCode::SUCCESS);
                }
                if activity == Activity::Idle && !is_for_ended_runs(&command) {
                    bail!("{}: the run has ended", shown(folder));
                }
                if command == Command::SaveModel && activity != Activity::Idle {
                    bail!("{}: the run saves its model at its end", shown(folder));
                }
                channels.commands.send(command.clone())?;
                is_sent = true;
            }
            RunReport::Answer(Answer { outcome, .. }) => {
                let prediction = outcome.map_err(anyhow::Error::msg)?;
                writeln!(out, "{}", to_json(&prediction)?)?;
                return Ok(ExitCode::SUCCESS);
            }
            RunReport::Explained(explanation) if explanation.is_cancelled() => {
                channels.commands.send(command.clone())?;
            }
            RunReport::Explained(Explanation { outcome, .. }) => {
                let words = outcome.map_err(anyhow::Error::msg)?;
                writeln!(out, "{}", to_json(&words)?)?;
                return Ok(ExitCode::SUCCESS);
            }
            RunReport::Event(event) if is_sent && shows_effect(&command, &event) => {
                writeln!(out, "{}", to_json(&event)?)?;
                return Ok(ExitCode::SUCCESS);
            }
            RunReport::Event(TrainEvent::Warned(warned)) if is_sent && may_fail(&command) => {
                bail!("{}", warned.message);
            }
            RunReport::Activity(Activity::Idle) if !is_for_ended_runs(&command) => break,
            RunReport::Lost(reason) => {
                bail!("{}: {}", shown(folder), lost(folder, &reason, Lang::English))
            }
            _ => {}
        }
    }
    bail!("{}: the run has ended", shown(folder))
}

/// Reads a command. A field that it does not have is refused, because it may be a misspelled one.
fn parse_command(text: &str) -> anyhow::Result<Command> {
    let given: Value = serde_json::from_str(text)?;
    let name = given.get("command").and_then(Value::as_str);
    let name = name.context("it is no JSON object with the name of a command")?;
    if !COMMANDS.contains(&name) {
        let names = COMMANDS.join(", ");
        bail!("there is no command {}: the commands are {names}", sanitize_for_terminal(name));
    }
    let command = Command::deserialize(&given)?;
    let known = serde_json::to_value(&command)?;
    let fields = given.as_object().into_iter().flat_map(serde_json::Map::keys);
    if let Some(unknown) = fields.into_iter().find(|field| known.get(field.as_str()).is_none()) {
        bail!("the command has no field {}", sanitize_for_terminal(unknown));
    }
    Ok(command)
}

/// Whether a command changes nothing, because the run does already what it asks for.
fn is_done(command: &Command, activity: &Activity) -> bool {
    match command {
        Command::Pause => *activity == Activity::Paused,
        Command::Resume => *activity != Activity::Paused,
        _ => false,
    }
}

/// Whether a run that has ended takes a command.
fn is_for_ended_runs(command: &Command) -> bool {
    matches!(command, Command::Predict { .. } | Command::Explain { .. } | Command::SaveModel)
}

/// Whether a warning may be what comes of a command.
fn may_fail(command: &Command) -> bool {
    let may_fail = matches!(command, Command::SaveCheckpoint | Command::SetLearningRate { .. });
    may_fail || matches!(command, Command::Pin { .. } | Command::Unpin { .. })
}

/// Whether an event shows the effect of a command.
fn shows_effect(command: &Command, event: &TrainEvent) -> bool {
    let effect = match event {
        TrainEvent::CommandApplied(applied) => Some(applied.effect.clone()),
        _ => None,
    };
    match command {
        Command::Pause => effect == Some(CommandEffect::Paused),
        Command::Resume => matches!(effect, Some(CommandEffect::Resumed { .. })),
        Command::StopAfterEpoch { enabled } => {
            effect == Some(CommandEffect::StopAfterEpoch { enabled: *enabled })
        }
        Command::SetLearningRate { .. } => {
            matches!(effect, Some(CommandEffect::LearningRateChanged { .. }))
        }
        Command::SaveCheckpoint => {
            effect == Some(CommandEffect::AlreadySaved)
                || matches!(event, TrainEvent::Checkpoint(_))
        }
        Command::Evaluate => matches!(event, TrainEvent::Evaluated(_)),
        Command::Stop { .. } => matches!(event, TrainEvent::Finished(_)),
        Command::SaveModel => matches!(event, TrainEvent::Saved(_)),
        Command::Pin { .. } => matches!(effect, Some(CommandEffect::SentencePinned { .. })),
        Command::Unpin { .. } => matches!(effect, Some(CommandEffect::SentenceUnpinned { .. })),
        Command::Predict { .. } | Command::Explain { .. } | Command::TakeKeys => false,
    }
}
