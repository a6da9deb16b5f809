//! Supported and unsupported values of `config.json`.

use super::*;

fn error_with(name: &str, value: Value) -> String {
    let overrides = [(name.to_owned(), value)];
    ModelConfig::parse(SMALL, Path::new("config.json"), &overrides)
        .map_or_else(|error| error.to_string(), |_| String::new())
}

/// The embedded configuration with one more value.
fn with(name: &str, value: &Value) -> Result<ModelConfig, ModelError> {
    let text = SMALL.replacen('{', &format!("{{\"{name}\": {value},"), 1);
    ModelConfig::parse(&text, Path::new("config.json"), &[])
}

#[test]
fn unsupported_values_are_rejected_by_name() {
    assert!(error_with("hidden_size", json!(190)).contains("is not a multiple"));
    assert!(error_with("hidden_size", json!(0)).contains("hidden_size is 0"));
    assert!(error_with("hidden_act", json!("swish")).contains("hidden_act \"swish\""));
    assert!(error_with("model_type", json!("gpt2")).contains("model_type \"gpt2\""));
    assert!(error_with("hidden_dropout_prob", json!(1.0)).contains("below 1"));
    assert!(error_with("hidden_size", json!(3 << 20)).contains("parameters"));
    assert!(error_with("vocab_size", json!(1 << 30)).contains("vocab_size is"));
    assert!(error_with("no_such", json!(1)).contains("no value named no_such"));
    let message = |name: &str, value: Value| {
        with(name, &value).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let position = message("position_embedding_type", json!("relative_key"));
    assert!(position.contains("position_embedding_type \"relative_key\""), "{position}");
}

fn parse(value: &Value) -> Result<ModelConfig, ModelError> {
    ModelConfig::parse(&value.to_string(), Path::new("config.json"), &[])
}

#[test]
fn the_number_of_classes_is_bounded_where_the_head_is_used() -> Result<(), ModelError> {
    for (count, fits) in
        [(0_u64, false), (1, false), (2, true), (1000, true), (1001, false), (1 << 40, false)]
    {
        // A head that is replaced may have any number.
        let mut config = parse(&json!({"num_labels": count}))?;
        assert_eq!(config.check_classes().is_ok(), fits, "{count}");
        config.set_labels(&["a", "b"].map(str::to_owned));
        assert_eq!(config.check_classes(), Ok(()), "{count}");
    }
    let one = parse(&json!({"num_labels": 1}))?.check_classes();
    assert!(one.is_err_and(|message| message.contains("1 class, for which transformers")));
    Ok(())
}

/// The names that transformers 5.24 has in `BertConfig.from_dict(…).id2label`; null, of which it
/// makes no name, has a placeholder here.
#[test]
fn classes_are_those_of_transformers() -> Result<(), ModelError> {
    for (value, expected) in [
        (json!({"id2label": {"0": 0, "1": 1}}), vec!["0", "1"]),
        (json!({"id2label": {"0": null, "1": null}}), vec!["LABEL_0", "LABEL_1"]),
        (json!({"id2label": {"0": "a", "1": null}}), vec!["a", "LABEL_1"]),
        (json!({"id2label": {"0": "a", "1": 1.5, "2": true}}), vec!["a", "1.5", "True"]),
        (json!({"id2label": {"0": "a", "2": "b"}}), vec!["a", "LABEL_1"]),
        (json!({"id2label": {"1": "a", "0": "b", " 2": "c"}}), vec!["b", "a", "c"]),
        (json!({"id2label": {"00": "a", "0": "b"}}), vec!["b"]),
        (json!({"id2label": {}}), vec![]),
        (json!({"id2label": null}), vec!["LABEL_0", "LABEL_1"]),
        (json!({"label2id": {"a": 0, "b": 1, "c": 2}}), vec!["LABEL_0", "LABEL_1"]),
        (json!({"num_labels": 3}), vec!["LABEL_0", "LABEL_1", "LABEL_2"]),
        (json!({"num_labels": 2, "id2label": {"0": "a", "1": "b"}}), vec!["a", "b"]),
        (
            json!({"num_labels": 3, "id2label": {"0": "a", "1": "b"}}),
            vec!["LABEL_0", "LABEL_1", "LABEL_2"],
        ),
    ] {
        assert_eq!(parse(&value)?.labels, expected, "{value}");
    }
    for (value, expected) in [
        (json!({"id2label": {"x": "a"}}), "id2label has the key \"x\""),
        (json!({"id2label": ["a", "b"]}), "id2label is [\"a\",\"b\"]"),
        (json!({"num_labels": "3"}), "num_labels is \"3\""),
        (json!({"num_labels": 2.0}), "num_labels is 2.0"),
    ] {
        let message = parse(&value).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains(expected), "{message}");
    }
    Ok(())
}

