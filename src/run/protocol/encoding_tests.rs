//! Tests of encoding and decoding messages of all kinds, and of lines that are not messages.

use super::*;
use crate::core::attribution::{ExplainMethod, TextPart, TokenIntegrals, WordAttributions};
use crate::core::predict::Prediction;
use crate::core::train::TrainEvent;
use crate::core::train::event::{
    CommandApplied, CommandEffect, EvaluationProgress, Logged, RankMeasured, RanksMeasured,
    RolledBack, Warned, training_entry,
};
use crate::core::train::fixtures::{ending, failure, run, step};
use crate::run::protocol::{
    Activity, Answer, Command, Download, Explanation, HistoryChunk, Notification, NotifyEvent,
    RunReport,
};
use crate::run::system_metrics::{GpuSample, SystemSample};

fn events() -> Vec<TrainEvent> {
    let warned = Warned { message: "\u{1b}[2J\n\"영화\"".to_owned(), step: 3 };
    let effect = CommandEffect::LearningRateChanged { from: 1e-4, to: 3e-5 };
    let applied = CommandApplied { step: 4, epoch: 0.1, elapsed: 0.2, effect };
    let rolled_back = RolledBack {
        step: 4,
        epoch: 0.1,
        failed_step: 9,
        learning_rate: 1.5e-5,
        count: 1,
        limit: 3,
        elapsed: 0.3,
    };
    let rank = RankMeasured {
        rank: 1,
        samples_per_second: 12.5,
        computed: 0.25,
        exchange: 0.125,
        waited: 0.0625,
        lag: 0.03125,
        memory: 1 << 30,
        gpu_memory: Some(3 << 30),
    };
    let ranks = RanksMeasured::new(4, 0.3, vec![RankMeasured::default(), rank]);
    let entry = training_entry(&step(50, 0.1 + 0.2, 6.25), 1.0 / 3.0);
    let others = vec![
        failure(),
        TrainEvent::Warned(warned),
        TrainEvent::CommandApplied(applied),
        TrainEvent::RolledBack(rolled_back),
        TrainEvent::Ranks(ranks),
        TrainEvent::Logged(Logged { elapsed: 6.25, entry }),
        TrainEvent::EvaluationProgress(EvaluationProgress { done: 3, total: 7 }),
        TrainEvent::SavingCheckpoint,
        TrainEvent::Step(step(51, f64::INFINITY, 6.5)),
    ];
    [run(70), ending(), others].concat()
}

fn reports() -> Vec<RunReport> {
    let prediction = Prediction {
        text_pair: None,
        text: "재밌다".to_owned(),
        label: "positive".to_owned(),
        score: 0.75,
        probabilities: vec![0.25, 0.75],
        calibrated_probabilities: Some(vec![0.375, 0.625]),
        compared: None,
        logits: vec![-0.5, 0.598_612_3],
        tokens: vec!["[CLS]".to_owned(), "재밌다".to_owned(), "[SEP]".to_owned()],
        unknown: 1,
        truncated: false,
    };
    let download =
        |total, rate| Download { file: "model.safetensors".to_owned(), done: 5, total, rate };
    let activities = [
        Activity::Preparing("Loading the weights".to_owned()),
        Activity::Downloading(download(0, None)),
        Activity::Downloading(download(1 << 40, Some(1.5e6))),
        Activity::Training,
        Activity::Paused,
        Activity::Evaluating { done: 64, total: 2000 },
        Activity::Saving,
        Activity::Idle,
    ];
    let gpu = GpuSample { load: Some(0.5), name: "gpu".to_owned(), ..GpuSample::default() };
    let notification = Notification {
        event: NotifyEvent::Nan,
        run: "outputs".to_owned(),
        message: "\u{1b}]9;x\u{7}".to_owned(),
        step: 3,
        max_steps: 9,
        seconds: 0.1 + 0.2,
        loss: Some(1.0 / 3.0),
        eval_loss: None,
        eval_accuracy: Some(0.5),
    };
    let sample = SystemSample { cpu: 0.5, gpus: vec![gpu], ..SystemSample::default() };
    let parts = [("재밌다", Some(0.1 + 0.2)), (" \u{2028}", None)];
    let part = |(text, contribution): (&str, _)| TextPart { text: text.to_owned(), contribution };
    let words = WordAttributions {
        class: 1,
        score: 0.9,
        baseline: "[MASK]".to_owned(),
        parts: parts.map(part).to_vec(),
        integrals: Some(TokenIntegrals {
            tokens: vec![0.0, 0.1 + 0.2],
            baseline_score: 0.4,
            gap: -1e-5,
        }),
    };
    let answer = |outcome| {
        RunReport::Answer(Answer { text: "재밌다".to_owned(), outcome, step: Some(7) })
    };
    let mut reports: Vec<RunReport> = events().into_iter().map(RunReport::Event).collect();
    reports.extend(activities.map(RunReport::Activity));
    reports.extend([
        RunReport::History(HistoryChunk { events: events(), is_last: true }),
        answer(Ok(prediction)),
        answer(Err("a replay has no model".to_owned())),
        RunReport::Explained(Explanation::new("재밌다".to_owned(), Ok(Some(words)))),
        RunReport::System(sample),
        RunReport::Notification(notification),
    ]);
    reports
}

