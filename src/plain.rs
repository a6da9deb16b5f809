//! A run as lines, for pipes, logs and terminals that cannot draw.

use crate::config::show_number;
use crate::summary::{clock, evaluation, train_output};
use crate::text::to_json;
use crate::train::event::{Evaluated, Finished, Started, Step, TrainEvent};
use crate::worker::{Activity, Command, Report, Worker};
use crossbeam_channel::RecvTimeoutError;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How a run ended, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Finished,
    /// Something went wrong; it has been said.
    Failed,
    /// A signal of this number stopped it; the model was saved.
    Signalled(u8),
}

/// Follows a run to its end; `started` is what is known of a run that has begun already. The first SIGINT or SIGTERM stops it and saves the model; a second
/// one ends the program at once.
///
/// # Errors
/// If the output cannot be written; the run is then stopped and its model saved first.
pub fn follow(
    worker: Worker,
    json: bool,
    started: Option<Started>,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let (stop, signal) = watch_signals()?;
    let mut lines = Lines { started, ..Lines::default() };
    let mut ending = Ending::Finished;
    let mut written = Ok(());
    let mut stopping = false;
    loop {
        let report = match worker.reports.recv_timeout(Duration::from_millis(100)) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if !stopping && (stop.load(Ordering::Relaxed) || written.is_err()) {
            stopping = true;
            talk("Stopping and saving the model; a second signal ends the program at once.");
            // A run that has ended needs no stopping.
            let _ = worker.commands.send(Command::Stop { evaluate: false });
        }
        match report {
            Some(Report::Activity(Activity::Idle)) => break,
            Some(Report::Activity(Activity::Preparing(what))) if !json => {
                talk(&format!("{what} …"));
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
    match signal.load(Ordering::Relaxed) {
        0 => Ok(ending),
        number => Ok(Ending::Signalled(number as u8)),
    }
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
    Ok((stop, number))
}

/// Turns events into lines.
#[derive(Default)]
struct Lines {
    started: Option<Started>,
    /// Loss, samples and tokens since the last log line, and the steps they are from.
    loss: f64,
    samples: usize,
    tokens: usize,
    steps: u64,
    since: f64,
    last: Option<Evaluated>,
}

impl Lines {
    fn write(&mut self, event: &TrainEvent, out: &mut impl Write) -> std::io::Result<()> {
        match event {
            TrainEvent::Started(started) => {
                write_started(started, out)?;
                self.started = Some(started.clone());
            }
            TrainEvent::Step(step) => self.step(step, out)?,
            TrainEvent::Epoch(epoch) => {
                let epochs = self.started.as_ref().map_or(0.0, |s| s.num_train_epochs);
                writeln!(
                    out,
                    "epoch {}/{epochs}  train_loss {:.4}  train_accuracy {:.4}  train_f1 {:.4}",
                    epoch.epoch, epoch.train_loss, epoch.train_accuracy, epoch.train_f1
                )?;
            }
            TrainEvent::Evaluated(evaluated) => {
                self.last = Some(evaluated.clone());
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

    fn step(&mut self, step: &Step, out: &mut impl Write) -> std::io::Result<()> {
        self.loss += step.loss;
        self.samples += step.samples;
        self.tokens += step.tokens;
        self.steps += 1;
        let Some(started) = &self.started else {
            return Ok(());
        };
        if !step.step.is_multiple_of(started.logging_steps) && step.loss.is_finite() {
            return Ok(());
        }
        let seconds = (step.elapsed - self.since).max(1e-9);
        let left = step.elapsed / step.step as f64 * (started.max_steps - step.step) as f64;
        writeln!(
            out,
            "step {}/{}  epoch {:.2}  loss {:.4}  grad_norm {:.4}  learning_rate {:.4e}  \
             {:.0} samples/s  {:.0} tokens/s  {} left",
            step.step,
            started.max_steps,
            step.epoch,
            self.loss / self.steps as f64,
            step.grad_norm,
            step.learning_rate,
            self.samples as f64 / seconds,
            self.tokens as f64 / seconds,
            clock(left),
        )?;
        (self.loss, self.samples, self.tokens, self.steps) = (0.0, 0, 0, 0);
        self.since = step.elapsed;
        Ok(())
    }

    fn finished(&self, finished: &Finished, out: &mut impl Write) -> std::io::Result<()> {
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

fn write_started(started: &Started, out: &mut impl Write) -> std::io::Result<()> {
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
    Ok(())
}
