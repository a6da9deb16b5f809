//! The text output of a run, for pipes, logs and terminals without a dashboard.

mod lines;
mod stopping;

use crate::cli::output::{print_to_stderr, write_to_terminal};
use crate::core::text::interpolate;
use crate::core::text::to_json;
use crate::core::train::event::{
    Evaluated, Finished, RanksMeasured, Saved, Started, TrainEvent, TrainingLog,
};
use crate::core::train::verdict::{RunWatch, Verdict};
use crate::run::protocol::{Activity, Command, Download, Notification, NotifyEvent, RunReport};
use crate::run::summary::{clock, download_line, evaluation, resume_hint, train_output};
use crate::run::worker::Worker;
use crate::screen::app::throughput::Throughput;
use crate::screen::display::{DisplayOptions, NotifyChoice};
use crate::screen::lang::Lang;
use crate::screen::terminal::notification::notification_bytes;
use crossbeam_channel::RecvTimeoutError;
use lines::{counted, write_pretraining_evaluation, write_probes, write_ranks, write_started};
use signal_hook::consts::SIGUSR1;
use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};
use stopping::{StopReasons, watch_signals};

/// The earlier state of a run whose output switches from the dashboard to text.
#[derive(Default)]
pub struct RunSoFar {
    /// The start of the run, if it has started.
    pub started: Option<Started>,
    /// Its throughput.
    pub throughput: Throughput,
    /// How the terminal notifies the user.
    pub notify: NotifyChoice,
}

impl RunSoFar {
    /// A run that has not begun, with these options of the terminal.
    pub fn of(display: DisplayOptions) -> Self {
        Self { notify: display.notify, ..Self::default() }
    }
}

/// The end of a run, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowResult {
    /// It finished.
    Finished,
    /// It failed; the error was printed.
    Failed,
    /// The signal of this number stopped it, and the model was saved.
    Signalled(u8),
}

/// When the process of a run that has ended ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEnd {
    /// At once.
    AtOnce,
    /// When no other process is attached to the run any more.
    AfterOthers,
}

/// Prints a run until it ends, as text or as JSON. The first SIGINT or SIGTERM stops it and saves
/// the model; another one, more than a second later, ends the program at once. SIGUSR1 saves a
/// checkpoint.
///
/// # Errors
/// If the output cannot be written. If its reader is gone, the run is stopped and its model saved,
/// unless the terminal was closed too; any other error is returned when the run has ended.
pub fn follow(
    worker: Worker,
    json: bool,
    so_far: RunSoFar,
    process_end: ProcessEnd,
    out: &mut (impl Write + ?Sized),
) -> anyhow::Result<FollowResult> {
    let signals = watch_signals()?;
    let notify = so_far.notify;
    let mut printer = EventPrinter { so_far, ..EventPrinter::default() };
    let mut exit = FollowResult::Finished;
    let mut written: anyhow::Result<()> = Ok(());
    let mut stop = StopReasons::default();
    let mut downloads = DownloadPrinter::default();
    let mut has_started = printer.so_far.started.is_some();
    loop {
        let report = match worker.channels.reports.recv_timeout(Duration::from_millis(100)) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        for signal in signals.try_iter() {
            if signal == SIGUSR1 {
                // Sending fails if the run has ended.
                let _ = worker.channels.commands.send(Command::SaveCheckpoint);
            } else if stop.push_signal(signal) {
                return Ok(FollowResult::Signalled(signal as u8));
            }
        }
        if written.as_ref().is_err_and(is_broken_pipe) {
            stop.closed.get_or_insert_with(Instant::now);
        }
        if let Some((_, number)) = stop.signalled.filter(|_| !has_started) {
            // Nothing is trained that could be saved, and reading data can take minutes.
            print_to_stderr("Stopped before training began.");
            return Ok(FollowResult::Signalled(number));
        }
        if let Some(reason) = stop.take_reason() {
            print_to_stderr(reason);
            // Sending fails if the run has ended.
            let _ = worker.channels.commands.send(Command::Stop { evaluate: false });
        }
        match report {
            Some(RunReport::Activity(Activity::Idle)) => break,
            Some(RunReport::Activity(Activity::Preparing(description))) if !json => {
                print_to_stderr(format_args!("{description} …"));
            }
            Some(RunReport::Activity(Activity::Downloading(download))) if !json => {
                downloads.push(&download);
            }
            Some(RunReport::Notification(notification)) => show(&notification, notify),
            Some(RunReport::Event(event)) => {
                has_started |= matches!(event, TrainEvent::Started(_));
                if matches!(event, TrainEvent::Failed(_)) {
                    exit = FollowResult::Failed;
                }
                if written.is_ok() {
                    written =
                        if json { write_json(&event, out) } else { printer.write(&event, out) };
                }
            }
            _ => {}
        }
    }
    // A connection that was lost may come back.
    let waits = process_end == ProcessEnd::AfterOthers || stop.hung_up;
    if waits && stop.signalled.is_none() {
        worker.join_after_others(signals);
    } else {
        worker.join();
    }
    if !stop.hung_up {
        written?;
    }
    match (exit, stop.signalled) {
        (FollowResult::Failed, _) | (_, None) => Ok(exit),
        (_, Some((_, number))) => Ok(FollowResult::Signalled(number)),
    }
}

