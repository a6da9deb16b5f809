//! A queue of lines for one front end, bounded in bytes and in lines.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most lines that wait for a front end.
const MAX_LINES: usize = 1 << 14;

/// The most bytes that wait for a front end.
const MAX_BYTES: usize = 64 << 20;

/// The queue is full: the front end does not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The end of a queue that lines are added to.
pub(super) struct LineSender {
    lines: Sender<Arc<[u8]>>,
    bytes: Arc<AtomicUsize>,
}

/// The end that lines are taken from.
pub(super) struct LineReceiver {
    lines: Receiver<Arc<[u8]>>,
    bytes: Arc<AtomicUsize>,
}

/// A new queue.
pub(super) fn queue() -> (LineSender, LineReceiver) {
    let (sender, receiver) = bounded(MAX_LINES);
    let bytes = Arc::new(AtomicUsize::new(0));
    let taken = Arc::clone(&bytes);
    (LineSender { lines: sender, bytes }, LineReceiver { lines: receiver, bytes: taken })
}

impl LineSender {
    /// Adds a line without waiting.
    ///
    /// # Errors
    /// If the queue is full, or its other end is gone.
    pub fn push(&self, line: &Arc<[u8]>) -> Result<(), Full> {
        let before = self.bytes.fetch_add(line.len(), Ordering::Relaxed);
        // A single line may be longer than the limit.
        if before > 0 && before + line.len() > MAX_BYTES {
            return Err(Full);
        }
        self.lines.try_send(Arc::clone(line)).map_err(|_| Full)
    }
}

impl LineReceiver {
    /// Waits for the next line; `None` once the queue is empty and its other end gone.
    pub fn next(&self) -> Option<Arc<[u8]>> {
        let line = self.lines.recv().ok()?;
        self.bytes.fetch_sub(line.len(), Ordering::Relaxed);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_bounded_in_lines_and_bytes() {
        let (sender, receiver) = queue();
        let line: Arc<[u8]> = Arc::from(&b"x\n"[..]);
        for _ in 0..MAX_LINES {
            assert_eq!(sender.push(&line), Ok(()));
        }
        assert_eq!(sender.push(&line), Err(Full));
        assert_eq!(receiver.next().as_deref(), Some(&b"x\n"[..]));

        let (sender, receiver) = queue();
        let long: Arc<[u8]> = vec![b'x'; MAX_BYTES + 1].into();
        assert_eq!(sender.push(&long), Ok(()), "a single line of any length");
        assert_eq!(sender.push(&line), Err(Full));
        drop(sender);
        assert_eq!(receiver.next().map(|line| line.len()), Some(MAX_BYTES + 1));
        assert_eq!(receiver.next(), None);
    }
}
