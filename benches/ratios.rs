//! Ratios on the default model, each side by side in one process, its two sides in turn: decoding sixteen cells
//! together and one by one, SpindleKV against the full cache at 8k tokens, codebooks against the prefill of the same
//! prompt, attention in code space against the same entries kept whole. Prints one JSON object a line, with medians
//! in milliseconds.
//!
//! `cargo bench --bench ratios [-- ROUNDS] [codebooks] [together] [long]`

use std::time::Instant;

use candle_core::Device;
use rayon::prelude::*;
use serde_json::json;
use spindle::compress::codebook::{greedy, similarity_graphs};
use spindle::compress::learning::Vectors;
use spindle::compress::methods::METHODS;
use spindle::compress::settings::Value;
use spindle::dataset::texts::own_texts;
use spindle::generate::{Cell, compress};
use spindle::load::load;
use spindle::model::chat::ChatOptions;
use spindle::model::decoder::Model;
use spindle::model::observe::{Observe, Prefilled};
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};
use spindle::store::{Cache, StoreType};

const ROUNDS: usize = 5;
const STEPS: usize = 8;

fn main() -> anyhow::Result<()> {
    let rounds = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next();
    let rounds = rounds.unwrap_or(ROUNDS);
    // As the program does: see cmd.
    let pool = rayon::ThreadPoolBuilder::new().build()?;
    pool.install(|| run(rounds))
}

fn run(rounds: usize) -> anyhow::Result<()> {
    let loaded = load(
        &resolve(DEFAULT_MODEL, &SourceOptions::default())?,
        &ChatOptions::default(),
        &Device::Cpu,
    )?;
    let text = own_texts()?.join("\n\n");
    let tokens = loaded.tokenizer.encode(&text, false)?;
    let parts: [(&str, Part, usize); 3] = [
        ("codebooks", codebooks, 2048),
        ("together", together, 2048),
        ("long", long, 8000),
    ];
    let asked: Vec<String> = std::env::args()
        .filter(|argument| parts.iter().any(|(name, ..)| name == argument))
        .collect();
    for (name, part, length) in parts {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            part(&loaded.model, &tokens[..length], rounds)?;
        }
    }
    Ok(())
}

type Part = fn(&Model, &[u32], usize) -> anyhow::Result<()>;

