//! Text to token ids and back, with what belongs to it: stop tokens and the chat template.
//!
//! Reads the files that `source` resolved, in either layout, into one [`ModelTokenizer`].

mod gguf;
mod hf;
mod sentencepiece;

use std::ops::Range;

use anyhow::{Result, anyhow};
use tokenizers::Tokenizer;

use super::chat::{ChatTemplate, Message};
use crate::source::{ModelFileKind, ModelFiles};

/// End-of-turn tokens that chat models emit whether or not their files list them as EOS.
const END_OF_TURN: [&str; 4] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
];

/// The tokenizer of one model.
pub struct ModelTokenizer {
    tokenizer: Tokenizer,
    stop_ids: Vec<u32>,
    bos: Option<u32>,
    template: Option<ChatTemplate>,
    sha256: String,
}

/// A token of a vocabulary.
pub struct Token {
    pub id: u32,
    pub text: String,
    /// Beside the vocabulary that the tokenizer was trained with.
    pub added: bool,
}

/// What a model's files say, before it is completed to a [`ModelTokenizer`].
struct Definition {
    tokenizer: Tokenizer,
    bos_token: Option<String>,
    eos_token: Option<String>,
    /// Every id that the files call an end of sequence or of turn.
    eos_ids: Vec<u32>,
    chat_template: Option<String>,
    sha256: String,
}

impl ModelTokenizer {
    /// Reads the tokenizer of `files`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if a file is not what its name says, or the tokenizer
    /// is of a kind that is not supported.
    pub fn load(files: &ModelFiles) -> Result<Self> {
        let definition = match &files.kind {
            ModelFileKind::HfFolder {
                config,
                tokenizer,
                tokenizer_config,
                generation_config,
                chat_template,
                ..
            } => hf::Files {
                config,
                tokenizer,
                tokenizer_config,
                generation_config,
                chat_template,
            }
            .load()?,
            // The first part has the metadata of all.
            ModelFileKind::Gguf(parts) => gguf::load(&parts[0])?,
        };
        Ok(Self::complete(definition))
    }

    fn complete(definition: Definition) -> Self {
        let Definition {
            tokenizer,
            bos_token,
            eos_token,
            eos_ids,
            chat_template,
            sha256,
        } = definition;
        let special = |token: &str| {
            let id = tokenizer.token_to_id(token)?;
            let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
            added
                .get(&id)
                .is_some_and(|token| token.special)
                .then_some(id)
        };
        let mut stop_ids = eos_ids;
        stop_ids.extend(
            eos_token
                .as_deref()
                .and_then(|token| tokenizer.token_to_id(token)),
        );
        stop_ids.extend(END_OF_TURN.into_iter().filter_map(special));
        stop_ids.sort_unstable();
        stop_ids.dedup();
        let bos = bos_token
            .as_deref()
            .and_then(|token| tokenizer.token_to_id(token));
        let template = chat_template.map(|source| ChatTemplate {
            source,
            bos: bos_token,
            eos: eos_token,
        });
        Self {
            tokenizer,
            stop_ids,
            bos,
            template,
            sha256,
        }
    }

