//! Pictures of a run, for its folder and its model card: the loss and accuracy curves and the
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

/// The names of the pictures' files, without their endings.
pub const CURVES: &str = "loss_curves";
/// See [`CURVES`].
pub const CONFUSION: &str = "confusion_matrix";

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// The run's journal cannot be read.
    #[error(transparent)]
    Journal(#[from] RecordingError),
    /// The run took no step yet.
    #[error("no step was taken, so there is nothing to draw")]
    Empty,
    /// A picture could not be made of dots.
    #[error("the picture could not be drawn: {0}")]
    Drawing(String),
    /// A file could not be written.
    #[error("{0}: {1}")]
    System(PathBuf, std::io::Error),
}

/// A picture's file.
pub struct Figure {
    /// The file's name.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Draws what the journal of the run in `folder` tells.
///
/// # Errors
/// If the journal cannot be read or holds no step.
pub fn draw(folder: &Path) -> Result<Vec<Figure>, FigureError> {
    let recording = Recording::open(folder)?;
    let mut run = Run::default();
    // A run that is under way may have torn its last line; what stands before it is drawn.
    for event in recording.events()?.map_while(Result::ok) {
        run.take(event);
    }
    run.figures()
}

/// Draws them and writes them into `to`, each whole or not at all; their files.
///
/// # Errors
/// As [`draw`], or if a file cannot be written.
pub fn write(folder: &Path, to: &Path) -> Result<Vec<PathBuf>, FigureError> {
    let mut written = Vec::new();
    for figure in draw(folder)? {
        let file = to.join(&figure.name);
        write_atomically(&file, &figure.bytes)
            .map_err(|error| FigureError::System(file.clone(), error))?;
        written.push(file);
    }
    Ok(written)
}

impl Figure {
    /// Whether it is made of dots, as web pages like it.
    pub fn is_png(&self) -> bool {
        Path::new(&self.name).extension().is_some_and(|ending| ending == "png")
    }
}

/// What is drawn of a run.
#[derive(Default)]
struct Run {
    started: Option<Started>,
    history: History,
    /// The evaluation of the model as it is.
    evaluated: Option<Evaluated>,
}

impl Run {
    fn take(&mut self, event: TrainEvent) {
        self.history.take(&event);
        match event {
            TrainEvent::Started(started) => self.started = Some(started),
            TrainEvent::Evaluated(evaluated) | TrainEvent::BestLoaded(evaluated) => {
                self.evaluated = Some(evaluated);
            }
            _ => {}
        }
    }

    fn figures(&self) -> Result<Vec<Figure>, FigureError> {
        if self.history.loss.is_empty() {
            return Err(FigureError::Empty);
        }
        let mut pictures = vec![(CURVES, curves::draw(&self.history, &self.title()))];
        if let Some(evaluated) = &self.evaluated {
            let labels = self.started.as_ref().map_or(&[][..], |started| &started.labels);
            pictures.push((CONFUSION, confusion::draw(evaluated, labels)));
        }
        let mut figures = Vec::new();
        for (name, svg) in pictures {
            let png = png::render(&svg).map_err(FigureError::Drawing)?;
            figures.push(Figure { name: format!("{name}.svg"), bytes: svg.into_bytes() });
            figures.push(Figure { name: format!("{name}.png"), bytes: png });
        }
        Ok(figures)
    }

    fn title(&self) -> String {
        self.started.as_ref().map_or_else(String::new, |started| {
            format!("{}, {} reviews", started.model, started.train_samples)
        })
    }
}

#[cfg(test)]
mod tests;
