//! What the CPU kernels share: access to the numbers, and sums in a fixed order.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor};

/// Rows a task handles at a time; fixed, so that the split never depends on the machine.
pub(super) const ROWS_A_TASK: usize = 32;

/// Elements an elementwise task handles at a time.
pub(super) const ELEMENTS_A_TASK: usize = 1 << 14;

/// The numbers of a contiguous `f32` tensor, inside a custom operation.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("this operation needs a contiguous tensor"),
    }
}

/// Calls `f` with the numbers of a tensor, made contiguous if it is not.
pub(super) fn with_slice<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => f(slice(cpu, layout)?),
        _ => candle_core::bail!("this operation is for the CPU"),
    }
}

const LANES: usize = 16;

/// The sum of `f(i)` for `i` in `0..n`, in sixteen lanes: the compiler may use vector registers,
/// and the order of additions is still the same everywhere.
#[inline]
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

/// Adds the rows of equal length together, in order.
pub(super) fn add_in_order<T>(partials: Vec<Vec<T>>, length: usize) -> Vec<T>
where
    T: Copy + Default + std::ops::AddAssign,
{
    let mut total = vec![T::default(); length];
    for partial in partials {
        for (sum, value) in total.iter_mut().zip(partial) {
            *sum += value;
        }
    }
    total
}

/// `e^x` to about one unit in the last place, for `x <= 88`; below -87 it gives the smallest
/// normal number. A polynomial the compiler can vectorise, after the Cephes library's `expf`.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 × 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    p * f32::from_bits(((n as i32 + 127) << 23) as u32)
}

#[cfg(test)]
pub(super) mod testing {
    use candle_core::{Device, Result, Tensor, Var};

    /// Numbers that look random and are the same everywhere.
    pub fn numbers(n: usize, scale: f32, salt: u64) -> Vec<f32> {
        let mut generator = crate::data::sampling::Generator::from_entropy(&[n as u64, salt]);
        (0..n).map(|_| generator.normal() as f32 * scale).collect()
    }

    pub fn var(shape: &[usize], scale: f32, salt: u64) -> Result<Var> {
        let n = shape.iter().product();
        Var::from_tensor(&Tensor::from_vec(numbers(n, scale, salt), shape, &Device::Cpu)?)
    }

    pub fn max_difference(a: &Tensor, b: &Tensor) -> Result<f32> {
        assert_eq!(a.dims(), b.dims());
        (a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar()
    }

    /// Holds that two ways of computing agree, forward and in every gradient, under an uneven
    /// weighting of the outputs.
    pub fn assert_agree(
        variables: &[&Var],
        tolerance: f32,
        ours: impl Fn() -> Result<Tensor>,
        plain: impl Fn() -> Result<Tensor>,
    ) -> Result<()> {
        let (a, b) = (ours()?, plain()?);
        assert!(max_difference(&a, &b)? < tolerance, "forward differs");
        let n = a.elem_count();
        let weights = Tensor::from_vec(numbers(n, 1.0, 99), a.dims(), &Device::Cpu)?;
        let ours = (a * &weights)?.sum_all()?.backward()?;
        let plain = (b * &weights)?.sum_all()?.backward()?;
        for (i, var) in variables.iter().enumerate() {
            let (Some(x), Some(y)) = (ours.get(var), plain.get(var)) else {
                panic!("variable {i} has no gradient");
            };
            let size: f32 = y.abs()?.flatten_all()?.max(0)?.to_scalar()?;
            assert!(size > 0.0, "variable {i} has a zero gradient");
            let difference = max_difference(x, y)?;
            assert!(difference < tolerance * size.max(1.0), "gradient {i}: {difference}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_a_few_units() {
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
