//! Words that find a key binding or a panel, beside its description: what else it is called, in
//! English and in Korean.

use super::{Binding, KeyContext};
use crate::screen::app::action::{Action, PaletteAction};
use crate::screen::app::charts::ChartAction;
use crate::screen::app::log::LogAction;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::words::WordsAction;
use crate::screen::app::{Page, State};
use crate::screen::lang::Lang;

/// Other words for an action.
pub(super) fn words_of(action: Action) -> &'static str {
    match action {
        Action::ShowPage(page) => words_of_page(page),
        Action::Help => "shortcuts keyboard manual 단축키 설명",
        Action::Quit => "exit leave close end 종료 나가기",
        Action::Detach => "background close keep running 백그라운드 나가기",
        Action::StopAndQuit | Action::StopAndStay => "end finish abort 종료 그만",
        Action::SaveModel => "write store export 저장",
        Action::SaveScreen => "screenshot picture image capture 그림 캡처 화면",
        Action::DrawFigures => "plot png picture image report 그림 도표",
        Action::NextTheme => "color colour dark light contrast solarized 테마 색 밝은 어두운",
        Action::Chart(action) => match action {
            ChartAction::MoveCursor(_) | ChartAction::StepCursor(_) => "value read 값 커서",
            ChartAction::ZoomIn | ChartAction::ZoomOut => "scale larger smaller 크게 작게",
            ChartAction::NextAxis => "time epoch clock 시간",
            ChartAction::LogY => "log scale logarithm 로그",
            ChartAction::AdjustSmoothing(_) => "average ema noise 평균 잡음",
            _ => "",
        },
        Action::Panel(action) => match action {
            PanelAction::Maximize => "enlarge full screen zoom bigger 전체 크게 확대",
            PanelAction::Hide => "remove close 감추기",
            PanelAction::Show(panel) => words_of_panel(panel),
            _ => "",
        },
        Action::RunControl(action) => match action {
            RunControlAction::Pause => "stop continue hold 멈춤 계속",
            RunControlAction::SaveNow => "write store snapshot 저장",
            RunControlAction::EvaluateNow => "test validate accuracy 검증 시험",
            RunControlAction::StopAfterEpoch => "finish end 종료",
            RunControlAction::AskRate => "lr schedule decay 학습률 학습속도",
            _ => "",
        },
        Action::Words(WordsAction::Replace) => "counterfactual substitute swap change 대체 치환",
        Action::Words(_) => "attribution explain occlusion saliency 근거 설명",
        Action::Log(LogAction::Search | LogAction::Filter) => "find grep 찾기",
        Action::Palette(PaletteAction::Open) => "menu actions 메뉴",
        _ => "",
    }
}

fn words_of_page(page: Page) -> &'static str {
    match page {
        Page::Train => "dashboard charts curves metrics 대시보드 곡선",
        Page::Predict => "classify inference try text 분류 추론",
        Page::Settings => "options configuration hyperparameters arguments 옵션 하이퍼파라미터",
        Page::Log => "messages output history 기록 메시지",
        Page::Mistakes => "errors wrong misclassified confusion slices label 오답 오류 틀린 오분류",
        Page::Runs => "compare experiments 비교 실험",
    }
}

/// Other words for a panel.
pub(super) fn words_of_panel(panel: Panel) -> &'static str {
    match panel {
        Panel::Loss => "손실 cross entropy objective train eval curve 오차 곡선",
        Panel::Accuracy => "정확도 f1 score metric 점수 지표",
        Panel::Epochs => "에폭 table metrics results 표 결과",
        Panel::Confusion => "혼동 matrix errors mistakes heat 행렬 오류",
        Panel::Log => "로그 messages output 기록 메시지",
        Panel::LearningRate => "학습률 lr schedule warmup 스케줄 학습속도",
        Panel::GradNorm => "그래디언트 grad_norm gradients clipping 기울기",
        Panel::Throughput => "처리량 speed samples tokens per second 속도",
        Panel::System => "시스템 cpu gpu ram memory temperature power load 메모리 온도 부하",
        Panel::Classes => "클래스 precision recall f1 per class report labels 정밀도 재현율 레이블",
        Panel::Calibration => {
            "보정 ece confidence reliability overconfident probability 신뢰도 확률 확신"
        }
        Panel::Probes => "고정 문장 pinned sentences probe probability 확률",
        Panel::Settings => "설정 options configuration hyperparameters 옵션",
    }
}

