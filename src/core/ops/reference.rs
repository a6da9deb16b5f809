//! The same mathematics in candle's own differentiable operations: slow and easy to trust. The
//! fused path is held against it, and `--ops plain` runs it.

use super::dropout::Dropout;
use candle_core::{D, Result, Tensor};

/// Which token each row of a padded batch is: rows are numbered as if there were no padding, so
/// that dropout is the packed batch's.
#[derive(Clone, Debug)]
pub struct Rows {
    /// `[batch]`: the number of each sequence's first token.
    pub starts: Vec<usize>,
    /// The tokens of each sequence, padding included.
    pub length: usize,
}

/// `x Wᵀ + b`; `x` is `[…, in]`, `weight` is `[out, in]`, `bias` is `[out]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.broadcast_matmul(&weight.t()?)?.broadcast_add(bias)
}

/// Layer normalisation (Ba et al., 2016) over the last dimension.
///
/// # Errors
/// If the shapes do not fit.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normal = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?;
    normal.broadcast_mul(weight)?.broadcast_add(bias)
}

/// `dropout(softmax(scale × scores))` over the keys, where row `b` of the batch sees its first
/// `lengths[b]` keys only; `scores` is `[batch, heads, queries, keys]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn attention_probabilities(
    scores: &Tensor,
    lengths: &[u32],
    scale: f64,
    dropout: Dropout,
    rows: &Rows,
) -> Result<Tensor> {
    let (batch, heads, queries, keys) = scores.dims4()?;
    let mut mask = vec![0f32; batch * keys];
    for (mask, &length) in mask.chunks_exact_mut(keys).zip(lengths) {
        mask[length as usize..].fill(f32::MIN);
    }
    let mask = Tensor::from_vec(mask, (batch, 1, 1, keys), scores.device())?;
    let scores = (scores * scale)?.broadcast_add(&mask)?;
    // A key's bias shifts all scores of a query alike, so its true gradient is zero, and what
    // rounding leaves of it AdamW would blow up: hence twice the precision.
    let scores = scores.to_dtype(candle_core::DType::F64)?;
    let p = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(candle_core::DType::F32)?;
    if dropout.is_none() {
        return Ok(p);
    }
    let mut factors = Vec::with_capacity(batch * heads * queries * keys);
    for start in &rows.starts {
        for head in 0..heads {
            for query in 0..queries {
                let pattern = dropout.row((start + query) * heads + head);
                factors.extend((0..keys).map(|key| pattern.factor(key)));
            }
        }
    }
    p * Tensor::from_vec(factors, (batch, heads, queries, keys), scores.device())?
}

/// `dropout(x)` for `[batch, length, width]`, one token a row, or `[batch, width]`, one sequence a
/// row.
///
/// # Errors
/// If the rows are others.
pub fn dropout(x: &Tensor, dropout: Dropout, rows: &Rows) -> Result<Tensor> {
    if dropout.is_none() {
        return Ok(x.clone());
    }
    let width = x.dim(D::Minus1)?;
    let numbers: Vec<usize> = if x.rank() == 3 {
        rows.starts.iter().flat_map(|&start| start..start + rows.length).collect()
    } else {
        (0..x.dim(0)?).collect()
    };
    let mut factors = Vec::with_capacity(x.elem_count());
    for number in numbers {
        let pattern = dropout.row(number);
        factors.extend((0..width).map(|column| pattern.factor(column)));
    }
    x * Tensor::from_vec(factors, x.shape(), x.device())?
}

/// `words[ids] + positions[first..first + length] + types[0]`; `ids` is `[batch × length]`.
///
/// # Errors
/// If an id lies outside the vocabulary, or the text is longer than there are positions.
pub fn embed(
    ids: &[u32],
    length: usize,
    first_position: usize,
    words: &Tensor,
    positions: &Tensor,
    types: &Tensor,
) -> Result<Tensor> {
    let (vocabulary, width) = words.dims2()?;
    let longest = positions.dim(0)?;
    if length == 0 || first_position + length > longest {
        candle_core::bail!("a length of {length} for {longest} positions");
    }
    if let Some(id) = ids.iter().find(|&&id| id as usize >= vocabulary) {
        candle_core::bail!("token id {id} in a vocabulary of {vocabulary}");
    }
    let index = Tensor::from_slice(ids, ids.len(), words.device())?;
    let words = words.index_select(&index, 0)?.reshape((ids.len() / length, length, width))?;
    let sum = words.broadcast_add(&positions.narrow(0, first_position, length)?)?;
    sum.broadcast_add(&types.narrow(0, 0, 1)?)
}

/// The mean cross-entropy of `[batch, labels]` logits, smoothed as transformers' `LabelSmoother`
/// does: `(1 - s) × loss of the label + s × mean loss of all labels`.
///
/// # Errors
/// If a label lies outside the classes.
pub fn cross_entropy(logits: &Tensor, labels: &[u32], smoothing: f64) -> Result<Tensor> {
    let log_probabilities = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    let labels = Tensor::from_slice(labels, labels.len(), logits.device())?;
    let loss = candle_nn::loss::nll(&log_probabilities, &labels)?;
    if smoothing > 0.0 {
        let uniform = (log_probabilities.mean_all()? * -smoothing)?;
        (loss * (1.0 - smoothing))? + uniform
    } else {
        Ok(loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn masked_keys_get_nothing() -> Result<()> {
        let scores = super::super::testing::normal_values(15, 50.0, 4);
        let scores = Tensor::from_vec(scores, (1, 1, 3, 5), &Device::Cpu)?;
        let rows = Rows { starts: vec![0], length: 5 };
        let p = attention_probabilities(&scores, &[2], 1.0, Dropout::NONE, &rows)?;
        for row in p.flatten_to(2)?.to_vec2::<f32>()? {
            assert_eq!(row[2..], [0.0; 3]);
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        Ok(())
    }

    #[test]
    fn smoothing_is_label_smoothers() -> Result<()> {
        // transformers' LabelSmoother(0.1) on logits [[1, 2], [0.5, -1]], labels [1, 1]:
        // log-probabilities (-1.3132617, -0.3132617) and (-0.2014133, -1.7014133).
        let logits = Tensor::new(&[[1f32, 2.], [0.5, -1.]], &Device::Cpu)?;
        let nll = 0.5 * (0.313_261_7 + 1.701_413_3);
        let uniform = (1.313_261_7 + 0.313_261_7 + 0.201_413_3 + 1.701_413_3) / 4.0;
        let expected = 0.9 * nll + 0.1 * uniform;
        let ours = cross_entropy(&logits, &[1, 1], 0.1)?.to_scalar::<f32>()?;
        assert!((f64::from(ours) - expected).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn what_lies_outside_the_tables_is_refused() -> Result<()> {
        let table = |rows| Tensor::zeros((rows, 2), candle_core::DType::F32, &Device::Cpu);
        let (words, positions, types) = (table(4)?, table(3)?, table(2)?);
        let is_refused = |ids: &[u32], length, first_position| {
            embed(ids, length, first_position, &words, &positions, &types).is_err()
        };
        assert!(is_refused(&[4], 1, 0));
        assert!(is_refused(&[0; 4], 4, 0));
        assert!(is_refused(&[0; 3], 3, 1));
        assert!(!is_refused(&[0; 3], 3, 0));
        Ok(())
    }
}
