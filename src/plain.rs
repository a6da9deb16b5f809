//! A run as lines, for pipes, logs and terminals that cannot draw.

use crate::app::pace::Pace;
use crate::config::show_number;
use crate::summary::{clock, download_line, evaluation, train_output};
use crate::text::to_json;
use crate::train::event::{Evaluated, Finished, Started, Step, TrainEvent};
use crate::worker::locate::Download;
use crate::worker::{Activity, Command, Report, Worker};
use crossbeam_channel::RecvTimeoutError;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What is known of a run that has begun already.
#[derive(Default)]
pub struct Known {
    /// What holds for it.
    pub started: Option<Started>,
    /// How fast it goes.
    pub pace: Pace,
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

/// Follows a run to its end; `known` is what a dashboard knew of it. The first SIGINT or SIGTERM stops it and saves the model; a second
/// one ends the program at once.
///
/// # Errors
/// If the output cannot be written. A run whose reader went away is stopped and its model saved;
/// any other trouble with the output is told when the run has ended.
pub fn follow(
    worker: Worker,
    json: bool,
    known: Known,
    out: &mut (impl Write + ?Sized),
) -> anyhow::Result<Ending> {
    let (stop, signal) = watch_signals()?;
    let mut lines = Lines { known, ..Lines::default() };
    let mut ending = Ending::Finished;
    let mut written: anyhow::Result<()> = Ok(());
    let mut stopping = false;
    let mut downloads = Downloads::default();
    loop {
        let report = match worker.reports.recv_timeout(Duration::from_millis(100)) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if !stopping
            && (stop.load(Ordering::Relaxed) || written.as_ref().is_err_and(is_broken_pipe))
        {
            stopping = true;
            talk(if written.is_err() {
                "The output was closed: stopping the run and saving the model."
            } else {
                "Stopping the run; a second signal ends the program at once."
            });
            // A run that has ended needs no stopping.
            let _ = worker.commands.send(Command::Stop { evaluate: false });
        }
        match report {
            Some(Report::Activity(Activity::Idle)) => break,
            Some(Report::Activity(Activity::Preparing(what))) if !json => {
                talk(&format!("{what} …"));
            }
            Some(Report::Activity(Activity::Downloading(download))) if !json => {
                downloads.tell(&download);
            }
            Some(Report::Event(event)) => {
                if let TrainEvent::Failed(_) = event {
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
    written?;
    match (ending, signal.load(Ordering::Relaxed)) {
        (Ending::Failed, _) | (_, 0) => Ok(ending),
        (_, number) => Ok(Ending::Signalled(number as u8)),
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

/// A flag that a first signal sets, and the number of the signal.
fn watch_signals() -> std::io::Result<(Arc<AtomicBool>, Arc<AtomicUsize>)> {
    let (stop, number) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the shutdown looks at the flag before the first signal sets it.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
        signal_hook::flag::register_usize(signal, number.clone(), signal as usize)?;
    }
    // A connection that drops does not end a run.
    signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
    Ok((stop, number))
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
struct Lines {
    known: Known,
    /// Loss of the steps since the last log line.
    loss: f64,
    steps: u64,
    last: Option<Evaluated>,
}

impl Lines {
    fn write(
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
                self.known.pace.evaluated(evaluated);
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
            TrainEvent::Checkpoint(saved) => writeln!(out, "checkpoint {}", saved.path)?,
            TrainEvent::Warned(warned) => talk(&format!("warning: {}", warned.message)),
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
        self.known.pace.step(step);
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
        if let Some(rates) = self.known.pace.rates() {
            write!(out, "  {:.0} samples/s  {:.0} tokens/s", rates.samples, rates.tokens)?;
        }
        if let Some(left) = self.known.pace.left(started, step.step, None) {
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
        match &self.last {
            Some(last) => writeln!(out, "{}", evaluation(last)),
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
        show_number(&started.num_train_epochs),
    )?;
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
