//! The processes of a run of several in the system panel: a row for each.

use crate::core::train::event::{RankMeasured, RanksMeasured};
use crate::screen::lang::Lang;

/// A rank.
pub(super) struct RankRow {
    pub name: String,
    /// The filled part of the bar, from 0 to 1.
    pub share: f64,
    pub value: String,
}

/// The rows of the ranks: rate, as a part of the highest one, memory, and how long rank 0 waited for
/// it in a step. Without `full`, only the rate.
pub(super) fn rank_rows(measured: &RanksMeasured, full: bool, lang: Lang) -> Vec<RankRow> {
    let rates = measured.ranks.iter().map(|rank| rank.samples_per_second);
    let highest = rates.fold(0.0f64, f64::max);
    let row = |rank: &RankMeasured| {
        let rate = format!("{:.0}", rank.samples_per_second);
        let share = if highest > 0.0 { rank.samples_per_second / highest } else { 0.0 };
        let lag = format!("{:.0}", 1e3 * rank.lag);
        RankRow {
            name: lang.tr_with("rank {0}", &[&rank.rank]),
            share,
            value: if full {
                let values: [&dyn std::fmt::Display; 3] = [&rate, &rank.memory_text(), &lag];
                lang.tr_with("{0}/s  {1}  lag {2} ms", &values)
            } else {
                lang.tr_with("{0}/s", &[&rate])
            },
        }
    };
    measured.ranks.iter().map(row).collect()
}
