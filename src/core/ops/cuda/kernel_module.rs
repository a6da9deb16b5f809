//! The module of compiled kernels on a GPU.

#![expect(unsafe_code, reason = "the driver is a C library")]

use super::compile;
use super::driver::Precision;
use super::properties::{DeviceProperties, driver_error};
use candle_core::{Error, Result};
use cudarc::driver::result as cuda;
use cudarc::driver::sys;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};

/// The dynamic shared memory that a block may use without a function attribute, in bytes.
const DEFAULT_SHARED: usize = 48 << 10;

/// The module of compiled kernels, and a cache of the kernels that were looked up by name.
pub(super) struct KernelModule {
    module: sys::CUmodule,
    functions: Mutex<HashMap<&'static str, Function>>,
}

#[derive(Clone, Copy)]
struct Function {
    handle: sys::CUfunction,
    /// The dynamic shared memory that it may use, in bytes.
    shared: usize,
}

impl KernelModule {
    /// Loads the kernels, from the cache if it contains them.
    pub(super) fn load(properties: &DeviceProperties, precision: Precision) -> Result<Self> {
        let load = |image: &compile::CompiledKernels| {
            // SAFETY: the image is a complete cubin, or PTX that ends with a zero.
            unsafe { cuda::module::load_data(image.bytes.as_ptr().cast()) }
        };
        let mut image = compile::kernels(properties.capability, precision, false)?;
        let mut module = load(&image);
        if module.is_err() && image.cached {
            image = compile::kernels(properties.capability, precision, true)?;
            module = load(&image);
        }
        let module = module.map_err(|error| {
            let (compiler, (major, minor)) = (&image.compiler, properties.driver);
            let rejected = format!(
                "the driver (CUDA {major}.{minor}) rejects kernels compiled by {compiler}; install \
                 a newer driver or an older NVRTC"
            );
            driver_error(&rejected, error)
        })?;
        Ok(Self { module, functions: Mutex::default() })
    }

    /// The kernel of this name, with at least this much dynamic shared memory.
    pub(super) fn function(&self, name: &'static str, shared: usize) -> Result<sys::CUfunction> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        let function = match functions.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let symbol = CString::new(name).map_err(Error::wrap)?;
                // SAFETY: the module is loaded as long as `self` exists.
                let handle = unsafe { cuda::module::get_function(self.module, symbol) };
                let handle =
                    handle.map_err(|error| driver_error(&format!("no kernel {name}"), error))?;
                unknown.insert(Function { handle, shared: DEFAULT_SHARED })
            }
        };
        if shared > function.shared {
            let attribute =
                sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let bytes = i32::try_from(shared).map_err(Error::wrap)?;
            // SAFETY: the function exists as long as the module.
            unsafe { cuda::function::set_function_attribute(function.handle, attribute, bytes) }
                .map_err(|error| {
                    driver_error(&format!("{shared} bytes of shared memory for {name}"), error)
                })?;
            function.shared = shared;
        }
        Ok(function.handle)
    }
}

impl Drop for KernelModule {
    fn drop(&mut self) {
        // SAFETY: the module was loaded and is unloaded once.
        let _ = unsafe { cuda::module::unload(self.module) };
    }
}
