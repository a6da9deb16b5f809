//! Presses every key of the table in a state in which its action has an effect, and checks the
//! effect. An action without a check does not compile.

use super::prompt_effect_tests::{edited, prompt_check, words_check};
use super::scene_tests::{at, charted, unsaved};
use super::*;
use crate::run::protocol::{Command, SessionStatus};
use crate::run::run_index::{RunEdit, RunEntry, RunOrder};
use crate::screen::app::action::PaletteAction;
use crate::screen::app::charts::{ChartAction, YRange};
use crate::screen::app::help::HelpAction;
use crate::screen::app::log::Level;
use crate::screen::app::log::{LogAction, Purpose};
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::runs::{InputPurpose, RunMetric, RunsAction};
use crate::screen::app::{Effect, Message, Picture, update};

/// Checks an effect, given the state before, the state after, and the effects outside the state.
pub type Check = Box<dyn Fn(&State, &State, &[Effect]) -> bool>;

/// The state in which a binding is pressed, and the check of its effect.
fn expected(binding: &Binding) -> (State, Check) {
    let mut state = at(binding.context);
    let check: Check = match binding.action {
        Action::ShowPage(page) => {
            state.page = if page == Page::Settings { Page::Log } else { Page::Settings };
            Box::new(move |_, after, _| after.page == page)
        }
        Action::NextPage => {
            Box::new(|before, after, _| (before.page, after.page) == (Page::Train, Page::Predict))
        }
        Action::PreviousPage => {
            Box::new(|before, after, _| (before.page, after.page) == (Page::Train, Page::Mistakes))
        }
        Action::Help => Box::new(|_, after, _| after.overlay == Some(Overlay::Help)),
        Action::Close => Box::new(|before, after, effects| {
            let closed = before.overlay.is_some() && before.page == after.page;
            let back = before.page == Page::Predict && after.page == Page::Train;
            let edits = effects.iter().any(|effect| matches!(effect, Effect::EditRun(_)));
            assert!(!edits, "closing a dialog changes nothing");
            after.overlay.is_none() && (closed || back) && effects.is_empty()
        }),
        Action::HelpSearch(action) => help_check(action),
        Action::NextTheme => Box::new(|before, after, _| before.theme != after.theme),
        Action::Quit | Action::Interrupt => Box::new(|_, after, effects| {
            after.overlay == Some(Overlay::ConfirmQuit) && effects.is_empty()
        }),
        Action::Detach => Box::new(|_, _, effects| effects == [Effect::Detach]),
        Action::TakeKeys => {
            state.session = Some(SessionStatus::default());
            Box::new(|_, _, effects| effects == [Effect::Send(Command::TakeKeys)])
        }
        Action::Suspend => Box::new(|_, _, effects| effects == [Effect::Suspend]),
        Action::StopAndQuit => Box::new(|_, after, effects| {
            after.quitting && effects == [Effect::Send(Command::Stop { evaluate: false })]
        }),
        Action::StopAndStay => Box::new(|_, after, effects| {
            !after.quitting && effects == [Effect::Send(Command::Stop { evaluate: true })]
        }),
        Action::QuitWithoutSaving => Box::new(|_, _, effects| effects == [Effect::Quit]),
        Action::SaveModel => {
            state = State { overlay: state.overlay, ..unsaved() };
            Box::new(|_, _, effects| effects == [Effect::Send(Command::SaveModel)])
        }
        Action::SaveScreen => Box::new(|_, _, effects| {
            let folder = Some("out\u{1b}puts".into());
            effects == [Effect::Picture(Picture::Screen { folder })]
        }),
        Action::DrawFigures => Box::new(|_, _, effects| {
            effects == [Effect::Picture(Picture::Figures { folder: "out\u{1b}puts".into() })]
        }),
        Action::Scroll(lines) => Box::new(move |before, after, _| {
            // `log.scroll` counts lines from the end of the log.
            after.log.scroll as isize == before.log.scroll as isize - lines
        }),
        Action::ScrollToTop => {
            Box::new(|_, after, _| Some(after.log.scroll) == after.layout.scroll_limit)
        }
        Action::ScrollToBottom => Box::new(|_, after, _| after.log.scroll == 0),
        Action::Submit => Box::new(|before, after, effects| {
            let predict = Command::Predict { text: before.prompt.input.text().to_owned() };
            after.prompt.input.text().is_empty() && effects == [Effect::Send(predict)]
        }),
        Action::PromptHistory(direction) => {
            if direction < 0 {
                update(&mut state, Message::Action(Action::PromptHistory(2)));
            }
            Box::new(|_, after, _| after.prompt.input.text() == "다음 물은 것")
        }
        Action::Prompt(action) => prompt_check(&mut state, action),
        Action::Edit(request) => Box::new(move |before, after, _| edited(before, after, request)),
        Action::Chart(action) => chart_check(&mut state, action),
        Action::Panel(action) => panel_check(&mut state, action),
        Action::RunControl(action) => run_control_check(&mut state, action),
        Action::ClearView => {
            state.charts.cursor = Some(100.0);
            Box::new(|_, after, _| after.charts.cursor.is_none())
        }
        Action::Log(action) => log_check(&mut state, action),
        Action::Palette(PaletteAction::Open) => Box::new(|_, after, _| {
            after.overlay == Some(Overlay::Palette) && !after.palette.entries.is_empty()
        }),
        Action::Palette(PaletteAction::Move(by)) => Box::new(move |before, after, _| {
            after.palette.selected as isize == before.palette.selected as isize + by
        }),
        Action::Palette(PaletteAction::MovePage(by)) => {
            state.palette.selected = 15;
            Box::new(move |_, after, _| after.palette.selected as isize == 15 + by)
        }
        Action::Palette(PaletteAction::Run) => Box::new(|before, after, _| {
            let chosen = before.palette.selected_entry().map(|entry| entry.action);
            chosen == Some(Action::ShowPage(Page::Predict)) && after.page == Page::Predict
        }),
        Action::Runs(action) => runs_check(&mut state, action),
        Action::Mistakes(action) => super::mistake_tests::check(&mut state, action),
        Action::Pin => Box::new(|before, after, effects| {
            let text = before.prompt.input.text().to_owned();
            after.notice.is_some() && effects == [Effect::Send(Command::Pin { text })]
        }),
        Action::Words(action) => words_check(&mut state, action),
    };
    (state, check)
}

