//! How messages change the state, and what they have the program do.

use super::chart_view;
use super::log::Level;
use super::message::{Action, Effect, Message, Picture};
use super::palette::{self, PaletteAction};
use super::pointing;
use super::runs::{self, RunsAction};
use super::state::{EpochRow, Notice, Overlay, Page, State};
use super::steer::{self};
use crate::core::train::event::{Epoch, Evaluated, TrainEvent, untold_losses};
use crate::run::worker::{Activity, Command, Report};

/// How long a notice stands while a run goes on, in seconds; else until a key is pressed.
const NOTICED: f64 = 8.0;

/// More lines than any view has.
const FAR: isize = 1 << 30;

/// Takes one message in.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    if matches!(message, Message::Action(_) | Message::Mouse(_) | Message::Paste(_)) {
        state.notice = None;
    }
    match message {
        Message::Action(action) => act(state, action),
        Message::Paste(text) => {
            match (state.overlay, state.page) {
                (Some(Overlay::Palette), _) => state.palette.paste(&text),
                (None, Page::Predict) => state.prompt.paste(&text),
                (None, Page::Log) => state.log.paste(&text),
                (None, Page::Runs) => {
                    if let Some(runs) = &mut state.runs {
                        runs.paste(&text);
                    }
                }
                _ => {}
            }
            Vec::new()
        }
        Message::Mouse(mouse) => {
            if let Some(lines) = pointing::act(state, mouse) {
                scroll(state, lines);
            }
            Vec::new()
        }
        Message::Choose(entries) => {
            palette::open(state, entries);
            Vec::new()
        }
        Message::Report(report) => reported(state, report),
        Message::Pictured(outcome) => {
            pictured(state, outcome);
            Vec::new()
        }
        Message::Terminate if !state.is_running() || state.quitting || state.replay.is_some() => {
            vec![Effect::Quit]
        }
        Message::Terminate => stop(state, false, true),
        Message::Drawn(layout) => {
            state.log.view.visible = layout.log_lines;
            state.layout = layout;
            Vec::new()
        }
        Message::Tick(now) => {
            state.now = now;
            let seen = |notice: &Notice| now - notice.since > NOTICED;
            if state.is_running() && state.notice.as_ref().is_some_and(seen) {
                state.notice = None;
            }
            Vec::new()
        }
    }
}

fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Show(page) => show(state, page),
        Action::NextPage => show(state, neighbour(state, 1)),
        Action::PreviousPage => show(state, neighbour(state, -1)),
        Action::Help => {
            state.overlay = Some(Overlay::Help);
            state.help_scroll = 0;
        }
        Action::Close => {
            if state.overlay.take().is_none() {
                state.page = state.pages()[0];
            }
        }
        Action::Quit => return quit(state),
        Action::Interrupt => {
            return match state.overlay {
                _ if state.quitting => vec![Effect::Quit],
                Some(Overlay::ConfirmQuit) => stop(state, false, true),
                Some(Overlay::ConfirmUnsaved) => vec![Effect::Quit],
                _ => quit(state),
            };
        }
        Action::Suspend => return vec![Effect::Suspend],
        Action::StopAndQuit => return stop(state, false, true),
        Action::StopAndStay => return stop(state, true, false),
        Action::QuitUnsaved => return vec![Effect::Quit],
        Action::SaveAgain => {
            state.overlay = None;
            if state.is_unsaved() && !state.is_running() {
                state.activity = Activity::Saving;
                return vec![Effect::Send(Command::Save)];
            }
        }
        Action::Scroll(lines) => scroll(state, lines),
        Action::ScrollToTop => scroll(state, -FAR),
        Action::ScrollToBottom => scroll(state, FAR),
        Action::Submit => {
            if let Some(text) = state.prompt.submit() {
                return vec![Effect::Send(Command::Predict(text))];
            }
        }
        Action::History(direction) => state.prompt.history(direction),
        Action::Steer(action) => return steer::act(state, action),
        Action::Chart(action) => chart_view::act(state, action),
        Action::Panel(action) => {
            state.arrangement.act(action, state.layout.panels_per_page);
        }
        Action::LetGo => chart_view::let_go(state),
        Action::Edit(request) => match (state.overlay, state.page) {
            (Some(Overlay::LearningRate), _) => state.rate.edit(request),
            (Some(Overlay::Palette), _) => state.palette.edit(request),
            (_, Page::Log) => state.log.edit(request),
            (_, Page::Runs) => {
                if let Some(runs) = &mut state.runs {
                    runs.edit(request);
                }
            }
            _ => state.prompt.edit(request),
        },
        Action::Log(action) => state.log.act(action),
        Action::Runs(action) => return runs::act(state, action),
        Action::SaveScreen => {
            // Several runs have no folder of their own.
            let folder = state.folder().filter(|_| state.runs.is_none());
            return vec![Effect::Picture(Picture::Screen { folder })];
        }
        Action::DrawFigures => match state.folder() {
            Some(folder) => return vec![Effect::Picture(Picture::Figures { folder })],
            None => pictured(state, Err(state.lang.tr("there is no run to draw yet").to_owned())),
        },
        // The keys make it a message that brings the entries along.
        Action::Palette(PaletteAction::Open) => palette::open(state, Vec::new()),
        Action::Palette(PaletteAction::Move(direction)) => state.palette.choose(direction),
        Action::Palette(PaletteAction::Run) => {
            if let Some(action) = state.palette.choice().map(|entry| entry.action) {
                state.overlay = None;
                return act(state, action);
            }
        }
    }
    Vec::new()
}

