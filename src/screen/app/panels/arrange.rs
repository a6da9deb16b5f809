//! Which panels are on which page, and how large each is.
//!
//! Panels fill rows from left to right. The loss is about twice as large as the others, the log gets
//! the width that its lines need, and panels with few lines are stacked. A page has as few rows as
//! its panels need.

use super::Panel;
use crate::screen::app::area::Area;
use std::collections::VecDeque;

/// The maximum number of columns of panels.
pub const MAX_COLUMNS: usize = 4;

/// The minimum width and height of a panel in the grid.
const MIN_SIZE: (usize, usize) = (38, 8);

/// The preferred minimum height of a row.
const PREFERRED_HEIGHT: usize = 10;

/// The height from which a page has two rows, so that the first one has the accuracy, too.
const TWO_ROWS: usize = 14;

/// The lines of the panels whose content has a fixed number of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentSize {
    /// The number of epochs of the run.
    pub epochs: usize,
    /// The number of classes.
    pub classes: usize,
    /// Whether the load of the computer is measured.
    pub has_system: bool,
}

impl Default for ContentSize {
    fn default() -> Self {
        Self { epochs: 3, classes: 2, has_system: true }
    }
}

/// The panels of a page, each with its area.
pub type PanelPage = Vec<(Panel, Area)>;

impl Panel {
    /// The columns of the grid that it takes.
    fn span(self, columns: usize) -> usize {
        if matches!(self, Self::Loss | Self::Log) { columns.min(2) } else { 1 }
    }

    /// The rows of terminal cells that it needs, with its border.
    fn rows_needed(self, content: ContentSize) -> usize {
        match self {
            Self::Epochs => (content.epochs + 3).clamp(5, MIN_SIZE.1),
            Self::Confusion => (content.classes + 3).clamp(5, 12),
            Self::Classes => (content.classes + 5).clamp(7, 12),
            Self::Calibration => 7,
            // A line says that there is nothing.
            Self::System if !content.has_system => 3,
            _ => MIN_SIZE.1,
        }
    }

    /// How much of the rows that are left over it can use.
    fn growth(self, content: ContentSize) -> usize {
        match self {
            Self::System if !content.has_system => 0,
            Self::Loss => 3,
            Self::Epochs | Self::Classes | Self::Calibration | Self::Confusion => 0,
            _ => 1,
        }
    }

    /// Whether it can be above or below another one in the same row of the grid.
    fn is_stackable(self) -> bool {
        !matches!(self, Self::Loss | Self::Accuracy | Self::Log)
    }
}

/// Panels below one another.
struct Stack {
    span: usize,
    panels: Vec<Panel>,
}

impl Stack {
    fn rows_needed(&self, content: ContentSize) -> usize {
        self.panels.iter().map(|panel| panel.rows_needed(content)).sum()
    }

    fn growth(&self, content: ContentSize) -> usize {
        self.panels.iter().map(|panel| panel.growth(content)).max().unwrap_or(0)
    }
}

/// Stacks beside one another.
type Row = Vec<Stack>;

/// The size of the grid and of what its panels show.
#[derive(Clone, Copy)]
struct Grid {
    columns: usize,
    content: ContentSize,
}

impl Grid {
    /// Places panels in at most `most_rows` rows, with stacks of at most `limit` terminal rows.
    /// Returns the rows and the panels that are left.
    fn pack(self, panels: &[Panel], most_rows: usize, limit: usize) -> (Vec<Row>, Vec<Panel>) {
        let mut waiting: VecDeque<Panel> = panels.iter().copied().collect();
        let mut rows: Vec<Row> = Vec::new();
        while rows.len() < most_rows && !waiting.is_empty() {
            rows.push(self.fill_row(&mut waiting, limit));
        }
        (rows, waiting.into())
    }

    fn fill_row(self, waiting: &mut VecDeque<Panel>, limit: usize) -> Row {
        let mut row = Row::new();
        let mut free = self.columns;
        while let Some(&next) = waiting.front() {
            let span = next.span(self.columns);
            if let Some(stack) = row.last_mut().filter(|stack| self.can_stack(stack, next, limit)) {
                stack.panels.push(next);
                waiting.pop_front();
                continue;
            }
            // A gap that is too narrow for the next panel is filled with a later one.
            let fitting = waiting.iter().position(|panel| panel.span(self.columns) <= free);
            let index = if span <= free { Some(0) } else { fitting.filter(|_| free > 0) };
            let Some(panel) = index.and_then(|index| waiting.remove(index)) else { break };
            free -= panel.span(self.columns);
            row.push(Stack { span: panel.span(self.columns), panels: vec![panel] });
        }
        row
    }

    fn can_stack(self, stack: &Stack, panel: Panel, limit: usize) -> bool {
        let rows = stack.rows_needed(self.content) + panel.rows_needed(self.content);
        stack.span == 1
            && rows <= limit
            && panel.is_stackable()
            && stack.panels.iter().all(|panel| panel.is_stackable())
    }

