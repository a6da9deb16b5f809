//! The predict page of a saved model.

use super::write_line;
use crate::cli::commands::dashboard;
use crate::cli::flags::PredictFlags;
use crate::run::worker::asked_model::{self, AskedModels};
use crate::screen::app::state::AskedModel;
use crate::screen::app::{Page, State};
use crate::screen::terminal::ExitReason;
use anyhow::bail;
use std::io::Write;
use std::process::ExitCode;

/// Shows the page until the user quits, then prints the answers that were kept, oldest first.
///
/// # Errors
/// If the page cannot be shown, or the answers cannot be printed.
pub(super) fn show(
    models: AskedModels,
    flags: &PredictFlags,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let asked = AskedModel {
        name: models.first.name.clone(),
        compared: models.compared.as_ref().map(|other| other.name.clone()),
        is_untrained: models.first.is_untrained
            || models.compared.as_ref().is_some_and(|other| other.is_untrained),
        reads_pairs: models.reads_pairs,
    };
    let state = State {
        page: Page::Predict,
        started: Some(models.describe()),
        asked_model: Some(asked),
        ..State::idle()
    };
    let worker = asked_model::start(models)?;
    let (leaving, state) = dashboard::show(&worker.channels, flags.display.options(), state)?;
    worker.join();
    let code = match leaving {
        ExitReason::HungUp => return Ok(ExitCode::SUCCESS),
        ExitReason::Quit | ExitReason::Detached => ExitCode::SUCCESS,
        ExitReason::Signalled(number) => ExitCode::from(128 + number),
        ExitReason::Panicked => bail!("the page failed"),
    };
    for answer in state.prompt.answers.iter().rev() {
        if let Ok(prediction) = &answer.outcome {
            write_line(prediction, out)?;
        }
    }
    out.flush()?;
    Ok(code)
}
