//! How messages change the state, and what they have the program do.

use super::log::Level;
use super::state::{EpochRow, Overlay, Page, State};
use crate::train::event::{Epoch, Evaluated, TrainEvent};
use crate::worker::{Activity, Command, Report};
use tui_input::InputRequest;

/// More lines than any view has.
const FAR: isize = 1 << 30;

/// Something a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show a page.
    Show(Page),
    /// Show the next page.
    NextPage,
    /// Show the page before.
    PreviousPage,
    /// Show the keys.
    Help,
    /// Close what lies over the page; from the predict pane, go back to training.
    Close,
    /// Leave; asks first while training.
    Quit,
    /// Leave; answers yes to the question.
    Interrupt,
    /// End the run, save the model and leave.
    StopAndQuit,
    /// End the run, evaluate and save the model, and stay.
    StopAndStay,
    /// Leave without the model having been saved.
    QuitUnsaved,
    /// Try again to save the model.
    SaveAgain,
    /// Move the view by so many lines, down if positive.
    Scroll(isize),
    /// Move the view to its beginning.
    ScrollToTop,
    /// Move the view to its end.
    ScrollToBottom,
    /// Ask the model about the line.
    Submit,
    /// An earlier question (1) or a later one (-1).
    History(isize),
    /// Edit the line.
    Edit(InputRequest),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A key that does something.
    Action(Action),
    /// A text was pasted.
    Paste(String),
    /// The run reports.
    Report(Report),
    /// A signal asks the program to end.
    Terminate,
    /// So many seconds have passed since the program started.
    Tick(f64),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the run.
    Send(Command),
    /// Leave the dashboard.
    Quit,
}

/// Takes one message in.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    match message {
        Message::Action(action) => act(state, action),
        Message::Paste(text) => {
            if state.page == Page::Predict && state.overlay.is_none() {
                state.prompt.paste(&text);
            }
            Vec::new()
        }
        Message::Report(report) => reported(state, report),
        Message::Terminate if !state.is_running() || state.quitting => vec![Effect::Quit],
        Message::Terminate => stop(state, false, true),
        Message::Tick(now) => {
            state.now = now;
            Vec::new()
        }
    }
}

fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Show(page) => show(state, page),
        Action::NextPage => show(state, neighbour(state.page, 1)),
        Action::PreviousPage => show(state, neighbour(state.page, -1)),
        Action::Help => {
            state.overlay = Some(Overlay::Help);
            state.help_scroll = 0;
        }
        Action::Close => {
            if state.overlay.take().is_none() {
                state.page = Page::Train;
            }
        }
        Action::Quit => return quit(state),
        Action::Interrupt => {
            return match state.overlay {
                Some(Overlay::ConfirmQuit) => stop(state, false, true),
                Some(Overlay::ConfirmUnsaved) => vec![Effect::Quit],
                _ => quit(state),
            };
        }
        Action::StopAndQuit => return stop(state, false, true),
        Action::StopAndStay => return stop(state, true, false),
        Action::QuitUnsaved => return vec![Effect::Quit],
        Action::SaveAgain => {
            if state.is_unsaved() && !state.is_running() {
                state.activity = Activity::Saving;
                state.failed = None;
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
        Action::Edit(request) => state.prompt.edit(request),
    }
    Vec::new()
}

fn show(state: &mut State, page: Page) {
    state.overlay = None;
    state.page = page;
}

fn neighbour(page: Page, direction: isize) -> Page {
    let pages = Page::ALL;
    let here = pages.iter().position(|p| *p == page).unwrap_or(0) as isize;
    pages[(here + direction).rem_euclid(pages.len() as isize) as usize]
}