fn print(name: &str, sides: [(&str, Vec<f64>); 2], ratio: impl Fn(f64, f64) -> f64) {
    let [(a_name, a), (b_name, b)] = sides;
    let ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| ratio(*a, *b)).collect();
    println!(
        "{}",
        json!({ "name": name, a_name: median(a), b_name: median(b), "ratio": median(ratios) })
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ms(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn cell(name: &str, retention: f64) -> anyhow::Result<Cell> {
    let entry = METHODS.iter().find(|entry| entry.info.name == name);
    let info = entry.map(|entry| entry.info);
    let info = info.ok_or_else(|| anyhow::anyhow!("no method {name}"))?;
    let given = [("retention".to_string(), Value::Number(retention))];
    let given = if name == "full" {
        &given[..0]
    } else {
        &given[..]
    };
    Cell::new(info, info.settings(given, "ratios")?)
}

fn caches(model: &Model, prefilled: &Prefilled, cells: &[Cell]) -> anyhow::Result<Vec<Cache>> {
    let cells: Vec<&Cell> = cells.iter().collect();
    let made = compress(model, prefilled, &cells).into_iter();
    made.map(|made| Ok(made?.cache)).collect()
}

/// Milliseconds of `STEPS` steps of forks of these caches together.
fn steps(model: &Model, caches: &[Cache]) -> anyhow::Result<f64> {
    let mut forks: Vec<Cache> = caches.iter().map(Cache::fork).collect();
    ms(|| {
        for step in 0..STEPS {
            let mut batch: Vec<&mut Cache> = forks.iter_mut().collect();
            model.step(&vec![1000 + step as u32; batch.len()], &mut batch)?;
        }
        Ok(())
    })
}

const OBSERVE: Observe = Observe {
    window: 32,
    column_sums: false,
    unrotated_keys: true,
};

fn together(model: &Model, tokens: &[u32], rounds: usize) -> anyhow::Result<()> {
    let mut cells = Vec::new();
    for name in ["snapkv", "pyramidkv", "tova", "spindle"] {
        for retention in [0.15, 0.2, 0.3, 0.4] {
            cells.push(cell(name, retention)?);
        }
    }
    let prefilled = model.prefill(tokens, OBSERVE, StoreType::F16)?;
    let caches = caches(model, &prefilled, &cells)?;
    let (mut alone, mut batch) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        batch.push(steps(model, &caches)? / STEPS as f64);
        let mut sum = 0.0;
        for one in caches.chunks(1) {
            sum += steps(model, one)?;
        }
        alone.push(sum / STEPS as f64);
    }
    print(
        "decode of 16 cells together",
        [("alone", alone), ("together", batch)],
        |a, b| a / b,
    );
    Ok(())
}

fn long(model: &Model, tokens: &[u32], rounds: usize) -> anyhow::Result<()> {
    let prefilled = model.prefill(tokens, OBSERVE, StoreType::F16)?;
    let full = caches(model, &prefilled, &[cell("full", 1.0)?])?;
    let coded = caches(model, &prefilled, &[cell("spindle", 0.4)?])?;
    let mut sides = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        sides[0].push(steps(model, &full)? / STEPS as f64);
        sides[1].push(steps(model, &coded)? / STEPS as f64);
    }
    let [full, coded] = sides;
    print(
        "decode at 8k tokens, spindle at 0.4",
        [("full", full), ("spindle", coded)],
        |a, b| a / b,
    );
    Ok(())
}

/// All keys and values of all layers, at one pair of thresholds and at five.
fn codebooks(model: &Model, tokens: &[u32], rounds: usize) -> anyhow::Result<()> {
    let mut sides: [Vec<f64>; 3] = Default::default();
    for _ in 0..rounds {
        let start = Instant::now();
        let prefilled = model.prefill(tokens, OBSERVE, StoreType::F16)?;
        sides[0].push(start.elapsed().as_secs_f64() * 1e3);
        sides[1].push(learn(&prefilled, 1)?);
        sides[2].push(learn(&prefilled, 5)?);
    }
    let [prefill, one, five] = sides;
    let further: Vec<f64> = one
        .iter()
        .zip(&five)
        .map(|(one, five)| (five - one) / 4.0)
        .collect();
    let share = |prefill: f64, codebooks: f64| codebooks / prefill;
    print(
        "codebooks",
        [("prefill", prefill.clone()), ("codebooks", one)],
        share,
    );
    print(
        "a further theta",
        [("prefill", prefill), ("theta", further)],
        share,
    );
    Ok(())
}

fn learn(prefilled: &Prefilled, thetas: usize) -> anyhow::Result<f64> {
    ms(|| {
        let heads = prefilled.layers.iter().flat_map(|layer| {
            let keys = layer.unrotated_keys.iter().map(|rows| (rows, 0.98f32));
            let values = (0..layer.kv.heads()).map(|head| (layer.kv.values(head), 0.95));
            keys.chain(values)
        });
        let heads: Vec<_> = heads.collect();
        let codewords: usize = heads
            .par_iter()
            .map(|&(rows, theta)| {
                let vectors = Vectors::new(&[rows]);
                let thetas: Vec<f32> = (0..thetas).map(|i| theta - 0.02 * i as f32).collect();
                let weights = vec![1; rows.len()];
                let graphs = similarity_graphs(&vectors.units, rows.dim(), &thetas);
                graphs
                    .iter()
                    .map(|graph| greedy(graph, &weights).codewords.len())
                    .sum::<usize>()
            })
            .sum();
        anyhow::ensure!(codewords > 0, "no codewords");
        Ok(())
    })
}