/// Tells what became of a picture, in the log and for a moment below the page.
fn pictured(state: &mut State, outcome: Result<Vec<String>, String>) {
    let (level, text) = match outcome {
        Ok(files) => {
            let first = files.first().map_or("", String::as_str);
            let text = match files.len().saturating_sub(1) {
                0 => state.lang.fill("drawn: {0}", &[&first]),
                more => state.lang.fill("drawn: {0} and {1} more files", &[&first, &more]),
            };
            (Level::Result, text)
        }
        Err(why) => (Level::Warning, state.lang.fill("no picture: {0}", &[&why])),
    };
    state.log.push(state.elapsed(), level, text.clone());
    state.notice = Some(Notice { level, text, since: state.now });
}

fn show(state: &mut State, page: Page) {
    state.overlay = None;
    state.log.stop_typing();
    state.page = page;
    state.layout.scroll_limit = None;
}

fn neighbour(state: &State, direction: isize) -> Page {
    let pages = state.pages();
    let here = pages.iter().position(|page| *page == state.page).unwrap_or(0) as isize;
    pages[(here + direction).rem_euclid(pages.len() as isize) as usize]
}

fn quit(state: &mut State) -> Vec<Effect> {
    if state.quitting {
        return Vec::new();
    }
    if state.replay.is_some() {
        // The run is over, whatever the screen shows of it.
        return vec![Effect::Quit];
    }
    if state.is_running() && state.started.is_none() {
        // Nothing has been trained that could be lost; what was downloaded is kept.
        return vec![Effect::Quit];
    }
    if state.is_running() {
        state.overlay = Some(Overlay::ConfirmQuit);
    } else if state.is_unsaved() {
        state.overlay = Some(Overlay::ConfirmUnsaved);
    } else {
        return vec![Effect::Quit];
    }
    Vec::new()
}

fn stop(state: &mut State, evaluate: bool, leave: bool) -> Vec<Effect> {
    state.overlay = None;
    if !state.is_running() {
        return if leave { quit(state) } else { Vec::new() };
    }
    if state.started.is_none() && leave {
        // Nothing has been trained, so there is nothing to save.
        return vec![Effect::Quit];
    }
    state.stopping = true;
    state.quitting = leave;
    let elapsed = state.elapsed();
    let text = state.lang.tr("stop requested").to_owned();
    state.log.push(elapsed, Level::Warning, text);
    vec![Effect::Send(Command::Stop { evaluate })]
}

