//! What the machine is doing: a line a figure, with a bar, and with the way there where there is
//! room.

use super::bars::bar;
use super::theme::Theme;
use crate::core::text::{align_left, truncate_width};
use crate::run::system_metrics::{GpuSample, SystemSample};
use crate::screen::app::State;
use crate::screen::app::system::{Series, SystemHistory, share};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// The width from which names and figures are told in full.
const FULL: usize = 40;

/// The width from which there is room for the way there.
const HISTORY: usize = 60;

/// The least cells of a bar.
const LEAST_BAR: usize = 3;

/// Columns of a card's name.
const CARD: usize = 16;

/// One figure.
struct Row<'a> {
    name: String,
    /// From 0 to 1.
    share: f64,
    figure: String,
    /// The way there, and what of it fills a cell.
    series: Option<(&'a Series, f64)>,
}

/// Draws the inside of the panel.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let Some(sample) = &state.system.last else {
        let why = match state.replay {
            Some(_) => "a replay measures no machine",
            None => "measuring …",
        };
        return frame
            .render_widget(Paragraph::new(Line::styled(state.lang.tr(why), theme.dim())), area);
    };
    let (full, lang) = (width >= FULL, state.lang);
    let mut rows = machine_rows(sample, &state.system, full, state.lang);
    let in_detail = rows.len() + 3 * sample.gpus.len() <= height;
    for gpu in &sample.gpus {
        let history = state.system.gpu_of(gpu.index);
        let load = history.map(|history| (&history.load, 1.0));
        if in_detail {
            rows.push(load_row(gpu, load, full, lang));
            rows.push(memory_row(gpu, history.map(|history| (&history.memory, 1.0)), full, lang));
            rows.push(power_row(gpu, history.map(|history| &history.power), full, lang));
        } else {
            rows.push(one_row(gpu, load, full, lang));
        }
    }
    let left_out = rows.len().saturating_sub(height);
    if left_out > 0 {
        // The last line says how many there is no room for.
        rows.truncate(height.saturating_sub(1));
    }
    let mut lines = lines(&rows, width, theme);
    if left_out > 0 {
        lines.push(Line::styled(state.lang.fill("… {0} more", &[&(left_out + 1)]), theme.dim()));
    } else if sample.gpus.is_empty() {
        lines.push(Line::styled(state.lang.tr("no GPU"), theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn machine_rows<'a>(
    sample: &SystemSample,
    history: &'a SystemHistory,
    full: bool,
    lang: Lang,
) -> Vec<Row<'a>> {
    let cpu = format!("{:.0} %", 100.0 * sample.cpu);
    let used = gibibytes(sample.memory_used, sample.memory_total, full, lang);
    let here = sample.process_memory as f64 / f64::from(1 << 30);
    vec![
        Row {
            name: "CPU".to_owned(),
            share: sample.cpu,
            figure: if full {
                let cores = format!("{:.1}", sample.process_cpu);
                lang.fill("{0}  ({1} cores here)", &[&cpu, &cores])
            } else {
                cpu
            },
            series: Some((&history.cpu, 1.0)),
        },
        Row {
            name: "RAM".to_owned(),
            share: share(sample.memory_used, sample.memory_total).unwrap_or(0.0),
            figure: if full {
                lang.fill("{0}  ({1} here)", &[&used, &format!("{here:.1}")])
            } else {
                used
            },
            series: Some((&history.memory, 1.0)),
        },
    ]
}

/// Bytes used of all there are.
fn gibibytes(used: u64, total: u64, full: bool, lang: Lang) -> String {
    if total == 0 {
        return lang.tr("not told").to_owned();
    }
    let unit = f64::from(1 << 30);
    let (used, total) = (used as f64 / unit, total as f64 / unit);
    if full { format!("{used:.1}/{total:.1} GiB") } else { format!("{used:.0}/{total:.0} GiB") }
}

fn percent(load: Option<f64>, lang: Lang) -> String {
    load.map_or_else(|| lang.tr("not told").to_owned(), |load| format!("{:.0} %", 100.0 * load))
}

/// Temperature and power, as far as they are told.
fn heat(gpu: &GpuSample, full: bool, lang: Lang) -> String {
    let gap = if full { "  " } else { " " };
    let degrees = gpu.temperature_celsius.map(|degrees| format!("{degrees:.0} °C"));
    let watts = gpu.power_watts.map(|watts| match gpu.power_limit_watts {
        Some(limit) if full => format!("{watts:.0}/{limit:.0} W"),
        _ => format!("{watts:.0} W"),
    });
    let told: Vec<String> = [degrees, watts].into_iter().flatten().collect();
    if told.is_empty() { lang.tr("not told").to_owned() } else { told.join(gap) }
}

fn load_row<'a>(
    gpu: &GpuSample,
    series: Option<(&'a Series, f64)>,
    full: bool,
    lang: Lang,
) -> Row<'a> {
    let (index, load) = (gpu.index, percent(gpu.load, lang));
    let card = truncate_width(gpu.name.trim_start_matches("NVIDIA "), CARD);
    Row {
        name: if full { lang.fill("GPU{0} load", &[&index]) } else { format!("GPU{index}") },
        share: gpu.load.unwrap_or(0.0),
        figure: if full { format!("{load}  {card}") } else { load },
        series,
    }
}

