//! What the chart of the loss shows before the first step: the stages of the preparation and, once
//! they are known, the model and the data.

use super::theme::Theme;
use crate::core::text::truncate_width;
use crate::run::summary::clock;
use crate::screen::app::State;
use crate::screen::app::counts::training_text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The most columns of the lines, which are in the middle of the panel.
const WIDTH: u16 = 60;

/// Draws the stages; returns whether there were any.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) -> bool {
    if state.stages.is_empty() || state.steps_done() > 0 || !state.is_running() {
        return false;
    }
    let mut lines = stage_lines(state, theme);
    lines.extend(run_lines(state, theme));
    let width = WIDTH.min(area.width);
    let height = (lines.len() as u16).min(area.height);
    let hidden = lines.len() - usize::from(height);
    let area = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Paragraph::new(lines.split_off(hidden)), area);
    true
}

/// The stages so far with their durations; the last one is under way.
fn stage_lines(state: &State, theme: Theme) -> Vec<Line<'static>> {
    let ends = state.stages.iter().skip(1).map(|(_, since)| *since);
    let end = state.began.unwrap_or(state.now);
    let line = |((name, since), end): (&(String, f64), f64)| {
        let is_done = state.started.is_some() || end < state.now;
        let mark = if is_done { "✓ " } else { "▶ " };
        let style = if is_done { theme.dim() } else { theme.strong() };
        let name = truncate_width(state.lang.tr(name), usize::from(WIDTH) - 10);
        let time = format!("  {}", clock(end - since));
        Line::from(vec![
            Span::styled(mark, if is_done { theme.good() } else { theme.strong() }),
            Span::styled(name, style),
            Span::styled(time, theme.dim()),
        ])
    };
    state.stages.iter().zip(ends.chain([end])).map(line).collect()
}

/// The model, the data and the length of the run.
fn run_lines(state: &State, theme: Theme) -> Vec<Line<'static>> {
    let Some(started) = &state.started else { return Vec::new() };
    let width = usize::from(WIDTH);
    let steps = state.lang.tr_with(
        training_text(started.train_samples, started.max_steps),
        &[&started.train_samples, &started.max_steps],
    );
    vec![
        Line::default(),
        Line::styled(truncate_width(&state.lang.tr_filled(&started.model), width), theme.strong()),
        Line::from(truncate_width(&state.lang.tr_filled(&started.architecture), width)),
        Line::from(truncate_width(&steps, width)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::TrainEvent;
    use crate::core::train::fixtures::started;
    use crate::run::protocol::{Activity, RunReport};
    use crate::screen::app::{Message, update};
    use crate::screen::lang::Lang;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn screen(state: &State) -> String {
        let Ok(mut terminal) = Terminal::new(TestBackend::new(80, 24));
        let Ok(_) = terminal.draw(|frame| {
            crate::screen::ui::draw(frame, state, Theme::new(true));
        });
        terminal.backend().to_string()
    }

    #[test]
    fn the_stages_of_the_preparation_are_shown_until_the_first_step() {
        for lang in [Lang::English, Lang::Korean] {
            let mut state = State { lang, ..State::default() };
            for (now, name) in [(0.0, "Reading the data"), (2.0, "Loading the model")] {
                update(&mut state, Message::Tick(now));
                let activity = Activity::Preparing(name.to_owned());
                update(&mut state, Message::Report(RunReport::Activity(activity)));
            }
            update(&mut state, Message::Tick(3.0));
            let text = screen(&state).replace(' ', "");
            for wanted in ["Reading the data", "Loading the model"] {
                assert!(text.contains(&lang.tr(wanted).replace(' ', "")), "{text}");
            }
            assert!(text.contains("0:02") && text.contains("0:01"), "{text}");
            update(&mut state, Message::Report(RunReport::Event(TrainEvent::Started(started()))));
            assert!(screen(&state).contains("embedded small Korean BERT"));
            if let Some(started) = &mut state.started {
                started.model = "small Korean BERT".to_owned();
            }
            let text = screen(&state).replace(' ', "");
            let (model, architecture) = match lang {
                Lang::English => ("smallKoreanBERT", "BERT4layers×192,3heads,8000pieces"),
                Lang::Korean => ("작은한국어BERT", "BERT4층×192,헤드3개,조각8000개"),
            };
            assert!(text.contains(model) && text.contains(architecture), "{text}");
        }
    }
}
