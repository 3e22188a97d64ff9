//! The program as its user meets it: arguments in, exit code, streams and files out. Mostly on a tiny random model.

mod bad_files;
mod bad_flags;
mod bad_toml;
#[path = "../common/mod.rs"]
mod common;
mod eval;
mod inspect;
mod longbench;
mod mini;
mod numbers;
mod ruler;
#[allow(dead_code)]
#[path = "../source/server.rs"]
mod server;
mod stop;
mod verbs;
mod world;
