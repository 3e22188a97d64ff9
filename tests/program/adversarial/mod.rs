//! Inputs that mean harm, or that nobody thought of: each is refused with exit code 2 and one line, soon, and nothing
//! is written. A family of tables: what is written first, the arguments, what the line says.

mod archives;
mod names;
mod pipes;
mod shown;
mod sizes;
mod texts;

use std::time::{Duration, Instant};

use crate::world::{Done, World};

/// How soon a refusal comes.
const SOON: Duration = Duration::from_secs(10);

/// Arguments of a run over records; where they are follows.
const DATA: &[&str] = &[
    "eval",
    "--suite",
    "longbench",
    "--tasks",
    "qasper",
    "--model",
    "model",
    "--methods",
    "full",
    "--data",
];

/// Files to write, by name, and the arguments of the program, and what its line says.
type Case<'a> = (&'a [(&'a str, &'a [u8])], &'a [&'a str], &'a [&'a str]);

/// Asserts that each case is refused.
fn refused(cases: &[Case]) {
    for (files, args, says) in cases {
        let world = World::new();
        for (name, bytes) in *files {
            world.write(name, bytes);
        }
        refused_in(&world, args, says);
    }
}

/// Asserts that the arguments are refused soon, in a line that is not too long and steers no terminal.
fn refused_in(world: &World, args: &[&str], says: &[&str]) {
    let start = Instant::now();
    world.refused(args, says);
    assert!(start.elapsed() < SOON, "{args:?}: {:?}", start.elapsed());
    clean(&world.run(args));
}

/// Asserts that the line on standard error, where there is one, is whole and harmless.
fn clean(done: &Done) {
    let line = done.stderr.trim_end_matches('\n');
    assert!(!line.chars().any(char::is_control), "{done:?}");
    assert!(line.chars().count() < 1300, "{done:?}");
    assert!(!line.contains("internal fault"), "{done:?}");
}