    /// The smallest number of rows on which all panels fit, with stacks as low as possible.
    fn pack_all(self, panels: &[Panel], most_rows: usize, height: usize) -> Option<Vec<Row>> {
        (1..=most_rows).find_map(|rows| {
            (MIN_SIZE.1..=height / rows).find_map(|limit| {
                let (packed, rest) = self.pack(panels, rows, limit);
                rest.is_empty().then_some(packed)
            })
        })
    }

    /// Puts a panel that has nothing to show below the stack before it, where there is room.
    fn without_empty_stacks(self, rows: &mut [Row], height: usize) {
        let limit = height / rows.len().max(1);
        for row in rows {
            let [.., before, last] = &mut row[..] else { continue };
            let is_empty = last.panels == [Panel::System] && !self.content.has_system;
            let needed = before.rows_needed(self.content) + last.rows_needed(self.content);
            if is_empty && needed <= limit {
                before.panels.append(&mut last.panels);
                row.pop();
            }
        }
    }

    /// The areas of the panels in rows that fill an area.
    fn areas(self, mut rows: Vec<Row>, width: usize, height: usize) -> PanelPage {
        self.without_empty_stacks(&mut rows, height);
        let limit = height / rows.len().max(1);
        let needed: Vec<usize> = rows
            .iter()
            .map(|row| {
                let needed = row.iter().map(|stack| stack.rows_needed(self.content)).max();
                needed.unwrap_or(0).min(limit)
            })
            .collect();
        let growth_of = |stack: &Stack| stack.growth(self.content);
        let growth: Vec<usize> =
            rows.iter().map(|row| row.iter().map(growth_of).max().unwrap_or(0)).collect();
        let mut page = PanelPage::new();
        let mut y = 0;
        for (row, height) in rows.iter().zip(shares(height, &needed, &growth)) {
            let spans: Vec<usize> = row.iter().map(|stack| stack.span).collect();
            let widths = shares(width, &vec![0; row.len()], &spans);
            let mut x = 0;
            for (stack, width) in row.iter().zip(widths) {
                let needed: Vec<usize> =
                    stack.panels.iter().map(|panel| panel.rows_needed(self.content)).collect();
                let growth: Vec<usize> =
                    stack.panels.iter().map(|panel| panel.growth(self.content)).collect();
                let mut top = y;
                for (panel, height) in stack.panels.iter().zip(shares(height, &needed, &growth)) {
                    let [x, y, width, height] = [x, top, width, height].map(|cells| cells as u16);
                    page.push((*panel, Area { x, y, width, height }));
                    top += usize::from(height);
                }
                x += width;
            }
            y += height;
        }
        page
    }
}

/// Divides `total` into parts of at least `least` cells each, and what is left over by weight, or
/// evenly without weights. If there is too little, the last parts are cut.
fn shares(total: usize, least: &[usize], weights: &[usize]) -> Vec<usize> {
    let even = vec![1; least.len()];
    let weights = if weights.iter().all(|weight| *weight == 0) { &even } else { weights };
    let all: usize = weights.iter().sum();
    let over = total.saturating_sub(least.iter().sum());
    let (mut weight, mut given, mut left) = (0, 0, total);
    let mut parts = Vec::with_capacity(least.len());
    for (least, own) in least.iter().zip(weights) {
        weight += own;
        let until = over * weight / all.max(1);
        let part = (least + until - given).min(left);
        given = until;
        left -= part;
        parts.push(part);
    }
    parts
}

/// Arranges panels on pages of this size, in at most `columns` columns if given.
pub fn arrange(
    shown: &[Panel],
    (width, height): (u16, u16),
    columns: Option<usize>,
    content: ContentSize,
) -> Vec<PanelPage> {
    let (width, height) = (usize::from(width), usize::from(height));
    let most = (width / MIN_SIZE.0).clamp(1, MAX_COLUMNS);
    let columns = columns.map_or(most, |columns| columns.min(most));
    let most_rows = (height / PREFERRED_HEIGHT).max(if height < TWO_ROWS { 1 } else { 2 });
    let grid = Grid { columns, content };
    let mut pages = Vec::new();
    let mut waiting = shown.to_vec();
    if !content.has_system {
        // A panel that has nothing to show fills a gap at the end.
        waiting.sort_by_key(|panel| *panel == Panel::System);
    }
    while !waiting.is_empty() {
        let (rows, rest) = match grid.pack_all(&waiting, most_rows, height) {
            Some(rows) => (rows, Vec::new()),
            None => grid.pack(&waiting, most_rows, height / most_rows),
        };
        pages.push(grid.areas(rows, width, height));
        waiting = rest;
    }
    pages
}

#[cfg(test)]
#[path = "arrange_tests.rs"]
mod tests;
