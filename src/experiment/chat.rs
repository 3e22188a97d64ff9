//! Options of the model's chat template, from an experiment or the command line.

use anyhow::Result;
use chrono::{Datelike, NaiveDate};

use super::file::ModelTable;
use crate::bad_input;
use crate::model::chat::ChatOptions;

/// Flags of the chat template, in place of the keys of `[model]`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub(crate) struct ChatFlags {
    /// Which of the model's chat templates is used, where it has several [default: the one called default]
    #[arg(long, value_name = "NAME")]
    pub chat_template: Option<String>,
    /// The day that a chat template is told it is, so that prompts are the same on every day [default: 2024-07-26]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<String>,
    /// A value that the chat template asks for, such as enable_thinking=false. May be repeated
    #[arg(long = "template-arg", value_name = "KEY=VALUE")]
    pub arguments: Vec<String>,
}

impl ChatFlags {
    /// Replaces values of `table` by the flags that are given.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for an argument that is no `KEY=VALUE`.
    pub(crate) fn apply(&self, table: &mut ModelTable) -> Result<()> {
        if self.chat_template.is_some() {
            table.chat_template.clone_from(&self.chat_template);
        }
        if self.date.is_some() {
            table.date.clone_from(&self.date);
        }
        for argument in &self.arguments {
            let Some((key, value)) = argument.split_once('=').filter(|(key, _)| !key.is_empty())
            else {
                return Err(bad_input!("--template-arg {argument}: expected KEY=VALUE"));
            };
            table.template.insert(key.to_owned(), value_of(value));
        }
        Ok(())
    }
}

/// Parses a whole number, a number, true or false, else text.
fn value_of(text: &str) -> toml::Value {
    match (
        text.parse::<i64>(),
        text.parse::<f64>(),
        text.parse::<bool>(),
    ) {
        (Ok(number), ..) => number.into(),
        (_, Ok(number), _) => number.into(),
        (.., Ok(flag)) => flag.into(),
        _ => text.into(),
    }
}

/// Reads the options of the chat template from the table `[model]`; `origin` names it in errors.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) for a date that is not valid, or an argument that is a date.
pub(crate) fn options(table: &ModelTable, origin: &str) -> Result<ChatOptions> {
    let date = match &table.date {
        None => ChatOptions::DATE,
        Some(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .filter(|date| (1..=9999).contains(&date.year()))
            .ok_or_else(|| {
                bad_input!("{origin}: model.date = \"{text}\": expected a day as YYYY-MM-DD")
            })?,
    };
    let argument = |(name, value): (&String, &toml::Value)| match holds_date(value) {
        true => Err(bad_input!(
            "{origin}: model.template.{name} = {value}: expected text, numbers, true or false, or lists and tables of \
             them"
        )),
        false => Ok((name.clone(), serde_json::to_value(value)?)),
    };
    Ok(ChatOptions {
        template: table.chat_template.clone(),
        date,
        arguments: table.template.iter().map(argument).collect::<Result<_>>()?,
    })
}

fn holds_date(value: &toml::Value) -> bool {
    match value {
        toml::Value::Datetime(_) => true,
        toml::Value::Array(list) => list.iter().any(holds_date),
        toml::Value::Table(table) => table.values().any(holds_date),
        _ => false,
    }
}
