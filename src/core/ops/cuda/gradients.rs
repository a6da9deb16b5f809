//! Gradients on a device, and the loss and predictions of a step.

#![expect(unsafe_code, reason = "kernels are launched")]

use super::driver::{Driver, arguments};
use super::memory::{DeviceBuffer, DeviceSlice, DeviceSliceMut, GpuContext, LaunchShape};
use super::metrics::{MetricsReadback, STATUS_LEN};
use super::parameters::after_token_table;
use crate::core::ops::backend::{LinearLayout, ParameterLayout};
use candle_core::{Result, bail};
use std::ops::Range;
use std::sync::Arc;

/// The elements of the step's loss.
const LOSS_LEN: usize = 3;

/// The gradients of all parameters after the token table.
pub(super) struct DenseGradients<D: Driver> {
    values: DeviceBuffer<D, f32>,
    token_table_len: usize,
    /// Whether operations add to gradients instead of overwriting them.
    pub accumulate: bool,
}

impl<D: Driver> DenseGradients<D> {
    fn range(&self, start: usize, len: usize) -> Result<Range<usize>> {
        let start = after_token_table(start, self.token_table_len)?;
        Ok(start..start + len)
    }

    /// The gradient of the `len` parameters from `start` on, which follow the token table.
    pub(super) fn at(&mut self, start: usize, len: usize) -> Result<DeviceSliceMut<'_, f32>> {
        let range = self.range(start, len)?;
        self.values.slice_mut(range)
    }

    /// The gradients of a layer's weight and of its bias.
    pub(super) fn of_layer(
        &mut self,
        layer: &LinearLayout,
    ) -> Result<(DeviceSliceMut<'_, f32>, DeviceSliceMut<'_, f32>)> {
        let weight = self.range(layer.weight, layer.weight_len())?;
        let bias = self.range(layer.bias, layer.outputs)?;
        let [weight, bias] = self.values.disjoint_mut(&[Some(weight), Some(bias)])?;
        match (weight, bias) {
            (Some(weight), Some(bias)) => Ok((weight, bias)),
            _ => bail!("the gradients of a layer are missing"),
        }
    }

    /// All these gradients.
    pub(super) fn all(&self) -> DeviceSlice<'_, f32> {
        self.values.all()
    }

    /// The memory of all these gradients.
    pub(super) fn buffer(&mut self) -> &mut DeviceBuffer<D, f32> {
        &mut self.values
    }

    /// Sets these gradients to zero.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.values.clear()
    }

    /// Where the gradients of these parameters are, which follow the token table.
    pub(super) fn range_of(&self, parameters: Range<usize>) -> Result<Range<usize>> {
        self.range(parameters.start, parameters.len())
    }

    /// The number of parameters in the token table.
    pub(super) fn token_table_len(&self) -> usize {
        self.token_table_len
    }

    /// The number of these gradients.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Sums `count` rows of partial sums, each with `width` columns per target, into the gradients
    /// of the parameters that start at the targets. At most three targets are supported.
    pub(super) fn add_partials(
        &mut self,
        context: &GpuContext<D>,
        partials: DeviceSlice<'_, f32>,
        (count, width): (usize, usize),
        targets: &[usize],
    ) -> Result<()> {
        if targets.len() > 3 || partials.len() != count * targets.len() * width {
            bail!("{count} partial sums of {width} for {} targets", targets.len());
        }
        let mut ranges = [const { None }; 3];
        for (range, &start) in ranges.iter_mut().zip(targets) {
            *range = Some(self.range(start, width)?);
        }
        let accumulate = self.accumulate;
        let [first, second, third] = self.values.disjoint_mut(&ranges)?;
        let shape = LaunchShape {
            grid: [width.div_ceil(32), targets.len(), 1],
            block: [32, 8, 1],
            shared: 0,
        };
        let arguments = arguments![partials, count, width, first, second, third, accumulate];
        // SAFETY: the partial sums are `[count, targets, width]`, as was just checked, and each
        // target has `width` elements.
        unsafe { context.launch("add_partials", shape, arguments) }
    }
}