/// Whether every word of a search occurs in what a binding is called.
pub fn matches_words(binding: &Binding, lang: Lang, search: &str) -> bool {
    let names = [binding.help, binding.context.title()].into_iter().chain(binding.footer);
    let mut words = vec![words_of(binding.action).to_owned()];
    words.extend(names.flat_map(|name| [name.to_owned(), lang.tr(name).to_owned()]));
    words.extend(binding.keys.iter().map(|key| key.name()));
    let text = words.join(" ").to_lowercase();
    search.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

/// What a panel shows, for the help.
pub fn about_panel(panel: Panel) -> &'static str {
    match panel {
        Panel::Loss => "training and evaluation loss over the steps",
        Panel::Accuracy => "accuracy and F1 over the steps",
        Panel::Epochs => "a table of the metrics of each epoch",
        Panel::Confusion => "true and predicted classes; Enter shows the reviews of a cell",
        Panel::Log => "the latest messages",
        Panel::LearningRate => "the schedule of the learning rate, with warm-up and changes",
        Panel::GradNorm => "the norm of the gradients before clipping",
        Panel::Throughput => "samples and tokens per second",
        Panel::System => "load of the CPU, the memory and the GPUs",
        Panel::Classes => "precision, recall and F1 of each class",
        Panel::Calibration => "reliability: accuracy by confidence, with its mean gap (ECE)",
        Panel::Probes => "the probabilities of pinned sentences over the run",
        Panel::Settings => "all settings with their sources",
    }
}

/// Whether every word of a search occurs in what a panel is called, or in what it shows.
pub fn matches_panel(panel: Panel, lang: Lang, search: &str) -> bool {
    let names = [panel.title(), about_panel(panel)];
    let names = names.into_iter().flat_map(|name| [name, lang.tr(name)]);
    let text = [words_of_panel(panel)].into_iter().chain(names).collect::<Vec<_>>().join(" ");
    let text = text.to_lowercase();
    search.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

/// The contexts of the help by page, that of the current page first.
pub fn help_groups(state: &State) -> Vec<(&'static str, Vec<KeyContext>)> {
    use KeyContext::{
        AllPages, Anywhere, Charts, LogInput, NoTextInput, Panels, Predict, PredictAlone,
        PredictInRun, RunControl, RunInput, RunPages, Runs, Scrolling, WordInput,
    };
    let mut groups: Vec<(Option<Page>, &'static str, Vec<KeyContext>)> = vec![
        (Some(Page::Train), "Train", vec![RunControl, Panels, Charts]),
        (Some(Page::Predict), "Predict", vec![Predict, PredictInRun, PredictAlone, WordInput]),
        (Some(Page::Log), "Log", vec![KeyContext::Log, LogInput]),
        (Some(Page::Mistakes), "Mistakes", vec![KeyContext::Mistakes, KeyContext::MistakesInput]),
        (Some(Page::Settings), "Settings, Log and help", vec![Scrolling]),
        (Some(Page::Runs), "Compare runs", vec![Runs, RunInput]),
        (None, "All pages", vec![RunPages, NoTextInput, AllPages, Anywhere]),
    ];
    let is_grouped = |context: &KeyContext| groups.iter().any(|group| group.2.contains(context));
    let rest = KeyContext::ALL.into_iter().filter(|context| !is_grouped(context)).collect();
    groups.push((None, "Dialogs and text input", rest));
    groups.sort_by_key(|(page, _, _)| *page != Some(state.page));
    groups.into_iter().map(|(_, title, contexts)| (title, contexts)).collect()
}
