//! A model's own chat template, rendered as `transformers` renders it.
//!
//! The reference is `transformers.utils.chat_template_utils`: Jinja2 with `trim_blocks`,
//! `lstrip_blocks` and loop controls, the functions `raise_exception` and `strftime_now`, a `tojson`
//! that does not escape HTML, and Python's string and dict methods.

use std::fmt::Write;

use anyhow::{Context, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    pub content: String,
}

impl Message {
    /// A turn of the user.
    pub fn user(content: impl Into<String>) -> Self {
        Self {
            role: "user".to_string(),
            content: content.into(),
        }
    }
}

/// A chat template and the special tokens it may name.
#[derive(Debug, Clone)]
pub(super) struct ChatTemplate {
    pub source: String,
    pub bos: Option<String>,
    pub eos: Option<String>,
}

impl ChatTemplate {
    /// Renders `messages`; with `add_generation_prompt` up to where the assistant's answer starts.
    ///
    /// # Errors
    /// If the template does not parse, or refuses the messages (`raise_exception`).
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let environment = environment()?;
        let messages: Vec<_> = messages
            .iter()
            .map(|message| context! { role => message.role.clone(), content => message.content.clone() })
            .collect();
        let values = context! {
            messages,
            add_generation_prompt,
            // Defined, but none: templates test for both.
            tools => (),
            documents => (),
            bos_token => defined(&self.bos),
            eos_token => defined(&self.eos),
        };
        environment
            .render_str(&self.source, values)
            .context("the model's chat template cannot be rendered")
    }
}

/// A token the model lacks is undefined, not `none`: it prints as nothing.
fn defined(token: &Option<String>) -> Value {
    token.clone().map_or(Value::UNDEFINED, Value::from)
}

fn environment() -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", strftime_now);
    environment.add_filter("tojson", tojson);
    Ok(environment)
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

fn strftime_now(format: String) -> Result<String, Error> {
    let mut text = String::new();
    // An unknown specifier is a formatting error; `to_string` would panic on it.
    write!(text, "{}", chrono::Local::now().format(&format)).map_err(|_| {
        let message = format!("strftime_now: {format:?} is not a time format");
        Error::new(ErrorKind::InvalidOperation, message)
    })?;
    Ok(text)
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)`.
fn tojson(value: Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    if ensure_ascii == Some(true) {
        let message = "tojson: ensure_ascii=True is not supported";
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    let mut bytes = Vec::new();
    let result = match indent {
        Some(width) => {
            let indent = " ".repeat(width);
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut bytes, PythonSpacing)),
    };
    result
        .map_err(|error| error.to_string())
        .and_then(|()| String::from_utf8(bytes).map_err(|error| error.to_string()))
        .map(Value::from)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("tojson: {error}")))
}

/// JSON on one line with a space after each comma and colon.
struct PythonSpacing;

impl Formatter for PythonSpacing {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}
