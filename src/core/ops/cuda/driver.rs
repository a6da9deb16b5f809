//! What this path needs of a card: memory, copies, kernels by name and matrix products, all in one
//! queue.

#![expect(unsafe_code, reason = "whoever calls names memory by its address")]

use candle_core::Result;

/// An address in a card's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pointer(pub u64);

impl Pointer {
    /// None: what an optional argument of a kernel is when it is left out.
    pub const NULL: Self = Self(0);

    /// The address so many bytes further on.
    #[must_use]
    pub fn offset(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// In which numbers a card computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// `f32` throughout.
    #[default]
    Full,
    /// `f32`, whose matrix products round their factors to TensorFloat-32: ten bits of mantissa.
    Tf32,
    /// Activations and their gradients, and what matrix products take, are `bf16`. Sums,
    /// statistics, parameters, their gradients and the optimizer's moments stay `f32`.
    Half,
}

impl Precision {
    /// The bytes of one number of an activation.
    pub fn activation_bytes(self) -> usize {
        match self {
            Self::Full | Self::Tf32 => 4,
            Self::Half => 2,
        }
    }
}

/// The kind of a matrix's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// As activations are: `f32`, or `bf16` in half precision.
    Activation,
    /// `f32`.
    Float,
}

/// One factor of a product, row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Where it starts; its numbers are [`Element::Activation`]s.
    pub start: Pointer,
    /// The width of its rows, as they are stored.
    pub stride: usize,
    /// Whether what is meant is its transpose.
    pub transposed: bool,
}

/// `out = a b`, or `out += a b`: `a` is `[rows, inner]` and `b` is `[inner, columns]` after the
/// transposes that they ask for; `out` is `[rows, columns]`, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// The rows of `out`.
    pub rows: usize,
    /// The columns of `out`.
    pub columns: usize,
    /// What is summed over.
    pub inner: usize,
    /// The left factor.
    pub a: Factor,
    /// The right factor.
    pub b: Factor,
    /// Where `out` starts.
    pub out: Pointer,
    /// What `out` is made of; sums are `f32` in any case.
    pub element: Element,
    /// Whether to add to what `out` holds.
    pub add: bool,
}

/// What a kernel is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// An address.
    Pointer(Pointer),
    /// C's `int`.
    Int(i32),
    /// C's `unsigned int`.
    Word(u32),
    /// C's `float`.
    Float(f32),
    /// C's `unsigned long long`.
    Long(u64),
}

impl Argument {
    /// Eight bytes that start with the argument's, as the machine stores them.
    pub fn slot(self) -> u64 {
        let mut bytes = [0; 8];
        match self {
            Self::Pointer(Pointer(value)) | Self::Long(value) => return value,
            Self::Int(value) => bytes[..4].copy_from_slice(&value.to_ne_bytes()),
            Self::Word(value) => bytes[..4].copy_from_slice(&value.to_ne_bytes()),
            Self::Float(value) => bytes[..4].copy_from_slice(&value.to_ne_bytes()),
        }
        u64::from_ne_bytes(bytes)
    }
}

impl From<Pointer> for Argument {
    fn from(value: Pointer) -> Self {
        Self::Pointer(value)
    }
}

impl From<i32> for Argument {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Argument {
    fn from(value: u32) -> Self {
        Self::Word(value)
    }
}

/// Sizes and places: C's `unsigned int`, which they are known to fit.
impl From<usize> for Argument {
    fn from(value: usize) -> Self {
        Self::Word(value as u32)
    }
}

impl From<bool> for Argument {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<u64> for Argument {
    fn from(value: u64) -> Self {
        Self::Long(value)
    }
}

/// What a kernel is told, in order: `arguments![start, width, true]`.
macro_rules! arguments {
    ($($value:expr),* $(,)?) => {
        &[$($crate::core::ops::cuda::driver::Argument::from($value)),*]
    };
}
pub(super) use arguments;

/// One run of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The kernel's name in the sources.
    pub kernel: &'static str,
    /// Blocks, along x, y and z; none of them 0.
    pub grid: [u32; 3],
    /// Threads of a block, likewise.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory of a block.
    pub shared: usize,
    /// The kernel's arguments, in order.
    pub arguments: &'a [Argument],
}

/// A card, or what stands in for one.
///
/// All work goes into one queue and is done in order. Only [`Driver::download`] and
/// [`Driver::synchronize`] wait for it; an error of earlier work may come up with any later call.
pub trait Driver: Send + Sync {
    /// In which numbers it computes.
    fn precision(&self) -> Precision;

    /// Memory, with anything in it, at an address that 256 divides.
    ///
    /// # Errors
    /// If there is no room.
    fn allocate(&self, bytes: usize) -> Result<Pointer>;

    /// Gives memory back once the work that is queued is done. Trouble is passed over: it comes
    /// up again with the next call.
    ///
    /// # Safety
    /// `start` comes from [`Driver::allocate`], and nothing uses it afterwards.
    unsafe fn free(&self, start: Pointer);

    /// Copies to the card. `from` may be changed as soon as this returns.
    ///
    /// # Errors
    /// If the card fails.
    ///
    /// # Safety
    /// `to` has room for as many bytes.
    unsafe fn upload(&self, from: &[u8], to: Pointer) -> Result<()>;

    /// Copies from the card, and waits for it.
    ///
    /// # Errors
    /// If the card fails.
    ///
    /// # Safety
    /// `from` holds as many bytes.
    unsafe fn download(&self, from: Pointer, to: &mut [u8]) -> Result<()>;

    /// Copies within the card.
    ///
    /// # Errors
    /// If the card fails.
    ///
    /// # Safety
    /// `from` holds and `to` has room for as many bytes, and they do not overlap.
    unsafe fn copy(&self, from: Pointer, to: Pointer, bytes: usize) -> Result<()>;

    /// Sets bytes to zero.
    ///
    /// # Errors
    /// If the card fails.
    ///
    /// # Safety
    /// `start` has room for as many bytes.
    unsafe fn clear(&self, start: Pointer, bytes: usize) -> Result<()>;

    /// Runs a kernel.
    ///
    /// # Errors
    /// If there is no such kernel, or the card refuses or fails.
    ///
    /// # Safety
    /// The arguments are of the number and kinds that the kernel takes, and its addresses have
    /// the room that it uses.
    unsafe fn launch(&self, launch: Launch<'_>) -> Result<()>;

    /// A matrix product.
    ///
    /// # Errors
    /// If a size does not fit an `i32`, or the card fails.
    ///
    /// # Safety
    /// The factors are there, and `out` has room and overlaps neither.
    unsafe fn multiply(&self, product: &Product) -> Result<()>;

    /// Waits for all work.
    ///
    /// # Errors
    /// If any of it failed.
    fn synchronize(&self) -> Result<()>;
}
