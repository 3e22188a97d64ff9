//! Byte-level BPE (GPT-2's) from a vocabulary and its merges.

use anyhow::Result;
use tokenizers::decoders::byte_level::ByteLevel as Decoder;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{AddedToken, Tokenizer};

use super::pre::Pre;
use crate::bad_input;

/// A tokenizer without special tokens and without tokens around a text.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput): a merge whose parts or result the vocabulary lacks.
pub(super) fn build(vocab: Vocab, merges: Vec<(String, String)>, pre: &Pre) -> Result<Tokenizer> {
    let failed = |error: tokenizers::Error| bad_input!("the tokenizer cannot be built: {error}");
    let bpe = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .ignore_merges(pre.ignore_merges)
        .build()
        .map_err(failed)?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(pre.splitter().map_err(failed)?));
    tokenizer.with_decoder(Some(Decoder::default()));
    if pre.nfc {
        tokenizer
            .with_normalizer(Some(tokenizers::normalizers::NFC))
            .map_err(failed)?;
    }
    Ok(tokenizer)
}

/// A token that is found in a text whatever stands around it.
pub(super) fn added(token: &str, special: bool) -> AddedToken {
    AddedToken::from(token, special).normalized(false)
}
