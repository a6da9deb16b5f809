//! The computer's load: a line for each metric with its value, a bar and, if there is space, its
//! history.

mod graphs;

use super::gpu_processes;
use super::rank_rows::{RankRow, rank_rows};
use super::theme::Theme;
use super::widgets::bar::bar;
use super::widgets::{draw_hint, level};
use crate::core::text::{align_left, truncate_width};
use crate::run::system_metrics::{GpuSample, SystemSample};
use crate::screen::app::State;
use crate::screen::app::system::{GpuHistory, SystemHistory, SystemSeries, share};
use crate::screen::lang::Lang;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The width from which names and values are written in full.
const FULL_WIDTH: usize = 40;

/// The width from which the history is shown.
const HISTORY_WIDTH: usize = 60;

/// The fewest lines of a table of processes that does not have all of them.
const MIN_TABLE: usize = 5;

/// The minimum cells of a bar.
const MIN_BAR: usize = 3;

/// Columns of a GPU's name.
const GPU_NAME: usize = 16;

/// What a history shows of its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// The latest values, one a cell, or several cells wide while there are few.
    Latest,
    /// All of a recorded run, in as many cells as there are.
    Whole,
}

impl Shown {
    /// The values of at most `width` cells, the last one at the right.
    fn values(self, series: &SystemSeries, width: usize) -> Vec<f64> {
        let points = series.points();
        let count = points.len();
        if self == Self::Latest || count == 0 {
            let cells = cells_of_a_point(count, width);
            let shown = &points[count.saturating_sub(width / cells)..];
            return shown.iter().flat_map(|point| std::iter::repeat_n(point.1, cells)).collect();
        }
        let cell = |cell: usize| {
            let from = cell * count / width;
            let until = ((cell + 1) * count / width).max(from + 1);
            let sum: f64 = points[from..until].iter().map(|point| point.1).sum();
            sum / (until - from) as f64
        };
        (0..width).map(cell).collect()
    }
}

/// The points that a history shows at least, if it has fewer than cells.
const MIN_POINTS: usize = 30;

/// The cells of a point of a history in `width` cells.
fn cells_of_a_point(count: usize, width: usize) -> usize {
    (width / count.max(MIN_POINTS)).max(1)
}

/// The unit and the limit of a history.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    /// A share of all that there is.
    Percent,
    /// A share of this many GiB.
    Gibibytes(f64),
    /// Watts, up to this many.
    Watts(f64),
}

/// The history of a metric.
#[derive(Clone, Copy, Debug)]
struct MetricHistory<'a> {
    series: &'a SystemSeries,
    scale: Scale,
}

impl MetricHistory<'_> {
    /// The value at which a cell is full.
    fn limit(self) -> f64 {
        match self.scale {
            Scale::Percent | Scale::Gibibytes(_) => 1.0,
            Scale::Watts(limit) => limit,
        }
    }
}

/// One metric.
struct MetricRow<'a> {
    name: String,
    /// The filled part of the bar, from 0 to 1.
    share: f64,
    value: String,
    history: Option<MetricHistory<'a>>,
}

