//! Embeddings on the straight line between those of two texts, for integrated gradients.

use super::device::Cpu;
use super::memory::resize;
use super::norm::{NormParameters, normalize, normalize_backward};
use super::numeric::{lane_sum, vectorized};
use crate::core::ops::backend::{EmbedBetween, EmbedBetweenBackward, PathOps};
use candle_core::Result;
use rayon::prelude::*;

impl PathOps for Cpu {
    fn embed_between(&self, arguments: EmbedBetween<'_, Self>) -> Result<()> {
        let EmbedBetween { parameters, norm, start, end, shares, sum, statistics, out } = arguments;
        let width = norm.width;
        let rows = start.len() / width;
        if end.len() != start.len() {
            candle_core::bail!("a path between {rows} and {} tokens", end.len() / width);
        }
        let total = shares.len() * rows;
        let (sum, out) = (resize(sum, total * width), resize(out, total * width));
        let statistics = resize(statistics, total * 2);
        parameters.read(|p| {
            let norm = NormParameters::new(p, norm);
            sum.par_chunks_exact_mut(width)
                .zip(out.par_chunks_exact_mut(width))
                .zip(statistics.par_chunks_exact_mut(2))
                .enumerate()
                .for_each(|(row, ((sum, out), statistics))| {
                    let (share, at) = (shares[row / rows], row % rows * width);
                    let (start, end) = (&start[at..][..width], &end[at..][..width]);
                    vectorized!({
                        for (sum, (start, end)) in sum.iter_mut().zip(start.iter().zip(end)) {
                            *sum = start + share * (end - start);
                        }
                        statistics.copy_from_slice(&normalize(sum, norm, out));
                    });
                });
            Ok(())
        })
    }

    fn embed_between_backward(
        &self,
        arguments: EmbedBetweenBackward<'_, Self>,
    ) -> Result<Vec<f32>> {
        let EmbedBetweenBackward { parameters, norm, start, end, sum, statistics, grad } =
            arguments;
        let width = norm.width;
        let rows = start.len() / width;
        parameters.read(|p| {
            let weight = &p[norm.weight..][..width];
            let slopes = grad
                .par_chunks_exact_mut(width)
                .zip(sum.par_chunks_exact(width))
                .zip(statistics.par_chunks_exact(2))
                .enumerate()
                .map_init(
                    // The gradients of scale and shift, which nothing reads.
                    || vec![0f32; 2 * width],
                    |unused, (row, ((grad, sum), statistics))| {
                        let (dweight, dbias) = unused.split_at_mut(width);
                        let at = row % rows * width;
                        let (start, end) = (&start[at..][..width], &end[at..][..width]);
                        vectorized!({
                            normalize_backward(sum, weight, statistics, grad, dweight, dbias);
                            lane_sum(width, |i| grad[i] * (end[i] - start[i]))
                        })
                    },
                );
            Ok(slopes.collect())
        })
    }
}
