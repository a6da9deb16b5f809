//! Changes to a run that the user makes in the list of runs: its note and tags, the name of its
//! folder, and moving it to the trash.

use super::fingerprint::JournalFingerprint;
use super::notes::RunNotes;
use super::scan::find_runs;
use crate::core::text::display_path;
use crate::run::is_same_folder;
use crate::run::recorder::lock_output_dir;
use std::path::{Path, PathBuf};

/// The folder of deleted runs, beside them. It is hidden, so it is not searched for runs.
const TRASH: &str = ".trash";

/// A change to the run in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEdit {
    /// Replace the note; an empty one removes it.
    Note(PathBuf, String),
    /// Replace the tags, which are separated by spaces or commas; none removes them.
    Tags(PathBuf, String),
    /// Rename the folder, within the folder that contains it.
    Rename(PathBuf, String),
    /// Move the folder into the folder `.trash` beside it.
    Delete(PathBuf),
}

impl RunEdit {
    /// The folder of the run.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Note(folder, _)
            | Self::Tags(folder, _)
            | Self::Rename(folder, _)
            | Self::Delete(folder) => folder,
        }
    }

    /// Makes the change. Returns the folder of the run afterwards; `root` is the folder that was
    /// searched for runs.
    ///
    /// # Errors
    /// If a file cannot be read or written, a run in the folder is running, or the name is not
    /// possible; the error is a message for the user. Nothing is changed then.
    pub fn apply(&self, root: &Path) -> Result<PathBuf, String> {
        match self {
            Self::Note(folder, note) => {
                change_notes(folder, |notes| note.trim().clone_into(&mut notes.note))
            }
            Self::Tags(folder, text) => RunNotes::parse_tags(text)
                .and_then(|tags| change_notes(folder, |notes| notes.tags = tags)),
            Self::Rename(folder, name) => rename(folder, root, name.trim()),
            Self::Delete(folder) => delete(folder, root),
        }
    }
}

/// Changes the notes in a folder. A damaged file is not overwritten.
fn change_notes(folder: &Path, change: impl FnOnce(&mut RunNotes)) -> Result<PathBuf, String> {
    let mut notes = RunNotes::read(folder)?;
    change(&mut notes);
    notes.write(folder)?;
    Ok(folder.to_path_buf())
}

fn rename(folder: &Path, root: &Path, name: &str) -> Result<PathBuf, String> {
    let is_path = Path::new(name).components().count() != 1 || name.contains(['/', '\\']);
    if is_path || matches!(name, "." | "..") {
        return Err("a name without slashes is expected".to_owned());
    }
    if name.starts_with('.') || name.starts_with("checkpoint-") {
        let why = "folders with this name are not searched for runs";
        return Err(format!("{name}: {why}; choose a name without . or checkpoint- at its start"));
    }
    let parent = parent_of(folder, root)?;
    let target = parent.join(name);
    if target == folder {
        return Ok(target);
    }
    if target.symlink_metadata().is_ok() {
        return Err(format!("{} exists; choose another name", display_path(&target)));
    }
    move_unused(folder, &target)
}

fn delete(folder: &Path, root: &Path) -> Result<PathBuf, String> {
    let trash = parent_of(folder, root)?.join(TRASH);
    std::fs::create_dir_all(&trash)
        .map_err(|error| format!("{}: {error}", display_path(&trash)))?;
    let name = folder.file_name().unwrap_or_default();
    let numbered = (2..).map(|number: u64| {
        let mut numbered = name.to_owned();
        numbered.push(format!("-{number}"));
        trash.join(numbered)
    });
    let mut targets = std::iter::once(trash.join(name)).chain(numbered);
    let target = targets.find(|target| target.symlink_metadata().is_err());
    move_unused(folder, &target.unwrap_or_default())
}

/// The folder that contains the folder of a run. The folder that was searched stays where it is.
fn parent_of<'a>(folder: &'a Path, root: &Path) -> Result<&'a Path, String> {
    let parent = folder.parent().filter(|_| folder.file_name().is_some());
    parent.filter(|_| !is_same_folder(folder, root)).ok_or_else(|| {
        format!(
            "{}: this folder was searched for runs; start nsmc-tui runs in the folder above it",
            display_path(folder)
        )
    })
}

