//! The reference engine: candle's operations and automatic differentiation, and AdamW as published.
//! It is slow, but simple enough to verify by reading; the fused engine is tested against it.

mod functions;
mod modules;
mod network;
mod ranks;
mod relative;

use super::device::cpu_name;
use super::path::{EmbeddingPath, PathPoint};
use super::{
    Engine, EngineError, EngineResult, OptimizerOptions, StepInput, StepOptions, StepTimings,
};
use crate::core::collective::Collective;
use crate::core::data::batching::{BatchRole, PackedBatch};
use crate::core::model::SequenceClassifier;
use crate::core::model::layout::Parameter;
use crate::core::ops::adamw::{average_share, clip_factor};
use crate::core::ops::backend::{Moments, StepMetrics, Update};
use crate::core::ops::cpu::overwrite;
use crate::core::ops::{AdamWSettings, DropoutKey};
use candle_core::{D, Device, Result, Tensor, Var};
use functions::{cross_entropy, divergence, without_row};
use network::ReferenceNetwork;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ops::Range;
use std::sync::Arc;

/// A model computed by candle.
pub struct ReferenceEngine {
    model: SequenceClassifier,
    network: ReferenceNetwork,
    pool: ThreadPool,
    /// Whether it computes on an Apple GPU, with candle's feature `metal`.
    on_metal: bool,
    training: Option<ReferenceTraining>,
    /// The ranks that compute other parts of a step.
    collective: Option<Arc<dyn Collective>>,
}

struct ReferenceTraining {
    options: OptimizerOptions,
    /// The factors of the learning rate of ranges of parameters; 1 for the others.
    rates: Vec<(Range<usize>, f64)>,
    step: u64,
    /// The average of each parameter, if one is kept.
    average: Option<Vec<Tensor>>,
    /// AdamW's two moments and the last gradient of each parameter.
    moments: Vec<[Tensor; 3]>,
    metrics: StepMetrics,
}

/// The stack size of each thread in bytes; candle's backward pass is recursive.
const STACK: usize = 64 << 20;

impl ReferenceEngine {
    /// Creates an engine for `model` on `threads` CPU threads; 0 means one per core.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn new(model: &SequenceClassifier, threads: usize) -> Result<Self> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(STACK)
            .build()
            .map_err(candle_core::Error::wrap)?;
        let on_metal = cfg!(feature = "metal");
        let device = if on_metal { Device::new_metal(0)? } else { Device::Cpu };
        let network = ReferenceNetwork::new(model, &device)?;
        Ok(Self { model: model.clone(), network, pool, on_metal, training: None, collective: None })
    }

    fn training(&mut self) -> Result<&mut ReferenceTraining> {
        match &mut self.training {
            Some(training) => Ok(training),
            None => candle_core::bail!("training has not begun"),
        }
    }

    /// Calls `f` with the weights that the model is evaluated with: their average, if training keeps
    /// one.
    fn evaluated<R: Send>(
        &mut self,
        f: impl FnOnce(&ReferenceNetwork) -> Result<R> + Send,
    ) -> Result<R> {
        let Self { model, network, pool, training, .. } = self;
        let average = training.as_ref().and_then(|training| training.average.as_ref());
        let weights = average.map(|_| copies(model, network)).transpose()?;
        if let Some(average) = average {
            set_all(model, network, average)?;
        }
        let result = pool.install(|| f(network));
        if let Some(weights) = weights {
            set_all(model, network, &weights)?;
        }
        result
    }

    fn train_on(&mut self, input: &StepInput, options: &StepOptions) -> Result<()> {
        let Self { model, network, pool, training: Some(training), collective, .. } = self else {
            candle_core::bail!("training has not begun")
        };
        pool.install(|| {
            training.metrics = StepMetrics::default();
            let mut total: Option<Vec<Tensor>> = None;
            for (index, batch) in input.own() {
                let key = DropoutKey::new(options.seed, options.number, index);
                let share = batch.total_weight() / input.total_weight();
                let gradients =
                    training.backpropagate(model, network, batch, key, share, options)?;
                total = Some(match total {
                    None => gradients,
                    Some(total) => {
                        let pairs = total.iter().zip(&gradients);
                        pairs.map(|(a, b)| a + b).collect::<Result<_>>()?
                    }
                });
            }
            let mut total = total.unwrap_or_default();
            if let Some(collective) = collective {
                total = training.all_reduce(&total, input, &**collective)?;
            }
            training.update(model, network, &total, options.update)
        })
    }
}

