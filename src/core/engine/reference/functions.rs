//! The functions of an encoder in candle's differentiable operations: slow, but simple enough to
//! verify by reading.
//!
//! candle's fused kernels (`candle_nn::LayerNorm`, `softmax_last_dim`) have no backward pass and
//! silently stop gradients, so they are not used.

use crate::core::data::batching::PackedBatch;
use crate::core::ops::Dropout;
use crate::core::ops::backend::Activation;
use candle_core::{D, Result, Tensor};

/// A batch padded to one length, as candle's operations need it.
#[derive(Clone, Debug)]
pub(super) struct PaddedBatch {
    /// `[batch × length]`: the token ids, row-major.
    ids: Vec<u32>,
    /// `[batch × length]`: the types of the tokens.
    type_ids: Vec<u32>,
    /// `[batch]`: the number of tokens of each sequence, excluding padding.
    lengths: Vec<usize>,
    /// `[batch]`: the row of each sequence's first token in the packed batch.
    starts: Vec<usize>,
    /// The number of tokens of each sequence, including padding.
    length: usize,
}

impl PaddedBatch {
    pub(super) fn new(batch: &PackedBatch, pad_token_id: u32) -> Self {
        let length = batch.padded_length();
        let mut ids = Vec::with_capacity(batch.padded_tokens());
        let mut type_ids = Vec::with_capacity(batch.padded_tokens());
        for (sequence, &start) in batch.sequences().zip(&batch.starts) {
            ids.extend_from_slice(sequence);
            ids.resize(ids.len() + length - sequence.len(), pad_token_id);
            let types = batch.type_ids.iter().skip(start as usize).take(sequence.len());
            type_ids.extend(types);
            type_ids.resize(ids.len(), 0);
        }
        Self {
            ids,
            type_ids,
            lengths: batch.sequences().map(<[u32]>::len).collect(),
            starts: batch.starts[..batch.batch_size()]
                .iter()
                .map(|&start| start as usize)
                .collect(),
            length,
        }
    }

    /// The number of tokens of the longest sequence, excluding padding.
    pub(super) fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// The number of tokens of each sequence, including padding.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The row of each token in the packed batch, which determines its dropout mask; padding tokens
    /// continue the numbering.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.starts.iter().flat_map(|&start| start..start + self.length)
    }
}

/// `x Wᵀ + b`; `x` is `[…, in]`, `weight` is `[out, in]`, `bias` is `[out]`.
///
/// # Errors
/// If the shapes do not match.
pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.broadcast_matmul(&weight.t()?)?.broadcast_add(bias)
}

/// The activation function, element by element.
///
/// # Errors
/// If the device fails.
pub(super) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::Identity => Ok(x.clone()),
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
        Activation::Tanh => x.tanh(),
    }
}

/// Layer normalization (Ba et al., 2016) over the last dimension.
///
/// # Errors
/// If the shapes do not match.
pub(super) fn layer_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f64,
) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normal = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?;
    normal.broadcast_mul(weight)?.broadcast_add(bias)
}

/// `dropout(softmax(scale × scores))` over the keys, with padded keys masked; `scores` is
/// `[batch, heads, queries, keys]`.
///
/// # Errors
/// If the shapes do not match.
pub(super) fn attention_probabilities(
    scores: &Tensor,
    batch: &PaddedBatch,
    scale: f64,
    dropout: Dropout,
) -> Result<Tensor> {
    let (size, heads, queries, keys) = scores.dims4()?;
    let mut mask = vec![0f32; size * keys];
    for (mask, &length) in mask.chunks_exact_mut(keys).zip(&batch.lengths) {
        mask[length..].fill(f32::MIN);
    }
    let mask = Tensor::from_vec(mask, (size, 1, 1, keys), scores.device())?;
    let scores = (scores * scale)?.broadcast_add(&mask)?;
    // A key's bias shifts all scores of a query equally, so its true gradient is zero, and AdamW
    // would amplify the rounding error in its computed gradient. Double precision avoids this.
    let scores = scores.to_dtype(candle_core::DType::F64)?;
    let p = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(candle_core::DType::F32)?;
    if dropout.is_none() {
        return Ok(p);
    }
    let mut factors = Vec::with_capacity(size * heads * queries * keys);
    for start in &batch.starts {
        for head in 0..heads {
            for query in 0..queries {
                let pattern = dropout.row((start + query) * heads + head);
                factors.extend((0..keys).map(|key| pattern.factor(key)));
            }
        }
    }
    p * Tensor::from_vec(factors, (size, heads, queries, keys), scores.device())?
}

