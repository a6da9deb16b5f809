//! The training loop's observer: it reports events and activities to the front end, handles
//! predictions between batches, and passes the other commands to the loop.

use super::PreparedRun;
use super::kept::MAX_PROBES;
use super::reporter::Reporter;
use crate::core::attribution::ExplainMethod;
use crate::core::engine::{Engine, Logits};
use crate::core::text::sanitize_for_terminal;
use crate::core::train::event::{CommandEffect, Evaluated, EvaluationProgress, TrainEvent};
use crate::core::train::{Checkpoint, Command, Observer, Outcomes};
use crate::run::protocol::{Activity, Answer, Explanation, RunReport};
use crate::run::system_metrics::process_memory;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

/// The observer of a run's training loop.
pub(super) struct WorkerObserver<'a, 'c> {
    reporter: &'a mut Reporter<'c>,
    run: &'a PreparedRun,
    /// The last step that was applied.
    step: u64,
    paused: bool,
    /// The pinned sentences.
    probes: Vec<String>,
    /// Commands that arrived within a step.
    postponed: VecDeque<Command>,
}

impl<'a, 'c> WorkerObserver<'a, 'c> {
    /// An observer of a run that has done `step` steps.
    pub fn new(reporter: &'a mut Reporter<'c>, run: &'a PreparedRun, step: u64) -> Self {
        let (probes, postponed) = (run.probes.clone(), VecDeque::new());
        Self { reporter, run, step, paused: false, probes, postponed }
    }

    /// The last step that was applied.
    pub fn step(&self) -> u64 {
        self.step
    }

    fn report(&self, activity: Activity) {
        self.reporter.channels.send(RunReport::Activity(activity));
    }

    /// Pins a sentence, or reports why it is not pinned. Returns whether it is.
    fn pin(&mut self, text: &str, engine: &mut dyn Engine) -> bool {
        if self.probes.iter().any(|pinned| pinned == text) {
            return true;
        }
        let refusal = if text.trim().is_empty() {
            Err("it has no text".to_owned())
        } else if self.probes.len() >= MAX_PROBES {
            Err(format!("at most {MAX_PROBES} sentences can be pinned"))
        } else {
            self.run.classify_probes(&[text.to_owned()], engine).map(drop)
        };
        match &refusal {
            Ok(()) => self.probes.push(text.to_owned()),
            Err(reason) => self.reporter.warn(&format!("the sentence is not pinned: {reason}")),
        }
        refusal.is_ok()
    }

    /// Pins a sentence no longer, or reports that it was not pinned. Returns whether it was.
    fn unpin(&mut self, text: &str) -> bool {
        let pinned = self.probes.len();
        // A front end may have the sentence as it is shown.
        self.probes.retain(|pinned| pinned != text && sanitize_for_terminal(pinned) != text);
        let was_pinned = self.probes.len() < pinned;
        if !was_pinned {
            self.reporter.warn("the sentence is not pinned");
        }
        was_pinned
    }

    /// Explains the prediction of a text, until a newer command arrives.
    fn explain(&self, text: String, logits: &mut Logits<'_>) {
        let channels = self.reporter.channels;
        let continues = &mut || channels.commands.is_empty();
        self.explained(self.run.explain(text, logits, continues));
    }

    /// Reports an explanation by the weights after the last step that was applied.
    fn explained(&self, explanation: Explanation) {
        let explanation = Explanation { step: Some(self.step), ..explanation };
        self.reporter.channels.send(RunReport::Explained(explanation));
    }

    /// Whether an explanation waits for the end of the step.
    fn postpones_explanation(&self) -> bool {
        self.postponed.iter().any(|command| matches!(command, Command::Explain { .. }))
    }

    /// Cancels what still waits for the end of a step when the run has ended, so that it is asked again.
    pub fn cancel_postponed(&mut self) {
        for command in self.postponed.drain(..) {
            if let Command::Explain { text, .. } = command {
                let cancelled = Explanation::new(text, Ok(None));
                self.reporter.channels.send(RunReport::Explained(cancelled));
            }
        }
    }

    /// Reports the activity between evaluations and checkpoints.
    fn report_training(&self) {
        self.report(if self.paused { Activity::Paused } else { Activity::Training });
    }
}

impl Observer for WorkerObserver<'_, '_> {
    fn rolled_back(&mut self, checkpoint: &Checkpoint, failed: u64) {
        self.reporter.roll_back(checkpoint, failed);
    }

