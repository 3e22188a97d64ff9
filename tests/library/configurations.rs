//! Small models whose files say things in many ways, against Python transformers (folders) and llama.cpp (GGUF) on the
//! same numbers (tests/golden/configurations.json, made by tests/golden/configurations.py).

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::slice::from_ref;

use candle_core::quantized::gguf_file::{self, Value as Gguf};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use serde_json::Value;
use spindle::generate::whole_cache;
use spindle::model::config::DecoderConfig;
use spindle::model::decoder::Model;
use spindle::model::observe::Observe;
use spindle::model::weights::Weights;
use spindle::store::StoreType;

use crate::common::{extend, tiny};

const HIDDEN: usize = 32;
const INTERMEDIATE: usize = 48;
const LAYERS: usize = 2;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 8;
const VOCAB: usize = 64;
/// The window of every case that has one.
const WINDOW: usize = 16;

/// Nats per token; both sum in f32, in different orders.
const BOUND_TRANSFORMERS: f64 = 1e-5;
/// 7.2e-4 measured: llama.cpp's attention rounds to f16. What a case is about moves the result by a tenth or more.
const BOUND_LLAMA_CPP: f64 = 2e-3;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/configurations.json")).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn tokens(golden: &Value) -> Vec<u32> {
    let tokens = list(&golden["tokens"]).iter();
    tokens.map(|id| id.as_u64().unwrap() as u32).collect()
}

/// `values` of the script.
fn values(name: &str, shape: &[usize]) -> Tensor {
    let seed: i64 = (1..).zip(name.bytes()).map(|(i, b)| i * i64::from(b)).sum();
    let value = |i: i64| {
        let unit = ((i * 7919 + seed * 104_729 + i * i * 31) % 65_537) as f32 / 65_536.0 - 0.5;
        match name {
            _ if name.ends_with("norm.weight") => unit * 0.5 + 1.0,
            _ if name.contains("q_proj") || name.contains("k_proj") => unit * 2.0,
            _ => unit,
        }
    };
    let count = shape.iter().product::<usize>() as i64;
    Tensor::from_vec((0..count).map(value).collect(), shape, &Device::Cpu).unwrap()
}

/// All tensors of a model that has these kinds beside the usual ones.
fn tensors(kinds: &Value) -> HashMap<String, Tensor> {
    let has = |kind: &str| list(kinds).iter().any(|other| other == kind);
    let (query, key) = (HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM);
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), vec![VOCAB, HIDDEN]),
        ("model.norm.weight".to_owned(), vec![HIDDEN]),
    ];
    if has("head") {
        shapes.push(("lm_head.weight".to_owned(), vec![VOCAB, HIDDEN]));
    }
    for layer in 0..LAYERS {
        let mut push = |name: &str, shape: Vec<usize>| {
            shapes.push((format!("model.layers.{layer}.{name}"), shape));
        };
        push("input_layernorm.weight", vec![HIDDEN]);
        push("post_attention_layernorm.weight", vec![HIDDEN]);
        for (name, out, inputs, bias) in [
            ("self_attn.q_proj", query, HIDDEN, "qkv_bias"),
            ("self_attn.k_proj", key, HIDDEN, "qkv_bias"),
            ("self_attn.v_proj", key, HIDDEN, "qkv_bias"),
            ("self_attn.o_proj", HIDDEN, query, "o_bias"),
            ("mlp.gate_proj", INTERMEDIATE, HIDDEN, "mlp_bias"),
            ("mlp.up_proj", INTERMEDIATE, HIDDEN, "mlp_bias"),
            ("mlp.down_proj", HIDDEN, INTERMEDIATE, "mlp_bias"),
        ] {
            push(&format!("{name}.weight"), vec![out, inputs]);
            if has(bias) {
                push(&format!("{name}.bias"), vec![out]);
            }
        }
        if has("qk_norm") {
            push("self_attn.q_norm.weight", vec![HEAD_DIM]);
            push("self_attn.k_norm.weight", vec![HEAD_DIM]);
        }
    }
    let made = shapes.into_iter().map(|(name, shape)| {
        let tensor = values(&name, &shape);
        (name, tensor)
    });
    made.collect()
}

