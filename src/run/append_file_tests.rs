//! Tests of faults: files that cannot be opened or written, partial writes and removed folders.

use super::*;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A file in a folder, and a switch with which opening it fails.
fn file_in(folder: &Path) -> (AppendFile, PathBuf, Arc<AtomicBool>) {
    let path = folder.join("lines");
    let fails = Arc::new(AtomicBool::new(false));
    let (to, is_failing) = (path.clone(), fails.clone());
    let file = AppendFile::new(move || {
        if is_failing.load(Relaxed) {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok((open_to_append(&to, true)?, to.clone(), 0))
    });
    (file, path, fails)
}

/// The attempt after a failed one is due after a short time.
fn flushed(file: &mut AppendFile) -> bool {
    matches!(file.flush_now(), Flushed::All)
}

fn push(file: &mut AppendFile, line: &str) {
    file.push(line.as_bytes().to_vec());
}

#[test]
fn a_file_that_cannot_be_opened_is_opened_later() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut file, path, fails) = file_in(folder.path());
    fails.store(true, Relaxed);
    push(&mut file, "a\n");
    assert!(matches!(file.flush(), Flushed::Failed(_)));
    push(&mut file, "b\n");
    fails.store(false, Relaxed);
    assert!(flushed(&mut file));
    push(&mut file, "c\n");
    assert!(matches!(file.flush(), Flushed::All));
    assert_eq!(fs::read(&path)?, b"a\nb\nc\n");
    Ok(())
}

#[test]
fn what_could_not_be_written_follows_and_a_partial_write_is_removed() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut file, path, _) = file_in(folder.path());
    push(&mut file, "a\n");
    assert!(flushed(&mut file));
    // Writing to a file that is open for reading fails, and so does truncating it.
    let good = file.exchange_handle(File::open(&path)?);
    push(&mut file, "b\n");
    push(&mut file, "c\n");
    assert!(!flushed(&mut file) && !flushed(&mut file));
    // A part was written before the write failed.
    OpenOptions::new().append(true).open(&path)?.write_all(b"b")?;
    file.exchange_handle(good.expect("an open file"));
    assert!(flushed(&mut file));
    assert_eq!(fs::read(&path)?, b"a\nb\nc\n");
    assert_eq!(file.pending().count(), 0);
    assert!(file.has_room(MAX_PENDING));
    Ok(())
}

#[test]
fn the_rest_is_written_when_the_file_is_dropped() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut file, path, fails) = file_in(folder.path());
    fails.store(true, Relaxed);
    push(&mut file, "a\n");
    assert!(!flushed(&mut file));
    fails.store(false, Relaxed);
    drop(file);
    assert_eq!(fs::read(&path)?, b"a\n");
    Ok(())
}

#[test]
fn a_file_that_another_program_truncates_has_no_gap_of_zeros() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut file, path, _) = file_in(folder.path());
    push(&mut file, "a\nb\n");
    assert!(flushed(&mut file));
    OpenOptions::new().write(true).open(&path)?.set_len(2)?;
    let good = file.exchange_handle(File::open(&path)?);
    push(&mut file, "c\n");
    assert!(!flushed(&mut file));
    file.exchange_handle(good.expect("an open file"));
    assert!(flushed(&mut file));
    assert_eq!(fs::read(&path)?, b"a\nc\n");
    Ok(())
}

#[test]
fn memory_is_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut file, _, fails) = file_in(folder.path());
    fails.store(true, Relaxed);
    while file.has_room(1 << 20) {
        file.push(vec![b'x'; 1 << 20]);
    }
    assert_eq!(file.pending().count(), 16);
}

#[test]
fn a_removed_file_is_written_again_but_no_other_file_is_replaced() -> io::Result<()> {
    let root = tempfile::tempdir()?;
    let folder = root.path().join("run");
    fs::create_dir(&folder)?;
    let (mut file, path, _) = file_in(&folder);
    push(&mut file, "a\n");
    assert!(flushed(&mut file) && file.is_in_place());
    fs::remove_dir_all(&folder)?;
    assert!(!file.is_in_place());
    file.restore()?;
    push(&mut file, "b\n");
    assert!(flushed(&mut file) && file.is_in_place());
    assert_eq!(fs::read(&path)?, b"a\nb\n");

    let moved = root.path().join("moved");
    fs::rename(&folder, &moved)?;
    fs::create_dir(&folder)?;
    fs::write(&path, "another\n")?;
    assert!(file.restore().is_err_and(|error| error.to_string().contains("left alone")));
    push(&mut file, "c\n");
    assert!(flushed(&mut file));
    assert_eq!(fs::read(&path)?, b"another\n");
    assert_eq!(fs::read(moved.join("lines"))?, b"a\nb\nc\n", "it continues in the moved folder");
    Ok(())
}
