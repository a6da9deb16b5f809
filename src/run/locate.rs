//! Finds the files of a model or a dataset in a folder, or downloads them from the Hugging Face hub
//! into its cache.

use crate::core::model::folder::holds_a_model;
use crate::core::train::checkpoint::{list, step_of};
use crate::run::protocol::Download;
use std::path::{Path, PathBuf};

/// A callback for the progress of a download; it returns `false` to cancel the download.
pub type DownloadCallback<'a> = dyn FnMut(&Download) -> bool + 'a;

/// The folder of a model: `name` itself if it is a folder, otherwise the cached files of the hub's
/// model with that name, downloaded if necessary.
///
/// # Errors
/// If neither exists, or the download fails or is cancelled.
pub fn model(
    name: &str,
    revision: &str,
    on_download: &mut DownloadCallback,
) -> anyhow::Result<PathBuf> {
    let folder = Path::new(name);
    if folder.is_dir() {
        return Ok(folder.to_path_buf());
    }
    refuse_missing_checkpoint(name)?;
    anyhow::ensure!(
        is_hub_id(name),
        "{name}: there is no such folder. Pass a folder with a config.json, or the name of a \
         model on the Hugging Face hub, such as klue/bert-base"
    );
    let found = hub::model(name, revision, on_download);
    if name.contains('/') {
        return found;
    }
    // A name without an owner is usually a mistyped folder: few models have such a name.
    found.map_err(|error| {
        error.context(format!("there is no folder {name}, so it was looked up on the hub"))
    })
}

/// A checkpoint that is no longer in the folder of its run is not looked up on the hub.
fn refuse_missing_checkpoint(name: &str) -> anyhow::Result<()> {
    let Some((folder, checkpoint)) = name.trim_end_matches('/').rsplit_once('/') else {
        return Ok(());
    };
    if step_of(Path::new(checkpoint)).is_none() || !Path::new(folder).is_dir() {
        return Ok(());
    }
    let there = list(Path::new(folder)).into_iter();
    let there: Vec<String> =
        there.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    let there = if there.is_empty() { "no checkpoint".to_owned() } else { there.join(", ") };
    anyhow::bail!("{name}: there is no such folder; {folder} has {there}")
}

/// Whether the text has the form of a repository name rather than of a path.
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
/// The errors of [`model`].
pub fn config(
    name: &str,
    revision: &str,
    on_download: &mut DownloadCallback,
) -> anyhow::Result<(PathBuf, bool)> {
    let folder = Path::new(name);
    if folder.is_dir() {
        return Ok((folder.to_path_buf(), holds_a_model(folder)));
    }
    refuse_missing_checkpoint(name)?;
    anyhow::ensure!(is_hub_id(name), "{name}: there is no such folder");
    Ok((hub::config(name, revision, on_download)?, true))
}

/// The files of a dataset's splits.
#[derive(Clone, Debug, Default)]
pub struct DatasetFiles {
    /// The training split.
    pub train: Vec<PathBuf>,
    /// The evaluation split; empty if there is none.
    pub eval: Vec<PathBuf>,
    /// The name of the evaluation split.
    pub eval_split: &'static str,
}

/// The Parquet files of a dataset's training and evaluation splits.
///
/// # Errors
/// If the hub has no such dataset, or the download fails or is cancelled.
pub fn dataset(
    name: &str,
    config: Option<&str>,
    on_download: &mut DownloadCallback,
) -> anyhow::Result<DatasetFiles> {
    hub::dataset(name, config, on_download)
}

/// The paths of a dataset's files in its repository.
#[cfg(feature = "hub")]
#[derive(Debug, Default)]
struct RemoteFiles {
    train: Vec<String>,
    eval: Vec<String>,
    eval_split: &'static str,
}