fn help_check(action: HelpAction) -> Check {
    Box::new(move |before, after, _| match action {
        HelpAction::Search => after.help.is_typing,
        HelpAction::Apply => !after.help.is_typing && after.help.search.value() == "pause",
        HelpAction::ShowAll => {
            before.help.search.value() == "pause" && after.help.search.value().is_empty()
        }
    })
}

fn chart_check(state: &mut State, action: ChartAction) -> Check {
    let width = |state: &State| {
        let [from, to] = state.charts.visible_steps(state.last_step());
        to - from
    };
    state.charts.cursor = Some(150.0);
    state.charts.window = Some([100.0, 200.0]);
    let cursor = |after: &State| after.charts.cursor.unwrap_or(f64::NAN);
    match action {
        ChartAction::MoveCursor(by) => {
            Box::new(
                move |_, after, _| {
                    if by < 0 { cursor(after) < 150.0 } else { cursor(after) > 150.0 }
                },
            )
        }
        ChartAction::StepCursor(by) => {
            Box::new(move |_, after, _| cursor(after) == 150.0 + by as f64)
        }
        ChartAction::CursorToFirst => Box::new(move |_, after, _| cursor(after) == 1.0),
        ChartAction::CursorToLast => Box::new(move |_, after, _| cursor(after) == 300.0),
        ChartAction::ZoomIn => Box::new(move |_, after, _| width(after) == 50.0),
        ChartAction::ZoomOut => Box::new(move |_, after, _| width(after) == 200.0),
        ChartAction::Pan(by) => Box::new(move |_, after, _| {
            after.charts.window == Some([100.0, 200.0].map(|at| at + 25.0 * by as f64))
        }),
        ChartAction::ResetZoom => Box::new(move |_, after, _| width(after) == 300.0),
        ChartAction::Follow => Box::new(|_, after, _| {
            after.charts.follow && after.charts.visible_steps(300.0) == [200.0, 300.0]
        }),
        ChartAction::NextAxis => {
            Box::new(|before, after, _| before.charts.axis != after.charts.axis)
        }
        ChartAction::LogY => Box::new(|_, after, _| after.charts.log_y.contains(&Panel::Loss)),
        ChartAction::NextYRange => {
            Box::new(|_, after, _| after.charts.ranges.get(&Panel::Loss) == Some(&YRange::Full))
        }
        ChartAction::AdjustSmoothing(by) => Box::new(move |before, after, _| {
            (after.smoothing - before.smoothing).signum() == by as f64
        }),
    }
}

