//! Who uses the GPUs: a line with the memory of each user, or a table of the processes.

use super::theme::Theme;
use crate::core::text::{align_left, align_right, truncate_width};
use crate::run::system_metrics::{GpuProcess, SystemSample};
use crate::screen::lang::Lang;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::collections::BTreeMap;

/// The most columns of a user's name.
const USER: usize = 12;

/// All processes with the index of their GPU.
fn processes(sample: &SystemSample) -> impl Iterator<Item = (u32, &GpuProcess)> {
    sample.gpus.iter().flat_map(|gpu| gpu.processes.iter().map(|process| (gpu.index, process)))
}

/// The number of processes on all GPUs, and the memory of each user, the largest first; `None`
/// without processes.
pub(super) fn summary(sample: &SystemSample, lang: Lang) -> Option<String> {
    let mut users: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    let mut ids: Vec<u32> = Vec::new();
    for (_, process) in processes(sample) {
        ids.push(process.pid);
        let user = process.user.as_deref().unwrap_or(lang.tr("unknown"));
        let sum = users.entry(user).or_default();
        *sum = process.memory.map_or(*sum, |memory| Some(sum.unwrap_or(0) + memory));
    }
    // A process on several GPUs counts once.
    ids.sort_unstable();
    ids.dedup();
    let mut users: Vec<(&str, Option<u64>)> = users.into_iter().collect();
    users.sort_by_key(|(_, memory)| std::cmp::Reverse(*memory));
    let of_user = |(user, memory): &(&str, Option<u64>)| {
        let user = truncate_width(user, USER);
        memory.map_or_else(|| user.clone(), |memory| format!("{user} {}", gibibytes(memory, 0)))
    };
    let list: Vec<String> = users.iter().map(of_user).collect();
    let list = list.join(", ");
    match ids.len() {
        0 => None,
        1 => Some(lang.tr_with("1 process: {0}", &[&list])),
        count => Some(lang.tr_with("{0} processes: {1}", &[&count, &list])),
    }
}

/// A head line, and a line for each process: its GPU, owner, memory, id and command. This process
/// is highlighted.
pub(super) fn table(
    sample: &SystemSample,
    width: usize,
    lang: Lang,
    theme: Theme,
) -> Vec<Line<'static>> {
    let unknown = lang.tr("unknown");
    let user = |process: &GpuProcess| process.user.clone().unwrap_or_else(|| unknown.to_owned());
    let head = [lang.tr("user"), lang.tr("memory"), lang.tr("process"), lang.tr("command")];
    let cells = |text: &str| Span::raw(text).width();
    let names = processes(sample).map(|(_, process)| cells(&user(process)));
    let names = names.chain([cells(head[0])]).max().unwrap_or(0).min(USER);
    let row = |gpu: &str, [user, memory, pid, command]: [&str; 4], style: Style| {
        let mut text = align_left(gpu, 6) + &align_left(user, names);
        text += &align_right(memory, 12);
        text += &align_right(pid, 10);
        text += "  ";
        text += command;
        Line::styled(truncate_width(&text, width), style)
    };
    let mut lines = vec![row("GPU", head, theme.dim())];
    for (gpu, process) in processes(sample) {
        let memory = process.memory.map_or("-".to_owned(), |memory| gibibytes(memory, 1));
        let command = process.command.as_deref().unwrap_or(unknown);
        let cells = [&user(process), &memory, &process.pid.to_string(), command];
        let style = if process.is_own { theme.strong() } else { Style::new() };
        lines.push(row(&format!("GPU{gpu}"), cells, style));
    }
    lines
}

fn gibibytes(bytes: u64, decimals: usize) -> String {
    format!("{:.decimals$} GiB", bytes as f64 / f64::from(1 << 30))
}
