//! Notices what no event tells: that a run makes no progress, and that the disk is nearly full.

use crate::run::protocol::NotifyEvent;
use std::path::Path;
use std::time::Duration;

/// The least free space, in bytes, below which a disk counts as nearly full.
const LEAST_FREE: u64 = 64 << 20;

/// Bytes of a checkpoint for each parameter: the weight and AdamW's two moments in float32.
const CHECKPOINT_BYTES: u64 = 12;

/// The checkpoints for which a disk has to have room.
const CHECKPOINTS: u64 = 2;

/// The room that a run needs on its disk, in bytes.
pub(super) fn room_needed(parameters: u64) -> u64 {
    LEAST_FREE.max(parameters.saturating_mul(CHECKPOINT_BYTES * CHECKPOINTS))
}

/// The bytes that this user may still write to a folder's file system, if that is known.
pub(super) fn free_space(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Each problem is found once; again after it has ended.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    /// The time without progress after which a run has stalled.
    stall_after: Option<Duration>,
    has_stalled: bool,
    is_full: bool,
}

impl Watchdog {
    pub fn new(stall_after: Option<Duration>) -> Self {
        Self { stall_after, ..Self::default() }
    }

    /// Checks the time since the last progress; `None` while no progress is expected.
    pub fn check_progress(&mut self, since: Option<Duration>) -> Option<(NotifyEvent, String)> {
        let has_stalled = self.stall_after.zip(since).is_some_and(|(limit, since)| since >= limit);
        let is_new = has_stalled && !std::mem::replace(&mut self.has_stalled, has_stalled);
        self.has_stalled = has_stalled;
        is_new.then(|| {
            let seconds = since.unwrap_or_default().as_secs_f64();
            let time = if seconds < 60.0 {
                format!("{seconds:.0} seconds")
            } else {
                format!("{:.1} minutes", seconds / 60.0)
            };
            (NotifyEvent::Stall, format!("no step for {time}"))
        })
    }

    /// Checks the free space; `None` if it is unknown.
    pub fn check_disk(&mut self, free: Option<u64>, needed: u64) -> Option<(NotifyEvent, String)> {
        let free = free?;
        if self.is_full {
            // Not at once after a few bytes were freed.
            self.is_full = free < needed.saturating_add(needed / 2);
            return None;
        }
        self.is_full = free < needed;
        self.is_full.then(|| {
            let mib = |bytes: u64| bytes >> 20;
            let message = format!(
                "the disk of the output folder is nearly full: {} MiB are free, and {CHECKPOINTS} \
                 checkpoints need {} MiB",
                mib(free),
                mib(needed)
            );
            (NotifyEvent::Disk, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_found_once_until_there_is_progress() {
        let minutes = |minutes| Some(Duration::from_mins(minutes));
        let mut watchdog = Watchdog::new(minutes(10));
        let mut check = |since| watchdog.check_progress(since).map(|(_, message)| message);
        assert_eq!(check(minutes(9)), None);
        assert_eq!(check(minutes(11)).as_deref(), Some("no step for 11.0 minutes"));
        assert_eq!(check(minutes(12)), None);
        assert_eq!(check(minutes(0)), None);
        assert_eq!(check(None), None, "a pause");
        assert!(check(minutes(10)).is_some());
        let mut never = Watchdog::new(None);
        assert_eq!(never.check_progress(minutes(1000)), None);
    }

    #[test]
    fn a_disk_is_nearly_full_once_until_there_is_room() {
        assert_eq!(room_needed(1000), LEAST_FREE);
        assert_eq!(room_needed(100_000_000), 2_400_000_000);
        let mut watchdog = Watchdog::default();
        let mut check = |free| watchdog.check_disk(free, 100 << 20).is_some();
        assert_eq!([None, Some(1 << 40), Some(99 << 20)].map(&mut check), [false, false, true]);
        assert_eq!([Some(10), Some(101 << 20), Some(50)].map(&mut check), [false; 3]);
        assert_eq!([Some(1 << 40), Some(50)].map(&mut check), [false, true]);
        let folder = std::env::temp_dir();
        assert!(cfg!(not(unix)) || free_space(&folder).is_some());
    }
}
