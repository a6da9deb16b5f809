//! The update of the state by messages.

mod charts;
mod confirm;
mod keys;
mod mistakes;
mod mouse;
mod probes;
mod prompt;
mod reports;
mod run_control;
mod runs;
mod session;
mod words;

use super::action::{Action, PaletteAction};
use super::help::{Help, HelpAction};
use super::log::{Level, LogAction};
use super::message::{Effect, Message, Picture};
use super::mistakes::MistakesAction;
use super::page::{Overlay, Page};
use super::palette::{CommandPalette, PaletteEntry};
use super::panels::PanelAction;
use super::runs::RunsAction;
use super::state::{Notice, State};
use crate::run::protocol::{Activity, Command};
use tui_input::InputRequest;

/// How long a notice is shown at most, in seconds.
const NOTICE_SECONDS: f64 = 8.0;

/// How long a notice is shown at least, in seconds, if no other one replaces it. After that, a key that
/// does more than show another page ends it.
const LEAST_NOTICE_SECONDS: f64 = 2.0;

/// The lines that the space bar scrolls down.
const PAGE_LINES: isize = 10;

/// More lines than any view has.
const ALL_LINES: isize = 1 << 30;

/// Applies a message to the state and returns the effects that the program has to carry out.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    let mut effects = apply_message(state, message);
    effects.extend(mistakes::file_tasks(state));
    effects.extend(runs::curves_to_read(state));
    state.prompt.note_change(state.now);
    effects.extend(prompt::ask_if_due(state));
    effects
}

fn apply_message(state: &mut State, message: Message) -> Vec<Effect> {
    if ends_notice(state, &message) {
        state.notice = None;
    }
    match message {
        Message::Action(action) => return apply(state, action),
        Message::Paste(_) if state.layout.is_too_small => {}
        Message::Paste(text) => paste(state, &text),
        Message::Mouse(input) => {
            if let Some(lines) = mouse::apply(state, input) {
                scroll(state, lines);
            }
        }
        Message::OpenPalette(entries) => open_palette(state, entries),
        Message::Report(report) => return reports::push(state, report),
        Message::RunIndex(report) => return runs::push_report(state, report),
        Message::PictureSaved(outcome) => report_picture(state, outcome),
        Message::Files(report) => mistakes::push_report(state, report),
        Message::Copied(outcome) => prompt::report_copied(state, outcome),
        Message::Terminate
            if !state.is_running()
                || state.quitting
                || state.replay.is_some()
                || state.is_elsewhere() =>
        {
            return vec![Effect::Quit];
        }
        Message::Terminate => return stop(state, false, true),
        Message::Drawn(layout) => {
            state.log.view.visible = layout.log_lines;
            state.layout = layout;
        }
        Message::Tick(now) => {
            state.now = now;
            let is_old = |notice: &Notice| now - notice.since > NOTICE_SECONDS;
            if state.notice.as_ref().is_some_and(is_old) {
                state.notice = None;
            }
        }
    }
    Vec::new()
}

/// Whether a message is reason enough to no longer show the notice.
fn ends_notice(state: &State, message: &Message) -> bool {
    let has_been_read = state
        .notice
        .as_ref()
        .is_some_and(|notice| state.now - notice.since >= LEAST_NOTICE_SECONDS);
    match message {
        Message::Action(Action::ShowPage(_) | Action::NextPage | Action::PreviousPage) => false,
        Message::Action(_) | Message::Mouse(_) | Message::Paste(_) => has_been_read,
        _ => false,
    }
}

fn paste(state: &mut State, text: &str) {
    match (state.overlay, state.page) {
        (Some(Overlay::Palette), _) => state.palette.paste(text),
        (Some(Overlay::Help), _) if state.help.is_typing => state.help.paste(text),
        (None, Page::Predict) if state.words.is_typing() => state.words.paste(text),
        (None, Page::Predict) => state.prompt.paste(text),
        (None, Page::Log) => state.log.paste(text),
        (None, Page::Mistakes) => state.mistakes.paste(text),
        (None, Page::Runs) => {
            if let Some(runs) = &mut state.runs {
                runs.paste(text);
            }
        }
        _ => {}
    }
}

/// Closes the overlay or, without one, the page.
fn close(state: &mut State) {
    let is_of_page = state.overlay.take().is_none();
    if is_of_page && !(state.page == Page::Predict && prompt::deselect_word(state)) {
        state.page = mistakes::page_to_return_to(state);
    }
}