fn memory_row<'a>(
    gpu: &GpuSample,
    series: Option<(&'a Series, f64)>,
    full: bool,
    lang: Lang,
) -> Row<'a> {
    Row {
        name: if full {
            lang.fill("GPU{0} memory", &[&gpu.index])
        } else {
            lang.tr(" mem").to_owned()
        },
        share: share(gpu.memory_used, gpu.memory_total).unwrap_or(0.0),
        figure: gibibytes(gpu.memory_used, gpu.memory_total, full, lang),
        series,
    }
}

fn power_row<'a>(gpu: &GpuSample, power: Option<&'a Series>, full: bool, lang: Lang) -> Row<'a> {
    let seen = power.map_or(&[][..], Series::points).iter();
    let most = seen.fold(0.0f64, |most, point| most.max(point.1));
    // Without a limit, the most that was seen stands for it.
    let top = gpu.power_limit_watts.unwrap_or(most);
    Row {
        name: if full {
            lang.fill("GPU{0} power", &[&gpu.index])
        } else {
            lang.tr(" heat").to_owned()
        },
        share: gpu.power_watts.map_or(0.0, |watts| watts / top.max(1.0)),
        figure: heat(gpu, full, lang),
        series: power.map(|power| (power, top)),
    }
}

/// A whole card on one line.
fn one_row<'a>(
    gpu: &GpuSample,
    series: Option<(&'a Series, f64)>,
    full: bool,
    lang: Lang,
) -> Row<'a> {
    let (load, heat) = (percent(gpu.load, lang), heat(gpu, full, lang));
    Row {
        name: format!("GPU{}", gpu.index),
        share: gpu.load.unwrap_or(0.0),
        figure: if full {
            let memory = gibibytes(gpu.memory_used, gpu.memory_total, false, lang);
            format!("{load:>5}  {memory}  {heat}")
        } else {
            load
        },
        series,
    }
}

/// Names, bars, figures and the ways there, each in a column of its own.
fn lines(rows: &[Row], width: usize, theme: Theme) -> Vec<Line<'static>> {
    let widest = |text: fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let name = widest(|row| Span::raw(&row.name).width());
    let room = width.saturating_sub(name + 1);
    let figure =
        widest(|row| Span::raw(&row.figure).width()).min(room.saturating_sub(LEAST_BAR + 1));
    let rest = room.saturating_sub(figure + 1);
    let way = if width >= HISTORY { rest.saturating_sub(1) / 2 } else { 0 };
    let cells = rest.saturating_sub(if way > 0 { way + 1 } else { 0 });
    let line = |row: &Row| {
        let mut spans =
            vec![Span::styled(align_left(&row.name, name), theme.dim()), Span::raw(" ")];
        spans.extend(bar(row.share, cells, theme));
        spans.push(Span::styled(format!(" {}", align_left(&row.figure, figure)), theme.strong()));
        if let Some((series, top)) = row.series.filter(|_| way > 0) {
            spans.push(Span::styled(format!(" {}", sparkline(series, top, way)), theme.train()));
        }
        Line::from(spans)
    };
    rows.iter().map(line).collect()
}

/// The latest points, one a cell, the last one at the right.
fn sparkline(series: &Series, top: f64, width: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let points = series.points();
    let shown = &points[points.len().saturating_sub(width)..];
    let level = |point: &(f64, f64)| {
        let share = if top > 0.0 { (point.1 / top).clamp(0.0, 1.0) } else { 0.0 };
        LEVELS[(share * 7.0).round() as usize]
    };
    let cells: String = shown.iter().map(level).collect();
    " ".repeat(width - shown.len()) + &cells
}

#[cfg(test)]
#[path = "system_tests.rs"]
mod tests;
