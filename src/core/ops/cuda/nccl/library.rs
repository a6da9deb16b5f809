//! NVIDIA's NCCL, loaded at run time from where PyTorch's packages have it.
//!
//! cudarc's bindings look only for `libnccl.so`, which pip's package `nvidia-nccl` does not have, and
//! panic without it; so the few functions that are needed are declared here, as `nccl.h` does.

#![expect(unsafe_code, reason = "the library is a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file's name, with the version of its interface.
const FILE: &str = "libnccl.so.2";

/// `ncclFloat32`.
const FLOAT32: c_int = 7;

/// `ncclSum`.
const SUM: c_int = 0;

/// The oldest version with `ncclCommAbort` and asynchronous errors.
const OLDEST: c_int = 2404;

/// `ncclUniqueId`: what the ranks of a communicator have in common.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct UniqueId([u8; 128]);

impl UniqueId {
    /// The id in these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// `ncclComm_t`.
#[derive(Clone, Copy)]
pub(super) struct RawCommunicator(*mut c_void);

// SAFETY: NCCL's functions may be called from any thread, one at a time but for `ncclCommAbort`.
unsafe impl Send for RawCommunicator {}
// SAFETY: as above.
unsafe impl Sync for RawCommunicator {}

/// `ncclResult_t`.
type Status = c_int;

type GetVersion = unsafe extern "C" fn(*mut c_int) -> Status;
type ErrorString = unsafe extern "C" fn(Status) -> *const c_char;
type GetUniqueId = unsafe extern "C" fn(*mut UniqueId) -> Status;
type InitRank = unsafe extern "C" fn(*mut *mut c_void, c_int, UniqueId, c_int) -> Status;
/// From, to, number of values, their type, operation, communicator and stream.
type AllReduce = unsafe extern "C" fn(
    *const c_void,
    *mut c_void,
    usize,
    c_int,
    c_int,
    *mut c_void,
    *mut c_void,
) -> Status;
type Group = unsafe extern "C" fn() -> Status;
type AsyncError = unsafe extern "C" fn(*mut c_void, *mut Status) -> Status;
type End = unsafe extern "C" fn(*mut c_void) -> Status;

/// The functions of the library, which stays loaded.
pub struct Library {
    error_string: ErrorString,
    unique_id: GetUniqueId,
    init_rank: InitRank,
    all_reduce: AllReduce,
    group_start: Group,
    group_end: Group,
    async_error: AsyncError,
    destroy: End,
    abort: End,
}

impl Library {
    /// Loads the library from the folders of `LD_LIBRARY_PATH` and of the system, or from a package of
    /// Python beside the other libraries of NVIDIA.
    ///
    /// # Errors
    /// If it is not found, or too old; the message says where it was looked for.
    pub fn find() -> Result<Arc<Self>, String> {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let mut tried = Self::open(Path::new(FILE));
        for path in in_packages(variable) {
            if tried.is_ok() {
                break;
            }
            if path.is_file() {
                tried = Self::open(&path);
            }
        }
        tried.map_err(|error| {
            format!(
                "NCCL ({FILE}) cannot be loaded ({error}): install pip's nvidia-nccl-cu12 or -cu13, \
                 and add the folder of the library to LD_LIBRARY_PATH"
            )
        })
    }

    /// Loads the library of this path, or of this name where the system looks for libraries.
    ///
    /// # Errors
    /// If it cannot be loaded, lacks a function or is too old.
    pub fn open(path: &Path) -> Result<Arc<Self>, String> {
        let handle = load(path)?;
        macro_rules! function {
            ($name:literal, $type:ty) => {{
                let address = address(handle, $name)?;
                // SAFETY: `nccl.h` declares the function of this name with this type.
                unsafe { std::mem::transmute::<*mut c_void, $type>(address) }
            }};
        }
        let get_version = function!(c"ncclGetVersion", GetVersion);
        let mut version = 0;
        // SAFETY: writes one `int`.
        unsafe { get_version(&raw mut version) };
        if version < OLDEST {
            return Err(format!("its version {version} is too old"));
        }
        Ok(Arc::new(Self {
            error_string: function!(c"ncclGetErrorString", ErrorString),
            unique_id: function!(c"ncclGetUniqueId", GetUniqueId),
            init_rank: function!(c"ncclCommInitRank", InitRank),
            all_reduce: function!(c"ncclAllReduce", AllReduce),
            group_start: function!(c"ncclGroupStart", Group),
            group_end: function!(c"ncclGroupEnd", Group),
            async_error: function!(c"ncclCommGetAsyncError", AsyncError),
            destroy: function!(c"ncclCommDestroy", End),
            abort: function!(c"ncclCommAbort", End),
        }))
    }

