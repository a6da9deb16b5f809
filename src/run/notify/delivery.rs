//! Delivers notifications on a thread of its own.

use super::command;
use super::message;
use super::watch::Watch;
use super::watchdog::{Watchdog, free_space, room_needed};
use crate::core::text::{display_path, sanitize_for_terminal};
use crate::core::train::event::{CommandEffect, TrainEvent, Warned};
use crate::run::options::{Given, NotifyOptions};
use crate::run::protocol::{Notification, NotifyEvent, RunReport};
use crate::run::session::ReportsBeside;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most notifications that wait for delivery. More are given up, and a warning says so.
const MAX_WAITING: usize = 64;

/// The time limits of a command and of a message to an address.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
const URL_LIMIT: Duration = Duration::from_secs(10);

/// How long the end of the run, and then that of the process, waits for the last deliveries.
const RUN_END_LIMIT: Duration = Duration::from_secs(10);
const END_LIMIT: Duration = Duration::from_secs(45);

/// How often it is checked whether everything is delivered.
const WAIT_INTERVAL: Duration = Duration::from_millis(5);

/// How often progress is checked, and after how many checks the disk is.
const TICK: Duration = Duration::from_millis(500);
const TICKS_PER_DISK_CHECK: u32 = 60;

/// What the training thread and the delivering thread share.
struct Shared {
    began: Instant,
    /// When the run last made progress, in milliseconds since `began`.
    progress_at: AtomicU64,
    /// Whether progress is expected: the run has begun, and is neither paused nor over.
    is_training: AtomicBool,
    /// Whether the end of the run no longer waits for deliveries.
    is_given_up: AtomicBool,
    /// Notifications that were sent and are not delivered yet.
    undelivered: AtomicU64,
    parameters: AtomicU64,
    watch: Mutex<Watch>,
}

impl Shared {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        let now = self.began.elapsed().as_millis() as u64;
        self.progress_at.store(now, Ordering::Relaxed);
    }

    /// The time since the last progress, if progress is expected.
    fn since_progress(&self) -> Option<Duration> {
        let at = Duration::from_millis(self.progress_at.load(Ordering::Relaxed));
        let is_training = self.is_training.load(Ordering::Relaxed);
        is_training.then(|| self.began.elapsed().saturating_sub(at))
    }
}

/// Notifies the user of a run.
pub struct Notifier {
    shared: Arc<Shared>,
    options: NotifyOptions,
    reports: ReportsBeside,
    queue: Option<Sender<Notification>>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
    has_overflowed: bool,
}

impl Notifier {
    /// Starts to watch the run in a folder. Notifications are also reported, for its front end.
    pub fn start(options: &NotifyOptions, folder: &Path, reports: ReportsBeside) -> Self {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            progress_at: AtomicU64::new(0),
            is_training: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            undelivered: AtomicU64::new(0),
            parameters: AtomicU64::new(0),
            watch: Mutex::new(Watch::new(display_path(folder))),
        });
        let (queue, waiting) = bounded(MAX_WAITING);
        let (end, ended) = bounded::<()>(0);
        let stall = options.stall_limit();
        let mut delivery = Delivery {
            shared: Arc::clone(&shared),
            options: options.clone(),
            folder: folder.to_path_buf(),
            reports: reports.clone(),
            watchdog: Watchdog::new(stall.map(|minutes| Duration::from_secs_f64(60.0 * minutes))),
            failed: Failures::default(),
        };
        let work = move || {
            delivery.run(&waiting);
            drop(end);
        };
        let spawned = std::thread::Builder::new().name("notifier".to_owned()).spawn(work);
        if let Err(error) = spawned {
            warn(&reports, &format!("there will be no notifications: {error}"));
        }
        let options = options.clone();
        Self { shared, options, reports, queue: Some(queue), ended, has_overflowed: false }
    }

    /// Takes note of progress other than that of an observed event.
    pub fn touch(&self) {
        self.shared.touch();
    }

    /// Takes note of an event of the run, and returns the notification of it, if there is one.
    pub fn observe(&self, event: &TrainEvent) -> Option<Notification> {
        self.shared.touch();
        let is_training = match event {
            TrainEvent::Started(started) => {
                self.shared.parameters.store(started.parameters as u64, Ordering::Relaxed);
                Some(true)
            }
            TrainEvent::Finished(_) | TrainEvent::Failed(_) => Some(false),
            TrainEvent::CommandApplied(applied) => match applied.effect {
                CommandEffect::Paused => Some(false),
                CommandEffect::Resumed { .. } => Some(true),
                _ => None,
            },
            _ => None,
        };
        if let Some(is_training) = is_training {
            self.shared.is_training.store(is_training, Ordering::Relaxed);
        }
        self.shared.watch().push(event)
    }

    /// Notifies of the failure of a run that published no event of it.
    pub fn fail(&mut self, message: &str) {
        self.shared.is_training.store(false, Ordering::Relaxed);
        let notification = self.shared.watch().notification(NotifyEvent::Failed, message);
        self.send(Some(notification));
    }

    /// Delivers a notification, if it is of one of the events that are chosen. This never waits.
    pub fn send(&mut self, notification: Option<Notification>) {
        let chosen = notification.filter(|found| self.options.includes(found.event));
        let Some(notification) = chosen else { return };
        report(&self.reports, &notification);
        // Before the thread can have delivered it.
        self.shared.undelivered.fetch_add(1, Ordering::SeqCst);
        let is_full = self.queue.as_ref().is_some_and(|queue| {
            matches!(queue.try_send(notification), Err(TrySendError::Full(_)))
        });
        if is_full {
            self.shared.undelivered.fetch_sub(1, Ordering::SeqCst);
        }
        if is_full && !std::mem::replace(&mut self.has_overflowed, true) {
            let message = format!(
                "notifications are given up: {MAX_WAITING} of them wait for the command or address"
            );
            warn(&self.reports, &message);
        }
    }
}

