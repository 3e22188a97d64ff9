//! Which of a model's chat templates is used.

use anyhow::Result;
use serde_json::Value;

use crate::bad_input;
use crate::error::nearest;

/// What the template is called that is used where none is named.
pub(super) const DEFAULT: &str = "default";

/// A template as a model's files hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedTemplate {
    /// [`DEFAULT`] for the only one.
    pub name: String,
    pub source: String,
    /// The file and key that it stands in.
    pub origin: String,
}

/// The templates of the JSON value `chat_template` of `file`: one as text, several as `{name: text}` or as a list of
/// `{"name": .., "template": ..}`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput): another type.
pub(crate) fn of_json(value: &Value, file: &str) -> Result<Vec<NamedTemplate>> {
    let named = |name: &str, source: &Value| {
        let origin = format!("{file}: chat_template");
        let Some(source) = source.as_str() else {
            return Err(bad_input!(
                "{origin}: `{name}` is no text, expected a template"
            ));
        };
        Ok(NamedTemplate {
            name: name.to_owned(),
            source: source.to_owned(),
            origin,
        })
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(_) => Ok(vec![named(DEFAULT, value)?]),
        Value::Object(map) => map
            .iter()
            .map(|(name, source)| named(name, source))
            .collect(),
        Value::Array(list) => list
            .iter()
            .map(|entry| match entry["name"].as_str() {
                Some(name) => named(name, &entry["template"]),
                None => Err(bad_input!(
                    "{file}: chat_template: an entry without a name, expected name and template"
                )),
            })
            .collect(),
        _ => Err(bad_input!(
            "{file}: chat_template is a number or true or false, expected text, or named templates"
        )),
    }
}

/// The template called `wanted`, or `default` where none is asked for. None where the model has no template at all.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with the names there are.
pub(crate) fn choose(
    templates: Vec<NamedTemplate>,
    wanted: Option<&str>,
) -> Result<Option<NamedTemplate>> {
    if templates.is_empty() {
        return match wanted {
            Some(name) => Err(bad_input!(
                "chat template {name}: the model has no chat template"
            )),
            None => Ok(None),
        };
    }
    let name = wanted.unwrap_or(DEFAULT);
    // Of two of one name the last counts, as in a Python dict.
    if let Some(at) = templates.iter().rposition(|template| template.name == name) {
        return Ok(templates.into_iter().nth(at));
    }
    let names: Vec<_> = templates
        .iter()
        .map(|template| template.name.as_str())
        .collect();
    Err(match wanted {
        Some(name) => bad_input!(
            "chat template {name}: the model has no such template{}",
            nearest(name, names.into_iter())
        ),
        None => bad_input!(
            "{}: several templates and none called {DEFAULT}, expected --chat-template with one of {}",
            templates[0].origin,
            names.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_template_is_chosen_by_name() -> Result<()> {
        let source = |value: &Value, wanted| -> Result<Option<String>> {
            Ok(choose(of_json(value, "x.json")?, wanted)?.map(|template| template.source))
        };
        let dict = json!({"rag": "R", "default": "D"});
        let list = json!([{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]);
        for several in [dict, list] {
            assert_eq!(source(&several, None)?.as_deref(), Some("D"));
            assert_eq!(source(&several, Some("rag"))?.as_deref(), Some("R"));
        }
        assert_eq!(source(&json!("T"), Some("default"))?.as_deref(), Some("T"));
        assert_eq!(source(&Value::Null, None)?, None);
        for (value, wanted, says) in [
            (
                json!({"rag": "R", "tool_use": "T"}),
                None,
                "one of rag, tool_use",
            ),
            (json!({"rag": "R"}), Some("rags"), "did you mean \"rag\"?"),
            (Value::Null, Some("rag"), "no chat template"),
            (json!(7), None, "x.json: chat_template is a number"),
            (
                json!({"default": 7}),
                None,
                "x.json: chat_template: `default`",
            ),
            (json!([{"template": "T"}]), None, "without a name"),
        ] {
            let error = source(&value, wanted).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
        Ok(())
    }
}
