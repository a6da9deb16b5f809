//! Where a model or a dataset is: in a folder, or on the Hugging Face hub and then in its cache.

use std::path::{Path, PathBuf};

/// How far a download has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Download {
    /// The file.
    pub file: String,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes of the whole; 0 while that is not known.
    pub total: u64,
    /// Bytes a second, once that is known.
    pub rate: Option<f64>,
}

/// Hears of downloads, and ends them by answering `false`.
pub type Watch<'a> = dyn FnMut(&Download) -> bool + 'a;

/// The folder of a model: `name` itself if there is such a folder, else the hub's files of the
/// model of that name, downloaded if need be.
///
/// # Errors
/// If there is neither, or the download fails or is ended.
pub fn model(name: &str, revision: &str, watch: &mut Watch) -> anyhow::Result<PathBuf> {
    let folder = Path::new(name);
    if folder.is_dir() {
        return Ok(folder.to_path_buf());
    }
    anyhow::ensure!(
        is_hub_id(name),
        "{name}: there is no such folder. Name one with config.json in it, or a model of the \
         Hugging Face hub, such as klue/bert-base"
    );
    hub::model(name, revision, watch)
}

/// Whether this could be the name of a repository, rather than a path.
fn is_hub_id(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    !name.is_empty()
        && name.chars().all(allowed)
        && name.matches('/').count() <= 1
        && !name.starts_with(['.', '/', '-'])
        && !name.ends_with('/')
}

/// The Parquet files of a dataset: of its training split and of the one to judge by.
///
/// # Errors
/// If the hub has no such dataset, or the download fails or is ended.
pub fn dataset(
    name: &str,
    config: Option<&str>,
    watch: &mut Watch,
) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    hub::dataset(name, config, watch)
}

/// The files of a dataset's split among the paths `config/split/0000.parquet` of the hub's Parquet
/// branch: configuration, training files, evaluation files.
#[cfg(feature = "hub")]
fn choose(
    files: &[String],
    config: Option<&str>,
) -> Result<(String, Vec<String>, Vec<String>), String> {
    let mut configs: Vec<&str> = files
        .iter()
        .filter(|file| file.ends_with(".parquet"))
        .filter_map(|file| Some(file.split_once('/')?.0))
        .collect();
    configs.dedup();
    configs.sort_unstable();
    configs.dedup();
    let config = match (config, &configs[..]) {
        (_, []) => return Err("the hub has made no Parquet files of it".to_owned()),
        (Some(asked), all) if all.contains(&asked) => asked,
        (None, [only]) => only,
        (None, all) if all.contains(&"default") => "default",
        (_, all) => {
            return Err(format!(
                "choose one of its configurations with --dataset-config-name: {}",
                all.join(", ")
            ));
        }
    };
    let of = |split: &str| -> Vec<String> {
        let folders = [format!("{config}/{split}/"), format!("{config}/partial-{split}/")];
        let mut of: Vec<String> = files
            .iter()
            .filter(|file| folders.iter().any(|folder| file.starts_with(folder)))
            .filter(|file| file.ends_with(".parquet"))
            .cloned()
            .collect();
        of.sort_unstable();
        of
    };
    let train = of("train");
    if train.is_empty() {
        return Err(format!("its configuration {config} has no split named train"));
    }
    let eval = ["validation", "test"].into_iter().map(of).find(|files| !files.is_empty());
    Ok((config.to_owned(), train, eval.unwrap_or_default()))
}

#[cfg(feature = "hub")]
mod hub {
    use super::{Download, Watch, choose};
    use crate::hub::{Hub, Repo, Transfer};
    use crate::model::weights::{INDEX, WEIGHTS, pickle, shards_of};
    use crate::text::printable;
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    /// The branch on which the hub keeps every dataset as Parquet.
    const PARQUET: &str = "refs/convert/parquet";

    /// Downloads files of one repository.
    struct Source<'a, 'w> {
        hub: Hub,
        repo: Repo,
        watch: &'a mut Watch<'w>,
    }

    impl Source<'_, '_> {
        /// A file's place, if the repository has it.
        fn file(&mut self, name: &str) -> anyhow::Result<Option<PathBuf>> {
            let began = Instant::now();
            let mut tell = |transfer: &Transfer| {
                let seconds = began.elapsed().as_secs_f64();
                let fetched = transfer.done.saturating_sub(transfer.resumed);
                (self.watch)(&Download {
                    file: printable(&transfer.file).into_owned(),
                    done: transfer.done,
                    total: transfer.total,
                    rate: (seconds > 0.5).then(|| fetched as f64 / seconds),
                })
            };
            Ok(self.hub.file(&self.repo, name, &mut tell)?)
        }

