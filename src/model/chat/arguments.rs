//! Arguments by position or by name.

use minijinja::value::{Kwargs, ValueKind, from_args};
use minijinja::{Error, ErrorKind, Value};

/// A value for each of `names`; undefined for one that is not given.
pub(super) fn take<const N: usize>(
    arguments: &[Value],
    names: [&str; N],
) -> Result<[Value; N], Error> {
    let (positional, keywords): (&[Value], Kwargs) = from_args(arguments)?;
    if positional.len() > N {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let mut values = [const { Value::UNDEFINED }; N];
    for (at, name) in names.into_iter().enumerate() {
        let by_name: Option<Value> = keywords.get(name)?;
        values[at] = by_name
            .or_else(|| positional.get(at).cloned())
            .unwrap_or_default();
    }
    keywords.assert_all_used()?;
    Ok(values)
}

/// None for what is none or not given.
pub(super) fn integer(value: &Value) -> Result<Option<i64>, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(None),
        _ => i64::try_from(value.clone()).map(Some),
    }
}

/// None for what is none or not given.
pub(super) fn optional_text(value: &Value) -> Result<Option<&str>, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(None),
        _ => text(value).map(Some),
    }
}

pub(super) fn text(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| match value.is_undefined() {
        true => Error::from(ErrorKind::MissingArgument),
        false => refused(format!("expected a text, got {}", value.kind())),
    })
}

pub(super) fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
