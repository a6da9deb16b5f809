//! Integrated gradients, which are computed on the CPU alone.

use super::CudaBackend;
use super::driver::Driver;
use crate::core::ops::backend::PathOps;

impl<D: Driver> PathOps for CudaBackend<D> {}