/// Mean negative log-likelihood of the tokens from `start` on.
fn nll(model: &Model, tokens: &[u32], start: usize) -> f64 {
    let prefilled = model
        .prefill(&tokens[..start], Observe::default(), StoreType::F32)
        .unwrap();
    let mut cache = whole_cache(&prefilled);
    let rest = extend(model, &tokens[start..tokens.len() - 1], &mut cache).unwrap();
    let rows = std::iter::once(prefilled.logits.clone()).chain(rest.to_vec2::<f32>().unwrap());
    let of_row = |(row, token): (Vec<f32>, &u32)| {
        let max = row.iter().copied().fold(f32::MIN, f32::max);
        let sum: f64 = row.iter().map(|x| f64::from(x - max).exp()).sum();
        sum.ln() - f64::from(row[*token as usize] - max)
    };
    rows.zip(&tokens[start..]).map(of_row).sum::<f64>() / (tokens.len() - start) as f64
}

fn load(dir: &Path, case: &Value) -> anyhow::Result<Model> {
    std::fs::write(dir.join("config.json"), case["config"].to_string())?;
    candle_core::safetensors::save(&tensors(&case["tensors"]), dir.join("model.safetensors"))?;
    tiny::load(dir)
}

#[test]
fn folders_are_computed_as_by_transformers_or_refused() {
    let golden = golden();
    let (tokens, start) = (tokens(&golden), golden["start"].as_u64().unwrap() as usize);
    let (mut computed, mut windows, mut refused) = (0, 0, 0);
    for case in list(&golden["folders"]) {
        let dir = tempfile::tempdir().unwrap();
        let name = text(&case["name"]);
        let (model, expected) = match (load(dir.path(), case), case["nll"].as_f64()) {
            (Ok(model), Some(expected)) => (model, expected),
            (Err(_), None) => {
                refused += 1;
                continue;
            }
            (model, expected) => panic!("{name}: {:?}, {expected:?}", model.map(|_| ())),
        };
        if model.config.max_prompt() < tokens.len() {
            // Windows are not computed: a prompt that is longer is refused.
            assert_eq!(model.config.max_prompt(), WINDOW, "{name}");
            let long = model.prefill(&tokens, Observe::default(), StoreType::F32);
            assert!(long.is_err(), "{name}");
            windows += 1;
            continue;
        }
        let off = (nll(&model, &tokens, start) - expected).abs();
        assert!(off <= BOUND_TRANSFORMERS, "{name}: {off:e}");
        computed += 1;
    }
    assert_eq!((computed, windows, refused), (14, 3, 1));
}

/// The GGUF name of a tensor.
fn gguf_name(name: &str) -> String {
    let modules = [
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers", "blk"),
    ];
    let mut name = name.to_owned();
    for (hf, gguf) in modules {
        name = name.replace(hf, gguf);
    }
    name
}

/// The order of rows that llama.cpp's RoPE wants of Llama.
fn interleave(name: &str, tensor: &Tensor) -> Tensor {
    let heads = match name.split('.').nth_back(1) {
        Some("q_proj") => HEADS,
        Some("k_proj") => KV_HEADS,
        _ => return tensor.clone(),
    };
    let rows = tensor.dim(0).unwrap();
    let split = tensor.reshape((heads, 2, rows / heads / 2, ())).unwrap();
    let turned = split.transpose(1, 2).unwrap().contiguous().unwrap();
    turned.reshape(tensor.shape()).unwrap()
}