fn panel_check(state: &mut State, action: PanelAction) -> Check {
    let focus = |after: &State| after.panels.focus;
    match action {
        PanelAction::FocusFirst => {
            state.panels.focus = Panel::Log;
            Box::new(move |_, after, _| focus(after) == Panel::Loss)
        }
        PanelAction::FocusLast => Box::new(move |_, after, _| focus(after) == Panel::Settings),
        PanelAction::Show(_) => panic!("no key should show a panel"),
        PanelAction::Focus(1) => Box::new(move |_, after, _| focus(after) == Panel::Accuracy),
        PanelAction::Focus(_) => Box::new(move |_, after, _| focus(after) == Panel::Settings),
        PanelAction::Page(by) => {
            if by < 0 {
                state.panels.focus = Panel::Settings;
            }
            Box::new(move |before, after, _| {
                let focus = |state: &State| state.panels.focus;
                let page = |state: &State| {
                    state.layout.pages.iter().position(|page| page.contains(&focus(state)))
                };
                let page = |state: &State| page(state).map_or(-9, |page| page as isize);
                page(after) == page(before) + by
            })
        }
        PanelAction::Open | PanelAction::Maximize => Box::new(|_, after, _| after.panels.maximized),
        PanelAction::Hide => Box::new(|_, after, _| after.panels.hidden.contains(&Panel::Loss)),
        PanelAction::ShowAll => {
            state.panels.apply(PanelAction::Hide, &[]);
            Box::new(|before, after, _| {
                !before.panels.hidden.is_empty() && after.panels.hidden.is_empty()
            })
        }
        PanelAction::Move(by) => {
            state.panels.focus = Panel::Accuracy;
            Box::new(move |_, after, _| after.panels.order[(1 + by) as usize] == Panel::Accuracy)
        }
        PanelAction::Columns => Box::new(|_, after, _| after.panels.columns == Some(1)),
    }
}

fn run_control_check(state: &mut State, action: RunControlAction) -> Check {
    let sends = |command: Command| -> Check {
        Box::new(move |_, _, effects| effects == [Effect::Send(command.clone())])
    };
    let rate = |state: &State| state.rate_input.value().unwrap_or(f64::NAN);
    match action {
        RunControlAction::Pause => sends(Command::Pause),
        RunControlAction::SaveNow => sends(Command::SaveCheckpoint),
        RunControlAction::EvaluateNow => sends(Command::Evaluate),
        RunControlAction::StopAfterEpoch => sends(Command::StopAfterEpoch { enabled: true }),
        RunControlAction::AskRate => Box::new(move |_, after, effects| {
            after.overlay == Some(Overlay::LearningRate) && rate(after) > 0.0 && effects.is_empty()
        }),
        RunControlAction::SetRate => {
            update(state, Message::Action(Action::RunControl(RunControlAction::DoubleRate)));
            Box::new(move |before, after, effects| {
                let command = Command::SetLearningRate { rate: rate(before) };
                after.overlay.is_none() && effects == [Effect::Send(command)]
            })
        }
        RunControlAction::DoubleRate | RunControlAction::HalveRate => {
            let factor = if action == RunControlAction::DoubleRate { 2.0 } else { 0.5 };
            Box::new(move |before, after, _| (rate(after) / rate(before) - factor).abs() < 0.01)
        }
    }
}

fn log_check(state: &mut State, action: LogAction) -> Check {
    let types_for = |purpose| -> Check {
        Box::new(move |_, after, _| {
            after.log.view.input.as_ref().is_some_and(|input| input.purpose == purpose)
        })
    };
    match action {
        LogAction::Search => types_for(Purpose::Search),
        LogAction::Filter => types_for(Purpose::Filter),
        LogAction::NextLevel => Box::new(|_, after, _| after.log.view.level == Level::Result),
        LogAction::ApplyInput => Box::new(|_, after, _| {
            !after.log.is_typing() && after.log.view.search.text() == "line 7"
        }),
        LogAction::CancelInput => {
            Box::new(|_, after, _| !after.log.is_typing() && after.log.view.search.is_empty())
        }
        LogAction::GoToMatch(by) => {
            state.log.apply(LogAction::Search);
            update(state, Message::Paste("line 7".to_owned()));
            state.log.apply(LogAction::ApplyInput);
            // Selects the previous match, so that there are matches before and after it.
            state.log.apply(LogAction::GoToMatch(-1));
            Box::new(move |before, after, _| {
                let at = |state: &State| state.log.view.match_position().0 as isize;
                at(before) > 1 && at(after) == at(before) + by
            })
        }
        LogAction::Copy => Box::new(|before, _, effects| {
            let line = before.log.line_to_copy().map(Effect::Copy);
            line.is_some() && effects == line.as_slice()
        }),
        LogAction::ShowAll => {
            state.log.apply(LogAction::NextLevel);
            Box::new(|before, after, _| {
                let count = |state: &State| state.log.view.shown_count();
                count(before) < count(after) && count(after) == after.log.lines.len()
            })
        }
    }
}

