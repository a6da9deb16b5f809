//! Other words for the actions, pages and panels, in English and in Korean, which find them in the
//! palette and in the help.

use crate::screen::app::Page;
use crate::screen::app::action::{Action, PaletteAction};
use crate::screen::app::charts::ChartAction;
use crate::screen::app::log::LogAction;
use crate::screen::app::mistakes::MistakesAction;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::prompt::PromptAction;
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::runs::RunsAction;
use crate::screen::app::words::WordsAction;

/// Other words for an action.
pub(super) fn words_of(action: Action) -> &'static str {
    match action {
        Action::ShowPage(page) => words_of_page(page),
        Action::Help => "shortcuts keyboard manual hotkeys guide 단축키 설명 사용법",
        Action::Quit => "exit leave close end stop abort 종료 나가기 닫기 중지 정지 멈춤 그만",
        Action::Detach => "background close keep running detach disconnect 백그라운드 나가기 분리",
        Action::TakeKeys => "control keyboard 제어 조작",
        Action::StopAndQuit | Action::StopAndStay => "end finish abort halt 종료 그만 중단",
        Action::SaveModel => "write store export weights 저장 가중치",
        Action::SaveScreen => "screenshot picture image capture 그림 캡처 화면 스크린샷",
        Action::DrawFigures => "plot png picture image report graph 그림 도표 그래프 보고서",
        Action::NextTheme => {
            "color colour dark light contrast solarized appearance 테마 색 밝은 어두운 어둡게 밝게 배색 다크 라이트"
        }
        Action::Chart(action) => words_of_chart(action),
        Action::Panel(action) => match action {
            PanelAction::Maximize => "enlarge full screen zoom bigger 전체 크게 확대",
            PanelAction::Open => "enlarge fullscreen bigger 전체 크게 확대",
            PanelAction::Hide => "remove close 감추기 숨김",
            PanelAction::ShowAll => "unhide restore 복구 다시 숨김",
            PanelAction::Columns => "layout grid arrangement 배치 레이아웃 격자",
            PanelAction::Move(_) => "reorder arrange order 순서 배치",
            PanelAction::Show(panel) => words_of_panel(panel),
            _ => "",
        },
        Action::RunControl(action) => match action {
            RunControlAction::Pause => "stop continue hold wait 멈춤 계속 정지 중단",
            RunControlAction::SaveNow => "write store snapshot 저장",
            RunControlAction::EvaluateNow => "test validate validation accuracy 검증 시험",
            RunControlAction::StopAfterEpoch => "finish end early 종료 중단",
            RunControlAction::AskRate => "lr schedule decay 학습률 학습속도",
            _ => "",
        },
        Action::Words(WordsAction::Replace) => "counterfactual substitute swap change 대체 치환",
        Action::Words(WordsAction::SwitchMethod) => {
            "integrated gradients occlusion attribution explain saliency 적분 기울기 근거 설명"
        }
        Action::Words(_) => "attribution explain occlusion saliency heatmap 근거 설명 히트맵",
        Action::Submit => "inference ask 추론 질문",
        Action::Pin => "probe unpin track watch 추적 관찰 프로브",
        Action::Prompt(PromptAction::Copy) | Action::Log(LogAction::Copy) => {
            "yank clipboard 클립보드"
        }
        Action::Prompt(PromptAction::NewLine) => "paragraph 줄바꿈",
        Action::Prompt(PromptAction::Undo) => "revert back 취소",
        Action::Log(LogAction::Search | LogAction::Filter) => "find grep 찾기",
        Action::Log(LogAction::NextLevel) => "severity 심각도 경고 오류",
        Action::Mistakes(action) => words_of_mistakes(action),
        Action::Runs(action) => words_of_runs(action),
        Action::Palette(PaletteAction::Open) => "menu actions 메뉴",
        _ => "",
    }
}

fn words_of_chart(action: ChartAction) -> &'static str {
    match action {
        ChartAction::MoveCursor(_) | ChartAction::StepCursor(_) => "value read crosshair 값 커서",
        ChartAction::ZoomIn | ChartAction::ZoomOut => "scale larger smaller magnify 크게 작게",
        ChartAction::Pan(_) => "shift move earlier later 좌우",
        ChartAction::ResetZoom => "whole fit all 전체",
        ChartAction::Follow => "live tail auto newest 실시간 자동",
        ChartAction::NextAxis => "time epoch clock x-axis 시간 가로축",
        ChartAction::LogY => "log scale logarithm y-axis 로그 로그스케일 세로축",
        ChartAction::NextYRange => "scale limits outliers y-axis 세로축 이상치",
        ChartAction::AdjustSmoothing(_) => "average ema noise 평균 잡음 평활",
        _ => "",
    }
}