fn apply(state: &mut State, action: Action) -> Vec<Effect> {
    if mistakes::applies_to_cells(state, action) {
        return Vec::new();
    }
    match action {
        Action::ShowPage(page) => show_page(state, page),
        Action::NextPage => show_page(state, page_at(state, 1)),
        Action::PreviousPage => show_page(state, page_at(state, -1)),
        Action::Help if state.overlay == Some(Overlay::Help) => close(state),
        Action::Help => {
            state.overlay = Some(Overlay::Help);
            state.help = Help::default();
            state.layout.scroll_limit = None;
        }
        Action::Close if state.overlay == Some(Overlay::Help) && state.help.is_searched() => {
            state.help.apply(HelpAction::ShowAll);
        }
        Action::Close => close(state),
        Action::HelpSearch(action) => state.help.apply(action),
        Action::NextTheme => confirm::next_theme(state),
        Action::Quit => return quit(state),
        Action::Detach => return session::detach(state),
        Action::TakeKeys => return session::take_keys(state),
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
        Action::QuitWithoutSaving if state.is_elsewhere() && state.is_running() => {
            confirm::inform(state, "y stops the run and saves its model; d leaves it running");
        }
        Action::QuitWithoutSaving => return vec![Effect::Quit],
        Action::SaveModel => return save_model(state),
        Action::Scroll(lines) => scroll_or_tell(state, lines),
        Action::ScrollToTop => scroll(state, -ALL_LINES),
        Action::ScrollToBottom => scroll(state, ALL_LINES),
        Action::Submit => {
            if state.prompt.input.is_blank() {
                confirm::inform(state, "there is no text to classify: type one");
            } else if let Some(text) = state.prompt.submit() {
                return vec![Effect::Send(Command::Predict { text })];
            }
        }
        Action::PromptHistory(direction) => prompt::move_or_recall(state, direction),
        Action::Prompt(action) => return prompt::apply(state, action),
        Action::RunControl(action) => return run_control::apply(state, action),
        Action::Chart(action) => {
            charts::apply(state, action);
            confirm::chart(state, action);
        }
        Action::Panel(action) => {
            let focus = state.panels.focus;
            if let PanelAction::Show(_) = action {
                show_page(state, Page::Train);
            }
            state.panels.apply(action, &state.layout.pages);
            confirm::panel(state, action, focus);
        }
        Action::ClearView => return charts::clear_view(state),
        Action::Edit(request) => edit(state, request),
        Action::Log(LogAction::Copy) => return prompt::copy(state, state.log.line_to_copy()),
        Action::Log(action) => state.log.apply(action),
        Action::Mistakes(action) => return mistakes::apply(state, action),
        Action::Pin => return probes::pin(state),
        Action::Runs(action) => return runs::apply(state, action),
        Action::Words(action) => return words::apply(state, action),
        Action::SaveScreen => {
            // A comparison of runs has no folder.
            let folder = state.output_folder().filter(|_| state.runs.is_none());
            return vec![Effect::Picture(Picture::Screen { folder })];
        }
        Action::DrawFigures => {
            if let Some(folder) = state.output_folder() {
                return vec![Effect::Picture(Picture::Figures { folder })];
            }
            let reason = state.lang.tr("there is no run to draw yet").to_owned();
            report_picture(state, Err(reason));
        }
        // The keymap sends `Message::OpenPalette` with the entries instead.
        Action::Palette(PaletteAction::Open) => open_palette(state, Vec::new()),
        Action::Palette(PaletteAction::Move(direction)) => state.palette.move_selection(direction),
        Action::Palette(PaletteAction::MovePage(by)) => state.palette.move_page(by),
        Action::Palette(PaletteAction::Run) => {
            if let Some(action) = state.palette.selected_entry().map(|entry| entry.action) {
                state.overlay = None;
                return apply(state, action);
            }
        }
    }
    Vec::new()
}

/// Saves the model that is in memory only, or says why there is nothing to save.
fn save_model(state: &mut State) -> Vec<Effect> {
    state.overlay = None;
    if state.is_unsaved() && !state.is_running() {
        state.activity = Activity::Saving;
        state.requests.model = true;
        confirm::inform(state, "saving the model");
        return vec![Effect::Send(Command::SaveModel)];
    }
    let text = if state.replay.is_some() {
        "a recorded run has nothing to save"
    } else if state.is_running() {
        "the model is saved at the end; C saves a checkpoint"
    } else if state.saved.is_some() {
        "the model is saved already"
    } else {
        "there is no model to save"
    };
    confirm::inform(state, text);
    Vec::new()
}

/// Edits the text field that has the keys.
fn edit(state: &mut State, request: InputRequest) {
    match (state.overlay, state.page) {
        (Some(Overlay::LearningRate), _) => state.rate_input.edit(request),
        (Some(Overlay::Palette), _) => state.palette.edit(request),
        (Some(Overlay::Help), _) => state.help.edit(request),
        (_, Page::Log) => state.log.edit(request),
        (_, Page::Mistakes) => state.mistakes.edit(request),
        (_, Page::Runs) => {
            if let Some(runs) = &mut state.runs {
                runs.edit(request);
            }
        }
        _ if state.words.is_typing() => state.words.edit(request),
        _ => state.prompt.edit(request),
    }
}

