//! Dropout whose pattern is a function of the run's seed, the step and the place in the network.
//!
//! An element is kept or not by hashing its row and column with a key, so the pattern needs no
//! storage (the backward makes it again), repeats from the seed, and is the same on every machine
//! and whatever the number of threads. Rows are numbered without padding: a token has the same
//! pattern whatever stands beside it.

use std::cell::Cell;

/// The dropout of one place in the network at one step: a probability and a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    probability: f32,
    key: u64,
}

/// splitmix64's finalizer (Steele, Lea and Flood, 2014).
fn mix64(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A bijective 32-bit hash (Chris Wellons, "lowbias32").
#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
fn mix32(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

impl Dropout {
    /// No dropout: everything is kept.
    pub const NONE: Self = Self { probability: 0.0, key: 0 };

    /// Drops each element with `probability`, in the pattern that `key` gives.
    pub fn new(probability: f32, key: u64) -> Self {
        Self { probability, key }
    }

    /// Whether nothing is dropped.
    pub fn is_none(&self) -> bool {
        self.probability <= 0.0
    }

    /// The lower and the upper half of the key.
    pub fn key_halves(&self) -> (u32, u32) {
        (self.key as u32, (self.key >> 32) as u32)
    }

    /// Elements whose draw lies below this are dropped.
    pub fn threshold(&self) -> u32 {
        (f64::from(self.probability) * 4_294_967_296.0) as u32
    }

    /// What an element that is kept is multiplied by: `1 / (1 - p)`.
    pub fn kept(&self) -> f32 {
        1.0 / (1.0 - self.probability)
    }

    /// The pattern of a row.
    pub fn row(&self, row: usize) -> RowPattern {
        let (low, high) = self.key_halves();
        RowPattern {
            key: mix32(mix32(row as u32 ^ low).wrapping_add(high)),
            threshold: self.threshold(),
            kept: self.kept(),
        }
    }
}

/// Which elements of one row are kept.
#[derive(Clone, Copy, Debug)]
pub struct RowPattern {
    key: u32,
    threshold: u32,
    kept: f32,
}

impl RowPattern {
    /// What the element in this column is multiplied by: `0`, or `1 / (1 - p)`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it has to become part of vectorised loops")]
    pub fn factor(&self, column: usize) -> f32 {
        let draw = mix32(self.key ^ (column as u32).wrapping_mul(0x9E37_79B9));
        if draw >= self.threshold { self.kept } else { 0.0 }
    }
}

/// Hands out the dropouts of one forward pass, one for each place that asks, in order.
#[derive(Debug)]
pub struct Dropouts {
    key: Option<u64>,
    place: Cell<u64>,
}

impl Dropouts {
    /// Evaluation: nothing is dropped.
    pub fn off() -> Self {
        Self { key: None, place: Cell::new(0) }
    }

    /// Training: the pattern of step `step` of the run seeded with `seed`.
    pub fn training(seed: u64, step: u64) -> Self {
        Self { key: Some(mix64(mix64(seed) ^ step)), place: Cell::new(0) }
    }

    /// As [`Self::training`], for one of the batches that a step adds up.
    pub fn training_part(seed: u64, step: u64, part: usize) -> Self {
        let whole = mix64(mix64(seed) ^ step);
        let key = if part == 0 { whole } else { mix64(whole ^ ((part as u64) << 32)) };
        Self { key: Some(key), place: Cell::new(0) }
    }

    /// The dropout of the next place in the network.
    pub fn next(&self, probability: f64) -> Dropout {
        match self.key {
            Some(key) if probability > 0.0 => {
                let place = self.place.get();
                self.place.set(place + 1);
                Dropout::new(probability as f32, mix64(key ^ mix64(place)))
            }
            _ => Dropout::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_dropped_and_the_mean_is_kept() {
        let dropout = Dropout::new(0.1, 5);
        let factors: Vec<f32> =
            (0..400).flat_map(|row| (0..500).map(move |i| dropout.row(row).factor(i))).collect();
        let dropped = factors.iter().filter(|&&v| v == 0.0).count() as f32 / 2e5;
        assert!((dropped - 0.1).abs() < 0.003, "{dropped}");
        let mean = factors.iter().sum::<f32>() / 2e5;
        assert!((mean - 1.0).abs() < 0.005, "{mean}");
    }

    #[test]
    fn neighbours_rows_and_places_are_independent() {
        let of = |key, row: usize, i: usize| Dropout::new(0.5, key).row(row).factor(i);
        let agree = |a: &dyn Fn(usize, usize) -> f32, b: &dyn Fn(usize, usize) -> f32| {
            let pairs = (0..300).flat_map(|row| (0..300).map(move |i| (row, i)));
            pairs.filter(|&(row, i)| a(row, i) == b(row, i)).count() as f64 / 9e4
        };
        let pattern = |row, i| of(1, row, i);
        let others: [&dyn Fn(usize, usize) -> f32; 6] = [
            &|row, i| of(1, row, i + 1),
            &|row, i| of(1, row, i + 64),
            &|row, i| of(1, row + 1, i),
            &|row, i| of(1, row + 24, i),
            &|row, i| of(2, row, i),
            &|row, i| of(1 << 32, row, i),
        ];
        for (n, other) in others.into_iter().enumerate() {
            let share = agree(&pattern, other);
            assert!((share - 0.5).abs() < 0.01, "{n}: {share}");
        }
    }

    #[test]
    fn the_pattern_follows_seed_step_and_place() {
        let of = |seed, step| {
            let dropouts = Dropouts::training(seed, step);
            [dropouts.next(0.1), dropouts.next(0.1)]
        };
        assert_eq!(of(1, 1), of(1, 1));
        assert_ne!(of(1, 1), of(1, 2));
        assert_ne!(of(1, 1), of(2, 1));
        assert_ne!(of(1, 1)[0], of(1, 1)[1]);
        let part = |part| Dropouts::training_part(1, 1, part).next(0.1);
        assert_eq!(part(0), of(1, 1)[0]);
        assert_ne!(part(0), part(1));
        assert!(Dropouts::off().next(0.5).is_none());
    }
}
