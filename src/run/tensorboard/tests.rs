use super::*;
use std::fs;
use std::path::PathBuf;

fn created(folder: &Path, now: f64, host: &str, pid: u32) -> EventWriter {
    let mut writer = EventWriter::new(folder, now, host, pid, || Ok(()));
    written(&mut writer).expect("a file");
    writer
}

fn written(writer: &mut EventWriter) -> io::Result<()> {
    match writer.flush() {
        Flushed::Failed(error) => Err(error),
        Flushed::All | Flushed::Waiting => Ok(()),
    }
}

/// The tags of all events in the files of a folder, with their values.
pub fn events_in(folder: &Path) -> Vec<(String, Option<f32>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let mut reader = BufReader::new(File::open(entry.path()).expect("a file"));
        let mut bytes = Vec::new();
        loop {
            record::read_record(&mut reader, &mut bytes).expect("readable");
            if bytes.is_empty() {
                break;
            }
            let event = record::event_in(&bytes).expect("a complete record").to_vec();
            let summaries = fields(&event).filter_map(|field| match field {
                (5, FieldValue::Bytes(summary)) => submessages(summary, 1).next(),
                _ => None,
            });
            for value in summaries {
                let tag = submessages(value, 1).next().unwrap_or_default();
                // The key of `simple_value` and its four bytes are the last field.
                let number = value.split_last_chunk::<5>().and_then(|(_, [key, bytes @ ..])| {
                    (*key == (2 << 3) | FIXED_32).then(|| f32::from_le_bytes(*bytes))
                });
                found.push((String::from_utf8_lossy(tag).into_owned(), number));
            }
        }
    }
    found
}

fn path(writer: &mut EventWriter) -> PathBuf {
    writer.file().path().expect("an open file").to_path_buf()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
    digits.chunks(2).map(|pair| byte(pair).expect("hexadecimal")).collect()
}

// The same events written by TensorBoard 2.21:
//     RecordWriter(f).write(event.SerializeToString())
// with `tensorboard.summary.writer.record_writer.RecordWriter`, and the event from top to bottom
//     Event(wall_time=1.5, file_version="brain.Event:2", source_metadata=SourceMetadata(
//         writer="tensorboard.summary.writer.event_file_writer"))
//     Event(wall_time=1795354639.25, step=300,
//         summary=Summary(value=[Summary.Value(tag="train/loss", simple_value=0.5)]))
//     Event(wall_time=2.0, step=0,
//         summary=Summary(value=[Summary.Value(tag="eval/f1", simple_value=0.0)]))
//     Event(wall_time=2.0, step=7, summary=Summary(value=[Summary.Value(tag="args/text_summary",
//         metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text")),
//         tensor=TensorProto(dtype="DT_STRING", string_val=["한글".encode()],
//             tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])))]))
const VERSION: &str = "
    4800000000000000fe92489d09000000000000f83f1a0d627261696e2e4576656e743a32522e0a2c74656e736f72
    626f6172642e73756d6d6172792e7772697465722e6576656e745f66696c655f777269746572c9900712";
const SCALAR: &str = "
    2100000000000000017becf6090000d003bcc0da4110ac022a130a110a0a747261696e2f6c6f7373150000003f45
    dd058c";
const ZERO: &str = "
    1b000000000000001a0d9e130900000000000000402a100a0e0a076576616c2f663115000000005adee0c5";
const TEXT: &str = "
    3e00000000000000d9d240e709000000000000004010072a310a2f0a11617267732f746578745f73756d6d617279
    421008071204120208014206ed959ceab8804a080a060a0474657874fd6191e3";

// Two records of a run of Hugging Face's Trainer (transformers 5.23, PyTorch 2.15): the first one,
// and `train/loss` of 0.6930950880050659 at step 2.
const TRAINERS: [&str; 2] = [
    "4800000000000000fe92489d092815b903bcc0da411a0d627261696e2e4576656e743a32522e0a2c74656e736f72
     626f6172642e73756d6d6172792e7772697465722e6576656e745f66696c655f777269746572e353e1e6",
    "200000000000000029eda95009196fca03bcc0da4110022a130a110a0a747261696e2f6c6f737315ae6e313f375b
     0f38",
];

#[test]
fn events_are_encoded_as_tensorboard_does() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut writer = created(&folder.path().join("runs"), 1.5, "a/b", 7);
    let file = folder.path().join("runs/events.out.tfevents.0000000001.a-b.7.0");
    assert_eq!(writer.file().path(), Some(file.as_path()));
    assert_eq!(fs::read(&file)?, bytes(VERSION));
    writer.scalars(300, 1_795_354_639.25, &[("train/loss", 0.5)]);
    writer.scalars(0, 2.0, &[(tag("eval_f1"), 0.0)]);
    writer.text("args", 7, 2.0, "한글");
    written(&mut writer)?;
    assert_eq!(fs::read(&file)?, bytes(&[VERSION, SCALAR, ZERO, TEXT].concat()));
    Ok(())
}

#[test]
fn events_of_the_trainer_are_decoded() {
    let [version, scalar] = TRAINERS.map(bytes);
    assert!(record::event_in(&version).is_some_and(is_version));
    let event = record::event_in(&scalar).expect("a complete record");
    assert!(!is_version(event));
    assert!(is_after(event, &mut point(1)) && !is_after(event, &mut point(2)));
    let mut loss = Vec::new();
    put_bytes(&mut loss, 1, b"train/loss");
    put_key(&mut loss, 2, FIXED_32);
    loss.extend_from_slice(&(0.693_095_088_005_065_9_f64 as f32).to_le_bytes());
    let summary = fields(event).find_map(|field| match field {
        (5, FieldValue::Bytes(summary)) => submessages(summary, 1).next(),
        _ => None,
    });
    assert_eq!(summary, Some(&loss[..]));
}