/// Draws the panel.
pub fn draw(frame: &mut Frame, area: Rect, block: Block, state: &State, theme: Theme) {
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let (full, lang) = (width >= FULL_WIDTH, state.lang);
    let shown = if state.replay.is_some() { Shown::Whole } else { Shown::Latest };
    let ranks = state.system.ranks.as_ref();
    let ranks = ranks.map_or_else(Vec::new, |measured| rank_rows(measured, full, lang)).into_iter();
    let ranks: Vec<MetricRow> = ranks
        .map(|RankRow { name, share, value }| MetricRow { name, share, value, history: None })
        .collect();
    let Some(sample) = &state.system.last else {
        if !ranks.is_empty() {
            let (lines, _) = bounded_lines(ranks, (width, height), shown, (lang, theme));
            return frame.render_widget(Paragraph::new(lines), inner);
        }
        let hint = match state.replay {
            Some(_) if state.is_opened() => "this run did not record system metrics",
            Some(_) => "no system metrics so far",
            None if !state.measures_system() => "no system metrics of another computer",
            None => "measuring …",
        };
        return draw_hint(frame, inner, state.lang.tr(hint), theme);
    };
    let mut rows: Vec<MetricRow> = computer_rows(sample, &state.system, full, lang).into();
    let summary = gpu_processes::summary(sample, lang);
    let others = rows.len() + ranks.len() + usize::from(summary.is_some());
    let in_detail = others + 3 * sample.gpus.len() <= height;
    for gpu in &sample.gpus {
        let rows_of = GpuRows { gpu, history: state.system.gpu(gpu.index), full, lang };
        if in_detail {
            rows.extend([rows_of.load(), rows_of.memory(), rows_of.power()]);
        } else {
            rows.push(rows_of.summary());
        }
    }
    rows.extend(ranks);
    let is_whole = rows.len() <= height;
    let (mut lines, rows) = bounded_lines(rows, (width, height), shown, (lang, theme));
    if is_whole && sample.gpus.is_empty() {
        lines.push(Line::styled(lang.tr("no GPU"), theme.dim()));
    } else if let Some(summary) = summary.filter(|_| is_whole) {
        let available = height - rows.len();
        lines.extend(process_lines(sample, &summary, (width, available), lang, theme));
    }
    let left = height.saturating_sub(lines.len());
    let graphs = graphs::lines(&rows, (width, left), shown, (lang, theme));
    if graphs.is_empty() && state.panels.maximized && left > 1 {
        let hint = "graphs begin with the second measurement";
        lines.extend([Line::default(), Line::styled(lang.tr(hint), theme.dim())]);
    }
    lines.extend(graphs);
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The lines of rows, and the rows that are shown: the last line has the number of rows for which there
/// is no space.
fn bounded_lines(
    mut rows: Vec<MetricRow<'_>>,
    (width, height): (usize, usize),
    shown: Shown,
    (lang, theme): (Lang, Theme),
) -> (Vec<Line<'static>>, Vec<MetricRow<'_>>) {
    let hidden = rows.len().saturating_sub(height);
    if hidden > 0 {
        rows.truncate(height.saturating_sub(1));
    }
    let mut lines = lines(&rows, width, shown, theme);
    if hidden > 0 {
        lines.push(Line::styled(lang.tr_with("… {0} more", &[&(hidden + 1)]), theme.dim()));
    }
    (lines, rows)
}

/// Who uses the GPUs, in at most `available` lines: a table if the panel is large, else a summary.
fn process_lines(
    sample: &SystemSample,
    summary: &str,
    (width, available): (usize, usize),
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut table = gpu_processes::table(sample, width, lang, theme);
    if width < HISTORY_WIDTH || available < table.len().min(MIN_TABLE) {
        let summary = Line::styled(truncate_width(summary, width), theme.dim());
        return vec![summary].into_iter().take(available).collect();
    }
    let hidden = table.len().saturating_sub(available);
    if hidden > 0 {
        table.truncate(available - 1);
        table.push(Line::styled(lang.tr_with("… {0} more", &[&(hidden + 1)]), theme.dim()));
    }
    table
}

fn computer_rows<'a>(
    sample: &SystemSample,
    history: &'a SystemHistory,
    full: bool,
    lang: Lang,
) -> [MetricRow<'a>; 2] {
    let cpu = format!("{:.0} %", 100.0 * sample.cpu);
    let memory = gibibytes(sample.memory_used, sample.memory_total, full, lang);
    let with_own = |value: String, template: &str, own: f64| {
        if full { lang.tr_with(template, &[&value, &format!("{own:.1}")]) } else { value }
    };
    let own_memory = sample.process_memory as f64 / f64::from(1 << 30);
    [
        MetricRow {
            name: "CPU".to_owned(),
            share: sample.cpu,
            value: with_own(cpu, "{0}  (this run: {1} cores)", sample.process_cpu),
            history: Some(MetricHistory { series: &history.cpu, scale: Scale::Percent }),
        },
        MetricRow {
            name: "RAM".to_owned(),
            share: share(sample.memory_used, sample.memory_total).unwrap_or(0.0),
            value: with_own(memory, "{0}  (this run: {1})", own_memory),
            history: Some(MetricHistory {
                series: &history.memory,
                scale: in_gibibytes(sample.memory_total),
            }),
        },
    ]
}

/// The scale of shares of a memory of this many bytes.
fn in_gibibytes(total: u64) -> Scale {
    Scale::Gibibytes(total as f64 / f64::from(1 << 30))
}

/// Bytes used of the total.
fn gibibytes(used: u64, total: u64, full: bool, lang: Lang) -> String {
    if total == 0 {
        return lang.tr("unknown").to_owned();
    }
    let unit = f64::from(1 << 30);
    let (used, total) = (used as f64 / unit, total as f64 / unit);
    if full { format!("{used:.1}/{total:.1} GiB") } else { format!("{used:.0}/{total:.0} GiB") }
}

/// Makes the rows of a GPU.
struct GpuRows<'a, 'b> {
    gpu: &'b GpuSample,
    history: Option<&'a GpuHistory>,
    /// Whether names and values are written in full.
    full: bool,
    lang: Lang,
}

