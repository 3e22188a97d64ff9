//! Parses the text of a TOML file.

use anyhow::Result;
use serde::de::DeserializeOwned;

use crate::bad_input;
use crate::terminal;
use crate::typed;

/// Most characters of a line that a message shows.
const SHOWN: usize = 100;

/// Parses `text`; `origin` names its file.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) in one line: the file, the line with its text, what is wrong.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| located(&error, text, origin))
}

fn located(error: &toml::de::Error, text: &str, origin: &str) -> anyhow::Error {
    let message = typed::words(&error.message().trim().replace('\n', ", "));
    let Some(span) = error.span() else {
        return bad_input!("{origin}: {message}");
    };
    let line = text[..span.start].matches('\n').count() + 1;
    // An error that spans lines is about a table, whose first line does not show what is missing.
    if text[span].trim_end().contains('\n') {
        return bad_input!("{origin}:{line}: {message}");
    }
    let source = text.lines().nth(line - 1).unwrap_or_default().trim();
    let (source, message) = (
        terminal::cut(source, SHOWN),
        terminal::cut(&message, 4 * SHOWN),
    );
    bad_input!("{origin}:{line}: `{source}`: {message}")
}
