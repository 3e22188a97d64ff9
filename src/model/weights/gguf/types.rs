//! The element types of GGUF tensors (`ggml_type` of ggml.h), by the numbers that files give them.

use candle_core::quantized::GgmlDType;

/// The type of a number: its name in ggml, and candle's type where candle reads it. `None` for a number that ggml does
/// not give.
pub(super) fn of(number: u32) -> Option<(&'static str, Option<GgmlDType>)> {
    Some(match number {
        0 => ("F32", Some(GgmlDType::F32)),
        1 => ("F16", Some(GgmlDType::F16)),
        2 => ("Q4_0", Some(GgmlDType::Q4_0)),
        3 => ("Q4_1", Some(GgmlDType::Q4_1)),
        4 => ("Q4_2", None),
        5 => ("Q4_3", None),
        6 => ("Q5_0", Some(GgmlDType::Q5_0)),
        7 => ("Q5_1", Some(GgmlDType::Q5_1)),
        8 => ("Q8_0", Some(GgmlDType::Q8_0)),
        9 => ("Q8_1", None),
        10 => ("Q2_K", Some(GgmlDType::Q2K)),
        11 => ("Q3_K", Some(GgmlDType::Q3K)),
        12 => ("Q4_K", Some(GgmlDType::Q4K)),
        13 => ("Q5_K", Some(GgmlDType::Q5K)),
        14 => ("Q6_K", Some(GgmlDType::Q6K)),
        15 => ("Q8_K", None),
        16 => ("IQ2_XXS", None),
        17 => ("IQ2_XS", None),
        18 => ("IQ3_XXS", None),
        19 => ("IQ1_S", None),
        20 => ("IQ4_NL", None),
        21 => ("IQ3_S", None),
        22 => ("IQ2_S", None),
        23 => ("IQ4_XS", None),
        24 => ("I8", None),
        25 => ("I16", None),
        26 => ("I32", None),
        27 => ("I64", None),
        28 => ("F64", None),
        29 => ("IQ1_M", None),
        30 => ("BF16", Some(GgmlDType::BF16)),
        31 => ("Q4_0_4_4", None),
        32 => ("Q4_0_4_8", None),
        33 => ("Q4_0_8_8", None),
        34 => ("TQ1_0", None),
        35 => ("TQ2_0", None),
        36 => ("IQ4_NL_4_4", None),
        37 => ("IQ4_NL_4_8", None),
        38 => ("IQ4_NL_8_8", None),
        39 => ("MXFP4", None),
        40 => ("NVFP4", None),
        41 => ("Q1_0", None),
        _ => return None,
    })
}

/// The names of those that are read, for messages.
pub(super) fn supported() -> String {
    let types = (0..=30).filter_map(of);
    let read = types.filter_map(|(name, read)| read.map(|_| name));
    read.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_core::quantized::ggml_file::qtensor_from_ggml;

    use super::of;

    #[test]
    fn candle_widens_every_type_that_is_said_to_be_read() {
        let mut read = 0;
        for number in 0..100 {
            let Some((name, Some(dtype))) = of(number) else {
                continue;
            };
            let bytes = vec![0; dtype.type_size()];
            let block = vec![dtype.block_size()];
            let tensor = qtensor_from_ggml(dtype, &bytes, block, &Device::Cpu);
            let wide = tensor.and_then(|tensor| tensor.dequantize(&Device::Cpu));
            assert!(wide.is_ok(), "{name}");
            read += 1;
        }
        assert_eq!(read, 13);
    }
}
