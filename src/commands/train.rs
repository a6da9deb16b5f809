//! `nsmc-tui train`.

use crate::cli::TrainFlags;
use crate::plain::{self, Ending};
use crate::worker::Worker;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

pub fn run(flags: TrainFlags, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let json = flags.json;
    let worker = Worker::spawn(flags)?;
    let ending = plain::follow(worker, json, &mut out)?;
    Ok(match ending {
        Ending::Finished => ExitCode::SUCCESS,
        Ending::Failed => ExitCode::FAILURE,
        Ending::Signalled(number) => ExitCode::from(128 + number),
    })
}

pub fn screenshot(_: &Path, _: (u16, u16)) -> anyhow::Result<String> {
    Ok(String::new())
}
