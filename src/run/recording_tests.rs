//! Tests with valid, truncated and malicious journals.

use super::*;
use crate::core::train::event::{Failed, Saved};
use crate::core::train::fixtures::{ending, run, started};
use crate::run::journal::Journal;
use std::fs;

fn lines(events: &[TrainEvent]) -> String {
    let line = |event| crate::core::text::to_json(event).unwrap_or_default() + "\n";
    events.iter().map(line).collect()
}

/// The events read from a file with this content, or the error message without the folder's name.
fn read(content: impl AsRef<[u8]>) -> Result<Vec<TrainEvent>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let prefix = format!("{}/", display(folder.path()));
    let words = |error: RecordingError| error.to_string().replace(&prefix, "");
    fs::write(folder.path().join(JOURNAL), content).map_err(|error| error.to_string())?;
    let recording = Recording::open(&folder.path().join(JOURNAL)).map_err(words)?;
    recording.events().map_err(words)?.collect::<Result<_, _>>().map_err(words)
}

fn refused(content: impl AsRef<[u8]>) -> String {
    read(content).map_or_else(|reason| reason, |events| format!("{events:?}"))
}

#[test]
fn all_events_of_a_run_are_read() {
    let events = [run(630), ending()].concat();
    assert_eq!(read(lines(&events)), Ok(events));
}

#[test]
fn a_folder_is_read_through_its_journal() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut journal = Journal::create(&folder.path().join(JOURNAL))?;
    run(3).iter().try_for_each(|event| journal.append(event))?;
    let recording = Recording::open(folder.path())?;
    assert_eq!(recording.events()?.collect::<Result<Vec<_>, _>>()?, run(3));
    // Events that are appended after the first pass are not part of this replay.
    journal.append(&ending()[0])?;
    assert_eq!(recording.events()?.count(), run(3).len());
    Ok(())
}

#[test]
fn a_resumed_run_is_replayed_from_its_first_step_with_its_start_first()
-> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let whole = run(70);
    let mut journal = Journal::create(&file)?;
    whole.iter().try_for_each(|event| journal.append(event))?;
    let (mut journal, past) = Journal::continue_after(&file, 60, |_| true)?;
    assert_eq!(past.len(), 60);
    let again = Started { resumed_at: 60, resumed_elapsed: 7.5, ..started() };
    journal.append(&TrainEvent::Started(again))?;
    whole[61..].iter().try_for_each(|event| journal.append(event))?;
    let events: Vec<_> = Recording::open(&file)?.events()?.collect::<Result<_, _>>()?;
    assert_eq!(events[1..], whole[1..]);
    let TrainEvent::Started(first) = &events[0] else { panic!("no start: {:?}", events[0]) };
    assert_eq!((first.resumed_at, first.resumed_elapsed), (0, 0.0));
    let note = first.notes.last().map(String::as_str);
    assert_eq!(note, Some("was interrupted, and resumed after step 60"));

    // The run was killed after it rewrote the old journal and before it wrote its new start.
    Journal::continue_after(&file, 60, |_| true)?;
    let events: Vec<_> = Recording::open(&file)?.events()?.collect::<Result<_, _>>()?;
    assert_eq!(events[1..], whole[1..61]);
    let TrainEvent::Started(first) = &events[0] else { panic!("no start: {:?}", events[0]) };
    assert_eq!((first.max_steps, first.steps_per_epoch, first.resumed_at), (60, 60, 0));
    Ok(())
}

#[test]
fn the_output_of_a_resumed_run_is_replayed_from_the_step_it_resumed_after() {
    let mut events = run(70);
    events.drain(1..61);
    events[0] = TrainEvent::Started(Started { resumed_at: 60, resumed_elapsed: 7.5, ..started() });
    assert_eq!(read(lines(&events)), Ok(events.clone()));
    // The run was resumed again after its history was lost.
    events.swap(0, 1);
    let Ok(events) = read(lines(&events)) else { panic!("it is readable") };
    let TrainEvent::Started(first) = &events[0] else { panic!("no start: {:?}", events[0]) };
    assert_eq!((first.resumed_at, first.resumed_elapsed), (60, 7.625));
}

