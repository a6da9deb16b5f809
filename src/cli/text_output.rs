//! A run as lines, for pipes, logs and terminals that cannot draw.

use crate::core::text::show_number;
use crate::core::text::to_json;
use crate::core::train::event::{
    Evaluated, Finished, Saved, Started, Step, TrainEvent, untold_losses,
};
use crate::run::locate::Download;
use crate::run::summary::{clock, download_line, evaluation, how_to_go_on, train_output};
use crate::run::worker::{Activity, Command, Report, Worker};
use crate::screen::app::throughput::Throughput;
use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;
use std::time::{Duration, Instant};

/// What is known of a run that has begun already.
#[derive(Default)]
pub struct Known {
    /// What holds for it.
    pub started: Option<Started>,
    /// How fast it goes.
    pub throughput: Throughput,
}

/// How a run ended, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Finished,
    /// Something went wrong; it has been said.
    Failed,
    /// A signal of this number stopped it, and what was learned was saved.
    Signalled(u8),
}

/// A second signal within this time of the first is taken for the same wish: to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Why a run is being stopped, as far as it is.
#[derive(Default)]
struct Stopping {
    /// When the first signal came, and its number.
    signalled: Option<(Instant, u8)>,
    /// When the output was found closed.
    closed: Option<Instant>,
    /// Whether the terminal went away, which is no reason to stop.
    hung_up: bool,
    /// Whether the run has been told.
    told: bool,
}

impl Stopping {
    /// Takes a signal in; `true` if it ends the program at once.
    fn signal(&mut self, signal: i32) -> bool {
        if signal == SIGHUP {
            self.hung_up = true;
            return false;
        }
        let first = *self.signalled.get_or_insert((Instant::now(), signal as u8));
        first.0.elapsed() > GRACE
    }

    /// Why to stop now, if that has not been told yet. A connection that drops closes the output
    /// and hangs up at about the same time, in either order.
    fn reason(&mut self) -> Option<&'static str> {
        let closed = self.closed.is_some_and(|closed| closed.elapsed() > GRACE) && !self.hung_up;
        if self.told || !(closed || self.signalled.is_some()) {
            return None;
        }
        self.told = true;
        Some(if self.signalled.is_some() {
            "Stopping the run; another signal ends the program at once."
        } else {
            "The output was closed: stopping the run and saving the model."
        })
    }
}

/// Follows a run to its end; `known` is what a dashboard knew of it. The first SIGINT or SIGTERM
/// stops it and saves the model; another one, not right behind it, ends the program at once.
///
/// # Errors
/// If the output cannot be written. A run whose reader went away is stopped and its model saved,
/// unless the terminal went away with it; any other trouble with the output is told when the run
/// has ended.
pub fn follow(
    worker: Worker,
    json: bool,
    known: Known,
    out: &mut (impl Write + ?Sized),
) -> anyhow::Result<Ending> {
    let signals = watch_signals()?;
    let mut lines = Lines { known, ..Lines::default() };
    let mut ending = Ending::Finished;
    let mut written: anyhow::Result<()> = Ok(());
    let mut stopping = Stopping::default();
    let mut downloads = Downloads::default();
    let mut begun = lines.known.started.is_some();
    loop {
        let report = match worker.source.reports.recv_timeout(Duration::from_millis(100)) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        for signal in signals.try_iter() {
            if stopping.signal(signal) {
                return Ok(Ending::Signalled(signal as u8));
            }
        }
        if written.as_ref().is_err_and(is_broken_pipe) {
            stopping.closed.get_or_insert_with(Instant::now);
        }
        if let Some(reason) = stopping.reason() {
            talk(reason);
            // A run that has ended needs no stopping.
            let _ = worker.source.commands.send(Command::Stop { evaluate: false });
        }
        match report {
            Some(Report::Activity(Activity::Idle)) => break,
            Some(Report::Activity(Activity::Preparing(what))) if !json => {
                talk(&format!("{what} …"));
            }
            Some(Report::Activity(Activity::Downloading(download))) if !json => {
                downloads.tell(&download);
            }
            Some(Report::History(events)) => lines.went_before(&events),
            Some(Report::Event(event)) => {
                // What was never begun did not fail if it was asked to end.
                begun |= matches!(event, TrainEvent::Started(_));
                let cancelled = stopping.signalled.is_some() && !begun;
                if matches!(event, TrainEvent::Failed(_)) && !cancelled {
                    ending = Ending::Failed;
                }
                if written.is_ok() {
                    written = if json {
                        to_json(&event).map_err(anyhow::Error::from).and_then(|json| {
                            writeln!(out, "{json}")?;
                            Ok(out.flush()?)
                        })
                    } else {
                        lines.write(&event, out).map_err(anyhow::Error::from)
                    };
                }
            }
            _ => {}
        }
    }
    worker.join();
    if !stopping.hung_up {
        written?;
    }
    match (ending, stopping.signalled) {
        (Ending::Failed, _) | (_, None) => Ok(ending),
        (_, Some((_, number))) => Ok(Ending::Signalled(number)),
    }
}

