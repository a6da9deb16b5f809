//! BERT's input: the sum of word, position and token-type embeddings.

use super::cpu::{slice, with_slice};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// `words[ids] + positions[0..length] + types[0]`, as BERT starts on a single sentence.
///
/// `ids` is `[batch, length]` row-major; `words` is `[vocabulary, hidden]`, `positions` is
/// `[max_position, hidden]`, `types` is `[types, hidden]`; the result is
/// `[batch, length, hidden]`.
///
/// # Errors
/// If an id lies outside the vocabulary, the text is longer than there are positions, or they
/// are not CPU tensors of `f32`.
pub fn embed(
    ids: &Arc<[u32]>,
    length: usize,
    words: &Tensor,
    positions: &Tensor,
    types: &Tensor,
) -> Result<Tensor> {
    let ids = ids.clone();
    words.apply_op3(positions, types, Embed { ids, length })
}

struct Embed {
    ids: Arc<[u32]>,
    length: usize,
}

impl CustomOp3 for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn cpu_fwd(
        &self,
        words: &CpuStorage,
        words_layout: &Layout,
        positions: &CpuStorage,
        positions_layout: &Layout,
        types: &CpuStorage,
        types_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (vocabulary, hidden) = words_layout.shape().dims2()?;
        let (longest, _) = positions_layout.shape().dims2()?;
        if self.length == 0 || self.length > longest {
            candle_core::bail!("a length of {} for {longest} positions", self.length);
        }
        if let Some(id) = self.ids.iter().find(|&&id| id as usize >= vocabulary) {
            candle_core::bail!("token id {id} in a vocabulary of {vocabulary}");
        }
        let words = slice(words, words_layout)?;
        let positions = slice(positions, positions_layout)?;
        let types = slice(types, types_layout)?;
        let mut out = vec![0f32; self.ids.len() * hidden];
        out.par_chunks_mut(hidden).enumerate().for_each(|(i, out)| {
            let word = &words[self.ids[i] as usize * hidden..][..hidden];
            let position = &positions[i % self.length * hidden..][..hidden];
            for (j, out) in out.iter_mut().enumerate() {
                *out = word[j] + position[j] + types[j];
            }
        });
        let shape = Shape::from((self.ids.len() / self.length, self.length, hidden));
        Ok((CpuStorage::F32(out), shape))
    }

    fn bwd(
        &self,
        words: &Tensor,
        positions: &Tensor,
        types: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, hidden) = words.dims2()?;
        let mut dwords = vec![0f32; words.elem_count()];
        let mut dpositions = vec![0f32; positions.elem_count()];
        let mut dtypes = vec![0f32; types.elem_count()];
        let add = |sums: &mut [f32], grad: &[f32]| {
            for (sum, value) in sums.iter_mut().zip(grad) {
                *sum += value;
            }
        };
        with_slice(grad, |grad| {
            for (i, grad) in grad.chunks_exact(hidden).enumerate() {
                add(&mut dwords[self.ids[i] as usize * hidden..][..hidden], grad);
                add(&mut dpositions[i % self.length * hidden..][..hidden], grad);
                add(&mut dtypes[..hidden], grad);
            }
            Ok(())
        })?;
        let device = words.device();
        Ok((
            Some(Tensor::from_vec(dwords, words.shape(), device)?),
            Some(Tensor::from_vec(dpositions, positions.shape(), device)?),
            Some(Tensor::from_vec(dtypes, types.shape(), device)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cpu::testing::{assert_agree, var};
    use candle_core::Device;

    #[test]
    fn it_agrees_with_plain_operations() -> Result<()> {
        let (words, positions, types) =
            (var(&[20, 6], 1.0, 1)?, var(&[8, 6], 1.0, 2)?, var(&[2, 6], 1.0, 3)?);
        let ids: Arc<[u32]> = Arc::from([3, 1, 3, 19, 0, 0]);
        let index = Tensor::from_slice(&ids, 6, &Device::Cpu)?;
        assert_agree(
            &[&words, &positions, &types],
            1e-5,
            || embed(&ids, 3, &words, &positions, &types),
            || {
                let words = words.index_select(&index, 0)?.reshape((2, 3, 6))?;
                let sum = words.broadcast_add(&positions.narrow(0, 0, 3)?)?;
                sum.broadcast_add(&types.narrow(0, 0, 1)?)
            },
        )
    }

    #[test]
    fn what_lies_outside_the_tables_is_refused() -> Result<()> {
        let (words, positions) = (var(&[4, 2], 1.0, 1)?, var(&[3, 2], 1.0, 2)?);
        let types = var(&[2, 2], 1.0, 3)?;
        let try_with =
            |ids: Vec<u32>, length| embed(&ids.into(), length, &words, &positions, &types).is_err();
        assert!(try_with(vec![4], 1));
        assert!(try_with(vec![0; 4], 4));
        assert!(!try_with(vec![0; 3], 3));
        Ok(())
    }
}
