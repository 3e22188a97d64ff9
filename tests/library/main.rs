//! Tests of what the library offers, in one binary: each of its own would link all of candle again.

#[path = "../common/mod.rs"]
mod common;

mod caches;
mod chat_golden;
mod company;
mod compress_golden;
mod compressed_layers;
mod configurations;
mod conformance;
mod custom;
mod faults;
mod forms;
mod golden_kept;
mod golden_logits;
mod golden_weights;
mod growth;
mod haystack;
mod inputs;
mod longbench;
mod methods_golden;
mod metrics;
mod mini;
mod needle;
mod needle_vocabularies;
mod niah;
mod oracle;
mod perplexity;
mod plot;
mod readers;
mod record;
mod report;
mod rouge1;
mod ruler;
mod rules;
mod structure;
mod tiny_models;
mod tokenizer;
mod tokenizer_damage;
mod tokenizer_folders;
mod tokenizer_pre;
mod unfolding;
mod wrong_types;