/// Whether whoever read our output went away, which is no error to speak of.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Says something on stderr, which may be gone: that is no reason to end a run.
fn talk(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The signals that come from now on. A connection that drops does not end a run.
fn watch_signals() -> std::io::Result<Receiver<i32>> {
    let (sender, receiver) = unbounded();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// Tells of downloads now and then.
#[derive(Default)]
struct Downloads {
    told: Option<Instant>,
}

impl Downloads {
    fn tell(&mut self, download: &Download) {
        const PAUSE: Duration = Duration::from_secs(5);
        let whole = download.total > 0 && download.done >= download.total;
        if whole || self.told.is_none_or(|told| told.elapsed() >= PAUSE) {
            self.told = Some(Instant::now());
            talk(&download_line(download));
        }
    }
}

/// Turns events into lines.
#[derive(Default)]
pub struct Lines {
    known: Known,
    /// Loss of the steps since the last log line.
    loss: f64,
    steps: u64,
    last: Option<Evaluated>,
    checkpoint: Option<Saved>,
}

impl Lines {
    /// Takes in what happened before the run was resumed.
    fn went_before(&mut self, events: &[TrainEvent]) {
        let logging_steps = self.known.started.as_ref().map_or(1, |s| s.logging_steps);
        for loss in untold_losses(events, logging_steps) {
            self.loss += loss;
            self.steps += 1;
        }
    }

    /// Tells an event; what went wrong goes to stderr.
    ///
    /// # Errors
    /// What the system says of the output.
    pub fn write(
        &mut self,
        event: &TrainEvent,
        out: &mut (impl Write + ?Sized),
    ) -> std::io::Result<()> {
        match event {
            TrainEvent::Started(started) => {
                write_started(started, out)?;
                self.known.started = Some(started.clone());
            }
            TrainEvent::Step(step) => self.step(step, out)?,
            TrainEvent::Epoch(epoch) => {
                let epochs = self.known.started.as_ref().map_or(0.0, |s| s.num_train_epochs);
                writeln!(
                    out,
                    "epoch {}/{epochs}  train_loss {:.4}  train_accuracy {:.4}  train_f1 {:.4}",
                    epoch.epoch, epoch.train_loss, epoch.train_accuracy, epoch.train_f1
                )?;
            }
            TrainEvent::Evaluated(evaluated) => {
                self.last = Some(evaluated.clone());
                self.known.throughput.push_evaluation(evaluated);
                let metrics = &evaluated.metrics;
                writeln!(
                    out,
                    "epoch {:.2}  eval_loss {:.4}  eval_accuracy {:.4}  eval_f1 {:.4}  \
                     ({} samples in {:.1} s)",
                    evaluated.epoch,
                    metrics.eval_loss,
                    metrics.eval_accuracy,
                    metrics.eval_f1,
                    metrics.eval_samples,
                    metrics.eval_runtime
                )?;
            }
            TrainEvent::BestLoaded(best) => {
                self.last = Some(best.clone());
                writeln!(out, "went back to the best model, of step {}", best.step)?;
            }
            TrainEvent::Checkpoint(saved) => {
                self.checkpoint = Some(saved.clone());
                self.known.throughput.push_checkpoint(saved);
                writeln!(out, "checkpoint {}", saved.path)?;
            }
            TrainEvent::Warned(warned) => talk(&format!("warning: {}", warned.message)),
            TrainEvent::Steered(steered) => {
                writeln!(out, "step {}: {}", steered.step, steered.how)?;
            }
            TrainEvent::Saved(saved) => {
                writeln!(out, "saved {} at step {}", saved.path, saved.step)?;
            }
            TrainEvent::Finished(finished) => self.finished(finished, out)?,
            TrainEvent::Failed(failed) => {
                talk(&format!("error: {}", failed.message));
                if let Some(hint) = &failed.hint {
                    talk(hint);
                }
            }
        }
        out.flush()
    }

    fn step(&mut self, step: &Step, out: &mut (impl Write + ?Sized)) -> std::io::Result<()> {
        self.loss += step.loss;
        self.steps += 1;
        self.known.throughput.push_step(step);
        let Some(started) = &self.known.started else {
            return Ok(());
        };
        if !step.step.is_multiple_of(started.logging_steps) && step.loss.is_finite() {
            return Ok(());
        }
        write!(
            out,
            "step {}/{}  epoch {:.2}  loss {:.4}  grad_norm {:.4}  learning_rate {:.4e}",
            step.step,
            started.max_steps,
            step.epoch,
            self.loss / self.steps as f64,
            step.grad_norm,
            step.learning_rate,
        )?;
        if let Some(rates) = self.known.throughput.rates() {
            write!(out, "  {:.0} samples/s  {:.0} tokens/s", rates.samples, rates.tokens)?;
        }
        if let Some(left) = self.known.throughput.eta(started, step.step, None) {
            write!(out, "  {} left", clock(left))?;
        }
        writeln!(out)?;
        (self.loss, self.steps) = (0.0, 0);
        Ok(())
    }

    fn finished(
        &self,
        finished: &Finished,
        out: &mut (impl Write + ?Sized),
    ) -> std::io::Result<()> {
        if finished.stopped {
            writeln!(out, "stopped at step {}", finished.global_step)?;
        }
        writeln!(out, "{}", train_output(finished))?;
        if let Some(last) = &self.last {
            writeln!(out, "{}", evaluation(last))?;
        }
        match self
            .known
            .started
            .as_ref()
            .and_then(|started| how_to_go_on(started, finished, self.checkpoint.as_ref()))
        {
            Some(hint) => writeln!(out, "{hint}"),
            None => Ok(()),
        }
    }
}

fn write_started(started: &Started, out: &mut (impl Write + ?Sized)) -> std::io::Result<()> {
    writeln!(
        out,
        "{}: {}, {:.2} M parameters",
        started.model,
        started.architecture,
        started.parameters as f64 / 1e6
    )?;
    writeln!(
        out,
        "{} training and {} evaluation samples, {} steps an epoch, {} in all ({} epochs)",
        started.train_samples,
        started.eval_samples,
        started.steps_per_epoch,
        started.max_steps,
        show_number(started.num_train_epochs),
    )?;
    let labels = started.labels.join(", ");
    match &started.labels[..] {
        [_, positive] => writeln!(out, "classes: {labels}; F1 is that of {positive}")?,
        _ => writeln!(out, "{} classes: {labels}; F1 is their mean", started.labels.len())?,
    }
    for setting in &started.settings {
        writeln!(out, "  {} = {} ({})", setting.name, setting.value, setting.why)?;
    }
    for note in &started.notes {
        writeln!(out, "note: {note}")?;
    }
    if started.resumed_at > 0 {
        writeln!(out, "going on from step {}", started.resumed_at)?;
    }
    Ok(())
}
