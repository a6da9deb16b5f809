//! numpy's random number generator, so that a sample drawn here is the one that
//! `shuffle(seed)` of `datasets` draws.
//!
//! Sources: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
//! Algorithms for Random Number Generation" (XSL-RR 128/64), and numpy's `SeedSequence`,
//! `bit_generator.pyx`, and `Generator.permutation`.

const POOL_SIZE: usize = 4;
const INIT_A: u32 = 0x43b0_d7e5;
const MULT_A: u32 = 0x931e_8875;
const INIT_B: u32 = 0x8b51_f9dd;
const MULT_B: u32 = 0x58f3_8ded;
const MIX_MULT_L: u32 = 0xca01_f9dd;
const MIX_MULT_R: u32 = 0x4973_f715;
const XSHIFT: u32 = 16;
const PCG_MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

/// One step of `SeedSequence`'s hash; `constant` is the running hash constant.
fn hash_mix(value: u32, constant: &mut u32, multiplier: u32) -> u32 {
    let mut value = value ^ *constant;
    *constant = constant.wrapping_mul(multiplier);
    value = value.wrapping_mul(*constant);
    value ^ (value >> XSHIFT)
}

fn mix(x: u32, y: u32) -> u32 {
    let result = MIX_MULT_L.wrapping_mul(x).wrapping_sub(MIX_MULT_R.wrapping_mul(y));
    result ^ (result >> XSHIFT)
}

/// numpy's `SeedSequence(entropy).generate_state(4, uint64)`.
fn seed_sequence(entropy: &[u64]) -> [u64; 4] {
    // Each integer becomes its 32-bit words, low word first; zero is one word.
    let mut words = Vec::with_capacity(entropy.len() * 2);
    for &integer in entropy {
        words.push(integer as u32);
        if integer >> 32 != 0 {
            words.push((integer >> 32) as u32);
        }
    }

    let mut pool = [0u32; POOL_SIZE];
    let mut constant = INIT_A;
    for (i, slot) in pool.iter_mut().enumerate() {
        *slot = hash_mix(words.get(i).copied().unwrap_or(0), &mut constant, MULT_A);
    }
    for source in 0..POOL_SIZE {
        for target in 0..POOL_SIZE {
            if source != target {
                pool[target] = mix(pool[target], hash_mix(pool[source], &mut constant, MULT_A));
            }
        }
    }
    for &word in words.iter().skip(POOL_SIZE) {
        for slot in &mut pool {
            *slot = mix(*slot, hash_mix(word, &mut constant, MULT_A));
        }
    }

    let mut constant = INIT_B;
    let mut state = [0u64; 4];
    for (i, half) in pool.iter().cycle().take(8).enumerate() {
        let word = hash_mix(*half, &mut constant, MULT_B);
        state[i / 2] |= u64::from(word) << (32 * (i % 2));
    }
    state
}

/// numpy's `default_rng`: a PCG64 seeded through a `SeedSequence`.
#[derive(Clone, Debug)]
pub struct Generator {
    state: u128,
    increment: u128,
    /// The high half of the last 64-bit draw, for the next 32-bit draw.
    spare: Option<u32>,
}

impl Generator {
    /// `numpy.random.default_rng(seed)`.
    pub fn new(seed: u64) -> Self {
        Self::from_entropy(&[seed])
    }

