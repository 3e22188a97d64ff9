//! Puts a generated table into a hand-written document.

use anyhow::Result;

use crate::bad_input;

const OPEN: &str = "<!-- spindle:report -->";
const CLOSE: &str = "<!-- /spindle:report -->";

/// Returns `document` with the text between `<!-- spindle:report -->` and `<!-- /spindle:report -->` replaced by
/// `table`. Splicing the same table again changes nothing.
///
/// # Errors
/// A [`BadInput`](crate::error::BadInput) unless each marker occurs once and in this order.
pub fn splice(document: &str, table: &str) -> Result<String> {
    let open = only(document, OPEN)?;
    let close = only(document, CLOSE)?;
    if close < open {
        return Err(bad_input!(
            "`{CLOSE}` stands before `{OPEN}`, expected after it"
        ));
    }
    let (before, after) = (&document[..open + OPEN.len()], &document[close..]);
    Ok(format!("{before}\n{}\n{after}", table.trim_end()))
}

fn only(document: &str, marker: &str) -> Result<usize> {
    let mut found = document.match_indices(marker).map(|(at, _)| at);
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (None, _) => Err(bad_input!(
            "the marker `{marker}` is missing, expected it once"
        )),
        (Some(_), Some(_)) => Err(bad_input!(
            "the marker `{marker}` occurs more than once, expected it once"
        )),
    }
}