/// Selects the files of both splits among the paths `config/split/0000.parquet` of the hub's
/// Parquet branch.
#[cfg(feature = "hub")]
fn choose(files: &[String], config: Option<&str>) -> Result<RemoteFiles, String> {
    let mut configs: Vec<&str> = files
        .iter()
        .filter(|file| file.ends_with(".parquet"))
        .filter_map(|file| Some(file.split_once('/')?.0))
        .collect();
    configs.dedup();
    configs.sort_unstable();
    configs.dedup();
    let config = match (config, &configs[..]) {
        (_, []) => return Err("the hub has no Parquet files of it".to_owned()),
        (Some(requested), all) if all.contains(&requested) => requested,
        (None, [only]) => only,
        (None, all) if all.contains(&"default") => "default",
        (_, all) => {
            return Err(format!(
                "choose one of its configurations with --dataset-config-name: {}",
                all.join(", ")
            ));
        }
    };
    let files_of = |split: &str| -> Vec<String> {
        let folders = [format!("{config}/{split}/"), format!("{config}/partial-{split}/")];
        let mut of_split: Vec<String> = files
            .iter()
            .filter(|file| folders.iter().any(|folder| file.starts_with(folder)))
            .filter(|file| file.ends_with(".parquet"))
            .cloned()
            .collect();
        of_split.sort_unstable();
        of_split
    };
    let train = files_of("train");
    if train.is_empty() {
        return Err(format!("its configuration {config} has no split named train"));
    }
    let splits = ["validation", "test"].map(|split| (files_of(split), split));
    let found = splits.into_iter().find(|(files, _)| !files.is_empty());
    let (eval, eval_split) = found.unwrap_or_default();
    Ok(RemoteFiles { train, eval, eval_split })
}

#[cfg(feature = "hub")]
mod hub {
    use super::{DatasetFiles, Download, DownloadCallback, RemoteFiles, choose};
    use crate::core::model::weights::{INDEX, WEIGHTS, pickle, shards_of};
    use crate::core::text::sanitize_for_terminal;
    use crate::run::hub::{DownloadProgress, Hub, HubError, Repo};
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    /// The branch on which the hub stores every dataset as Parquet.
    const PARQUET: &str = "refs/convert/parquet";

    /// The files of one repository, downloaded as needed.
    struct RepoFiles<'a, 'w> {
        hub: Hub,
        repo: Repo,
        on_download: &'a mut DownloadCallback<'w>,
        /// The error because of which it is unknown whether an optional file exists.
        unknown: Option<HubError>,
    }

    impl<'a, 'w> RepoFiles<'a, 'w> {
        fn new(repo: Repo, on_download: &'a mut DownloadCallback<'w>) -> Result<Self, HubError> {
            Ok(Self { hub: Hub::from_environment()?, repo, on_download, unknown: None })
        }

        /// Calls the hub with a callback that converts its progress.
        fn with_progress<T>(
            &mut self,
            request: impl FnOnce(&Hub, &Repo, &mut dyn FnMut(&DownloadProgress) -> bool) -> T,
        ) -> T {
            let began = Instant::now();
            let on_download = &mut *self.on_download;
            let mut on_progress = |progress: &DownloadProgress| {
                let seconds = began.elapsed().as_secs_f64();
                let fetched = progress.done.saturating_sub(progress.resumed);
                on_download(&Download {
                    file: sanitize_for_terminal(&progress.file).into_owned(),
                    done: progress.done,
                    total: progress.total,
                    rate: (seconds > 0.5).then(|| fetched as f64 / seconds),
                })
            };
            request(&self.hub, &self.repo, &mut on_progress)
        }

        /// The local path of a file; `None` if the repository does not have it.
        fn file(&mut self, name: &str) -> Result<Option<PathBuf>, HubError> {
            self.with_progress(|hub, repo, progress| hub.file(repo, name, progress))
        }

        /// The local path of a file that may be missing. If the hub cannot be reached, the file
        /// counts as missing, and the error is stored in `unknown`.
        fn optional(&mut self, name: &str) -> Result<Option<PathBuf>, HubError> {
            match self.file(name) {
                Err(error @ (HubError::Offline { .. } | HubError::Unreachable { .. })) => {
                    self.unknown = Some(error);
                    Ok(None)
                }
                other => other,
            }
        }

