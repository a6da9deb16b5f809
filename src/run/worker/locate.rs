//! Where a model or a dataset is: in a folder, or on the Hugging Face hub and then in its cache.

pub use crate::run::protocol::Download;

use crate::core::model::folder::holds_a_model;
use std::path::{Path, PathBuf};

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
    let found = hub::model(name, revision, watch);
    if name.contains('/') {
        return found;
    }
    // A mistyped folder, more often than one of the few models without an owner.
    found
        .map_err(|error| error.context(format!("no folder is called {name}, so the hub was asked")))
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

/// A folder with the config.json of a model, as [`model`] finds it, perhaps without its weights,
/// and whether the model has weights.
///
/// # Errors
/// As [`model`].
pub fn config(name: &str, revision: &str, watch: &mut Watch) -> anyhow::Result<(PathBuf, bool)> {
    let folder = Path::new(name);
    if folder.is_dir() {
        return Ok((folder.to_path_buf(), holds_a_model(folder)));
    }
    anyhow::ensure!(is_hub_id(name), "{name}: there is no such folder");
    Ok((hub::config(name, revision, watch)?, true))
}

/// The files of a dataset's splits.
#[derive(Clone, Debug, Default)]
pub struct DatasetFiles {
    /// To learn from.
    pub train: Vec<PathBuf>,
    /// To be judged by; perhaps none.
    pub eval: Vec<PathBuf>,
    /// What that split is called.
    pub split: &'static str,
}

/// The Parquet files of a dataset: of its training split and of the one to judge by.
///
/// # Errors
/// If the hub has no such dataset, or the download fails or is ended.
pub fn dataset(
    name: &str,
    config: Option<&str>,
    watch: &mut Watch,
) -> anyhow::Result<DatasetFiles> {
    hub::dataset(name, config, watch)
}

/// The names of a dataset's files.
#[cfg(feature = "hub")]
#[derive(Debug, Default)]
struct Chosen {
    train: Vec<String>,
    eval: Vec<String>,
    split: &'static str,
}

/// Chooses among the paths `config/split/0000.parquet` of the hub's Parquet branch.
#[cfg(feature = "hub")]
fn choose(files: &[String], config: Option<&str>) -> Result<Chosen, String> {
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
    let splits = ["validation", "test"].map(|split| (of(split), split));
    let found = splits.into_iter().find(|(files, _)| !files.is_empty());
    let (eval, split) = found.unwrap_or_default();
    Ok(Chosen { train, eval, split })
}

#[cfg(feature = "hub")]
mod hub {
    use super::{Chosen, DatasetFiles, Download, Watch, choose};
    use crate::core::model::weights::{INDEX, WEIGHTS, pickle, shards_of};
    use crate::core::text::sanitize_for_terminal;
    use crate::run::hub::{Hub, HubError, Repo, Transfer};
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    /// The branch on which the hub keeps every dataset as Parquet.
    const PARQUET: &str = "refs/convert/parquet";

    /// Downloads files of one repository.
    struct Source<'a, 'w> {
        hub: Hub,
        repo: Repo,
        watch: &'a mut Watch<'w>,
        /// Why a file that does not have to be there could not be asked for.
        unknown: Option<HubError>,
    }

    impl<'a, 'w> Source<'a, 'w> {
        fn new(repo: Repo, watch: &'a mut Watch<'w>) -> Result<Self, HubError> {
            Ok(Self { hub: Hub::from_environment()?, repo, watch, unknown: None })
        }

        /// Turns the hub's reports into ours.
        fn watched<T>(
            &mut self,
            ask: impl FnOnce(&Hub, &Repo, &mut dyn FnMut(&Transfer) -> bool) -> T,
        ) -> T {
            let began = Instant::now();
            let watch = &mut *self.watch;
            let mut tell = |transfer: &Transfer| {
                let seconds = began.elapsed().as_secs_f64();
                let fetched = transfer.done.saturating_sub(transfer.resumed);
                watch(&Download {
                    file: sanitize_for_terminal(&transfer.file).into_owned(),
                    done: transfer.done,
                    total: transfer.total,
                    rate: (seconds > 0.5).then(|| fetched as f64 / seconds),
                })
            };
            ask(&self.hub, &self.repo, &mut tell)
        }

        /// A file's place, if the repository has it.
        fn file(&mut self, name: &str) -> Result<Option<PathBuf>, HubError> {
            self.watched(|hub, repo, tell| hub.file(repo, name, tell))
        }

        /// A file that does not have to be there. Where that cannot be asked, it counts as not
        /// there, and why is remembered.
        fn optional(&mut self, name: &str) -> Result<Option<PathBuf>, HubError> {
            match self.file(name) {
                Err(error @ (HubError::Offline { .. } | HubError::Unreachable { .. })) => {
                    self.unknown = Some(error);
                    Ok(None)
                }
                other => other,
            }
        }

