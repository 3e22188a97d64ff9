//! The same tensors through safetensors and GGUF; damaged files end with a message.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};

use super::Weights;
use crate::attend::rope::RopeScaling;
use crate::error::exit_code;
use crate::model::config::{Architecture, DecoderConfig};

const HIDDEN: usize = 64;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 16;
const VOCAB: usize = 32;
const Q: &str = "model.layers.0.self_attn.q_proj.weight";
const K: &str = "model.layers.0.self_attn.k_proj.weight";
const V: &str = "model.layers.0.self_attn.v_proj.weight";

/// Distinct values that f16 holds exactly.
fn values(rows: usize, columns: usize) -> Tensor {
    let data: Vec<f32> = (0..rows * columns)
        .map(|i| i as f32 / 32.0 - 64.0)
        .collect();
    Tensor::from_vec(data, (rows, columns), &Device::Cpu).unwrap()
}

/// `LlamaModel.permute` of llama.cpp's convert_hf_to_gguf.py, as written there.
fn permute(weights: &Tensor, heads: usize) -> Tensor {
    let (rows, columns) = weights.dims2().unwrap();
    weights
        .reshape((heads, 2, rows / heads / 2, columns))
        .unwrap()
        .transpose(1, 2)
        .unwrap()
        .contiguous()
        .unwrap()
        .reshape((rows, columns))
        .unwrap()
}

fn write_gguf(
    path: &Path,
    architecture: &str,
    extra: &[(&str, Value)],
    tensors: &[(&str, &Tensor, GgmlDType)],
) {
    let mut metadata = vec![(
        "general.architecture".to_owned(),
        Value::String(architecture.to_owned()),
    )];
    for (key, value) in [
        ("embedding_length", HIDDEN),
        ("feed_forward_length", 128),
        ("block_count", 1),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KV_HEADS),
        ("context_length", 256),
        ("rope.dimension_count", HEAD_DIM),
    ] {
        metadata.push((format!("{architecture}.{key}"), Value::U32(value as u32)));
    }
    metadata.push((
        format!("{architecture}.attention.layer_norm_rms_epsilon"),
        Value::F32(1e-5),
    ));
    for (key, value) in extra {
        metadata.retain(|(other, _)| other != key);
        metadata.push(((*key).to_owned(), value.clone()));
    }
    let quantised: Vec<(&str, QTensor)> = tensors
        .iter()
        .map(|(name, tensor, dtype)| (*name, QTensor::quantize(tensor, *dtype).unwrap()))
        .collect();
    gguf_file::write(
        &mut fs::File::create(path).unwrap(),
        &metadata
            .iter()
            .map(|(k, v)| (k.as_str(), v))
            .collect::<Vec<_>>(),
        &quantised.iter().map(|(n, t)| (*n, t)).collect::<Vec<_>>(),
    )
    .unwrap();
}

/// A one-layer GGUF with query, key and value projections as llama.cpp writes them.
fn small_gguf(path: &Path, architecture: &str, extra: &[(&str, Value)], dtype: GgmlDType) {
    let (q, kv) = (
        values(HEADS * HEAD_DIM, HIDDEN),
        values(KV_HEADS * HEAD_DIM, HIDDEN),
    );
    let (q_stored, k_stored) = if architecture == "llama" {
        (permute(&q, HEADS), permute(&kv, KV_HEADS))
    } else {
        (q, kv.clone())
    };
    write_gguf(
        path,
        architecture,
        extra,
        &[
            ("token_embd.weight", &values(VOCAB, HIDDEN), GgmlDType::F32),
            ("blk.0.attn_q.weight", &q_stored, dtype),
            ("blk.0.attn_k.weight", &k_stored, dtype),
            ("blk.0.attn_v.weight", &kv, dtype),
        ],
    );
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    let d = (a - b).unwrap().abs().unwrap();
    d.max_all().unwrap().to_scalar().unwrap()
}

fn read(weights: &Weights, name: &str, rows: usize) -> Tensor {
    weights
        .tensor(name, &[rows, HIDDEN], DType::F32, &Device::Cpu)
        .unwrap()
}

