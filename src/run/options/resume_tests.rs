use super::*;
use crate::core::model::Pooling;
use crate::core::train::arguments::StartingWeights;

const TRAITS: ModelTraits =
    ModelTraits { weights: StartingWeights::Random, max_tokens: 64, pooling: Pooling::Cls };

fn options(given: &[(&str, &str)], source: &ValueSource) -> anyhow::Result<TrainOptions> {
    let mut options = TrainOptions::default();
    for (name, text) in given {
        let outcome = options.set(name, OsStr::new(text), source);
        outcome.ok_or_else(|| anyhow::anyhow!("no option {name}"))?.map_err(anyhow::Error::msg)?;
    }
    Ok(options)
}

#[test]
fn the_pooling_is_that_of_the_model_also_where_an_earlier_version_did_not_record_it()
-> anyhow::Result<()> {
    let mean = ModelTraits { pooling: Pooling::Mean, ..TRAITS };
    let none = options(&[], &ValueSource::Checkpoint)?;
    for (value, count) in [("mean", 0), ("cls", 1)] {
        let now = options(&[("pooling", value)], &ValueSource::Flag)?;
        let found = changes(&none, &now, mean)?;
        assert_eq!(found.len(), count, "{found:?}");
        assert!(found.iter().all(|change| change.name == "pooling" && change.from == "mean"));
    }
    Ok(())
}

/// The changes between the options of a run, as its checkpoint records them, and flags.
fn changed(own: &[(&str, &str)], flags: &[(&str, &str)]) -> anyhow::Result<Vec<Change>> {
    let own = options(own, &ValueSource::Flag)?;
    let settings = [data_settings(&own), resolve(&own, TRAITS)?.1].concat();
    let record = super::super::run_toml::record(&own, &settings);
    let own = super::super::run_toml::from_record(&record).map_err(anyhow::Error::msg)?;
    let now = options(flags, &ValueSource::Flag)?.over(own.clone());
    Ok(changes(&own, &now, TRAITS)?)
}

#[test]
fn equal_values_in_another_spelling_are_not_changes() -> anyhow::Result<()> {
    let own = [
        ("learning_rate", "0.00003"),
        ("config_overrides", "num_hidden_layers=1,hidden_size=48"),
        ("max_seq_length", "160"),
    ];
    let flags = [
        ("learning_rate", "3e-5"),
        ("config_overrides", "hidden_size=48, num_hidden_layers=1"),
        ("max_seq_length", "64"),
        ("revision", "main"),
        ("bf16", "false"),
        ("class_weights", "none"),
        ("rdrop_alpha", "0.0"),
        ("nan_policy", "stop"),
        ("auto_find_batch_size", "false"),
        ("skip_bad_rows", "no"),
        ("reinit_top_layers", "0"),
        ("pooling", "cls"),
        ("layerwise_lr_decay", "1.0"),
        ("num_train_epochs", "10"),
        ("seed", "42"),
        ("max_steps", "-1"),
        ("output_dir", "elsewhere"),
    ];
    assert_eq!(changed(&own, &flags)?, []);
    Ok(())
}

/// Options that a resumed run cannot change, each with another value than the default.
const REFUSED: [(&str, &str); 16] = [
    ("model_name_or_path", "a/b"),
    ("revision", "v2"),
    ("ignore_mismatched_sizes", "true"),
    ("config_overrides", "hidden_size=48"),
    ("pooling", "mean"),
    ("objective", "rtd"),
    ("generator_layers", "3"),
    ("generator_size", "64"),
    ("reinit_top_layers", "1"),
    ("recipe", "native"),
    ("seed", "7"),
    ("data_seed", "7"),
    ("max_seq_length", "32"),
    ("train_sampling_strategy", "random"),
    ("per_device_train_batch_size", "16"),
    ("gradient_accumulation_steps", "2"),
];