fn quit(state: &mut State) -> Vec<Effect> {
    if state.quitting {
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
    if state.started.is_none() {
        // Nothing has been trained, so there is nothing to save.
        return if leave { vec![Effect::Quit] } else { Vec::new() };
    }
    state.stopping = true;
    state.quitting = leave;
    let elapsed = state.elapsed();
    state
        .log
        .push(elapsed, Level::Warning, "stop requested".to_owned());
    vec![Effect::Send(Command::Stop { evaluate })]
}

/// The log counts from its end, the other views from their beginning.
fn scroll(state: &mut State, lines: isize) {
    let limit = state.scroll_limit.get();
    let moved = |from: usize, lines: isize| from.min(limit).saturating_add_signed(lines).min(limit);
    if state.overlay == Some(Overlay::Help) {
        state.help_scroll = moved(state.help_scroll, lines);
    } else if state.page == Page::Settings {
        state.settings_scroll = moved(state.settings_scroll, lines);
    } else {
        state.log.scroll = moved(state.log.scroll, -lines);
    }
}

fn reported(state: &mut State, report: Report) -> Vec<Effect> {
    match report {
        Report::Activity(activity) => {
            state.activity = activity;
            if state.activity == Activity::Idle {
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
    }
    Vec::new()
}

fn happened(state: &mut State, event: TrainEvent) {
    let logging_steps = state.started.as_ref().map_or(1, |s| s.logging_steps);
    let elapsed = state.elapsed();
    state.log.tell(&event, elapsed, logging_steps);
    match event {
        TrainEvent::Started(started) => {
            state.began = Some(state.now);
            state.started = Some(started);
        }
        TrainEvent::Step(step) => {
            state.pace.step(&step);
            state.loss.push(step.step as f64, step.loss);
            state.step = Some(step);
        }
        TrainEvent::Epoch(epoch) => {
            let row = row(state, epoch.epoch);
            row.train = Some(epoch);
        }
        TrainEvent::Evaluated(evaluated) => judged(state, evaluated),
        TrainEvent::Saved(saved) => {
            state.saved = Some(saved);
            state.failed = None;
        }
        TrainEvent::Finished(finished) => state.finished = Some(finished),
        TrainEvent::Failed(failed) => state.failed = Some(failed),
    }
}

fn judged(state: &mut State, evaluated: Evaluated) {
    state.pace.evaluated(&evaluated);
    let point = (evaluated.step as f64, evaluated.metrics.eval_loss);
    if point.1.is_finite() {
        state.eval_loss.push(point);
    }
    let better = |best: &Evaluated| {
        evaluated.metrics.eval_accuracy > best.metrics.eval_accuracy
    };
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
        state.epochs.push(EpochRow {
            number,
            train: None::<Epoch>,
            eval: None,
        });
        state.epochs.len() - 1
    });
    &mut state.epochs[index]
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::{ending, failure, run};
    use super::*;
    use crate::train::event::Failed;
    use crate::worker::Answer;

    fn told(events: Vec<TrainEvent>) -> State {
        let mut state = State::default();
        tell(&mut state, events);
        state
    }

    fn tell(state: &mut State, events: Vec<TrainEvent>) {
        for event in events {
            update(state, Message::Report(Report::Event(event)));
        }
    }

    fn doing(state: &mut State, activity: Activity) -> Vec<Effect> {
        update(state, Message::Report(Report::Activity(activity)))
    }

    fn press(state: &mut State, action: Action) -> Vec<Effect> {
        update(state, Message::Action(action))
    }

    #[test]
    fn a_run_is_folded_into_charts_and_tables() {
        let state = told(run(200));
        assert_eq!(state.loss.raw.len(), 200);
        assert_eq!(state.epochs.len(), 3);
        assert!(state.epochs.iter().all(|row| row.train.is_some() && row.eval.is_some()));
        assert_eq!(state.eval_loss.len(), 3);
        assert_eq!(state.best.as_ref().map(|best| best.step), Some(189));
        assert_eq!(state.steps_done(), 200);
    }

    #[test]
    fn quitting_while_training_asks_first() {
        let mut state = told(run(5));
        doing(&mut state, Activity::Training);
        assert!(press(&mut state, Action::Quit).is_empty());
        assert_eq!(state.overlay, Some(Overlay::ConfirmQuit));
        press(&mut state, Action::Close);
        assert_eq!(state.overlay, None);
        press(&mut state, Action::Quit);
        let stop = Effect::Send(Command::Stop { evaluate: false });
        assert_eq!(press(&mut state, Action::StopAndQuit), [stop]);
        tell(&mut state, ending());
        assert_eq!(doing(&mut state, Activity::Idle), [Effect::Quit]);
    }

    #[test]
    fn control_c_asks_then_stops_then_leaves_at_once() {
        let mut state = told(run(5));
        doing(&mut state, Activity::Training);
        assert!(press(&mut state, Action::Interrupt).is_empty());
        let stop = Effect::Send(Command::Stop { evaluate: false });
        assert_eq!(press(&mut state, Action::Interrupt), [stop]);
        assert_eq!(press(&mut state, Action::Interrupt), [Effect::Quit]);
    }

    #[test]
    fn a_signal_stops_and_saves_and_a_second_one_leaves() {
        let mut state = told(run(5));
        doing(&mut state, Activity::Training);
        let stop = Effect::Send(Command::Stop { evaluate: false });
        assert_eq!(update(&mut state, Message::Terminate), [stop]);
        assert_eq!(update(&mut state, Message::Terminate), [Effect::Quit]);
    }

    #[test]
    fn before_training_and_after_it_quitting_just_leaves() {
        let mut state = State::default();
        press(&mut state, Action::Quit);
        assert_eq!(press(&mut state, Action::StopAndQuit), [Effect::Quit]);
        let mut state = told([run(630), ending()].concat());
        doing(&mut state, Activity::Idle);
        assert_eq!(press(&mut state, Action::Quit), [Effect::Quit]);
    }

    #[test]
    fn a_question_open_when_the_run_ends_is_withdrawn() {
        let mut state = told(run(630));
        doing(&mut state, Activity::Training);
        press(&mut state, Action::Quit);
        tell(&mut state, ending());
        assert!(doing(&mut state, Activity::Idle).is_empty());
        assert_eq!(state.overlay, None);
    }

    #[test]
    fn a_model_that_could_not_be_saved_is_not_left_without_asking() {
        let mut state = told(run(630));
        let [_, finished] = &ending()[..] else { return };
        let unsaved = TrainEvent::Failed(Failed {
            message: "disk full".to_owned(),
            hint: None,
            step: 630,
        });
        tell(&mut state, vec![unsaved, finished.clone()]);
        doing(&mut state, Activity::Idle);
        assert!(press(&mut state, Action::Quit).is_empty());
        assert_eq!(state.overlay, Some(Overlay::ConfirmUnsaved));
        press(&mut state, Action::Close);
        assert_eq!(
            press(&mut state, Action::SaveAgain),
            [Effect::Send(Command::Save)]
        );
        tell(&mut state, ending()[..1].to_vec());
        doing(&mut state, Activity::Idle);
        assert!(state.failed.is_none());
        assert_eq!(press(&mut state, Action::Quit), [Effect::Quit]);
    }

    #[test]
    fn a_failure_is_kept_with_what_to_do_about_it() {
        let mut state = told([run(100), vec![failure()]].concat());
        doing(&mut state, Activity::Idle);
        assert!(state.failed.is_some());
        let lines: Vec<&str> = state.log.lines.iter().map(|l| l.text.as_str()).collect();
        assert!(lines.contains(&"the loss is NaN at step 101"));
        assert!(lines.contains(&"Try a lower --learning-rate."));
    }

    #[test]
    fn questions_go_out_and_answers_come_in() {
        let mut state = told(run(5));
        press(&mut state, Action::Show(Page::Predict));
        update(&mut state, Message::Paste("재밌다".to_owned()));
        let ask = Effect::Send(Command::Predict("재밌다".to_owned()));
        assert_eq!(press(&mut state, Action::Submit), [ask]);
        assert_eq!(state.prompt.waiting, 1);
        let answer = Answer {
            text: "재밌다".to_owned(),
            outcome: Err("no".to_owned()),
        };
        update(&mut state, Message::Report(Report::Answer(answer)));
        assert_eq!((state.prompt.waiting, state.prompt.answers.len()), (0, 1));
    }

    #[test]
    fn pasting_outside_the_predict_pane_does_nothing() {
        let mut state = State::default();
        update(&mut state, Message::Paste("q".to_owned()));
        assert_eq!(state.prompt.input.value(), "");
    }

    #[test]
    fn pages_go_round() {
        let mut state = State::default();
        for page in [Page::Predict, Page::Settings, Page::Log, Page::Train] {
            press(&mut state, Action::NextPage);
            assert_eq!(state.page, page);
        }
        press(&mut state, Action::PreviousPage);
        assert_eq!(state.page, Page::Log);
    }
}