#[test]
fn tags_equal_those_of_the_trainer() {
    let names = ["loss", "eval_loss", "eval_samples_per_second", "test_f1", "train_runtime"];
    let tags =
        ["train/loss", "eval/loss", "eval/samples_per_second", "test/f1", "train/train_runtime"];
    assert_eq!(names.map(tag), tags);
    assert_eq!([tag("evaluated"), tag("eval")], ["train/evaluated", "train/eval"]);
}

#[test]
fn existing_files_are_not_appended_to() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut first = created(folder.path(), 9.0, "", 1);
    let mut second = created(folder.path(), 9.0, "", 1);
    assert!(path(&mut first).ends_with("events.out.tfevents.0000000009.localhost.1.0"));
    assert!(path(&mut second).ends_with("events.out.tfevents.0000000009.localhost.1.1"));
    Ok(())
}

/// A file with the loss of steps 1 to 3 and, at step 3, the final tags.
fn three_steps(folder: &Path) -> io::Result<PathBuf> {
    let mut writer = created(folder, 1.0, "host", 1);
    writer.text("args", 0, 1.0, "{}");
    for step in 1..=3 {
        writer.scalars(step, 1.0, &[("train/loss", 0.5), ("eval/accuracy", 0.75)]);
    }
    writer.scalars(3, 1.0, &FINAL_TAGS.map(|tag| (tag, 1.0)));
    written(&mut writer)?;
    Ok(path(&mut writer))
}

fn point(step: u64) -> ResumePoint {
    ResumePoint { step, is_evaluated: true, log_entries: 2 }
}

#[test]
fn an_evaluation_after_the_checkpoint_is_removed() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut writer = created(folder.path(), 1.0, "host", 1);
    writer.scalars(3, 1.0, &[("train/epoch", 1.0), ("train/loss", 0.5)]);
    writer.scalars(3, 1.0, &[("train/epoch", 1.0), ("eval/loss", 0.5)]);
    written(&mut writer)?;
    assert_eq!(truncate_after(folder.path(), point(3))?, 0);
    let before_evaluation = ResumePoint { step: 3, is_evaluated: false, log_entries: 1 };
    assert_eq!(
        truncate_after(folder.path(), before_evaluation)?,
        2,
        "the evaluation and its epoch"
    );
    Ok(())
}

#[test]
fn events_up_to_the_resume_point_are_kept() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = three_steps(folder.path())?;
    let whole = fs::read(&file)?;

    assert_eq!(truncate_after(folder.path(), point(4))?, 0);
    assert_eq!(fs::read(&file)?, whole);

    assert_eq!(truncate_after(folder.path(), point(3))?, FINAL_TAGS.len());
    let without_end = fs::read(&file)?;
    assert!(whole.starts_with(&without_end) && without_end.len() < whole.len());

    assert_eq!(truncate_after(folder.path(), point(2))?, 2);
    let two_steps = fs::read(&file)?;
    assert!(without_end.starts_with(&two_steps) && two_steps.len() < without_end.len());

    assert_eq!(truncate_after(folder.path(), point(2))?, 0);
    assert_eq!(truncate_after(folder.path(), point(0))?, 4);
    assert_eq!(truncate_after(&folder.path().join("missing"), point(0))?, 0);
    Ok(())
}

#[test]
fn a_damaged_tail_is_removed() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = three_steps(folder.path())?;
    let whole = fs::read(&file)?;
    let too_long = record::encode_record(&vec![0; (16 << 20) + 1]);
    let mut flipped = bytes(SCALAR);
    flipped[20] ^= 1;
    let scalar = bytes(SCALAR);
    let tails: [&[u8]; 6] =
        [&scalar[..1], &scalar[..12], &scalar[..30], &flipped, b"garbage, garbage", &too_long];
    for tail in tails {
        fs::write(&file, [&whole[..], tail].concat())?;
        assert_eq!(truncate_after(folder.path(), point(9))?, 1);
        assert_eq!(fs::read(&file)?, whole);
    }
    // Everything after a damaged record is removed.
    let before = whole.len() - 1;
    fs::write(&file, [&whole[..before], &whole[..]].concat())?;
    assert_eq!(truncate_after(folder.path(), point(9))?, 1);
    assert!(whole.starts_with(&fs::read(&file)?));
    Ok(())
}

#[test]
fn other_files_are_not_touched() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let steps = bytes(SCALAR);
    let torn_version = bytes(VERSION)[..40].to_vec();
    let contents: [&[u8]; 4] = [b"", b"events, but not of that kind", &steps, &torn_version];
    for (i, content) in contents.into_iter().enumerate() {
        fs::write(folder.path().join(format!("{PREFIX}{i}")), content)?;
    }
    let other_name = [bytes(VERSION), steps.clone()].concat();
    fs::write(folder.path().join("notes.tfevents"), &other_name)?;
    fs::create_dir(folder.path().join(format!("{PREFIX}folder")))?;

    assert_eq!(truncate_after(folder.path(), point(1))?, 0);
    for (i, content) in contents.into_iter().enumerate() {
        assert_eq!(fs::read(folder.path().join(format!("{PREFIX}{i}")))?, content);
    }
    assert_eq!(fs::read(folder.path().join("notes.tfevents"))?, other_name);
    Ok(())
}
