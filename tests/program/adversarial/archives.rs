//! Archives that mean harm.

use std::fs;
use std::io::Write;

use zip::write::{SimpleFileOptions, ZipWriter};

use super::{DATA, refused_in};
use crate::world::World;

#[test]
fn archives_that_mean_harm() {
    let world = World::new();
    let pack = |name: &str, entries: &[(&str, &[u8])]| {
        let mut zip = ZipWriter::new(fs::File::create(world.path(name)).unwrap());
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    };
    let line = format!("{{\"input\": \"{}\"}}\n", "a".repeat(64 << 20));
    pack("bomb.zip", &[("data/qasper.jsonl", line.as_bytes())]);
    let names: Vec<String> = (0..10_001).map(|i| i.to_string()).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    pack("many.zip", &many);
    pack("out.zip", &[("../qasper.jsonl", b"{}")]);
    world.write("none.zip", "PK");
    let empty: Vec<u8> = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    world.write("empty.zip", empty);
    for (name, says) in [
        (
            "bomb.zip",
            "bomb.zip: data/qasper.jsonl: unpacks to more than 400 times",
        ),
        (
            "many.zip",
            "many.zip: 10001 entries, expected at most 10000",
        ),
        ("out.zip", "leads out of the archive"),
        ("none.zip", "none.zip: "),
        ("empty.zip", "empty.zip: no qasper.jsonl in it"),
    ] {
        refused_in(&world, &[DATA, &[name]].concat(), &[says]);
    }
}
