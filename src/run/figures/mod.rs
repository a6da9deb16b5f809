//! Figures of a run for its folder and its model card: the loss and accuracy curves and the
//! confusion matrix, each as SVG and as PNG.

mod confusion;
mod curves;
mod drawing;
mod png;

use super::recording::{Recording, RecordingError};
use crate::core::atomic_write::write_atomically;
use crate::core::train::TrainEvent;
use crate::core::train::event::{Evaluated, Started};
use crate::run::metric_series::History;
use std::path::{Path, PathBuf};

/// The file name of the curves, without its extension.
pub const CURVES: &str = "loss_curves";
/// The file name of the confusion matrix, without its extension.
pub const CONFUSION: &str = "confusion_matrix";

/// An error of drawing or writing figures.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// The run's journal cannot be read.
    #[error(transparent)]
    Journal(#[from] RecordingError),
    /// The run has no step yet.
    #[error("the run has no steps yet, so there is nothing to draw")]
    Empty,
    /// The SVG could not be rendered.
    #[error("the figure could not be rendered as PNG: {0}")]
    Rendering(String),
    /// A file could not be written.
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
}

/// A file of a figure.
pub struct FigureFile {
    /// The file's name.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Draws the run in `folder` from its journal.
///
/// # Errors
/// If the journal cannot be read or has no steps.
pub fn draw(folder: &Path) -> Result<Vec<FigureFile>, FigureError> {
    let recording = Recording::open(folder)?;
    let mut data = FigureData::default();
    // The last line of a running run may be incomplete; the events before it are drawn.
    for event in recording.events()?.map_while(Result::ok) {
        data.apply(event);
    }
    data.draw()
}

/// Draws the run in `folder` from its journal and from later events that are not in it.
///
/// # Errors
/// The errors of [`draw`]; without later events, also if the journal cannot be read.
pub(super) fn draw_with(
    folder: &Path,
    later: Vec<TrainEvent>,
) -> Result<Vec<FigureFile>, FigureError> {
    if later.is_empty() {
        return draw(folder);
    }
    let mut data = FigureData::default();
    // A journal without events cannot be opened.
    if let Ok(recording) = Recording::open(folder) {
        recording.events()?.map_while(Result::ok).for_each(|event| data.apply(event));
    }
    for event in later {
        data.apply(event);
    }
    data.draw()
}

/// Draws the run in `folder` and writes the figures into `to`, each atomically. Returns the files.
///
/// # Errors
/// The errors of [`draw`], or if a file cannot be written.
pub fn write(folder: &Path, to: &Path) -> Result<Vec<PathBuf>, FigureError> {
    let mut written = Vec::new();
    for figure in draw(folder)? {
        let file = to.join(&figure.name);
        write_atomically(&file, &figure.bytes)
            .map_err(|error| FigureError::Io(file.clone(), error))?;
        written.push(file);
    }
    Ok(written)
}

impl FigureFile {
    /// Whether it is a PNG.
    pub fn is_png(&self) -> bool {
        Path::new(&self.name).extension().is_some_and(|extension| extension == "png")
    }
}

/// The data of the figures.
#[derive(Default)]
struct FigureData {
    started: Option<Started>,
    history: History,
    /// The evaluation of the current model.
    evaluated: Option<Evaluated>,
}

impl FigureData {
    fn apply(&mut self, event: TrainEvent) {
        self.history.apply(&event);
        match event {
            TrainEvent::Started(started) => self.started = Some(started),
            TrainEvent::Evaluated(evaluated) | TrainEvent::BestLoaded(evaluated) => {
                self.evaluated = Some(evaluated);
            }
            _ => {}
        }
    }

    fn draw(&self) -> Result<Vec<FigureFile>, FigureError> {
        if self.history.loss.is_empty() {
            return Err(FigureError::Empty);
        }
        let mut svgs = vec![(CURVES, curves::draw(&self.history, &self.title()))];
        // A language model has no classes.
        let has_classes =
            |evaluated: &&Evaluated| !evaluated.metrics.eval_confusion.counts.is_empty();
        if let Some(evaluated) = self.evaluated.as_ref().filter(has_classes) {
            let labels = self.started.as_ref().map_or(&[][..], |started| &started.labels);
            svgs.push((CONFUSION, confusion::draw(evaluated, labels)));
        }
        let mut figures = Vec::new();
        for (name, svg) in svgs {
            let png = png::render(&svg).map_err(FigureError::Rendering)?;
            figures.push(FigureFile { name: format!("{name}.svg"), bytes: svg.into_bytes() });
            figures.push(FigureFile { name: format!("{name}.png"), bytes: png });
        }
        Ok(figures)
    }

    fn title(&self) -> String {
        self.started.as_ref().map_or_else(String::new, |started| {
            format!("{}, {} samples", started.model, started.train_samples)
        })
    }
}

#[cfg(test)]
mod tests;
