//! Where the hub is, with which token it is asked, and where its files are kept: as every Hugging Face tool has it.

use std::fmt::{Display, Formatter};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::bad_input;
use crate::files;
use crate::source::{SourceOptions, environment};

/// The public hub.
const ENDPOINT: &str = "https://huggingface.co";

/// The settings of a hub, from options and environment.
pub(super) struct HubSettings {
    pub endpoint: Url,
    /// The value of the `Authorization` header.
    pub authorization: Option<HeaderValue>,
    /// The folder of all repositories' files.
    pub cache: PathBuf,
    /// How long an answer may bring next to nothing, see [`SourceOptions::patience`].
    pub patience: Duration,
}

/// The address, for messages: without a password in it.
impl Display for HubSettings {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        let port = self.endpoint.port().map(|port| format!(":{port}"));
        let host = self.endpoint.host_str().unwrap_or_default();
        let path = self.endpoint.path().trim_end_matches('/');
        let scheme = self.endpoint.scheme();
        write!(f, "{scheme}://{host}{}{path}", port.unwrap_or_default())
    }
}

impl HubSettings {
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for an address that is not http(s), a token that no header can hold, or no
    /// folder to keep files in.
    pub(super) fn new(options: &SourceOptions) -> Result<Self> {
        let given = options
            .endpoint
            .clone()
            .or_else(|| environment::text("HF_ENDPOINT"));
        let given = given.unwrap_or_else(|| ENDPOINT.into());
        let fits = |url: &Url| ["http", "https"].contains(&url.scheme()) && url.has_host();
        let Some(endpoint) = Url::parse(&given).ok().filter(fits) else {
            return Err(bad_input!(
                "HF_ENDPOINT is `{given}`, expected an http(s) address"
            ));
        };
        Ok(Self {
            endpoint,
            authorization: authorization(options)?,
            cache: cache(options)?,
            patience: options.patience,
        })
    }
}

/// `HF_HUB_CACHE`, else `hub` in the hub's home.
fn cache(options: &SourceOptions) -> Result<PathBuf> {
    let set_folder =
        || environment::path("HF_HUB_CACHE").or_else(|| environment::path("HUGGINGFACE_HUB_CACHE"));
    let given = options.hub_cache.clone().or_else(set_folder);
    let given = given.or_else(|| home().map(|home| home.join("hub")));
    given.ok_or_else(|| {
        bad_input!(
            "no folder for the hub's files: set HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME or HOME"
        )
    })
}

fn home() -> Option<PathBuf> {
    environment::path("HF_HOME")
        .or_else(|| environment::path("XDG_CACHE_HOME").map(|dir| dir.join("huggingface")))
        .or_else(|| environment::path("HOME").map(|dir| dir.join(".cache/huggingface")))
}

/// `HF_TOKEN`, else the token file that `hf auth login` writes, unless `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
fn authorization(options: &SourceOptions) -> Result<Option<HeaderValue>> {
    let implicit = || {
        if environment::text("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some() {
            return None;
        }
        let file =
            environment::path("HF_TOKEN_PATH").or_else(|| home().map(|home| home.join("token")));
        environment::text("HF_TOKEN").or_else(|| files::read_text(&file?).ok())
    };
    let token = options.token.clone().or_else(implicit).unwrap_or_default();
    let token = token.trim();
    if token.is_empty() {
        return Ok(None);
    }
    // The token itself is not shown.
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| bad_input!("HF_TOKEN holds characters that no request can carry"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