fn words_of_mistakes(action: MistakesAction) -> &'static str {
    match action {
        MistakesAction::Open => "explain why 설명",
        MistakesAction::NextOrder | MistakesAction::Reverse => "sort ascending descending 정렬",
        MistakesAction::NextKind => "noise filter suspicious 라벨 잡음 필터",
        MistakesAction::NextCell => "false positive negative fp fn filter 필터",
        MistakesAction::NextLength => "short long filter 짧은 긴 필터",
        MistakesAction::NextUnknown => "unk oov vocabulary filter 어휘 필터",
        MistakesAction::Search => "find grep 찾기",
        MistakesAction::Slices => "subsets subgroups groups wilson 슬라이스 그룹 집단",
        MistakesAction::Relabel => "fix annotate relabel 라벨 수정 교정",
        MistakesAction::Evaluation(_) => "epoch history 에폭",
        _ => "",
    }
}

fn words_of_runs(action: RunsAction) -> &'static str {
    match action {
        RunsAction::Open => "view details 보기",
        RunsAction::ToggleChart | RunsAction::ToggleAll => "select compare overlay plot 비교 선택",
        RunsAction::NextMetric(_) => "accuracy loss f1 정확도 손실",
        RunsAction::Differences => "diff compare hyperparameters 비교 하이퍼파라미터",
        RunsAction::NextOrder => "order newest best 순서",
        RunsAction::Filter => "search find query grep 검색 찾기",
        RunsAction::EditNote => "comment description 설명 주석",
        RunsAction::EditTags => "label 라벨 꼬리표",
        RunsAction::Rename => "move directory 폴더",
        RunsAction::Delete => "remove trash erase 제거 휴지통 지우기",
        _ => "",
    }
}

fn words_of_page(page: Page) -> &'static str {
    match page {
        Page::Train => {
            "dashboard charts curves metrics home overview progress result verdict best 대시보드 곡선 홈 \
             진행 결과 판단 최고"
        }
        Page::Predict => {
            "classify inference try text sentence ask playground pin probe 분류 추론 문장 질문"
        }
        Page::Settings => {
            "options configuration config hyperparameters parameters arguments flags 옵션 \
             하이퍼파라미터 매개변수"
        }
        Page::Log => "messages output history warnings notes 기록 이력 메시지 경고",
        Page::Mistakes => {
            "errors wrong misclassified confusion slices label relabel reviews noise misses 오답 오류 틀린 \
             오분류 리뷰 라벨 실수 수정 교정"
        }
        Page::Runs => "compare experiments history list 비교 실험 목록 이력",
    }
}

/// Other words for a panel.
pub(super) fn words_of_panel(panel: Panel) -> &'static str {
    match panel {
        Panel::Loss => {
            "손실 cross entropy objective train eval curve overfitting over-fitting overfit \
             underfitting plateau divergence diverging convergence perplexity 오차 곡선 과적합 과대적합 \
             과소적합 정체 발산 수렴 교차 엔트로피 mark marker annotation legend 표시 마커 범례"
        }
        Panel::Accuracy => {
            "정확도 f1 score metric performance evaluation tutorial reference baseline 점수 지표 성능 평가 \
             튜토리얼 기준선"
        }
        Panel::Epochs => "에폭 table metrics results 표 결과 에폭별",
        Panel::Confusion => {
            "혼동 matrix errors mistakes heat heatmap heat-map crosstab contingency fp fn 행렬 오류 \
             히트맵 열지도"
        }
        Panel::Log => "로그 messages output 기록 메시지",
        Panel::LearningRate => {
            "학습률 lr schedule scheduler warmup warm-up decay cosine 스케줄 학습속도 웜업 감쇠"
        }
        Panel::GradNorm => {
            "그래디언트 grad_norm gradients clipping exploding vanishing 기울기 경사 폭발 소실"
        }
        Panel::Throughput => "처리량 speed samples tokens per second 속도 초당 샘플 토큰",
        Panel::System => {
            "시스템 cpu gpu ram vram memory temperature power load usage utilization hardware 메모리 \
             온도 부하 사용량 사용률 전력 자원 그래픽 카드 그래픽카드 장치"
        }
        Panel::Classes => {
            "클래스 precision recall f1 per class report labels imbalance 정밀도 재현율 레이블 라벨 불균형"
        }
        Panel::Calibration => {
            "보정 ece confidence reliability overconfident probability uncertainty 신뢰도 확률 확신 \
             불확실성"
        }
        Panel::Probes => "고정 문장 pinned sentences probe probability 확률",
        Panel::Settings => "설정 options configuration config hyperparameters 옵션",
    }
}
