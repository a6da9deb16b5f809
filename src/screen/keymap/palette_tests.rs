//! What words find in the palette and in the help.

use super::scene_tests::{compared, text_of, training};
use super::*;
use crate::run::protocol::Activity;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::{Message, update};
use crate::screen::lang::Lang;

fn press(state: &mut State, event: KeyEvent) {
    if let Some(message) = message(state, event) {
        update(state, message);
    }
}

fn key_press(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// What a word finds first in the palette on the training page, in a language.
const FIRST_MATCHES: [(Lang, &str, Action); 114] = {
    use Lang::{English, Korean};
    const fn show(panel: Panel) -> Action {
        Action::Panel(PanelAction::Show(panel))
    }
    const RATE: Action = Action::RunControl(RunControlAction::AskRate);
    const SAVE: Action = Action::RunControl(RunControlAction::SaveNow);
    const PAUSE: Action = Action::RunControl(RunControlAction::Pause);
    const EVALUATE: Action = Action::RunControl(RunControlAction::EvaluateNow);
    [
        (English, "confusion", show(Panel::Confusion)),
        (English, "conf", show(Panel::Confusion)),
        (English, "matrix", show(Panel::Confusion)),
        (English, "loss", show(Panel::Loss)),
        (English, "accuracy", show(Panel::Accuracy)),
        (English, "lr", show(Panel::LearningRate)),
        (English, "learning rate", show(Panel::LearningRate)),
        (English, "change the learning rate", RATE),
        (English, "change lr", RATE),
        (English, "warmup", show(Panel::LearningRate)),
        (English, "gradient", show(Panel::GradNorm)),
        (English, "norm", show(Panel::GradNorm)),
        (English, "reliability", show(Panel::Calibration)),
        (English, "calibration", show(Panel::Calibration)),
        (English, "calib", show(Panel::Calibration)),
        (English, "ece", show(Panel::Calibration)),
        (English, "confidence", show(Panel::Calibration)),
        (English, "gpu", show(Panel::System)),
        (English, "memory", show(Panel::System)),
        (English, "speed", show(Panel::Throughput)),
        (English, "tokens", show(Panel::Throughput)),
        (English, "precision", show(Panel::Classes)),
        (English, "classes", show(Panel::Classes)),
        (English, "epochs", show(Panel::Epochs)),
        (English, "settings", Action::ShowPage(Page::Settings)),
        (English, "hyperparameters", Action::ShowPage(Page::Settings)),
        (English, "log", Action::ShowPage(Page::Log)),
        (English, "predict", Action::ShowPage(Page::Predict)),
        (English, "classify", Action::ShowPage(Page::Predict)),
        (English, "mistakes", Action::ShowPage(Page::Mistakes)),
        (English, "errors", Action::ShowPage(Page::Mistakes)),
        (English, "train", Action::ShowPage(Page::Train)),
        (English, "pause", PAUSE),
        (English, "checkpoint", SAVE),
        (English, "evaluate", EVALUATE),
        (English, "theme", Action::NextTheme),
        (English, "quit", Action::Quit),
        (English, "exit", Action::Quit),
        (English, "help", Action::Help),
        (English, "pin", Action::ShowPage(Page::Predict)),
        (English, "verdict", Action::ShowPage(Page::Train)),
        (English, "progress", Action::ShowPage(Page::Train)),
        (English, "result", Action::ShowPage(Page::Train)),
        (English, "maximize", Action::Panel(PanelAction::Open)),
        (Korean, "도움말", Action::Help),
        (Korean, "판단", Action::ShowPage(Page::Train)),
        (Korean, "그래픽", show(Panel::System)),
        (Korean, "정지", PAUSE),
        (Korean, "혼동", show(Panel::Confusion)),
        (Korean, "혼동 행렬", show(Panel::Confusion)),
        (Korean, "행렬", show(Panel::Confusion)),
        (Korean, "confusion", show(Panel::Confusion)),
        (Korean, "손실", show(Panel::Loss)),
        (Korean, "정확도", show(Panel::Accuracy)),
        (Korean, "학습률", show(Panel::LearningRate)),
        (Korean, "lr", show(Panel::LearningRate)),
        (Korean, "학습률 변경", RATE),
        (Korean, "그래디언트", show(Panel::GradNorm)),
        (Korean, "보정", show(Panel::Calibration)),
        (Korean, "확률 보정", show(Panel::Calibration)),
        (Korean, "신뢰도", show(Panel::Calibration)),
        (Korean, "ece", show(Panel::Calibration)),
        (Korean, "처리량", show(Panel::Throughput)),
        (Korean, "속도", show(Panel::Throughput)),
        (Korean, "메모리", show(Panel::System)),
        (Korean, "정밀도", show(Panel::Classes)),
        (Korean, "학습", Action::ShowPage(Page::Train)),
        (Korean, "예측", Action::ShowPage(Page::Predict)),
        (Korean, "오답", Action::ShowPage(Page::Mistakes)),
        (Korean, "설정", Action::ShowPage(Page::Settings)),
        (Korean, "일시정지", PAUSE),
        (Korean, "테마", Action::NextTheme),
        (English, "heatmap", show(Panel::Confusion)),
        (English, "overfitting", show(Panel::Loss)),
        (English, "over-fitting", show(Panel::Loss)),
        (English, "overfit", show(Panel::Loss)),
        (English, "과적합", show(Panel::Loss)),
        (English, "warm-up", show(Panel::LearningRate)),
        (English, "imbalance", show(Panel::Classes)),
        (English, "utilization", show(Panel::System)),
        (English, "layout", Action::Panel(PanelAction::Columns)),
        (English, "screenshot", Action::SaveScreen),
        (English, "detach", Action::Detach),
        (English, "ㅎㄷ", show(Panel::Confusion)),
        (Korean, "heatmap", show(Panel::Confusion)),
        (Korean, "히트맵", show(Panel::Confusion)),
        (Korean, "overfitting", show(Panel::Loss)),
        (Korean, "과적합", show(Panel::Loss)),
        (Korean, "불균형", show(Panel::Classes)),
        (Korean, "사용률", show(Panel::System)),
        (Korean, "배치", Action::Panel(PanelAction::Move(1))),
        (Korean, "스크린샷", Action::SaveScreen),
        (Korean, "ㅎㄷ", show(Panel::Confusion)),
        (Korean, "ㅎㄷㅎㄹ", show(Panel::Confusion)),
        (Korean, "ㅎㄷ ㅎㄹ", show(Panel::Confusion)),
        (Korean, "ㅅㅅ", show(Panel::Loss)),
        (Korean, "ㅅㅅㅌ", show(Panel::System)),
        (Korean, "ㅈㅎㄷ", show(Panel::Accuracy)),
        (Korean, "ㅎㅅㄹ", show(Panel::LearningRate)),
        (Korean, "ㅎㄹ ㅂㅈ", show(Panel::Calibration)),
        (Korean, "ㅇㄷ", Action::ShowPage(Page::Mistakes)),
        (Korean, "ㅇㅅㅈㅈ", PAUSE),
        (Korean, "ㅌㅁ", Action::NextTheme),
        (English, "tutorial", show(Panel::Accuracy)),
        (English, "relabel", Action::ShowPage(Page::Mistakes)),
        (English, "sentence", Action::ShowPage(Page::Predict)),
        (English, "legend", show(Panel::Loss)),
        (Korean, "샘플", show(Panel::Throughput)),
        (Korean, "토큰", show(Panel::Throughput)),
        (Korean, "튜토리얼", show(Panel::Accuracy)),
        (Korean, "어둡게", Action::NextTheme),
        (Korean, "체크포인트", SAVE),
        (Korean, "범례", show(Panel::Loss)),
        (Korean, "문장", Action::ShowPage(Page::Predict)),
    ]
};

#[test]
fn the_first_match_of_a_word_is_what_is_meant() {
    let mut wrong = Vec::new();
    for (lang, typed, wanted) in FIRST_MATCHES {
        let mut state = State { lang, ..training() };
        press(&mut state, key_press(KeyCode::Char(':')));
        update(&mut state, Message::Paste(typed.to_owned()));
        let found = state.palette.selected_entry();
        if found.map(|entry| entry.action) != Some(wanted) {
            wrong.push((typed, found.map(|entry| entry.name.clone())));
        }
    }
    assert_eq!(wrong, []);
    // Running the match shows the panel.
    let mut state = training();
    press(&mut state, key_press(KeyCode::Char(':')));
    update(&mut state, Message::Paste("reliability".to_owned()));
    press(&mut state, key_press(KeyCode::Enter));
    assert_eq!((state.overlay, state.panels.focus), (None, Panel::Calibration));
}

#[test]
fn what_is_meant_by_nothing_finds_nothing() {
    let found = |state: &State, typed: &str| -> Vec<String> {
        let mut state = state.clone();
        let entries = commands(&state);
        update(&mut state, Message::OpenPalette(entries));
        update(&mut state, Message::Paste(typed.to_owned()));
        let palette = &state.palette;
        palette.matches.iter().map(|found| palette.entries[found.entry].name.clone()).collect()
    };
    for lang in [Lang::English, Lang::Korean] {
        let runs = State { lang, ..compared() };
        assert_eq!(found(&runs, "gpu"), [""; 0], "the list of runs has no such panel");
        for page in Page::ALL {
            let state = State { lang, page, ..training() };
            for typed in ["oops", "xyzzy", "ㅋㅋㅋ", "아무거나"] {
                assert_eq!(found(&state, typed), [""; 0], "{typed} on {page:?}");
            }
            if page != Page::Runs {
                let gpu = found(&state, "gpu");
                let system = [lang.tr("system")].map(|name| lang.tr_with("Panel: {0}", &[&name]));
                assert_eq!(gpu, system, "on {page:?}");
            }
        }
    }
    let mut state = training();
    press(&mut state, key_press(KeyCode::Char(':')));
    update(&mut state, Message::Paste("oops".to_owned()));
    let shown = text_of(&state, (80, 24));
    assert!(shown.contains("nothing matches"), "{shown}");
}

#[test]
fn a_request_that_is_not_taken_is_listed_with_the_reason() {
    let ended = State { activity: Activity::Idle, ..training() };
    for (lang, reason, in_korean) in [
        (Lang::English, "the run has ended", &[][..]),
        (Lang::Korean, "학습이 끝났습니다", &["체크포인트", "일시정지"]),
    ] {
        for typed in [&["checkpoint", "evaluate", "learning rate"], in_korean].concat() {
            let mut state = State { lang, ..ended.clone() };
            press(&mut state, key_press(KeyCode::Char(':')));
            update(&mut state, Message::Paste(typed.to_owned()));
            let refusals = state.palette.matches.iter().map(|found| found.entry);
            let mut refusals = refusals.map(|entry| state.palette.entries[entry].refusal.clone());
            assert!(refusals.any(|refusal| refusal.as_deref() == Some(reason)), "{typed}");
            let shown = text_of(&state, (80, 24));
            assert!(shown.contains(reason), "{typed}: {shown}");
        }
        let mut state = State { lang, ..ended.clone() };
        press(&mut state, key_press(KeyCode::Char(':')));
        update(&mut state, Message::Paste("checkpoint".to_owned()));
        press(&mut state, key_press(KeyCode::Enter));
        let said = state.notice.map(|notice| notice.text);
        assert_eq!((state.overlay, said.as_deref()), (None, Some(reason)));
    }
    assert!(commands(&training()).iter().all(|entry| entry.refusal.is_none()));
}

#[test]
fn the_help_finds_panels() {
    let found = |lang, search: &str| -> Vec<Panel> {
        let panels = Panel::ALL.into_iter();
        panels.filter(|panel| matches_panel(*panel, lang, search)).collect()
    };
    for (lang, search, panel) in [
        (Lang::English, "reliability", Panel::Calibration),
        (Lang::English, "calibration", Panel::Calibration),
        (Lang::English, "ECE", Panel::Calibration),
        (Lang::English, "confusion", Panel::Confusion),
        (Lang::English, "lr", Panel::LearningRate),
        (Lang::Korean, "신뢰도", Panel::Calibration),
        (Lang::Korean, "보정", Panel::Calibration),
        (Lang::Korean, "혼동", Panel::Confusion),
        (Lang::Korean, "학습률", Panel::LearningRate),
        (Lang::English, "heatmap", Panel::Confusion),
        (Lang::English, "overfitting", Panel::Loss),
        (Lang::Korean, "과적합", Panel::Loss),
        (Lang::Korean, "ㅎㄷ", Panel::Confusion),
        (Lang::Korean, "ㅎㄷㅎㄹ", Panel::Confusion),
    ] {
        assert!(found(lang, search).contains(&panel), "{search}: {:?}", found(lang, search));
    }
    assert_eq!(found(Lang::English, "").len(), Panel::ALL.len());
    let mut state = State { overlay: Some(Overlay::Help), ..training() };
    for c in "/reliability".chars() {
        press(&mut state, key_press(KeyCode::Char(c)));
    }
    let shown = text_of(&state, (80, 24));
    assert!(shown.contains(": calibration") && shown.contains("(ECE)"), "{shown}");
}