fn write_gguf(path: &Path, case: &Value, divisors: &Value) {
    let mut metadata = vec![
        (
            "general.architecture".to_owned(),
            Gguf::String("llama".into()),
        ),
        (
            "llama.attention.layer_norm_rms_epsilon".to_owned(),
            Gguf::F32(1e-5),
        ),
    ];
    for (key, value) in [
        ("context_length", 256),
        ("embedding_length", HIDDEN),
        ("feed_forward_length", INTERMEDIATE),
        ("block_count", LAYERS),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KV_HEADS),
        ("rope.dimension_count", HEAD_DIM),
    ] {
        metadata.push((format!("llama.{key}"), Gguf::U32(value as u32)));
    }
    for (key, value) in case["keys"].as_object().unwrap() {
        let value = match value.as_f64() {
            Some(number) => Gguf::F32(number as f32),
            None => Gguf::String(text(value).into()),
        };
        metadata.push((format!("llama.{key}"), value));
    }
    let mut stored: Vec<(String, QTensor)> = Vec::new();
    let mut push = |name: String, tensor: Tensor| {
        stored.push((name, QTensor::quantize(&tensor, GgmlDType::F32).unwrap()));
    };
    if list(&case["tensors"]).contains(&Value::from("divisors")) {
        let divisors = list(divisors).iter().map(|x| x.as_f64().unwrap() as f32);
        let divisors: Vec<f32> = divisors.collect();
        push(
            "rope_freqs.weight".into(),
            Tensor::new(divisors, &Device::Cpu).unwrap(),
        );
    }
    for (name, tensor) in tensors(&case["tensors"]) {
        push(gguf_name(&name), interleave(&name, &tensor));
    }
    let metadata: Vec<(&str, &Gguf)> = metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let stored: Vec<(&str, &QTensor)> = stored.iter().map(|(n, t)| (n.as_str(), t)).collect();
    gguf_file::write(&mut File::create(path).unwrap(), &metadata, &stored).unwrap();
}

#[test]
fn gguf_files_are_computed_as_by_llama_cpp() {
    let golden = golden();
    let (tokens, start) = (tokens(&golden), golden["start"].as_u64().unwrap() as usize);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    for case in list(&golden["files"]) {
        write_gguf(&path, case, &golden["divisors"]);
        let weights = Weights::open_gguf(from_ref(&path)).unwrap();
        let config = DecoderConfig::from_gguf(weights.gguf().unwrap()).unwrap();
        let model = Model::load(config, &weights, &Device::Cpu).unwrap();
        assert_eq!(model.notes, [""; 0]);
        let expected = case["nll"].as_f64().unwrap();
        let off = (nll(&model, &tokens, start) - expected).abs();
        assert!(off <= BOUND_LLAMA_CPP, "{}: {off:e}", case["name"]);
    }
    assert_eq!(list(&golden["files"]).len(), 10);
}

