//! `nsmc-tui tokenize`.

use super::{each_text, saved};
use crate::cli::flags::TokenizeFlags;
use crate::core::text::{sanitize_for_terminal, to_json};
use crate::core::tokenizer::Encoding;
use crate::screen::lang::Lang;
use serde::Serialize;
use std::io::Write;

#[derive(Serialize)]
struct Tokenized<'a> {
    text: &'a str,
    tokens: &'a [String],
    ids: &'a [u32],
    offsets: &'a [(usize, usize)],
}

pub fn run(flags: &TokenizeFlags, out: &mut impl Write) -> anyhow::Result<()> {
    let tokenizer = saved::tokenizer(flags.model_name_or_path.as_deref(), &flags.revision)?;
    each_text(&flags.texts, Lang::English, |texts| {
        for text in texts {
            let encoding = tokenizer.encode(text, usize::MAX)?;
            if flags.json {
                let tokenized = Tokenized {
                    text,
                    tokens: &encoding.tokens,
                    ids: &encoding.ids,
                    offsets: &encoding.offsets,
                };
                writeln!(out, "{}", to_json(&tokenized)?)?;
            } else {
                write_tokens(text, &encoding, tokenizer.unk_id(), out)?;
            }
        }
        Ok(out.flush()?)
    })
}

/// Writes one token per line: its id, its range of characters, the token, and for `[UNK]` its text.
fn write_tokens(
    text: &str,
    encoding: &Encoding,
    unk_id: Option<u32>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let tokens = encoding.ids.iter().zip(&encoding.offsets).zip(&encoding.tokens);
    for ((&id, &(start, end)), token) in tokens {
        let range = match (start, end) {
            (0, 0) => String::new(),
            (start, end) => format!("{start}-{end}"),
        };
        write!(out, "{id:>6}  {range:<9}  {}", sanitize_for_terminal(token))?;
        if Some(id) == unk_id {
            let unknown: String = text.chars().skip(start).take(end - start).collect();
            write!(out, "  <- \"{}\" is not in the vocabulary", sanitize_for_terminal(&unknown))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