#[test]
fn gguf_rows_return_to_the_hugging_face_order() {
    let folder = tempfile::tempdir().unwrap();
    for architecture in ["llama", "qwen2"] {
        for (dtype, tolerance) in [
            (GgmlDType::F32, 0.0),
            (GgmlDType::F16, 0.0),
            (GgmlDType::Q8_0, 0.3),
        ] {
            let path = folder.path().join("m.gguf");
            small_gguf(&path, architecture, &[], dtype);
            let weights = Weights::open_gguf(&[path]).unwrap();
            for (name, rows) in [
                (Q, HEADS * HEAD_DIM),
                (K, KV_HEADS * HEAD_DIM),
                (V, KV_HEADS * HEAD_DIM),
            ] {
                let worst = difference(&read(&weights, name, rows), &values(rows, HIDDEN));
                assert!(
                    worst <= tolerance,
                    "{architecture} {dtype:?} {name}: {worst}"
                );
            }
            assert!(weights.has(Q) && !weights.has("lm_head.weight"));
        }
    }
}

#[test]
fn a_tensor_larger_than_one_chunk_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let rows = 2 * super::gguf::CHUNK / HIDDEN + 3;
    let table = (values(rows, HIDDEN) / 1e4).unwrap();
    let tensors = [("token_embd.weight", &table, GgmlDType::Q4_1)];
    write_gguf(&path, "llama", &[], &tensors);
    let weights = Weights::open_gguf(&[path]).unwrap();
    let expected = QTensor::quantize(&table, GgmlDType::Q4_1).unwrap();
    let expected = expected.dequantize(&Device::Cpu).unwrap();
    let found = read(&weights, "model.embed_tokens.weight", rows);
    assert_eq!(difference(&found, &expected), 0.0);
}

#[test]
fn gguf_config() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    small_gguf(&path, "llama", &[], GgmlDType::F32);
    let weights = Weights::open_gguf(&[path]).unwrap();
    let config = DecoderConfig::from_gguf(weights.gguf().unwrap()).unwrap();
    assert_eq!(config.architecture, Architecture::Llama);
    assert_eq!(
        (config.hidden, config.intermediate, config.layers),
        (64, 128, 1)
    );
    assert_eq!((config.heads, config.kv_heads, config.head_dim), (4, 2, 16));
    assert_eq!((config.vocab, config.max_positions), (VOCAB, 256));
    assert_eq!((config.rope_theta, config.rope_scaling), (10_000.0, None));
    assert!(config.tie_embeddings && !config.qkv_bias && !config.qk_norm);
}

#[test]
fn rope_divisors_come_from_the_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let divisors = [1f32, 1.0, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0];
    let tensor = Tensor::new(&divisors, &Device::Cpu).unwrap();
    let table = values(VOCAB, HIDDEN);
    let tensors = [
        ("token_embd.weight", &table, GgmlDType::F32),
        ("rope_freqs.weight", &tensor, GgmlDType::F32),
    ];
    write_gguf(&path, "llama", &[], &tensors);
    let weights = Weights::open_gguf(&[path]).unwrap();
    let config = DecoderConfig::from_gguf(weights.gguf().unwrap()).unwrap();
    assert_eq!(
        config.rope_scaling,
        Some(RopeScaling::Divisors(divisors.to_vec()))
    );
}

#[test]
fn wrong_gguf_metadata_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let array = Value::Array(vec![Value::U32(2)]);
    for (key, value, part) in [
        (
            "general.architecture",
            Value::String("gemma3".into()),
            "is \"gemma3\", expected llama",
        ),
        (
            "llama.attention.head_count_kv",
            array,
            "is [2], expected a whole number",
        ),
        (
            "llama.attention.head_count_kv",
            Value::U32(3),
            "is 3, expected a divisor of",
        ),
        (
            "llama.expert_count",
            Value::U32(8),
            "llama.expert_count is 8, expected 0",
        ),
        ("llama.rope.dimension_count", Value::U32(8), "expected 16"),
        (
            "llama.rope.scaling.type",
            Value::String("yarn".into()),
            "\"yarn\", expected none or linear",
        ),
        (
            "llama.context_length",
            Value::String("long".into()),
            "is \"long\", expected a whole number",
        ),
    ] {
        small_gguf(&path, "llama", &[(key, value)], GgmlDType::F32);
        let weights = Weights::open_gguf(from_ref(&path)).unwrap();
        let error = DecoderConfig::from_gguf(weights.gguf().unwrap()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(key) && text.contains(part) && text.contains("m.gguf"),
            "{text}"
        );
        assert_eq!(exit_code(&error), 2);
    }
}