        /// Finds config.json; returns the folder of the model's files, which all belong to one
        /// commit.
        fn config(&mut self) -> anyhow::Result<PathBuf> {
            let id = self.repo.id.clone();
            let Some(config) = self.file("config.json")? else {
                anyhow::bail!(
                    "{id} has no config.json on the hub, so it is not a model of transformers"
                );
            };
            let folder = config.parent().unwrap_or(Path::new(".")).to_path_buf();
            // The branch may move between two requests.
            if let Some(commit) = folder.file_name().and_then(|name| name.to_str()) {
                commit.clone_into(&mut self.repo.revision);
            }
            Ok(folder)
        }
    }

    pub(super) fn config(
        name: &str,
        revision: &str,
        on_download: &mut DownloadCallback,
    ) -> anyhow::Result<PathBuf> {
        RepoFiles::new(Repo::model(name).at(revision), on_download)?.config()
    }

    pub(super) fn model(
        name: &str,
        revision: &str,
        on_download: &mut DownloadCallback,
    ) -> anyhow::Result<PathBuf> {
        let mut source = RepoFiles::new(Repo::model(name).at(revision), on_download)?;
        let folder = source.config()?;
        let tokenizer =
            source.optional("tokenizer.json")?.is_some() || source.optional("vocab.txt")?.is_some();
        for name in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] {
            source.optional(name)?;
        }
        let has_weights = weights(&mut source, name)?;
        // A complete model in the cache needs no network. For an incomplete model, it is unknown
        // which files the repository has.
        if let Some(unknown) = source.unknown.filter(|_| !(has_weights && tokenizer)) {
            return Err(unknown.into());
        }
        anyhow::ensure!(
            tokenizer,
            "{name} has no tokenizer.json and no vocab.txt on the hub. Save it once in Python with \
             AutoTokenizer.from_pretrained('{name}').save_pretrained('FOLDER')"
        );
        if has_weights {
            return Ok(folder);
        }
        let mut source = RepoFiles::new(Repo::model(name).at(revision), on_download)?;
        let files = source.with_progress(|hub, repo, progress| hub.list(repo, progress))?;
        anyhow::ensure!(
            !files.iter().any(|file| file == "pytorch_model.bin"),
            "{name} has its weights on the hub as pytorch_model.bin only, which {}",
            pickle(Path::new(name))
        );
        anyhow::bail!("{name} has no {WEIGHTS} on the hub")
    }

    /// Downloads the weights, in one file or in shards. Returns `false` if the model has none.
    fn weights(source: &mut RepoFiles, name: &str) -> anyhow::Result<bool> {
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
        on_download: &mut DownloadCallback,
    ) -> anyhow::Result<DatasetFiles> {
        let mut source = RepoFiles::new(Repo::dataset(name).at(PARQUET), on_download)?;
        let files = source.with_progress(|hub, repo, progress| hub.list(repo, progress))?;
        let RemoteFiles { train, eval, eval_split } =
            choose(&files, config).map_err(|reason| anyhow::anyhow!("dataset {name}: {reason}"))?;
        let mut fetch = |files: Vec<String>| {
            files
                .iter()
                .map(|file| {
                    let path = source.file(file)?;
                    path.ok_or_else(|| {
                        anyhow::anyhow!("dataset {name}: its file {file} is missing on the hub")
                    })
                })
                .collect::<anyhow::Result<Vec<_>>>()
        };
        Ok(DatasetFiles { train: fetch(train)?, eval: fetch(eval)?, eval_split })
    }
}

#[cfg(not(feature = "hub"))]
mod hub {
    use super::{DatasetFiles, DownloadCallback};
    use std::path::PathBuf;

    const WITHOUT: &str = "this program was built without cargo's feature `hub`; \
        download it in Python and pass the folder or the files";

    pub(super) fn model(name: &str, _: &str, _: &mut DownloadCallback) -> anyhow::Result<PathBuf> {
        anyhow::bail!("{name}: there is no such folder, and {WITHOUT}")
    }

    pub(super) fn config(
        name: &str,
        _: &str,
        on_download: &mut DownloadCallback,
    ) -> anyhow::Result<PathBuf> {
        model(name, "", on_download)
    }

    pub(super) fn dataset(
        name: &str,
        _: Option<&str>,
        _: &mut DownloadCallback,
    ) -> anyhow::Result<DatasetFiles> {
        anyhow::bail!("dataset {name}: {WITHOUT}")
    }
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
