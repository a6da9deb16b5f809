//! Damaged files in bounded loops: every input gives a model or an error, never a panic, and nothing
//! is allocated that the files or the limits do not cover.

use super::config::SMALL;
use super::weights::{INDEX, WEIGHTS, shards_of};
use super::*;
use crate::core::data::sampling::Generator;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest time of a loop.
const LONGEST: Duration = Duration::from_secs(3);

/// Fragments that are valid at many places of a JSON file or a header.
const FRAGMENTS: [&[u8]; 16] = [
    b"null",
    b"-1",
    b"0",
    b"1e999",
    b"18446744073709551615",
    b"9007199254740993",
    b"16777216",
    b"[]",
    b"{}",
    b"[[[[[[[[",
    b"\"F64\"",
    b"\"\"",
    b"\"bert.embeddings.LayerNorm.gamma\"",
    b"true",
    b",",
    b"\xff\xfe",
];

fn below(generator: &mut Generator, end: u64) -> u64 {
    generator.next_u64() % end
}

/// A mutation of `bytes`: some bytes are changed, removed, doubled or replaced by a fragment.
fn mutated(bytes: &[u8], generator: &mut Generator) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=below(generator, 3) {
        let at = below(generator, bytes.len().max(1) as u64) as usize;
        let end = (at + below(generator, 12) as usize).min(bytes.len());
        match below(generator, 4) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << below(generator, 8);
                }
            }
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let fragment = FRAGMENTS[below(generator, FRAGMENTS.len() as u64) as usize];
                bytes.splice(at..end, fragment.iter().copied());
            }
        }
    }
    bytes
}

/// Calls `check` with mutations until `count` of them, or the longest time, are through.
fn mutations(bytes: &[u8], count: usize, mut check: impl FnMut(&[u8])) {
    let (mut generator, start) = (Generator::new(11), Instant::now());
    for _ in 0..count {
        check(&mutated(bytes, &mut generator));
        if start.elapsed() > LONGEST {
            break;
        }
    }
}

#[test]
fn damaged_configurations_give_an_error_or_a_bounded_model() {
    let whole = format!(
        "{{\"model_type\": \"electra\", \"num_labels\": 3, \"is_decoder\": false, {}",
        SMALL.trim_start().trim_start_matches('{').replace("\"model_type\"", "\"other\"")
    );
    let mut read = 0;
    mutations(whole.as_bytes(), 3000, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(config) = ModelConfig::parse(&text, Path::new("config.json"), &[]) else { return };
        read += 1;
        let layout = ModelLayout::new(&config);
        assert!(layout.len() < 6_000_000_000 && layout.parameters.len() < 20_000);
        config.to_json();
    });
    assert!(read > 100, "only {read} mutations could be read");
}

#[test]
fn damaged_weights_give_an_error_or_a_model() -> anyhow::Result<()> {
    let text = json!({
        "vocab_size": 7, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1,
        "intermediate_size": 4, "max_position_embeddings": 8,
    });
    let config = ModelConfig::parse(&text.to_string(), Path::new("config.json"), &[])?;
    let (model, _) = SequenceClassifier::new(config.clone(), Weights::none(), 1)?;
    let folder = tempfile::tempdir()?;
    folder::write(folder.path(), &model)?;
    let file = folder.path().join(WEIGHTS);
    let whole = std::fs::read(&file)?;
    let header = u64::from_le_bytes(whole[..8].try_into()?) as usize + 8;
    let load = |bytes: &[u8]| {
        std::fs::write(&file, bytes)
            .is_ok_and(|()| folder::load(folder.path(), config.clone(), false, 1).is_ok())
    };
    // The header with its length corrected, so that its content is what is wrong.
    let mut read = 0;
    mutations(&whole[8..header], 1500, |bytes| {
        let length = (bytes.len() as u64).to_le_bytes();
        read += usize::from(load(&[&length, bytes, &whole[header..]].concat()));
    });
    assert!(read > 10, "only {read} mutations could be read");
    mutations(&whole, 1500, |bytes| {
        load(bytes);
    });
    // Offsets whose sum is beyond 64 bits.
    let part = 1u64 << 61;
    let tensors: Vec<String> = (0..7)
        .map(|n| {
            let (from, to) = (n * part, (n + 1) * part);
            format!(
                "\"{n}\":{{\"dtype\":\"U8\",\"shape\":[{part}],\"data_offsets\":[{from},{to}]}}"
            )
        })
        .collect();
    let header = format!("{{{}}}", tensors.join(","));
    assert!(!load(&[&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()));
    Ok(())
}

#[test]
fn damaged_indices_of_shards_give_an_error_or_file_names() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let index = folder.path().join(INDEX);
    let whole = json!({"metadata": {"total_size": 1}, "weight_map": {
        "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}});
    let mut read = 0;
    mutations(whole.to_string().as_bytes(), 2000, |bytes| {
        let written = std::fs::write(&index, bytes);
        for shard in written.ok().and_then(|()| shards_of(&index).ok()).into_iter().flatten() {
            read += 1;
            assert!(!shard.contains('/') && shard.ends_with(".safetensors"), "{shard}");
        }
    });
    assert!(read > 100, "only {read} names could be read");
    let map: serde_json::Map<String, serde_json::Value> =
        (0..501).map(|n| (n.to_string(), json!(format!("{n}.safetensors")))).collect();
    std::fs::write(&index, json!({"weight_map": map}).to_string())?;
    let message = shards_of(&index).map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("names 501 shards; at most 500"), "{message}");
    Ok(())
}