/// Every way of opening `bytes` must end in a message or in weights, never in a panic.
fn open(path: &Path, bytes: &[u8]) -> anyhow::Result<Weights> {
    fs::write(path, bytes).unwrap();
    if path.extension().unwrap() == "gguf" {
        Weights::open_gguf(&[path.to_owned()])
    } else {
        Weights::open_safetensors(&[path.to_owned()])
    }
}

#[test]
fn truncated_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let gguf = folder.path().join("m.gguf");
    small_gguf(&gguf, "llama", &[], GgmlDType::Q8_0);
    let safetensors = folder.path().join("m.safetensors");
    let tensors = HashMap::from([(Q.to_owned(), values(64, HIDDEN))]);
    candle_core::safetensors::save(&tensors, &safetensors).unwrap();
    for path in [gguf, safetensors] {
        let whole = fs::read(&path).unwrap();
        assert!(open(&path, &whole).is_ok());
        // The header closely, the data in larger steps; the last 32 bytes may be padding.
        let cuts = (0..2000.min(whole.len() - 32))
            .step_by(3)
            .chain((2000..whole.len() - 32).step_by(997));
        for cut in cuts {
            let error = open(&path, &whole[..cut])
                .err()
                .unwrap_or_else(|| panic!("cut at {cut}"));
            assert_eq!(exit_code(&error), 2);
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }
}

#[test]
fn damaged_headers_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    small_gguf(
        &path,
        "llama",
        &[("general.alignment", Value::U32(32))],
        GgmlDType::Q8_0,
    );
    let whole = fs::read(&path).unwrap();
    for at in 0..1200 {
        for byte in [0x00, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            // A flipped digit inside a value can still be a valid file; then reading must be safe.
            if let Ok(weights) = open(&path, &damaged) {
                let _ = DecoderConfig::from_gguf(weights.gguf().unwrap());
                let _ = weights.tensor(Q, &[64, HIDDEN], DType::F32, &Device::Cpu);
            }
        }
    }
}

#[test]
fn safetensors_types_shards_and_messages() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let save = |path: &PathBuf, name: &str, tensor: Tensor| {
        candle_core::safetensors::save(&HashMap::from([(name.to_owned(), tensor)]), path).unwrap();
    };
    let (a, b, c) = (
        file("a.safetensors"),
        file("b.safetensors"),
        file("c.safetensors"),
    );
    save(&a, Q, values(8, HIDDEN).to_dtype(DType::F16).unwrap());
    save(&b, K, values(8, HIDDEN).to_dtype(DType::BF16).unwrap());
    save(
        &c,
        V,
        Tensor::zeros((8, HIDDEN), DType::U8, &Device::Cpu).unwrap(),
    );
    let weights = Weights::open_safetensors(&[a.clone(), b, c]).unwrap();
    assert_eq!(difference(&read(&weights, Q, 8), &values(8, HIDDEN)), 0.0);
    assert!(difference(&read(&weights, K, 8), &values(8, HIDDEN)) <= 0.25);

    let error = |name: &str, shape: &[usize]| {
        let error = weights
            .tensor(name, shape, DType::F32, &Device::Cpu)
            .unwrap_err();
        assert_eq!(exit_code(&error), 2);
        error.to_string()
    };
    let text = error(Q, &[4, 4]);
    assert!(
        text.contains("a.safetensors") && text.contains("[8, 64], expected [4, 4]"),
        "{text}"
    );
    let text = error("lm_head.weight", &[4, 4]);
    assert!(
        text.contains("lm_head.weight is missing") && text.contains("[4, 4]"),
        "{text}"
    );
    let text = error(V, &[8, HIDDEN]);
    assert!(text.contains("element type U8, expected F32"), "{text}");

    let text = Weights::open_safetensors(&[a.clone(), a])
        .err()
        .unwrap()
        .to_string();
    assert!(text.contains("is also in"), "{text}");
    let text = Weights::open_safetensors(&[file("none")])
        .err()
        .unwrap()
        .to_string();
    assert!(text.contains("none"), "{text}");
}
