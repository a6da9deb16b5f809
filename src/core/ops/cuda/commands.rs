//! Work for a device's queue as a list: the calls of a driver that a graph can capture.

#![expect(unsafe_code, reason = "the driver takes addresses")]

use super::driver::{DevicePointer, Driver, GemmCall, GemmEpilogue, KernelArgument, Launch};
use candle_core::{Result, bail};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// A call of a driver whose arguments a graph cannot change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FixedCall {
    /// A product, and what is computed along with it.
    Multiply(GemmCall, Option<GemmEpilogue>),
    /// A copy within the device.
    Copy { from: DevicePointer, to: DevicePointer, bytes: usize },
    /// Bytes that are set to zero.
    Clear { start: DevicePointer, bytes: usize },
}

/// A launch of a kernel; its arguments are in the list of all arguments.
#[derive(Clone, Debug)]
struct ListedLaunch {
    kernel: &'static str,
    grid: [u32; 3],
    block: [u32; 3],
    shared: usize,
    arguments: Range<usize>,
}

#[derive(Clone, Debug)]
enum Command {
    Launch(ListedLaunch),
    Fixed(FixedCall),
}

/// Calls of a driver in order. The memory that they use is known by its address: who keeps the list
/// keeps the memory, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commands {
    list: Vec<Command>,
    /// The arguments of all kernels.
    arguments: Vec<KernelArgument<'static>>,
}

impl Commands {
    /// The number of calls.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds a launch of a kernel.
    pub(super) fn launch(&mut self, launch: Launch<'_>) {
        let Launch { kernel, grid, block, shared, arguments } = launch;
        let start = self.arguments.len();
        self.arguments.extend(arguments.iter().map(|argument| argument.detached()));
        let arguments = start..self.arguments.len();
        self.list.push(Command::Launch(ListedLaunch { kernel, grid, block, shared, arguments }));
    }

    /// Adds another call.
    pub(super) fn call(&mut self, call: FixedCall) {
        self.list.push(Command::Fixed(call));
    }

    /// Empties the list, and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.arguments.clear();
    }

    fn launch_of<'a>(&'a self, listed: &ListedLaunch) -> Launch<'a> {
        let ListedLaunch { kernel, grid, block, shared, .. } = *listed;
        let arguments = &self.arguments[listed.arguments.clone()];
        Launch { kernel, grid, block, shared, arguments }
    }

    /// The launches of kernels in order.
    pub(super) fn launches(&self) -> impl Iterator<Item = Launch<'_>> {
        self.list.iter().filter_map(|command| match command {
            Command::Launch(listed) => Some(self.launch_of(listed)),
            Command::Fixed(_) => None,
        })
    }

    /// Whether both are the same kernels in the same order, and between them the same other calls: then
    /// a graph of the one becomes a graph of the other by new arguments of kernels.
    pub(super) fn has_shape_of(&self, other: &Self) -> bool {
        let mut pairs = self.list.iter().zip(&other.list);
        self.list.len() == other.list.len()
            && pairs.all(|pair| match pair {
                (Command::Launch(one), Command::Launch(other)) => one.kernel == other.kernel,
                (Command::Fixed(one), Command::Fixed(other)) => one == other,
                _ => false,
            })
    }

    /// A hash of what [`Self::has_shape_of`] compares.
    pub(super) fn shape(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for command in &self.list {
            match command {
                Command::Launch(listed) => listed.kernel.hash(&mut hasher),
                Command::Fixed(call) => call.hash(&mut hasher),
            }
        }
        hasher.finish()
    }

    /// Makes all calls.
    ///
    /// # Errors
    /// Those of the first call that fails; the later ones are not made.
    ///
    /// # Safety
    /// Each call is as the driver requires.
    pub(super) unsafe fn submit<D: Driver>(&self, driver: &D) -> Result<()> {
        for command in &self.list {
            // SAFETY: the caller guarantees each call.
            unsafe {
                match command {
                    Command::Launch(listed) => driver.launch(self.launch_of(listed))?,
                    Command::Fixed(FixedCall::Multiply(gemm, None)) => driver.multiply(gemm)?,
                    Command::Fixed(FixedCall::Multiply(gemm, Some(epilogue))) => {
                        if !driver.multiply_with(gemm, *epilogue)? {
                            bail!("a product lost its epilogue");
                        }
                    }
                    Command::Fixed(FixedCall::Copy { from, to, bytes }) => {
                        driver.copy(*from, *to, *bytes)?;
                    }
                    Command::Fixed(FixedCall::Clear { start, bytes }) => {
                        driver.clear(*start, *bytes)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Replaces the launch of a kernel, counted among the kernels, by another of the same kernel.
    #[cfg(all(test, unix))]
    pub(super) fn replace(&mut self, index: usize, launch: Launch<'_>) -> Result<()> {
        let mut launches = self.list.iter_mut().filter_map(|command| match command {
            Command::Launch(listed) => Some(listed),
            Command::Fixed(_) => None,
        });
        let Some(listed) = launches.nth(index) else { bail!("no kernel {index}") };
        if listed.kernel != launch.kernel || listed.arguments.len() != launch.arguments.len() {
            bail!("{} in place of {}", launch.kernel, listed.kernel);
        }
        (listed.grid, listed.block, listed.shared) = (launch.grid, launch.block, launch.shared);
        let arguments = &mut self.arguments[listed.arguments.clone()];
        for (argument, new) in arguments.iter_mut().zip(launch.arguments) {
            *argument = new.detached();
        }
        Ok(())
    }
}

/// Whether two launches of one kernel are the same, bit for bit.
pub(super) fn is_same(one: Launch<'_>, other: Launch<'_>) -> bool {
    let shape = |launch: Launch<'_>| (launch.grid, launch.block, launch.shared);
    let mut pairs = one.arguments.iter().zip(other.arguments);
    shape(one) == shape(other)
        && one.arguments.len() == other.arguments.len()
        && pairs.all(|(one, other)| one.slot() == other.slot())
}
