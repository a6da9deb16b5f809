//! BERT's input: the sum of word, position and token-type embeddings.

use super::cpu::{slice, with_slice};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// Where the rows of a batch stand.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// How many tokens a row has, padding included.
    pub length: usize,
    /// The row of the table of positions that the first token takes.
    pub first_position: usize,
}

/// `words[ids] + positions[first..first + length] + types[0]`, as an encoder starts on a single
/// sentence.
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
    place: Place,
    words: &Tensor,
    positions: &Tensor,
    types: &Tensor,
) -> Result<Tensor> {
    let ids = ids.clone();
    words.apply_op3(positions, types, Embed { ids, place })
}

struct Embed {
    ids: Arc<[u32]>,
    place: Place,
}

impl Embed {
    /// The row of the table of positions that the `i`-th id of the batch takes.
    fn position(&self, i: usize) -> usize {
        self.place.first_position + i % self.place.length
    }
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
        let Place { length, first_position } = self.place;
        if length == 0 || first_position + length > longest {
            candle_core::bail!("a length of {length} for {longest} positions");
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
            let position = &positions[self.position(i) * hidden..][..hidden];
            for (j, out) in out.iter_mut().enumerate() {
                *out = word[j] + position[j] + types[j];
            }
        });
        let shape = Shape::from((self.ids.len() / length, length, hidden));
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
                add(&mut dpositions[self.position(i) * hidden..][..hidden], grad);
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
        for first_position in [0, 2] {
            let place = Place { length: 3, first_position };
            assert_agree(
                &[&words, &positions, &types],
                1e-5,
                || embed(&ids, place, &words, &positions, &types),
                || {
                    let words = words.index_select(&index, 0)?.reshape((2, 3, 6))?;
                    let sum = words.broadcast_add(&positions.narrow(0, first_position, 3)?)?;
                    sum.broadcast_add(&types.narrow(0, 0, 1)?)
                },
            )?;
        }
        Ok(())
    }

    #[test]
    fn what_lies_outside_the_tables_is_refused() -> Result<()> {
        let (words, positions) = (var(&[4, 2], 1.0, 1)?, var(&[3, 2], 1.0, 2)?);
        let types = var(&[2, 2], 1.0, 3)?;
        let is_refused = |ids: Vec<u32>, length, first_position| {
            let place = Place { length, first_position };
            embed(&ids.into(), place, &words, &positions, &types).is_err()
        };
        assert!(is_refused(vec![4], 1, 0));
        assert!(is_refused(vec![0; 4], 4, 0));
        assert!(is_refused(vec![0; 3], 3, 1));
        assert!(!is_refused(vec![0; 3], 3, 0));
        Ok(())
    }
}