        /// The folder of the model's files, all of one commit, with its config.json in it.
        fn config(&mut self) -> anyhow::Result<PathBuf> {
            let id = self.repo.id.clone();
            let Some(config) = self.file("config.json")? else {
                anyhow::bail!(
                    "{id} has no config.json on the hub, so it is no model of transformers"
                );
            };
            let folder = config.parent().unwrap_or(Path::new(".")).to_path_buf();
            // A branch may move while its files are asked for.
            if let Some(commit) = folder.file_name().and_then(|name| name.to_str()) {
                commit.clone_into(&mut self.repo.revision);
            }
            Ok(folder)
        }
    }

    pub(super) fn config(name: &str, revision: &str, watch: &mut Watch) -> anyhow::Result<PathBuf> {
        Source::new(Repo::model(name).at(revision), watch)?.config()
    }

    pub(super) fn model(name: &str, revision: &str, watch: &mut Watch) -> anyhow::Result<PathBuf> {
        let mut source = Source::new(Repo::model(name).at(revision), watch)?;
        let folder = source.config()?;
        let tokenizer =
            source.optional("tokenizer.json")?.is_some() || source.optional("vocab.txt")?.is_some();
        for name in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] {
            source.optional(name)?;
        }
        let whole = weights(&mut source, name)?;
        // A whole model in the cache needs no network; of half a one, what is missing is unknown.
        if let Some(unknown) = source.unknown.filter(|_| !(whole && tokenizer)) {
            return Err(unknown.into());
        }
        anyhow::ensure!(
            tokenizer,
            "{name} has no tokenizer.json and no vocab.txt on the hub. Save it once in Python with \
             AutoTokenizer.from_pretrained('{name}').save_pretrained('FOLDER')"
        );
        if whole {
            return Ok(folder);
        }
        let mut source = Source::new(Repo::model(name).at(revision), watch)?;
        let files = source.watched(|hub, repo, tell| hub.list(repo, tell))?;
        anyhow::ensure!(
            !files.iter().any(|file| file == "pytorch_model.bin"),
            "{name} has its weights on the hub as pytorch_model.bin only, which {}",
            pickle(Path::new(name))
        );
        anyhow::bail!("{name} has no {WEIGHTS} on the hub")
    }

    /// Downloads the weights, whole or in shards; whether there are any.
    fn weights(source: &mut Source, name: &str) -> anyhow::Result<bool> {
        if source.optional(WEIGHTS)?.is_some() {
            return Ok(true);
        }
        let Some(index) = source.optional(INDEX)? else {
            return Ok(false);
        };
        for shard in shards_of(&index)? {
            anyhow::ensure!(
                source.file(&shard)?.is_some(),
                "{name} has an index of weights, but its {shard} is missing on the hub"
            );
        }
        Ok(true)
    }

    pub(super) fn dataset(
        name: &str,
        config: Option<&str>,
        watch: &mut Watch,
    ) -> anyhow::Result<DatasetFiles> {
        let mut source = Source::new(Repo::dataset(name).at(PARQUET), watch)?;
        let files = source.watched(|hub, repo, tell| hub.list(repo, tell))?;
        let Chosen { train, eval, split } =
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
        Ok(DatasetFiles { train: fetch(train)?, eval: fetch(eval)?, split })
    }
}

#[cfg(not(feature = "hub"))]
mod hub {
    use super::{DatasetFiles, Watch};
    use std::path::PathBuf;

    const WITHOUT: &str = "this program was built without the hub (cargo's feature `hub`); \
        download it in Python and name the folder or the files";

    pub(super) fn model(name: &str, _: &str, _: &mut Watch) -> anyhow::Result<PathBuf> {
        anyhow::bail!("{name}: there is no such folder, and {WITHOUT}")
    }

    pub(super) fn config(name: &str, _: &str, watch: &mut Watch) -> anyhow::Result<PathBuf> {
        model(name, "", watch)
    }

    pub(super) fn dataset(
        name: &str,
        _: Option<&str>,
        _: &mut Watch,
    ) -> anyhow::Result<DatasetFiles> {
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
        let Chosen { train, eval, split } = choose(&nsmc, None).unwrap_or_default();
        assert_eq!((train.len(), eval.len(), split), (1, 1, "test"));
        let many =
            files(&["en/train/0000.parquet", "ko/train/0001.parquet", "ko/train/0000.parquet"]);
        assert!(choose(&many, None).is_err_and(|reason| reason.contains("en, ko")));
        let Chosen { train, eval, .. } = choose(&many, Some("ko")).unwrap_or_default();
        assert_eq!(train, ["ko/train/0000.parquet", "ko/train/0001.parquet"]);
        assert!(eval.is_empty());
        assert!(choose(&[], None).is_err());
    }
}
