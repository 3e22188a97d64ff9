//! Headers of GGUF files that lie, and parts that do not belong together.

use std::fs::{self, File};
use std::slice::from_ref;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};

use super::refused;
use crate::model::weights::Weights;

const U8: u32 = 0;
const U32: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// The bytes of a GGUF header, written as its layout says.
#[derive(Default)]
struct Header {
    keys: u64,
    tensors: u64,
    body: Vec<u8>,
}

impl Header {
    fn text(&mut self, text: &str) {
        self.body.extend((text.len() as u64).to_le_bytes());
        self.body.extend(text.as_bytes());
    }

    fn key(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.keys += 1;
        self.text(key);
        self.body.extend(kind.to_le_bytes());
        self.body.extend(value);
        self
    }

    fn tensor(mut self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Self {
        self.tensors += 1;
        self.text(name);
        self.body.extend((shape.len() as u32).to_le_bytes());
        for size in shape {
            self.body.extend(size.to_le_bytes());
        }
        self.body.extend(kind.to_le_bytes());
        self.body.extend(offset.to_le_bytes());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(self.tensors.to_le_bytes());
        bytes.extend(self.keys.to_le_bytes());
        bytes.extend(&self.body);
        bytes
    }
}

#[test]
fn gguf_headers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let header = Header::default;
    let array = |kind: u32, count: u64| [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
    let nested = [
        array(ARRAY, 1),
        array(ARRAY, 1),
        array(ARRAY, 1),
        array(ARRAY, 1),
        array(U8, 0),
    ];
    let one = 1u32.to_le_bytes();
    for (bytes, says) in [
        (b"GGML".to_vec(), &["its first bytes"][..]),
        (b"GGUF\x09\0\0\0".to_vec(), &["version 9", "1 to 3"]),
        (
            Header {
                keys: u64::MAX,
                ..header()
            }
            .bytes(),
            &["keys, more than"],
        ),
        (
            Header {
                tensors: 1 << 40,
                ..header()
            }
            .bytes(),
            &["1099511627776 tensors, more than"],
        ),
        (
            header().key("a", U32, &one).key("a", U32, &one).bytes(),
            &["key a stands there twice"],
        ),
        (
            header().key("a", 77, &one).bytes(),
            &["key a has a value of type 77"],
        ),
        (
            header().key("a", 7, &[3]).bytes(),
            &["key a is 3, expected 0 or 1"],
        ),
        (
            header().key("a", STRING, &u64::MAX.to_le_bytes()).bytes(),
            &["a has 18446744073709551615 bytes"],
        ),
        (
            header().key("a", ARRAY, &array(U8, u64::MAX)).bytes(),
            &["the file ends within a"],
        ),
        (
            header().key("a", ARRAY, &nested.concat()).bytes(),
            &["key a has a value of type 9"],
        ),
        (
            header()
                .key("general.alignment", U32, &0u32.to_le_bytes())
                .bytes(),
            &["general.alignment", "power of two"],
        ),
        (
            header()
                .key("general.alignment", U32, &7u32.to_le_bytes())
                .bytes(),
            &["general.alignment", "power of two"],
        ),
        (
            header().tensor("t", &[1; 5], 0, 0).bytes(),
            &["tensor t has 5 dimensions"],
        ),
        (
            header()
                .tensor("t", &[32], 0, 0)
                .tensor("t", &[32], 0, 0)
                .bytes(),
            &["tensor t stands there twice"],
        ),
        (
            header().tensor("t", &[1 << 40, 1 << 40], 0, 0).bytes(),
            &["corrupt: tensor t"],
        ),
        (
            header().tensor("t", &[31, 2], 2, 0).bytes(),
            &["corrupt: tensor t", "blocks"],
        ),
        (
            header().tensor("t", &[32], 0, u64::MAX).bytes(),
            &["corrupt: tensor t"],
        ),
        (
            header().tensor("t", &[32], 0, 64).bytes(),
            &["truncated: tensor t ends at byte"],
        ),
        (
            header().tensor("t", &[32], 20, 0).bytes(),
            &["tensor t is IQ4_NL, which is not supported", "Q4_K"],
        ),
        (
            header().tensor("t", &[256], 23, 0).bytes(),
            &["tensor t is IQ4_XS, which is not supported"],
        ),
        (
            header().tensor("t", &[256], 39, 0).bytes(),
            &["tensor t is MXFP4, which is not supported"],
        ),
        (
            header().tensor("t", &[32], 99, 0).bytes(),
            &["tensor t is unknown type 99, which is not supported"],
        ),
        (
            header()
                .key("split.count", U32, &2u32.to_le_bytes())
                .bytes(),
            &["split.count is 2, expected 1"],
        ),
    ] {
        fs::write(&path, bytes).unwrap();
        refused(Weights::open_gguf(from_ref(&path)), &path, says);
    }
}

/// Sizes that a sparse file of 8 GB could back: refused after little has been read.
#[test]
fn sizes_are_bounded_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let array = |kind: u32| [&kind.to_le_bytes()[..], &(1u64 << 32).to_le_bytes()].concat();
    for (header, says) in [
        (
            Header::default().key("a", ARRAY, &array(U8)),
            "more than 4194304 values",
        ),
        (
            Header::default().key("a", STRING, &(1u64 << 32).to_le_bytes()),
            "a has 4294967296 bytes",
        ),
    ] {
        fs::write(&path, header.bytes()).unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(8 << 30)
            .unwrap();
        refused(Weights::open_gguf(from_ref(&path)), &path, &[says]);
    }
    let path = folder.path().join("m.safetensors");
    for size in [1u64 << 32, u64::MAX] {
        fs::write(&path, size.to_le_bytes()).unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(8 << 30)
            .unwrap();
        let says = format!("a header of {size} bytes");
        refused(Weights::open_safetensors(from_ref(&path)), &path, &[&says]);
    }
}

