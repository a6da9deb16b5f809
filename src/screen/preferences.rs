//! How the user has arranged the dashboard, kept from one run to the next.

use crate::core::atomic_write::write_atomically;
use crate::screen::app::State;
use crate::screen::app::charts::XAxis;
use crate::screen::app::panels::{MAX_COLUMNS, Panel, PanelGrid};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A file that is larger was not written by this program.
const LARGEST: u64 = 1 << 16;

/// What is kept. What a file does not say, or says of panels there are not, is as it is by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Panels in order.
    panels: Vec<String>,
    /// Those that are not shown.
    hidden: Vec<String>,
    /// The panel in focus.
    focus: Option<String>,
    /// Whether it fills the page.
    #[serde(rename = "maximised")]
    maximized: bool,
    /// Columns of panels, if not as many as fit.
    columns: Option<usize>,
    /// What x axes count.
    x_axis: Option<String>,
    /// 0 to 0.99.
    smoothing: Option<f64>,
    /// Charts with a logarithmic y axis.
    log_y: Vec<String>,
}

fn panels(names: &[String]) -> Vec<Panel> {
    let mut panels = Vec::new();
    for panel in names.iter().filter_map(|name| Panel::of_name(name)) {
        if !panels.contains(&panel) {
            panels.push(panel);
        }
    }
    panels
}

fn names<'a>(panels: impl IntoIterator<Item = &'a Panel>) -> Vec<String> {
    panels.into_iter().map(|panel| panel.name().to_owned()).collect()
}

impl Preferences {
    /// What of a dashboard is kept.
    pub fn of(state: &State) -> Self {
        let grid = &state.panels;
        Self {
            panels: names(&grid.order),
            hidden: names(&grid.hidden),
            focus: Some(grid.focus.name().to_owned()),
            maximized: grid.maximized,
            columns: grid.columns,
            x_axis: Some(state.charts.axis.name().to_owned()),
            smoothing: Some(state.smoothing),
            log_y: names(&state.charts.log_y),
        }
    }

    /// Arranges a dashboard so.
    pub fn apply(&self, state: &mut State) {
        let mut order = panels(&self.panels);
        // Panels that came after the file was written stand at the end.
        let new = Panel::ALL.into_iter().filter(|panel| !order.contains(panel));
        let new: Vec<Panel> = new.collect();
        order.extend(new);
        let mut hidden: Vec<Panel> = panels(&self.hidden);
        if hidden.len() >= Panel::ALL.len() {
            hidden.clear();
        }
        let mut grid = PanelGrid {
            order,
            hidden: hidden.into_iter().collect(),
            columns: self.columns.filter(|columns| (1..=MAX_COLUMNS).contains(columns)),
            maximized: self.maximized,
            ..PanelGrid::default()
        };
        let shown = grid.shown();
        let focus = self.focus.as_deref().and_then(Panel::of_name);
        let focus = focus.filter(|focus| shown.contains(focus));
        grid.focus = focus.unwrap_or(shown[0]);
        state.panels = grid;
        let axis = XAxis::ALL.into_iter().find(|axis| Some(axis.name()) == self.x_axis.as_deref());
        state.charts.axis = axis.unwrap_or_default();
        state.charts.log_y = panels(&self.log_y).into_iter().collect();
        let smoothing = self.smoothing.filter(|smoothing| (0.0..=0.99).contains(smoothing));
        state.smoothing = smoothing.unwrap_or(state.smoothing);
        state.history.smooth(state.smoothing);
    }

    /// Reads them; what cannot be read is as if it had never been written.
    pub fn read(file: &Path) -> Self {
        let small = std::fs::metadata(file).is_ok_and(|metadata| metadata.len() <= LARGEST);
        let text = if small { std::fs::read_to_string(file).ok() } else { None };
        text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    /// Writes them; the folder is made if need be.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, file: &Path) -> std::io::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = toml::to_string(self).map_err(std::io::Error::other)?;
        write_atomically(file, text.as_bytes())
    }
}

/// Where they are kept: `dashboard.toml` in the user's folder for states (XDG Base Directory
/// Specification), if there is one. `variable` looks up the environment.
pub fn place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let states = folder("XDG_STATE_HOME");
    let states = states.or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(states.join("nsmc-tui").join("dashboard.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::app::panels::PanelAction;

    #[test]
    fn an_arrangement_is_kept() -> std::io::Result<()> {
        let mut state = State::default();
        for action in [PanelAction::Move(3), PanelAction::Focus(1), PanelAction::Hide] {
            state.panels.apply(action, 4);
        }
        state.panels.columns = Some(2);
        state.charts.axis = XAxis::Relative;
        state.charts.log_y.insert(Panel::GradNorm);
        state.smoothing = 0.6;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("a/b/dashboard.toml");
        Preferences::of(&state).write(&file)?;
        let mut again = State::default();
        Preferences::read(&file).apply(&mut again);
        assert_eq!(again.panels, state.panels);
        assert_eq!(Preferences::of(&again), Preferences::of(&state));
        Ok(())
    }

    #[test]
    fn nonsense_harms_nothing() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("dashboard.toml");
        let all: Vec<String> = names(&Panel::ALL);
        for text in [
            String::new(),
            "panels = 3".to_owned(),
            "\u{0}\u{1b}[2J".to_owned(),
            "columns = 99\nsmoothing = nan\nx_axis = \"moon\"\nfocus = \"x\"".to_owned(),
            "panels = [\"log\", \"log\", \"\\u001b[2J\"]".to_owned(),
            format!("hidden = {all:?}"),
            "a".repeat(1 << 20),
        ] {
            std::fs::write(&file, &text)?;
            let mut state = State::default();
            Preferences::read(&file).apply(&mut state);
            assert_eq!(state.panels.order.len(), Panel::ALL.len());
            assert_eq!(state.panels.shown().len(), Panel::ALL.len());
            assert_eq!(state.smoothing, State::default().smoothing);
        }
        let mut state = State::default();
        Preferences::read(&folder.path().join("none")).apply(&mut state);
        assert_eq!(state.panels, PanelGrid::default());
        Ok(())
    }

    #[test]
    fn it_lies_where_states_do() {
        let of = |pairs: &'static [(&str, &str)]| {
            place(move |name| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            })
        };
        assert_eq!(
            of(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]),
            Some("/s/nsmc-tui/dashboard.toml".into())
        );
        assert_eq!(of(&[("HOME", "/h")]), Some("/h/.local/state/nsmc-tui/dashboard.toml".into()));
        assert_eq!(of(&[("XDG_STATE_HOME", "relative")]), None);
    }
}