/// The mean of the tokens of each sequence, without padding; `x` is `[batch, length, hidden]`, the
/// result `[batch, hidden]`.
///
/// # Errors
/// If the shapes do not match.
pub(super) fn mean_of_tokens(x: &Tensor, batch: &PaddedBatch) -> Result<Tensor> {
    let (size, length, _) = x.dims3()?;
    let mut shares = vec![0f32; size * length];
    for (shares, &own) in shares.chunks_exact_mut(length).zip(&batch.lengths) {
        shares[..own].fill(1.0 / own as f32);
    }
    let shares = Tensor::from_vec(shares, (size, length, 1), x.device())?;
    x.broadcast_mul(&shares)?.sum(1)
}

/// `dropout(x)` over the last dimension of `x`; `rows` are the row numbers that determine the
/// dropout mask of each row.
///
/// # Errors
/// If the number of `rows` is not the number of rows of `x`.
pub(super) fn dropout(
    x: &Tensor,
    dropout: Dropout,
    rows: impl Iterator<Item = usize>,
) -> Result<Tensor> {
    if dropout.is_none() {
        return Ok(x.clone());
    }
    let width = x.dim(D::Minus1)?;
    let mut factors = Vec::with_capacity(x.elem_count());
    for row in rows {
        let pattern = dropout.row(row);
        factors.extend((0..width).map(|column| pattern.factor(column)));
    }
    x * Tensor::from_vec(factors, x.shape(), x.device())?
}

/// The positions of the tokens in the position table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Positions {
    /// In BERT, ELECTRA and `DistilBERT`: 0, 1, 2, ….
    Counted,
    /// In RoBERTa, whose padding token has this id: padding tokens have this position, and the
    /// others are counted from the next one on.
    CountedWithoutPadding(u32),
}

impl Positions {
    /// The position of the first token that is not padding.
    fn first(self) -> usize {
        match self {
            Self::Counted => 0,
            Self::CountedWithoutPadding(padding) => padding as usize + 1,
        }
    }

    /// `[batch × length]`: the position of each token.
    fn ids(self, batch: &PaddedBatch) -> Vec<u32> {
        let sequences = batch.ids.chunks_exact(batch.length);
        match self {
            Self::Counted => sequences.flat_map(|_| 0..batch.length as u32).collect(),
            // transformers' `create_position_ids_from_input_ids`: the cumulative sum of a mask.
            Self::CountedWithoutPadding(padding) => sequences
                .flat_map(|ids| {
                    let counted = ids.iter().scan(0, move |count, &id| {
                        let mask = u32::from(id != padding);
                        *count += mask;
                        Some(*count * mask + padding)
                    });
                    counted.collect::<Vec<_>>()
                })
                .collect(),
        }
    }
}

