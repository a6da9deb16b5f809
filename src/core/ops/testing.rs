//! What the tests of operations share.

/// Numbers that look random and are the same everywhere.
pub fn numbers(n: usize, scale: f32, salt: u64) -> Vec<f32> {
    let mut generator = crate::core::data::sampling::Generator::from_entropy(&[n as u64, salt]);
    (0..n).map(|_| generator.normal() as f32 * scale).collect()
}
