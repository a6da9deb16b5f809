//! `nsmc-tui data`.

use super::saved;
use crate::cli::flags::DataFlags;
use crate::cli::output::print_to_stderr;
use crate::core::data::Sample;
use crate::core::data::summary::{SplitSummary, histogram, summarize};
use crate::core::predict::PAIR_SEPARATOR;
use crate::core::text::{to_json, truncate_width};
use crate::run::dataset::Dataset;
use serde::Serialize;
use std::io::Write;

#[derive(Serialize)]
struct SplitSummaries {
    train: SplitSummary,
    eval: SplitSummary,
}

pub fn run(flags: &DataFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let tokenizer = saved::tokenizer(flags.model_name_or_path.as_deref(), &flags.revision)?;
    let dataset = Dataset::read(&flags.dataset(), None, &mut saved::download_progress())?;
    for note in &dataset.notes {
        print_to_stderr(format_args!("note: {note}"));
    }
    if dataset.skipped > 0 {
        print_to_stderr(format_args!("bad rows left out: {}", dataset.skipped));
    }
    if let Some(note) = &dataset.columns_note {
        print_to_stderr(format_args!("note: {note}"));
    }
    let (train, eval, names) = (dataset.train, dataset.eval, dataset.classes.names());
    let both = SplitSummaries {
        train: summarize(&train, &tokenizer, flags.ids)?,
        eval: summarize(&eval, &tokenizer, flags.ids)?,
    };
    if flags.json {
        writeln!(out, "{}", to_json(&both)?)?;
        return Ok(());
    }
    write_summary("train", &both.train, &train, names, out)?;
    writeln!(out)?;
    write_summary("eval", &both.eval, &eval, names, out)?;
    Ok(())
}

fn write_summary(
    name: &str,
    summary: &SplitSummary,
    samples: &[Sample],
    names: &[String],
    out: &mut impl Write,
) -> std::io::Result<()> {
    write!(out, "{name}: {} rows", summary.rows)?;
    for (class, name) in names.iter().enumerate() {
        let count = samples.iter().filter(|sample| sample.label as usize == class).count();
        let share = 100.0 * count as f64 / summary.rows.max(1) as f64;
        write!(out, ", {count} {name} ({share:.1} %)")?;
    }
    writeln!(out, ", {:.1} % with [UNK]", 100.0 * summary.unk_share)?;
    if let Some(ids) = &summary.ids {
        for id in ids {
            writeln!(out, "{}", truncate_width(id, 40))?;
        }
        return Ok(());
    }
    for (unit, lengths) in [("characters", &summary.characters), ("tokens", &summary.tokens)] {
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64;
        let longest = lengths.iter().max().copied().unwrap_or(0);
        writeln!(out, "  length in {unit}: mean {mean:.1}, longest {longest}")?;
        let bins = histogram(lengths, 10);
        let highest = bins.iter().map(|bin| bin.2).max().unwrap_or(1).max(1);
        for (from, to, count) in bins {
            let bar = "█".repeat((count * 40).div_ceil(highest));
            writeln!(out, "    {from:>4}-{:<4} {bar} {count}", to - 1)?;
        }
    }
    writeln!(out, "  the first rows:")?;
    for sample in samples.iter().take(5) {
        let mut document = truncate_width(&sample.document, 60);
        if let Some(second) = &sample.text_pair {
            document = format!("{document} {PAIR_SEPARATOR} {}", truncate_width(second, 60));
        }
        writeln!(out, "    {}  {}  {document}", sample.label, truncate_width(&sample.id, 12))?;
    }
    Ok(())
}