/// The log counts from its end, the other views from their beginning.
fn scroll(state: &mut State, lines: isize) {
    let limit = state.layout.scroll_limit.unwrap_or(usize::MAX);
    let moved = |from: usize, lines: isize| from.min(limit).saturating_add_signed(lines).min(limit);
    if state.overlay == Some(Overlay::Help) {
        state.help_scroll = moved(state.help_scroll, lines);
    } else if state.page == Page::Settings {
        state.settings_scroll = moved(state.settings_scroll, lines);
    } else if state.page == Page::Runs {
        runs::act(state, RunsAction::Move(lines));
    } else {
        state.log.scroll = moved(state.log.scroll, -lines);
    }
}

fn reported(state: &mut State, report: Report) -> Vec<Effect> {
    match report {
        Report::Activity(activity) => {
            state.activity = activity;
            if state.activity == Activity::Idle {
                steer::ended(state);
                state.stopping = false;
                if state.overlay == Some(Overlay::ConfirmQuit) {
                    state.overlay = None;
                }
                if state.quitting {
                    state.quitting = false;
                    return quit(state);
                }
            }
        }
        Report::Answer(answer) => state.prompt.answered(answer),
        Report::Event(event) => happened(state, event),
        Report::System(sample) => state.system.take(sample),
        Report::RunIndex(report) => return runs::reported(state, report),
        Report::History(events) => {
            let logging_steps = state.started.as_ref().map_or(1, |s| s.logging_steps);
            state.log.went_before(untold_losses(&events, logging_steps));
            for event in events {
                fold(state, event);
            }
            let text = state.lang.fill("went on from step {0}", &[&state.steps_done()]);
            state.log.push(state.elapsed(), Level::Info, text);
        }
    }
    Vec::new()
}

fn happened(state: &mut State, event: TrainEvent) {
    let logging_steps = state.started.as_ref().map_or(1, |s| s.logging_steps);
    if let Some(replay) = &mut state.replay {
        replay.hear(&event, state.now);
    }
    let elapsed = state.elapsed();
    state.log.tell(&event, elapsed, logging_steps, state.lang);
    if let TrainEvent::Steered(steered) = &event {
        steer::happened(state, steered);
    }
    fold(state, event);
}

/// What an event changes, but for the log.
fn fold(state: &mut State, event: TrainEvent) {
    state.history.apply(&event);
    match event {
        TrainEvent::Started(started) => {
            state.began = Some(state.now);
            state.started = Some(started);
        }
        TrainEvent::Step(step) => {
            state.pace.step(&step);
            state.step = Some(step);
        }
        TrainEvent::Epoch(epoch) => {
            let row = row(state, epoch.epoch);
            row.train = Some(epoch);
        }
        TrainEvent::Evaluated(evaluated) => judged(state, evaluated),
        TrainEvent::BestLoaded(evaluated) => state.evaluated = Some(evaluated),
        TrainEvent::Checkpoint(saved) => {
            state.pace.saved(&saved);
            state.checkpoint = Some(saved);
        }
        TrainEvent::Warned(_) => {}
        TrainEvent::Steered(steered) => steer::keep(state, steered),
        TrainEvent::Saved(saved) => {
            state.saved = Some(saved);
            // It may be a failed save that is mended; a failed run stays one.
            if state.finished.is_some() {
                state.failed = None;
            }
        }
        TrainEvent::Finished(finished) => state.finished = Some(finished),
        TrainEvent::Failed(failed) => state.failed = Some(failed),
    }
}

fn judged(state: &mut State, evaluated: Evaluated) {
    state.pace.evaluated(&evaluated);
    let better = |best: &Evaluated| evaluated.metrics.eval_accuracy > best.metrics.eval_accuracy;
    if state.best.as_ref().is_none_or(better) {
        state.best = Some(evaluated.clone());
    }
    // An evaluation between two epochs belongs to the one under way.
    let number = (evaluated.epoch - 1e-6).ceil().max(1.0) as u64;
    row(state, number).eval = Some(evaluated.clone());
    state.evaluated = Some(evaluated);
}

fn row(state: &mut State, number: u64) -> &mut EpochRow {
    let found = state.epochs.iter().position(|row| row.number == number);
    let index = found.unwrap_or_else(|| {
        state.epochs.push(EpochRow { number, train: None::<Epoch>, eval: None });
        state.epochs.len() - 1
    });
    &mut state.epochs[index]
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