        /// A file that does not have to be there. Without a network, what the cache lacks counts
        /// as not there.
        fn optional(&mut self, name: &str) -> anyhow::Result<Option<PathBuf>> {
            let offline = |error: &anyhow::Error| {
                error.downcast_ref::<crate::hub::HubError>().is_some_and(|error| {
                    matches!(
                        error,
                        crate::hub::HubError::Offline { .. }
                            | crate::hub::HubError::Unreachable { .. }
                    )
                })
            };
            match self.file(name) {
                Err(error) if offline(&error) => Ok(None),
                other => other,
            }
        }
    }

    pub(super) fn model(name: &str, revision: &str, watch: &mut Watch) -> anyhow::Result<PathBuf> {
        let repo = Repo::model(name).at(revision);
        let mut source = Source { hub: Hub::from_environment()?, repo, watch };
        let Some(config) = source.file("config.json")? else {
            anyhow::bail!(
                "{name} has no config.json on the hub, so it is no model of transformers"
            );
        };
        let folder = config.parent().unwrap_or(Path::new(".")).to_path_buf();
        let tokenizer = source.optional("tokenizer.json")?.is_some()
            || source.optional("vocab.txt")?.is_some();
        for name in ["tokenizer_config.json", "special_tokens_map.json"] {
            source.optional(name)?;
        }
        anyhow::ensure!(
            tokenizer,
            "{name} has no tokenizer.json and no vocab.txt on the hub. Save it once in Python with \
             AutoTokenizer.from_pretrained('{name}').save_pretrained('FOLDER')"
        );
        if source.optional(WEIGHTS)?.is_some() {
            return Ok(folder);
        }
        if let Some(index) = source.optional(INDEX)? {
            for shard in shards_of(&index)? {
                anyhow::ensure!(
                    source.file(&shard)?.is_some(),
                    "{name} has an index of weights, but its {shard} is missing on the hub"
                );
            }
            return Ok(folder);
        }
        let files = source.hub.list(&source.repo)?;
        anyhow::ensure!(
            !files.iter().any(|file| file == "pytorch_model.bin"),
            "{name} has its weights on the hub as pytorch_model.bin only, which {}",
            pickle(Path::new(name))
        );
        anyhow::bail!("{name} has no {WEIGHTS} on the hub")
    }

    pub(super) fn dataset(
        name: &str,
        config: Option<&str>,
        watch: &mut Watch,
    ) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let repo = Repo::dataset(name).at(PARQUET);
        let mut source = Source { hub: Hub::from_environment()?, repo, watch };
        let files = source.hub.list(&source.repo)?;
        let (_, train, eval) =
            choose(&files, config).map_err(|reason| anyhow::anyhow!("dataset {name}: {reason}"))?;
        let mut fetch = |files: Vec<String>| {
            files
                .iter()
                .map(|file| {
                    let path = source.file(file)?;
                    path.ok_or_else(|| anyhow::anyhow!("dataset {name} has lost its {file}"))
                })
                .collect::<anyhow::Result<Vec<_>>>()
        };
        Ok((fetch(train)?, fetch(eval)?))
    }
}

#[cfg(not(feature = "hub"))]
mod hub {
    use super::Watch;
    use std::path::PathBuf;

    const WITHOUT: &str = "this program was built without the hub (cargo's feature `hub`); \
        download it in Python and name the folder or the files";

    pub(super) fn model(name: &str, _: &str, _: &mut Watch) -> anyhow::Result<PathBuf> {
        anyhow::bail!("{name}: there is no such folder, and {WITHOUT}")
    }

    pub(super) fn dataset(
        name: &str,
        _: Option<&str>,
        _: &mut Watch,
    ) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        anyhow::bail!("dataset {name}: {WITHOUT}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        for id in ["bert-base-multilingual-cased", "klue/bert-base", "monologg/koelectra-base-v3"] {
            assert!(is_hub_id(id), "{id}");
        }
        for path in ["./outputs", "/tmp/x", "a/b/c", "../a", "folder with blanks", "", "out/"] {
            assert!(!is_hub_id(path), "{path}");
        }
        let message = model("no/such/folder", "main", &mut |_| true)
            .map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains("there is no such folder"), "{message}");
    }

    #[cfg(feature = "hub")]
    #[test]
    fn a_datasets_splits_are_chosen() {
        let files = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let nsmc = files(&["default/test/0000.parquet", "default/train/0000.parquet", "README.md"]);
        let (config, train, eval) = choose(&nsmc, None).unwrap_or_default();
        assert_eq!(config, "default");
        assert_eq!((train.len(), eval.len()), (1, 1));
        let many =
            files(&["en/train/0000.parquet", "ko/train/0001.parquet", "ko/train/0000.parquet"]);
        assert!(choose(&many, None).is_err_and(|reason| reason.contains("en, ko")));
        let (_, train, eval) = choose(&many, Some("ko")).unwrap_or_default();
        assert_eq!(train, ["ko/train/0000.parquet", "ko/train/0001.parquet"]);
        assert!(eval.is_empty());
        assert!(choose(&[], None).is_err());
    }
}
