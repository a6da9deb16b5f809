//! Dropout whose pattern is a function of the run's seed, the step and the site in the network.
//!
//! Whether an element is kept follows from a hash of its row, its column and a key. The pattern
//! therefore needs no storage (the backward pass computes it again), and is the same on every
//! device and for any number of threads. Rows are those of the packed batch: padding does not
//! change the pattern.

/// Dropout at one site of the network in one forward pass: a probability and a key.
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
#[expect(clippy::inline_always, reason = "vectorized loops need it inlined")]
fn mix32(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

impl Dropout {
    /// No dropout: every element is kept.
    pub const NONE: Self = Self { probability: 0.0, key: 0 };

    /// Drops each element with `probability`, in the pattern of `key`.
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

    /// Elements whose hash is below this are dropped.
    pub fn threshold(&self) -> u32 {
        (f64::from(self.probability) * 4_294_967_296.0) as u32
    }

    /// The factor of kept elements: `1 / (1 - p)`.
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
    /// The factor of the element in this column: `0`, or `1 / (1 - p)`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "vectorized loops need it inlined")]
    pub fn factor(&self, column: usize) -> f32 {
        let draw = mix32(self.key ^ (column as u32).wrapping_mul(0x9E37_79B9));
        if draw >= self.threshold { self.kept } else { 0.0 }
    }
}

/// The key of a micro-batch, from which the keys of all dropout sites are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutKey(u64);

impl DropoutKey {
    /// The key of micro-batch `micro_batch` (counted from 0) of optimizer step `step` of a run with
    /// this seed.
    pub fn new(seed: u64, step: u64, micro_batch: usize) -> Self {
        let key = mix64(mix64(seed) ^ step);
        Self(if micro_batch == 0 { key } else { mix64(key ^ ((micro_batch as u64) << 32)) })
    }
}

/// The dropout probability at each kind of site; 0 where nothing is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutProbabilities {
    /// After the embeddings' normalization.
    pub embeddings: f64,
    /// On the table of relative positions, in each layer of a model that has one.
    pub relative: f64,
    /// On attention probabilities, in each layer.
    pub attention_probabilities: f64,
    /// On the attention block's output, before the residual, in each layer.
    pub attention_output: f64,
    /// On the feed-forward block's output, before the residual, in each layer.
    pub layer_output: f64,
    /// On the first token's hidden state, before the head.
    pub head_input: f64,
    /// Within the head, before the classifier.
    pub head: f64,
}

/// The dropout of each site of one encoder layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerDropouts {
    /// On the rows of the table of relative positions.
    pub relative: Dropout,
    /// On attention probabilities.
    pub attention_probabilities: Dropout,
    /// On the attention block's output, before the residual.
    pub attention_output: Dropout,
    /// On the feed-forward block's output, before the residual.
    pub layer_output: Dropout,
}

/// The dropout of each site of a network in one forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkDropouts {
    /// After the embeddings' normalization.
    pub embeddings: Dropout,
    /// One for each encoder layer.
    pub layers: Vec<LayerDropouts>,
    /// On the first token's hidden state, before the head.
    pub head_input: Dropout,
    /// Within the head, before the classifier.
    pub head: Dropout,
}

