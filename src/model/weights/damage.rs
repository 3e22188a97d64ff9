//! Files that mean harm, or are cut short: each ends in one line that names file and place.

mod gguf;

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::slice::from_ref;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;

use super::Weights;
use crate::error::exit_code;
use crate::model::config::DecoderConfig;

fn refused(open: anyhow::Result<Weights>, path: &Path, says: &[&str]) {
    let error = open.err().unwrap_or_else(|| panic!("{says:?} was opened"));
    let line = format!("{error:#}");
    assert_eq!(exit_code(&error), 2, "{line}");
    assert!(line.starts_with(path.to_str().unwrap()), "{line}");
    assert!(!line.contains('\n') && line.len() < 400, "{line}");
    for part in says {
        assert!(line.contains(part), "{line:?} lacks {part:?}");
    }
}

#[test]
fn safetensors_headers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let tensor = r#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    for (header, data, says) in [
        ("{", 0, "its header is damaged"),
        ("[]", 0, "its header is damaged"),
        (tensor, 4, "tells of 8 bytes of tensors, there are 4"),
        (tensor, 12, "tells of 8 bytes of tensors, there are 12"),
        (
            r#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
            4,
            "its header is damaged",
        ),
        (
            r#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
            12,
            "its header is damaged",
        ),
        (
            r#"{"t":{"dtype":"F32","shape":[18446744073709551615,8],"data_offsets":[0,8]}}"#,
            8,
            "its header is damaged",
        ),
        (
            r#"{"t":{"dtype":"Z9","shape":[2],"data_offsets":[0,8]}}"#,
            8,
            "its header is damaged",
        ),
    ] {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        fs::write(&path, bytes).unwrap();
        refused(Weights::open_safetensors(from_ref(&path)), &path, &[says]);
    }
}

/// A file that another process cuts short after it was opened would end the program if it were mapped.
#[test]
fn files_that_shrink_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let table = Tensor::ones((64, 64), DType::F32, &Device::Cpu).unwrap();
    let name = "model.embed_tokens.weight";
    let safetensors = folder.path().join("m.safetensors");
    let tensors = HashMap::from([(name.to_owned(), table.clone())]);
    candle_core::safetensors::save(&tensors, &safetensors).unwrap();
    let gguf = folder.path().join("m.gguf");
    let stored = QTensor::quantize(&table, GgmlDType::F32).unwrap();
    gguf_file::write(
        &mut File::create(&gguf).unwrap(),
        &[],
        &[("token_embd.weight", &stored)],
    )
    .unwrap();
    for (path, weights) in [
        (
            &safetensors,
            Weights::open_safetensors(from_ref(&safetensors)),
        ),
        (&gguf, Weights::open_gguf(from_ref(&gguf))),
    ] {
        let weights = weights.unwrap();
        assert!(
            weights
                .tensor(name, &[64, 64], DType::F32, &Device::Cpu)
                .is_ok()
        );
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(5000)
            .unwrap();
        let error = weights
            .tensor(name, &[64, 64], DType::F32, &Device::Cpu)
            .unwrap_err();
        assert_eq!(exit_code(&error), 2);
        let line = error.to_string();
        assert!(line.starts_with(path.to_str().unwrap()), "{line}");
        assert!(line.contains("has the file changed"), "{line}");
    }
}

/// A small file of each format, to be damaged.
fn whole() -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (gguf, safetensors) = (
        folder.path().join("m.gguf"),
        folder.path().join("m.safetensors"),
    );
    let table = Tensor::ones((8, 32), DType::F32, &Device::Cpu).unwrap();
    let stored = QTensor::quantize(&table, GgmlDType::Q8_0).unwrap();
    let numbers = [
        ("context_length", 64),
        ("embedding_length", 32),
        ("feed_forward_length", 32),
        ("block_count", 1),
        ("attention.head_count", 4),
    ];
    let mut metadata = vec![
        (
            "general.architecture".to_owned(),
            Value::String("llama".into()),
        ),
        (
            "llama.attention.layer_norm_rms_epsilon".to_owned(),
            Value::F32(1e-5),
        ),
        (
            "tokenizer.ggml.tokens".to_owned(),
            Value::Array(vec![Value::String("a".into()); 8]),
        ),
    ];
    metadata.extend(numbers.map(|(key, value)| (format!("llama.{key}"), Value::U32(value))));
    let metadata: Vec<(&str, &Value)> = metadata
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    let tensors = [
        ("token_embd.weight", &stored),
        ("blk.0.attn_q.weight", &stored),
    ];
    gguf_file::write(&mut File::create(&gguf).unwrap(), &metadata, &tensors).unwrap();
    let tensors = HashMap::from([("model.embed_tokens.weight".to_owned(), table)]);
    candle_core::safetensors::save(&tensors, &safetensors).unwrap();
    (fs::read(gguf).unwrap(), fs::read(safetensors).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any damage ends in weights, or in one line; what can be opened can be read.
    #[test]
    fn damaged_files_are_one_line(
        gguf in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)
    ) {
        let (mut bytes, other) = whole();
        if !gguf {
            bytes = other;
        }
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        let paths = [file.path().to_owned()];
        let opened = if gguf { Weights::open_gguf(&paths) } else { Weights::open_safetensors(&paths) };
        let config = |weights: &Weights| match weights.gguf() {
            Some(gguf) => DecoderConfig::from_gguf(gguf).map(|_| ()),
            None => Ok(()),
        };
        let read = opened.and_then(|weights| {
            config(&weights)?;
            for name in ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"] {
                weights.tensor(name, &[8, 32], DType::F32, &Device::Cpu)?;
            }
            Ok(())
        });
        if let Err(error) = read {
            let line = format!("{error:#}");
            prop_assert!(exit_code(&error) == 2 && !line.contains('\n') && line.len() < 500, "{}", line);
        }
    }
}
