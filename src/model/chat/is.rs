//! Jinja's tests that minijinja answers otherwise.

use minijinja::Value;
use minijinja::value::ValueKind;

/// What can be called: functions, macros, and Jinja's undefined.
pub(super) fn callable(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Undefined | ValueKind::Plain) || is_macro(value)
}

/// minijinja's macros are maps of what they are.
pub(super) fn is_macro(value: &Value) -> bool {
    let object = value.as_object();
    object.is_some_and(|object| object.type_name().ends_with("::Macro"))
}

/// What Python can iterate over: a text, but not none.
pub(super) fn iterable(value: &Value) -> bool {
    match value.kind() {
        ValueKind::None => false,
        ValueKind::String => true,
        _ => value.try_iter().is_ok(),
    }
}

/// What has a length and items: a text and a map too. Jinja's undefined passes.
pub(super) fn sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Undefined | ValueKind::String | ValueKind::Seq | ValueKind::Map
    )
}