    fn checked(&self, status: Status) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: returns a constant text for any status.
        let text = unsafe { (self.error_string)(status) };
        if text.is_null() {
            return Err(format!("NCCL's error {status}"));
        }
        // SAFETY: the text is a C string that stays.
        let text = unsafe { CStr::from_ptr(text) };
        Err(format!("NCCL: {}", text.to_string_lossy()))
    }

    /// A new id, for rank 0.
    pub(in super::super) fn unique_id(&self) -> Result<UniqueId, String> {
        let mut id = UniqueId([0; 128]);
        // SAFETY: writes the 128 bytes of the id.
        self.checked(unsafe { (self.unique_id)(&raw mut id) })?;
        Ok(id)
    }

    /// Joins the other ranks, for the GPU that is current in this thread. It waits for them.
    pub(super) fn join(
        &self,
        id: UniqueId,
        rank: usize,
        world_size: usize,
    ) -> Result<RawCommunicator, String> {
        let int = |value: usize| c_int::try_from(value).map_err(|error| error.to_string());
        let mut communicator = std::ptr::null_mut();
        let (rank, world_size) = (int(rank)?, int(world_size)?);
        // SAFETY: writes one pointer.
        let status = unsafe { (self.init_rank)(&raw mut communicator, world_size, id, rank) };
        self.checked(status)?;
        Ok(RawCommunicator(communicator))
    }

    /// Queues sums over all ranks of these values, each an address and a number of `f32`, in a stream.
    ///
    /// # Safety
    /// The communicator exists, the addresses have as many values in the memory of its GPU, and the
    /// stream is one of this GPU. Nothing else uses the values until the stream is done.
    pub(super) unsafe fn all_reduce(
        &self,
        communicator: RawCommunicator,
        values: &[(u64, usize)],
        stream: *mut c_void,
    ) -> Result<(), String> {
        // SAFETY: has no conditions.
        self.checked(unsafe { (self.group_start)() })?;
        let queued =
            values.iter().filter(|(_, count)| *count > 0).try_for_each(|&(start, count)| {
                let start = start as *mut c_void;
                // SAFETY: the caller guarantees the memory, the communicator and the stream.
                let status = unsafe {
                    (self.all_reduce)(start, start, count, FLOAT32, SUM, communicator.0, stream)
                };
                self.checked(status)
            });
        // A group is ended also after an error.
        // SAFETY: a group was started in this thread.
        let ended = self.checked(unsafe { (self.group_end)() });
        queued.and(ended)
    }

    /// The error of an operation that was queued, if there is one.
    ///
    /// # Safety
    /// The communicator exists.
    pub(super) unsafe fn async_error(&self, communicator: RawCommunicator) -> Result<(), String> {
        let mut status = 0;
        // SAFETY: writes one `int`; the caller guarantees the communicator.
        self.checked(unsafe { (self.async_error)(communicator.0, &raw mut status) })?;
        self.checked(status)
    }

    /// Ends a communicator whose operations are done.
    ///
    /// # Safety
    /// The communicator exists, and is not used again.
    pub(super) unsafe fn destroy(&self, communicator: RawCommunicator) {
        // SAFETY: the caller guarantees it. An error cannot be handled here.
        let _ = unsafe { (self.destroy)(communicator.0) };
    }

    /// Ends a communicator, and its operations without their results.
    ///
    /// # Safety
    /// The communicator exists, and is not used again.
    pub(super) unsafe fn abort(&self, communicator: RawCommunicator) {
        // SAFETY: the caller guarantees it. An error cannot be handled here.
        let _ = unsafe { (self.abort)(communicator.0) };
    }
}

