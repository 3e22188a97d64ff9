//! The filters `int` and `float`: what Python makes a number of, and a default for all else.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, Value};

use super::arguments::{integer, refused, take};
use super::kind::space;

type Arguments = Rest<ValueOrKwargs>;

pub(super) fn int(value: &Value, arguments: Arguments) -> Result<Value, Error> {
    let [default, base] = take(&arguments.into_values(), ["default", "base"])?;
    let base = integer(&base)?.unwrap_or(10);
    if value.kind() == ValueKind::Number && value.is_integer() {
        return Ok(value.clone());
    }
    if let Some(text) = value.as_str()
        && let Some(whole) = whole(plain(text)?.trim_matches(space), base)?
    {
        return Ok(whole.into());
    }
    match number(value)? {
        // Towards zero, as far as minijinja's numbers go.
        Some(x) if x.is_finite() && x.abs() < 1e38 => Ok(Value::from(x as i128)),
        Some(x) if x.is_finite() => Err(refused(format!("int: {value} is too large"))),
        _ => Ok(or(default, 0.into())),
    }
}

pub(super) fn float(value: &Value, arguments: Arguments) -> Result<Value, Error> {
    let [default] = take(&arguments.into_values(), ["default"])?;
    Ok(match number(value)? {
        Some(x) => x.into(),
        None => or(default, 0.0.into()),
    })
}

fn or(default: Value, zero: Value) -> Value {
    match default.is_undefined() {
        true => zero,
        false => default,
    }
}

/// `float(value)`; none where Python makes none of it.
fn number(value: &Value) -> Result<Option<f64>, Error> {
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => Some(f64::try_from(value.clone())?),
        ValueKind::String => {
            let text = plain(value.as_str().unwrap_or_default())?;
            digits(text.trim_matches(space)).and_then(|text| text.parse().ok())
        }
        _ => None,
    })
}

/// The text, unless it has digits that are not ASCII's: Python reads them.
fn plain(text: &str) -> Result<&str, Error> {
    match text.chars().any(|c| c.is_numeric() && !c.is_ascii()) {
        true => Err(refused(
            "a number in digits that are not ASCII's is not supported",
        )),
        false => Ok(text),
    }
}

/// `int(text, base)`.
fn whole(text: &str, base: i64) -> Result<Option<i128>, Error> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        10 => "",
        16 => "0x",
        _ => return Err(refused(format!("int: base {base} is not supported"))),
    };
    let start = rest.get(..prefix.len()).unwrap_or_default();
    let rest = match !prefix.is_empty() && start.eq_ignore_ascii_case(prefix) {
        true => rest[prefix.len()..]
            .strip_prefix('_')
            .unwrap_or(&rest[prefix.len()..]),
        false => rest,
    };
    let Some(rest) = digits(rest).filter(|rest| !rest.starts_with(['+', '-'])) else {
        return Ok(None);
    };
    if rest.is_empty() || !rest.chars().all(|c| c.is_digit(base as u32)) {
        return Ok(None);
    }
    match i128::from_str_radix(&rest, base as u32) {
        Ok(number) => Ok(Some(if negative { -number } else { number })),
        Err(_) => Err(refused("int: a number that is too large")),
    }
}

/// The text without the underscores that may stand between two digits; none where one stands elsewhere.
fn digits(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_hexdigit)
    };
    let mut places = text.match_indices('_').map(|(at, _)| at);
    let fits = places.all(|at| digit(at.checked_sub(1)) && digit(Some(at + 1)));
    fits.then(|| text.replace('_', ""))
}
