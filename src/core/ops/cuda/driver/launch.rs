//! Launches of kernels, and their arguments.

use super::{DevicePointer, ElementType};
use std::marker::PhantomData;

/// An argument of a kernel. A pointer borrows the memory it points to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KernelArgument<'a> {
    /// A pointer.
    Pointer {
        /// The address of the first element, or null.
        start: DevicePointer,
        /// The type of the elements.
        element: ElementType,
        /// Whether the kernel may write to them.
        mutable: bool,
        /// The borrow of the memory.
        borrow: PhantomData<&'a ()>,
    },
    /// C's `int`.
    Int(i32),
    /// C's `unsigned int`.
    Word(u32),
    /// C's `float`.
    Float(f32),
    /// C's `double`.
    Double(f64),
    /// C's `unsigned long long`.
    Long(u64),
}

impl KernelArgument<'_> {
    /// The argument without its borrow: the memory that a pointer points to may be freed before it.
    pub fn detached(self) -> KernelArgument<'static> {
        match self {
            Self::Pointer { start, element, mutable, .. } => {
                KernelArgument::Pointer { start, element, mutable, borrow: PhantomData }
            }
            Self::Int(value) => KernelArgument::Int(value),
            Self::Word(value) => KernelArgument::Word(value),
            Self::Float(value) => KernelArgument::Float(value),
            Self::Double(value) => KernelArgument::Double(value),
            Self::Long(value) => KernelArgument::Long(value),
        }
    }

    /// Eight bytes that begin with the argument's bytes in native byte order.
    pub fn slot(self) -> u64 {
        let mut bytes = [0; 8];
        match self {
            Self::Pointer { start: DevicePointer(value), .. } | Self::Long(value) => return value,
            Self::Double(value) => return value.to_bits(),
            Self::Int(value) => bytes[..4].copy_from_slice(&value.to_ne_bytes()),
            Self::Word(value) => bytes[..4].copy_from_slice(&value.to_ne_bytes()),
            Self::Float(value) => bytes[..4].copy_from_slice(&value.to_ne_bytes()),
        }
        u64::from_ne_bytes(bytes)
    }
}

impl From<i32> for KernelArgument<'_> {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for KernelArgument<'_> {
    fn from(value: u32) -> Self {
        Self::Word(value)
    }
}

/// Sizes and indices: C's `unsigned int`, which they fit.
impl From<usize> for KernelArgument<'_> {
    fn from(value: usize) -> Self {
        Self::Word(value as u32)
    }
}

impl From<bool> for KernelArgument<'_> {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<f32> for KernelArgument<'_> {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<f64> for KernelArgument<'_> {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl From<u64> for KernelArgument<'_> {
    fn from(value: u64) -> Self {
        Self::Long(value)
    }
}

/// The arguments of a kernel in order: `arguments![start, width, true]`.
macro_rules! arguments {
    ($($value:expr),* $(,)?) => {
        &[$($crate::core::ops::cuda::driver::KernelArgument::from($value)),*]
    };
}
pub(in super::super) use arguments;

/// One launch of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The kernel's name in the sources.
    pub kernel: &'static str,
    /// The number of blocks along x, y and z; none of them 0.
    pub grid: [u32; 3],
    /// The number of threads of a block along x, y and z.
    pub block: [u32; 3],
    /// The dynamic shared memory of a block, in bytes.
    pub shared: usize,
    /// The kernel's arguments, in order.
    pub arguments: &'a [KernelArgument<'a>],
}
