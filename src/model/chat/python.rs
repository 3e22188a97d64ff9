//! What minijinja has otherwise than Python: methods that its own list lacks, and how values are printed.

use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Error, Output, State, Value, escape_formatter};
use minijinja_contrib::pycompat::unknown_method_callback;
use regex::Regex;

use crate::terminal;

use super::arguments::{integer, optional_text, refused, take, text as text_of};
use super::{case, fill, kind, seek, shown, split};

/// Fields of `format` that minijinja lacks: conversions, and percentages.
static UNFORMATTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{[^{}]*(![rsa]|%)[^{}]*\}").expect("a pattern"));

/// Prints a value.
pub(super) fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match f64::try_from(value.clone()) {
        Ok(number) if value.kind() == ValueKind::Number && !value.is_integer() => {
            out.write_str(&shown::float(number)).map_err(Error::from)
        }
        _ if matches!(value.kind(), ValueKind::Seq | ValueKind::Map) => {
            let shown = shown::repr(state, value)?;
            out.write_str(&shown).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

/// A method of a value that minijinja does not know.
pub(super) fn method(
    state: &mut State,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let result = match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => of_string(state, text, name, arguments)?,
        (ValueKind::Seq, _) => of_list(value, name, arguments)?,
        (ValueKind::Map, _) if name == "copy" => {
            let [] = take(arguments, [])?;
            Some(value.clone())
        }
        (ValueKind::Map, _) => shown::view(state, value, name, arguments)?,
        _ => None,
    };
    match result {
        Some(result) => Ok(result),
        None => unknown_method_callback(state, value, name, arguments),
    }
}

/// None for a method that is not of this list.
fn of_string(
    state: &State,
    text: &str,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, Error> {
    if let Some(holds) = kind::is(name, text).or_else(|| case::is(name, text)) {
        let [] = take(arguments, [])?;
        return Ok(Some(holds.into()));
    }
    if let Some(found) = seek::method(text, name, arguments)? {
        return Ok(Some(found));
    }
    Ok(Some(match name {
        "removeprefix" | "removesuffix" => {
            let [part] = take(arguments, ["part"])?;
            let part = text_of(&part)?;
            let rest = match name {
                "removeprefix" => text.strip_prefix(part),
                _ => text.strip_suffix(part),
            };
            rest.unwrap_or(text).to_owned().into()
        }
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = take(arguments, ["chars"])?;
            let chars = optional_text(&chars)?;
            let taken = |c: char| chars.map_or_else(|| kind::space(c), |chars| chars.contains(c));
            match name {
                "strip" => text.trim_matches(taken),
                "lstrip" => text.trim_start_matches(taken),
                _ => text.trim_end_matches(taken),
            }
            .to_owned()
            .into()
        }
        "title" | "swapcase" | "casefold" => {
            let [] = take(arguments, [])?;
            match name {
                "title" => case::title(state, text)?,
                "swapcase" => case::swapcase(text),
                _ => case::casefold(text),
            }
            .into()
        }
        "split" | "rsplit" => split::split(text, name, arguments)?,
        "splitlines" => {
            let [keep_ends] = take(arguments, ["keepends"])?;
            split::list(&split::lines(text, keep_ends.is_true()))
        }
        "format" => {
            // What stands in double braces is no field.
            let fields = text.replace("{{", "").replace("}}", "");
            return match UNFORMATTED.find(&fields) {
                Some(field) => Err(refused(format!(
                    "format: {:?} is not supported",
                    terminal::cut(field.as_str(), 100)
                ))),
                None => Ok(None),
            };
        }
        "partition" | "rpartition" => split::partition(text, name, arguments)?,
        "center" | "ljust" | "rjust" | "zfill" => fill::filled(state, text, name, arguments)?,
        "expandtabs" => fill::expandtabs(state, text, arguments)?,
        _ => return Ok(None),
    }))
}

/// None for a method that is not of this list.
fn of_list(value: &Value, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    match name {
        "copy" => {
            let [] = take(arguments, [])?;
            Ok(Some(value.clone()))
        }
        "index" => {
            let [sought, start, end] = take(arguments, ["value", "start", "stop"])?;
            let length = value.len().unwrap_or(0);
            let start = seek::place(integer(&start)?.unwrap_or(0), length);
            let end = seek::place(integer(&end)?.unwrap_or(i64::MAX), length);
            let mut items = value.try_iter()?.enumerate();
            let found = items.find(|(at, item)| (start..end).contains(at) && *item == sought);
            match found {
                Some((at, _)) => Ok(Some(at.into())),
                None => Err(refused(format!("{sought} is not in list"))),
            }
        }
        _ => Ok(None),
    }
}
