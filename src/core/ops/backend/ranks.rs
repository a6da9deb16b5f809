//! What the ranks of a run tell each other of a step besides their gradients.

use crate::core::collective::{Collective, CollectiveError};
use candle_core::{Error, Result};

/// The losses of a step: the total, and those of masked and of replaced tokens.
type Losses = [f64; 3];

/// Replaces losses by their sums over all ranks, added in the order of the ranks, and returns the
/// predicted classes of each rank.
pub fn exchange_metrics(
    collective: &dyn Collective,
    losses: &mut Losses,
    predicted: &[u32],
) -> Result<Vec<Vec<u32>>> {
    let own_losses = losses.iter().flat_map(|loss| loss.to_le_bytes());
    let own: Vec<u8> =
        own_losses.chain(predicted.iter().flat_map(|class| class.to_le_bytes())).collect();
    let all = collective.all_gather_bytes(&own).map_err(Error::wrap)?;
    let mut sums = Losses::default();
    let mut classes = Vec::with_capacity(all.len());
    for (rank, bytes) in all.iter().enumerate() {
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

fn parse(bytes: &[u8]) -> Option<(Losses, Vec<u32>)> {
    let (losses, predicted) = bytes.split_at_checked(size_of::<Losses>())?;
    let (values, _) = losses.as_chunks::<8>();
    let mut losses = Losses::default();
    losses.iter_mut().zip(values).for_each(|(loss, bytes)| *loss = f64::from_le_bytes(*bytes));
    let (classes, rest) = predicted.as_chunks::<4>();
    rest.is_empty().then(|| (losses, classes.iter().map(|&b| u32::from_le_bytes(b)).collect()))
}
