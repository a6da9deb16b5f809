//! The emulation is strict.

#![expect(unsafe_code, reason = "the driver takes addresses")]

use super::*;
use crate::core::ops::cuda::driver::{ElementType, arguments};

#[test]
fn wrong_arguments_and_writes_are_detected() -> Result<()> {
    let driver = Emulated::new(Precision::Full);
    let start = driver.allocate(4 * 10)?;
    let pointer = |element, mutable| KernelArgument::Pointer {
        start,
        element,
        mutable,
        borrow: std::marker::PhantomData,
    };
    let floats = pointer(ElementType::Float, true);
    let fill = |arguments: &[KernelArgument<'_>]| {
        let (grid, block) = ([1, 1, 1], [256, 1, 1]);
        // SAFETY: one element too many is within the guard bytes.
        unsafe { driver.launch(Launch { kernel: "fill", grid, block, shared: 0, arguments }) }
    };
    fill(arguments![floats, 10u64, 1f32])?;
    let words = pointer(ElementType::Word, true);
    assert!(fill(arguments![words, 10u64, 1f32]).is_err(), "wrong element type");
    let shared = pointer(ElementType::Float, false);
    assert!(fill(arguments![shared, 10u64, 1f32]).is_err(), "not mutable");
    assert!(fill(arguments![floats, 10u32, 1f32]).is_err(), "wrong argument type");
    assert!(fill(arguments![floats, 10u64]).is_err(), "too few arguments");
    assert!(fill(arguments![floats, 11u64, 1f32]).is_err(), "past the end");
    // SAFETY: it was allocated above.
    unsafe { driver.free(start) };
    Ok(())
}
