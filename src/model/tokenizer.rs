//! Text to token ids and back, with what belongs to it: stop tokens and the chat template.
//!
//! Reads the files that `source` resolved, in either layout, into one [`ModelTokenizer`].

mod byte_level;
mod definition;
mod ends;
mod gguf;
mod hf;
mod json;
mod merges;
mod pre;
mod prefix;
mod proto;
mod sentencepiece;
mod special;
mod trial;
mod vocabulary;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use tokenizers::{Encoding, Tokenizer};

use self::definition::FoundTokenizer;
use self::trial::Watch;
use super::chat::{ChatOptions, ChatTemplate, Message, choose};
use super::config::list_some;
use crate::bad_input;
use crate::guard::guarded;
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
    tokenizer: Arc<Tokenizer>,
    /// What it was read from.
    file: String,
    opening: Vec<u32>,
    closing: Vec<u32>,
    stop_ids: Vec<u32>,
    bos: Option<u32>,
    template: Option<Arc<ChatTemplate>>,
    clean_up: bool,
    /// Tokens that the model has no embedding for: those from this id on.
    rows: usize,
    watch: Watch,
    sha256: String,
    notes: Vec<String>,
}

/// A token of a vocabulary.
pub struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// Its text as the vocabulary writes it: byte-level BPE has `Ġ` for a space.
    pub text: String,
    /// Whether it was added after the tokenizer was trained, as special tokens are.
    pub added: bool,
}

impl ModelTokenizer {
    /// Reads the tokenizer of `files` with the chat template that it uses by default.
    ///
    /// # Errors
    /// As [`load_with`](Self::load_with).
    pub fn load(files: &ModelFiles) -> Result<Self> {
        Self::load_with(files, &ChatOptions::default())
    }

    /// Reads the tokenizer of `files`, and tries it on a text.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if a file is not what its name says, the tokenizer is of a kind that is not
    /// supported or fails on the text, or there is no chat template as `chat` asks for.
    pub fn load_with(files: &ModelFiles, chat: &ChatOptions) -> Result<Self> {
        let definition = match &files.kind {
            ModelFileKind::HfFolder {
                config,
                generation_config,
                tokenizer,
                ..
            } => hf::load(config, generation_config.as_deref(), tokenizer)?,
            // The first part has the metadata of all.
            ModelFileKind::Gguf(parts) => gguf::load(&parts[0])?,
        };
        Self::complete(definition, chat)
    }

    fn complete(definition: FoundTokenizer, chat: &ChatOptions) -> Result<Self> {
        let FoundTokenizer {
            tokenizer,
            file,
            patterns,
            special,
            eos_ids,
            templates,
            clean_up,
            sha256,
            notes,
        } = definition;
        let tokenizer = Arc::new(tokenizer);
        let watch = Watch::new(&file, &patterns);
        let (opening, closing) = trial::ends(&tokenizer, &file, &patterns)?;
        let marked = |token: &str| {
            let id = tokenizer.token_to_id(token)?;
            let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
            added
                .get(&id)
                .is_some_and(|token| token.special)
                .then_some(id)
        };
        let id = |name: &str| tokenizer.token_to_id(special.get(name)?);
        let mut stop_ids = eos_ids;
        stop_ids.extend(id("eos_token"));
        stop_ids.extend(END_OF_TURN.into_iter().filter_map(marked));
        stop_ids.sort_unstable();
        stop_ids.dedup();
        let bos = id("bos_token");
        let template = choose(templates, chat.template.as_deref())?;
        if let (None, Some(name)) = (&template, chat.arguments.keys().next()) {
            return Err(bad_input!(
                "template argument {name}: the model has no chat template"
            ));
        }
        let template = template.map(|named| ChatTemplate::new(named, special, chat));
        Ok(Self {
            tokenizer,
            file,
            opening,
            closing,
            stop_ids,
            bos,
            template: template.transpose()?,
            clean_up,
            rows: usize::MAX,
            watch,
            sha256,
            notes,
        })
    }

    /// Says of how many tokens the model has embeddings. A text with another is refused from then on.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if the model has none for a token that it begins its texts with.
    pub fn set_embedding_rows(&mut self, rows: usize) -> Result<()> {
        self.rows = rows;
        self.check(&self.opening)
    }

    /// That the model has an embedding for each of `ids`.
    fn check(&self, ids: &[u32]) -> Result<()> {
        let beyond: BTreeSet<&u32> = ids.iter().filter(|id| **id as usize >= self.rows).collect();
        if beyond.is_empty() {
            return Ok(());
        }
        let beyond: Vec<String> = beyond.iter().map(ToString::to_string).collect();
        Err(bad_input!(
            "{}: the tokenizer gives {} beyond the {} rows of the embedding (vocab_size)",
            self.file,
            list_some("token id", &beyond),
            self.rows
        ))
    }

    /// Token ids of `text`. Special tokens written in the text are recognised as such. `opening` puts those before it
    /// that the model begins its texts with, such as BOS; a token that the model ends its texts with is never put after
    /// it, for a prompt goes on.
    ///
    /// # Errors
    /// If the tokenizer fails on the text; [`BadInput`](crate::error::BadInput) for a token that the model has no
    /// embedding for.
    pub fn encode(&self, text: &str, opening: bool) -> Result<Vec<u32>> {
        let encoding = self.encoding(text, false)?;
        let opening = if opening { &self.opening[..] } else { &[] };
        Ok([opening, encoding.get_ids()].concat())
    }

