//! The whole state of the dashboard.

use super::charts::Charts;
use super::help::Help;
use super::layout::FrameLayout;
use super::log::{Level, Log};
use super::mistakes::Mistakes;
use super::page::{Overlay, Page};
use super::palette::CommandPalette;
use super::panels::{ContentSize, PanelGrid};
use super::prompt::Prompt;
use super::replay::Replay;
use super::run_control::{LearningRateInput, PendingRequests};
use super::runs::RunComparison;
use super::system::SystemHistory;
use super::throughput::Throughput;
use super::words::Words;
use crate::core::train::event::{
    CommandApplied, Epoch, Evaluated, Failed, Finished, PAIR_SETTING, Saved, Started, Step,
};
use crate::core::train::verdict::RunWatch;
use crate::run::metric_series::history::{History, SMOOTHING};
use crate::run::protocol::{Activity, SessionStatus};
use crate::screen::display::ThemeChoice;
use crate::screen::lang::Lang;
use std::path::PathBuf;

/// A message that is shown for a short time.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its severity.
    pub level: Level,
    /// The message.
    pub text: String,
    /// When it appeared, in seconds since the program started.
    pub since: f64,
}

/// The metrics of one epoch, as far as known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochRow {
    /// The number of the epoch, from 1.
    pub number: u64,
    /// The training metrics.
    pub train: Option<Epoch>,
    /// The evaluation at its end.
    pub eval: Option<Evaluated>,
}

/// The process of the run that the dashboard shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunLocation {
    /// This process, which can continue in the background.
    #[default]
    Here,
    /// Another process, which the dashboard is attached to.
    Attached {
        /// Its number.
        pid: u32,
    },
    /// A process that cannot be reached: its journal is read, and it takes no commands.
    Unreachable,
}

/// A saved model that is asked without a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedModel {
    /// Its name.
    pub name: String,
    /// The name of the model that it is compared with, if there is one.
    pub compared: Option<String>,
    /// Whether a part of it, or of the compared one, has random weights, so that its answers mean
    /// nothing.
    pub is_untrained: bool,
    /// Whether each text is a pair.
    pub reads_pairs: bool,
}

