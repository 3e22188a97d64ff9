//! Jinja's filters that minijinja lacks or has otherwise.

use std::sync::LazyLock;

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};
use regex::Regex;

use super::arguments::{integer, optional_text, refused, take};
use super::fill::{filled, pay};
use super::kind::{space, words};
use super::shown::repr;
use super::split::lines;

/// Filters of minijinja that Jinja lacks, and two whose results would silently be others: `attr` finds items of a map,
/// `pprint` has a layout of its own. A template that names one is refused.
const UNKNOWN: [&str; 7] = ["attr", "bool", "chain", "lines", "pprint", "split", "zip"];

pub(super) fn add(environment: &mut Environment) {
    for name in UNKNOWN {
        environment.remove_filter(name);
    }
    for name in ["default", "d"] {
        environment.add_filter(name, default);
    }
    for name in ["escape", "e"] {
        environment.add_filter(name, escape);
    }
    environment.add_filter("forceescape", |value: &Value| escaped(&value.to_string()));
    environment.add_filter("string", string);
    environment.add_filter("trim", trim);
    environment.add_filter("center", center);
    environment.add_filter("format", format);
    environment.add_filter("indent", indent);
    environment.add_filter("truncate", truncate);
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("wordcount", |value: &Value| words(&value.to_string()));
}

type Arguments = Rest<ValueOrKwargs>;

fn default(value: Value, arguments: Arguments) -> Result<Value, Error> {
    let [other, also_false] = take(&arguments.into_values(), ["default_value", "boolean"])?;
    let replaced = value.is_undefined() || (also_false.is_true() && !value.is_true());
    Ok(match replaced {
        true if other.is_undefined() => "".into(),
        true => other,
        false => value,
    })
}

fn escape(value: &Value) -> Value {
    match value.is_safe() {
        true => value.clone(),
        false => escaped(&value.to_string()),
    }
}

fn escaped(text: &str) -> Value {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    Value::from_safe_string(out)
}

/// The value as Python's `str` shows it. Text that is marked as safe stays marked.
fn string(state: &State, value: &Value) -> Result<Value, Error> {
    Ok(match value.kind() {
        ValueKind::String => value.clone(),
        ValueKind::Number | ValueKind::Seq | ValueKind::Map => repr(state, value)?.into(),
        _ => value.to_string().into(),
    })
}

fn trim(value: &Value, arguments: Arguments) -> Result<String, Error> {
    let [chars] = take(&arguments.into_values(), ["chars"])?;
    let text = value.to_string();
    Ok(match optional_text(&chars)? {
        Some(chars) => text.trim_matches(|c| chars.contains(c)),
        None => text.trim_matches(space),
    }
    .to_owned())
}

fn center(state: &State, value: &Value, arguments: Arguments) -> Result<Value, Error> {
    let [width] = take(&arguments.into_values(), ["width"])?;
    let width = integer(&width)?.unwrap_or(80);
    filled(state, &value.to_string(), "center", &[width.into()])
}

/// `text % arguments`, with the conversion `r`, and lists as Python shows them.
fn format(state: &mut State, text: &Value, arguments: Arguments) -> Result<Value, Error> {
    let mut arguments = arguments.into_values();
    let mut made = text.as_str().unwrap_or_default().to_owned();
    let mut at = 0;
    let fields: Vec<_> = FIELD.find_iter(&made).map(|field| field.range()).collect();
    for field in fields {
        let end = field.end - 1;
        let kind = made.as_bytes()[end];
        let argument = match kind {
            b'%' => continue,
            _ => arguments.get_mut(at),
        };
        at += 1;
        let Some(argument) = argument else { break };
        let holds = matches!(argument.kind(), ValueKind::Seq | ValueKind::Map);
        if kind == b'r' || (kind == b's' && holds) {
            *argument = repr(state, argument)?.into();
            made.replace_range(end..field.end, "s");
        }
    }
    let text = match text.is_safe() {
        true => Value::from_safe_string(made),
        false => made.into(),
    };
    let arguments = arguments.into_iter().map(ValueOrKwargs::from);
    minijinja::filters::format(state, &text, Rest(arguments.collect()))
}

/// A field of a format whose arguments go by their place.
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"%[-+ #0-9.]*[a-zA-Z%]").expect("a pattern"));

/// Each line but the first after `width`, a number of spaces or a text.
fn indent(state: &State, value: &Value, arguments: Arguments) -> Result<String, Error> {
    let [width, first, blank] = take(&arguments.into_values(), ["width", "first", "blank"])?;
    // Jinja adds a line end, so that a last empty line is one.
    let text = format!("{value}\n");
    let all = lines(&text, false);
    let indention = match width.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let width = usize::try_from(integer(&width)?.unwrap_or(4)).unwrap_or(0);
            pay(state, width)?;
            " ".repeat(width)
        }
    };
    pay(state, indention.len().saturating_mul(all.len()))?;
    let mut out = String::with_capacity(text.len());
    for (at, line) in all.into_iter().enumerate() {
        let indented = match at {
            0 => first.is_true(),
            _ => blank.is_true() || !line.is_empty(),
        };
        if at > 0 {
            out.push('\n');
        }
        if indented {
            out.push_str(&indention);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn truncate(value: &Value, arguments: Arguments) -> Result<String, Error> {
    let names = ["length", "killwords", "end", "leeway"];
    let [length, kill_words, end, leeway] = take(&arguments.into_values(), names)?;
    let length = integer(&length)?.unwrap_or(255);
    let leeway = integer(&leeway)?.unwrap_or(5);
    let end = optional_text(&end)?.unwrap_or("...");
    let text = value.to_string();
    let kept = length - end.chars().count() as i64;
    let Ok(kept) = usize::try_from(kept) else {
        return Err(refused(format!(
            "truncate: a length of {length}, expected that of {end:?} at least"
        )));
    };
    if leeway < 0 {
        return Err(refused(format!("truncate: a leeway of {leeway}")));
    }
    if text.chars().count() as u64 <= length.saturating_add(leeway) as u64 {
        return Ok(text);
    }
    let head: String = text.chars().take(kept).collect();
    let head = match head.rsplit_once(' ') {
        Some((whole, _)) if !kill_words.is_true() => whole,
        _ => &head,
    };
    Ok(format!("{head}{end}"))
}

/// A text as part of an address, or pairs as its query.
fn urlencode(value: &Value) -> Result<String, Error> {
    let pairs: Vec<(Value, Value)> = match value.kind() {
        ValueKind::Map => {
            let pair = |key: Value| Ok((key.clone(), value.get_item(&key)?));
            value.try_iter()?.map(pair).collect::<Result<_, Error>>()?
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let pair = |item: Value| Ok((item.get_item_by_index(0)?, item.get_item_by_index(1)?));
            value.try_iter()?.map(pair).collect::<Result<_, Error>>()?
        }
        _ => return Ok(quoted(&value.to_string(), false)),
    };
    let pairs = pairs.into_iter().map(|(key, value)| {
        let [key, value] = [key, value].map(|part| quoted(&part.to_string(), true));
        format!("{key}={value}")
    });
    Ok(pairs.collect::<Vec<_>>().join("&"))
}

fn quoted(text: &str, in_query: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'_' | b'.' | b'-' | b'~' => out.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            b'/' if !in_query => out.push('/'),
            b' ' if in_query => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
