//! Publishing with a failure or a kill at every change.

use super::*;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use tempfile::TempDir;

/// The files that a reader looks for, also through links, and their contents.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
        Some((name, fs::read_to_string(entry.path()).ok()?))
    });
    files.collect()
}

fn files(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const OLD_FILES: [(&str, &str); 5] = [
    ("journal", "kept"),
    ("key", "old"),
    ("only-old", "old"),
    ("stale", "old"),
    ("weights", "old"),
];
const NEW_FILES: [(&str, &str); 5] = [
    ("journal", "kept"),
    ("key", "new"),
    ("only-new", "new"),
    ("only-old", "old"),
    ("weights", "new"),
];

/// A folder with old files, and a folder with new ones in it.
struct Case {
    folder: TempDir,
    staged: PathBuf,
}

impl Case {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let staged = folder.path().join(".unfinished-x");
        fs::create_dir(&staged)?;
        for (name, text) in OLD_FILES {
            fs::write(folder.path().join(name), text)?;
        }
        for name in ["key", "only-new", "weights"] {
            fs::write(staged.join(name), "new")?;
        }
        Ok(Self { folder, staged })
    }

    fn publish(&self, before: &mut BeforeChange, in_turn: bool) -> Result<()> {
        let names: Vec<OsString> = ["key", "only-new", "weights"].map(Into::into).into();
        let publication = Publication {
            folder: self.folder.path(),
            staged: &self.staged,
            names: &names,
            stale: &["stale".into()],
            key: OsStr::new("key"),
        };
        if in_turn { publication.replace_in_turn(before) } else { publication.publish(before) }
    }

    /// Whether the new files are published; fails if the folder has a mixture.
    fn is_new(&self, when: &str) -> bool {
        let found = contents(self.folder.path());
        if found == files(&NEW_FILES) {
            return true;
        }
        assert_eq!(found, files(&OLD_FILES), "{when}");
        false
    }

    /// Whether nothing but the files is left.
    fn is_tidy(&self) -> bool {
        let entries = fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name() != ".unfinished-x").all(|entry| {
            !entry.file_name().as_encoded_bytes().starts_with(b".")
                && entry.file_type().is_ok_and(|kind| kind.is_file())
        })
    }
}

/// The number of changes of an undisturbed publication.
fn changes(in_turn: bool) -> Result<usize> {
    let (case, mut count) = (Case::new()?, 0);
    let mut counting = |_: &str| {
        count += 1;
        Ok(())
    };
    case.publish(&mut counting, in_turn)?;
    assert!(case.is_new("undisturbed") && case.is_tidy());
    Ok(count)
}

/// Publishes with a failure at the changes that `fails` selects, given the number of a change and
/// that of the first failure, for every first failure.
fn publish_with_failures(in_turn: bool, fails: impl Fn(usize, usize) -> bool) -> Result<()> {
    let total = changes(in_turn)?;
    assert!(total >= 8, "{total}");
    for failing in 0..total {
        let (case, mut count) = (Case::new()?, 0);
        let mut before = |what: &str| {
            count += 1;
            if fails(count, failing + 1) { Err(Error::other(what.to_owned())) } else { Ok(()) }
        };
        let published = case.publish(&mut before, in_turn);
        let when = format!("in turn {in_turn}, change {failing} of {total}: {published:?}");
        let is_new = case.is_new(&when);
        assert_eq!(published.is_ok(), is_new, "{when}");
        finish(case.folder.path(), &mut |_| Ok(()))?;
        assert!(case.is_tidy(), "{when}");
        assert_eq!(case.is_new(&when), is_new, "{when}");
    }
    Ok(())
}

#[test]
fn a_failure_at_any_change_leaves_the_old_files_or_the_new_ones() -> Result<()> {
    // A failure that passes is undone, or comes after the switch to the new files.
    publish_with_failures(false, |change, first| change == first)?;
    publish_with_failures(true, |change, first| change == first)
}

#[cfg(unix)]
#[test]
fn a_failure_that_lasts_leaves_files_that_can_be_read() -> Result<()> {
    publish_with_failures(false, |change, first| change >= first)
}

#[cfg(unix)]
#[test]
fn a_kill_at_any_change_leaves_the_old_files_or_the_new_ones() -> Result<()> {
    let total = changes(false)?;
    let (mut old, mut new) = (0, 0);
    for killed_at in 0..total {
        let (case, mut count) = (Case::new()?, 0);
        // Nothing is undone when a panic passes, just as after a kill.
        let killed = catch_unwind(AssertUnwindSafe(|| {
            case.publish(
                &mut |_| {
                    count += 1;
                    if count == killed_at + 1 {
                        resume_unwind(Box::new("killed"));
                    }
                    Ok(())
                },
                false,
            )
        }));
        assert!(killed.is_err());
        let when = format!("killed before change {killed_at} of {total}");
        let is_new = case.is_new(&when);
        *(if is_new { &mut new } else { &mut old }) += 1;
        finish(case.folder.path(), &mut |_| Ok(()))?;
        assert!(case.is_tidy(), "{when}");
        assert_eq!(case.is_new(&when), is_new, "{when}");
    }
    assert!(old > 3 && new > 3, "{old} {new}");
    Ok(())
}

#[test]
fn a_kill_without_links_is_undone_by_the_next_call() -> Result<()> {
    let total = changes(true)?;
    for killed_at in 0..total {
        let (case, mut count) = (Case::new()?, 0);
        let killed = catch_unwind(AssertUnwindSafe(|| {
            case.publish(
                &mut |_| {
                    count += 1;
                    if count == killed_at + 1 {
                        resume_unwind(Box::new("killed"));
                    }
                    Ok(())
                },
                true,
            )
        }));
        assert!(killed.is_err());
        finish(case.folder.path(), &mut |_| Ok(()))?;
        let mut found = contents(case.folder.path());
        let new = found.get("key").is_some_and(|key| key == "new");
        if !new {
            // A new file that replaces none may remain; no old model reads it.
            found.remove("only-new");
        }
        let expected = if new { files(&NEW_FILES) } else { files(&OLD_FILES) };
        assert_eq!(found, expected, "killed before change {killed_at} of {total}");
        assert!(case.is_tidy());
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn links_that_were_not_made_here_are_left_alone() -> Result<()> {
    let elsewhere = tempfile::tempdir()?;
    fs::write(elsewhere.path().join("key"), "elsewhere")?;
    let case = Case::new()?;
    std::os::unix::fs::symlink(elsewhere.path(), case.folder.path().join(LINK))?;
    let key = case.folder.path().join("key");
    fs::remove_file(&key)?;
    std::os::unix::fs::symlink(Path::new(LINK).join("key"), &key)?;
    finish(case.folder.path(), &mut |_| Ok(()))?;
    assert!(elsewhere.path().join("key").is_file() && fs::symlink_metadata(&key)?.is_symlink());
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_file_that_is_a_link_is_replaced_and_its_target_is_kept() -> Result<()> {
    let case = Case::new()?;
    let weights = case.folder.path().join("weights");
    fs::rename(&weights, case.folder.path().join("elsewhere"))?;
    std::os::unix::fs::symlink("elsewhere", &weights)?;
    case.publish(&mut |_| Ok(()), false)?;
    assert_eq!(fs::read_to_string(&weights)?, "new");
    assert!(!fs::symlink_metadata(&weights)?.is_symlink());
    assert_eq!(fs::read_to_string(case.folder.path().join("elsewhere"))?, "old");
    Ok(())
}
