//! The processes that rank 0 starts.

use crate::core::collective::CollectiveError;
use crate::core::text::sanitize_for_terminal;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a process may take to end after the run.
const END_TIME: Duration = Duration::from_secs(10);

/// The most bytes that are kept of a line of a process.
const MAX_LINE_BYTES: u64 = 1 << 12;

/// Processes that this one has started, and waits for when it is dropped.
#[derive(Debug, Default)]
pub struct Children(Vec<StartedRank>);

/// The process of a rank.
#[derive(Debug)]
struct StartedRank {
    rank: usize,
    process: Child,
    /// The last line of its standard error.
    last_line: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Children {
    /// Starts the process of a rank.
    pub(super) fn start(&mut self, rank: usize, mut command: Command) -> std::io::Result<()> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let last_line = Arc::new(Mutex::new(String::new()));
        let reader = process.stderr.take().map(|stderr| {
            let last_line = Arc::clone(&last_line);
            let name = format!("stderr of rank {rank}");
            std::thread::Builder::new().name(name).spawn(move || keep_last_line(stderr, &last_line))
        });
        // The process is noted also if its thread cannot be started.
        let (reader, outcome) = match reader {
            Some(Ok(reader)) => (Some(reader), Ok(())),
            Some(Err(error)) => (None, Err(error)),
            None => (None, Ok(())),
        };
        self.0.push(StartedRank { rank, process, last_line, reader });
        outcome
    }

    /// Checks that all processes still run.
    ///
    /// # Errors
    /// If one has ended.
    pub fn check(&mut self) -> Result<(), CollectiveError> {
        for child in &mut self.0 {
            let Ok(Some(status)) = child.process.try_wait() else { continue };
            if let Some(reader) = child.reader.take() {
                // It ends with the process.
                let _ = reader.join();
            }
            let line = child.last_line.lock().unwrap_or_else(PoisonError::into_inner);
            let line = if line.is_empty() { "it has printed nothing" } else { line.as_str() };
            return Err(CollectiveError::Join(format!(
                "the process of rank {} has ended ({status}): {}",
                child.rank,
                sanitize_for_terminal(line)
            )));
        }
        Ok(())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        let began = Instant::now();
        for child in &mut self.0 {
            while matches!(child.process.try_wait(), Ok(None)) {
                if began.elapsed() > END_TIME {
                    let _ = child.process.kill();
                    let _ = child.process.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Reads to the end, and keeps the last line that is not empty.
fn keep_last_line(stderr: ChildStderr, last_line: &Mutex<String>) {
    let mut reader = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut last_line.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