/// The logits of each point of a path, and the derivatives of the probability of its class by the
/// share of each token.
fn path_slopes(
    network: &ReferenceNetwork,
    path: &EmbeddingPath<'_>,
    batch: &PackedBatch,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let ends = network.token_rows(&path.text.ids)?.detach();
    let difference = (ends - network.token_rows(path.baseline)?.detach())?.unsqueeze(0)?;
    let shares = Tensor::from_slice(path.shares, (path.shares.len(), 1, 1), difference.device())?;
    let sums = network.embedding_sums(batch)?.detach();
    let sums = Var::from_tensor(&(sums + (shares - 1.0)?.broadcast_mul(&difference)?)?)?;
    let logits = network.forward_from(sums.as_tensor(), batch)?;
    let probabilities = candle_nn::ops::softmax(&logits, D::Minus1)?;
    let class = probabilities.narrow(1, path.class as usize, 1)?.sum_all()?;
    let gradients = class.backward()?;
    let slopes = match gradients.get(&sums) {
        Some(gradient) => gradient.broadcast_mul(&difference)?.sum(D::Minus1)?,
        None => candle_core::bail!("the embeddings have no gradient"),
    };
    Ok((logits.flatten_all()?.to_vec1()?, slopes.flatten_all()?.to_vec1()?))
}

/// A copy of each parameter.
fn copies(model: &SequenceClassifier, network: &ReferenceNetwork) -> Result<Vec<Tensor>> {
    network.vars(model).map(|(_, var)| var.as_tensor().copy()).collect()
}

/// Sets each parameter.
fn set_all(
    model: &SequenceClassifier,
    network: &ReferenceNetwork,
    values: &[Tensor],
) -> Result<()> {
    network.vars(model).zip(values).try_for_each(|((_, var), value)| var.set(value))
}

impl ReferenceTraining {
    /// Runs the forward and backward pass over one batch and returns the gradient of each
    /// parameter. `share` is the factor of the batch's mean loss.
    fn backpropagate(
        &mut self,
        model: &SequenceClassifier,
        network: &ReferenceNetwork,
        batch: &PackedBatch,
        key: DropoutKey,
        share: f64,
        options: &StepOptions,
    ) -> Result<Vec<Tensor>> {
        let logits = network.forward(batch, Some(key))?;
        let mut loss = cross_entropy(&logits, batch, options.label_smoothing_factor)?;
        if batch.role == BatchRole::LabelledTwice {
            loss = (loss + (divergence(&logits, batch)? * options.rdrop_alpha)?)?;
        }
        let loss = (loss * share)?;
        if batch.role != BatchRole::PseudoLabelled {
            self.metrics.loss += f64::from(loss.to_scalar::<f32>()?);
        }
        self.metrics.predicted.extend(logits.argmax(D::Minus1)?.to_vec1::<u32>()?);
        let gradients = loss.backward()?;
        let tables = &model.layout().tables;
        let has_padding = tables.padding_token.is_some_and(|token| batch.ids.contains(&token));
        let of = |(parameter, var): (&Parameter, &Var)| {
            let Some(gradient) = gradients.get(var) else {
                return var.zeros_like();
            };
            let padding = match parameter.start {
                start if start == tables.tokens => tables.padding_token,
                start if Some(start) == tables.positions => tables.padding_position,
                _ => None,
            };
            match padding.filter(|_| has_padding) {
                Some(row) => without_row(gradient, row as usize),
                None => gradient.contiguous(),
            }
        };
        network.vars(model).map(of).collect()
    }