/// Keys that are not known are told, and what llama.cpp has no place for is refused.
#[test]
fn gguf_files_with_more_in_them() {
    let golden = golden();
    let plain = &list(&golden["files"])[0];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    let load = |keys: Value, tensor: Option<&str>| -> anyhow::Result<Model> {
        let mut case = plain.clone();
        case["keys"] = keys;
        write_gguf(&path, &case, &golden["divisors"]);
        if let Some(name) = tensor {
            let file = File::open(&path)?;
            let content = gguf_file::Content::read(&mut &file)?;
            let read = |name: &String| content.tensor(&mut &file, name, &Device::Cpu);
            let names = content.tensor_infos.keys();
            let mut tensors: Vec<(String, QTensor)> = names
                .map(|name| Ok((name.clone(), read(name)?)))
                .collect::<anyhow::Result<_>>()?;
            let ones = Tensor::ones(HEAD_DIM, candle_core::DType::F32, &Device::Cpu)?;
            tensors.push((name.into(), QTensor::quantize(&ones, GgmlDType::F32)?));
            let metadata: Vec<(&str, &Gguf)> = content
                .metadata
                .iter()
                .map(|(k, v)| (k.as_str(), v))
                .collect();
            let tensors: Vec<(&str, &QTensor)> =
                tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
            gguf_file::write(&mut File::create(&path)?, &metadata, &tensors)?;
        }
        let weights = Weights::open_gguf(from_ref(&path))?;
        let config = DecoderConfig::from_gguf(weights.gguf().unwrap())?;
        Model::load(config, &weights, &Device::Cpu)
    };
    let none = || Value::Object(Default::default());
    for (keys, tensor, says) in [
        (
            serde_json::json!({"frobnicate": 2.0}),
            None,
            "not used: 1 key (llama.frobnicate)",
        ),
        (
            serde_json::json!({"attention.scale": 0.5}),
            None,
            "llama.attention.scale is 0.5",
        ),
        (
            none(),
            Some("foo.weight"),
            "does not use: 1 kind (foo.weight)",
        ),
        (
            none(),
            Some("blk.7.attn_norm.weight"),
            "1 kind (blk.*.attn_norm.weight)",
        ),
    ] {
        let notes = load(keys, tensor).unwrap().notes;
        assert!(notes.len() == 1 && notes[0].contains(says), "{notes:?}");
    }
    for (keys, tensor, says) in [
        (
            serde_json::json!({"rope.scaling.type": "yarn"}),
            Some("rope_freqs.weight"),
            "\"yarn\", expected none or linear",
        ),
        (
            serde_json::json!({"rope.scaling.factor": 2.0, "rope.scaling.attn_factor": 1.5}),
            None,
            "attn_factor is 1.5",
        ),
        (
            serde_json::json!({"final_logit_softcapping": 30.0}),
            None,
            "final_logit_softcapping is 30.0",
        ),
        (
            none(),
            Some("blk.0.attn_q_norm.weight"),
            "blk.0.attn_q_norm.weight) would change the result",
        ),
        (
            none(),
            Some("blk.1.ffn_up.bias"),
            "blk.1.ffn_up.bias) would change the result",
        ),
        (
            none(),
            Some("output_norm.bias"),
            "output_norm.bias) would change the result",
        ),
    ] {
        let error = load(keys, tensor).err().unwrap().to_string();
        assert!(
            error.starts_with(path.to_str().unwrap()) && error.contains(says),
            "{error}"
        );
    }
}

/// A head that the file has is used, and said; one that is the embedding once more costs and says nothing.
#[test]
fn tied_models_with_one_tensor_or_two() {
    let golden = golden();
    let (tokens, start) = (tokens(&golden), golden["start"].as_u64().unwrap() as usize);
    let plain = &list(&golden["folders"])[0];
    let of = |change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), plain["config"].to_string()).unwrap();
        let mut tensors = tensors(&plain["tensors"]);
        change(&mut tensors);
        candle_core::safetensors::save(&tensors, dir.path().join("model.safetensors")).unwrap();
        let model = tiny::load(dir.path()).unwrap();
        (nll(&model, &tokens, start), model.notes)
    };
    let (expected, none) = of(&|_| {});
    assert_eq!(none, [""; 0]);
    let embedding = "model.embed_tokens.weight";
    let same = of(&|tensors| {
        tensors.insert("lm_head.weight".into(), tensors[embedding].clone());
    });
    assert_eq!(same, (expected, Vec::new()));
    let (alone, notes) = of(&|tensors| {
        let table = tensors.remove(embedding).unwrap();
        tensors.insert("lm_head.weight".into(), table);
    });
    assert_eq!(alone, expected);
    assert!(
        notes[0].contains("lm_head.weight is used for it"),
        "{notes:?}"
    );
    let (own, notes) = of(&|tensors| {
        tensors.insert(
            "lm_head.weight".into(),
            values("lm_head.weight", &[VOCAB, HIDDEN]),
        );
    });
    assert!((own - expected).abs() > 0.1);
    assert!(notes[0].contains("lm_head.weight differs"), "{notes:?}");
    let (without_prefix, notes) = of(&|tensors| {
        let short = |name: String| name.trim_start_matches("model.").to_owned();
        *tensors = tensors.drain().map(|(n, t)| (short(n), t)).collect();
    });
    assert_eq!((without_prefix, notes), (expected, Vec::new()));
}
