//! Carries out what an update of the state asks for.

use super::clipboard::copy_sequence;
use super::{Connection, Dashboard, ExitReason, pictures, run_files};
use crate::screen::app::{Effect, Message, Picture, update};
use crate::screen::ui::{self, svg};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::ops::ControlFlow;

impl<C: Connection> Dashboard<'_, C> {
    /// Updates the state and carries out the effects. Returns whether to quit.
    pub(super) fn handle(&mut self, message: Message) -> ControlFlow<ExitReason, bool> {
        for effect in update(&mut self.state, message) {
            match effect {
                Effect::Send(command) => {
                    if let Some(message) = self.connection.send(command) {
                        update(&mut self.state, message);
                    }
                }
                Effect::ReadCurves(folder) => self.connection.read_curves(folder),
                Effect::EditRun(edit) => self.connection.edit_run(edit),
                Effect::Picture(picture) => self.write_picture(picture),
                Effect::Files(task) => run_files::start(task, self.sender.clone()),
                Effect::Notify(notification) => {
                    if self.notifications.push(&notification) {
                        self.pacing.request_now();
                    }
                }
                Effect::Copy(text) => self.copy(&text),
                Effect::Suspend => self.suspend(),
                Effect::Detach => return ControlFlow::Break(ExitReason::Detached),
                Effect::Quit => return ControlFlow::Continue(true),
            }
        }
        ControlFlow::Continue(false)
    }

    /// Starts writing a picture. A picture of the screen has all colors of the theme, whatever the
    /// terminal supports.
    fn write_picture(&mut self, picture: Picture) {
        let screen = match picture {
            Picture::Screen { .. } => self.screen_as_svg(),
            Picture::Figures { .. } => String::new(),
        };
        pictures::start(picture, screen, self.sender.clone());
    }

    /// Copies a text to the clipboard with the next frame.
    fn copy(&mut self, text: &str) {
        let variable = |name: &str| std::env::var(name).ok();
        let outcome = copy_sequence(text, variable).map(|bytes| {
            self.notifications.bytes.extend_from_slice(bytes.as_bytes());
            self.pacing.request_now();
        });
        update(&mut self.state, Message::Copied(outcome));
    }

    fn screen_as_svg(&self) -> String {
        let size = self.terminal.size().unwrap_or_default();
        let theme = self.theme.chosen(self.state.theme).in_full_color();
        let Ok(mut terminal) = Terminal::new(TestBackend::new(size.width, size.height));
        let Ok(_) = terminal.draw(|frame| {
            ui::draw(frame, &self.state, theme);
        });
        svg::render(terminal.backend().buffer(), theme.is_light())
    }
}
