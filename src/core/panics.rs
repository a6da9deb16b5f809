//! Catching panics of libraries that read untrusted files.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether panics of this thread are caught and reported by [`catch_quietly`].
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Ends the quiet section, also on unwinding.
struct QuietSection {
    was_quiet: bool,
}

impl Drop for QuietSection {
    fn drop(&mut self) {
        IS_QUIET.set(self.was_quiet);
    }
}

/// Calls `f` and catches its panic, whose message is returned instead of being printed. The caller
/// turns it into an error; what `f` has changed must not be used any more.
///
/// The first call wraps the process's panic hook; panics outside of `f` are reported as before.
///
/// # Errors
/// The panic's message.
pub fn catch_quietly<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static WRAPPED: Once = Once::new();
    WRAPPED.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                report(info);
            }
        }));
    });
    let section = QuietSection { was_quiet: IS_QUIET.replace(true) };
    let outcome = catch_unwind(AssertUnwindSafe(f));
    drop(section);
    outcome.map_err(|panic| message(panic.as_ref()))
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_ends_the_quiet_section() {
        assert_eq!(catch_quietly(|| 5), Ok(5));
        let file = "a";
        assert_eq!(catch_quietly(|| panic!("bad {file}")), Err::<(), _>("bad a".to_owned()));
        assert!(!IS_QUIET.get());
        let nested = catch_quietly(|| {
            let inner = catch_quietly(|| panic!("inner"));
            (inner, IS_QUIET.get())
        });
        assert_eq!(nested, Ok((Err::<(), _>("inner".to_owned()), true)));
    }
}
