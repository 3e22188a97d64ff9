//! The default model's dequantised tensors against those of Python transformers
//! (tests/golden/weights.json, made by tests/golden/weights.py).

use candle_core::{DType, Device};
use serde_json::Value;

#[test]
fn tensors_equal_those_of_transformers() {
    let weights = crate::common::default_model::weights();
    let golden: Value = serde_json::from_str(include_str!("../golden/weights.json")).unwrap();
    for (name, tensor) in golden["tensors"].as_object().unwrap() {
        let numbers = |value: &Value| -> Vec<f64> {
            let values = value.as_array().unwrap();
            values.iter().map(|x| x.as_f64().unwrap()).collect()
        };
        let shape: Vec<usize> = numbers(&tensor["shape"])
            .iter()
            .map(|x| *x as usize)
            .collect();
        let found: Vec<f32> = weights
            .tensor(name, &shape, DType::F32, &Device::Cpu)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let columns = shape[shape.len() - 1];
        let rows = numbers(&tensor["rows"]);
        for (row, expected) in rows.iter().zip(tensor["values"].as_array().unwrap()) {
            let start = *row as usize * columns;
            for (x, y) in found[start..].iter().zip(numbers(expected)) {
                assert_eq!(*x, y as f32, "{name} row {row}");
            }
        }
        let sum: f64 = found.iter().map(|x| f64::from(x.abs())).sum();
        let expected = tensor["abs_sum"].as_f64().unwrap();
        assert!(
            (sum / expected - 1.0).abs() < 1e-9,
            "{name}: {sum} against {expected}"
        );
    }
}