/// Notifies the user through the terminal, and prints what no event of the run tells.
fn show(notification: &Notification, notify: NotifyChoice) {
    if matches!(notification.event, NotifyEvent::Spike | NotifyEvent::Stall | NotifyEvent::Disk) {
        print_to_stderr(format_args!("warning: {}", notification.message));
    }
    let bytes =
        notification_bytes(notify, notification, Lang::English, |name| std::env::var(name).ok());
    if !bytes.is_empty() {
        write_to_terminal(&bytes);
    }
}

/// Prints a journaled event as a line of JSON.
///
/// # Errors
/// If the output cannot be written.
pub fn write_json(event: &TrainEvent, out: &mut (impl Write + ?Sized)) -> anyhow::Result<()> {
    if event.is_journaled() {
        writeln!(out, "{}", to_json(event)?)?;
        out.flush()?;
    }
    Ok(())
}

/// Whether the reader of the output is gone, which is not reported as an error.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Prints downloads every few seconds.
#[derive(Default)]
struct DownloadPrinter {
    printed_at: Option<Instant>,
}

impl DownloadPrinter {
    fn push(&mut self, download: &Download) {
        const INTERVAL: Duration = Duration::from_secs(5);
        let is_complete = download.total > 0 && download.done >= download.total;
        if is_complete || self.printed_at.is_none_or(|at| at.elapsed() >= INTERVAL) {
            self.printed_at = Some(Instant::now());
            print_to_stderr(download_line(download));
        }
    }
}

/// Prints events as text.
#[derive(Default)]
pub struct EventPrinter {
    so_far: RunSoFar,
    evaluated: Option<Evaluated>,
    checkpoint: Option<Saved>,
    /// The latest measures of the processes of a run of several.
    ranks: Option<RanksMeasured>,
    watch: RunWatch,
    /// The latest verdict that was printed.
    verdict: Option<Verdict>,
}