/// Opens the palette, unless another overlay is open or a text is being typed.
fn open_palette(state: &mut State, entries: Vec<PaletteEntry>) {
    if state.overlay.is_none() && !state.log.is_typing() && !state.mistakes.is_typing() {
        state.palette = CommandPalette::new(entries);
        state.overlay = Some(Overlay::Palette);
    }
}

/// Reports a written picture, or the reason why there is none, in the log and in a notice.
fn report_picture(state: &mut State, outcome: Result<Vec<String>, String>) {
    let (level, text) = match outcome {
        Ok(files) => {
            let first = files.first().map_or("", String::as_str);
            let text = match files.len().saturating_sub(1) {
                0 => state.lang.tr_with("saved {0}", &[&first]),
                1 => state.lang.tr_with("saved {0} and another file", &[&first]),
                more => state.lang.tr_with("saved {0} and {1} more files", &[&first, &more]),
            };
            (Level::Result, text)
        }
        Err(reason) => {
            (Level::Warning, state.lang.tr_with("the picture could not be saved: {0}", &[&reason]))
        }
    };
    state.log.push(state.elapsed(), level, text.clone());
    state.notice = Some(Notice { level, text, since: state.now });
}

fn show_page(state: &mut State, page: Page) {
    state.overlay = None;
    if !state.pages().contains(&page) {
        return;
    }
    state.log.stop_typing();
    state.mistakes.input = None;
    state.mistakes.is_left_for_predict = false;
    state.words.stop_typing();
    state.page = page;
    state.layout.scroll_limit = None;
}

/// The page `offset` tabs after the current one, wrapping around.
fn page_at(state: &State, offset: isize) -> Page {
    let pages = state.pages();
    let current = pages.iter().position(|page| *page == state.page).unwrap_or(0) as isize;
    pages[(current + offset).rem_euclid(pages.len() as isize) as usize]
}

fn quit(state: &mut State) -> Vec<Effect> {
    if state.quitting {
        return Vec::new();
    }
    if state.replay.is_some() {
        // A replay has nothing to stop or to save.
        return vec![Effect::Quit];
    }
    if state.is_elsewhere() && (!state.has_keys() || !state.is_running()) {
        // The run does not depend on this dashboard.
        return vec![Effect::Quit];
    }
    if state.is_running() && state.started.is_none() {
        // Training has not begun, and downloaded data remains in the cache.
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

/// Stops the run, and then quits if `leave` is set.
fn stop(state: &mut State, evaluate: bool, leave: bool) -> Vec<Effect> {
    state.overlay = None;
    if !state.is_running() {
        return if leave { quit(state) } else { Vec::new() };
    }
    if state.is_elsewhere() && !keys::check_keys(state) {
        return Vec::new();
    }
    if state.started.is_none() && leave {
        // Training has not begun, so there is nothing to save.
        return vec![Effect::Quit];
    }
    state.stopping = true;
    state.quitting = leave;
    let elapsed = state.elapsed();
    let text = state.lang.tr("stop requested").to_owned();
    state.log.push(elapsed, Level::Warning, text);
    confirm::inform(state, "stop requested");
    vec![Effect::Send(Command::Stop { evaluate })]
}

/// Scrolls the current view; at its end, says how to pause the run, which the space bar does on the
/// training page.
fn scroll_or_tell(state: &mut State, lines: isize) {
    let place = |state: &State| (state.help.scroll, state.settings_scroll, state.log.scroll);
    let before = place(state);
    scroll(state, lines);
    let trains = state.started.is_some() && state.is_running() && state.replay.is_none();
    if lines == PAGE_LINES && place(state) == before && trains && state.overlay.is_none() {
        confirm::inform(state, "this is the end; o pauses the run");
    }
}

/// Scrolls the current view. The log counts from its last line, the other views from their first.
fn scroll(state: &mut State, lines: isize) {
    let limit = state.layout.scroll_limit.unwrap_or(usize::MAX);
    let moved = |from: usize, lines: isize| from.min(limit).saturating_add_signed(lines).min(limit);
    if state.overlay == Some(Overlay::Help) {
        state.help.scroll = moved(state.help.scroll, lines);
    } else if state.page == Page::Settings {
        state.settings_scroll = moved(state.settings_scroll, lines);
    } else if state.page == Page::Mistakes {
        state.mistakes.apply(MistakesAction::Move(lines));
    } else if state.page == Page::Runs {
        runs::apply(state, RunsAction::Move(lines));
    } else {
        state.log.scroll = moved(state.log.scroll, -lines);
    }
}

#[cfg(test)]
mod tests;
