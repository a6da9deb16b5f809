//! Whether two paths are one folder, or one file.

use std::path::Path;

/// Whether both paths are the same folder.
pub fn is_same_folder(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().ok()
    };
    real(one).is_some() && real(one) == real(other)
}

/// Checks that writing a file would not replace one of those that are read.
///
/// # Errors
/// If it would; the error names the file.
pub fn check_not_read<'a>(
    written: &Path,
    read: impl IntoIterator<Item = &'a Path>,
) -> anyhow::Result<()> {
    let is_same = |file: &Path| is_same_folder(written, file);
    anyhow::ensure!(
        !read.into_iter().any(is_same),
        "{}: this file is read, and would be replaced by the result; name another file to write",
        crate::core::text::display_path(written)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_read_is_not_replaced() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name);
        for name in ["rows.tsv", "other.tsv"] {
            std::fs::write(file(name), "text")?;
        }
        let rows = file("rows.tsv");
        let around = folder.path().join(".").join("rows.tsv");
        assert!(check_not_read(&around, [rows.as_path()]).is_err());
        assert!(check_not_read(&file("other.tsv"), [rows.as_path()]).is_ok());
        assert!(check_not_read(&file("new.tsv"), [rows.as_path()]).is_ok(), "it does not exist");
        Ok(())
    }
}