#[test]
fn parts_of_a_split_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |part: usize| folder.path().join(format!("m-{part:05}-of-00002.gguf"));
    let write = |part: usize, count: u16, name: &str| {
        let ones = Tensor::ones((2, 32), DType::F32, &Device::Cpu).unwrap();
        let stored = QTensor::quantize(&(ones * part as f64).unwrap(), GgmlDType::F32).unwrap();
        let metadata = [
            ("split.count", Value::U16(count)),
            ("split.no", Value::U16(part as u16 - 1)),
        ];
        let metadata: Vec<(&str, &Value)> =
            metadata.iter().map(|(key, value)| (*key, value)).collect();
        gguf_file::write(
            &mut File::create(path(part)).unwrap(),
            &metadata,
            &[(name, &stored)],
        )
        .unwrap();
    };
    let both = [path(1), path(2)];
    write(1, 2, "token_embd.weight");
    write(2, 2, "output.weight");
    let weights = Weights::open_gguf(&both).unwrap();
    for (name, expected) in [("model.embed_tokens.weight", 1.0), ("lm_head.weight", 2.0)] {
        let tensor = weights
            .tensor(name, &[2, 32], DType::F32, &Device::Cpu)
            .unwrap();
        let first: f32 = tensor.get(0).unwrap().get(0).unwrap().to_scalar().unwrap();
        assert_eq!(first, expected);
    }
    assert_eq!(
        weights.file_of("output.weight"),
        path(2).display().to_string()
    );
    refused(
        Weights::open_gguf(&both[..1]),
        &path(1),
        &["split.count is 2, expected 1"],
    );
    let turned = [path(2), path(1)];
    refused(
        Weights::open_gguf(&turned),
        &path(2),
        &["split.no is 1, expected 0"],
    );
    write(2, 2, "token_embd.weight");
    refused(
        Weights::open_gguf(&both),
        &path(2),
        &["tensor token_embd.weight is also in", "00001-of-00002"],
    );
    write(2, 3, "output.weight");
    refused(
        Weights::open_gguf(&both),
        &path(2),
        &["split.count is 3, expected 2"],
    );
}
