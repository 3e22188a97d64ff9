//! The program as its user meets it: arguments in, exit code, streams and files out. Mostly on a tiny random model.

mod adversarial;
mod bad_files;
mod bad_flags;
mod bad_models;
mod bad_toml;
mod chats;
#[path = "../common/mod.rs"]
mod common;
mod eval;
mod inspect;
mod longbench;
mod mini;
mod numbers;
mod own_tasks;
mod ruler;
#[allow(dead_code)]
#[path = "../source/server.rs"]
mod server;
mod stop;
mod verbs;
mod widths;
mod world;