/// What `BertConfig()`, `RobertaConfig()`, `XLMRobertaConfig()` and `ElectraConfig()` of
/// transformers 5.24 have.
#[test]
fn missing_values_are_those_of_each_configuration_class() -> Result<(), ModelError> {
    for (name, sizes) in [
        ("bert", [30522, 768, 768, 12, 12, 3072, 512, 2, 0]),
        ("roberta", [50265, 768, 768, 12, 12, 3072, 512, 2, 1]),
        ("xlm-roberta", [30522, 768, 768, 12, 12, 3072, 512, 2, 1]),
        ("electra", [30522, 128, 256, 12, 4, 1024, 512, 2, 0]),
    ] {
        let config = parse(&json!({"model_type": name}))?;
        let encoder = &config.encoder;
        let found = [
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
        assert_eq!(found, sizes, "{name}");
        let numbers = [
            encoder.hidden_dropout_prob,
            config.attention_probs_dropout_prob,
            encoder.initializer_range,
            encoder.layer_norm_eps,
            config.classifier_dropout(),
        ];
        assert_eq!(numbers, [0.1, 0.1, 0.02, 1e-12, 0.1], "{name}");
        // A null is an error in transformers, except where the type has it.
        for value in
            ["vocab_size", "hidden_size", "hidden_act", "layer_norm_eps", "type_vocab_size"]
        {
            let null = parse(&json!({"model_type": name, value: null}));
            let message = null.map_or_else(|error| error.to_string(), |_| String::new());
            assert!(message.contains(&format!("{value} ")), "{name} {value}: {message}");
        }
        assert!(parse(&json!({"model_type": name, "classifier_dropout": null})).is_ok());
        let unpadded = parse(&json!({"model_type": name, "pad_token_id": null}));
        assert_eq!(
            unpadded.map(|config| config.padding_row()).ok(),
            match name {
                "roberta" | "xlm-roberta" => None,
                _ => Some(None),
            }
        );
    }
    let electra = json!({"model_type": "electra", "hidden_size": 64});
    assert_eq!(parse(&electra)?.embedding_size, 128);
    assert!(parse(&json!({"model_type": "electra", "embedding_size": null})).is_err());
    // Other architectures have no such value.
    assert_eq!(parse(&json!({"embedding_size": 5}))?.embedding_size, 768);
    // A default can be overridden without being written.
    let overrides = [("num_hidden_layers".to_owned(), json!(3))];
    let config = ModelConfig::parse("{}", Path::new("config.json"), &overrides)?;
    assert_eq!(config.encoder.num_hidden_layers, 3);
    Ok(())
}

/// What `DistilBertConfig()` of transformers 5.24 has, and how it reads its keys and their aliases.
#[test]
fn distilberts_values_have_its_own_keys() -> Result<(), ModelError> {
    let distilbert =
        |name: &str, value: Value| parse(&json!({"model_type": "distilbert", name: value}));
    let config = distilbert("dim", json!(768))?;
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
    assert_eq!(sizes, [30522, 768, 768, 6, 12, 3072, 512, 0, 0]);
    let dropouts = config.dropout_probabilities();
    let dropouts = [
        dropouts.embeddings,
        dropouts.attention_probabilities,
        dropouts.attention_output,
        dropouts.layer_output,
        dropouts.head_input,
        dropouts.head,
    ];
    assert_eq!(dropouts, [0.1, 0.1, 0.0, 0.1, 0.0, 0.2]);
    assert_eq!((encoder.layer_norm_eps, config.sinusoidal_positions), (1e-12, false));
    assert!(distilbert("sinusoidal_pos_embds", json!(true))?.sinusoidal_positions);
    // Keys of BERT that it does not have are ignored.
    for name in ["layer_norm_eps", "intermediate_size", "type_vocab_size", "hidden_dropout_prob"] {
        let other = distilbert(name, json!(0.25))?;
        assert_eq!(other.encoder, config.encoder, "{name}");
    }
    // An alias is taken before the key, in a file as in overrides.
    let both = json!({"model_type": "distilbert", "dim": 48, "hidden_size": 24});
    assert_eq!(parse(&both)?.encoder.hidden_size, 24);
    for name in ["dim", "hidden_size"] {
        let overrides = [(name.to_owned(), json!(36))];
        let config = ModelConfig::parse(&both.to_string(), Path::new("config.json"), &overrides)?;
        assert_eq!(config.encoder.hidden_size, 36);
        let saved = config.to_json();
        assert!(saved.contains("\"dim\": 36") && !saved.contains("hidden_size"), "{saved}");
        assert!(saved.contains("attention_dropout") && !saved.contains("probs"), "{saved}");
    }
    assert_eq!(distilbert("pad_token_id", Value::Null)?.padding_row(), None);
    for (name, value, expected) in [
        ("activation", json!("silu"), "activation \"silu\" is not supported"),
        ("dim", json!(190), "dim 190 is not a multiple of n_heads 12"),
        ("n_layers", json!(0), "n_layers is 0"),
        ("hidden_dim", json!(0), "hidden_dim is 0"),
        ("dropout", json!(1), "dropout is 1"),
        ("dropout", Value::Null, "dropout is null; a number is expected"),
        ("seq_classif_dropout", Value::Null, "seq_classif_dropout is null"),
        ("sinusoidal_pos_embds", json!(1), "sinusoidal_pos_embds is 1; true or false"),
    ] {
        let message = distilbert(name, value).map_or_else(|e| e.to_string(), |_| String::new());
        assert!(message.contains(expected), "{message}");
    }
    Ok(())
}

#[test]
fn values_that_change_the_computation_are_refused_by_name() {
    for (value, expected) in [
        (json!({"is_decoder": true}), "is_decoder true is not supported; false is"),
        (json!({"is_decoder": null}), "is_decoder null"),
        (json!({"add_cross_attention": true}), "add_cross_attention true"),
        (json!({"position_embedding_type": "relative_key"}), "position_embedding_type"),
        (json!({"position_embedding_type": 1}), "position_embedding_type 1"),
        (json!({"pruned_heads": {"0": [1]}}), "pruned_heads {\"0\":[1]}"),
        (json!({"per_layer_config": {"0": {"num_attention_heads": 2}}}), "per_layer_config"),
        (json!({"quantization_config": {"quant_method": "gptq"}}), "quantization_config"),
        (json!({"fusion_config": {}}), "fusion_config"),
        (json!({"transformers_weights": "other.safetensors"}), "transformers_weights"),
        (json!({"configuration_files": ["config.4.0.0.json"]}), "configuration_files"),
        (json!({"hidden_act": "silu"}), "hidden_act \"silu\""),
        (json!({"layer_norm_eps": -1.0}), "layer_norm_eps is -1"),
        (json!({"layer_norm_eps": "1e-5"}), "layer_norm_eps is \"1e-5\""),
        (json!({"hidden_size": "128"}), "hidden_size is \"128\""),
        (json!({"hidden_size": 128.0}), "hidden_size is 128.0"),
        (json!({"hidden_size": true}), "hidden_size is true"),
        (json!({"pad_token_id": -1}), "pad_token_id is -1"),
        (
            json!({"num_hidden_layers": 1 << 24, "hidden_size": 2, "intermediate_size": 1,
            "num_attention_heads": 1}),
            "num_hidden_layers is 16777216; it must be from 1 to 1000",
        ),
    ] {
        let message = parse(&value).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains(expected), "{value}: {message}");
    }
    for same in [
        json!({"is_decoder": false, "add_cross_attention": false, "position_embedding_type": null}),
        json!({"position_embedding_type": "absolute", "pruned_heads": {}, "per_layer_config": null}),
        json!({"quantization_config": null, "transformers_weights": "model.safetensors"}),
        json!({"chunk_size_feed_forward": 7, "use_cache": null, "tie_word_embeddings": false}),
        json!({"summary_type": "mean", "output_attentions": true, "torchscript": true}),
        // A head that is replaced may be of another kind.
        json!({"problem_type": "multi_label_classification"}),
    ] {
        assert!(parse(&same).is_ok(), "{same}");
    }
}

