//! Computes when to draw the next frame and when to read the next reports: rarely enough for a slow
//! connection, and for training on the same cores.

use std::time::{Duration, Instant};

/// The minimum time between two frames that no key requested.
const MIN_INTERVAL: Duration = Duration::from_millis(250);

/// [`MIN_INTERVAL`] on a slow connection.
const MIN_INTERVAL_LOW_BANDWIDTH: Duration = Duration::from_millis(800);

/// The maximum bytes per second of frames that no key requested: a large frame, such as a page of
/// moving curves, delays the next one.
const BYTES_PER_SECOND: f64 = 6_500.0;

/// [`BYTES_PER_SECOND`] on a slow connection.
const BYTES_PER_SECOND_LOW_BANDWIDTH: f64 = 1_800.0;

/// The minimum interval before the next frame that no key requested, as a multiple of a frame's
/// drawing time: if training uses all cores, drawing slows it down.
const DRAWING_TIME_FACTOR: u32 = 350;

/// How urgently a frame is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// When the interval since the last frame has passed.
    Paced,
    /// As soon as the terminal is free.
    Immediate,
}

/// The times of frames and of reports.
pub(super) struct FramePacing {
    low_bandwidth: bool,
    /// The minimum time from the last frame to the next paced one.
    interval: Duration,
    last_frame: Option<Instant>,
    last_report: Option<Instant>,
    request: Option<Urgency>,
}

impl FramePacing {
    /// Starts with a request for a first frame at once.
    pub fn new(low_bandwidth: bool) -> Self {
        Self {
            low_bandwidth,
            interval: Duration::ZERO,
            last_frame: None,
            last_report: None,
            request: Some(Urgency::Immediate),
        }
    }

    /// Requests a frame after the minimum interval.
    pub fn request(&mut self) {
        self.request = self.request.max(Some(Urgency::Paced));
    }

    /// Requests a frame as soon as the terminal is free.
    pub fn request_now(&mut self) {
        self.request = Some(Urgency::Immediate);
    }

    /// How long to wait for the next frame; `None` if none is requested.
    pub fn until_frame(&self) -> Option<Duration> {
        self.request.map(|urgency| match urgency {
            Urgency::Immediate => Duration::ZERO,
            Urgency::Paced => remaining(self.interval, self.last_frame),
        })
    }

    /// Records a frame of `bytes` bytes that took `drawing` to draw.
    pub fn frame_drawn(&mut self, bytes: usize, drawing: Duration) {
        let drawing = (drawing * DRAWING_TIME_FACTOR).min(MIN_INTERVAL_LOW_BANDWIDTH);
        self.interval = interval_after(bytes, self.low_bandwidth).max(drawing);
        self.last_frame = Some(Instant::now());
        self.request = None;
    }

    /// How long to wait before reports are read again. Reports are queued between frames: waking up
    /// for each of a thousand steps per second would slow training down.
    pub fn until_reports(&self) -> Duration {
        remaining(self.interval, self.last_report)
    }

    /// Records that reports were read.
    pub fn reports_read(&mut self) {
        self.last_report = Some(Instant::now());
    }

    /// Lets the next reports be read at once.
    pub fn read_more_reports(&mut self) {
        self.last_report = None;
    }
}

/// The local time as seconds since 1970-01-01T00:00:00 local time.
pub(super) fn local_time() -> f64 {
    let now = jiff::Zoned::now();
    now.timestamp().as_second() as f64 + f64::from(now.offset().seconds())
}

/// The remaining time of an interval that began at `since`; zero if there is none.
fn remaining(interval: Duration, since: Option<Instant>) -> Duration {
    since.map_or(Duration::ZERO, |since| interval.saturating_sub(since.elapsed()))
}

/// The minimum time after a frame of `bytes` bytes.
fn interval_after(bytes: usize, low_bandwidth: bool) -> Duration {
    let (least, rate) = if low_bandwidth {
        (MIN_INTERVAL_LOW_BANDWIDTH, BYTES_PER_SECOND_LOW_BANDWIDTH)
    } else {
        (MIN_INTERVAL, BYTES_PER_SECOND)
    };
    least.max(Duration::from_secs_f64(bytes as f64 / rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_frames_delay_the_next_one_longer() {
        assert_eq!(interval_after(0, false), MIN_INTERVAL);
        assert_eq!(interval_after(300, true), MIN_INTERVAL_LOW_BANDWIDTH);
        assert_eq!(interval_after(3_250, false), Duration::from_millis(500));
        assert_eq!(interval_after(9_000, true), Duration::from_secs(5));
    }

    #[test]
    fn an_immediate_request_is_not_paced() {
        let mut pacing = FramePacing::new(false);
        assert_eq!(pacing.until_frame(), Some(Duration::ZERO), "the first frame");
        pacing.frame_drawn(65_000, Duration::ZERO);
        assert_eq!(pacing.until_frame(), None);
        pacing.request();
        assert!(pacing.until_frame().is_some_and(|wait| wait > Duration::from_secs(9)));
        pacing.request_now();
        pacing.request();
        assert_eq!(pacing.until_frame(), Some(Duration::ZERO));
    }

    #[test]
    fn reports_are_read_once_an_interval() {
        let mut pacing = FramePacing::new(false);
        pacing.frame_drawn(65_000, Duration::ZERO);
        assert_eq!(pacing.until_reports(), Duration::ZERO, "none were read yet");
        pacing.reports_read();
        assert!(pacing.until_reports() > Duration::from_secs(9));
        pacing.read_more_reports();
        assert_eq!(pacing.until_reports(), Duration::ZERO);
    }
}
