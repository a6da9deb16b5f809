//! What the ranks of a run tell each other of a step besides their gradients.

use crate::core::collective::{Collective, CollectiveError};
use crate::core::text::sanitize_for_terminal;
use candle_core::{Error, Result};

/// The losses of a step: the total, and those of masked and of replaced tokens.
type Losses = [f64; 3];

/// How the message of a rank begins that has computed its part of a step.
const COMPUTED: u8 = 0;

/// How the message of a rank begins that could not, and whose error follows.
const FAILED: u8 = 1;

/// Replaces losses by their sums over all ranks, added in the order of the ranks, and returns the
/// predicted classes of each rank.
pub fn exchange_metrics(
    collective: &dyn Collective,
    losses: &mut Losses,
    predicted: &[u32],
) -> Result<Vec<Vec<u32>>> {
    let mut own = vec![COMPUTED];
    own.extend(losses.iter().flat_map(|loss| loss.to_le_bytes()));
    own.extend(predicted.iter().flat_map(|class| class.to_le_bytes()));
    let all = collective.all_gather_bytes(&own).map_err(Error::wrap)?;
    let mut sums = Losses::default();
    let mut classes = Vec::with_capacity(all.len());
    for (rank, bytes) in all.iter().enumerate() {
        if let Some((&FAILED, message)) = bytes.split_first() {
            let message = String::from_utf8_lossy(message);
            return Err(Error::msg(format!("rank {rank}: {}", sanitize_for_terminal(&message))));
        }
        let Some((of_rank, predicted)) = parse(bytes) else {
            let problem = format!("rank {rank} sends {} bytes of metrics", bytes.len());
            return Err(Error::wrap(CollectiveError::OutOfStep(problem)));
        };
        sums.iter_mut().zip(of_rank).for_each(|(sum, loss)| *sum += loss);
        classes.push(predicted);
    }
    *losses = sums;
    Ok(classes)
}

/// Takes part in [`exchange_metrics`] of the other ranks, and fails with this message as they do.
pub fn exchange_failure(collective: &dyn Collective, message: &str) -> Result<Vec<Vec<u32>>> {
    let own = [&[FAILED], message.as_bytes()].concat();
    collective.all_gather_bytes(&own).map_err(Error::wrap)?;
    candle_core::bail!("{message}")
}

fn parse(bytes: &[u8]) -> Option<(Losses, Vec<u32>)> {
    let bytes = bytes.strip_prefix(&[COMPUTED])?;
    let (losses, predicted) = bytes.split_at_checked(size_of::<Losses>())?;
    let (values, _) = losses.as_chunks::<8>();
    let mut losses = Losses::default();
    losses.iter_mut().zip(values).for_each(|(loss, bytes)| *loss = f64::from_le_bytes(*bytes));
    let (classes, rest) = predicted.as_chunks::<4>();
    rest.is_empty().then(|| (losses, classes.iter().map(|&b| u32::from_le_bytes(b)).collect()))
}