#[test]
fn a_saved_config_keeps_every_value() -> Result<(), ModelError> {
    let config = ModelConfig::small()?;
    let again = ModelConfig::parse(&config.to_json(), Path::new("config.json"), &[])?;
    assert_eq!(again.encoder, config.encoder);
    assert_eq!(again.labels, ["negative", "positive"]);
    // With `torch_dtype` float16, transformers would load the float32 weights in half precision.
    let half = with("torch_dtype", &json!("float16"))?;
    assert!(!half.to_json().contains("float16") && half.to_json().contains("\"dtype\""));
    assert!(half.precision_note().is_some_and(|note| note.contains("float16")));
    Ok(())
}

#[test]
fn a_config_without_classes_has_two_that_can_be_renamed() -> Result<(), ModelError> {
    let text = r#"{"vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16}"#;
    let mut config = ModelConfig::parse(text, Path::new("config.json"), &[])?;
    assert_eq!(config.labels, ["LABEL_0", "LABEL_1"]);
    assert_eq!(config.given_names(), None);
    config.set_labels(&["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    assert!(config.to_json().contains("\"2\": \"c\""));
    // Missing values are transformers' defaults.
    assert_eq!((config.encoder.layer_norm_eps, config.max_tokens()), (1e-12, 512));
    assert!((config.attention_probs_dropout_prob - 0.1).abs() < 1e-12);
    Ok(())
}

#[test]
fn robertas_positions_start_after_the_padding_token() -> Result<(), ModelError> {
    let text = SMALL.replace("\"bert\"", "\"roberta\"");
    let overrides =
        [("pad_token_id".to_owned(), json!(1)), ("max_position_embeddings".to_owned(), json!(514))];
    let config = ModelConfig::parse(&text, Path::new("config.json"), &overrides)?;
    assert_eq!((config.first_position(), config.max_tokens()), (2, 512));
    Ok(())
}
