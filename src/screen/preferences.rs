//! The user's preferences: the arrangement of the dashboard and its theme, stored between runs.

use crate::core::atomic_write::write_atomically;
use crate::core::named::Named;
use crate::core::user_folders;
use crate::screen::app::State;
use crate::screen::app::charts::XAxis;
use crate::screen::app::panels::{MAX_COLUMNS, Panel, PanelGrid};
use crate::screen::display::ThemeChoice;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes; the program writes much less.
const MAX_BYTES: u64 = 1 << 16;

/// The preferences. Missing values and unknown panels get their defaults; which panel has the focus
/// is not among them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Panels in order.
    panels: Vec<String>,
    /// Hidden panels.
    hidden: Vec<String>,
    /// The number of columns; `None` uses as many as fit.
    columns: Option<usize>,
    /// The quantity on the x axes.
    x_axis: Option<String>,
    /// The smoothing factor, 0 to 0.99.
    smoothing: Option<f64>,
    /// Charts with a logarithmic y axis.
    log_y: Vec<String>,
    /// The color theme, if one was chosen.
    theme: Option<String>,
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
    /// The preferences in a state.
    pub fn of(state: &State) -> Self {
        let grid = &state.panels;
        Self {
            panels: names(&grid.order),
            hidden: names(&grid.hidden),
            columns: grid.columns,
            x_axis: Some(state.charts.axis.name().to_owned()),
            smoothing: Some(state.smoothing),
            log_y: names(&state.charts.log_y),
            theme: state.theme.map(|theme| theme.name().to_owned()),
        }
    }

    /// The preferences at the end of a dashboard that began with these ones. A theme that a flag gave
    /// for this time is not kept, unless another one was chosen meanwhile.
    #[must_use]
    pub fn updated(&self, state: &State, given: Option<ThemeChoice>) -> Self {
        let now = Self::of(state);
        let is_given = given.is_some() && state.theme == given;
        let theme = if is_given { self.theme.clone() } else { now.theme };
        Self { theme, ..now }
    }

    /// Applies the preferences to a state.
    pub fn apply(&self, state: &mut State) {
        let mut order = panels(&self.panels);
        // Panels that are missing in the file are appended.
        let new = Panel::ALL.into_iter().filter(|panel| !order.contains(panel));
        let new: Vec<Panel> = new.collect();
        order.extend(new);
        let mut hidden: Vec<Panel> = panels(&self.hidden);
        // Without pinned sentences there is one panel less.
        if hidden.iter().filter(|panel| **panel != Panel::Probes).count() + 1 >= Panel::ALL.len() {
            hidden.clear();
        }
        let mut grid = PanelGrid {
            order,
            hidden: hidden.into_iter().collect(),
            columns: self.columns.filter(|columns| (1..=MAX_COLUMNS).contains(columns)),
            has_probes: state.panels.has_probes,
            ..PanelGrid::default()
        };
        // A run opens on the loss, whatever had the focus before.
        let shown = grid.shown();
        grid.focus = if shown.contains(&Panel::Loss) { Panel::Loss } else { shown[0] };
        state.panels = grid;
        let theme = self.theme.as_deref();
        state.theme =
            ThemeChoice::VARIANTS.iter().copied().find(|known| Some(known.name()) == theme);
        let axis = XAxis::ALL.into_iter().find(|axis| Some(axis.name()) == self.x_axis.as_deref());
        state.charts.axis = axis.unwrap_or_default();
        state.charts.log_y =
            panels(&self.log_y).into_iter().filter(|panel| panel.is_chart()).collect();
        let smoothing = self.smoothing.filter(|smoothing| (0.0..=0.99).contains(smoothing));
        state.smoothing = smoothing.unwrap_or(state.smoothing);
        state.history.smooth(state.smoothing);
    }

    /// Reads the preferences. An unreadable file gives the defaults.
    pub fn read(file: &Path) -> Self {
        let small = std::fs::metadata(file).is_ok_and(|metadata| metadata.len() <= MAX_BYTES);
        let text = if small { std::fs::read_to_string(file).ok() } else { None };
        text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    /// Writes the preferences and creates the folder if needed.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn write(&self, file: &Path) -> std::io::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = toml::to_string(self).map_err(std::io::Error::other)?;
        write_atomically(file, text.as_bytes())
    }
}

