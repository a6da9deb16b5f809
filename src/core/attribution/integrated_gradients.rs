//! Integrated gradients (Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks", 2017).
//!
//! The attribution of a token is the integral of `∂p/∂e · (e - b)` over the straight path of embeddings
//! from the baseline's, `b`, to the token's, `e`. The attributions of all tokens sum to the change of
//! the probability `p` along the path. This also holds on every part of the path, so a part whose sum
//! is off is halved: the sum check finds where the probability changes quickly.

use super::Occludable;
use crate::core::engine::path::{EmbeddingPath, PathPoint};
use crate::core::engine::{Engine, EngineResult};
use crate::core::predict::PredictError;

/// The sum check must hold within this share of the probability's change along the path …
const RELATIVE_TOLERANCE: f64 = 1e-3;

/// … or within this probability, below which the sum is rounding errors.
const ABSOLUTE_TOLERANCE: f64 = 1e-5;

/// The most points at which gradients are computed; then the rest is reported as the gap.
const MAX_POINTS: usize = 512;

/// The most tokens of all points that are computed at once, unless one point has more; and where what is
/// computed at once holds up something else.
pub(super) const MAX_ROWS: [usize; 2] = [512, 16];

/// The positive nodes of Gauss–Legendre quadrature with eight points on [-1, 1], and their weights
/// (Abramowitz & Stegun, table 25.4).
const NODES: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_47),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
];

/// The nodes and weights on [0, 1].
fn quadrature() -> impl Iterator<Item = (f64, f64)> {
    NODES.into_iter().flat_map(|(node, weight)| {
        [((1.0 - node) / 2.0, weight / 2.0), (f64::midpoint(1.0, node), weight / 2.0)]
    })
}

/// The attributions of tokens by integrated gradients.
pub(super) struct Integral {
    /// One a token.
    pub values: Vec<f64>,
    /// The probabilities of the baseline and of the text.
    pub ends: [f64; 2],
    /// By how much the sum of the attributions exceeds the probability of the text minus that of the
    /// baseline.
    pub gap: f64,
}

/// A part of the path, with the probability at its ends.
#[derive(Clone, Copy)]
struct Part {
    from: (f64, f64),
    to: (f64, f64),
}

impl Part {
    fn length(&self) -> f64 {
        self.to.0 - self.from.0
    }

    fn middle(&self) -> f64 {
        f64::midpoint(self.from.0, self.to.0)
    }

    /// The shares of its nodes, then of its middle.
    fn shares(self) -> impl Iterator<Item = f64> {
        let nodes = quadrature().map(move |(node, _)| self.from.0 + node * self.length());
        nodes.chain(std::iter::once(self.middle()))
    }

    /// The attributions on this part, from the points at its nodes.
    fn integrate(&self, points: &[PathPoint], tokens: usize) -> Vec<f64> {
        let mut values = vec![0.0; tokens];
        for (point, (_, weight)) in points.iter().zip(quadrature()) {
            for (value, slope) in values.iter_mut().zip(&point.slopes) {
                *value += weight * self.length() * slope;
            }
        }
        values
    }
}

/// The attributions of the tokens to the probability of `class`. At most `rows` tokens are computed at
/// once, unless one point has more; before each computation `continues` is asked, and `None` is returned
/// if it says no.
pub(super) fn of_tokens(
    engine: &mut dyn Engine,
    text: &Occludable,
    class: u32,
    rows: usize,
    continues: &mut dyn FnMut() -> bool,
) -> Result<Option<Integral>, PredictError> {
    let ids = text.example.ids.iter().zip(&text.is_content);
    let baseline: Vec<u32> =
        ids.map(|(&id, &is_content)| if is_content { text.replacement.id } else { id }).collect();
    let tokens = baseline.len();
    let at_once = (rows / tokens.max(1)).max(1);
    // `None` if it is no longer wanted.
    let mut points_at = |shares: &[f64]| -> EngineResult<Option<Vec<PathPoint>>> {
        let mut points = Vec::with_capacity(shares.len());
        for shares in shares.chunks(at_once) {
            if !continues() {
                return Ok(None);
            }
            let shares: Vec<f32> = shares.iter().map(|&share| share as f32).collect();
            let path =
                EmbeddingPath { text: &text.example, baseline: &baseline, class, shares: &shares };
            points.extend(engine.path_points(&path)?);
        }
        Ok(Some(points))
    };
    let known = [0.0, 0.5, 1.0];
    let Some(ends) = points_at(&known)? else { return Ok(None) };
    let at = |index: usize| (known[index], ends[index].probability);
    let change = ends[2].probability - ends[0].probability;
    let tolerance = (RELATIVE_TOLERANCE * change.abs()).max(ABSOLUTE_TOLERANCE);
    let mut pending = vec![Part { from: at(0), to: at(1) }, Part { from: at(1), to: at(2) }];
    let mut values = vec![0.0; tokens];
    let mut computed = known.len();
    while !pending.is_empty() {
        let shares: Vec<f64> = pending.iter().flat_map(|part| part.shares()).collect();
        let Some(points) = points_at(&shares)? else { return Ok(None) };
        computed += points.len();
        let per_part = points.len() / pending.len();
        let mut halves = Vec::new();
        for (part, points) in pending.iter().zip(points.chunks_exact(per_part)) {
            let Some((middle, nodes)) = points.split_last() else { continue };
            let found = part.integrate(nodes, tokens);
            let gap = found.iter().sum::<f64>() - (part.to.1 - part.from.1);
            // A gap that is not a number stays so with more points.
            if gap.abs() > tolerance * part.length() && computed < MAX_POINTS {
                let middle = (part.middle(), middle.probability);
                halves.push(Part { from: part.from, to: middle });
                halves.push(Part { from: middle, to: part.to });
            } else {
                values.iter_mut().zip(found).for_each(|(value, found)| *value += found);
            }
        }
        pending = halves;
    }
    let gap = values.iter().sum::<f64>() - change;
    Ok(Some(Integral { values, ends: [ends[0].probability, ends[2].probability], gap }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quadrature_is_exact_for_polynomials_of_degree_15() {
        for degree in 0..16 {
            let sum: f64 = quadrature().map(|(node, weight)| weight * node.powi(degree)).sum();
            assert!((sum - 1.0 / f64::from(degree + 1)).abs() < 1e-14, "{degree}: {sum}");
        }
    }
}