    /// `numpy.random.default_rng([a, b, …])`: one stream for each distinct list.
    pub fn from_entropy(entropy: &[u64]) -> Self {
        let [q0, q1, q2, q3] = seed_sequence(entropy);
        let initial = u128::from(q0) << 64 | u128::from(q1);
        let stream = u128::from(q2) << 64 | u128::from(q3);
        let mut generator = Self { state: 0, increment: stream << 1 | 1, spare: None };
        generator.step();
        generator.state = generator.state.wrapping_add(initial);
        generator.step();
        generator
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(PCG_MULTIPLIER).wrapping_add(self.increment);
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// The next 32 random bits; two calls share one 64-bit draw, low half first.
    pub fn next_u32(&mut self) -> u32 {
        if let Some(high) = self.spare.take() {
            return high;
        }
        let bits = self.next_u64();
        self.spare = Some((bits >> 32) as u32);
        bits as u32
    }

    /// A uniform integer in `0..=max`, by masked rejection as numpy's `random_interval`.
    fn interval(&mut self, max: u64) -> u64 {
        if max == 0 {
            return 0;
        }
        let mask = u64::MAX >> max.leading_zeros();
        loop {
            let draw = if u32::try_from(max).is_ok() {
                u64::from(self.next_u32())
            } else {
                self.next_u64()
            };
            if draw & mask <= max {
                return draw & mask;
            }
        }
    }

    /// A uniform number in `[0, 1)` with 53 random bits, as numpy's `random()`.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// A standard normal number by the Box-Muller transform (numpy's own uses a ziggurat, so
    /// these are not numpy's normals).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Shuffles in place as numpy's `shuffle` does.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.interval(i as u64) as usize;
            items.swap(i, j);
        }
    }

    /// `Generator.permutation(n)`: the numbers `0..n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}

/// The number of samples to draw from a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleLimit {
    /// Every row.
    All,
    /// This number of rows, or all if there are fewer.
    Count(usize),
}

impl SampleLimit {
    /// The limit as a number, if there is one.
    pub fn count(self) -> Option<usize> {
        match self {
            Self::All => None,
            Self::Count(count) => Some(count),
        }
    }
}

impl std::str::FromStr for SampleLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            number => match number.replace('_', "").parse() {
                Ok(count) if count > 0 => Ok(Self::Count(count)),
                _ => Err("expected a number above 0, or \"all\"".to_owned()),
            },
        }
    }
}

impl std::fmt::Display for SampleLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// The indices that `shuffle(seed).select(range(limit))` of `datasets` selects from `rows` rows, in
/// that order. `None`, or a limit larger than `rows`, selects every row.
pub fn sample_indices(rows: usize, limit: Option<usize>, seed: u64) -> Vec<usize> {
    let mut order = Generator::new(seed).permutation(rows);
    order.truncate(limit.unwrap_or(rows));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permutation_equals_that_of_numpy() -> anyhow::Result<()> {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/reference/permutation.json"))?;
        let cases = reference["cases"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(cases.len() > 5);
        for case in cases {
            let seed = case["seed"].as_u64().unwrap_or_default();
            let n = case["n"].as_u64().unwrap_or_default() as usize;
            let first: Vec<usize> = serde_json::from_value(case["first"].clone())?;
            let ours = Generator::new(seed).permutation(n);
            assert_eq!(ours[..first.len()], first, "seed {seed}, n {n}");
        }
        Ok(())
    }

    #[test]
    fn wide_and_listed_seeds_are_those_of_numpy() {
        // numpy 2.4: default_rng(2**64 - 1).permutation(10), default_rng([42, 3]).permutation(10),
        // default_rng([1, 2, 3, 4, 5, 2**40]).permutation(10)
        assert_eq!(Generator::new(u64::MAX).permutation(10), [8, 7, 3, 0, 4, 6, 1, 2, 5, 9],);
        assert_eq!(
            Generator::from_entropy(&[42, 3]).permutation(10),
            [4, 3, 7, 2, 5, 1, 9, 8, 0, 6]
        );
        assert_eq!(
            Generator::from_entropy(&[1, 2, 3, 4, 5, 1 << 40]).permutation(10),
            [6, 4, 1, 2, 8, 7, 9, 3, 5, 0]
        );
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut generator = Generator::new(7);
        let draws: Vec<f64> = (0..100_000).map(|_| generator.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn a_limit_larger_than_the_data_selects_every_row_once() {
        let mut indices = sample_indices(10, Some(99), 1);
        indices.sort_unstable();
        assert_eq!(indices, (0..10).collect::<Vec<_>>());
        assert_eq!(sample_indices(10, Some(3), 1).len(), 3);
        assert!(sample_indices(0, None, 1).is_empty());
    }

    #[test]
    fn sample_limits() {
        assert_eq!("all".parse(), Ok(SampleLimit::All));
        assert_eq!("2_000".parse(), Ok(SampleLimit::Count(2000)));
        assert!("0".parse::<SampleLimit>().is_err());
        assert!("-3".parse::<SampleLimit>().is_err());
    }
}
