//! Test values for operations.

/// `n` normally distributed values with standard deviation `scale`, the same on every computer.
pub fn normal_values(n: usize, scale: f32, salt: u64) -> Vec<f32> {
    let mut generator = crate::core::data::sampling::Generator::from_entropy(&[n as u64, salt]);
    (0..n).map(|_| generator.normal() as f32 * scale).collect()
}
