//! Panics of libraries as errors: some panic on damaged files.

use crate::core::text::truncate_width;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught by [`catch_panic`].
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Calls `work`; a panic becomes its message, sanitized and shortened, and is not printed.
///
/// # Errors
/// The message of the panic.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_CAUGHT.get() {
                report(info);
            }
        }));
    });
    let outer = IS_CAUGHT.replace(true);
    // The caller discards what `work` was changing.
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(outer);
    result.map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    truncate_width(text.unwrap_or("no message"), 160)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(catch_panic(|| 3), Ok(3));
        assert_eq!(
            catch_panic(|| panic!("bad \u{1b}[2J file")),
            Err::<(), _>("bad �[2J file".into())
        );
        let nested = catch_panic(|| {
            assert!(catch_panic(|| panic!("inner")).is_err());
            assert!(IS_CAUGHT.get());
        });
        assert_eq!(nested, Ok(()));
        assert!(!IS_CAUGHT.get());
    }
}