    fn evaluated(
        &mut self,
        engine: &mut dyn Engine,
        evaluated: &mut Evaluated,
        outcomes: Option<&Outcomes>,
    ) {
        if !self.probes.is_empty() {
            match self.run.classify_probes(&self.probes, engine) {
                Ok(probes) => evaluated.probes = probes,
                Err(reason) => {
                    self.reporter.warn(&format!("the pinned sentences have no answer: {reason}"));
                }
            }
        }
        if let Some(outcomes) = outcomes {
            self.reporter.recorder.predictions(evaluated, outcomes);
        }
    }

    fn publish(&mut self, event: TrainEvent) {
        self.reporter.notifier.touch();
        match &event {
            TrainEvent::SavingCheckpoint => return self.report(Activity::Saving),
            TrainEvent::EvaluationProgress(EvaluationProgress { done, total }) => {
                let (done, total) = (*done, *total);
                self.report(Activity::Evaluating { done, total });
                if done >= total {
                    self.report_training();
                }
                return;
            }
            TrainEvent::Step(step) if step.is_finite() => self.step = step.step,
            TrainEvent::RolledBack(rolled_back) => self.step = rolled_back.step,
            TrainEvent::CommandApplied(applied) => match applied.effect {
                CommandEffect::Paused => self.paused = true,
                CommandEffect::Resumed { .. } => self.paused = false,
                _ => {}
            },
            _ => {}
        }
        let changes_activity = matches!(
            event,
            TrainEvent::Checkpoint(_) | TrainEvent::Warned(_) | TrainEvent::CommandApplied(_)
        );
        let load = match &event {
            TrainEvent::Step(step) if step.is_finite() => self.reporter.load.after(step),
            _ => None,
        };
        self.reporter.publish(event);
        if let Some(measured) = load {
            self.reporter.publish(TrainEvent::System(measured));
        }
        if changes_activity {
            self.report_training();
        }
    }

    fn memory(&mut self) -> u64 {
        process_memory()
    }

    fn during_step(&mut self, logits: &mut Logits<'_>) {
        let channels = self.reporter.channels;
        while let Ok(command) = channels.commands.try_recv() {
            match command {
                Command::Predict { text } => {
                    let answer = self.run.answer(text, logits, self.reporter.temperature);
                    channels.send(RunReport::Answer(Answer { step: Some(self.step), ..answer }));
                }
                // Explanations keep their order, by which they are sent to those who asked. Integrated
                // gradients wait for the engine.
                Command::Explain { text, method: ExplainMethod::Occlusion }
                    if !self.postpones_explanation() =>
                {
                    self.explain(text, logits);
                }
                command => self.postponed.push_back(command),
            }
        }
    }

    fn next_command(&mut self, engine: &mut dyn Engine, paused: bool) -> Option<Command> {
        let channels = self.reporter.channels;
        if !paused && pauses_for_test(self.step) {
            return Some(Command::Pause);
        }
        loop {
            let postponed = self.postponed.pop_front();
            let command = if let Some(command) = postponed {
                command
            } else if paused {
                channels.commands.recv().ok()?
            } else {
                channels.commands.try_recv().ok()?
            };
            match command {
                Command::Predict { text } => {
                    let logits = &mut |batch: &_| engine.logits(batch);
                    let answer = self.run.answer(text, logits, self.reporter.temperature);
                    channels.send(RunReport::Answer(Answer { step: Some(self.step), ..answer }));
                }
                Command::Pin { text } => {
                    if self.pin(&text, engine) {
                        return Some(Command::Pin { text });
                    }
                }
                Command::Unpin { text } => {
                    if self.unpin(&text) {
                        return Some(Command::Unpin { text });
                    }
                }
                Command::Explain { text, method } => {
                    let continues = &mut || channels.commands.is_empty();
                    let explained = self.run.explain_by(method, text, engine, continues);
                    self.explained(explained);
                }
                // The model can be saved on request only after training has ended.
                Command::SaveModel | Command::TakeKeys => {}
                command => return Some(command),
            }
        }
    }
}

/// A hook for tests: in builds with debug assertions, a run pauses once after the step in the
/// environment variable `NSMC_TUI_TEST_PAUSE`. In release builds it does not.
fn pauses_for_test(step: u64) -> bool {
    static PAUSED: AtomicBool = AtomicBool::new(false);
    let requested = || std::env::var("NSMC_TUI_TEST_PAUSE").is_ok_and(|at| at == step.to_string());
    cfg!(debug_assertions) && requested() && !PAUSED.swap(true, Ordering::Relaxed)
}