/// `tokens[ids] + positions[position ids] + types[type ids]`, `[batch, length, width]`; the others are
/// left out if there is no table of positions or of types.
///
/// # Errors
/// If an id is outside its table, or a sequence is longer than `max_positions`.
pub(super) fn embed(
    batch: &PaddedBatch,
    (position, max_positions): (Positions, usize),
    tokens: &Tensor,
    positions: Option<&Tensor>,
    types: Option<&Tensor>,
) -> Result<Tensor> {
    let (vocabulary, width) = tokens.dims2()?;
    let length = batch.length;
    if length == 0 || position.first() + length > max_positions {
        candle_core::bail!("a length of {length} for {max_positions} positions");
    }
    if let Some(id) = batch.ids.iter().find(|&&id| id as usize >= vocabulary) {
        candle_core::bail!("token id {id} in a vocabulary of {vocabulary}");
    }
    let kinds = types.map_or(Ok(1), |types| types.dim(0))?;
    if let Some(id) = batch.type_ids.iter().find(|&&id| id as usize >= kinds) {
        candle_core::bail!("token type {id} in a table of {kinds}");
    }
    let size = batch.lengths.len();
    let rows = |table: &Tensor, ids: &[u32]| {
        let index = Tensor::from_slice(ids, ids.len(), table.device())?;
        table.index_select(&index, 0)?.reshape((size, length, width))
    };
    let mut sum = rows(tokens, &batch.ids)?;
    if let Some(positions) = positions {
        sum = (sum + rows(positions, &position.ids(batch))?)?;
    }
    types.map_or(Ok(sum.clone()), |types| sum + rows(types, &batch.type_ids)?)
}

/// The gradient of a table, `[rows, width]`, without that of one row, as with the `padding_idx` of
/// PyTorch's `nn.Embedding`.
///
/// # Errors
/// If the table has no such row.
pub(super) fn without_row(gradient: &Tensor, row: usize) -> Result<Tensor> {
    let (rows, width) = gradient.dims2()?;
    if row >= rows {
        candle_core::bail!("row {row} of a table of {rows}");
    }
    let zeros = gradient.narrow(0, row, 1)?.zeros_like()?;
    gradient.slice_assign(&[row..row + 1, 0..width], &zeros)
}

/// The weighted mean of the cross-entropies of `[batch, labels]` logits, with label smoothing as in
/// transformers' `LabelSmoother`: `(1 - s) × loss of the label + s × mean loss of all labels`.
///
/// # Errors
/// If a label is not one of the classes.
pub(super) fn cross_entropy(
    logits: &Tensor,
    batch: &PackedBatch,
    smoothing: f64,
) -> Result<Tensor> {
    let log_probabilities = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    let labels = Tensor::from_slice(&batch.labels, batch.labels.len(), logits.device())?;
    let smoothed =
        |loss: Tensor, uniform: Tensor| (loss * (1.0 - smoothing))? + (uniform * -smoothing)?;
    if batch.weights.is_empty() {
        let loss = candle_nn::loss::nll(&log_probabilities, &labels)?;
        return if smoothing > 0.0 {
            smoothed(loss, log_probabilities.mean_all()?)
        } else {
            Ok(loss)
        };
    }
    let losses = log_probabilities.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?.neg()?;
    let losses = smoothed(losses, log_probabilities.mean(D::Minus1)?)?;
    weighted_sum(&losses, batch)? / batch.total_weight()
}

/// The sum of R-Drop's weighted divergences `KL(p‖q) + KL(q‖p)` of the probabilities of each
/// sequence and of its copy in the second half of the batch, divided by the weight of both halves.
///
/// # Errors
/// If the batch has an odd number of sequences.
pub(super) fn divergence(logits: &Tensor, batch: &PackedBatch) -> Result<Tensor> {
    let log_probabilities = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    let half = batch.labelled_examples();
    let (p, q) = (log_probabilities.narrow(0, 0, half)?, log_probabilities.narrow(0, half, half)?);
    let divergences = ((p.exp()? - q.exp()?)? * (p - q)?)?.sum(D::Minus1)?;
    weighted_sum(&divergences, batch)? / batch.total_weight()
}

