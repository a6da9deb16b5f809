//! Pictures that the user asks for, made and written on a thread of their own: neither the screen
//! nor training waits for them.

use super::input::Outside;
use crate::core::atomic_write::write_atomically;
use crate::core::text::sanitize_for_terminal;
use crate::run::figures;
use crate::screen::app::Picture;
use crossbeam_channel::Sender;
use std::path::{Path, PathBuf};

/// Makes a picture and tells what became of it; `screen` is the screen as SVG, if that is wanted.
pub(super) fn start(picture: Picture, screen: String, sender: Sender<Outside>) {
    let work = move || {
        let told = match &picture {
            Picture::Screen { folder } => save(folder.as_deref(), &screen),
            Picture::Figures { folder } => draw(folder),
        };
        // Whoever asked may be gone.
        let _ = sender.send(Outside::Pictured(told));
    };
    // Without a thread left there are worse troubles than a picture that is missing.
    let _ = std::thread::Builder::new().name("pictures".to_owned()).spawn(work);
}

fn shown(path: &Path) -> String {
    sanitize_for_terminal(&path.display().to_string()).into_owned()
}

/// Writes the screen into the run's folder, or the one the program is in.
fn save(folder: Option<&Path>, svg: &str) -> Result<Vec<String>, String> {
    let folder = folder.filter(|folder| folder.is_dir()).unwrap_or(Path::new(""));
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let names = (1..).map(|number| match number {
        1 => format!("screen-{now}.svg"),
        number => format!("screen-{now}-{number}.svg"),
    });
    let mut files = names.map(|name| folder.join(name));
    let file: PathBuf = files.find(|file| !file.exists()).unwrap_or_default();
    write_atomically(&file, svg.as_bytes())
        .map_err(|error| format!("{}: {error}", shown(&file)))?;
    Ok(vec![shown(&file)])
}

fn draw(folder: &Path) -> Result<Vec<String>, String> {
    let written = figures::write(folder, folder).map_err(|error| error.to_string())?;
    Ok(written.iter().map(|file| shown(file)).collect())
}
