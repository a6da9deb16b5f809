//! Whether two paths are one folder.

use std::path::Path;

/// Whether both paths are the same folder.
pub fn is_same_folder(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().ok()
    };
    real(one).is_some() && real(one) == real(other)
}
