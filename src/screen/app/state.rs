//! Everything the dashboard shows.

use super::charts::Charts;
use super::layout::FrameLayout;
use super::log::{Level, Log};
use super::palette::Palette;
use super::panels::Arrangement;
use super::prompt::Prompt;
use super::replay::Replay;
use super::runs::Runs;
use super::steer::RateInput;
use super::system::SystemHistory;
use super::throughput::Throughput;
use crate::core::train::event::{Epoch, Evaluated, Failed, Finished, Saved, Started, Step};
use crate::core::train::steering::Steered;
use crate::run::metric_series::history::{History, SMOOTHING};
use crate::run::worker::Activity;
use crate::screen::lang::Lang;
use std::path::PathBuf;

/// A page of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Charts, scores and progress.
    #[default]
    Train,
    /// Asking the model.
    Predict,
    /// What holds for this run, and why.
    Settings,
    /// The run told in lines.
    Log,
    /// Runs side by side.
    Runs,
}

impl Page {
    /// All pages of a run, in the order of their tabs.
    pub const ALL: [Self; 4] = [Self::Train, Self::Predict, Self::Settings, Self::Log];

    /// What its tab says.
    pub fn title(self) -> &'static str {
        match self {
            Self::Train => "Train",
            Self::Predict => "Predict",
            Self::Settings => "Settings",
            Self::Log => "Log",
            Self::Runs => "Runs",
        }
    }
}

/// What lies over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The keys.
    Help,
    /// Whether to leave while training runs.
    ConfirmQuit,
    /// Whether to leave although the model could not be saved.
    ConfirmUnsaved,
    /// Which learning rate to go on with.
    LearningRate,
    /// All that can be done, to choose from.
    Palette,
}

/// Something the user is told for a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// What.
    pub text: String,
    /// Since when, in seconds since the program started.
    pub since: f64,
}

/// One epoch's figures, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochRow {
    /// Counted from 1.
    pub number: u64,
    /// What training says of it.
    pub train: Option<Epoch>,
    /// The evaluation at its end.
    pub eval: Option<Evaluated>,
}

/// Everything the dashboard shows.
#[derive(Clone, Debug)]
pub struct State {
    /// The language it speaks.
    pub lang: Lang,
    /// The page on view.
    pub page: Page,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// What the run is doing.
    pub activity: Activity,
    /// What holds for the run, once it has started.
    pub started: Option<Started>,
    /// The latest step.
    pub step: Option<Step>,
    /// Every figure that has a curve.
    pub history: History,
    /// How strongly noisy curves are smoothed, as TensorBoard counts it: 0 to 0.99.
    pub smoothing: f64,
    /// How the charts are looked at.
    pub charts: Charts,
    /// How the panels of the training page are arranged.
    pub arrangement: Arrangement,
    /// Figures an epoch.
    pub epochs: Vec<EpochRow>,
    /// The latest evaluation.
    pub evaluated: Option<Evaluated>,
    /// The evaluation with the highest accuracy.
    pub best: Option<Evaluated>,
    /// The end of the run, if it ended as it should.
    pub finished: Option<Finished>,
    /// The end of the run, or of saving it, if that went wrong.
    pub failed: Option<Failed>,
    /// The latest checkpoint.
    pub checkpoint: Option<Saved>,
    /// The saved model.
    pub saved: Option<Saved>,
    /// Speed and time left.
    pub pace: Throughput,
    /// What the machine was doing.
    pub system: SystemHistory,
    /// What stands below the page for a moment.
    pub notice: Option<Notice>,
    /// The run told in lines.
    pub log: Log,
    /// The predict pane.
    pub prompt: Prompt,
    /// All that can be done, while it is chosen from.
    pub palette: Palette,
    /// Lines of the settings page scrolled away.
    pub settings_scroll: usize,
    /// Lines of the help scrolled away.
    pub help_scroll: usize,
    /// Where the last frame placed things.
    pub layout: FrameLayout,
    /// Seconds since the program started.
    pub now: f64,
    /// When training began, on the same clock.
    pub began: Option<f64>,
    /// The local time when the program started, in seconds since 1970; `None` where no clock on
    /// the wall can be told, as in a replay.
    pub wall_clock: Option<f64>,
    /// How the user has steered the run.
    pub steered: Vec<Steered>,
    /// When the run was paused, on the clock of [`Self::now`], while it is.
    pub paused_at: Option<f64>,
    /// Whether the run is to end with the current epoch.
    pub stop_after_epoch: bool,
    /// The learning rate that is being typed.
    pub rate: RateInput,
    /// Set if the run is played back rather than under way.
    pub replay: Option<Replay>,
    /// Set if runs are compared, and none is under way.
    pub runs: Option<Runs>,
    /// Whether the user has asked to end the run.
    pub stopping: bool,
    /// Whether to leave as soon as the run has ended.
    pub quitting: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            lang: Lang::default(),
            page: Page::default(),
            overlay: None,
            activity: Activity::Preparing("Starting".to_owned()),
            started: None,
            step: None,
            history: History::default(),
            smoothing: SMOOTHING,
            charts: Charts::default(),
            arrangement: Arrangement::default(),
            epochs: Vec::new(),
            evaluated: None,
            best: None,
            finished: None,
            failed: None,
            checkpoint: None,
            saved: None,
            pace: Throughput::default(),
            system: SystemHistory::default(),
            notice: None,
            log: Log::default(),
            prompt: Prompt::default(),
            palette: Palette::default(),
            settings_scroll: 0,
            help_scroll: 0,
            layout: FrameLayout::default(),
            now: 0.0,
            began: None,
            wall_clock: None,
            steered: Vec::new(),
            paused_at: None,
            stop_after_epoch: false,
            rate: RateInput::default(),
            replay: None,
            runs: None,
            stopping: false,
            quitting: false,
        }
    }
}