/// The whole state of the dashboard.
#[derive(Clone, Debug)]
pub struct State {
    /// The language of the dashboard.
    pub lang: Lang,
    /// The current page.
    pub page: Page,
    /// The overlay over the page.
    pub overlay: Option<Overlay>,
    /// What the run is doing.
    pub activity: Activity,
    /// The stages of the preparation, and when each began, on the clock of [`Self::now`].
    pub stages: Vec<(String, f64)>,
    /// The settings and sizes of the run, once it has started.
    pub started: Option<Started>,
    /// The latest step.
    pub step: Option<Step>,
    /// The curves of all metrics.
    pub history: History,
    /// The smoothing factor of noisy curves, as in TensorBoard: 0 to 0.99.
    pub smoothing: f64,
    /// How the charts are viewed.
    pub charts: Charts,
    /// The arrangement of the panels of the training page.
    pub panels: PanelGrid,
    /// What the verdict on the run follows from.
    pub watch: RunWatch,
    /// The metrics of each epoch.
    pub epochs: Vec<EpochRow>,
    /// The latest evaluation.
    pub evaluated: Option<Evaluated>,
    /// The evaluation with the highest accuracy.
    pub best: Option<Evaluated>,
    /// The end of the run, if it succeeded or was stopped.
    pub finished: Option<Finished>,
    /// The failure of the run, or of saving its model.
    pub failed: Option<Failed>,
    /// The latest checkpoint.
    pub checkpoint: Option<Saved>,
    /// The saved model.
    pub saved: Option<Saved>,
    /// Speed and estimated time of arrival.
    pub throughput: Throughput,
    /// CPU, memory and GPU use.
    pub system: SystemHistory,
    /// The message below the page.
    pub notice: Option<Notice>,
    /// The log of the run.
    pub log: Log,
    /// The input and the answers of the predict page.
    pub prompt: Prompt,
    /// The reviews behind the numbers.
    pub mistakes: Box<Mistakes>,
    /// The words of the answered text.
    pub words: Words,
    /// The command palette, while it is open.
    pub palette: CommandPalette,
    /// The first visible line of the settings page.
    pub settings_scroll: usize,
    /// The help, while it is open.
    pub help: Help,
    /// The theme that was chosen in the dashboard; `None` is the one of the options.
    pub theme: Option<ThemeChoice>,
    /// The layout of the last frame.
    pub layout: FrameLayout,
    /// Seconds since the program started.
    pub now: f64,
    /// The time of the latest event that has one, in seconds since training began.
    pub event_time: f64,
    /// When training began, in seconds since the program started.
    pub began: Option<f64>,
    /// The local time when the program started, in seconds since 1970; `None` in a replay.
    pub wall_clock: Option<f64>,
    /// The commands that were applied to the run.
    pub applied_commands: Vec<CommandApplied>,
    /// When the run was paused, on the clock of [`Self::now`], while it is paused.
    pub paused_at: Option<f64>,
    /// Whether the run stops after the current epoch.
    pub stop_after_epoch: bool,
    /// What was requested of the run and is under way.
    pub requests: PendingRequests,
    /// The sentences that are to be pinned (`true`) or no longer, which no evaluation shows yet.
    pub pin_requests: Vec<(String, bool)>,
    /// The input for a new learning rate.
    pub rate_input: LearningRateInput,
    /// The output folder of a run under way. `started` has its text for display, which may differ.
    pub run_folder: Option<PathBuf>,
    /// Who is attached to the run, once its process has said so.
    pub session: Option<SessionStatus>,
    /// Where the run is.
    pub location: RunLocation,
    /// Whether the run was opened from the list of runs, which is shown again after it.
    pub opened_from_list: bool,
    /// Why the connection to the run is lost, if it is.
    pub lost: Option<String>,
    /// Set if a recorded run is replayed.
    pub replay: Option<Replay>,
    /// Set if a saved model is asked without a run.
    pub asked_model: Option<AskedModel>,
    /// Set if runs are compared instead of one being shown.
    pub runs: Option<RunComparison>,
    /// Whether the user has requested to stop the run.
    pub stopping: bool,
    /// Whether to quit as soon as the run has ended.
    pub quitting: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            lang: Lang::default(),
            page: Page::default(),
            overlay: None,
            activity: Activity::Preparing("Starting".to_owned()),
            stages: Vec::new(),
            started: None,
            step: None,
            history: History::default(),
            smoothing: SMOOTHING,
            charts: Charts::default(),
            panels: PanelGrid::default(),
            watch: RunWatch::default(),
            epochs: Vec::new(),
            evaluated: None,
            best: None,
            finished: None,
            failed: None,
            checkpoint: None,
            saved: None,
            throughput: Throughput::default(),
            system: SystemHistory::default(),
            notice: None,
            log: Log::default(),
            prompt: Prompt::default(),
            mistakes: Box::default(),
            words: Words::default(),
            palette: CommandPalette::default(),
            settings_scroll: 0,
            help: Help::default(),
            theme: None,
            layout: FrameLayout::default(),
            now: 0.0,
            event_time: 0.0,
            began: None,
            wall_clock: None,
            applied_commands: Vec::new(),
            paused_at: None,
            stop_after_epoch: false,
            requests: PendingRequests::default(),
            pin_requests: Vec::new(),
            rate_input: LearningRateInput::default(),
            run_folder: None,
            session: None,
            location: RunLocation::default(),
            opened_from_list: false,
            lost: None,
            replay: None,
            asked_model: None,
            runs: None,
            stopping: false,
            quitting: false,
        }
    }
}

impl State {
    /// The state without a run under way.
    pub fn idle() -> Self {
        Self { activity: Activity::Idle, ..Self::default() }
    }

