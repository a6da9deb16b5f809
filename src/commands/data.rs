//! `nsmc-tui data`.

use crate::cli::DataFlags;
use crate::data::source::load_reviews;
use crate::data::summary::{Summary, histogram, summarize};
use crate::data::{Review, Split};
use crate::text::{excerpt, to_json};
use crate::tokenizer::Tokenizer;
use serde::Serialize;
use std::io::Write;

#[derive(Serialize)]
struct Both {
    train: Summary,
    eval: Summary,
}

pub fn run(flags: &DataFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let tokenizer = match &flags.model_name_or_path {
        Some(folder) => Tokenizer::from_folder(folder)?,
        None => Tokenizer::embedded()?,
    };
    let (seed, skip) = (flags.shuffle_seed, flags.eval_source.skip_bad_rows);
    let load = |file: Option<&std::path::Path>, split, limit| {
        let (reviews, skipped) = load_reviews(file, split, limit, seed, skip)?;
        if skipped > 0 {
            eprintln!("bad rows left out: {skipped}");
        }
        anyhow::Ok(reviews)
    };
    let (train, eval) = (&flags.train_source, &flags.eval_source);
    let train = load(train.train_file.as_deref(), Split::Train, train.max_train_samples)?;
    let eval = load(eval.validation_file.as_deref(), Split::Test, eval.max_eval_samples)?;
    let both = Both {
        train: summarize(&train, &tokenizer, flags.ids)?,
        eval: summarize(&eval, &tokenizer, flags.ids)?,
    };
    if flags.json {
        writeln!(out, "{}", to_json(&both)?)?;
        return Ok(());
    }
    write_summary("train", &both.train, &train, out)?;
    writeln!(out)?;
    write_summary("eval", &both.eval, &eval, out)?;
    Ok(())
}

fn write_summary(
    name: &str,
    summary: &Summary,
    reviews: &[Review],
    out: &mut impl Write,
) -> std::io::Result<()> {
    let share = |count: usize| 100.0 * count as f64 / summary.rows.max(1) as f64;
    let negatives = summary.rows - summary.positives;
    writeln!(
        out,
        "{name}: {} reviews, {} positive ({:.1} %), {negatives} negative ({:.1} %), {:.1} % with [UNK]",
        summary.rows,
        summary.positives,
        share(summary.positives),
        share(negatives),
        100.0 * summary.unk_share
    )?;
    if let Some(ids) = &summary.ids {
        for id in ids {
            writeln!(out, "{}", excerpt(id, 40))?;
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
    writeln!(out, "  the first reviews:")?;
    for review in reviews.iter().take(5) {
        let document = excerpt(&review.document, 60);
        writeln!(out, "    {}  {}  {document}", review.label, excerpt(&review.id, 12))?;
    }
    Ok(())
}
