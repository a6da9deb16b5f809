//! The file of the outcomes of one evaluation: a line of JSON, then numbers in little-endian order.

use crate::core::number;
use crate::core::train::Outcomes;
use crate::core::train::outcomes::MAX_PROBABILITIES;
use serde::{Deserialize, Serialize};

/// The version of the format.
const VERSION: u32 = 1;

/// The most bytes of the first line.
const MAX_HEADER: usize = 1 << 10;

/// The most bytes of a file: the probabilities, and as many losses and classes.
pub(super) const MAX_BYTES: u64 = (MAX_PROBABILITIES * 8 + MAX_HEADER) as u64;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    version: u32,
    /// The number of steps done.
    pub step: u64,
    /// The number of epochs done, with the fraction of the current one.
    #[serde(with = "number")]
    pub epoch: f64,
    /// The number of texts.
    pub examples: usize,
    /// The number of classes.
    pub classes: usize,
    /// The fingerprint of the texts.
    pub texts: String,
    /// The CRC-32C of what follows the line.
    crc32c: u32,
}

/// The bytes of a file.
///
/// # Errors
/// If the first line cannot be serialized.
pub(super) fn encode(
    step: u64,
    epoch: f64,
    texts: &str,
    outcomes: &Outcomes,
) -> std::io::Result<Vec<u8>> {
    let mut numbers = Vec::with_capacity(outcomes.len() * (6 + 2 * outcomes.classes()));
    numbers.extend(outcomes.losses().iter().flat_map(|loss| loss.to_le_bytes()));
    numbers.extend(outcomes.predicted().iter().flat_map(|class| class.to_le_bytes()));
    numbers.extend(outcomes.scaled_probabilities().iter().flat_map(|scaled| scaled.to_le_bytes()));
    let header = Header {
        version: VERSION,
        step,
        epoch,
        examples: outcomes.len(),
        classes: outcomes.classes(),
        texts: texts.to_owned(),
        crc32c: crc32c::crc32c(&numbers),
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    bytes.append(&mut numbers);
    Ok(bytes)
}

/// Reads the bytes of a file.
///
/// # Errors
/// If they are damaged, or of another version.
pub(super) fn decode(bytes: &[u8]) -> Result<(Header, Outcomes), String> {
    let start = &bytes[..bytes.len().min(MAX_HEADER)];
    let end = start.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
    let (line, numbers) = (&bytes[..end], &bytes[end + 1..]);
    let header: Header = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if header.version != VERSION {
        return Err(format!("its version is {}, not {VERSION}", header.version));
    }
    let Header { examples, classes, .. } = header;
    let size = classes.checked_mul(2).and_then(|size| size.checked_add(6)?.checked_mul(examples));
    if size != Some(numbers.len()) {
        return Err("its size is not that of its texts and classes".to_owned());
    }
    if crc32c::crc32c(numbers) != header.crc32c {
        return Err("its checksum is wrong".to_owned());
    }
    let (losses, rest) = numbers.split_at(4 * examples);
    let (predicted, probabilities) = rest.split_at(2 * examples);
    let (losses, _) = losses.as_chunks::<4>();
    let losses = losses.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let short = |bytes: &[u8]| {
        let (pairs, _) = bytes.as_chunks::<2>();
        pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
    };
    let outcomes = Outcomes::from_parts(classes, short(predicted), losses, short(probabilities));
    outcomes.map(|outcomes| (header, outcomes)).ok_or_else(|| "it has unknown classes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Outcomes {
        let outcomes = Outcomes::from_parts(
            3,
            vec![2, 0],
            vec![0.25, f32::INFINITY],
            vec![1, 2, 65532, 65535, 0, 0],
        );
        outcomes.unwrap_or_default()
    }

    #[test]
    fn what_is_written_is_read_and_damage_is_noticed() -> anyhow::Result<()> {
        let bytes = encode(63, 1.0, "abc", &sample())?;
        let (header, outcomes) = decode(&bytes).map_err(anyhow::Error::msg)?;
        assert_eq!((header.step, header.texts.as_str(), outcomes), (63, "abc", sample()));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            // Digits of the first line change values that only the reader of the folder checks.
            let reads = decode(&damaged).is_ok_and(|(_, outcomes)| outcomes != sample());
            assert!(!reads, "byte {at}");
            assert!(decode(&bytes[..at]).is_err());
        }
        let other = String::from_utf8_lossy(&bytes).replacen("\"version\":1", "\"version\":2", 1);
        assert!(decode(other.as_bytes()).is_err_and(|reason| reason.contains("version")));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            examples in any::<usize>(),
            classes in any::<usize>(),
            rest in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let header = Header {
                version: VERSION,
                step: 1,
                epoch: 1.0,
                examples,
                classes,
                texts: String::new(),
                crc32c: crc32c::crc32c(&rest),
            };
            let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
            bytes.push(b'\n');
            bytes.extend(rest);
            let _ = decode(&bytes);
        }
    }
}