    /// The available pages, in the order of their tabs.
    pub fn pages(&self) -> &'static [Page] {
        if self.runs.is_some() {
            &[Page::Runs]
        } else if self.asked_model.is_some() {
            &[Page::Predict, Page::Settings]
        } else if self.is_pretraining() {
            &[Page::Train, Page::Settings, Page::Log]
        } else {
            &Page::ALL
        }
    }

    /// The sizes of what the panels show.
    pub fn content_size(&self) -> ContentSize {
        let started = self.started.as_ref();
        let planned = started.map_or(0, |run| run.max_steps.div_ceil(run.steps_per_epoch.max(1)));
        ContentSize {
            epochs: self.epochs.len().max(usize::try_from(planned).unwrap_or(usize::MAX).min(100)),
            classes: started.map_or(2, |run| run.labels.len()),
            has_system: self.measures_system(),
        }
    }

    /// Whether the load of the computer is or was measured: it is not recorded with a run.
    pub fn measures_system(&self) -> bool {
        !self.has_recorded_load() || self.system.last.is_some()
    }

    /// Whether the load of the run's computer is only known from what the run has recorded.
    pub fn has_recorded_load(&self) -> bool {
        self.replay.is_some() || self.location == RunLocation::Unreachable
    }

    /// The last step on the charts.
    pub fn last_step(&self) -> f64 {
        self.runs.as_ref().map_or_else(|| self.steps_done() as f64, RunComparison::last_step)
    }

    /// The output folder of the run, if figures can be drawn from it.
    pub fn output_folder(&self) -> Option<PathBuf> {
        match (&self.runs, &self.replay) {
            (Some(runs), _) => runs.selected_run().map(|found| found.folder.clone()),
            (None, Some(replay)) => replay.folder.clone(),
            (None, None) => self.started.as_ref().and(self.run_folder.clone()),
        }
    }

    /// Whether a recorded run was opened from the list of runs.
    pub fn is_opened(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.opened.is_some())
    }

    /// Whether the model reads pairs of texts.
    pub fn reads_pairs(&self) -> bool {
        if let Some(asked) = &self.asked_model {
            return asked.reads_pairs;
        }
        let settings = self.started.iter().flat_map(|started| &started.settings);
        settings.into_iter().any(|setting| setting.name == PAIR_SETTING)
    }

    /// Whether the run trains a language model, which has no classes.
    pub fn is_language_model(&self) -> bool {
        self.is_pretraining() && self.started.as_ref().is_some_and(|run| run.labels.is_empty())
    }

    /// Whether the run pretrains on texts without labels.
    pub fn is_pretraining(&self) -> bool {
        self.started.as_ref().is_some_and(Started::is_pretraining)
    }

    /// Whether a run is under way, which quitting would stop.
    pub fn is_running(&self) -> bool {
        self.activity != Activity::Idle
    }

    /// Whether commands reach the run: another front end may have the keys.
    pub fn has_keys(&self) -> bool {
        self.location != RunLocation::Unreachable
            && self.session.as_ref().is_none_or(|session| session.has_keys)
    }

    /// Whether the run is in another process, which continues without this dashboard.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.location, RunLocation::Attached { .. } | RunLocation::Unreachable)
    }

    /// Whether the run is paused.
    pub fn is_paused(&self) -> bool {
        self.activity == Activity::Paused
    }

    /// Whether a trained model exists in memory only.
    pub fn is_unsaved(&self) -> bool {
        let over = self.finished.is_some() || self.failed.is_some();
        let is_here = self.replay.is_none() && !self.is_elsewhere();
        is_here && over && self.steps_done() > 0 && self.saved.is_none()
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

    /// The local time of second 0 of training, in seconds since 1970. For a resumed run, earlier
    /// training counts as if it had ended at the time of resuming.
    pub fn training_start_time(&self) -> Option<f64> {
        let before = self.started.as_ref().map_or(0.0, |started| started.resumed_elapsed);
        Some(self.wall_clock? + self.began? - before)
    }

    /// The completed fraction of the evaluation under way, from 0 to 1.
    pub fn evaluation_progress(&self) -> Option<f64> {
        match self.activity {
            Activity::Evaluating { done, total } => Some(done as f64 / total.max(1) as f64),
            _ => None,
        }
    }

    /// The estimated seconds until the run ends.
    pub fn eta(&self) -> Option<f64> {
        if !self.is_running() {
            return None;
        }
        let started = self.started.as_ref()?;
        self.throughput.eta(started, self.steps_done(), self.evaluation_progress())
    }
}
