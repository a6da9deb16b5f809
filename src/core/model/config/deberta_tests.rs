//! Supported and unsupported values of `DeBERTa`'s `config.json`.

use super::*;
use crate::core::model::{ModelError, ModelLayout};
use std::path::Path;

fn parse(changes: &Value) -> Result<ModelConfig, ModelError> {
    let mut json = json!({"model_type": "deberta-v2"});
    if let (Some(json), Some(changes)) = (json.as_object_mut(), changes.as_object()) {
        json.extend(changes.clone());
    }
    ModelConfig::parse(&json.to_string(), Path::new("config.json"), &[])
}

fn refusal(changes: &Value) -> String {
    parse(changes).map_or_else(|error| error.to_string(), |_| String::new())
}

/// What `DebertaV2Config()` of transformers 5.24 has.
#[test]
fn missing_values_are_those_of_transformers() -> Result<(), ModelError> {
    let config = parse(&json!({}))?;
    let encoder = &config.encoder;
    let sizes = [
        encoder.vocab_size,
        config.embedding_size,
        encoder.hidden_size,
        encoder.num_hidden_layers,
        encoder.num_attention_heads,
        encoder.intermediate_size,
        encoder.max_position_embeddings,
        encoder.type_vocab_size,
        encoder.pad_token_id,
    ];
    assert_eq!(sizes, [128_100, 1536, 1536, 24, 24, 6144, 512, 0, 0]);
    let dropouts = config.dropout_probabilities();
    assert_eq!((dropouts.head_input, dropouts.head, dropouts.relative), (0.0, 0.1, 0.0));
    assert_eq!((encoder.layer_norm_eps, encoder.initializer_range), (1e-7, 0.02));
    assert_eq!((config.relative, config.has_positions()), (None, true));
    assert_eq!(config.head_activation(), Activation::Gelu);
    Ok(())
}

#[test]
fn the_values_of_kf_deberta_are_read() -> Result<(), ModelError> {
    let config = parse(&json!({
        "architectures": ["DebertaV2Model"], "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768,
        "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-7,
        "max_position_embeddings": 512, "max_relative_positions": -1, "norm_rel_ebd": "layer_norm",
        "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 0,
        "pooler_dropout": 0, "pooler_hidden_act": "gelu", "pooler_hidden_size": 768,
        "pos_att_type": ["p2c", "c2p"], "position_biased_input": false, "position_buckets": 256,
        "relative_attention": true, "share_att_key": true, "type_vocab_size": 0,
        "vocab_size": 130_000
    }))?;
    let expected = RelativePositions {
        span: 256,
        buckets: Some(256),
        max_distance: 512,
        keys: true,
        queries: true,
        shared: true,
        normed: true,
    };
    assert_eq!((config.relative, config.has_positions()), (Some(expected), false));
    assert!((config.score_scale() - 1.0 / 192f64.sqrt()).abs() < 1e-15);
    assert_eq!(config.dropout_probabilities().relative, 0.1);
    let layout = ModelLayout::new(&config);
    // As transformers counts them, with two classes.
    assert_eq!(layout.len(), 185_882_882);
    assert_eq!(layout.tables.positions, None);
    assert!(config.to_json().contains("\"DebertaV2ForSequenceClassification\""));
    assert!(config.description().starts_with("DeBERTa-v2 12 layers × 768"));
    Ok(())
}

#[test]
fn relative_positions_are_read_in_all_forms() -> Result<(), ModelError> {
    let relative = |changes: Value| -> Result<Option<RelativePositions>, ModelError> {
        let mut all = json!({"relative_attention": true, "pos_att_type": "c2p"});
        if let (Some(all), Some(changes)) = (all.as_object_mut(), changes.as_object()) {
            all.extend(changes.clone());
        }
        Ok(parse(&all)?.relative)
    };
    let plain = RelativePositions {
        span: 512,
        buckets: None,
        max_distance: 512,
        keys: true,
        queries: false,
        shared: false,
        normed: false,
    };
    assert_eq!(relative(json!({}))?, Some(plain));
    assert_eq!(relative(json!({"position_buckets": 0, "norm_rel_ebd": "NONE"}))?, Some(plain));
    let shorter = RelativePositions { span: 40, max_distance: 40, ..plain };
    assert_eq!(relative(json!({"max_relative_positions": 40}))?, Some(shorter));
    let both = RelativePositions { queries: true, ..plain };
    for form in [json!("p2c|c2p"), json!(" C2P | p2c"), json!(["c2p", "p2c"])] {
        assert_eq!(relative(json!({"pos_att_type": form}))?, Some(both), "{form}");
    }
    let queries = RelativePositions { queries: true, keys: false, ..plain };
    assert_eq!(relative(json!({"pos_att_type": ["p2c"]}))?, Some(queries));
    assert_eq!(relative(json!({"relative_attention": false}))?, None);
    Ok(())
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    for (changes, expected) in [
        (json!({"conv_kernel_size": 3}), "conv_kernel_size 3 is not supported; 0 is"),
        (json!({"embedding_size": 128}), "embedding_size 128 is not supported; hidden_size is"),
        (json!({"pooler_hidden_size": 64}), "pooler_hidden_size 64"),
        (json!({"attention_head_size": 32}), "attention_head_size 32"),
        (json!({"pos_att_type": "p2p|c2p"}), "pos_att_type \"p2p|c2p\" is not supported; c2p"),
        (json!({"pos_att_type": 3}), "pos_att_type 3"),
        (json!({"relative_attention": true}), "relative_attention is true, but pos_att_type names"),
        (json!({"relative_attention": null}), "relative_attention is null; true or false"),
        (json!({"pooler_hidden_act": "silu"}), "pooler_hidden_act \"silu\""),
        (json!({"pooler_dropout": 1}), "pooler_dropout is 1"),
        (json!({"cls_dropout": 1}), "cls_dropout is 1"),
        (json!({"position_biased_input": 1}), "position_biased_input is 1"),
    ] {
        let message = refusal(&changes);
        assert!(message.contains(expected), "{changes}: {message}");
    }
    for (name, value, expected) in [
        ("norm_rel_ebd", json!("batch_norm"), "norm_rel_ebd \"batch_norm\" is not supported"),
        ("position_buckets", json!(1), "position_buckets is 1; from 2 to"),
        ("position_buckets", json!(1022), "position_buckets is 1022; from 2 to less than twice"),
        ("position_buckets", json!(null), "position_buckets is null"),
        ("max_relative_positions", json!(1 << 21), "max_relative_positions is 2097152; at most"),
        ("share_att_key", json!("yes"), "share_att_key is \"yes\""),
    ] {
        let message =
            refusal(&json!({"relative_attention": true, "pos_att_type": "c2p", name: value}));
        assert!(message.contains(expected), "{name}: {message}");
    }
    let first = ModelConfig::parse(r#"{"model_type": "deberta"}"#, Path::new("config.json"), &[]);
    let message = first.map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("model_type \"deberta\" is not supported; these are:"), "{message}");
    for same in [
        json!({"conv_kernel_size": 0, "conv_act": "gelu", "legacy": false, "z_steps": 0}),
        json!({"conv_kernel_size": -1, "embedding_size": 1536, "pooler_hidden_size": 1536}),
        json!({"attention_head_size": 64, "bos_token_id": null, "type_vocab_size": 2}),
    ] {
        assert_eq!(refusal(&same), "", "{same}");
    }
}