    /// Token ids of `text` as [`encode`](Self::encode) gives them, and the bytes of `text` that each stands for; those
    /// of the `opening` stand for none, `0..0`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_spans(&self, text: &str, opening: bool) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        let encoding = self.encoding(text, true)?;
        let opening = if opening { &self.opening[..] } else { &[] };
        let mut spans = vec![0..0; opening.len()];
        spans.extend(
            encoding
                .get_offsets()
                .iter()
                .map(|(start, end)| *start..*end),
        );
        Ok(([opening, encoding.get_ids()].concat(), spans))
    }

    /// Token ids of `text` where it continues `before`, and the bytes of `text` that each stands for
    /// (without the white space around it, in some vocabularies). SentencePiece vocabularies start
    /// a text with a space; a continuation gets none. Special tokens are recognised, none are added.
    /// Where a token would span both parts, `text` is encoded alone.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_after(&self, before: &str, text: &str) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        let head = self.encode(before, false)?;
        let joined = self.encoding(&format!("{before}{text}"), true)?;
        let (encoding, tokens, bytes) = if joined.get_ids().starts_with(&head) {
            (joined, head.len(), before.len())
        } else {
            (self.encoding(text, true)?, 0, 0)
        };
        let spans = encoding.get_offsets()[tokens..].iter();
        let spans =
            spans.map(|(start, end)| start.saturating_sub(bytes)..end.saturating_sub(bytes));
        Ok((encoding.get_ids()[tokens..].to_vec(), spans.collect()))
    }

    /// `text` in tokens, none added, with the bytes that each stands for if `spans`.
    fn encoding(&self, text: &str, spans: bool) -> Result<Encoding> {
        let encode = || match spans {
            true => self.tokenizer.encode(text, false),
            false => self.tokenizer.encode_fast(text, false),
        };
        let encoding = guarded(|| self.watch.over(text.len(), encode))
            .map_err(|panic| anyhow!("{}: cannot tokenize: {panic}", self.file))?
            .map_err(|error| anyhow!("{}: cannot tokenize: {error}", self.file))?;
        self.check(encoding.get_ids())?;
        Ok(encoding)
    }

    /// Text of `ids` as `transformers` decodes it with `skip_special_tokens`: without special tokens and, where the
    /// model's files ask for `clean_up_tokenization_spaces`, without the spaces before punctuation.
    ///
    /// # Errors
    /// If the tokenizer fails on the ids.
    pub fn decode_cleaned(&self, ids: &[u32]) -> Result<String> {
        let text = self.decode(ids, true)?;
        Ok(if self.clean_up { cleaned(text) } else { text })
    }

    /// Text of `ids`, without special tokens if `skip_special`.
    ///
    /// # Errors
    /// If the tokenizer fails on the ids.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        guarded(|| self.tokenizer.decode(ids, skip_special))
            .map_err(|panic| anyhow!("cannot decode tokens: {panic}"))?
            .map_err(|error| anyhow!("cannot decode tokens: {error}"))
    }

    /// Tokens that the model begins its texts with.
    pub fn opening(&self) -> &[u32] {
        &self.opening
    }

    /// Tokens that the model ends its texts with. No prompt has them.
    pub fn closing(&self) -> &[u32] {
        &self.closing
    }

    /// Tokens that end an answer, ascending: every EOS that the model's files name, and the usual
    /// end-of-turn tokens that are special in its vocabulary. An id beyond the vocabulary is never met.
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

    /// SHA-256 of the definition: the bytes of `tokenizer.json`; or that of a tokenizer in the same format, built from
    /// what else the files have: GGUF metadata, `vocab.json` with `merges.txt`, or `tokenizer.model`.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What a reader of the results should know, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The chat template's source, if the model has one.
    pub fn chat_template(&self) -> Option<&str> {
        self.template.as_ref().map(|template| template.source())
    }

    /// Whether the model has a chat template.
    pub fn has_chat_template(&self) -> bool {
        self.template.is_some()
    }

    /// That the chat template, where there is one, renders a turn of the user.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) with the template's file and key.
    pub fn check_chat(&self) -> Result<()> {
        let text = self.render_chat(&[Message::user("Hello.")], true)?;
        match text.contains("Hello.") {
            true => Ok(()),
            false => Err(self.not_shown()),
        }
    }

    /// The error of a chat template that leaves out what the user says.
    pub fn not_shown(&self) -> anyhow::Error {
        let origin = self
            .template
            .as_ref()
            .map_or("", |template| template.origin());
        bad_input!("{origin}: the chat template does not show what the user says")
    }

    /// The conversation as the text the model was trained on. A model without a template gets the
    /// contents alone, one per line.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if the template refuses the messages or runs too long.
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

/// `clean_up_tokenization` of `transformers`, its replacements in its order.
fn cleaned(text: String) -> String {
    let pairs = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    pairs
        .into_iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}
