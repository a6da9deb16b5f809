//! What a user can do about a file that cannot be written, by the system's error.

use std::io::{Error, ErrorKind};

/// The advice as the beginning of a sentence.
pub fn advice(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Free some disk space",
        ErrorKind::FileTooLarge => "Raise the limit of the size of files (ulimit -f)",
        ErrorKind::NotFound => "Create the folder",
        ErrorKind::PermissionDenied => "Check its permissions",
        ErrorKind::ReadOnlyFilesystem => {
            "Make its file system writable, or pass another --output-dir"
        }
        _ if is_out_of_files(error) => "Raise the limit of open files (ulimit -n)",
        _ if is_device_error(error) => "The device fails: check it and its cables",
        _ => "Check the folder",
    }
}

/// Whether too many files are open.
fn is_out_of_files(error: &Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        [Errno::MFILE, Errno::NFILE]
            .map(Errno::raw_os_error)
            .map(Some)
            .contains(&error.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

/// Whether the device reports an error (EIO), which freeing disk space does not resolve.
fn is_device_error(error: &Error) -> bool {
    #[cfg(unix)]
    {
        error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn advice_depends_on_the_error() {
        use rustix::io::Errno;
        for (error, expected) in [
            (Errno::NOSPC, "Free some disk space"),
            (Errno::DQUOT, "Free some disk space"),
            (Errno::FBIG, "Raise the limit of the size of files (ulimit -f)"),
            (Errno::IO, "The device fails: check it and its cables"),
            (Errno::ROFS, "Make its file system writable, or pass another --output-dir"),
            (Errno::MFILE, "Raise the limit of open files (ulimit -n)"),
            (Errno::NOENT, "Create the folder"),
            (Errno::ACCESS, "Check its permissions"),
            (Errno::ISDIR, "Check the folder"),
        ] {
            assert_eq!(advice(&error.into()), expected, "{error}");
        }
    }
}