impl Notifier {
    /// Waits until all notifications are delivered, for a limited time.
    pub fn wait(&self) {
        let began = Instant::now();
        let is_waiting = || self.shared.undelivered.load(Ordering::SeqCst) > 0;
        while is_waiting() {
            if began.elapsed() > RUN_END_LIMIT {
                let text = "a notification is not delivered yet; the command of --on-event is \
                            stopped after 30 s, and --notify-url has 10 s to answer";
                return warn(&self.reports, text);
            }
            std::thread::sleep(WAIT_INTERVAL);
        }
    }
}

impl Drop for Notifier {
    /// Waits for the last deliveries, for a limited time.
    fn drop(&mut self) {
        self.queue = None;
        // Nothing is ever sent: the thread drops its end.
        let _ = self.ended.recv_timeout(END_LIMIT);
        self.shared.is_given_up.store(true, Ordering::Relaxed);
    }
}

fn report(reports: &ReportsBeside, notification: &Notification) {
    reports.send(RunReport::Notification(notification.clone()));
}

fn warn(reports: &ReportsBeside, message: &str) {
    let message = sanitize_for_terminal(message).into_owned();
    reports.send(RunReport::Event(TrainEvent::Warned(Warned { message, step: 0 })));
}

/// Which ways have failed, and were reported.
#[derive(Default)]
struct Failures {
    command: bool,
    url: bool,
}

/// The delivering thread.
struct Delivery {
    shared: Arc<Shared>,
    options: NotifyOptions,
    folder: PathBuf,
    reports: ReportsBeside,
    watchdog: Watchdog,
    failed: Failures,
}

impl Delivery {
    fn run(&mut self, waiting: &Receiver<Notification>) {
        let mut ticks = 0;
        loop {
            match waiting.recv_timeout(TICK) {
                Ok(_) if self.shared.is_given_up.load(Ordering::Relaxed) => return,
                Ok(notification) => {
                    self.deliver(&notification);
                    self.shared.undelivered.fetch_sub(1, Ordering::SeqCst);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.check(ticks);
                    ticks += 1;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Checks what no event tells.
    fn check(&mut self, ticks: u32) {
        let since = self.shared.since_progress();
        let mut found = vec![self.watchdog.check_progress(since)];
        if ticks.is_multiple_of(TICKS_PER_DISK_CHECK) {
            let needed = room_needed(self.shared.parameters.load(Ordering::Relaxed));
            found.push(self.watchdog.check_disk(free_space(&self.folder), needed));
        }
        for (event, message) in found.into_iter().flatten() {
            if self.options.includes(event) {
                let notification = self.shared.watch().notification(event, &message);
                report(&self.reports, &notification);
                self.deliver(&notification);
            }
        }
    }

    /// Delivers a notification in each way. The first failure of each is reported.
    fn deliver(&mut self, notification: &Notification) {
        if let Some(line) = &self.options.on_event
            && let Err(reason) = command::execute(&line.value, notification, COMMAND_LIMIT)
            && !std::mem::replace(&mut self.failed.command, true)
        {
            warn(&self.reports, &format!("the command of --on-event failed: {reason}"));
        }
        if let Some(url) = &self.options.notify_url {
            let format = Given::value_or_default(self.options.notify_format.as_ref());
            let sent = message::request(&url.value, format, notification)
                .and_then(|request| post(&request.url, &request.body.to_string()));
            if let Err(reason) = sent
                && !std::mem::replace(&mut self.failed.url, true)
            {
                let host = url.value.host();
                warn(&self.reports, &format!("--notify-url, {host}: {reason}"));
            }
        }
    }
}

#[cfg(feature = "hub")]
fn post(url: &str, body: &str) -> Result<(), String> {
    crate::run::hub::post_json(url, body, URL_LIMIT)
}

#[cfg(not(feature = "hub"))]
fn post(_: &str, _: &str) -> Result<(), String> {
    let _ = URL_LIMIT;
    Err("this program was built without the feature hub, which sends messages".to_owned())
}

#[cfg(test)]
#[cfg(unix)]
#[path = "delivery_tests.rs"]
mod tests;
