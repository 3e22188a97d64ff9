//! What Python shows of a value that holds others: its `repr`. minijinja has the exponents of floats in it otherwise,
//! and texts that are safe.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, State, Value};

use super::arguments::{refused, take};
use super::fill::pay;
use super::is::is_macro;
use super::range::Range;

/// Deepest nesting of lists and maps, as in `json`.
const DEEPEST: usize = 900;
/// Bytes that an item costs beside its text.
const ITEM: usize = 16;

/// `repr(value)`.
pub(super) fn repr(state: &State, value: &Value) -> Result<String, Error> {
    within(state, value, 0)
}

fn within(state: &State, value: &Value, depth: usize) -> Result<String, Error> {
    if depth > DEEPEST {
        return Err(refused("a value of lists or maps nested too deeply"));
    }
    let inner = |value: &Value| within(state, value, depth + 1);
    let shown = match value.kind() {
        ValueKind::Number if !value.is_integer() => float(f64::try_from(value.clone())?),
        ValueKind::Seq if value.downcast_object_ref::<Range>().is_none() => {
            let items = value.try_iter()?.map(|item| inner(&item));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            match (value.is_tuple(), &items[..]) {
                (true, [one]) => format!("({one},)"),
                (true, _) => format!("({})", items.join(", ")),
                (false, _) => format!("[{}]", items.join(", ")),
            }
        }
        ValueKind::Map if !is_macro(value) => {
            let pair = |key: Value| -> Result<String, Error> {
                Ok(format!(
                    "{}: {}",
                    inner(&key)?,
                    inner(&value.get_item(&key)?)?
                ))
            };
            let pairs = value.try_iter()?.map(pair);
            format!("{{{}}}", pairs.collect::<Result<Vec<_>, _>>()?.join(", "))
        }
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Plain => {
            value.to_string()
        }
        // As it stands in a list: a text has quotes.
        _ => {
            let list = Value::from(vec![value.clone()]).to_string();
            let shown = &list[1..list.len() - 1];
            match value.is_safe() {
                true => format!("Markup({shown})"),
                false => shown.to_owned(),
            }
        }
    };
    pay(state, ITEM + shown.len())?;
    Ok(shown)
}

/// `repr(number)`: the shortest digits that give the number back, as Rust has them too; an exponent has a sign and two
/// digits.
pub(super) fn float(number: f64) -> String {
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => text.to_lowercase(),
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
    }
}

/// `items()`, `keys()` or `values()` of a map, which are no lists.
#[derive(Debug)]
struct View {
    name: &'static str,
    items: Vec<Value>,
    shown: String,
}

/// What the method of that name gives. None for another name.
pub(super) fn view(
    state: &State,
    map: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, Error> {
    let of = |key: Value| -> Result<Value, Error> {
        Ok(match name {
            "keys" => key,
            "values" => map.get_item(&key)?,
            _ => Value::from(Tuple::from([key.clone(), map.get_item(&key)?])),
        })
    };
    let names = ["dict_items", "dict_keys", "dict_values"];
    let Some(name) = names.into_iter().find(|full| full[5..] == *name) else {
        return Ok(None);
    };
    let [] = take(arguments, [])?;
    let items = map.try_iter()?.map(of).collect::<Result<Vec<_>, _>>()?;
    let shown = repr(state, &Value::from(items.clone()))?;
    Ok(Some(Value::from_object(View { name, items, shown })))
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.items.is_empty()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.shown)
    }
}
