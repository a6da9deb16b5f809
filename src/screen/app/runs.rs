//! Runs side by side: a list that is sorted and filtered, and the curves of those chosen from it in
//! one chart.

mod figure;

pub use figure::Figure;

use super::editor;
use super::message::Effect;
use super::state::State;
use crate::run::metric_series::{Curve, History};
use crate::run::run_index::{RunEntry, RunOrder, RunSummary, compare_runs, matches_filter};
use crate::run::worker::Command;
use crate::run::worker::run_index::RunIndexReport;
use crate::screen::lang::Lang;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tui_input::{Input, InputRequest};

/// The most runs in one chart: as many as there are colours.
pub const MOST_CHOSEN: usize = 8;

/// Something a key does to the list of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsAction {
    /// Go so many runs down, or up.
    Move(isize),
    /// Put the run into the chart, or take it out.
    Choose,
    /// Put the first runs of the list into the chart; take all out, if there are any.
    ChooseAll,
    /// Sort by the next figure.
    NextOrder,
    /// The last one first, or the first one.
    Reverse,
    /// The next figure for the chart (1), or the one before (-1).
    NextFigure(isize),
    /// The chart, or what sets the runs apart.
    Differences,
    /// Type words that all runs shown have.
    Filter,
    /// Keep what was typed.
    Keep,
    /// Drop what was typed.
    Drop,
}

/// Words being typed, and those before.
#[derive(Clone, Debug)]
pub struct Typing {
    /// The line.
    pub line: Input,
    before: String,
}

/// The runs below a folder.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The folder, fit to be shown.
    pub folder: String,
    /// All runs that were found.
    found: Vec<RunEntry>,
    /// Whether the folder was looked through.
    pub is_complete: bool,
    /// Places in `found` of the runs shown, in order.
    shown: Vec<usize>,
    /// Which of those shown is pointed at.
    pub selected: usize,
    /// Whether the user has pointed at one; until then it is the first.
    has_moved: bool,
    /// The runs in the chart: each keeps its place, and with it its colour.
    chosen: [Option<PathBuf>; MOST_CHOSEN],
    curves: BTreeMap<PathBuf, Result<Box<History>, String>>,
    /// By what runs are sorted.
    pub order: RunOrder,
    /// Whether the last one comes first.
    pub is_reversed: bool,
    /// Runs shown have these words.
    pub filter: String,
    /// What is being typed.
    pub typing: Option<Typing>,
    /// What the chart shows.
    pub figure: Figure,
    /// Whether what sets the runs apart stands in the chart's place.
    pub differences: bool,
}

impl Runs {
    /// Of a folder that has not been looked at yet.
    pub fn new(folder: String, order: RunOrder, is_reversed: bool, filter: &str) -> Self {
        Self { folder, order, is_reversed, filter: filter.to_owned(), ..Self::default() }
    }