    fn update(
        &mut self,
        model: &SequenceClassifier,
        network: &ReferenceNetwork,
        gradients: &[Tensor],
        update: Update,
    ) -> Result<()> {
        let mut squares = 0f64;
        for gradient in gradients {
            let gradient = gradient.to_dtype(candle_core::DType::F64)?;
            squares += gradient.sqr()?.sum_all()?.to_scalar::<f64>()?;
        }
        for (moments, gradient) in self.moments.iter_mut().zip(gradients) {
            moments[2] = gradient.clone();
        }
        self.metrics.grad_norm = squares.sqrt();
        if !self.metrics.loss.is_finite() || !self.metrics.grad_norm.is_finite() {
            return Ok(());
        }
        self.step += 1;
        let scale = clip_factor(self.metrics.grad_norm, update.max_grad_norm);
        let OptimizerOptions { adamw, decay_everything, .. } = self.options;
        let AdamWSettings { beta1, beta2, epsilon, weight_decay } = adamw;
        let step = self.step as f64;
        for ((parameter, var), [mean, variance, gradient]) in
            network.vars(model).zip(&mut self.moments)
        {
            let gradient = (&*gradient * scale)?;
            *mean = ((&*mean * beta1)? + (&gradient * (1.0 - beta1))?)?;
            *variance = ((&*variance * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let unbiased = (&*mean / (1.0 - beta1.powf(step)))?;
            let deviation = ((&*variance / (1.0 - beta2.powf(step)))?.sqrt()? + epsilon)?;
            let factor = self.rates.iter().find(|(range, _)| range.contains(&parameter.start));
            let rate = update.learning_rate * factor.map_or(1.0, |(_, factor)| *factor);
            let decays = decay_everything || parameter.decays();
            let keep = if decays { 1.0 - rate * weight_decay } else { 1.0 };
            let kept = (var.as_tensor() * keep)?;
            var.set(&(kept - ((unbiased / deviation)? * rate)?)?)?;
        }
        if let Some(average) = &mut self.average {
            let share = average_share(self.options.ema_decay, self.step);
            for ((_, var), average) in network.vars(model).zip(average) {
                *average = (&*average + ((var.as_tensor() - &*average)? * share)?)?;
            }
        }
        Ok(())
    }
}

/// The concatenated values of all tensors.
fn flattened<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Result<Vec<f32>> {
    let mut all = Vec::new();
    for tensor in tensors {
        all.extend(tensor.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(all)
}

impl Engine for ReferenceEngine {
    fn logits(&mut self, batch: &PackedBatch) -> EngineResult<Vec<f32>> {
        Ok(self.evaluated(|network| network.forward(batch, None)?.flatten_all()?.to_vec1())?)
    }

    fn join(&mut self, collective: Arc<dyn Collective>) -> EngineResult<Option<String>> {
        self.collective = Some(collective);
        Ok(None)
    }

    fn path_points(&mut self, path: &EmbeddingPath<'_>) -> EngineResult<Vec<PathPoint>> {
        let batch = path.batch()?;
        let (logits, slopes) = self.evaluated(|network| path_slopes(network, path, &batch))?;
        Ok(path.points(&logits, &slopes, |_| 1.0))
    }

    fn begin_training_with(&mut self, options: &OptimizerOptions) -> EngineResult<()> {
        let zeros = |tensor: &Tensor| -> Result<[Tensor; 3]> {
            Ok([tensor.zeros_like()?, tensor.zeros_like()?, tensor.zeros_like()?])
        };
        let variables = self.network.vars(&self.model);
        let moments = variables.map(|(_, var)| zeros(var)).collect::<Result<_>>()?;
        let averages = options.ema_decay > 0.0;
        let average = averages.then(|| copies(&self.model, &self.network)).transpose()?;
        self.training = Some(ReferenceTraining {
            options: *options,
            rates: self.model.layout().layer_rates(options.layerwise_lr_decay),
            step: 0,
            average,
            moments,
            metrics: StepMetrics::default(),
        });
        Ok(())
    }

    fn step(&mut self, input: &StepInput, options: &StepOptions) -> EngineResult<()> {
        Ok(self.train_on(input, options)?)
    }

    fn step_metrics(&mut self) -> EngineResult<StepMetrics> {
        Ok(self.training()?.metrics.clone())
    }

    fn gradients(&mut self) -> EngineResult<Vec<f32>> {
        Ok(flattened(self.training()?.moments.iter().map(|[_, _, gradient]| gradient))?)
    }

    fn store(&mut self) -> EngineResult<()> {
        let average = self.training.as_ref().and_then(|training| training.average.as_ref());
        let views = self.model.parameters().iter();
        for (index, ((_, view), (_, var))) in views.zip(self.network.vars(&self.model)).enumerate()
        {
            let weights = average.map_or(var.as_tensor(), |average| &average[index]);
            overwrite(view, &weights.flatten_all()?.to_vec1::<f32>()?)?;
        }
        Ok(())
    }

    fn reload(&mut self) -> EngineResult<()> {
        let views = self.model.parameters().iter();
        for ((_, view), (_, var)) in views.zip(self.network.vars(&self.model)) {
            var.set(&view.to_device(var.device())?)?;
        }
        if let Some(average) = self.training.as_mut().and_then(|training| training.average.as_mut())
        {
            *average = copies(&self.model, &self.network)?;
        }
        Ok(())
    }

    fn moments(&mut self) -> EngineResult<Moments> {
        let averages = self.training()?.average.is_some();
        let vars = self.network.vars(&self.model).map(|(_, var)| var.as_tensor());
        let weights = averages.then(|| flattened(vars)).transpose()?;
        let training = self.training()?;
        Ok(Moments {
            steps: training.step,
            mean: flattened(training.moments.iter().map(|[mean, ..]| mean))?.into(),
            variance: flattened(training.moments.iter().map(|[_, variance, _]| variance))?.into(),
            weights,
        })
    }

    fn restore(&mut self, moments: Moments) -> EngineResult<()> {
        let count = self.model.parameters().count();
        let training = self.training()?;
        if moments.mean.len() != count || moments.variance.len() != count {
            return Err(EngineError("the optimizer state is of another model".to_owned()));
        }
        let mut start = 0;
        for [mean, variance, _] in &mut training.moments {
            let part = start..start + mean.elem_count();
            let of = |values: &[f32], like: &Tensor| {
                Tensor::from_slice(&values[part.clone()], like.shape(), like.device())
            };
            (*mean, *variance) = (of(&moments.mean, mean)?, of(&moments.variance, variance)?);
            start = part.end;
        }
        training.step = moments.steps;
        let Some(weights) = moments.weights else { return Ok(()) };
        if weights.len() != count {
            return Err(EngineError("the optimizer state is of another model".to_owned()));
        }
        for (parameter, var) in self.network.vars(&self.model) {
            let values = &weights[parameter.start..parameter.start + parameter.len()];
            var.set(&Tensor::from_slice(values, var.shape(), var.device())?)?;
        }
        Ok(())
    }

    fn measure_parts(&mut self, _: bool) {}

    fn timings(&self) -> Option<StepTimings> {
        None
    }

    fn matmul_rate(&mut self) -> EngineResult<Option<f64>> {
        Ok(None)
    }

    fn peak_memory(&self) -> Option<usize> {
        None
    }

    fn device(&self) -> String {
        let cpu = cpu_name(self.pool.current_num_threads());
        let device = if self.on_metal { "metal" } else { cpu.as_str() };
        format!("{device}, reference operations")
    }

    fn note(&self) -> Option<&str> {
        None
    }
}
