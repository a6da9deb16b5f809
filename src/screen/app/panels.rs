//! The panels of the training page and their arrangement.

use std::collections::BTreeSet;

/// A panel of the training page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    /// Training and evaluation loss.
    Loss,
    /// Accuracy and F1, of training and evaluation.
    Accuracy,
    /// The metrics of each epoch.
    Epochs,
    /// The log.
    Log,
    /// The learning rate of each step.
    LearningRate,
    /// The norm of the gradients.
    GradNorm,
    /// Samples and tokens per second.
    Throughput,
    /// CPU, memory and GPU use.
    System,
    /// The confusion matrix of the last evaluation.
    Confusion,
    /// Precision, recall and F1 of each class.
    Classes,
    /// Calibration of the predicted probabilities.
    Calibration,
    /// The probabilities of pinned sentences.
    Probes,
    /// The effective settings.
    Settings,
}

impl Panel {
    /// All panels, in the default order.
    pub const ALL: [Self; 13] = [
        Self::Loss,
        Self::Accuracy,
        Self::Epochs,
        Self::Log,
        Self::LearningRate,
        Self::GradNorm,
        Self::Throughput,
        Self::System,
        Self::Confusion,
        Self::Classes,
        Self::Calibration,
        Self::Probes,
        Self::Settings,
    ];

    /// The name of the panel in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
            Self::Epochs => "epochs",
            Self::Log => "log",
            Self::LearningRate => "learning_rate",
            Self::GradNorm => "grad_norm",
            Self::Throughput => "throughput",
            Self::System => "system",
            Self::Confusion => "confusion",
            Self::Classes => "classes",
            Self::Calibration => "calibration",
            Self::Probes => "probes",
            Self::Settings => "settings",
        }
    }

    /// The panel with this name in files; `None` if there is none.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|panel| panel.name() == name)
    }

    /// Whether it is a chart over training steps.
    pub fn is_chart(self) -> bool {
        let charts = [
            Self::Loss,
            Self::Accuracy,
            Self::LearningRate,
            Self::GradNorm,
            Self::Throughput,
            Self::Probes,
        ];
        charts.contains(&self)
    }
}

/// An action on the arrangement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelAction {
    /// Move the focus by this many panels, wrapping around.
    Focus(isize),
    /// Move the focus by this many pages of panels.
    Page(isize),
    /// Open what the focused panel has more of; a panel without more is maximized or restored.
    Open,
    /// Maximize the focused panel, or restore it.
    Maximize,
    /// Hide the focused panel.
    Hide,
    /// Show all hidden panels.
    ShowAll,
    /// Move the focused panel by this many positions.
    Move(isize),
    /// Switch to the next number of columns.
    Columns,
}

/// The arrangement of the panels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelGrid {
    /// All panels, in order.
    pub order: Vec<Panel>,
    /// Hidden panels; never all.
    pub hidden: BTreeSet<Panel>,
    /// Whether there are pinned sentences; without any, their panel is left out.
    pub has_probes: bool,
    /// The focused panel, which keys act on.
    pub focus: Panel,
    /// Whether the focused panel fills the page.
    pub maximized: bool,
    /// The maximum number of columns; `None` uses as many as fit.
    pub columns: Option<usize>,
}

impl Default for PanelGrid {
    fn default() -> Self {
        Self {
            order: Panel::ALL.to_vec(),
            hidden: BTreeSet::new(),
            has_probes: false,
            focus: Panel::Loss,
            maximized: false,
            columns: None,
        }
    }
}

/// The maximum number of columns of panels.
pub const MAX_COLUMNS: usize = 4;

/// The minimum width and height of a panel in the grid.
const MIN_SIZE: (usize, usize) = (38, 8);

/// The preferred minimum height of a panel.
const PREFERRED_HEIGHT: usize = 10;

impl PanelGrid {
    /// The visible panels, in order.
    pub fn shown(&self) -> Vec<Panel> {
        let is_shown = |panel: &Panel| {
            !self.hidden.contains(panel) && (self.has_probes || *panel != Panel::Probes)
        };
        self.order.iter().copied().filter(is_shown).collect()
    }

    /// Columns and rows of panels that fit into an area of terminal cells.
    pub fn dimensions(&self, width: u16, height: u16) -> (usize, usize) {
        let (width, height) = (usize::from(width), usize::from(height));
        let most = (width / MIN_SIZE.0).clamp(1, MAX_COLUMNS);
        let columns = self.columns.map_or(most, |columns| columns.min(most));
        let rows = (height / PREFERRED_HEIGHT).max((height / MIN_SIZE.1).min(2)).max(1);
        (columns, rows)
    }

    /// The rows of panels on the page with the focused panel, the index of that page, and the
    /// number of pages.
    pub fn page(&self, width: u16, height: u16) -> (Vec<Vec<Panel>>, usize, usize) {
        if self.maximized {
            return (vec![vec![self.focus]], 0, 1);
        }
        let shown = self.shown();
        let (columns, rows) = self.dimensions(width, height);
        let pages = shown.len().div_ceil(columns * rows).max(1);
        let at = shown.iter().position(|panel| *panel == self.focus).unwrap_or(0);
        let page = at / (columns * rows);
        let visible = shown.chunks(columns * rows).nth(page).unwrap_or_default();
        // As few rows as needed, filled evenly.
        let rows = visible.len().div_ceil(columns).max(1);
        let (each, more) = (visible.len() / rows, visible.len() % rows);
        let mut lines = Vec::with_capacity(rows);
        let mut rest = visible;
        for row in 0..rows {
            let (line, after) = rest.split_at(each + usize::from(row < more));
            lines.push(line.to_vec());
            rest = after;
        }
        (lines, page, pages)
    }

