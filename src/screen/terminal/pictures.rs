//! Writes pictures of the screen and of the curves on a separate thread, so that neither the screen
//! nor training waits for them.

use super::input::ExternalEvent;
use crate::core::atomic_write::write_atomically;
use crate::core::text::sanitize_for_terminal;
use crate::run::figures;
use crate::screen::app::{Message, Picture};
use crossbeam_channel::Sender;
use std::path::{Path, PathBuf};

/// Starts writing a picture, and sends the outcome when it is done. `screen` is the SVG of the
/// screen, which is used if the picture is of the screen.
pub(super) fn start(picture: Picture, screen: String, sender: Sender<ExternalEvent>) {
    let failed = sender.clone();
    let work = move || {
        let outcome = match &picture {
            Picture::Screen { folder } => write_screen(folder.as_deref(), &screen),
            Picture::Figures { folder } => write_figures(folder),
        };
        // The dashboard may have been closed.
        let _ = sender.send(done(outcome));
    };
    if let Err(error) = std::thread::Builder::new().name("pictures".to_owned()).spawn(work) {
        let outcome = Err(format!("no thread could be started: {error}"));
        // The dashboard is still open, or nobody waits for the outcome.
        let _ = failed.send(done(outcome));
    }
}

fn done(outcome: Result<Vec<String>, String>) -> ExternalEvent {
    ExternalEvent::Done(Box::new(Message::PictureSaved(outcome)))
}

fn display(path: &Path) -> String {
    sanitize_for_terminal(&path.display().to_string()).into_owned()
}

/// Writes the screen into the run's folder if it exists, otherwise into the working directory.
fn write_screen(folder: Option<&Path>, svg: &str) -> Result<Vec<String>, String> {
    let folder = folder.filter(|folder| folder.is_dir()).unwrap_or(Path::new(""));
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let names = (1..).map(|number| match number {
        1 => format!("screen-{now}.svg"),
        number => format!("screen-{now}-{number}.svg"),
    });
    let mut files = names.map(|name| folder.join(name));
    let file: PathBuf = files.find(|file| !file.exists()).unwrap_or_default();
    write_atomically(&file, svg.as_bytes())
        .map_err(|error| format!("{}: {error}", display(&file)))?;
    Ok(vec![display(&file)])
}

fn write_figures(folder: &Path) -> Result<Vec<String>, String> {
    let written = figures::write(folder, folder).map_err(|error| error.to_string())?;
    Ok(written.iter().map(|file| display(file)).collect())
}
