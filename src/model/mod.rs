//! One decoder for Llama, Mistral and Qwen models: `config` (its facts), `weights` (safetensors, GGUF), `decoder` (the
//! forward pass over any cache), `observe` (what a prefill leaves for compressors), `tokenizer` and `chat` (text to
//! tokens and back).

pub mod chat;
pub mod config;
pub mod decoder;
mod linear;
pub mod observe;
mod ops;
pub mod tokenizer;
pub mod weights;
