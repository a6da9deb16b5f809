//! Tests of where a model or a dataset is found.

use super::*;

#[test]
fn hub_names_are_distinguished_from_paths() {
    for id in ["bert-base-multilingual-cased", "klue/bert-base", "monologg/koelectra-base-v3"] {
        assert!(is_hub_id(id), "{id}");
    }
    for path in ["./outputs", "/tmp/x", "a/b/c", "../a", "folder with blanks", "", "out/"] {
        assert!(!is_hub_id(path), "{path}");
    }
    let message = model("no/such/folder", "main", &mut |_| true)
        .map_or_else(|error| error.to_string(), |_| String::new());
    assert!(message.contains("there is no such folder"), "{message}");
    let run = tempfile::tempdir().expect("a folder");
    for checkpoint in ["checkpoint-100", "checkpoint-20"] {
        let folder = run.path().join(checkpoint);
        std::fs::create_dir(&folder).expect("a folder");
        for file in ["config.json", "model.safetensors"] {
            std::fs::write(folder.join(file), "{}").expect("a file");
        }
    }
    for end in ["", "/"] {
        let missing = format!("{}/checkpoint-10{end}", run.path().display());
        for error in [
            model(&missing, "main", &mut |_| true).map(drop),
            config(&missing, "main", &mut |_| true).map(drop),
        ] {
            let message = error.expect_err("missing").to_string();
            assert!(message.ends_with("has checkpoint-20, checkpoint-100"), "{message}");
        }
    }
    for other in ["klue/bert-base", "klue/checkpoint-10", "bert-base"] {
        assert!(refuse_missing_checkpoint(other).is_ok(), "{other} may be on the hub");
    }
}

#[cfg(feature = "hub")]
#[test]
fn the_splits_of_a_dataset_are_chosen() {
    let files = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    let nsmc = files(&["default/test/0000.parquet", "default/train/0000.parquet", "README.md"]);
    let RemoteFiles { train, eval, eval_split } = choose(&nsmc, None).unwrap_or_default();
    assert_eq!((train.len(), eval.len(), eval_split), (1, 1, "test"));
    let many = files(&["en/train/0000.parquet", "ko/train/0001.parquet", "ko/train/0000.parquet"]);
    assert!(choose(&many, None).is_err_and(|reason| reason.contains("en, ko")));
    let RemoteFiles { train, eval, .. } = choose(&many, Some("ko")).unwrap_or_default();
    assert_eq!(train, ["ko/train/0000.parquet", "ko/train/0001.parquet"]);
    assert!(eval.is_empty());
    assert!(choose(&[], None).is_err());
}