    /// Token ids of `text`. Special tokens written in the text are recognised as such;
    /// `add_special` also adds those the model starts (or ends) a sequence with, such as BOS.
    ///
    /// # Errors
    /// If the tokenizer fails on the text.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, add_special);
        Ok(encoding
            .map_err(|error| anyhow!("cannot tokenize: {error}"))?
            .get_ids()
            .to_vec())
    }

    /// Token ids of `text` as [`encode`](Self::encode) gives them, and the bytes of `text` that each stands for; those
    /// that `add_special` adds stand for none, `0..0`.
    ///
    /// # Errors
    /// If the tokenizer fails on the text.
    pub fn encode_spans(
        &self,
        text: &str,
        add_special: bool,
    ) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        let encoding = self.tokenizer.encode(text, add_special);
        let encoding = encoding.map_err(|error| anyhow!("cannot tokenize: {error}"))?;
        let spans = encoding.get_offsets().iter();
        let spans = spans.map(|(start, end)| *start..*end).collect();
        Ok((encoding.get_ids().to_vec(), spans))
    }

    /// Token ids of `text` where it continues `before`, and the bytes of `text` that each stands for
    /// (without the white space around it, in some vocabularies). SentencePiece vocabularies start
    /// a text with a space; a continuation gets none. Special tokens are recognised, none are added.
    /// Where a token would span both parts, `text` is encoded alone.
    ///
    /// # Errors
    /// If the tokenizer fails on the text.
    pub fn encode_after(&self, before: &str, text: &str) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        let encode = |text: &str| {
            self.tokenizer
                .encode(text, false)
                .map_err(|error| anyhow!("cannot tokenize: {error}"))
        };
        let head = self.encode(before, false)?;
        let joined = encode(&format!("{before}{text}"))?;
        let (encoding, tokens, bytes) = if joined.get_ids().starts_with(&head) {
            (joined, head.len(), before.len())
        } else {
            (encode(text)?, 0, 0)
        };
        let spans = encoding.get_offsets()[tokens..].iter();
        let spans =
            spans.map(|(start, end)| start.saturating_sub(bytes)..end.saturating_sub(bytes));
        Ok((encoding.get_ids()[tokens..].to_vec(), spans.collect()))
    }

    /// Text of `ids`, without special tokens if `skip_special`.
    ///
    /// # Errors
    /// If the tokenizer fails on the ids.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.tokenizer
            .decode(ids, skip_special)
            .map_err(|error| anyhow!("cannot decode tokens: {error}"))
    }

    /// Tokens that end an answer, ascending: every EOS that the model's files name, and the usual
    /// end-of-turn tokens that are special in its vocabulary.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// The beginning-of-sequence token, if the model has one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Tokens in the vocabulary, added ones included. A model's logits may be padded beyond it.
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// Tokens with ids from `rows` on, by id.
    pub fn beyond(&self, rows: usize) -> Vec<Token> {
        let added = self
            .tokenizer
            .get_added_vocabulary()
            .get_added_tokens_decoder();
        let vocabulary = self.tokenizer.get_vocab(true).into_iter();
        let mut tokens: Vec<Token> = vocabulary
            .filter(|(_, id)| *id as usize >= rows)
            .map(|(text, id)| Token {
                id,
                text,
                added: added.contains_key(&id),
            })
            .collect();
        tokens.sort_by_key(|token| token.id);
        tokens
    }

    /// SHA-256 of the definition: the bytes of `tokenizer.json`, or for GGUF that of the tokenizer
    /// built from the metadata, in the same format.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The chat template's source, if the model has one.
    pub fn chat_template(&self) -> Option<&str> {
        self.template
            .as_ref()
            .map(|template| template.source.as_str())
    }

    pub fn has_chat_template(&self) -> bool {
        self.template.is_some()
    }

    /// The conversation as the text the model was trained on. A model without a template gets the
    /// contents alone, one per line.
    ///
    /// # Errors
    /// If the template does not parse, or refuses the messages.
    pub fn render_chat(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        match &self.template {
            Some(template) => template.render(messages, add_generation_prompt),
            None => {
                let contents: Vec<_> = messages.iter().map(|m| m.content.as_str()).collect();
                Ok(contents.join("\n"))
            }
        }
    }

    /// Token ids of [`render_chat`](Self::render_chat). As in `transformers`, the template alone
    /// decides about BOS, so none is added to what it rendered; without a template it is added.
    ///
    /// # Errors
    /// As [`render_chat`](Self::render_chat) and [`encode`](Self::encode).
    pub fn encode_chat(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Vec<u32>> {
        let text = self.render_chat(messages, add_generation_prompt)?;
        self.encode(&text, !self.has_chat_template())
    }
}
