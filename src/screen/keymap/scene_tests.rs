//! States in which keys are pressed.

use super::*;
use crate::core::attribution::{TextPart, WordAttributions};
use crate::core::predict::Prediction;
use crate::core::train::TrainEvent;
use crate::core::train::fixtures::{ending, run};
use crate::run::metric_series::History;
use crate::run::protocol::{Activity, Answer, Explanation, RunReport};
use crate::run::run_index::RunIndexReport;
use crate::run::run_index::RunOrder;
use crate::run::run_index::tests::entry;
use crate::screen::app::action::PaletteAction;
use crate::screen::app::help::HelpAction;
use crate::screen::app::log::Level;
use crate::screen::app::log::LogAction;
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::runs::{RunComparison, RunsAction};
use crate::screen::app::state::AskedModel;
use crate::screen::app::words::WordsAction;
use crate::screen::app::{FrameLayout, Message, update};
use crate::screen::ui::{self, Theme};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn push(state: &mut State, report: impl Into<Message>) {
    update(state, report.into());
}

/// Draws the state and applies the layout of the frame.
pub fn drawn(mut state: State) -> State {
    let mut layout = FrameLayout::default();
    let Ok(mut terminal) = Terminal::new(TestBackend::new(120, 40));
    let Ok(_) = terminal.draw(|frame| layout = ui::draw(frame, &state, Theme::new(true)));
    update(&mut state, Message::Drawn(layout));
    state
}

/// The text of a screen.
pub fn text_of(state: &State, (columns, rows): (u16, u16)) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| {
        ui::draw(frame, state, Theme::new(true));
    });
    terminal.backend().to_string()
}

pub fn training() -> State {
    // The folder whose text for display is "outputs".
    let run_folder = Some("out\u{1b}puts".into());
    let mut state = State { wall_clock: Some(1.7e9), run_folder, ..State::default() };
    for event in run(300) {
        push(&mut state, RunReport::Event(event));
    }
    push(&mut state, RunReport::Activity(Activity::Training));
    drawn(state)
}

/// Shows the words of a text, of which the second is chosen.
fn explain(state: &mut State) {
    let part = |text: &str| TextPart { text: text.to_owned(), contribution: Some(0.4) };
    let parts = ["a", "b", "c"].map(part).to_vec();
    let words = WordAttributions {
        class: 1,
        score: 0.9,
        baseline: "[MASK]".to_owned(),
        parts,
        integrals: None,
    };
    let explanation = Explanation::new("abc".to_owned(), Ok(Some(words)));
    update(state, Message::Report(RunReport::Explained(explanation)));
    state.words.apply(WordsAction::Choose(2));
}

/// The predict page with the words of the latest answer, of which one is chosen.
pub fn word_chosen() -> State {
    let mut state = answered();
    state.prompt.input.set("");
    update(&mut state, Message::Tick(0.0));
    if let Some(answer) = state.prompt.answers.first_mut() {
        "abc".clone_into(&mut answer.text);
    }
    state
}

/// The number of the chosen word of that text.
pub fn chosen_word(state: &State) -> Option<isize> {
    state.words.of("abc").and_then(|(_, chosen)| chosen).map(|word| word as isize)
}

/// A finished run whose model is not saved.
pub fn unsaved() -> State {
    let mut state = training();
    let ending = ending().into_iter().filter(|event| !matches!(event, TrainEvent::Saved(_)));
    for event in ending {
        push(&mut state, RunReport::Event(event));
    }
    push(&mut state, RunReport::Activity(Activity::Idle));
    state
}

/// Three runs, the second selected.
pub fn compared() -> State {
    let runs = RunComparison::new("experiments".to_owned(), RunOrder::Name, false, "");
    let mut state = State { runs: Some(runs), page: Page::Runs, ..State::idle() };
    for name in ["a", "b", "c"] {
        let mut found = entry(name);
        found.folder = name.into();
        push(&mut state, RunIndexReport::Updated(Box::new(found)));
    }
    update(&mut state, Message::Action(Action::Runs(RunsAction::Move(1))));
    drawn(state)
}

/// The runs of [`compared`] with their curves in the chart.
pub fn charted() -> State {
    let mut state = compared();
    update(&mut state, Message::Action(Action::Runs(RunsAction::ToggleAll)));
    let mut history = History::default();
    for event in &run(300) {
        history.apply(event);
    }
    for name in ["a", "b", "c"] {
        let curves = RunIndexReport::Curves(name.into(), Ok(Box::new(history.clone())));
        push(&mut state, curves);
    }
    drawn(state)
}