/// The gradient of every parameter, as `f32`; of the token table only the rows of a step.
pub struct CudaGradients<D: Driver> {
    pub(super) dense: DenseGradients<D>,
    /// The width of a token row.
    pub(super) width: usize,
    /// The distinct tokens of the step, on the host and on the device.
    pub(super) tokens: Vec<u32>,
    pub(super) token_ids: DeviceBuffer<D, u32>,
    /// The gradients of their rows, `[distinct, width]`.
    pub(super) token_rows: DeviceBuffer<D, f32>,
    /// The step's loss so far, and its parts of masked and of replaced tokens.
    pub(super) loss: DeviceBuffer<D, f32>,
    /// The step's predicted classes so far.
    pub(super) predicted: DeviceBuffer<D, u32>,
    pub(super) predictions: usize,
    /// Partial sums over chunks of rows.
    pub(super) partials: DeviceBuffer<D, f32>,
    /// Partial sums of squares.
    pub(super) squares: DeviceBuffer<D, f64>,
    /// The status of the update, which `prepare_update` writes.
    pub(super) status: DeviceBuffer<D, f32>,
    pub(super) metrics: MetricsReadback<D>,
    /// The ranges of dense gradients whose sums over all ranks are being computed.
    pub(super) summing: Vec<Range<usize>>,
}

impl<D: Driver> CudaGradients<D> {
    pub(super) fn new(context: &Arc<GpuContext<D>>, layout: &ParameterLayout) -> Result<Self> {
        let token_table_len = layout.token_table_len();
        let values = DeviceBuffer::zeroed(context, layout.len - token_table_len)?;
        Ok(Self {
            dense: DenseGradients { values, token_table_len, accumulate: false },
            width: layout.tables.width,
            tokens: Vec::new(),
            token_ids: DeviceBuffer::default(),
            token_rows: DeviceBuffer::default(),
            loss: DeviceBuffer::zeroed(context, LOSS_LEN)?,
            predicted: DeviceBuffer::default(),
            predictions: 0,
            partials: DeviceBuffer::default(),
            squares: DeviceBuffer::default(),
            status: DeviceBuffer::zeroed(context, STATUS_LEN)?,
            metrics: MetricsReadback::new(context)?,
            summing: Vec::new(),
        })
    }

    /// Resets everything for a step with these distinct tokens, and uploads them.
    pub(super) fn begin(&mut self, context: &Arc<GpuContext<D>>, tokens: &[u32]) -> Result<()> {
        let vocabulary = self.dense.token_table_len.checked_div(self.width).unwrap_or(0);
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
            bail!("token id {token} is outside the vocabulary of {vocabulary}");
        }
        self.tokens.clear();
        self.tokens.extend_from_slice(tokens);
        self.summing.clear();
        self.token_ids.resize(context, tokens.len())?;
        self.token_ids.upload(tokens)?;
        self.token_rows.resize(context, tokens.len() * self.width)?;
        self.dense.accumulate = false;
        self.predictions = 0;
        self.loss.clear()
    }

    /// Queues the copy of the metrics of a step whose update is queued.
    pub(super) fn start_metrics(&mut self) -> Result<()> {
        let predicted = self.predicted.slice(0..self.predictions)?;
        self.metrics.start(self.status.all(), predicted)
    }

    /// The gradient of every parameter, with zeros in unused rows of the token table.
    pub(super) fn read(&self) -> Result<Vec<f32>> {
        let mut all = vec![0f32; self.dense.token_table_len + self.dense.len()];
        let (table, dense) = all.split_at_mut(self.dense.token_table_len);
        self.dense.values.download(dense)?;
        let rows = self.token_rows.to_host()?;
        for (&token, row) in self.tokens.iter().zip(rows.chunks_exact(self.width)) {
            table[token as usize * self.width..][..self.width].copy_from_slice(row);
        }
        Ok(all)
    }
}