impl EventPrinter {
    /// Prints an event; warnings and errors go to stderr.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn write(
        &mut self,
        event: &TrainEvent,
        out: &mut (impl Write + ?Sized),
    ) -> anyhow::Result<()> {
        match event {
            TrainEvent::Started(started) => {
                write_started(started, out)?;
                self.so_far.started = Some(started.clone());
            }
            TrainEvent::Step(step) => {
                self.so_far.throughput.push_step(step);
                self.watch.push_step(step.step, step.loss, step.learning_rate);
                if let Some(log) = TrainingLog::of_failed_step(step) {
                    self.write_log(&log, out)?;
                }
            }
            TrainEvent::Logged(logged) => {
                if let Some(log) = logged.training() {
                    self.write_log(&log, out)?;
                }
            }
            TrainEvent::Epoch(epoch) => {
                let epochs = self.so_far.started.as_ref().map_or(0.0, |s| s.num_train_epochs);
                if self.so_far.started.as_ref().is_some_and(Started::is_pretraining) {
                    writeln!(
                        out,
                        "epoch {}/{epochs}  train_loss {:.4}",
                        epoch.epoch, epoch.train_loss
                    )?;
                    return Ok(out.flush()?);
                }
                writeln!(
                    out,
                    "epoch {}/{epochs}  train_loss {:.4}  train_accuracy {:.4}  train_f1 {:.4}",
                    epoch.epoch, epoch.train_loss, epoch.train_accuracy, epoch.train_f1
                )?;
            }
            TrainEvent::Evaluated(evaluated) => {
                self.evaluated = Some(evaluated.clone());
                self.so_far.throughput.push_evaluation(evaluated);
                self.watch.push_evaluation(evaluated);
                let metrics = &evaluated.metrics;
                if let Some(perplexity) = metrics.perplexity {
                    return write_pretraining_evaluation(evaluated, perplexity, out);
                }
                writeln!(
                    out,
                    "epoch {:.2}  eval_loss {:.4}  eval_accuracy {:.4}  eval_f1 {:.4}  \
                     ({} in {:.1} s)",
                    evaluated.epoch,
                    metrics.eval_loss,
                    metrics.eval_accuracy,
                    metrics.eval_f1,
                    counted(metrics.eval_samples as f64, "sample"),
                    metrics.eval_runtime
                )?;
                write_probes(&evaluated.probes, out)?;
                self.write_problem(out)?;
            }
            TrainEvent::BestLoaded(best) => {
                self.evaluated = Some(best.clone());
                writeln!(out, "loaded the best model, of step {}", best.step)?;
            }
            TrainEvent::Checkpoint(saved) => {
                self.checkpoint = Some(saved.clone());
                self.so_far.throughput.push_checkpoint(saved);
                writeln!(out, "checkpoint {}", saved.path)?;
            }
            TrainEvent::Warned(warned) => {
                print_to_stderr(format_args!("warning: {}", warned.message));
            }
            TrainEvent::Ranks(ranks) => self.ranks = Some(ranks.clone()),
            TrainEvent::RolledBack(rolled_back) => {
                self.watch.truncate(rolled_back.step);
                print_to_stderr(format_args!("warning: {rolled_back}"));
            }
            TrainEvent::CommandApplied(applied) => {
                writeln!(out, "step {}: {}", applied.step, applied.effect)?;
            }
            TrainEvent::Saved(saved) => {
                writeln!(out, "saved {} at step {}", saved.path, saved.step)?;
            }
            TrainEvent::Finished(finished) => self.write_finished(finished, out)?,
            TrainEvent::EvaluationProgress(_)
            | TrainEvent::SavingCheckpoint
            | TrainEvent::System(_) => {}
            TrainEvent::Failed(failed) => {
                print_to_stderr(format_args!("error: {}", failed.message));
                if let Some(hint) = &failed.hint {
                    print_to_stderr(hint);
                }
            }
        }
        Ok(out.flush()?)
    }

    /// Prints the verdict on the run when it is a problem that was not printed before.
    fn write_problem(&mut self, out: &mut (impl Write + ?Sized)) -> std::io::Result<()> {
        let verdict = self.watch.verdict().filter(Verdict::is_problem);
        let is_new = match (&verdict, &self.verdict) {
            (Some(new), Some(printed)) => !new.is_like(printed),
            (new, _) => new.is_some(),
        };
        if !is_new {
            return Ok(());
        }
        self.verdict = verdict;
        self.write_verdict(out)
    }

    fn write_verdict(&self, out: &mut (impl Write + ?Sized)) -> std::io::Result<()> {
        let labels = self.so_far.started.as_ref().map_or(&[][..], |started| &started.labels[..]);
        match self.watch.verdict() {
            Some(verdict) => writeln!(out, "{}", verdict.line(labels)),
            None => Ok(()),
        }
    }

    fn write_log(&self, log: &TrainingLog, out: &mut (impl Write + ?Sized)) -> std::io::Result<()> {
        let Some(started) = &self.so_far.started else {
            return Ok(());
        };
        write!(
            out,
            "step {}/{}  epoch {:.2}  loss {:.4}  grad_norm {:.4}  learning_rate {:.4e}",
            log.step, started.max_steps, log.epoch, log.loss, log.grad_norm, log.learning_rate,
        )?;
        if let Some(fraction) = log.pseudo_labelled {
            write!(out, "  pseudo_labelled {fraction:.3}")?;
        }
        if let Some(rates) = self.so_far.throughput.rates() {
            write!(out, "  {:.0} samples/s  {:.0} tokens/s", rates.samples, rates.tokens)?;
        }
        if let Some(left) = self.so_far.throughput.eta(started, log.step, None) {
            write!(out, "  {} left", clock(left))?;
        }
        writeln!(out)
    }

    fn write_finished(
        &self,
        finished: &Finished,
        out: &mut (impl Write + ?Sized),
    ) -> std::io::Result<()> {
        if finished.stopped {
            writeln!(out, "stopped at step {}", finished.global_step)?;
        }
        if let Some(early) = &finished.early_stopping {
            let (text, values) = early.message(finished.global_step);
            let values: Vec<&dyn Display> =
                values.iter().map(|value| value as &dyn Display).collect();
            writeln!(out, "{}", interpolate(text, &values))?;
        }
        writeln!(out, "{}", train_output(finished))?;
        if let Some(evaluated) = &self.evaluated {
            writeln!(out, "{}", evaluation(evaluated))?;
        }
        if self.verdict.is_none() || self.watch.verdict() != self.verdict {
            self.write_verdict(out)?;
        }
        if let Some(ranks) = &self.ranks {
            write_ranks(ranks, out)?;
        }
        match self
            .so_far
            .started
            .as_ref()
            .and_then(|started| resume_hint(started, finished, self.checkpoint.as_ref()))
        {
            Some(hint) => writeln!(out, "{hint}"),
            None => Ok(()),
        }
    }
}
