//! `nsmc-tui figures`.

use crate::cli::flags::FiguresFlags;
use crate::core::text::sanitize_for_terminal;
use crate::run::figures;
use anyhow::Context;
use std::io::Write;
use std::path::Path;

pub fn run(flags: &FiguresFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let folder = if flags.run.is_dir() {
        flags.run.as_path()
    } else {
        flags.run.parent().unwrap_or(Path::new(""))
    };
    let to = flags.to.as_deref().unwrap_or(folder);
    if let Some(to) = &flags.to {
        let name = sanitize_for_terminal(&to.display().to_string()).into_owned();
        std::fs::create_dir_all(to)
            .with_context(|| format!("{name}: the folder cannot be created"))?;
    }
    for file in figures::write(&flags.run, to)? {
        writeln!(out, "{}", sanitize_for_terminal(&file.display().to_string()))?;
    }
    Ok(())
}
