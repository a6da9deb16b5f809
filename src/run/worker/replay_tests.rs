//! Tests of replays with a clock that advances only during waits.

use super::*;
use crate::core::train::fixtures::{ending, run, with_log_entries};
use std::cell::RefCell;
use std::rc::Rc;

/// A clock that advances only during waits, and commands with the times at which they arrive.
struct ScriptedClock {
    now: Rc<RefCell<f64>>,
    commands: Vec<(f64, Command)>,
}

impl Clock for ScriptedClock {
    fn now(&self) -> f64 {
        *self.now.borrow()
    }

    fn wait(&mut self, seconds: f64) -> Wakeup {
        let mut now = self.now.borrow_mut();
        let due = *now + seconds;
        match self.commands.first() {
            Some((at, _)) if *at <= due => {
                *now = at.max(*now);
                Wakeup::Command(self.commands.remove(0).1)
            }
            _ if due.is_infinite() => Wakeup::Disconnected,
            _ => {
                *now = due;
                Wakeup::TimedOut
            }
        }
    }

    fn is_idle(&self) -> bool {
        true
    }
}

/// All reports, each with its time.
fn played(
    events: Vec<TrainEvent>,
    speed: f64,
    commands: Vec<(f64, Command)>,
) -> Vec<(f64, RunReport)> {
    let now = Rc::new(RefCell::new(0.0));
    let (report_sender, reports) = unbounded();
    let clock = ScriptedClock { now: now.clone(), commands };
    let answers = SavedAnswers::new(None);
    let mut player = Player { clock, reports: report_sender, speed, first_due: 0.0, answers };
    let mut played = Vec::new();
    let collect = |played: &mut Vec<(f64, RunReport)>| {
        played.extend(reports.try_iter().map(|report| (*now.borrow(), report)));
    };
    let events = events.into_iter().map(|event| {
        collect(&mut played);
        Ok(event)
    });
    assert!(player.play(events).is_err(), "it ends when the front end disconnects");
    collect(&mut played);
    played
}

/// The journaled events.
fn events(reports: &[(f64, RunReport)]) -> Vec<TrainEvent> {
    let event = |(_, report): &(f64, RunReport)| match report {
        RunReport::Event(event) if event.is_journaled() => Some(event.clone()),
        _ => None,
    };
    reports.iter().filter_map(event).collect()
}

#[test]
fn events_are_reported_in_order_at_their_times() {
    let run = [run(630), ending()].concat();
    for speed in [0.5, 1.0, 20.0] {
        let reports = played(run.clone(), speed, Vec::new());
        assert_eq!(events(&reports), run);
        let (mut latest, mut seen) = (0.0f64, 0);
        for (at, report) in &reports {
            if let RunReport::Event(event) = report {
                latest = latest.max(event.elapsed().unwrap_or(0.0));
                assert!((at - latest / speed).abs() < 1e-9, "{at} is not {latest} / {speed}");
                seen += usize::from(event.is_journaled());
            }
        }
        assert_eq!(seen, run.len());
        assert_eq!(reports[1].1, RunReport::Activity(Activity::Training));
        assert_eq!(
            reports.last().map(|(_, report)| report),
            Some(&RunReport::Activity(Activity::Idle))
        );
    }
}

#[test]
fn at_infinite_speed_no_time_passes() {
    let reports = played(run(630), f64::INFINITY, Vec::new());
    assert_eq!(events(&reports), run(630));
    assert!(reports.iter().all(|(at, _)| *at == 0.0));
}

#[test]
fn the_time_before_a_run_was_resumed_is_skipped() {
    let mut late = run(4);
    for event in &mut late {
        match event {
            TrainEvent::Started(started) => started.resumed_elapsed = 5000.0,
            TrainEvent::Step(step) => step.elapsed += 5000.0,
            _ => {}
        }
    }
    let reports = played(late, 1.0, Vec::new());
    assert_eq!(reports.last().map(|(at, _)| *at), Some(0.5));
}

#[test]
fn predictions_are_answered_at_once_and_a_stop_ends_the_replay() {
    let predict = |text: &str| Command::Predict { text: text.to_owned() };
    let commands = vec![
        (0.3, predict("재밌다")),
        (1.05, Command::SaveModel),
        (1.05, Command::Stop { evaluate: true }),
        (9.0, predict("끝")),
    ];
    let reports = played(run(630), 1.0, commands);
    assert_eq!(events(&reports), run(8), "eight steps of an eighth of a second");
    let answers: Vec<_> = reports
        .iter()
        .filter_map(|(_, report)| match report {
            RunReport::Answer(answer) => Some(answer),
            _ => None,
        })
        .collect();
    let texts: Vec<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(texts, ["재밌다", "끝"]);
    let elsewhere = |reason: &String| reason.contains("not in the folder of its run");
    assert!(answers.iter().all(|a| a.outcome.as_ref().is_err_and(elsewhere)), "{answers:?}");
}

#[test]
fn a_thread_replays_a_journal_and_ends_when_its_channels_are_dropped() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut journal =
        crate::run::journal::Journal::create(&folder.path().join(crate::run::journal::JOURNAL))?;
    // More reports than the buffer can hold.
    let whole = [run(2 * BUFFERED_REPORTS as u64), ending()].concat();
    whole.iter().try_for_each(|event| journal.append(event))?;
    let recording = Recording::open(folder.path())?;
    let worker = start(&recording, f64::INFINITY, None)?;
    let mut played = Vec::new();
    for report in &worker.channels.reports {
        match report {
            RunReport::Event(event) if event.is_journaled() => played.push(event),
            RunReport::Activity(Activity::Idle) => break,
            _ => {}
        }
    }
    assert_eq!(played, whole);
    worker.join();
    // The thread also ends while its reports are buffered,
    start(&recording, f64::INFINITY, None)?.join();
    // and while it waits for an event.
    start(&recording, 1e-9, None)?.join();
    Ok(())
}

#[test]
fn a_paused_replay_resumes_at_the_same_event() {
    let commands = vec![
        (1.05, Command::Pause),
        (2.0, Command::Evaluate),
        (11.05, Command::Resume),
        (11.05, Command::Resume),
    ];
    let reports = played(run(63), 1.0, commands);
    assert_eq!(events(&reports), run(63));
    let paused =
        reports.iter().filter(|(_, report)| *report == RunReport::Activity(Activity::Paused));
    assert_eq!(paused.count(), 1);
    for (at, report) in &reports {
        if let RunReport::Event(TrainEvent::Step(step)) = report {
            let waited = if step.elapsed > 1.0 { 10.0 } else { 0.0 };
            assert!((at - step.elapsed - waited).abs() < 1e-9, "{at}: {step:?}");
        }
    }
}

#[test]
fn log_entries_are_reported_after_their_steps() {
    let reports = played(run(120), 1.0, Vec::new());
    let events: Vec<TrainEvent> = reports
        .into_iter()
        .filter_map(|(_, report)| match report {
            RunReport::Event(event) => Some(event),
            _ => None,
        })
        .collect();
    assert_eq!(events, with_log_entries(run(120)));
    assert_eq!(events.iter().filter(|event| matches!(event, TrainEvent::Logged(_))).count(), 2);
}