/// The sum of the values of the batch's first sequences times their weights.
fn weighted_sum(values: &Tensor, batch: &PackedBatch) -> Result<Tensor> {
    let weights = (0..values.elem_count()).map(|sequence| batch.weight(sequence));
    let weights = Tensor::from_iter(weights, values.device())?;
    (values * weights)?.sum_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::data::batching::Example;
    use candle_core::Device;

    fn padded(sequences: &[&[u32]], pad_to: usize) -> PaddedBatch {
        let examples: Vec<Example> =
            sequences.iter().map(|ids| Example::new(ids.to_vec(), 0)).collect();
        PaddedBatch::new(&PackedBatch::new(&examples, pad_to), 9)
    }

    #[test]
    fn sequences_are_padded_to_the_longest_or_to_the_fixed_length() {
        let sequences = [&[2, 7, 3][..], &[2, 3]];
        let batch = padded(&sequences, 0);
        assert_eq!(batch.ids, [2, 7, 3, 2, 3, 9]);
        assert_eq!((batch.length, batch.lengths.as_slice()), (3, &[3, 2][..]));
        assert_eq!(batch.rows().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        let batch = padded(&sequences, 5);
        assert_eq!(batch.ids, [2, 7, 3, 9, 9, 2, 3, 9, 9, 9]);
        assert_eq!(batch.rows().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn masked_keys_have_probability_0() -> Result<()> {
        let scores = crate::core::ops::testing::normal_values(15, 50.0, 4);
        let scores = Tensor::from_vec(scores, (1, 1, 3, 5), &Device::Cpu)?;
        let p = attention_probabilities(&scores, &padded(&[&[2, 3]], 5), 1.0, Dropout::NONE)?;
        for row in p.flatten_to(2)?.to_vec2::<f32>()? {
            assert_eq!(row[2..], [0.0; 3]);
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        Ok(())
    }

    #[test]
    fn smoothing_equals_that_of_label_smoother() -> Result<()> {
        // transformers' LabelSmoother(0.1) on logits [[1, 2], [0.5, -1]], labels [1, 1]:
        // log-probabilities (-1.3132617, -0.3132617) and (-0.2014133, -1.7014133).
        let logits = Tensor::new(&[[1f32, 2.], [0.5, -1.]], &Device::Cpu)?;
        let nll = 0.5 * (0.313_261_7 + 1.701_413_3);
        let uniform = (1.313_261_7 + 0.313_261_7 + 0.201_413_3 + 1.701_413_3) / 4.0;
        let expected = 0.9 * nll + 0.1 * uniform;
        let batch = PackedBatch { labels: vec![1, 1], ..PackedBatch::default() };
        let ours = cross_entropy(&logits, &batch, 0.1)?.to_scalar::<f32>()?;
        assert!((f64::from(ours) - expected).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn ids_and_positions_outside_the_tables_are_errors() -> Result<()> {
        let table = |rows| Tensor::zeros((rows, 2), candle_core::DType::F32, &Device::Cpu);
        let (tokens, positions, types) = (table(10)?, table(3)?, table(2)?);
        let is_refused = |ids: &[u32], position| {
            let batch = padded(&[ids], 0);
            embed(&batch, (position, 3), &tokens, Some(&positions), Some(&types)).is_err()
        };
        assert!(is_refused(&[10], Positions::Counted));
        assert!(is_refused(&[0; 4], Positions::Counted));
        assert!(is_refused(&[0; 3], Positions::CountedWithoutPadding(0)));
        assert!(!is_refused(&[0; 3], Positions::Counted));
        let typed = |kind| PaddedBatch { type_ids: vec![0, kind], ..padded(&[&[2, 3]], 0) };
        let position = (Positions::Counted, 3);
        let embedded =
            |kind| embed(&typed(kind), position, &tokens, Some(&positions), Some(&types));
        assert!(embedded(1).is_ok() && embedded(2).is_err());
        Ok(())
    }

    #[test]
    fn padding_tokens_within_a_text_are_not_counted() {
        let batch = padded(&[&[2, 9, 7, 9, 3], &[2, 3]], 0);
        assert_eq!(Positions::Counted.ids(&batch), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
        // transformers 5.24: create_position_ids_from_input_ids(ids, padding_idx=9)
        let expected = [10, 9, 11, 9, 12, 10, 11, 9, 9, 9];
        assert_eq!(Positions::CountedWithoutPadding(9).ids(&batch), expected);
    }
}