fn commands() -> Vec<Command> {
    let mut commands = vec![
        Command::Pause,
        Command::Resume,
        Command::SaveCheckpoint,
        Command::Evaluate,
        Command::SetLearningRate { rate: 3e-5 },
        Command::SaveModel,
        Command::Predict { text: "\0 \"재밌다\"\n\u{2028}".to_owned() },
    ];
    commands.extend(
        [ExplainMethod::Occlusion, ExplainMethod::IntegratedGradients].map(|method| {
            Command::Explain { text: "\0 \"재밌다\"\n\u{2028}".to_owned(), method }
        }),
    );
    for on in [false, true] {
        commands.push(Command::StopAfterEpoch { enabled: on });
        commands.push(Command::Stop { evaluate: on });
    }
    commands
}

#[test]
fn every_message_is_one_line_and_round_trips() -> Result<(), ProtocolError> {
    let mut stream = Vec::new();
    for report in reports() {
        let line = encode(&report)?;
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        assert_eq!(decode::<RunReport>(&line)?, report);
        stream.extend(line);
    }
    let (mut reader, mut buffer, mut read) = (&stream[..], Vec::new(), Vec::new());
    while let Some(report) = read_message::<RunReport>(&mut reader, &mut buffer)? {
        read.push(report);
    }
    assert_eq!(read, reports());
    for command in commands() {
        assert_eq!(decode::<Command>(&encode(&command)?)?, command);
    }
    Ok(())
}

#[test]
fn numbers_that_are_not_finite_round_trip() -> Result<(), ProtocolError> {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let prediction = Prediction {
            text: "a".to_owned(),
            text_pair: None,
            label: "negative".to_owned(),
            score: value,
            probabilities: vec![0.25, value],
            calibrated_probabilities: None,
            compared: None,
            logits: vec![0.1, value as f32],
            tokens: Vec::new(),
            truncated: false,
            unknown: 0,
        };
        let mut evaluated = crate::core::train::fixtures::evaluated(63, 1.0, 0.75, 9.0);
        evaluated.metrics.eval_samples_per_second = value;
        evaluated.metrics.eval_f1 = value;
        let effect = CommandEffect::LearningRateChanged { from: value, to: value };
        let applied = CommandApplied { step: 4, epoch: value, elapsed: 0.2, effect };
        let outcome = Ok(prediction);
        for report in [
            RunReport::Answer(Answer { text: "a".to_owned(), outcome, step: None }),
            RunReport::Event(TrainEvent::Evaluated(evaluated)),
            RunReport::Event(TrainEvent::CommandApplied(applied)),
        ] {
            let line = encode(&report)?;
            assert!(!String::from_utf8_lossy(&line).contains("null,"));
            let read = decode::<RunReport>(&line)?;
            // NaN does not equal itself.
            assert_eq!(format!("{read:?}"), format!("{report:?}"));
        }
        let command = Command::SetLearningRate { rate: value };
        assert_eq!(format!("{:?}", decode::<Command>(&encode(&command)?)?), format!("{command:?}"));
    }
    // Earlier versions wrote `null`.
    let line = br#"{"version":2,"message":{"command":"set_learning_rate","rate":null}}"#;
    let command = decode::<Command>(line)?;
    assert!(matches!(command, Command::SetLearningRate { rate } if rate.is_nan()));
    Ok(())
}

