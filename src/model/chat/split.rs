//! Texts cut into parts.

use minijinja::value::Tuple;
use minijinja::{Error, Value};

use super::arguments::{integer, optional_text, refused, take};
use super::kind::space;

/// `split` and `rsplit`: at most `maxsplit` cuts, from the left or the right.
pub(super) fn split(text: &str, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let [separator, most] = take(arguments, ["sep", "maxsplit"])?;
    let most = integer(&most)?.and_then(|most| usize::try_from(most).ok());
    let cuts = most.unwrap_or(usize::MAX - 1);
    let from_left = name == "split";
    let mut parts: Vec<&str> = match (optional_text(&separator)?, from_left) {
        (Some(separator), true) => text.splitn(cuts + 1, mark(separator)?).collect(),
        (Some(separator), false) => text.rsplitn(cuts + 1, mark(separator)?).collect(),
        (None, true) => words(text, cuts),
        (None, false) => words_from_right(text, cuts),
    };
    if !from_left {
        parts.reverse();
    }
    Ok(list(&parts))
}

fn words(text: &str, cuts: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(space);
    while !rest.is_empty() {
        let end = rest.find(space).filter(|_| parts.len() < cuts);
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(part);
        rest = after.trim_start_matches(space);
    }
    parts
}

/// The last first.
fn words_from_right(text: &str, cuts: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches(space);
    while !rest.is_empty() {
        let end = rest.trim_end_matches(|c| !space(c)).len();
        let end = match parts.len() < cuts {
            true => end,
            false => 0,
        };
        parts.push(&rest[end..]);
        rest = rest[..end].trim_end_matches(space);
    }
    parts
}

/// The lines as Python cuts them, each with its end where it is to be kept.
pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line = rest.find(end).unwrap_or(rest.len());
        let after = &rest[line..];
        let length = match after.starts_with("\r\n") {
            true => 2,
            false => after.chars().next().map_or(0, char::len_utf8),
        };
        lines.push(&rest[..line + if keep_ends { length } else { 0 }]);
        rest = &after[length..];
    }
    lines
}

/// The text before a mark, the mark and the text after it.
pub(super) fn partition(text: &str, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let [given] = take(arguments, ["sep"])?;
    let mark = mark(super::arguments::text(&given)?)?;
    let parts = match name {
        "partition" => match text.split_once(mark) {
            Some((head, tail)) => [head, mark, tail],
            None => [text, "", ""],
        },
        _ => match text.rsplit_once(mark) {
            Some((head, tail)) => [head, mark, tail],
            None => ["", "", text],
        },
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

pub(super) fn list(parts: &[&str]) -> Value {
    let parts = parts.iter().map(|part| Value::from((*part).to_owned()));
    parts.collect()
}

fn mark(text: &str) -> Result<&str, Error> {
    match text.is_empty() {
        true => Err(refused("empty separator")),
        false => Ok(text),
    }
}
