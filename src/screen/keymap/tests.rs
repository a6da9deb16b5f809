//! Properties of the table of key bindings.

use super::*;
use crate::screen::app::action::PaletteAction;
use crate::screen::app::log::LogAction;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::runs::{RunComparison, RunsAction};
use crate::screen::app::state::AskedModel;
use crate::screen::app::{Message, update};
use crate::screen::lang::Lang;

fn states() -> Vec<State> {
    let mut states = Vec::new();
    for page in Page::ALL {
        for overlay in [
            None,
            Some(Overlay::Help),
            Some(Overlay::ConfirmQuit),
            Some(Overlay::ConfirmUnsaved),
            Some(Overlay::Palette),
            Some(Overlay::LearningRate),
            Some(Overlay::ConfirmDelete),
        ] {
            states.push(State { page, overlay, ..State::default() });
        }
    }
    for action in [LogAction::Search, LogAction::Filter] {
        let mut state = State { page: Page::Log, ..State::default() };
        state.log.apply(action);
        states.push(state);
    }
    let compared =
        State { runs: Some(RunComparison::default()), page: Page::Runs, ..State::idle() };
    let mut filtering = compared.clone();
    update(&mut filtering, Message::Action(Action::Runs(RunsAction::Filter)));
    states.extend([compared, filtering]);
    states
}

#[test]
fn no_key_has_two_actions_in_one_state() {
    for state in states() {
        let mut seen: Vec<(Key, Action)> = Vec::new();
        for binding in BINDINGS.iter().filter(|b| active_contexts(&state).contains(&b.context)) {
            for key in binding.keys {
                let before = seen.iter().find(|(other, _)| other == key);
                assert!(
                    before.is_none_or(|(_, action)| *action == binding.action),
                    "{} has two actions on {:?} under {:?}",
                    key.name(),
                    state.page,
                    state.overlay
                );
                seen.push((*key, binding.action));
            }
        }
    }
}

#[test]
fn every_key_triggers_the_action_of_its_binding() {
    for state in states() {
        for binding in BINDINGS.iter().filter(|b| active_contexts(&state).contains(&b.context)) {
            for key in binding.keys {
                let event = KeyEvent::new(key.code, key.modifiers);
                assert_eq!(action(&state, event), Some(binding.action));
            }
        }
    }
}

#[test]
fn letters_are_typed_on_the_predict_page_only() {
    let press = |page, c, modifiers| {
        let state = State { page, ..State::default() };
        action(&state, KeyEvent::new(KeyCode::Char(c), modifiers))
    };
    let insert = |c| Some(Action::Edit(InputRequest::InsertChar(c)));
    for c in ['q', '1', '?', '가', 'Q', ' '] {
        assert_eq!(press(Page::Predict, c, KeyModifiers::NONE), insert(c));
    }
    assert_eq!(press(Page::Predict, 'A', KeyModifiers::SHIFT), insert('A'));
    assert_eq!(press(Page::Predict, 'x', KeyModifiers::CONTROL), None);
    assert_eq!(press(Page::Train, '가', KeyModifiers::NONE), None);
}

#[test]
fn every_binding_has_a_description() {
    assert!(BINDINGS.iter().all(|b| !b.help.is_empty() && !b.keys.is_empty()));
    assert!(BINDINGS.iter().all(|b| KeyContext::ALL.contains(&b.context)));
}

fn after(page: Page, actions: &[Action]) -> State {
    let mut state = State { page, ..State::default() };
    for action in actions {
        update(&mut state, Message::Action(*action));
    }
    state
}

fn press(state: &mut State, event: KeyEvent) {
    if let Some(message) = message(state, event) {
        update(state, message);
    }
}

