//! Where a text holds another, from a start to an end.

use minijinja::{Error, Value};

use super::arguments::{integer, refused, take, text as text_of};

/// What the method of that name says: `find`, `count`, `startswith` and the like. None for another name.
pub(super) fn method(text: &str, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let names = [
        "find",
        "rfind",
        "index",
        "rindex",
        "count",
        "startswith",
        "endswith",
    ];
    if !names.contains(&name) {
        return Ok(None);
    }
    let [sought, start, end] = take(arguments, ["sub", "start", "end"])?;
    let window = window(text, integer(&start)?, integer(&end)?);
    Ok(Some(match name {
        "count" => {
            let sought = text_of(&sought)?;
            window
                .map_or(0, |(_, part)| part.matches(sought).count())
                .into()
        }
        "startswith" | "endswith" => {
            let fits = |sought: &str| match (window, name) {
                (Some((_, part)), "startswith") => part.starts_with(sought),
                (Some((_, part)), _) => part.ends_with(sought),
                (None, _) => false,
            };
            match sought.as_str() {
                Some(sought) => fits(sought),
                None => {
                    let mut any = false;
                    for sought in sought.try_iter()? {
                        any |= fits(text_of(&sought)?);
                    }
                    any
                }
            }
            .into()
        }
        _ => {
            let sought = text_of(&sought)?;
            let found = window.and_then(|(skipped, part)| {
                let at = match name {
                    "find" | "index" => part.find(sought),
                    _ => part.rfind(sought),
                };
                at.map(|at| skipped + part[..at].chars().count())
            });
            match found {
                Some(at) => at.into(),
                None if name.ends_with("find") => (-1).into(),
                None => return Err(refused("substring not found")),
            }
        }
    }))
}

/// The part from `start` to `end`, and the characters before it. None where it ends before it starts.
fn window(text: &str, start: Option<i64>, end: Option<i64>) -> Option<(usize, &str)> {
    let length = text.chars().count();
    let start = place(start.unwrap_or(0), length);
    let end = place(end.unwrap_or(i64::MAX), length).min(length);
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
    (start <= end).then(|| (start, &text[byte(start)..byte(end)]))
}

/// A place as Python counts it: a negative one from the end.
pub(super) fn place(at: i64, length: usize) -> usize {
    match usize::try_from(at) {
        Ok(at) => at,
        Err(_) => length.saturating_sub(usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}
