//! The pinned sentences above their chart, each with its value.

use super::CurveSpec;
use super::legend::short_number;
use crate::core::text::truncate_width;
use crate::screen::app::State;
use crate::screen::ui::theme::Theme;
use ratatui::text::{Line, Span};

/// The fewest rows of the chart below the sentences.
const MIN_CHART: usize = 4;

/// The sentences in lines of at most `width` columns, each with its value at the cursor or its latest one, of
/// as many as there is room for in a panel of so many rows; the last line then says how many are left
/// out. Without room for one, there are no lines.
pub(super) fn lines(
    curves: &[CurveSpec],
    (state, cursor): (&State, Option<f64>),
    (width, rows): (usize, usize),
    theme: Theme,
) -> Vec<Line<'static>> {
    let sentences = state.history.probes.iter().filter(|probe| probe.is_pinned);
    let sentences: Vec<_> = sentences.map(|probe| probe.sentence.as_str()).zip(curves).collect();
    let room = rows.saturating_sub(MIN_CHART);
    let shown = if sentences.len() <= room { sentences.len() } else { room.saturating_sub(1) };
    let line = |(sentence, spec): &(&str, &CurveSpec)| {
        let value =
            spec.value_at(cursor).map_or_else(|| "-".to_owned(), |(raw, _)| short_number(raw));
        let held_since = cursor.and_then(|step| spec.curve.at(step)).map(|(step, _, _)| step);
        let since = held_since.filter(|step| Some(*step) < cursor);
        let since = since.map_or_else(String::new, |step| format!(" @{step}"));
        let value = Span::styled(format!("• {value}{since}  "), spec.style.style);
        let left = width.saturating_sub(value.width());
        Line::from(vec![value, Span::raw(truncate_width(sentence, left))])
    };
    let mut lines: Vec<Line> = sentences.iter().take(shown).map(line).collect();
    if shown > 0 && shown < sentences.len() {
        let more = state.lang.tr_with("… {0} more", &[&(sentences.len() - shown)]);
        lines.push(Line::styled(more, theme.dim()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use crate::core::train::TrainEvent;
    use crate::core::train::event::Probe;
    use crate::core::train::fixtures::{evaluated, run};
    use crate::run::protocol::{Activity, RunReport};
    use crate::screen::app::panels::Panel;
    use crate::screen::app::{Message, State, update};
    use crate::screen::ui::matrix_tests::{all_colors, screen, text};

    const SENTENCES: [&str; 3] = [
        "정말 재미있는 영화",
        "정말 재미있는 영화는 아니다",
        "This film is really a waste of time",
    ];

    /// A run in which each evaluation has classified the sentences.
    fn pinned() -> State {
        let mut state = State::default();
        let without_evaluations = |event: &TrainEvent| !matches!(event, TrainEvent::Evaluated(_));
        for event in run(260).into_iter().filter(without_evaluations) {
            update(&mut state, Message::Report(RunReport::Event(event)));
        }
        for epoch in 2..=4u8 {
            let (step, epoch) = (u64::from(epoch) * 63, f64::from(epoch));
            let mut evaluation = evaluated(step, epoch, 0.6, 10.0 * epoch);
            evaluation.probes = SENTENCES
                .iter()
                .zip([0.1, 0.12, 0.14])
                .map(|(sentence, share)| Probe {
                    text: (*sentence).to_owned(),
                    label: String::new(),
                    probabilities: vec![1.0 - share * epoch, share * epoch],
                })
                .collect();
            let event = TrainEvent::Evaluated(evaluation);
            update(&mut state, Message::Report(RunReport::Event(event)));
        }
        update(&mut state, Message::Report(RunReport::Activity(Activity::Training)));
        state.panels.focus = Panel::Probes;
        state
    }

    #[test]
    fn each_sentence_is_named_with_its_value() {
        for (size, maximized) in [((80, 24), true), ((120, 40), true), ((200, 60), true)] {
            let mut state = pinned();
            state.panels.maximized = maximized;
            let shown = text(&screen(&mut state, size, all_colors()));
            for (sentence, value) in SENTENCES.iter().zip(["0.400", "0.480", "0.560"]) {
                assert!(shown.contains(&format!("• {value}  {sentence}")), "{size:?}\n{shown}");
            }
            state.charts.cursor = Some(190.0);
            let shown = text(&screen(&mut state, size, all_colors()));
            for (sentence, value) in SENTENCES.iter().zip(["0.300", "0.360", "0.420"]) {
                let line = format!("• {value} @189  {sentence}");
                assert!(shown.contains(&line), "{size:?}\n{shown}");
            }
            assert!(shown.contains("step 190"), "{shown}");
        }
    }

    #[test]
    fn without_room_the_others_are_counted() {
        let mut state = pinned();
        state.panels.maximized = true;
        let shown = text(&screen(&mut state, (60, 15), all_colors()));
        assert!(shown.contains(SENTENCES[0]) && !shown.contains(SENTENCES[2]), "{shown}");
        assert!(shown.contains("… 2 more"), "{shown}");
    }
}
