//! The observer of a run that somebody watches: it passes on what the trainer publishes, answers
//! questions between batches, and hands on what is asked of the run.

use super::{Activity, Command, Link, Report, Run};
use crate::core::engine::Engine;
use crate::core::train::event::TrainEvent;
use crate::core::train::steering::{Request, Steering};
use crate::core::train::trainer_state::LogEntry;
use crate::core::train::{Control, Observer};
use std::collections::VecDeque;

/// Watches a run.
pub(super) struct Watcher<'a> {
    link: &'a Link,
    run: &'a Run,
    /// The last step whose figures were finite.
    pub(super) step: u64,
    /// What was asked in the middle of an evaluation, to be obeyed after it.
    asked: VecDeque<Request>,
    paused: bool,
}

impl<'a> Watcher<'a> {
    /// Watches a run that stands at `step`.
    pub(super) fn new(link: &'a Link, run: &'a Run, step: u64) -> Self {
        Self { link, run, step, asked: VecDeque::new(), paused: false }
    }

    /// What the run is doing when it does nothing in particular.
    fn rest(&self) {
        let activity = if self.paused { Activity::Paused } else { Activity::Training };
        self.link.send(Report::Activity(activity));
    }

    fn take(&mut self, command: Command, engine: &mut dyn Engine) {
        let request = match command {
            Command::Predict(text) => return self.link.answer(text, self.run, engine),
            Command::Save | Command::ReadCurves(_) => return,
            Command::Stop { evaluate } => Request::Stop { evaluate },
            Command::Steer(request) => request,
        };
        self.asked.push_back(request);
    }

    /// A stop, if one was asked for; what else was asked for is then of no more use.
    fn stop(&self) -> Option<Control> {
        self.asked.iter().find_map(|request| match request {
            Request::Stop { evaluate } => Some(Control::Stop { evaluate: *evaluate }),
            _ => None,
        })
    }
}

impl Observer for Watcher<'_> {
    fn publish(&mut self, event: TrainEvent) {
        match &event {
            TrainEvent::Step(step) if step.loss.is_finite() && step.grad_norm.is_finite() => {
                self.step = step.step;
            }
            TrainEvent::Steered(steered) => match steered.how {
                Steering::Paused => self.paused = true,
                Steering::Resumed { .. } => self.paused = false,
                _ => {}
            },
            _ => {}
        }
        let rests = matches!(
            event,
            TrainEvent::Checkpoint(_) | TrainEvent::Warned(_) | TrainEvent::Steered(_)
        );
        self.run.tell(self.link, event);
        if rests {
            self.rest();
        }
    }

    fn logged(&mut self, entry: &LogEntry) {
        self.run.recorder.borrow_mut().logged(entry);
    }

    fn saving(&mut self) {
        self.link.send(Report::Activity(Activity::Saving));
    }

    fn evaluating(&mut self, done: usize, total: usize) {
        self.link.send(Report::Activity(Activity::Evaluating(done, total)));
        if done >= total {
            self.rest();
        }
    }

    fn between_batches(&mut self, engine: &mut dyn Engine) -> Control {
        while let Ok(command) = self.link.command.try_recv() {
            self.take(command, engine);
        }
        self.stop().unwrap_or(Control::Continue)
    }

    fn request(&mut self, engine: &mut dyn Engine, paused: bool) -> Option<Request> {
        while let Ok(command) = self.link.command.try_recv() {
            self.take(command, engine);
        }
        while paused && self.asked.is_empty() {
            match self.link.command.recv() {
                Ok(command) => self.take(command, engine),
                Err(_) => return None,
            }
        }
        self.asked.pop_front()
    }
}
