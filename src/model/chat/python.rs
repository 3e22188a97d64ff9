//! What minijinja has otherwise than Python: methods of `str` that its own list lacks, and how numbers are printed.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, Output, State, Value, escape_formatter};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Bytes of text that cost one unit of fuel, as in minijinja.
const BYTES_PER_FUEL: usize = 64;

/// Prints a value.
pub fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match f64::try_from(value.clone()) {
        Ok(number) if value.kind() == ValueKind::Number && !value.is_integer() => {
            out.write_str(&float(number)).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

/// `repr(number)`: the shortest digits that give the number back, as Rust has them too; an exponent has a sign and two
/// digits.
pub fn float(number: f64) -> String {
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => text.to_lowercase(),
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
    }
}

/// A method of a value that minijinja does not know.
pub fn method(
    state: &mut State,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) if value.kind() == ValueKind::String => {
            match of_string(state, text, name, arguments)? {
                Some(result) => Ok(result),
                None => unknown_method_callback(state, value, name, arguments),
            }
        }
        _ => unknown_method_callback(state, value, name, arguments),
    }
}

/// None for a method that is not of this list.
fn of_string(
    state: &State,
    text: &str,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, Error> {
    let one = || -> Result<&str, Error> {
        let (argument,) = from_args(arguments)?;
        Ok(argument)
    };
    Ok(Some(match name {
        "removeprefix" => text.strip_prefix(one()?).unwrap_or(text).to_owned().into(),
        "removesuffix" => text.strip_suffix(one()?).unwrap_or(text).to_owned().into(),
        "partition" => {
            let mark = mark(one()?)?;
            match text.split_once(mark) {
                Some((head, tail)) => list(&[head, mark, tail]),
                None => list(&[text, "", ""]),
            }
        }
        "rpartition" => {
            let mark = mark(one()?)?;
            match text.rsplit_once(mark) {
                Some((head, tail)) => list(&[head, mark, tail]),
                None => list(&["", "", text]),
            }
        }
        "index" | "rindex" => {
            let sought = one()?;
            let found = match name {
                "index" => text.find(sought),
                _ => text.rfind(sought),
            };
            let Some(at) = found else {
                return Err(Error::new(
                    ErrorKind::InvalidOperation,
                    "substring not found",
                ));
            };
            text[..at].chars().count().into()
        }
        "casefold" => {
            let () = from_args(arguments)?;
            text.to_lowercase().replace('ß', "ss").into()
        }
        "swapcase" => {
            let () = from_args(arguments)?;
            text.chars().map(swapped).collect::<String>().into()
        }
        "isdecimal" => {
            let () = from_args(arguments)?;
            (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())).into()
        }
        "rsplit" => rsplit(text, arguments)?,
        "center" | "ljust" | "rjust" | "zfill" => filled(state, text, name, arguments)?,
        _ => return Ok(None),
    }))
}

fn list(parts: &[&str]) -> Value {
    let parts = parts.iter().map(|part| Value::from((*part).to_owned()));
    parts.collect()
}

fn mark(text: &str) -> Result<&str, Error> {
    match text.is_empty() {
        true => Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        false => Ok(text),
    }
}

fn swapped(c: char) -> String {
    match c.is_uppercase() {
        true => c.to_lowercase().collect(),
        false => c.to_uppercase().collect(),
    }
}

/// Parts from the right, at most `maxsplit` cuts.
fn rsplit(text: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (separator, most): (Option<&str>, Option<i64>) = from_args(arguments)?;
    let cuts = most.and_then(|most| usize::try_from(most).ok());
    let cuts = cuts.unwrap_or(usize::MAX - 1);
    let mut parts: Vec<&str> = match separator {
        Some(separator) => text.rsplitn(cuts + 1, mark(separator)?).collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = text.trim_end();
            while !rest.trim_start().is_empty() {
                match rest
                    .rfind(char::is_whitespace)
                    .filter(|_| parts.len() < cuts)
                {
                    Some(at) => {
                        parts.push(rest[at..].trim_start());
                        rest = rest[..at].trim_end();
                    }
                    None => {
                        parts.push(rest);
                        rest = "";
                    }
                }
            }
            parts
        }
    };
    parts.reverse();
    Ok(list(&parts))
}

/// The text filled up to a width.
fn filled(state: &State, text: &str, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (width, fill): (i64, Option<&str>) = match name {
        "zfill" => from_args::<(i64,)>(arguments).map(|(width,)| (width, Some("0")))?,
        _ => from_args(arguments)?,
    };
    let fill = fill.unwrap_or(" ");
    if fill.chars().count() != 1 {
        let message = format!("{name}: expected one character to fill with");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    let length = text.chars().count();
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(length);
    // Paid for before it is made.
    state.consume_fuel((missing.saturating_mul(fill.len()) / BYTES_PER_FUEL) as u64)?;
    let filling = |count: usize| fill.repeat(count);
    Ok(match name {
        "ljust" => format!("{text}{}", filling(missing)),
        "rjust" => format!("{}{text}", filling(missing)),
        "zfill" => {
            let sign = text.len() - text.trim_start_matches(['+', '-']).len();
            let (sign, digits) = text.split_at(sign.min(1));
            format!("{sign}{}{digits}", filling(missing))
        }
        _ => {
            // CPython puts the odd one on the left where the width is odd.
            let left = missing / 2 + (missing & (width as usize) & 1);
            format!("{}{text}{}", filling(left), filling(missing - left))
        }
    }
    .into())
}