#[test]
fn an_incomplete_last_line_is_ignored() {
    let events = run(20);
    let text = lines(&events);
    for cut in [1, 2, 30] {
        let expected = if cut == 1 { &events[..] } else { &events[..20] };
        assert_eq!(read(&text[..text.len() - cut]), Ok(expected.to_vec()), "{cut} bytes less");
    }
}

#[test]
fn a_file_that_is_not_a_journal_is_refused_with_file_line_and_remedy() {
    let name = "Name the folder of a run, or a file that nsmc-tui train --json wrote";
    assert_eq!(
        refused("# a readme\n"),
        format!("events.jsonl:1: not an event of a run (expected value). {name}")
    );
    let text = lines(&run(3));
    let copy = "A copy without this line and the lines after it can be replayed";
    for (tail, reason) in [
        ("{\"event\":\"unknown\u{202e}\"}\n", "not an event of a run (unknown variant `unknown�`"),
        ("\n", "not an event of a run (EOF while parsing a value"),
        (text.as_str(), "another run starts here"),
        (&lines(&run(2)[1..]), "step 1 after step 3"),
        (&text.lines().nth(3).unwrap_or_default().replace("650", "1e30"), "events"),
    ] {
        let words = refused(text.clone() + tail);
        if reason == "events" {
            assert!(words.starts_with('['), "a last line without a newline is incomplete: {words}");
        } else {
            assert!(words.starts_with(&format!("events.jsonl:5: {reason}")), "{words}");
            assert!(words.ends_with(copy), "{words}");
        }
    }
    let binary = refused(vec![0xff; 33 << 20]);
    assert!(binary.contains(":1: a line of more than 32 MiB is not an event"), "{binary}");
    let latin = refused(b"\xe9\n");
    assert!(latin.contains(":1: not an event of a run (not UTF-8)"), "{latin}");
    for empty in ["", "{\"event\":", "{}"] {
        let words = refused(empty);
        assert!(words.contains("it has no events, so no run has started"), "{words}");
    }
    let saved = TrainEvent::Checkpoint(Saved { path: "outputs".to_owned(), step: 0, seconds: 0.0 });
    assert!(refused(lines(&[saved])).contains("it has no steps"));
    let failed = Failed { message: "no data".to_owned(), hint: None, step: 0 };
    let words = refused(lines(&[TrainEvent::Failed(failed)]));
    assert!(words.ends_with("the run failed before it began: no data"), "{words}");
}

#[test]
fn a_missing_file_is_refused() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let why = |place: &Path| match Recording::open(place) {
        Ok(recording) => format!("{recording:?}"),
        Err(error) => error.to_string(),
    };
    let words = why(&folder.path().join("mine"));
    assert!(words.contains("mine: no such file or folder. Name the folder of a run"), "{words}");
    assert!(why(folder.path()).contains("no events.jsonl in it. Name"));
    fs::create_dir(folder.path().join(JOURNAL))?;
    assert!(why(folder.path()).contains("not a plain file"));
    Ok(())
}

#[test]
fn numbers_out_of_range_are_refused() {
    let text = lines(&run(63));
    for (honest, hostile) in [
        ("\"elapsed\":0.125", "\"elapsed\":-1"),
        ("\"elapsed\":0.125", "\"elapsed\":1e300"),
        ("\"tokens\":650", "\"tokens\":18446744073709551615"),
        ("\"steps_per_epoch\":63", "\"steps_per_epoch\":18446744073709551615"),
        ("\"eval_confusion\":[[", "\"eval_confusion\":[[1,"),
        ("\"num_train_epochs\":10.0", "\"num_train_epochs\":-10.0"),
    ] {
        assert!(text.contains(honest), "{honest} is not in the journal");
        let words = refused(text.replacen(honest, hostile, 1));
        assert!(words.starts_with("events.jsonl:"), "{hostile}: {words}");
    }
}

#[test]
fn evaluations_of_the_most_classes_are_replayed() {
    let classes = crate::core::model::config::MAX_LABELS;
    for count in [0, 3, 1 << 40] {
        let mut events = run(64);
        for event in &mut events {
            if let TrainEvent::Evaluated(evaluated) = event {
                evaluated.metrics.eval_confusion.counts = vec![vec![count; classes]; classes];
                evaluated.metrics.eval_samples_per_second = f64::INFINITY;
            }
        }
        let read = read(lines(&events)).unwrap_or_default();
        assert!(read == events, "{} events for counts of {count}", read.len());
    }
}