impl State {
    /// Without a run.
    pub fn idle() -> Self {
        Self { activity: Activity::Idle, ..Self::default() }
    }

    /// The pages there are, in the order of their tabs.
    pub fn pages(&self) -> &'static [Page] {
        if self.runs.is_some() { &[Page::Runs] } else { &Page::ALL }
    }

    /// The last step that charts show.
    pub fn end(&self) -> f64 {
        self.runs.as_ref().map_or_else(|| self.steps_done() as f64, Runs::end)
    }

    /// Where the run lies whose pictures can be drawn.
    pub fn folder(&self) -> Option<PathBuf> {
        match (&self.runs, &self.replay) {
            (Some(runs), _) => runs.here().map(|found| found.folder.clone()),
            (None, Some(replay)) => replay.folder.clone(),
            (None, None) => self.started.as_ref().map(|started| (&started.output_dir).into()),
        }
    }

    /// Whether a run is under way, which leaving would end.
    pub fn is_running(&self) -> bool {
        self.activity != Activity::Idle
    }

    /// Whether a trained model exists in memory only.
    pub fn is_unsaved(&self) -> bool {
        let over = self.finished.is_some() || self.failed.is_some();
        self.replay.is_none() && over && self.steps_done() > 0 && self.saved.is_none()
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        let resumed = self.started.as_ref().map_or(0, |started| started.resumed_at);
        self.step.as_ref().map_or(0, |step| step.step).max(resumed)
    }

    /// Seconds since training began: of the whole run, once it has ended.
    pub fn elapsed(&self) -> f64 {
        if let Some(finished) = &self.finished {
            return finished.metrics.train_runtime;
        }
        match (self.began, &self.replay) {
            (Some(_), Some(replay)) if self.is_running() => replay.elapsed(self.now),
            (Some(began), None) if self.is_running() => {
                let before = self.started.as_ref().map_or(0.0, |started| started.resumed_elapsed);
                before + self.paused_at.unwrap_or(self.now) - began
            }
            _ => self.step.as_ref().map_or(0.0, |step| step.elapsed),
        }
    }

    /// The local time of second 0 of training, in seconds since 1970. What was trained before the
    /// run was resumed is counted as if it had just come before.
    pub fn clock_when_training_began(&self) -> Option<f64> {
        let before = self.started.as_ref().map_or(0.0, |started| started.resumed_elapsed);
        Some(self.wall_clock? + self.began? - before)
    }

    /// The share of the current evaluation that is done, while there is one.
    pub fn evaluating(&self) -> Option<f64> {
        match self.activity {
            Activity::Evaluating(done, total) => Some(done as f64 / total.max(1) as f64),
            _ => None,
        }
    }

    /// Seconds until the run ends.
    pub fn left(&self) -> Option<f64> {
        if !self.is_running() {
            return None;
        }
        let started = self.started.as_ref()?;
        self.pace.left(started, self.steps_done(), self.evaluating())
    }
}
