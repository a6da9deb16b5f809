//! Decides whether steps are launched as CUDA graphs: by comparison with single launches on the device
//! itself.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::device::CudaBackend;
use super::driver::{Driver, arguments};
use super::memory::{Act, DeviceBuffer};
use super::product_check::values;
use super::shapes;
use crate::core::ops::Dropout;
use crate::core::ops::adamw::AdamWSettings;
use crate::core::ops::backend::{
    Device, DropRows, EmbeddingTables, LinearBackwardWeight, LinearForward, LinearLayout,
    LinearOps, ParameterLayout, RelativeOps, Update,
};
use candle_core::{Error, Result, Tensor};

/// The linear layer of the check.
const LAYER: LinearLayout = LinearLayout { weight: 0, bias: 32 * 32, inputs: 32, outputs: 32 };

/// The numbers of rows of the steps, whose products have one size. The first is the largest, so that later
/// ones allocate nothing, but where the history of updates grows.
const ROWS: [usize; 10] = [100, 72, 65, 70, 68, 72, 71, 69, 100, 66];

impl<D: Driver> CudaBackend<D> {
    /// Launches what training steps add to the queue as CUDA graphs from now on, where the driver can, if
    /// the results of a few small steps are the same, bit for bit, as those of single launches. Otherwise
    /// single launches stay, and the text says why.
    ///
    /// # Errors
    /// If the device fails, so that nothing more can be computed.
    pub fn check_graphs(&mut self) -> Result<Option<String>> {
        self.context.pad_rows(true);
        let expected = self.solve_steps()?;
        self.context.enable_graphs(true);
        let before = self.context.graph_launches();
        let found = self.solve_steps();
        let has_launched = self.context.graph_launches() > before;
        let warning = self.context.take_warning();
        let reason = match (found, warning) {
            (_, Some(warning)) => warning,
            (Ok(found), None) if found != expected => {
                "CUDA graphs give other results than single launches on this GPU, so kernels are launched \
                 one by one; please report this"
                    .to_owned()
            }
            (Ok(_), None) if has_launched => return Ok(None),
            (found, None) => {
                let error = found.err().map_or("none was launched".to_owned(), |error| error.to_string());
                format!(
                    "CUDA graphs do not run on this GPU ({error}), so kernels are launched one by one; \
                     please report this"
                )
            }
        };
        self.context.enable_graphs(false);
        self.context.pad_rows(false);
        self.driver().synchronize().map_err(|error| {
            Error::msg(format!(
                "CUDA graphs fail on this GPU ({error}): set CUDA_LAUNCH_BLOCKING=1, which turns them off, \
                 and please report this"
            ))
        })?;
        Ok(Some(reason))
    }

    /// The bits of the parameters after a few steps with other numbers of rows, keys of dropout and
    /// learning rates, and of the norms of the gradients.
    fn solve_steps(&self) -> Result<Vec<u32>> {
        let tables = EmbeddingTables::empty(LAYER.inputs);
        let len = LAYER.bias + LAYER.outputs;
        let layout = ParameterLayout { len, tables, decayed: Vec::new(), rates: Vec::new() };
        let flat = Tensor::from_vec(values(len, 1), len, &candle_core::Device::Cpu)?;
        let settings =
            AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
        let mut parameters = self.parameters(&layout, &flat)?;
        let mut gradients = self.gradients(&layout)?;
        let mut optimizer = self.optimizer(&layout, settings)?;
        let mut sent = DeviceBuffer::<D, f32>::default();
        let (mut x, mut out) = (DeviceBuffer::<D, Act>::default(), DeviceBuffer::default());
        let mut grad = DeviceBuffer::default();
        let mut bits = Vec::new();
        for (number, rows) in ROWS.into_iter().enumerate() {
            let n = rows * LAYER.inputs;
            sent.resize(&self.context, n)?;
            sent.upload(&values(n, number + 2))?;
            self.begin_step(&[], &mut parameters, &mut gradients, &mut optimizer)?;
            x.resize_rows(&self.context, rows, LAYER.inputs)?;
            let arguments = arguments![sent.all(), x.all_mut(), n as u64];
            // SAFETY: both have `n` elements.
            unsafe { self.context.launch("to_activations", shapes::elements(n), arguments)? };
            let (layer, biased) = (&LAYER, true);
            self.linear(LinearForward {
                parameters: &parameters,
                layer,
                biased,
                rows,
                x: &x,
                out: &mut out,
            })?;
            self.drop_rows(DropRows {
                dropout: Dropout::new(0.2, 0x1234_5678_9abc_def0 ^ number as u64),
                rows,
                width: LAYER.outputs,
                accumulate: false,
                x: &out,
                out: &mut grad,
            })?;
            self.linear_backward_weight(LinearBackwardWeight {
                layer,
                biased,
                again: false,
                rows,
                x: &x,
                grad: &grad,
                gradients: &mut gradients,
            })?;
            let update = Update { learning_rate: 1e-2 / (number + 1) as f64, max_grad_norm: 1.0 };
            self.end_step(update, &mut parameters, &mut gradients, &mut optimizer)?;
            if let Some(metrics) = self.ready_metrics(&mut gradients)? {
                bits.push((metrics.grad_norm as f32).to_bits());
            }
        }
        bits.push((self.step_metrics(&mut gradients)?.grad_norm as f32).to_bits());
        self.flush(&mut parameters, &mut optimizer)?;
        self.store(&parameters, &flat)?;
        bits.extend(flat.to_vec1::<f32>()?.into_iter().map(f32::to_bits));
        Ok(bits)
    }
}

#[cfg(test)]
#[cfg(unix)]
#[path = "graph_check_tests.rs"]
mod tests;