#[test]
fn every_option_that_run_toml_records_is_obeyed_or_refused_by_name() -> anyhow::Result<()> {
    for (name, value) in REFUSED {
        let found = changed(&[], &[(name, value)])?;
        let change = found.iter().find(|change| change.name == name);
        let change = change.ok_or_else(|| anyhow::anyhow!("{name} is not compared"))?;
        assert!(change.refusal(false).is_some(), "{name}");
        assert_eq!(change.given, format!("--{} {value}", name.replace('_', "-")));
    }
    let obeyed = [
        ("num_train_epochs", "3"),
        ("max_steps", "7"),
        ("learning_rate", "1e-3"),
        ("lr_scheduler_type", "cosine"),
        ("warmup_steps", "3"),
        ("weight_decay", "0.1"),
        ("max_grad_norm", "2"),
        ("adam_beta1", "0.8"),
        ("adam_beta2", "0.8"),
        ("adam_epsilon", "1e-7"),
        ("layerwise_lr_decay", "0.9"),
        ("ema_decay", "0.99"),
        ("label_smoothing_factor", "0.1"),
        ("class_weights", "balanced"),
        ("rdrop_alpha", "0.5"),
        ("nan_policy", "rollback"),
        ("nan_rollbacks", "5"),
        ("auto_find_batch_size", "true"),
        ("unlabelled_batch_size", "8"),
        ("pseudo_label_warmup", "0.5"),
        ("pseudo_label_threshold", "0.5"),
        ("pseudo_label_weight", "0.5"),
        ("pad_to_max_length", "true"),
        ("max_tokens_per_batch", "512"),
        ("gradient_checkpointing", "true"),
        ("per_device_eval_batch_size", "8"),
        ("eval_strategy", "steps"),
        ("logging_steps", "7"),
        ("save_strategy", "epoch"),
        ("save_steps", "7"),
        ("save_total_limit", "7"),
        ("save_only_model", "true"),
        ("save_predictions", "false"),
        ("probe", "정말 재미있는 영화"),
        ("report_to", "none"),
        ("device", "cpu"),
        ("threads", "1"),
        ("bf16", "true"),
        ("tf32", "true"),
        ("ops", "reference"),
        ("metric_for_best_model", "f1"),
        ("mlm_probability", "0.3"),
        ("discriminator_weight", "10"),
        ("new_parameters_lr_factor", "2"),
        ("freeze_encoder_steps", "7"),
    ];
    for (name, value) in obeyed {
        let needs_texts = name.contains("pseudo_label") || name == "unlabelled_batch_size";
        let own: &[_] = if needs_texts { &[("unlabelled", "nsmc")] } else { &[] };
        let found = changed(own, &[(name, value)])?;
        assert!(found.iter().any(|change| change.name == name), "{name}: {found:?}");
        assert!(found.iter().all(|change| change.refusal(false).is_none()), "{name}: {found:?}");
    }
    let load_best = [("load_best_model_at_end", "true"), ("save_strategy", "epoch")];
    let found = changed(&[], &load_best)?;
    assert!(found.iter().any(|change| change.name == "load_best_model_at_end"), "{found:?}");
    assert!(found.iter().all(|change| change.refusal(false).is_none()), "{found:?}");
    for (name, value) in [("early_stopping_patience", "2"), ("early_stopping_threshold", "0.1")] {
        let patience = ("early_stopping_patience", "3");
        let own = [("metric_for_best_model", "f1"), patience];
        let found = changed(&own, &[(name, value)])?;
        assert!(found.len() == 1 && found[0].name == name, "{name}: {found:?}");
        assert_eq!(found[0].refusal(true), None, "{name}");
    }
    // The best model so far was selected by the metric.
    let metric = changed(&[], &[("metric_for_best_model", "f1")])?;
    assert!(metric.iter().any(|change| change.refusal(true).is_some()), "{metric:?}");

    // The data is compared by its content, and the rest says where to write.
    for name in TrainOptions::names() {
        let is_known = |known: &[(&str, &str)]| known.iter().any(|(known, _)| *known == name);
        assert!(
            is_known(&REFUSED)
                || is_known(&obeyed)
                || DATA.contains(&name)
                || NOT_COMPARED.contains(&name)
                || ["eval_steps", "greater_is_better", "load_best_model_at_end"].contains(&name)
                || name.starts_with("early_stopping_"),
            "{name} is neither obeyed nor refused"
        );
    }
    Ok(())
}

#[test]
fn epochs_that_are_given_override_the_steps_of_the_run() -> anyhow::Result<()> {
    let found = changed(&[("max_steps", "7")], &[("num_train_epochs", "3")])?;
    let names: Vec<&str> = found.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["max_steps", "num_train_epochs"]);
    assert_eq!((found[0].to.as_str(), found[1].to.as_str()), ("not set", "3"));
    assert!(found.iter().all(Change::is_of_the_schedule));
    Ok(())
}

#[test]
fn a_record_with_paths_to_write_to_or_unknown_options_is_refused() {
    for name in ["output_dir", "logging_dir", "resume_from_checkpoint", "no_such_option"] {
        let record = BTreeMap::from([(name.to_owned(), "/elsewhere".to_owned())]);
        assert!(super::super::run_toml::from_record(&record).is_err(), "{name}");
    }
}
