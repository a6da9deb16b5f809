//! The hub's configuration from environment variables, as Python's `huggingface_hub` reads it.

use super::HubError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The default endpoint.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Endpoint, cache folder, token and offline mode.
pub(super) struct HubEnvironment {
    pub(super) endpoint: String,
    pub(super) cache: PathBuf,
    pub(super) token: Option<String>,
    pub(super) offline: bool,
}

impl HubEnvironment {
    /// Reads the variables through `variable`; an empty variable counts as unset.
    pub(super) fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, HubError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| {
            let value = set(name)?.into_string().ok()?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let flag = |name: &str| {
            let value = text(name).unwrap_or_default().to_ascii_lowercase();
            matches!(value.as_str(), "1" | "true" | "yes" | "on")
        };

        let home = set("HOME").or_else(|| set("USERPROFILE")).map(PathBuf::from);
        let path =
            |name: &str| set(name).map(|value| expand(&PathBuf::from(value), home.as_deref()));
        let hugging_face = path("HF_HOME")
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| home.as_ref().map(|home| home.join(".cache").join("huggingface")));
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| hugging_face.as_ref().map(|folder| folder.join("hub")))
            .ok_or(HubError::NoCache)?;

        let token_file =
            path("HF_TOKEN_PATH").or_else(|| hugging_face.map(|folder| folder.join("token")));
        let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN")).or_else(|| {
            let token = std::fs::read_to_string(token_file?).ok()?.trim().to_owned();
            (!token.is_empty()).then_some(token)
        });
        Ok(Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
            cache,
            token: token.filter(|_| !flag("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
            offline: flag("HF_HUB_OFFLINE") || flag("TRANSFORMERS_OFFLINE"),
        })
    }
}

/// Replaces a leading `~` with the home folder.
fn expand(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<HubEnvironment, HubError> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        HubEnvironment::read(&|name| find(name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_cache_folder_is_that_of_huggingface_hub() -> Result<(), HubError> {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[("HOME", "/h")], "/h/.cache/huggingface/hub"),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/f")], "/f/hub"),
            (&[("HF_HOME", "/f"), ("HUGGINGFACE_HUB_CACHE", "/o")], "/o"),
            (&[("HF_HUB_CACHE", "/c"), ("HUGGINGFACE_HUB_CACHE", "/o")], "/c"),
            (&[("HOME", "/h"), ("HF_HOME", "~/f"), ("HF_HUB_CACHE", "")], "/h/f/hub"),
        ];
        for (variables, expected) in cases {
            assert_eq!(read(variables)?.cache, PathBuf::from(expected), "{variables:?}");
        }
        assert!(matches!(read(&[]), Err(HubError::NoCache)));
        Ok(())
    }

    #[test]
    fn endpoint_token_and_offline_mode() -> Result<(), HubError> {
        let plain = read(&[("HF_HOME", "/nowhere")])?;
        assert_eq!(
            (plain.endpoint.as_str(), plain.token, plain.offline),
            (DEFAULT_ENDPOINT, None, false)
        );
        let set = read(&[
            ("HF_HOME", "/nowhere"),
            ("HF_ENDPOINT", "https://mirror.example"),
            ("HF_TOKEN", " hf_x\n"),
            ("HF_HUB_OFFLINE", "True"),
        ])?;
        assert_eq!(set.endpoint, "https://mirror.example");
        assert_eq!(set.token.as_deref(), Some("hf_x"));
        assert!(set.offline);
        assert!(read(&[("HF_HOME", "/n"), ("TRANSFORMERS_OFFLINE", "yes")])?.offline);
        assert!(!read(&[("HF_HOME", "/n"), ("HF_HUB_OFFLINE", "0")])?.offline);
        let quiet =
            read(&[("HF_HOME", "/n"), ("HF_TOKEN", "x"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")])?;
        assert_eq!(quiet.token, None);
        Ok(())
    }

    #[test]
    fn the_token_may_be_in_a_file() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("token"), "hf_file\n")?;
        let home = folder.path().display().to_string();
        assert_eq!(read(&[("HF_HOME", &home)])?.token.as_deref(), Some("hf_file"));
        let both = read(&[("HF_HOME", &home), ("HF_TOKEN", "hf_set")])?;
        assert_eq!(both.token.as_deref(), Some("hf_set"));
        Ok(())
    }
}