fn runs_check(state: &mut State, action: RunsAction) -> Check {
    fn list(state: &State) -> Vec<&str> {
        state.runs.iter().flat_map(|runs| runs.shown().map(RunEntry::name)).collect()
    }
    let of = |state: &State| state.runs.clone().unwrap_or_default();
    match action {
        RunsAction::Move(by) => {
            let last = isize::try_from(list(state).len()).unwrap_or(0) - 1;
            let expected = (1 + by).clamp(0, last) as usize;
            Box::new(move |before, after, _| {
                of(before).selected == 1 && of(after).selected == expected
            })
        }
        RunsAction::ToggleChart => Box::new(move |_, after, effects| {
            // Its curves are being read since it was selected.
            of(after).compared().count() == 1 && effects.is_empty()
        }),
        RunsAction::ToggleAll => Box::new(move |_, after, effects| {
            of(after).compared().count() == 3 && effects.len() == 2
        }),
        RunsAction::NextOrder => Box::new(move |_, after, _| of(after).order == RunOrder::Accuracy),
        RunsAction::Reverse => Box::new(|_, after, _| list(after) == ["c", "b", "a"]),
        RunsAction::NextMetric(by) => {
            *state = charted();
            let expected = if by > 0 { RunMetric::EvalLoss } else { RunMetric::Throughput };
            Box::new(move |_, after, _| of(after).metric == expected)
        }
        RunsAction::Differences => Box::new(move |_, after, _| of(after).differences),
        RunsAction::Open => Box::new(move |_, after, effects| {
            of(after).opening == Some("b".into()) && effects == [Effect::Quit]
        }),
        RunsAction::Filter => {
            typing_check(|purpose| matches!(purpose, InputPurpose::Filter { .. }))
        }
        RunsAction::EditNote => typing_check(|purpose| *purpose == InputPurpose::Note("b".into())),
        RunsAction::EditTags => typing_check(|purpose| *purpose == InputPurpose::Tags("b".into())),
        RunsAction::Rename => typing_check(|purpose| *purpose == InputPurpose::Rename("b".into())),
        RunsAction::Delete => Box::new(move |_, after, effects| {
            let asks = after.overlay == Some(Overlay::ConfirmDelete) && effects.is_empty();
            asks && of(after).deleting == Some("b".into())
        }),
        RunsAction::ConfirmDelete => Box::new(move |_, after, effects| {
            let edit = Effect::EditRun(RunEdit::Delete("b".into()));
            after.overlay.is_none() && of(after).deleting.is_none() && effects == [edit]
        }),
        RunsAction::ApplyInput => Box::new(move |_, after, _| {
            !of(after).is_typing() && of(after).filter == "nothing has this"
        }),
        RunsAction::CancelInput => Box::new(move |before, after, _| {
            list(before).is_empty() && !of(after).is_typing() && list(after).len() == 3
        }),
    }
}

/// Checks that a line is open for a purpose.
fn typing_check(is_purpose: fn(&InputPurpose) -> bool) -> Check {
    Box::new(move |_, after, _| {
        let input = after.runs.as_ref().and_then(|runs| runs.input.as_ref());
        input.is_some_and(|input| is_purpose(&input.purpose))
    })
}

#[test]
fn each_key_has_the_effect_in_its_description() {
    for binding in BINDINGS {
        for key in binding.keys {
            let (before, check) = expected(binding);
            let name = format!("{} at {:?}: {}", key.name(), binding.context, binding.help);
            assert!(active_contexts(&before).contains(&binding.context), "not active: {name}");
            let event = KeyEvent::new(key.code, key.modifiers);
            let mut after = before.clone();
            let pressed = message(&after, event).expect("a key of the table does something");
            let effects = update(&mut after, pressed);
            assert!(check(&before, &after, &effects), "no effect: {name}");
        }
    }
}

#[test]
fn chart_keys_work_for_compared_runs_too() {
    for binding in BINDINGS.iter().filter(|binding| binding.context == KeyContext::Charts) {
        let Action::Chart(action) = binding.action else {
            panic!("not a chart action: {}", binding.help)
        };
        // Compared runs cannot be followed.
        if action == ChartAction::Follow {
            continue;
        }
        let mut before = charted();
        let check = chart_check(&mut before, action);
        let mut after = before.clone();
        let effects = update(&mut after, Message::Action(binding.action));
        assert!(check(&before, &after, &effects), "no effect: {}", binding.help);
    }
}
