//! A model in a `.gguf` file on this machine, whole or split into parts.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use super::ModelFileKind;
use crate::bad_input;
use crate::files;

/// Takes `path` as a GGUF model, with the other parts where its name says that it is one of several. Looks at the first
/// bytes of each, so that a text file or a Git LFS pointer is named as such here and not as a tensor error later.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) naming a part that is missing, or a file that is not GGUF.
pub(super) fn inspect(path: &Path) -> Result<ModelFileKind> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = parts(&name);
    let mut paths = Vec::with_capacity(names.len());
    for part in &names {
        let path = path.with_file_name(part);
        if names.len() > 1 && !path.is_file() {
            return Err(bad_input!(
                "{}: missing, expected all {} parts of {name} beside each other",
                path.display(),
                names.len()
            ));
        }
        check_magic(&path)?;
        paths.push(path);
    }
    Ok(ModelFileKind::Gguf(paths))
}

fn check_magic(path: &Path) -> Result<()> {
    let mut magic = Vec::new();
    let file = files::open(path)?;
    file.take(4)
        .read_to_end(&mut magic)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if magic != b"GGUF" {
        return Err(bad_input!(
            "{}: not a GGUF file (it starts with {:?}, expected \"GGUF\")",
            path.display(),
            String::from_utf8_lossy(&magic)
        ));
    }
    Ok(())
}

/// The names of all parts of the file that a name is of, as llama.cpp gives them: `NAME-00002-of-00003.gguf` for the
/// second of three. The name itself where it is of no such form.
pub(super) fn parts(name: &str) -> Vec<String> {
    let split = || {
        let (stem, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
        let (stem, number) = stem.rsplit_once('-')?;
        let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        if !(digits(number) && digits(count)) {
            return None;
        }
        let (number, count): (usize, usize) = (number.parse().ok()?, count.parse().ok()?);
        (1..=count).contains(&number).then_some((stem, count))
    };
    match split() {
        Some((stem, count)) => (1..=count)
            .map(|part| format!("{stem}-{part:05}-of-{count:05}.gguf"))
            .collect(),
        None => vec![name.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_of_parts() {
        let two = ["q/a-b-00001-of-00002.gguf", "q/a-b-00002-of-00002.gguf"];
        for name in two {
            assert_eq!(parts(name), two);
        }
        for whole in [
            "a.gguf",
            "a-00003-of-00002.gguf",
            "a-00000-of-00002.gguf",
            "a-1-of-2.gguf",
            "a-0000x-of-00002.gguf",
            "a-00001-of-00002.bin",
        ] {
            assert_eq!(parts(whole), [whole]);
        }
    }
}
