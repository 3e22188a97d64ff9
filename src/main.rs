//! The `spindle` program: parse, dispatch, and end with 0 (good), 1 (failed) or 2 (bad input).

fn main() {
    let code = spindle::cmd::dispatch(spindle::cli::Cli::read()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        spindle::error::exit_code(&error)
    });
    std::process::exit(code);
}
