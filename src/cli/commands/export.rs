//! `nsmc-tui export`.

use super::saved;
use crate::cli::flags::{ExportFlags, ExportFormat};
use crate::core::atomic_write::write_atomically;
use crate::core::onnx;
use crate::core::text::display_path;
use crate::core::write_advice::advice;
use crate::run::check_not_read;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file's default name.
const DEFAULT_NAME: &str = "model.onnx";

pub fn run(flags: &ExportFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let saved = saved::load(&flags.model)?;
    let file = flags.output.clone().unwrap_or_else(|| default_file(flags));
    let folder = Path::new(&flags.model.model_name_or_path);
    let inside = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let read: Vec<PathBuf> =
        inside.filter(|file| file.extension().is_none_or(|kind| kind != "onnx")).collect();
    check_not_read(&file, read.iter().map(PathBuf::as_path))?;
    let bytes = match flags.format {
        ExportFormat::Onnx => onnx::to_bytes(&saved.model, saved.max_seq_length)?,
    };
    let shown = display_path(&file);
    write_atomically(&file, &bytes).map_err(|error| {
        anyhow::anyhow!("{shown}: the file cannot be written: {error}. {}", advice(&error))
    })?;
    writeln!(out, "{shown}")?;
    Ok(())
}

/// The file in the folder of the model or, for a model of the hub, in the current folder.
fn default_file(flags: &ExportFlags) -> PathBuf {
    let folder = Path::new(&flags.model.model_name_or_path);
    if folder.is_dir() { folder.join(DEFAULT_NAME) } else { PathBuf::from(DEFAULT_NAME) }
}
