use spindle::cache::*;
use spindle::model::{config::*, decoder::*, observe::*, weights::*};
use std::time::Instant;
fn main() -> anyhow::Result<()> {
    let path = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let t = Instant::now();
    let weights = Weights::open_gguf(path.clone())?;
    let config = DecoderConfig::from_gguf(weights.gguf().unwrap())?;
    let model = Model::load(config, &weights, &candle_core::Device::Cpu)?;
    println!("load {:?}", t.elapsed());
    for n in [512, 1024, 2048, 4096] {
        let tokens: Vec<u32> = (0..n).map(|i| (i * 7919 % 40000 + 100) as u32).collect();
        let t = Instant::now();
        let p = model.prefill(&tokens, Observe { window: 32 }, StoreType::F16)?;
        let s = t.elapsed().as_secs_f64();
        println!("prefill {n}: {s:.2}s {:.0} tok/s", n as f64 / s);
        for b in [1, 16] {
            let mut caches: Vec<Cache> = (0..b)
                .map(|_| Cache {
                    layers: p
                        .layers
                        .iter()
                        .map(|l| LayerCache::new(p.geometry, Prefix::Dense(l.kv.clone()), p.store))
                        .collect(),
                    rope: model.rope().clone(),
                    seen: n,
                })
                .collect();
            let t = Instant::now();
            for _ in 0..8 {
                let mut refs: Vec<&mut Cache> = caches.iter_mut().collect();
                model.step(&vec![5; b], &mut refs)?;
            }
            let s = t.elapsed().as_secs_f64();
            println!("  decode x{b}: {:.1} tok/s", 8. * b as f64 / s);
        }
    }
    Ok(())
}
