//! Tasks of a fixed size, and sums in a fixed order, for all CPU kernels.

/// Rows per task; fixed, so that the split does not depend on the number of threads.
pub(super) const ROWS_PER_TASK: usize = 32;

/// Elements per elementwise task.
pub(super) const ELEMENTS_PER_TASK: usize = 1 << 14;

/// A value that a closure consumes, so that it can be called only once.
pub(super) struct Once;

/// Computes an expression with the widest vector instructions of this processor. What it calls has to
/// be inlined, or it is compiled for every processor of the architecture.
macro_rules! vectorized {
    // The closure must be inlined into the function with the instructions. Only one that consumes a
    // value is: others are called through a function that is not inlined.
    ($work:expr) => {{
        let once = $crate::core::ops::cpu::numeric::Once;
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                let _consumed: $crate::core::ops::cpu::numeric::Once = once;
                $work
            },
        )
    }};
}
pub(super) use vectorized;

const LANES: usize = 16;

/// The sum of `f(i)` for `i` in `0..n`, in sixteen lanes: the compiler can use vector registers,
/// and the order of additions is the same on every processor.
#[inline(always)]
#[expect(clippy::inline_always, reason = "must be inlined into vectorized loops")]
pub(super) fn lane_sum(n: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let whole = n / LANES * LANES;
    let mut i = 0;
    while i < whole {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(i + lane);
        }
        i += LANES;
    }
    let mut total = 0f32;
    for sum in lanes {
        total += sum;
    }
    for i in whole..n {
        total += f(i);
    }
    total
}

/// Sums the rows of `partials`, `width` wide, in order, into `total`: the columns from `first` on.
/// With `accumulate` adds to `total` instead of overwriting it.
pub(super) fn add_in_order(
    partials: &[f32],
    width: usize,
    first: usize,
    total: &mut [f32],
    accumulate: bool,
) {
    if !accumulate {
        total.fill(0.0);
    }
    vectorized!({
        for partial in partials.chunks_exact(width) {
            for (sum, value) in total.iter_mut().zip(&partial[first..]) {
                *sum += value;
            }
        }
    });
}

/// `e^x` to about one unit in the last place, for `x <= 88`; below -87 it gives the smallest normal
/// number. A polynomial that the compiler can vectorize, after the Cephes library's `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 × 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    // The low bits of `rounded` are those of the integer, which becomes the exponent.
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_to_a_few_ulps() {
        for i in -86_000..88_000 {
            let x = i as f32 / 1000.0;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 2.5e-7, "{x}: {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn lane_sums_count_every_element() {
        for n in [0, 1, 15, 16, 17, 100] {
            assert_eq!(lane_sum(n, |i| i as f32), (n * n.saturating_sub(1) / 2) as f32);
        }
    }
}