    /// All runs that were found, shown or not.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// The runs shown, in order.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = &RunEntry> {
        self.shown.iter().map(|&at| &self.found[at])
    }

    /// The place of a run in the chart, which is its colour's number.
    pub fn place(&self, folder: &Path) -> Option<usize> {
        self.chosen.iter().position(|chosen| chosen.as_deref() == Some(folder))
    }

    /// The runs in the chart by their places, with their curves as far as they are read.
    pub fn compared(&self) -> impl Iterator<Item = (usize, &RunEntry, Option<&History>)> {
        let places = self.chosen.iter().enumerate();
        places.filter_map(|(place, folder)| {
            let folder = folder.as_ref()?;
            let found = self.found.iter().find(|found| found.folder == *folder)?;
            let history = self.curves.get(folder).and_then(|curves| curves.as_deref().ok());
            Some((place, found, history))
        })
    }

    /// The runs that are set side by side: those in the chart, or all that are shown.
    pub fn side_by_side(&self) -> Vec<(Option<usize>, &RunSummary)> {
        let chosen = self.compared().map(|(place, found, _)| (Some(place), found));
        let mut runs: Vec<(Option<usize>, &RunEntry)> = chosen.collect();
        if runs.is_empty() {
            runs = self.shown().map(|found| (None, found)).collect();
        }
        runs.into_iter()
            .filter_map(|(place, found)| Some((place, found.summary.as_ref().ok()?)))
            .collect()
    }

    /// The last step of the longest run in the chart.
    pub fn end(&self) -> f64 {
        let ends = self.compared().filter_map(|(_, _, history)| history).map(History::last_step);
        ends.fold(0.0, f64::max)
    }

    /// The curve whose points the cursor goes through: the longest one.
    pub fn pointed_at(&self) -> Option<&Curve> {
        let curves = self.compared().filter_map(|(_, _, history)| Some(self.figure.of(history?)));
        curves.max_by(|one, other| {
            let end = |curve: &Curve| curve.ends().map_or(0.0, |ends| ends.1);
            end(one).total_cmp(&end(other))
        })
    }

    /// Whether words are being typed.
    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    /// Smooths the curves that are noisy.
    pub fn smooth(&mut self, smoothing: f64) {
        for history in self.curves.values_mut().flatten() {
            history.smooth(smoothing);
        }
    }

    /// Edits the words being typed.
    pub fn edit(&mut self, request: InputRequest) {
        if let Some(typing) = &mut self.typing {
            editor::edit(&mut typing.line, request);
            self.typed();
        }
    }

    /// Pastes into the words being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(typing) = &mut self.typing {
            editor::paste(&mut typing.line, text);
            self.typed();
        }
    }

    /// What is typed counts at once.
    fn typed(&mut self) {
        if let Some(typing) = &self.typing {
            typing.line.value().clone_into(&mut self.filter);
            self.arrange();
        }
    }

    /// Sorts and filters anew, and stays on the run that is pointed at.
    fn arrange(&mut self) {
        let here = self.here().map(|found| found.folder.clone());
        let mut shown: Vec<usize> =
            (0..self.found.len()).filter(|&at| self.matches(&self.found[at])).collect();
        shown
            .sort_by(|&one, &other| compare_runs(&self.found[one], &self.found[other], self.order));
        if self.is_reversed {
            shown.reverse();
        }
        self.shown = shown;
        let here = here.filter(|_| self.has_moved);
        let still = here.and_then(|here| self.shown().position(|found| found.folder == here));
        let last = self.shown.len().saturating_sub(1);
        let near = if self.has_moved { self.selected } else { 0 };
        self.selected = still.unwrap_or(near).min(last);
    }

    fn matches(&self, entry: &RunEntry) -> bool {
        matches_filter(entry, &self.filter, |status| Lang::Korean.tr(status))
    }

    /// The run that is pointed at.
    pub fn here(&self) -> Option<&RunEntry> {
        self.shown.get(self.selected).map(|&at| &self.found[at])
    }

    /// Puts a run into the chart, or takes it out; what has to be read for that.
    fn choose(&mut self, folder: PathBuf) -> Option<PathBuf> {
        if let Some(place) = self.place(&folder) {
            self.chosen[place] = None;
            self.curves.remove(&folder);
            return None;
        }
        let free = self.chosen.iter().position(Option::is_none)?;
        self.chosen[free] = Some(folder.clone());
        Some(folder)
    }

    fn choose_all(&mut self) -> Vec<PathBuf> {
        if self.chosen.iter().any(Option::is_some) {
            self.chosen = Default::default();
            self.curves.clear();
            return Vec::new();
        }
        let readable = self.shown().filter(|found| found.summary.is_ok());
        let folders: Vec<PathBuf> =
            readable.take(MOST_CHOSEN).map(|found| found.folder.clone()).collect();
        folders.into_iter().filter_map(|folder| self.choose(folder)).collect()
    }

    /// Obeys a key; the folders whose curves have to be read for that.
    fn act(&mut self, action: RunsAction) -> Vec<PathBuf> {
        match action {
            RunsAction::Move(by) => {
                self.has_moved = true;
                let last = self.shown.len().saturating_sub(1);
                self.selected = self.selected.saturating_add_signed(by).min(last);
            }
            RunsAction::Choose => {
                let readable = self.here().filter(|found| found.summary.is_ok());
                let folder = readable.map(|found| found.folder.clone());
                return folder.and_then(|folder| self.choose(folder)).into_iter().collect();
            }
            RunsAction::ChooseAll => return self.choose_all(),
            RunsAction::NextOrder => {
                let here = RunOrder::ALL.iter().position(|order| *order == self.order);
                self.order = RunOrder::ALL[(here.unwrap_or(0) + 1) % RunOrder::ALL.len()];
                self.arrange();
            }
            RunsAction::Reverse => {
                self.is_reversed = !self.is_reversed;
                self.arrange();
            }
            RunsAction::NextFigure(by) => {
                let here = Figure::ALL.iter().position(|figure| *figure == self.figure);
                let next = here.unwrap_or(0) as isize + by;
                self.figure = Figure::ALL[next.rem_euclid(Figure::ALL.len() as isize) as usize];
            }
            RunsAction::Differences => self.differences = !self.differences,
            RunsAction::Filter => {
                let (line, before) = (Input::new(self.filter.clone()), self.filter.clone());
                self.typing = Some(Typing { line, before });
            }
            RunsAction::Keep => self.typing = None,
            RunsAction::Drop => {
                if let Some(typing) = self.typing.take() {
                    self.filter = typing.before;
                    self.arrange();
                }
            }
        }
        Vec::new()
    }

    /// Takes a report in; the folder whose curves have to be read anew.
    fn take(&mut self, report: RunIndexReport, smoothing: f64) -> Option<PathBuf> {
        match report {
            RunIndexReport::Found(found) => {
                let folder = found.folder.clone();
                match self.found.iter_mut().find(|known| known.folder == folder) {
                    Some(known) => *known = *found,
                    None => self.found.push(*found),
                }
                self.arrange();
                return self.place(&folder).map(|_| folder);
            }
            RunIndexReport::Gone(folder) => {
                if let Some(place) = self.place(&folder) {
                    self.chosen[place] = None;
                }
                self.curves.remove(&folder);
                self.shown.clear();
                self.found.retain(|found| found.folder != folder);
                self.arrange();
            }
            RunIndexReport::Complete => self.is_complete = true,
            RunIndexReport::Curves(folder, mut curves) => {
                if self.place(&folder).is_some() {
                    if let Ok(history) = &mut curves {
                        history.smooth(smoothing);
                    }
                    self.curves.insert(folder, curves);
                }
            }
        }
        None
    }
}

fn read(folders: impl IntoIterator<Item = PathBuf>) -> Vec<Effect> {
    let commands = folders.into_iter().map(Command::ReadCurves);
    commands.map(Effect::Send).collect()
}

/// Obeys a key.
pub fn act(state: &mut State, action: RunsAction) -> Vec<Effect> {
    let Some(runs) = &mut state.runs else { return Vec::new() };
    if matches!(action, RunsAction::NextFigure(_)) {
        // Another figure has other values.
        state.layout.y_ranges.clear();
    }
    read(runs.act(action))
}

/// Takes in what is learned.
pub fn reported(state: &mut State, report: RunIndexReport) -> Vec<Effect> {
    let Some(runs) = &mut state.runs else { return Vec::new() };
    read(runs.take(report, state.smoothing))
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