/// The file of the preferences: `dashboard.toml` in the state directory of the user, which is
/// `$XDG_STATE_HOME/nsmc-tui` or `~/.local/state/nsmc-tui` (XDG Base Directory Specification).
/// `None` if there is neither.
pub fn path() -> Option<PathBuf> {
    Some(user_folders::state()?.join("dashboard.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::app::panels::PanelAction;

    #[test]
    fn preferences_are_written_and_read() -> std::io::Result<()> {
        let mut state = State::default();
        for action in [PanelAction::Move(3), PanelAction::Focus(1), PanelAction::Hide] {
            state.panels.apply(action, &[]);
        }
        state.panels.columns = Some(2);
        state.charts.axis = XAxis::Relative;
        state.charts.log_y.insert(Panel::GradNorm);
        state.smoothing = 0.6;
        state.theme = Some(ThemeChoice::SolarizedLight);
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("a/b/dashboard.toml");
        Preferences::of(&state).write(&file)?;
        let mut again = State::default();
        Preferences::read(&file).apply(&mut again);
        assert_eq!(again.panels.focus, Panel::Loss, "the focus is not kept");
        again.panels.focus = state.panels.focus;
        assert_eq!(again.panels, state.panels);
        assert_eq!(again.theme, Some(ThemeChoice::SolarizedLight));
        assert_eq!(Preferences::of(&again), Preferences::of(&state));
        Ok(())
    }

    #[test]
    fn an_invalid_file_gives_the_defaults() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("dashboard.toml");
        let all: Vec<String> = names(&Panel::ALL);
        for text in [
            String::new(),
            "panels = 3".to_owned(),
            "\u{0}\u{1b}[2J".to_owned(),
            "columns = 99\nsmoothing = nan\ntheme = \"moon\"\nx_axis = \"moon\"\nfocus = \"x\""
                .to_owned(),
            "panels = [\"log\", \"log\", \"\\u001b[2J\"]".to_owned(),
            format!("hidden = {all:?}"),
            "a".repeat(1 << 20),
        ] {
            std::fs::write(&file, &text)?;
            let mut state = State::default();
            Preferences::read(&file).apply(&mut state);
            assert_eq!(state.panels.order.len(), Panel::ALL.len());
            // There are no pinned sentences.
            assert_eq!(state.panels.shown().len(), Panel::ALL.len() - 1);
            assert_eq!((state.smoothing, state.theme), (State::default().smoothing, None));
        }
        let mut state = State::default();
        Preferences::read(&folder.path().join("none")).apply(&mut state);
        assert_eq!(state.panels, PanelGrid::default());
        Ok(())
    }

    #[test]
    fn a_theme_of_a_flag_is_not_kept() {
        use ThemeChoice::{HighContrast, SolarizedDark, Terminal};
        let saved = Preferences { theme: Some("terminal".to_owned()), ..Preferences::default() };
        let after = |theme, given| {
            let state = State { theme, ..State::default() };
            saved.updated(&state, given).theme
        };
        let name = |theme: ThemeChoice| Some(theme.name().to_owned());
        assert_eq!(after(Some(Terminal), None), name(Terminal));
        assert_eq!(after(Some(SolarizedDark), None), name(SolarizedDark), "chosen meanwhile");
        assert_eq!(after(Some(HighContrast), Some(HighContrast)), name(Terminal));
        assert_eq!(after(Some(SolarizedDark), Some(HighContrast)), name(SolarizedDark));
    }

    #[test]
    fn the_file_is_in_the_state_directory() {
        let path = path().expect("a home directory");
        assert!(path.is_absolute() && path.ends_with("nsmc-tui/dashboard.toml"), "{path:?}");
    }
}
