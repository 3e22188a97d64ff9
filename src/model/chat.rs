//! A model's own chat template, rendered as `transformers` renders it.
//!
//! The reference is `transformers.utils.chat_template_utils`: Jinja2 with `trim_blocks`, `lstrip_blocks` and loop
//! controls, the tag `generation`, the functions `raise_exception` and `strftime_now`, a `tojson` that does not escape
//! HTML, and Python's string and dict methods.
//!
//! A template is a program from a file that nobody has read. It runs with a limit on its work and output, on a stack
//! that is large enough for what the limits let through.

mod arguments;
mod case;
mod cycler;
mod date;
mod fill;
mod filters;
mod is;
mod json;
mod kind;
mod literal;
mod named;
mod number;
mod options;
mod parameters;
mod python;
mod range;
mod scan;
mod seek;
mod shown;
mod split;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, Serde, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::globals::joiner;

use crate::bad_input;
use crate::guard::{Limits, within};
use crate::terminal;

pub(super) use named::{NamedTemplate, choose, of_json};
pub use options::ChatOptions;

/// Fuel of a rendering, minijinja's measure of instructions and bytes: some 0.2 s, or 64 MB of values. The templates of
/// published models take a few thousand.
const FUEL: u64 = 1_000_000;
/// More fuel for each byte of the messages: that a template may copy a long text 32 times.
const FUEL_PER_BYTE: f64 = 0.5;
/// What fuel does not bound: parsing, and values that stand for more than they hold.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(8),
    memory: 512 << 20,
    stack: 512 << 20,
};
/// Names of the context that an argument cannot replace.
const RESERVED: [&str; 2] = ["messages", "add_generation_prompt"];

/// More of them, that an argument may replace but a token may not.
const FILLED: [&str; 2] = ["tools", "documents"];

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What is said, as plain text.
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

/// A chat template and what it may name.
#[derive(Debug, Clone)]
pub(super) struct ChatTemplate {
    /// The template's text as the file has it.
    source: String,
    /// The same template in the syntax that minijinja knows.
    prepared: String,
    /// The file and key that it stands in.
    origin: String,
    /// `bos_token`, `pad_token` and the like. A token that the model lacks is undefined, not none: it prints as
    /// nothing.
    tokens: BTreeMap<String, String>,
    options: ChatOptions,
}

impl ChatTemplate {
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) with file and key: a template that does not parse, is too large or nests
    /// too deeply; an argument that it does not use; a token with the name of another value.
    pub(super) fn new(
        named: NamedTemplate,
        tokens: BTreeMap<String, String>,
        options: &ChatOptions,
    ) -> Result<Arc<Self>> {
        let NamedTemplate { source, origin, .. } = named;
        let mut taken = RESERVED.iter().chain(&FILLED);
        if let Some(name) = taken.find(|name| tokens.contains_key(**name)) {
            return Err(bad_input!(
                "{origin}: a special token is called {name}, expected another name: it is that of the template's own value"
            ));
        }
        let prepared = scan::prepare(&source).map_err(|error| bad_input!("{origin}: {error}"))?;
        let template = Arc::new(Self {
            source,
            prepared,
            origin,
            tokens,
            options: options.clone(),
        });
        template.check_arguments()?;
        Ok(template)
    }

    /// The file and key that the template stands in.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// The template as its file has it.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// That the template parses and uses each argument given.
    fn check_arguments(self: &Arc<Self>) -> Result<()> {
        let used = self.apart(0, |environment, own| {
            let template = environment.template_from_named_str(NAME, &own.prepared)?;
            Ok(template.undeclared_variables(false))
        })?;
        for name in self.options.arguments.keys() {
            if RESERVED.contains(&name.as_str()) || !used.contains(name) {
                return Err(bad_input!(
                    "template argument {name}: {} does not use it; expected a name that the template asks for",
                    self.origin
                ));
            }
        }
        Ok(())
    }

    /// Renders `messages`; with `add_generation_prompt` up to where the assistant's answer starts.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) with file and key: the template refuses the messages (`raise_exception`),
    /// fails on them, or runs too long.
    pub(super) fn render(
        self: &Arc<Self>,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String> {
        let bytes = messages.iter().map(|message| message.content.len()).sum();
        let messages: Vec<_> = messages
            .iter()
            .map(|message| context! { role => message.role.clone(), content => message.content.clone() })
            .collect();
        self.apart(bytes, move |environment, own| {
            environment.set_fuel(Some(FUEL + (bytes as f64 * FUEL_PER_BYTE) as u64));
            let mut values: BTreeMap<&str, Value> = BTreeMap::from([
                ("messages", messages.into()),
                ("add_generation_prompt", add_generation_prompt.into()),
                // Defined, but none: templates test for both.
                ("tools", ().into()),
                ("documents", ().into()),
            ]);
            let tokens = own.tokens.iter();
            values.extend(tokens.map(|(name, token)| (name.as_str(), token.clone().into())));
            let arguments = own.options.arguments.iter();
            values
                .extend(arguments.map(|(name, value)| (name.as_str(), Value::from(Serde(value)))));
            environment
                .template_from_named_str(NAME, &own.prepared)?
                .render(values)
        })
    }

    /// What `act` makes of an environment and the template, within limits.
    fn apart<T: Send + 'static>(
        self: &Arc<Self>,
        bytes: usize,
        act: impl FnOnce(&mut Environment, &Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T> {
        let limits = Limits {
            memory: LIMITS.memory + 8 * bytes as u64,
            ..LIMITS
        };
        let template = self.clone();
        let made = within(limits, move || {
            let environment = environment(&template.options);
            let made = environment.and_then(|mut environment| act(&mut environment, &template));
            made.map_err(|error| described(&error))
        });
        made.unwrap_or_else(Err).map_err(|error| {
            bad_input!(
                "{}: the chat template cannot be rendered: {error}",
                self.origin
            )
        })
    }
}

/// The template's name in error messages.
const NAME: &str = "chat_template";
/// Characters of an error's text that are shown.
const SHOWN: usize = 300;

/// An error with its causes in one line.
fn described(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "it ran too long, or made too much text".to_owned();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    terminal::cut(&text, SHOWN)
}

fn environment(options: &ChatOptions) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_formatter(python::print);
    environment.set_unknown_method_callback(python::method);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("joiner", |given: Rest<ValueOrKwargs>| {
        let [separator] = arguments::take(&given.into_values(), ["sep"])?;
        let is_given = !separator.is_undefined();
        Ok::<_, Error>(joiner(is_given.then_some(separator)))
    });
    environment.add_function("cycler", cycler::cycler);
    let date = options.date;
    environment.add_function("strftime_now", move |given: Rest<ValueOrKwargs>| {
        let [format] = arguments::take(&given.into_values(), ["format"])?;
        date::strftime(date, arguments::text(&format)?)
    });
    environment.add_function("range", range::range);
    filters::add(&mut environment);
    environment.add_filter("tojson", json::tojson);
    environment.add_filter("int", number::int);
    environment.add_filter("float", number::float);
    // `lipsum` is defined, as in Jinja. A call is refused, because its text would be random.
    environment.add_function("lipsum", |_: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        Err(arguments::refused("lipsum: random text is not supported"))
    });
    environment.add_test("callable", is::callable);
    environment.add_test("iterable", is::iterable);
    environment.add_test("sequence", is::sequence);
    Ok(environment)
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}