    /// Applies an action; a page of the last frame has `per_page` panels.
    pub fn apply(&mut self, action: PanelAction, per_page: usize) {
        match action {
            PanelAction::Focus(by) => self.move_focus(by, true),
            PanelAction::Page(by) => self.move_focus(by * per_page.max(1) as isize, false),
            PanelAction::Open | PanelAction::Maximize => self.maximized = !self.maximized,
            PanelAction::Hide => {
                let shown = self.shown();
                if shown.len() > 1 {
                    let at = shown.iter().position(|panel| *panel == self.focus).unwrap_or(0);
                    self.hidden.insert(self.focus);
                    self.maximized = false;
                    self.focus = *shown.get(at + 1).unwrap_or(&shown[at.saturating_sub(1)]);
                }
            }
            PanelAction::ShowAll => self.hidden.clear(),
            PanelAction::Move(by) => {
                let shown = self.shown();
                let at = shown.iter().position(|panel| *panel == self.focus).unwrap_or(0);
                let other = at.saturating_add_signed(by).min(shown.len() - 1);
                let index = |panel: Panel| self.order.iter().position(|other| *other == panel);
                if let (Some(one), Some(other)) = (index(self.focus), index(shown[other])) {
                    self.order.swap(one, other);
                }
            }
            PanelAction::Columns => {
                self.columns = match self.columns {
                    None => Some(1),
                    Some(columns) if columns < MAX_COLUMNS => Some(columns + 1),
                    Some(_) => None,
                };
            }
        }
    }

    /// Moves the focus over the visible panels, wrapping around if `wrap` is set.
    fn move_focus(&mut self, by: isize, wrap: bool) {
        let shown = self.shown();
        let at = shown.iter().position(|panel| *panel == self.focus).unwrap_or(0);
        let next = at as isize + by;
        let last = shown.len() as isize - 1;
        let next = if wrap { next.rem_euclid(last + 1) } else { next.clamp(0, last) };
        self.focus = shown[next as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_shows_every_panel_on_some_page() {
        for (width, height) in [(60, 8), (80, 17), (120, 33), (200, 53), (400, 200), (1, 1)] {
            let mut grid = PanelGrid { has_probes: true, ..PanelGrid::default() };
            let mut seen = BTreeSet::new();
            for panel in Panel::ALL {
                grid.focus = panel;
                let (rows, page, pages) = grid.page(width, height);
                assert!(page < pages);
                let visible: Vec<Panel> = rows.into_iter().flatten().collect();
                assert!(visible.contains(&panel), "{width}x{height}: {panel:?}");
                seen.extend(visible);
            }
            assert_eq!(seen.len(), Panel::ALL.len());
        }
        let shapes = |width, height| {
            let (rows, _, pages) = PanelGrid::default().page(width, height);
            (rows.iter().map(Vec::len).collect::<Vec<_>>(), pages)
        };
        assert_eq!(shapes(80, 17), (vec![2, 2], 3));
        assert_eq!(shapes(120, 33), (vec![3, 3, 3], 2));
        assert_eq!(shapes(200, 53), (vec![4, 4, 4], 1));
    }

    #[test]
    fn focus_wraps_around_and_pages_do_not() {
        let mut grid = PanelGrid::default();
        grid.apply(PanelAction::Focus(-1), 4);
        assert_eq!(grid.focus, Panel::Settings);
        grid.apply(PanelAction::Focus(1), 4);
        assert_eq!(grid.focus, Panel::Loss);
        grid.apply(PanelAction::Page(1), 4);
        assert_eq!(grid.focus, Panel::LearningRate);
        grid.apply(PanelAction::Page(5), 4);
        assert_eq!(grid.focus, Panel::Settings);
    }

    #[test]
    fn all_but_one_panel_can_be_hidden() {
        let mut grid = PanelGrid::default();
        for _ in 0..30 {
            grid.apply(PanelAction::Hide, 4);
            assert!(grid.shown().contains(&grid.focus));
        }
        assert_eq!(grid.shown().len(), 1);
        grid.apply(PanelAction::ShowAll, 4);
        assert_eq!(grid.shown().len(), Panel::ALL.len() - 1, "there are no pinned sentences");
        grid.has_probes = true;
        assert_eq!(grid.shown().len(), Panel::ALL.len());
    }

    #[test]
    fn a_panel_moves_past_visible_panels() {
        let mut grid = PanelGrid::default();
        grid.hidden.insert(Panel::Accuracy);
        grid.apply(PanelAction::Move(1), 4);
        assert_eq!(grid.shown()[..2], [Panel::Epochs, Panel::Loss]);
        grid.apply(PanelAction::Move(-5), 4);
        assert_eq!(grid.shown()[0], Panel::Loss);
    }

    #[test]
    fn every_name_has_its_panel() {
        assert!(Panel::ALL.into_iter().all(|panel| Panel::of_name(panel.name()) == Some(panel)));
    }
}
