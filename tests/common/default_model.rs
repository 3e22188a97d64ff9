//! The default model, loaded once for all tests of a binary.

use std::sync::OnceLock;

use candle_core::Device;
use spindle::model::config::DecoderConfig;
use spindle::model::decoder::Model;
use spindle::model::weights::Weights;
use spindle::source::{DEFAULT_MODEL, ModelFileKind, SourceOptions, resolve};

/// Its weight file, downloaded where it is not there yet.
pub(crate) fn weights() -> Weights {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    match files.kind {
        ModelFileKind::Gguf(paths) => Weights::open_gguf(&paths).unwrap(),
        ModelFileKind::HfFolder { .. } => panic!("{DEFAULT_MODEL} is a GGUF file"),
    }
}

pub(crate) fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let weights = weights();
        let config = DecoderConfig::from_gguf(weights.gguf().unwrap()).unwrap();
        Model::load(config, &weights, &Device::Cpu).unwrap()
    })
}
