//! A replay on a clock that only moves when somebody waits.

use super::*;
use crate::core::train::fixtures::{ending, run};
use std::cell::RefCell;
use std::rc::Rc;

/// A clock that waiting moves on, and commands that come at their times.
struct Script {
    now: Rc<RefCell<f64>>,
    commands: Vec<(f64, Command)>,
}

impl Ear for Script {
    fn now(&self) -> f64 {
        *self.now.borrow()
    }

    fn listen(&mut self, seconds: f64) -> Heard {
        let mut now = self.now.borrow_mut();
        let due = *now + seconds;
        match self.commands.first() {
            Some((at, _)) if *at <= due => {
                *now = at.max(*now);
                Heard::Command(self.commands.remove(0).1)
            }
            _ if due.is_infinite() => Heard::Nobody,
            _ => {
                *now = due;
                Heard::Silence
            }
        }
    }
}

/// All that is told, each with its time.
fn played(
    events: Vec<TrainEvent>,
    speed: f64,
    commands: Vec<(f64, Command)>,
) -> Vec<(f64, Report)> {
    let now = Rc::new(RefCell::new(0.0));
    let (report, reports) = unbounded();
    let ear = Script { now: now.clone(), commands };
    let mut player = Player { ear, report, speed, began: 0.0 };
    let mut told = Vec::new();
    let clock = now.clone();
    // What was told before an event is asked for was told by the time it is asked for.
    let collect = |told: &mut Vec<(f64, Report)>| {
        told.extend(reports.try_iter().map(|report| (*clock.borrow(), report)));
    };
    let events = events.into_iter().map(|event| {
        collect(&mut told);
        Ok(event)
    });
    assert!(player.play(events).is_err(), "it ends when nobody is left");
    collect(&mut told);
    told
}

fn events(told: &[(f64, Report)]) -> Vec<TrainEvent> {
    let event = |(_, report): &(f64, Report)| match report {
        Report::Event(event) => Some(event.clone()),
        _ => None,
    };
    told.iter().filter_map(event).collect()
}

#[test]
fn events_come_in_order_at_their_times() {
    let run = [run(630), ending()].concat();
    for speed in [0.5, 1.0, 20.0] {
        let told = played(run.clone(), speed, Vec::new());
        assert_eq!(events(&told), run);
        let (mut latest, mut seen) = (0.0f64, 0);
        for (at, report) in &told {
            if let Report::Event(event) = report {
                latest = latest.max(event.elapsed().unwrap_or(0.0));
                assert!((at - latest / speed).abs() < 1e-9, "{at} is not {latest} / {speed}");
                seen += 1;
            }
        }
        assert_eq!(seen, run.len());
        assert_eq!(told[1].1, Report::Activity(Activity::Training));
        assert_eq!(told.last().map(|told| &told.1), Some(&Report::Activity(Activity::Idle)));
    }
}

#[test]
fn at_the_most_speed_no_time_passes() {
    let told = played(run(630), f64::INFINITY, Vec::new());
    assert_eq!(events(&told), run(630));
    assert!(told.iter().all(|(at, _)| *at == 0.0));
}

#[test]
fn the_time_before_a_resumed_run_is_not_waited_for() {
    let mut late = run(4);
    for event in &mut late {
        match event {
            TrainEvent::Started(started) => started.resumed_elapsed = 5000.0,
            TrainEvent::Step(step) => step.elapsed += 5000.0,
            _ => {}
        }
    }
    let told = played(late, 1.0, Vec::new());
    assert_eq!(told.last().map(|told| told.0), Some(0.5));
}

#[test]
fn questions_are_answered_at_once_and_a_stop_ends_it() {
    let ask = |text: &str| Command::Predict(text.to_owned());
    let commands = vec![
        (0.3, ask("재밌다")),
        (1.05, Command::Save),
        (1.05, Command::Stop { evaluate: true }),
        (9.0, ask("끝")),
    ];
    let told = played(run(630), 1.0, commands);
    assert_eq!(events(&told), run(8), "eight steps of an eighth of a second");
    let answers: Vec<_> = told
        .iter()
        .filter_map(|(_, report)| match report {
            Report::Answer(answer) => Some(answer),
            _ => None,
        })
        .collect();
    let texts: Vec<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(texts, ["재밌다", "끝"]);
    assert!(answers.iter().all(|a| a.outcome == Err("a replay has no model".to_owned())));
}

#[test]
fn a_thread_plays_a_journal_and_ends_when_it_is_let_go() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut journal =
        crate::run::journal::Journal::create(&folder.path().join(crate::run::journal::JOURNAL))?;
    // More than may wait to be taken in.
    let whole = [run(2 * AHEAD as u64), ending()].concat();
    whole.iter().try_for_each(|event| journal.append(event))?;
    let recording = Recording::open(folder.path())?;
    let worker = start(&recording, f64::INFINITY)?;
    let mut told = Vec::new();
    for report in &worker.source.reports {
        match report {
            Report::Event(event) => told.push(event),
            Report::Activity(Activity::Idle) => break,
            _ => {}
        }
    }
    assert_eq!(told, whole);
    worker.join();
    // And while its reports are not taken in.
    start(&recording, f64::INFINITY)?.join();
    // And while it waits for what comes in an age.
    start(&recording, 1e-9)?.join();
    Ok(())
}

#[test]
fn a_replay_that_waits_goes_on_where_it_was() {
    let steer = |at, request| (at, Command::Steer(request));
    let commands = vec![
        steer(1.05, Request::Pause),
        steer(2.0, Request::Evaluate),
        steer(11.05, Request::Resume),
        steer(11.05, Request::Resume),
    ];
    let told = played(run(63), 1.0, commands);
    assert_eq!(events(&told), run(63));
    let paused = told.iter().filter(|(_, report)| *report == Report::Activity(Activity::Paused));
    assert_eq!(paused.count(), 1);
    for (at, report) in &told {
        if let Report::Event(TrainEvent::Step(step)) = report {
            let waited = if step.elapsed > 1.0 { 10.0 } else { 0.0 };
            assert!((at - step.elapsed - waited).abs() < 1e-9, "{at}: {step:?}");
        }
    }
}
