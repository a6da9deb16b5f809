//! The panels of the training page, and how the user has arranged them.

use std::collections::BTreeSet;

/// A panel of the training page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    /// Training and evaluation loss.
    Loss,
    /// Accuracy and F1, of training and evaluation.
    Accuracy,
    /// Figures an epoch.
    Epochs,
    /// The run in lines.
    Log,
    /// The rate each step used.
    LearningRate,
    /// The norm of the gradients.
    GradNorm,
    /// Samples and tokens a second.
    Throughput,
    /// What the machine is doing.
    System,
    /// The confusion matrix of the last evaluation.
    Confusion,
    /// Precision, recall and F1 of each class.
    Classes,
    /// How far probabilities can be believed.
    Calibration,
    /// What holds for the run.
    Settings,
}

impl Panel {
    /// All panels, as they are arranged unless the user says otherwise.
    pub const ALL: [Self; 12] = [
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
        Self::Settings,
    ];

    /// Its name in files.
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
            Self::Settings => "settings",
        }
    }

    /// The panel of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|panel| panel.name() == name)
    }

    /// Whether it is a chart over the steps.
    pub fn is_chart(self) -> bool {
        let charts =
            [Self::Loss, Self::Accuracy, Self::LearningRate, Self::GradNorm, Self::Throughput];
        charts.contains(&self)
    }
}

/// Something a key does to the arrangement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelAction {
    /// Go to a panel further on, or back.
    Focus(isize),
    /// Go a page of panels on, or back.
    Page(isize),
    /// Fill the page with the panel, or put it back.
    Maximize,
    /// Take the panel off the page.
    Hide,
    /// Bring all panels back.
    ShowAll,
    /// Move the panel on, or back.
    Move(isize),
    /// The next number of columns.
    Columns,
}

/// How the panels are arranged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelGrid {
    /// All panels, in order.
    pub order: Vec<Panel>,
    /// Those that are not shown; never all.
    pub hidden: BTreeSet<Panel>,
    /// The panel that keys are about.
    pub focus: Panel,
    /// Whether it fills the page.
    pub maximized: bool,
    /// Columns; as many as fit, if none are named.
    pub columns: Option<usize>,
}

impl Default for PanelGrid {
    fn default() -> Self {
        Self {
            order: Panel::ALL.to_vec(),
            hidden: BTreeSet::new(),
            focus: Panel::Loss,
            maximized: false,
            columns: None,
        }
    }
}

/// The most columns of panels.
pub const MAX_COLUMNS: usize = 4;

/// The narrowest and lowest a panel of a grid may be.
const LEAST: (usize, usize) = (38, 8);

/// The height from which panels are good to read.
const GOOD_HEIGHT: usize = 10;

impl PanelGrid {
    /// The panels that are shown, in order.
    pub fn shown(&self) -> Vec<Panel> {
        self.order.iter().copied().filter(|panel| !self.hidden.contains(panel)).collect()
    }

    /// Columns and rows of panels in a room of so many cells.
    pub fn dimensions(&self, width: u16, height: u16) -> (usize, usize) {
        let (width, height) = (usize::from(width), usize::from(height));
        let most = (width / LEAST.0).clamp(1, MAX_COLUMNS);
        let columns = self.columns.map_or(most, |wanted| wanted.min(most));
        let rows = (height / GOOD_HEIGHT).max((height / LEAST.1).min(2)).max(1);
        (columns, rows)
    }

    /// The panels on the page that has the focus: rows of them, and which page it is of how many.
    pub fn page(&self, width: u16, height: u16) -> (Vec<Vec<Panel>>, usize, usize) {
        if self.maximized {
            return (vec![vec![self.focus]], 0, 1);
        }
        let shown = self.shown();
        let (columns, rows) = self.dimensions(width, height);
        let pages = shown.len().div_ceil(columns * rows).max(1);
        let at = shown.iter().position(|panel| *panel == self.focus).unwrap_or(0);
        let page = at / (columns * rows);
        let here = shown.chunks(columns * rows).nth(page).unwrap_or_default();
        // As few rows as they need, spread evenly, so that none is nearly empty.
        let rows = here.len().div_ceil(columns).max(1);
        let (each, more) = (here.len() / rows, here.len() % rows);
        let mut lines = Vec::with_capacity(rows);
        let mut rest = here;
        for row in 0..rows {
            let (line, after) = rest.split_at(each + usize::from(row < more));
            lines.push(line.to_vec());
            rest = after;
        }
        (lines, page, pages)
    }

    /// Obeys a key; `per_page` panels were on a page when it was last drawn.
    pub fn apply(&mut self, action: PanelAction, per_page: usize) {
        match action {
            PanelAction::Focus(by) => self.go(by, true),
            PanelAction::Page(by) => self.go(by * per_page.max(1) as isize, false),
            PanelAction::Maximize => self.maximized = !self.maximized,
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
                let place = |panel: Panel| self.order.iter().position(|other| *other == panel);
                if let (Some(one), Some(other)) = (place(self.focus), place(shown[other])) {
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

    /// Moves the focus over the panels that are shown, round the end if asked to.
    fn go(&mut self, by: isize, round: bool) {
        let shown = self.shown();
        let at = shown.iter().position(|panel| *panel == self.focus).unwrap_or(0);
        let next = at as isize + by;
        let last = shown.len() as isize - 1;
        let next = if round { next.rem_euclid(last + 1) } else { next.clamp(0, last) };
        self.focus = shown[next as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_shows_every_panel_on_some_page() {
        for (width, height) in [(60, 8), (80, 17), (120, 33), (200, 53), (400, 200), (1, 1)] {
            let mut grid = PanelGrid::default();
            let mut seen = BTreeSet::new();
            for panel in Panel::ALL {
                grid.focus = panel;
                let (rows, page, pages) = grid.page(width, height);
                assert!(page < pages);
                let here: Vec<Panel> = rows.into_iter().flatten().collect();
                assert!(here.contains(&panel), "{width}x{height}: {panel:?}");
                seen.extend(here);
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
    fn focus_goes_round_and_pages_end() {
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
    fn panels_are_hidden_but_never_all() {
        let mut grid = PanelGrid::default();
        for _ in 0..30 {
            grid.apply(PanelAction::Hide, 4);
            assert!(grid.shown().contains(&grid.focus));
        }
        assert_eq!(grid.shown().len(), 1);
        grid.apply(PanelAction::ShowAll, 4);
        assert_eq!(grid.shown().len(), Panel::ALL.len());
    }

    #[test]
    fn a_panel_moves_past_those_that_are_shown() {
        let mut grid = PanelGrid::default();
        grid.hidden.insert(Panel::Accuracy);
        grid.apply(PanelAction::Move(1), 4);
        assert_eq!(grid.shown()[..2], [Panel::Epochs, Panel::Loss]);
        grid.apply(PanelAction::Move(-5), 4);
        assert_eq!(grid.shown()[0], Panel::Loss);
    }

    #[test]
    fn names_are_found_again() {
        assert!(Panel::ALL.into_iter().all(|panel| Panel::of_name(panel.name()) == Some(panel)));
    }
}