#[test]
fn a_recording_that_grows_is_read_from_where_it_ended() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(JOURNAL);
    let events = [run(70), ending()].concat();
    let text = lines(&events);
    let mut follower = None;
    let mut seen = Vec::new();
    // The file ends within lines, between them, and before a newline.
    let newline = text.len() - 1;
    for end in [1, 2000, 2001, text.find('\n').unwrap_or(0), 9000, newline, text.len()] {
        fs::write(&file, &text[..end])?;
        let follower: &mut RecordingFollower = match &mut follower {
            Some(follower) => follower,
            None => follower.insert(RecordingFollower::new(folder.path())?),
        };
        follower.read(|event| seen.push(event.clone()))?;
        if end == 1 {
            assert!(follower.started().is_err());
        } else if end == newline {
            assert_eq!(follower.last(), events.last());
        }
    }
    assert_eq!(seen, events);
    let started = follower.map(|follower| follower.started()).ok_or("no file")??;
    assert_eq!(TrainEvent::Started(started), events[0]);
    Ok(())
}

/// Changes bytes, lines and lengths of a journal, as the numbers of a generator say, and reads it.
#[test]
fn damaged_journals_are_read_or_refused_but_never_panic() {
    let began = std::time::Instant::now();
    let sound = lines(&[run(65), ending()].concat()).into_bytes();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(JOURNAL);
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let pieces: [&[u8]; 12] = [
        b"null",
        b"-1",
        b"1e999",
        b"\"NaN\"",
        b"[[",
        b"{\"classes\":1000,\"cells\":[]}",
        b"\\u0000",
        b"\xff",
        b"\n",
        b"18446744073709551616",
        b"\"event\":",
        b"\xef\xbf\xbf",
    ];
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3000 {
        if began.elapsed() > std::time::Duration::from_secs(3) {
            break;
        }
        let mut bytes = sound.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(6) {
                0 => bytes[at] ^= 1 << next(8),
                1 => bytes.truncate(at),
                2 => {
                    let end = (at + next(300)).min(bytes.len());
                    bytes.drain(at..end);
                }
                3 => {
                    let end = (at + next(600)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    let to = next(bytes.len());
                    bytes.splice(to..to, copy);
                }
                _ => {
                    let piece = pieces[next(pieces.len())].to_vec();
                    let end = (at + next(12)).min(bytes.len());
                    bytes.splice(at..end, piece);
                }
            }
            if bytes.is_empty() {
                bytes.push(b'{');
            }
        }
        fs::write(&file, &bytes).expect("a file");
        let events = Recording::open(&file).and_then(|found| found.events()?.collect());
        match events {
            Ok(events) => {
                let events: Vec<TrainEvent> = events;
                read += 1;
                let mut last = 0;
                for event in &events {
                    let TrainEvent::Step(step) = event else { continue };
                    assert!(step.step > last, "steps in another order");
                    last = step.step;
                }
            }
            Err(error) => {
                refused += 1;
                let error = error.to_string();
                assert!(error.contains(JOURNAL) && !error.contains('\u{1b}'), "{error}");
            }
        }
        let past = crate::run::journal::PastEvents::read(&file, 65, |_| true).expect("readable");
        assert!(past.last_step() <= 65);
    }
    assert!(read > 20 && refused > 20, "{read} read, {refused} refused");
}

#[test]
fn nothing_in_a_journal_can_control_a_terminal() {
    let mut begin = started();
    begin.model = "a\u{1b}[31mb\\n".to_owned();
    begin.labels = vec!["\u{9b}2J".to_owned(), "\u{202e}x".to_owned()];
    begin.settings[0].value = "c:\\data".to_owned();
    let events = [TrainEvent::Started(begin), run(1)[1].clone()];
    // Once as this program writes it, and once with unescaped characters.
    let bare: String = events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap_or_default() + "\n")
        .collect();
    for text in [lines(&events), bare] {
        let Ok(events) = read(text) else { panic!("it is readable") };
        let TrainEvent::Started(first) = &events[0] else { panic!("no start: {:?}", events[0]) };
        assert_eq!(first.model, "a�[31mb\\n");
        assert_eq!(first.labels, ["�2J", "�x"]);
        assert_eq!(first.settings[0].value, "c:\\data");
    }
}