fn key_press(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

#[test]
fn letters_only_type_while_text_input_is_open() {
    let search = [Action::Log(LogAction::Search)];
    let open = [Action::Palette(PaletteAction::Open)];
    for mut state in [after(Page::Log, &search), after(Page::Train, &open)] {
        let (page, overlay) = (state.page, state.overlay);
        for c in ['q', '1', '?', 'n', '/', ':', 'v', '가', ' ', 'x'] {
            let insert = Action::Edit(InputRequest::InsertChar(c));
            assert_eq!(action(&state, key_press(KeyCode::Char(c))), Some(insert));
            press(&mut state, key_press(KeyCode::Char(c)));
        }
        for code in [KeyCode::Tab, KeyCode::BackTab, KeyCode::F(1)] {
            assert_eq!(action(&state, key_press(code)), None);
        }
        let control_p = KeyEvent::new(KeyCode::Char('p'), KeyModifiers::CONTROL);
        assert_eq!(action(&state, control_p), None);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(action(&state, control_c), Some(Action::Interrupt));
        assert_eq!((state.page, state.overlay), (page, overlay));
        let typed = state.log.view.input.as_ref().map_or(&state.palette.input, |t| &t.line);
        assert_eq!(typed.value(), "q1?n/:v가 x");
        press(&mut state, key_press(KeyCode::Esc));
        assert!(state.overlay.is_none() && !state.log.is_typing());
        assert_eq!(state.page, page);
    }
}

#[test]
fn keys_search_the_log() {
    let mut state = State { page: Page::Log, ..State::default() };
    for text in ["하나", "영화 둘", "셋", "영화 넷"] {
        state.log.push(0.0, crate::screen::app::log::Level::Info, text.to_owned());
    }
    for c in ['/', '영', '화'] {
        press(&mut state, key_press(KeyCode::Char(c)));
    }
    press(&mut state, key_press(KeyCode::Enter));
    assert_eq!(state.log.view.match_position(), (2, 2));
    press(&mut state, key_press(KeyCode::Char('N')));
    assert_eq!(state.log.view.match_position(), (1, 2));
    for c in ['&', '셋'] {
        press(&mut state, key_press(KeyCode::Char(c)));
    }
    press(&mut state, key_press(KeyCode::Enter));
    assert_eq!((state.log.view.shown_count(), state.log.view.match_position()), (1, (0, 0)));
    press(&mut state, key_press(KeyCode::Esc));
    assert_eq!((state.log.view.shown_count(), state.page), (4, Page::Log));
    press(&mut state, key_press(KeyCode::Char('v')));
    assert_eq!(state.log.view.shown_count(), 0);
}

#[test]
fn the_palette_lists_the_actions_of_the_page() {
    for page in Page::ALL {
        let state = State { page, ..State::default() };
        let entries = commands(&state);
        for entry in &entries {
            let listed = entries.iter().filter(|other| other.action == entry.action).count();
            assert_eq!(listed, 1, "{} is listed twice", entry.name);
            assert!(!matches!(entry.action, Action::Edit(_) | Action::Palette(_)));
            let is_active = |binding: &&Binding| {
                binding.action == entry.action && active_contexts(&state).contains(&binding.context)
            };
            let switches =
                matches!(entry.action, Action::ShowPage(_) | Action::Panel(PanelAction::Show(_)));
            assert!(
                switches || entry.refusal.is_some() || BINDINGS.iter().any(|b| is_active(&b)),
                "{} on {page:?}",
                entry.name
            );
        }
        for target in Page::ALL {
            assert!(entries.iter().any(|entry| entry.action == Action::ShowPage(target)));
        }
        let has = |action| entries.iter().any(|entry| entry.action == action);
        assert_eq!(has(Action::Log(LogAction::Search)), page == Page::Log);
        assert_eq!(has(Action::Submit), page == Page::Predict);
    }
}

#[test]
fn the_palette_opens_by_key_and_runs_the_match() {
    for (page, event) in [
        (Page::Train, key_press(KeyCode::Char(':'))),
        (Page::Log, KeyEvent::new(KeyCode::Char('p'), KeyModifiers::CONTROL)),
        (Page::Predict, KeyEvent::new(KeyCode::Char('p'), KeyModifiers::CONTROL)),
    ] {
        let mut state = State { page, ..State::default() };
        press(&mut state, event);
        assert_eq!(state.overlay, Some(Overlay::Palette));
        assert!(state.palette.entries.len() > 5);
        for c in "settings".chars() {
            press(&mut state, key_press(KeyCode::Char(c)));
        }
        press(&mut state, key_press(KeyCode::Down));
        press(&mut state, key_press(KeyCode::Up));
        press(&mut state, key_press(KeyCode::Enter));
        assert_eq!((state.page, state.overlay), (Page::Settings, None));
    }
    let mut state = State::default();
    press(&mut state, key_press(KeyCode::Char(':')));
    for c in "영화".chars() {
        press(&mut state, key_press(KeyCode::Char(c)));
    }
    press(&mut state, key_press(KeyCode::Enter));
    assert_eq!(state.overlay, Some(Overlay::Palette), "without a match nothing happens");
    for _ in 0..2 {
        press(&mut state, key_press(KeyCode::Backspace));
    }
    press(&mut state, key_press(KeyCode::Char('?')));
    press(&mut state, key_press(KeyCode::Enter));
    assert_eq!(state.overlay, Some(Overlay::Help), "an exact key comes first");
}

#[test]
fn the_palette_finds_pages_and_panels_by_the_word_on_the_screen_and_by_synonyms() {
    let show = |panel| Action::Panel(PanelAction::Show(panel));
    for (lang, typed, wanted) in [
        (Lang::English, "confusion", show(Panel::Confusion)),
        (Lang::English, "matrix", show(Panel::Confusion)),
        (Lang::English, "gradient norm", show(Panel::GradNorm)),
        (Lang::English, "gpu", show(Panel::System)),
        (Lang::English, "speed", show(Panel::Throughput)),
        (Lang::English, "ece", show(Panel::Calibration)),
        (Lang::English, "classify", Action::ShowPage(Page::Predict)),
        (Lang::English, "hyperparameters", Action::ShowPage(Page::Settings)),
        (Lang::English, "혼동", show(Panel::Confusion)),
        (Lang::Korean, "혼동 행렬", show(Panel::Confusion)),
        (Lang::Korean, "처리량", show(Panel::Throughput)),
        (Lang::Korean, "신뢰도", show(Panel::Calibration)),
        (Lang::Korean, "하이퍼파라미터", Action::ShowPage(Page::Settings)),
        (Lang::Korean, "대시보드", Action::ShowPage(Page::Train)),
        (Lang::Korean, "테마", Action::NextTheme),
    ] {
        let mut state = State { lang, ..State::default() };
        press(&mut state, key_press(KeyCode::Char(':')));
        update(&mut state, Message::Paste(typed.to_owned()));
        let found: Vec<Action> = state
            .palette
            .matches
            .iter()
            .take(4)
            .map(|found| state.palette.entries[found.entry].action)
            .collect();
        assert!(found.contains(&wanted), "{typed}: {found:?}");
    }
    for panel in State::default().panels.shown() {
        for lang in [Lang::English, Lang::Korean] {
            let mut state = State { lang, page: Page::Log, ..State::default() };
            state.panels.has_probes = true;
            press(&mut state, key_press(KeyCode::Char(':')));
            update(&mut state, Message::Paste(lang.tr(panel.title()).to_owned()));
            let found = &state.palette.matches;
            let has = |found: &&crate::screen::app::palette::PaletteMatch| {
                state.palette.entries[found.entry].action == show(panel)
            };
            assert!(found.iter().take(4).any(|found| has(&found)), "{}", lang.tr(panel.title()));
        }
    }
    let mut state = State { page: Page::Log, ..State::default() };
    state.panels.hidden.insert(Panel::System);
    update(&mut state, Message::Action(show(Panel::System)));
    assert_eq!((state.page, state.panels.focus), (Page::Train, Panel::System));
    assert!(state.panels.hidden.is_empty());
}

#[test]
fn the_help_has_every_binding_and_its_search_finds_them() {
    for page in Page::ALL {
        let state = State { page, ..State::default() };
        let groups = help_groups(&state);
        let listed: Vec<KeyContext> = groups.iter().flat_map(|group| group.1.clone()).collect();
        let others = KeyContext::ALL.into_iter();
        let others: Vec<KeyContext> =
            others.filter(|context| *context != KeyContext::PredictAlone).collect();
        assert_eq!(listed.len(), others.len(), "each context once");
        assert!(others.iter().all(|context| listed.contains(context)));
        assert_eq!(groups[0].0 == "Train", page == Page::Train, "the current page comes first");
    }
    for page in [Page::Predict, Page::Settings] {
        let asked_model = Some(AskedModel::default());
        let state = State { page, asked_model, ..State::default() };
        let listed: Vec<KeyContext> =
            help_groups(&state).into_iter().flat_map(|group| group.1).collect();
        assert!(active_contexts(&state).iter().all(|context| listed.contains(context)));
        assert!(!listed.contains(&KeyContext::RunControl), "there is no run");
    }
    let found = |lang, search: &str| -> Vec<&str> {
        let bindings = BINDINGS.iter().filter(|binding| matches_words(binding, lang, search));
        bindings.map(|binding| binding.help).collect()
    };
    let pause = ["Pause or resume", "Pause or resume, also on the other pages"];
    assert_eq!(found(Lang::English, "pause"), pause);
    assert!(found(Lang::English, "lr").contains(&"Change the learning rate"));
    assert!(found(Lang::Korean, "일시정지").contains(&"Pause or resume"));
    assert!(found(Lang::English, "일시정지").is_empty(), "that is not the language");
    assert_eq!(found(Lang::English, "").len(), BINDINGS.len());
    assert!(found(Lang::English, "ctrl-d").len() >= 3);
}