/// The log page with a log longer than the page, scrolled to its middle.
pub fn logged() -> State {
    let mut state = State { page: Page::Log, ..training() };
    for number in 0..200 {
        let level = if number % 10 == 0 { Level::Warning } else { Level::Info };
        state.log.push(f64::from(number), level, format!("line {number}"));
    }
    state = drawn(state);
    update(&mut state, Message::Action(Action::Scroll(-50)));
    drawn(state)
}

/// An answer about a text.
fn answer_to(text: &str) -> RunReport {
    let prediction = Prediction {
        text: text.to_owned(),
        text_pair: None,
        label: "positive".to_owned(),
        score: 0.75,
        probabilities: vec![0.25, 0.75],
        calibrated_probabilities: None,
        compared: None,
        logits: vec![0.0, 1.098_612_3],
        tokens: Vec::new(),
        truncated: false,
        unknown: 0,
    };
    RunReport::Answer(Answer { text: prediction.text.clone(), outcome: Ok(prediction), step: None })
}

/// The predict page with an answer about the text being typed.
pub fn answered() -> State {
    let mut state = at(KeyContext::Predict);
    push(&mut state, answer_to("정말 재미있는 영화"));
    state
}

/// A state in which a context is active.
pub fn at(context: KeyContext) -> State {
    let over = |overlay| State { overlay: Some(overlay), ..training() };
    match context {
        KeyContext::Anywhere
        | KeyContext::RunPages
        | KeyContext::NoTextInput
        | KeyContext::Charts
        | KeyContext::Panels
        | KeyContext::RunControl
        | KeyContext::RunCommands
        | KeyContext::AllPages => training(),
        KeyContext::Scrolling | KeyContext::Log => logged(),
        KeyContext::LogInput => {
            let mut state = logged();
            state.log.apply(LogAction::Search);
            update(&mut state, Message::Paste("line 7".to_owned()));
            state
        }
        KeyContext::PredictAlone => {
            State { asked_model: Some(AskedModel::default()), ..at(KeyContext::Predict) }
        }
        KeyContext::Predict | KeyContext::PredictInRun | KeyContext::TextInput => {
            let mut state = State { page: Page::Predict, ..training() };
            for text in ["처음 물은 것", "다음 물은 것"] {
                update(&mut state, Message::Paste(text.to_owned()));
                update(&mut state, Message::Action(Action::Submit));
                while state.prompt.awaits_answer() {
                    push(&mut state, answer_to(text));
                }
            }
            explain(&mut state);
            update(&mut state, Message::Paste("정말 재미있는 영화".to_owned()));
            for _ in 0..4 {
                update(&mut state, Message::Action(Action::Edit(InputRequest::GoToPrevChar)));
            }
            state
        }
        KeyContext::WordInput => {
            let mut state = word_chosen();
            update(&mut state, Message::Action(Action::Words(WordsAction::Replace)));
            update(&mut state, Message::Paste("정말 재미있는 영화".to_owned()));
            state
        }
        KeyContext::Palette => {
            let mut state = training();
            let entries = commands(&state);
            update(&mut state, Message::OpenPalette(entries));
            update(&mut state, Message::Action(Action::Palette(PaletteAction::Move(1))));
            state
        }
        KeyContext::Mistakes => super::mistake_tests::shown(),
        KeyContext::MistakesInput => super::mistake_tests::searching(),
        KeyContext::Runs => compared(),
        KeyContext::RunInput => {
            let mut state = compared();
            update(&mut state, Message::Action(Action::Runs(RunsAction::Filter)));
            update(&mut state, Message::Paste("nothing has this".to_owned()));
            state
        }
        KeyContext::ConfirmDelete => {
            let mut state = compared();
            update(&mut state, Message::Action(Action::Runs(RunsAction::Delete)));
            state
        }
        KeyContext::LearningRate => {
            let mut state = training();
            update(&mut state, Message::Action(Action::RunControl(RunControlAction::AskRate)));
            state
        }
        KeyContext::Help => over(Overlay::Help),
        KeyContext::HelpInput => {
            let mut state = over(Overlay::Help);
            update(&mut state, Message::Action(Action::HelpSearch(HelpAction::Search)));
            update(&mut state, Message::Paste("pause".to_owned()));
            state
        }
        KeyContext::ConfirmQuit => over(Overlay::ConfirmQuit),
        KeyContext::ConfirmUnsaved => State { overlay: Some(Overlay::ConfirmUnsaved), ..unsaved() },
    }
}
