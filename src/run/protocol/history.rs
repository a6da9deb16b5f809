//! Splits the history of a resumed run into messages of bounded size.

use crate::core::text::to_json;
use crate::core::train::TrainEvent;
use serde::{Deserialize, Serialize};

/// The most bytes of events in a chunk, as JSON, unless a single event is larger.
const CHUNK_BYTES: usize = 1 << 18;

/// A part of the events from before a run was resumed. The parts are sent in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryChunk {
    /// The events, in the order in which they happened.
    pub events: Vec<TrainEvent>,
    /// Whether this is the last part.
    pub is_last: bool,
}

/// Splits a history into chunks; none if it is empty.
pub fn chunks(history: Vec<TrainEvent>) -> impl Iterator<Item = HistoryChunk> {
    let size = |event: &TrainEvent| to_json(event).map_or(0, |json| json.len() + 1);
    let mut events = history.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = events.next()?;
        let mut bytes = size(&first);
        let mut chunk = vec![first];
        while let Some(event) = events.next_if(|event| {
            bytes += size(event);
            bytes <= CHUNK_BYTES
        }) {
            chunk.push(event);
        }
        Some(HistoryChunk { events: chunk, is_last: events.peek().is_none() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::run;
    use crate::run::protocol::RunReport;
    use crate::run::protocol::encoding::{MAX_MESSAGE_BYTES, encode};

    #[test]
    fn a_history_is_split_into_bounded_chunks_in_order() -> anyhow::Result<()> {
        let history = run(6300);
        let all: Vec<HistoryChunk> = chunks(history.clone()).collect();
        assert!(all.len() > 2, "{} chunks", all.len());
        let last: Vec<bool> = all.iter().map(|chunk| chunk.is_last).collect();
        assert!(last[..last.len() - 1].iter().all(|is_last| !is_last) && last[last.len() - 1]);
        for chunk in &all {
            let line = encode(&RunReport::History(chunk.clone()))?;
            assert!(line.len() <= MAX_MESSAGE_BYTES && line.len() < CHUNK_BYTES + 200);
        }
        let events: Vec<TrainEvent> = all.into_iter().flat_map(|chunk| chunk.events).collect();
        assert!(events == history);
        assert_eq!(chunks(Vec::new()).count(), 0);
        Ok(())
    }
}
