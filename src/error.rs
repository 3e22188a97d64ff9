//! The one distinction the exit code makes: the user's input was wrong (2), or the run failed (1).

/// What the user gave cannot be used. The text names the file or flag, the key, the value found and
/// what was expected. Anywhere in an error's chain it makes the program end with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// Builds a [`BadInput`] as an `anyhow::Error`, with `format!` arguments.
#[macro_export]
macro_rules! bad_input {
    ($($arg:tt)*) => { anyhow::Error::new($crate::error::BadInput(format!($($arg)*))) };
}

/// The exit code for an error: 2 if a [`BadInput`] is in its chain, else 1.
pub fn exit_code(error: &anyhow::Error) -> i32 {
    if error.chain().any(|cause| cause.is::<BadInput>()) {
        2
    } else {
        1
    }
}

/// Puts an error with all its causes on one line, each cause once. Leaves out the backtraces that candle writes into
/// its texts if `RUST_BACKTRACE` is set.
pub fn message(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let text = match cause.downcast_ref::<candle_core::Error>() {
            Some(error) => candle_message(error),
            None => cause.to_string(),
        };
        // Many errors repeat the text of their cause.
        if said.is_empty() {
            said = text;
        } else if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
    }
    let lines = said.trim_end().lines().filter(|line| !is_frame(line));
    lines.collect::<Vec<_>>().join("; ")
}

/// Whether a line belongs to a backtrace that candle wrote into an error's text.
fn is_frame(line: &str) -> bool {
    let indented = line.trim_start();
    let rest = indented.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = rest.len() < indented.len() && rest.starts_with(": ");
    indented.len() < line.len() && (is_numbered || indented.starts_with("at "))
}

fn candle_message(error: &candle_core::Error) -> String {
    use candle_core::Error::{Context, WithBacktrace, WithPath};
    match error {
        WithBacktrace { inner, .. } => candle_message(inner),
        WithPath { inner, path } => format!("{}: {}", path.display(), candle_message(inner)),
        Context { inner, context } => format!("{context}: {}", candle_message(inner)),
        other => other.to_string(),
    }
}

/// Returns `, did you mean "..."?` with the known name most like an unknown one, or `, expected one of ...`.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let likeness = |name: &&str| (strsim::jaro_winkler(unknown, name) * 1000.0) as u32;
    match known.iter().copied().max_by_key(likeness) {
        Some(name) if likeness(&name) > 800 => format!(", did you mean \"{name}\"?"),
        _ if known.is_empty() => ", it has none".into(),
        _ => format!(", expected one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_chain_is_one_line_that_says_each_thing_once() {
        let error =
            anyhow::anyhow!("refused\nby the other side").context("refused\nby the other side");
        let error = error.context("x.toml");
        assert_eq!(message(&error), "x.toml: refused; by the other side");
    }

    #[test]
    fn backtraces_are_left_out() {
        let inner = candle_core::Error::Msg("shapes differ".into());
        let error = candle_core::Error::WithBacktrace {
            inner: Box::new(inner.with_path("m.gguf")),
            backtrace: Box::new(std::backtrace::Backtrace::force_capture()),
        };
        let error = Err::<(), _>(error)
            .context("layer 3")
            .expect_err("an error");
        assert_eq!(message(&error), "layer 3: m.gguf: shapes differ");
        // Where the error became a part of another text.
        let text = "m.gguf: not a f32\n   0: candle_core::error::Error::bt\n             at /x/error.rs:264:25\n  12: main";
        assert_eq!(message(&anyhow::anyhow!("{text}")), "m.gguf: not a f32");
        let text = "line 1\n 2 of 3\n at: x";
        assert_eq!(
            message(&anyhow::anyhow!("{text}")),
            "line 1;  2 of 3;  at: x"
        );
    }
}