/// Where packages of Python may have the library: beside the libraries of NVIDIA in `LD_LIBRARY_PATH`,
/// in the environment that is active, and in the user's own packages.
fn in_packages(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let of_nvidia = |nvidia: &Path| nvidia.join("nccl/lib").join(FILE);
    let mut paths = Vec::new();
    if let Some(folders) = variable("LD_LIBRARY_PATH") {
        for folder in std::env::split_paths(&folders) {
            // Such as `site-packages/nvidia/cublas/lib`, or `site-packages/nvidia/cu13/lib`.
            let parent = folder.ancestors().nth(2);
            paths.extend(parent.filter(|parent| parent.ends_with("nvidia")).map(of_nvidia));
        }
    }
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"].map(&variable).into_iter().flatten();
    let own = variable("HOME").map(|home| home.join(".local"));
    for folder in environments.chain(own) {
        let Ok(versions) = std::fs::read_dir(folder.join("lib")) else { continue };
        let versions = versions.flatten().map(|entry| entry.path());
        let mut versions: Vec<PathBuf> = versions
            .filter(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"))
            })
            .collect();
        versions.sort();
        paths.extend(versions.iter().map(|path| of_nvidia(&path.join("site-packages/nvidia"))));
    }
    paths
}

#[cfg(unix)]
mod system {
    use super::{CStr, c_char, c_int, c_void};

    /// All symbols are looked up at once, in Linux and macOS.
    pub(super) const RTLD_NOW: c_int = 2;

    // The functions of POSIX that the standard library links.
    unsafe extern "C" {
        pub(super) fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
        pub(super) fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
        fn dlerror() -> *const c_char;
    }

    /// Why the last of these functions failed in this thread.
    pub(super) fn error() -> String {
        // SAFETY: returns null or a C string that stays until the next of these functions is called.
        let text = unsafe { dlerror() };
        if text.is_null() {
            return "unknown error".to_owned();
        }
        // SAFETY: as above.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

/// Loads a library, which is never unloaded.
#[cfg(unix)]
fn load(path: &Path) -> Result<*mut c_void, String> {
    use std::os::unix::ffi::OsStrExt as _;
    let file = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: loads a library of NVIDIA's, whose initialization is sound; the name is a C string.
    let handle = unsafe { system::dlopen(file.as_ptr(), system::RTLD_NOW) };
    if handle.is_null() { Err(system::error()) } else { Ok(handle) }
}

#[cfg(not(unix))]
fn load(_: &Path) -> Result<*mut c_void, String> {
    Err("there is no NCCL for this system".to_owned())
}

/// The address of a function.
#[cfg(unix)]
fn address(library: *mut c_void, name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the library is loaded; the name is a C string.
    let address = unsafe { system::dlsym(library, name.as_ptr()) };
    if address.is_null() { Err(system::error()) } else { Ok(address) }
}

#[cfg(not(unix))]
fn address(_: *mut c_void, _: &CStr) -> Result<*mut c_void, String> {
    Err("there is no NCCL for this system".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_searched_beside_other_libraries_and_in_environments() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let environment = folder.path().join("env");
        for name in ["lib/python3.12", "lib/other", "lib/python3.14"] {
            std::fs::create_dir_all(environment.join(name))?;
        }
        let found = in_packages(|name| match name {
            "LD_LIBRARY_PATH" => Some("/usr/lib:/p/nvidia/cublas/lib:/p/cuda/lib".into()),
            "VIRTUAL_ENV" => Some(environment.clone()),
            _ => None,
        });
        let of_version = |version: &str| {
            environment.join(format!("lib/{version}/site-packages/nvidia/nccl/lib/libnccl.so.2"))
        };
        let beside = PathBuf::from("/p/nvidia/nccl/lib/libnccl.so.2");
        assert_eq!(found, [beside, of_version("python3.12"), of_version("python3.14")]);
        Ok(())
    }

    #[test]
    fn what_is_no_library_is_refused_with_the_reason() {
        let missing = Library::open(Path::new("/nowhere/libnccl.so.2")).err().unwrap_or_default();
        assert!(missing.contains("/nowhere/libnccl.so.2"), "{missing}");
    }
}
