//! Parameters that the optimizer updates alike, as PyTorch's parameter groups.

use super::shapes::ParameterLayout;

/// How AdamW updates a group of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateKind {
    /// The factor of the learning rate.
    pub rate: f64,
    /// Whether weight decay applies.
    pub decays: bool,
}

/// Neighbouring parameters of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateGroup {
    /// The index of the first parameter after the group.
    pub end: usize,
    /// The index of its kind.
    pub kind: usize,
}

/// All parameters, split into groups.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateGroups {
    /// The distinct kinds; the first is that of the token table.
    pub kinds: Vec<UpdateKind>,
    /// The groups, by their ends. The first begins at 0, and each other one where the one before it
    /// ends.
    pub groups: Vec<UpdateGroup>,
}

impl UpdateGroups {
    /// The groups of a layout.
    pub fn new(layout: &ParameterLayout) -> Self {
        let (decayed, rates) = (&layout.decayed, &layout.rates);
        let ranges = decayed.iter().chain(rates.iter().map(|(range, _)| range));
        let mut ends: Vec<usize> = ranges.flat_map(|range| [range.start, range.end]).collect();
        ends.extend([layout.token_table_len(), layout.len]);
        ends.retain(|&end| end > 0 && end <= layout.len);
        ends.sort_unstable();
        ends.dedup();
        let kind_at = |index: usize| UpdateKind {
            rate: rates.iter().find(|(range, _)| range.contains(&index)).map_or(1.0, |rate| rate.1),
            decays: decayed.iter().any(|range| range.contains(&index)),
        };
        let mut all = Self { kinds: vec![kind_at(0)], groups: Vec::with_capacity(ends.len()) };
        let mut start = 0;
        for end in ends {
            // The token table has one kind, that of its first row.
            let kind = if start < layout.token_table_len() { all.kinds[0] } else { kind_at(start) };
            let known = all.kinds.iter().position(|other| *other == kind);
            let kind = known.unwrap_or_else(|| {
                all.kinds.push(kind);
                all.kinds.len() - 1
            });
            match all.groups.last_mut().filter(|last| last.kind == kind) {
                Some(last) => last.end = end,
                None => all.groups.push(UpdateGroup { end, kind }),
            }
            start = end;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ops::backend::EmbeddingTables;

    #[test]
    fn groups_end_where_the_decay_or_the_rate_changes() {
        let tables = EmbeddingTables {
            tokens: 0,
            vocabulary: 5,
            positions: Some(10),
            max_positions: 2,
            first_position: 0,
            token_types: 14,
            max_token_types: 1,
            padding_token: None,
            padding_position: None,
            width: 2,
        };
        let layout = ParameterLayout {
            len: 40,
            tables,
            decayed: vec![0..10, 10..16, 20..30],
            rates: vec![(0..16, 0.25), (16..25, 0.5)],
        };
        let UpdateGroups { kinds, groups } = UpdateGroups::new(&layout);
        let kind = |rate, decays| UpdateKind { rate, decays };
        let expected = [
            kind(0.25, true),
            kind(0.5, false),
            kind(0.5, true),
            kind(1.0, true),
            kind(1.0, false),
        ];
        assert_eq!(kinds, expected);
        let ends: Vec<_> = groups.iter().map(|group| (group.end, group.kind)).collect();
        assert_eq!(ends, [(16, 0), (20, 1), (25, 2), (30, 3), (40, 4)]);

        let plain = ParameterLayout { decayed: Vec::new(), rates: Vec::new(), ..layout };
        let UpdateGroups { kinds, groups } = UpdateGroups::new(&plain);
        assert_eq!(kinds, [kind(1.0, false)]);
        assert_eq!(groups, [UpdateGroup { end: 40, kind: 0 }]);
    }
}