impl<'a> GpuRows<'a, '_> {
    fn load(&self) -> MetricRow<'a> {
        let (index, value) = (self.gpu.index, self.load_value());
        let model = truncate_width(self.gpu.name.trim_start_matches("NVIDIA "), GPU_NAME);
        MetricRow {
            name: self.name("GPU{0} load", &format!("GPU{index}")),
            share: self.gpu.load.unwrap_or(0.0),
            value: if self.full { format!("{value}  {model}") } else { value },
            history: self.load_history(),
        }
    }

    fn memory(&self) -> MetricRow<'a> {
        let gpu = self.gpu;
        MetricRow {
            name: self.name("GPU{0} memory", self.lang.tr(" mem")),
            share: share(gpu.memory_used, gpu.memory_total).unwrap_or(0.0),
            value: gibibytes(gpu.memory_used, gpu.memory_total, self.full, self.lang),
            history: self.history.map(|history| MetricHistory {
                series: &history.memory,
                scale: in_gibibytes(gpu.memory_total),
            }),
        }
    }

    fn power(&self) -> MetricRow<'a> {
        let power = self.history.map(|history| &history.power);
        let points = power.map_or(&[][..], SystemSeries::points).iter();
        // If the driver reports no limit, the highest value so far is used.
        let highest = points.fold(0.0f64, |highest, point| highest.max(point.1));
        let limit = self.gpu.power_limit_watts.unwrap_or(highest);
        MetricRow {
            name: self.name("GPU{0} power", self.lang.tr(" heat")),
            share: self.gpu.power_watts.map_or(0.0, |watts| watts / limit.max(1.0)),
            value: self.temperature_and_power(),
            history: power.map(|series| MetricHistory { series, scale: Scale::Watts(limit) }),
        }
    }

    /// The whole GPU in one row.
    fn summary(&self) -> MetricRow<'a> {
        let (gpu, load) = (self.gpu, self.load_value());
        MetricRow {
            name: format!("GPU{}", gpu.index),
            share: gpu.load.unwrap_or(0.0),
            value: if self.full {
                let memory = gibibytes(gpu.memory_used, gpu.memory_total, false, self.lang);
                format!("{load:>5}  {memory}  {}", self.temperature_and_power())
            } else {
                load
            },
            history: self.load_history(),
        }
    }

    fn name(&self, full: &str, short: &str) -> String {
        if self.full { self.lang.tr_with(full, &[&self.gpu.index]) } else { short.to_owned() }
    }

    fn load_value(&self) -> String {
        let percent = self.gpu.load.map(|load| format!("{:.0} %", 100.0 * load));
        percent.unwrap_or_else(|| self.lang.tr("unknown").to_owned())
    }

    fn load_history(&self) -> Option<MetricHistory<'a>> {
        let series = &self.history?.load;
        Some(MetricHistory { series, scale: Scale::Percent })
    }

    /// Temperature and power, as far as the driver reports them.
    fn temperature_and_power(&self) -> String {
        let celsius = self.gpu.temperature_celsius.map(|celsius| format!("{celsius:.0} °C"));
        let watts = self.gpu.power_watts.map(|watts| match self.gpu.power_limit_watts {
            Some(limit) if self.full => format!("{watts:.0}/{limit:.0} W"),
            _ => format!("{watts:.0} W"),
        });
        let values: Vec<String> = [celsius, watts].into_iter().flatten().collect();
        if values.is_empty() {
            return self.lang.tr("unknown").to_owned();
        }
        values.join(if self.full { "  " } else { " " })
    }
}

/// Names, bars, values and histories, each in a column.
fn lines(rows: &[MetricRow], width: usize, shown: Shown, theme: Theme) -> Vec<Line<'static>> {
    let widest = |text: fn(&MetricRow) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let name = widest(|row| Span::raw(&row.name).width());
    let left = width.saturating_sub(name + 1);
    let value = widest(|row| Span::raw(&row.value).width()).min(left.saturating_sub(MIN_BAR + 1));
    let left = left.saturating_sub(value + 1);
    let history = if width >= HISTORY_WIDTH { left.saturating_sub(1) / 2 } else { 0 };
    let cells = left.saturating_sub(if history > 0 { history + 1 } else { 0 });
    let line = |row: &MetricRow| {
        let mut spans =
            vec![Span::styled(align_left(&row.name, name), theme.dim()), Span::raw(" ")];
        spans.extend(bar(row.share, cells, theme));
        spans.push(Span::styled(format!(" {}", align_left(&row.value, value)), theme.strong()));
        if let Some(of) = row.history.filter(|_| history > 0) {
            let values = shown.values(of.series, history);
            let text = format!(" {}", sparkline(&values, of.limit(), history));
            spans.push(Span::styled(text, theme.bar()));
        }
        Line::from(spans)
    };
    rows.iter().map(line).collect()
}

/// The values, one a cell, the last one at the right.
fn sparkline(values: &[f64], limit: f64, width: usize) -> String {
    let value = |value: &f64| level(if limit > 0.0 { value / limit } else { 0.0 });
    let cells: String = values.iter().map(value).collect();
    " ".repeat(width.saturating_sub(values.len())) + &cells
}

#[cfg(test)]
#[path = "system_tests.rs"]
mod tests;
