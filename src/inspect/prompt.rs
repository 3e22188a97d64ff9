//! The prompt: a text, or a sample of the needle task.

use std::path::Path;

use anyhow::{Context, Result};

use super::window::WINDOW;
use crate::bad_input;
use crate::dataset::haystack::Haystack;
use crate::dataset::texts::own_texts;
use crate::files;
use crate::load::Loaded;
use crate::model::chat::Message;
use crate::task::Task;
use crate::task::needle::{Needle, NeedleSettings};

/// Depth of the needle in its text, percent.
const DEPTH: u32 = 50;

/// A prompt, not yet in the tokens of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// A text that the user gives.
    Text {
        /// The file it came from, or `standard input`.
        name: String,
        /// The text, not empty.
        text: String,
        /// Whether the text is given as the user's turn in the model's chat template, up to where the answer starts.
        /// Else it is given as it is.
        chat: bool,
    },
    /// A sample of the needle task: a number hidden halfway into the project's own texts.
    Needle {
        /// Most tokens of the prompt.
        length: usize,
    },
}

impl Prompt {
    /// The text of a file, or of standard input for `-`.
    ///
    /// # Errors
    /// A file that cannot be read, is not text, or holds none.
    pub(crate) fn read(path: &str, chat: bool) -> Result<Self> {
        let (name, text) = match path {
            "-" => ("standard input", files::standard_input()?),
            file => (file, files::read_text(Path::new(file))?),
        };
        let text = files::unix_lines(text);
        if text.trim().is_empty() {
            return Err(bad_input!("prompt {name}: empty, expected text"));
        }
        Ok(Self::Text {
            name: name.into(),
            text,
            chat,
        })
    }

    /// Returns a description of the prompt, and its tokens.
    ///
    /// # Errors
    /// A prompt too long for the model, or with nothing before the window; `chat` without a template.
    pub(super) fn tokens(&self, loaded: &Loaded) -> Result<(String, Vec<u32>)> {
        let tokenizer = &loaded.tokenizer;
        let (name, tokens) = match self {
            Self::Needle { length } => {
                let settings = NeedleSettings {
                    lengths: vec![*length],
                    depths: vec![DEPTH],
                    ..NeedleSettings::default()
                };
                let task = loaded.within_context(|most| {
                    let haystack = Haystack::new(&own_texts()?, tokenizer)?;
                    Needle::new(&settings, haystack, tokenizer.clone(), most)
                })?;
                let sample = task.sample(0)?;
                let name = format!("needle {}", sample.id);
                (name, [sample.context, sample.question].concat())
            }
            Self::Text { name, text, chat } if *chat => {
                if !tokenizer.has_chat_template() {
                    return Err(bad_input!("--chat: the model has no chat template"));
                }
                tokenizer.check_chat()?;
                let tokens = tokenizer.encode_chat(&[Message::user(text)], true);
                let name = format!("{name} in the chat template");
                (name, tokens.context("the prompt")?)
            }
            Self::Text { name, text, .. } => {
                let tokens = tokenizer.encode(text, true);
                (
                    name.clone(),
                    tokens.with_context(|| format!("prompt {name}"))?,
                )
            }
        };
        let fits = |most: usize| match tokens.len() {
            len if len > WINDOW && len <= most => Ok(()),
            len => Err(bad_input!(
                "prompt {name}: {len} tokens, expected more than the window's {WINDOW} and at most {most}, \
                 the model's context"
            )),
        };
        loaded.within_context(fits)?;
        Ok((name, tokens))
    }
}
