//! The panels of the training page and their arrangement.

mod arrange;

use super::area::Area;
use arrange::arrange;
pub use arrange::{ContentSize, MAX_COLUMNS, PanelPage};
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
    /// The confusion matrix of the last evaluation.
    Confusion,
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
        Self::Confusion,
        Self::Log,
        Self::LearningRate,
        Self::GradNorm,
        Self::Throughput,
        Self::System,
        Self::Classes,
        Self::Calibration,
        Self::Probes,
        Self::Settings,
    ];

    /// The title on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy · F1",
            Self::Epochs => "epochs",
            Self::Confusion => "confusion",
            Self::Log => "log",
            Self::LearningRate => "learning rate",
            Self::GradNorm => "gradient norm",
            Self::Throughput => "throughput",
            Self::System => "system",
            Self::Classes => "classes",
            Self::Calibration => "calibration",
            Self::Probes => "probes",
            Self::Settings => "settings",
        }
    }

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
    /// Move the focus to the first panel.
    FocusFirst,
    /// Move the focus to the last panel.
    FocusLast,
    /// Move the focus by this many pages of panels.
    Page(isize),
    /// Open what the focused panel has more of; a panel without more is maximized or restored.
    Open,
    /// Move the focus to this panel, which is shown if it was hidden.
    Show(Panel),
    /// Maximize the focused panel, or restore it.
    Maximize,
    /// Hide the focused panel.
    Hide,
    /// Show all hidden panels; if none is hidden, put all into their first order.
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

impl PanelGrid {
    /// The visible panels, in order.
    pub fn shown(&self) -> Vec<Panel> {
        let is_shown = |panel: &Panel| {
            !self.hidden.contains(panel) && (self.has_probes || *panel != Panel::Probes)
        };
        self.order.iter().copied().filter(is_shown).collect()
    }

    /// The panels of each page of this size, each with its area on the page.
    pub fn arrange(&self, size: (u16, u16), content: ContentSize) -> Vec<PanelPage> {
        if self.maximized {
            let area = Area { x: 0, y: 0, width: size.0, height: size.1 };
            return vec![vec![(self.focus, area)]];
        }
        arrange(&self.shown(), size, self.columns, content)
    }

    /// Applies an action; `pages` has the panels of each page of the last frame.
    pub fn apply(&mut self, action: PanelAction, pages: &[Vec<Panel>]) {
        match action {
            PanelAction::Focus(by) => self.move_focus(by),
            PanelAction::FocusFirst => self.focus = self.shown()[0],
            PanelAction::FocusLast => {
                self.focus = self.shown().last().copied().unwrap_or(self.focus);
            }
            PanelAction::Page(by) => {
                let page = pages.iter().position(|page| page.contains(&self.focus)).unwrap_or(0);
                let next = page.saturating_add_signed(by).min(pages.len().saturating_sub(1));
                let first = pages.get(next).and_then(|page| page.first());
                self.focus = first.copied().filter(|_| next != page).unwrap_or(self.focus);
            }
            // Without pinned sentences there is no panel of them.
            PanelAction::Show(Panel::Probes) if !self.has_probes => {}
            PanelAction::Show(panel) => {
                self.hidden.remove(&panel);
                (self.focus, self.maximized) = (panel, false);
            }
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
            PanelAction::ShowAll if self.hidden.is_empty() => self.order = Panel::ALL.to_vec(),
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

    /// Moves the focus over the visible panels, wrapping around.
    fn move_focus(&mut self, by: isize) {
        let shown = self.shown();
        let at = shown.iter().position(|panel| *panel == self.focus).unwrap_or(0);
        self.focus = shown[(at as isize + by).rem_euclid(shown.len() as isize) as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn focus_wraps_around_and_pages_do_not() {
        let mut grid = PanelGrid::default();
        let pages: Vec<Vec<Panel>> = grid.shown().chunks(4).map(<[Panel]>::to_vec).collect();
        grid.apply(PanelAction::Focus(-1), &pages);
        assert_eq!(grid.focus, Panel::Settings);
        grid.apply(PanelAction::Focus(1), &pages);
        assert_eq!(grid.focus, Panel::Loss);
        grid.apply(PanelAction::Page(1), &pages);
        assert_eq!(grid.focus, pages[1][0]);
        grid.apply(PanelAction::Page(5), &pages);
        assert_eq!(grid.focus, pages[2][0]);
        grid.apply(PanelAction::Page(1), &pages);
        assert_eq!(grid.focus, pages[2][0], "there is no further page");
        grid.apply(PanelAction::FocusLast, &pages);
        assert_eq!(grid.focus, Panel::Settings);
        grid.apply(PanelAction::FocusFirst, &pages);
        assert_eq!(grid.focus, Panel::Loss);
    }

    #[test]
    fn a_hidden_panel_is_shown_by_name() {
        let mut grid = PanelGrid::default();
        grid.apply(PanelAction::Hide, &[]);
        assert_ne!(grid.focus, Panel::Loss);
        grid.apply(PanelAction::Show(Panel::Loss), &[]);
        assert_eq!((grid.focus, grid.shown().len()), (Panel::Loss, Panel::ALL.len() - 1));
    }

    #[test]
    fn all_but_one_panel_can_be_hidden() {
        let mut grid = PanelGrid::default();
        for _ in 0..30 {
            grid.apply(PanelAction::Hide, &[]);
            assert!(grid.shown().contains(&grid.focus));
        }
        assert_eq!(grid.shown().len(), 1);
        grid.apply(PanelAction::Move(-1), &[]);
        grid.apply(PanelAction::ShowAll, &[]);
        assert_eq!(grid.shown().len(), Panel::ALL.len() - 1, "there are no pinned sentences");
        grid.apply(PanelAction::Move(-1), &[]);
        assert_ne!(grid.order, Panel::ALL);
        grid.apply(PanelAction::ShowAll, &[]);
        assert_eq!(grid.order, Panel::ALL, "none is hidden");
        grid.has_probes = true;
        assert_eq!(grid.shown().len(), Panel::ALL.len());
    }

    #[test]
    fn a_panel_moves_past_visible_panels() {
        let mut grid = PanelGrid::default();
        grid.hidden.insert(Panel::Accuracy);
        grid.apply(PanelAction::Move(1), &[]);
        assert_eq!(grid.shown()[..2], [Panel::Epochs, Panel::Loss]);
        grid.apply(PanelAction::Move(-5), &[]);
        assert_eq!(grid.shown()[0], Panel::Loss);
    }

    #[test]
    fn every_name_has_its_panel() {
        assert!(Panel::ALL.into_iter().all(|panel| Panel::of_name(panel.name()) == Some(panel)));
    }
}
