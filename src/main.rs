//! The `spindle` program: parse, dispatch, and end with 0 (good), 1 (failed) or 2 (bad input).

use spindle::{cli, cmd, error, guard, terminal};

fn main() {
    guard::say_faults();
    let cli = cli::Cli::read();
    let code = match guard::caught(|| cmd::dispatch(cli)) {
        Some(Ok(code)) => code,
        Some(Err(error)) => {
            terminal::tell(&format!("error: {}", error::message(&error)));
            error::exit_code(&error)
        }
        None => 1,
    };
    std::process::exit(code);
}
