//! The filter `tojson`: Python's
//! `json.dumps(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, State, Value};

use super::arguments::{refused, take};
use super::shown;

/// Deepest nesting of lists and maps. Python's own limit is its stack's, some 1,000.
const DEEPEST: usize = 900;
/// Widest indent. Python takes any; none is more than a few.
const WIDEST: i64 = 1000;
/// Bytes of text that cost one unit of fuel.
const BYTES_PER_FUEL: usize = 16;

pub(super) fn tojson(
    state: &State,
    value: Value,
    arguments: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let [ensure_ascii, width, pair, sort_keys] = take(&arguments.into_values(), names)?;
    let indent = indent(&width)?;
    let (item, key) = separators(&pair, indent.is_some())?;
    let mut writer = Writer {
        ensure_ascii: ensure_ascii.is_true(),
        sort_keys: sort_keys.is_true(),
        indent,
        item,
        key,
        out: String::new(),
        paid: 0,
        state,
    };
    writer.value(&value, 0)?;
    Ok(Value::from_safe_string(writer.out))
}

/// What each level is indented with: so many spaces, or a text.
fn indent(value: &Value) -> Result<Option<String>, Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(None);
    }
    if let Some(text) = value.as_str() {
        return match text.len() as i64 <= WIDEST {
            true => Ok(Some(text.to_owned())),
            false => Err(refused(format!(
                "tojson: an indent of {} bytes",
                text.len()
            ))),
        };
    }
    match i64::try_from(value.clone()) {
        Ok(width) if width <= WIDEST => Ok(Some(" ".repeat(usize::try_from(width).unwrap_or(0)))),
        _ => Err(refused(format!(
            "tojson: an indent of {value}, expected at most {WIDEST} spaces"
        ))),
    }
}

/// What stands between two items, and between a key and its value.
fn separators(value: &Value, indented: bool) -> Result<(String, String), Error> {
    if value.is_none() || value.is_undefined() {
        let item = if indented { "," } else { ", " };
        return Ok((item.to_owned(), ": ".to_owned()));
    }
    let pair: Vec<Value> = value.try_iter()?.take(3).collect();
    match &pair[..] {
        [item, key] if item.as_str().is_some() && key.as_str().is_some() => {
            Ok((item.to_string(), key.to_string()))
        }
        _ => Err(refused("tojson: separators are no pair of texts")),
    }
}

struct Writer<'a, 'b, 'c> {
    ensure_ascii: bool,
    sort_keys: bool,
    indent: Option<String>,
    item: String,
    key: String,
    out: String,
    /// Bytes of `out` that fuel was taken for.
    paid: usize,
    state: &'a State<'b, 'c>,
}

impl Writer<'_, '_, '_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(refused("tojson: lists or maps nested too deeply"));
        }
        let fuel = (self.out.len() - self.paid) / BYTES_PER_FUEL;
        self.paid += fuel * BYTES_PER_FUEL;
        self.state.consume_fuel(1 + fuel as u64)?;
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool | ValueKind::Number => self.out.push_str(&scalar(value)?),
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?.map(|item| (None, item)).collect();
                self.items(items, ('[', ']'), depth)?;
            }
            ValueKind::Map => {
                let pair = |key: Value| -> Result<_, Error> {
                    let item = value.get_item(&key)?;
                    Ok((Some(name(&key)?), item))
                };
                let mut items = value.try_iter()?.map(pair).collect::<Result<Vec<_>, _>>()?;
                if self.sort_keys {
                    items.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.items(items, ('{', '}'), depth)?;
            }
            kind => return Err(refused(format!("tojson: a value that is {kind}"))),
        }
        Ok(())
    }

    /// Items, with their keys in a map, between brackets.
    fn items(
        &mut self,
        items: Vec<(Option<String>, Value)>,
        (open, close): (char, char),
        depth: usize,
    ) -> Result<(), Error> {
        let any = !items.is_empty();
        self.out.push(open);
        for (at, (key, item)) in items.into_iter().enumerate() {
            if at > 0 {
                self.out.push_str(&self.item);
            }
            self.new_line(depth + 1);
            if let Some(key) = key {
                self.text(&key);
                self.out.push_str(&self.key);
            }
            self.value(&item, depth + 1)?;
        }
        if any {
            self.new_line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_str(indent);
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                _ if c < ' ' || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// A key as Python writes it: texts, numbers, true, false and none can be keys.
fn name(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.to_string()),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool | ValueKind::Number => scalar(key),
        kind => Err(refused(format!("tojson: a key that is {kind}"))),
    }
}

/// A number, true or false.
fn scalar(value: &Value) -> Result<String, Error> {
    if value.kind() == ValueKind::Bool {
        return Ok(value.is_true().to_string());
    }
    if value.is_integer() {
        return Ok(value.to_string());
    }
    let number = f64::try_from(value.clone())?;
    Ok(match number {
        _ if number.is_finite() => shown::float(number),
        _ if number.is_nan() => "NaN".to_owned(),
        _ if number < 0.0 => "-Infinity".to_owned(),
        _ => "Infinity".to_owned(),
    })
}