#[test]
fn messages_have_a_stable_encoding() -> Result<(), ProtocolError> {
    let text = |line: Vec<u8>| String::from_utf8_lossy(&line).into_owned();
    assert_eq!(
        text(encode(&Command::Stop { evaluate: true })?),
        "{\"version\":2,\"message\":{\"command\":\"stop\",\"evaluate\":true}}\n"
    );
    assert_eq!(
        text(encode(&RunReport::Activity(Activity::Evaluating { done: 1, total: 2 }))?),
        "{\"version\":2,\"message\":{\"report\":\"activity\",\"value\":{\"activity\":\
         \"evaluating\",\"value\":{\"done\":1,\"total\":2}}}}\n"
    );
    Ok(())
}

#[test]
fn another_protocol_version_is_rejected() {
    for line in [
        r#"{"version":3,"message":{"command":"dance"}}"#,
        r#"{"version":0,"message":{"command":"pause"}}"#,
        r#"{"message":[],"version":18446744073709551615}"#,
    ] {
        let error = decode::<Command>(line.as_bytes());
        assert!(matches!(error, Err(ProtocolError::Version(_))), "{line}: {error:?}");
    }
}

#[test]
fn a_line_that_is_not_a_message_is_refused() {
    let deep = [r#"{"version":2,"message":"#, &"[".repeat(100_000)].concat();
    for line in [
        &b""[..],
        b"\n",
        b"\xff\xfe\n",
        b"null",
        b"[1,2]",
        br#"{"message":{"command":"pause"}}"#,
        br#"{"version":"1","message":{"command":"pause"}}"#,
        br#"{"version":-1,"message":{"command":"pause"}}"#,
        br#"{"version":2}"#,
        br#"{"version":2,"message":{"command":"dance"}}"#,
        br#"{"version":2,"message":{"command":"stop"}}"#,
        br#"{"version":2,"message":{"command":"stop","evaluate":1}}"#,
        br#"{"version":2,"message":{"command":"pause"}} {}"#,
        br#"{"version":2,"message":{"command":"pa"#,
        deep.as_bytes(),
    ] {
        let error = decode::<Command>(line);
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]);
        assert!(matches!(error, Err(ProtocolError::Malformed(_))), "{shown}: {error:?}");
    }
}

#[test]
fn a_message_that_is_too_long_is_neither_written_nor_read() {
    let text = "x".repeat(MAX_MESSAGE_BYTES);
    let predict = |text: &str| Command::Predict { text: text.to_owned() };
    assert!(matches!(encode(&predict(&text)), Err(ProtocolError::TooLong(_))));
    let overhead = encode(&predict("")).map_or(0, |line| line.len());
    let longest = encode(&predict(&text[overhead..]));
    assert!(longest.as_ref().is_ok_and(|line| line.len() == MAX_MESSAGE_BYTES));
    let mut line = longest.unwrap_or_default();
    assert!(decode::<Command>(&line).is_ok());
    let mut buffer = Vec::new();
    assert!(matches!(read_message::<Command>(&mut &line[..], &mut buffer), Ok(Some(_))));
    line.insert(line.len() - 5, b'x');
    assert!(matches!(decode::<Command>(&line), Err(ProtocolError::TooLong(_))));
    let read = read_message::<Command>(&mut &line[..], &mut buffer);
    assert!(matches!(read, Err(ProtocolError::TooLong(_))), "{read:?}");
    assert_eq!(buffer.len(), MAX_MESSAGE_BYTES, "the rest is not read");
}

#[test]
fn a_stream_may_end_between_messages_but_not_within_one() {
    let line = encode(&Command::Pause).unwrap_or_default();
    let mut buffer = Vec::new();
    let cut = read_message::<Command>(&mut &line[..line.len() - 1], &mut buffer);
    assert!(matches!(cut, Err(ProtocolError::Incomplete)), "{cut:?}");
    let end = read_message::<Command>(&mut &b""[..], &mut buffer);
    assert!(matches!(end, Ok(None)), "{end:?}");
}

#[test]
fn the_largest_evaluation_fits_in_a_message() -> Result<(), ProtocolError> {
    let classes = crate::core::model::config::MAX_LABELS;
    let mut evaluated = crate::core::train::fixtures::evaluated(63, 1.0, 0.75, 9.0);
    evaluated.metrics.eval_confusion.counts = vec![vec![u64::MAX; classes]; classes];
    let report = RunReport::Event(TrainEvent::Evaluated(evaluated));
    assert_eq!(decode::<RunReport>(&encode(&report)?)?, report);
    Ok(())
}