impl NetworkDropouts {
    /// The dropouts of a network of `layers` encoder layers; without a key, as in evaluation, none.
    ///
    /// Each site's key is derived from its number. Sites are numbered in the order of the forward
    /// pass, without those whose probability is 0. A resumed run has to number them as the original
    /// run did, so this order never changes.
    pub fn new(
        probabilities: &DropoutProbabilities,
        layers: usize,
        key: Option<DropoutKey>,
    ) -> Self {
        let mut sites = 0;
        let mut site = |probability: f64| match key {
            Some(DropoutKey(key)) if probability > 0.0 => {
                let number = sites;
                sites += 1;
                Dropout::new(probability as f32, mix64(key ^ mix64(number)))
            }
            _ => Dropout::NONE,
        };
        // Fields are evaluated in the order written: the order of the forward pass.
        Self {
            embeddings: site(probabilities.embeddings),
            layers: (0..layers)
                .map(|_| LayerDropouts {
                    relative: site(probabilities.relative),
                    attention_probabilities: site(probabilities.attention_probabilities),
                    attention_output: site(probabilities.attention_output),
                    layer_output: site(probabilities.layer_output),
                })
                .collect(),
            head_input: site(probabilities.head_input),
            head: site(probabilities.head),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_dropped_and_the_mean_is_unchanged() {
        let dropout = Dropout::new(0.1, 5);
        let factors: Vec<f32> =
            (0..400).flat_map(|row| (0..500).map(move |i| dropout.row(row).factor(i))).collect();
        let dropped = factors.iter().filter(|&&v| v == 0.0).count() as f32 / 2e5;
        assert!((dropped - 0.1).abs() < 0.003, "{dropped}");
        let mean = factors.iter().sum::<f32>() / 2e5;
        assert!((mean - 1.0).abs() < 0.005, "{mean}");
    }

    #[test]
    fn columns_rows_and_keys_are_independent() {
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

    const PROBABILITIES: DropoutProbabilities = DropoutProbabilities {
        relative: 0.0,
        embeddings: 0.1,
        attention_probabilities: 0.2,
        attention_output: 0.1,
        layer_output: 0.1,
        head_input: 0.0,
        head: 0.3,
    };

    #[test]
    fn patterns_depend_on_seed_step_micro_batch_and_site() {
        let of = |seed, step, micro_batch| {
            NetworkDropouts::new(&PROBABILITIES, 2, Some(DropoutKey::new(seed, step, micro_batch)))
        };
        assert_eq!(of(1, 1, 0), of(1, 1, 0));
        for other in [of(1, 2, 0), of(2, 1, 0), of(1, 1, 1)] {
            assert_ne!(of(1, 1, 0).embeddings, other.embeddings);
        }
        let first = of(1, 1, 0);
        assert_ne!(first.layers[0].attention_output, first.layers[0].layer_output);
        assert_ne!(first.layers[0], first.layers[1]);
        let none = NetworkDropouts::new(&PROBABILITIES, 2, None);
        assert!(none.embeddings.is_none() && none.layers[1].layer_output.is_none());
    }

    #[test]
    fn keys_of_earlier_versions_stay_valid() {
        assert_eq!(DropoutKey::new(42, 7, 0), DropoutKey(0x1606_2d6c_1339_e500));
        assert_eq!(DropoutKey::new(42, 7, 3), DropoutKey(0xa180_457d_cd47_0c15));
        let key = Some(DropoutKey::new(42, 7, 0));
        let dropouts = NetworkDropouts::new(&PROBABILITIES, 1, key);
        assert_eq!(dropouts.embeddings, Dropout::new(0.1, 0xd74b_de3b_6c63_a944));
    }

    #[test]
    fn sites_are_numbered_in_forward_order_without_those_of_probability_0() {
        let key = DropoutKey::new(1, 1, 0);
        let site =
            |probability: f32, number| Dropout::new(probability, mix64(key.0 ^ mix64(number)));
        let dropouts = NetworkDropouts::new(&PROBABILITIES, 2, Some(key));
        let layer = |first| LayerDropouts {
            relative: Dropout::NONE,
            attention_probabilities: site(0.2, first),
            attention_output: site(0.1, first + 1),
            layer_output: site(0.1, first + 2),
        };
        let expected = NetworkDropouts {
            embeddings: site(0.1, 0),
            layers: vec![layer(1), layer(4)],
            head_input: Dropout::NONE,
            head: site(0.3, 7),
        };
        assert_eq!(dropouts, expected);
        let without_attention =
            DropoutProbabilities { attention_probabilities: 0.0, ..PROBABILITIES };
        let dropouts = NetworkDropouts::new(&without_attention, 1, Some(key));
        assert!(dropouts.layers[0].attention_probabilities.is_none());
        assert_eq!(dropouts.layers[0].attention_output, site(0.1, 1));
        assert_eq!(dropouts.head, site(0.3, 3));
    }
}
