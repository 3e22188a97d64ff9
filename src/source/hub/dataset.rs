//! One file of a dataset.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{FETCH_AGAIN, Hub, HubId};
use crate::bad_input;
use crate::source::SourceOptions;

/// The file `name` of the dataset `id` on this machine; `spec` is the dataset as it was asked for.
pub(in crate::source) fn fetch_file(
    spec: &str,
    id: &HubId,
    name: &str,
    options: &SourceOptions,
) -> Result<PathBuf> {
    let hub = Hub::new(id, options)?;
    let cached = || {
        let snapshot = hub.store.snapshot(&hub.cached_commit(spec)?);
        let path = snapshot.join(name);
        if !path.is_file() {
            return Err(bad_input!(
                "dataset `{spec}`: no {name} in the hub cache {}, and the hub is not asked (offline or unreachable)",
                snapshot.display()
            ));
        }
        hub.kept.check(&[&path]).context(FETCH_AGAIN)?;
        Ok(path)
    };
    hub.online_or_cached(|remote| remote.fetch_weights(name), cached)
}
