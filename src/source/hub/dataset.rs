//! One file of a dataset.

use std::path::PathBuf;

use anyhow::Result;

use super::remote::Remote;
use super::{HubId, cached_snapshot, client, note_revision, online_or_cached};
use crate::bad_input;
use crate::source::SourceOptions;

/// The file `name` of the dataset `id` on this machine; `spec` is the dataset as it was asked for.
pub(in crate::source) fn fetch_file(
    spec: &str,
    id: &HubId,
    name: &str,
    options: &SourceOptions,
) -> Result<PathBuf> {
    let client = client(options)?;
    let cache = client.cache_dir().join(id.cache_folder());
    let download = || {
        let remote = Remote::look_up(id, &client, &cache)?;
        let path = remote.fetch(name)?;
        note_revision(id, &remote.commit, &cache)?;
        Ok(path)
    };
    let cached = || {
        let (_, snapshot) = cached_snapshot(spec, id, &cache)?;
        let path = snapshot.join(name);
        match path.is_file() {
            true => Ok(path),
            false => Err(bad_input!(
                "dataset `{spec}`: no {name} in the hub cache {}, and the hub is not asked (offline or unreachable)",
                snapshot.display()
            )),
        }
    };
    online_or_cached(options, download, cached)
}