/// Moves a folder in which no run is running. While it is moved, none can start.
fn move_unused(folder: &Path, target: &Path) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", display_path(folder));
    let inside = find_runs(folder).map_err(failed)?;
    let is_used = |run: &&PathBuf| {
        JournalFingerprint::of(run).is_some_and(|fingerprint| fingerprint.lock.is_held())
    };
    if let Some(used) = inside.iter().find(is_used) {
        return Err(format!(
            "{}: a process is using this run; stop it or close its dashboard first",
            display_path(used)
        ));
    }
    let lock = lock_output_dir(folder).map_err(failed)?;
    std::fs::rename(folder, target).map_err(failed)?;
    drop(lock);
    Ok(target.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::run_index::read_entry;
    use crate::run::run_index::tests::write_run;

    #[test]
    fn notes_and_tags_are_changed_one_at_a_time() -> Result<(), String> {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("a");
        write_run(&folder);
        RunEdit::Note(folder.clone(), " 기준 실행 ".to_owned()).apply(root.path())?;
        RunEdit::Tags(folder.clone(), "baseline v2".to_owned()).apply(root.path())?;
        let summary = || read_entry(root.path(), &folder).expect("a run").summary.expect("a run");
        assert_eq!((summary().notes.note.as_str(), summary().notes.tags.len()), ("기준 실행", 2));
        let json = crate::core::text::to_json(&summary()).expect("json");
        assert!(json.contains(r#""note":"기준 실행","tags":["baseline","v2"]"#), "{json}");
        RunEdit::Tags(folder.clone(), String::new()).apply(root.path())?;
        assert!(RunEdit::Tags(folder.clone(), "a=b".to_owned()).apply(root.path()).is_err());
        RunEdit::Note(folder.clone(), String::new()).apply(root.path())?;
        assert_eq!(summary().notes, RunNotes::default());
        // A file that cannot be read is not overwritten.
        std::fs::write(folder.join(super::super::NOTES), "note = 3").expect("a file");
        assert!(summary().notes_problem.is_some_and(|problem| problem.contains("notes.toml:1")));
        assert!(RunEdit::Note(folder.clone(), "new".to_owned()).apply(root.path()).is_err());
        Ok(())
    }

    #[test]
    fn a_run_is_renamed_but_over_nothing_and_to_no_other_folder() -> Result<(), String> {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("group/a");
        write_run(&folder);
        write_run(&root.path().join("group/b"));
        let rename = |name: &str| RunEdit::Rename(folder.clone(), name.to_owned());
        for name in ["b", "", ".", "..", "../c", "/tmp/c", "c/d", ".c", "checkpoint-5", "c\\d"] {
            assert!(rename(name).apply(root.path()).is_err(), "{name}");
            assert!(folder.is_dir(), "{name}");
        }
        assert_eq!(rename("a").apply(root.path())?, folder);
        let renamed = rename(" 새 이름 ").apply(root.path())?;
        assert_eq!(renamed, root.path().join("group/새 이름"));
        assert!(read_entry(root.path(), &renamed).is_some() && !folder.exists());
        assert!(RunEdit::Rename(renamed.clone(), "x".to_owned()).apply(&renamed).is_err());
        Ok(())
    }

    #[test]
    fn deleted_runs_are_kept_in_the_trash() -> Result<(), String> {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("a");
        for name in [".trash/a", ".trash/a-2"] {
            write_run(&folder);
            let moved = RunEdit::Delete(folder.clone()).apply(root.path())?;
            assert_eq!(moved, root.path().join(name));
            assert!(read_entry(root.path(), &moved).is_some() && !folder.exists());
        }
        assert_eq!(find_runs(root.path()).expect("readable"), [""; 0].map(PathBuf::from));
        assert!(RunEdit::Delete(folder).apply(root.path()).is_err(), "it is gone");
        Ok(())
    }

    #[test]
    fn a_run_in_use_is_neither_renamed_nor_deleted() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("a");
        write_run(&folder);
        write_run(&folder.join("inside"));
        for used in [folder.join("inside"), folder.clone()] {
            let lock = lock_output_dir(&used).expect("a lock");
            for edit in
                [RunEdit::Delete(folder.clone()), RunEdit::Rename(folder.clone(), "b".to_owned())]
            {
                let error = edit.apply(root.path()).expect_err("in use");
                assert!(error.contains("a process is using this run"), "{error}");
                assert!(folder.is_dir());
            }
            drop(lock);
        }
        assert!(RunEdit::Delete(folder).apply(root.path()).is_ok());
    }
}
