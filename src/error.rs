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

/// `, did you mean "..."?` with the known name most like an unknown one, or `, expected one of ...`.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let likeness = |name: &&str| (strsim::jaro_winkler(unknown, name) * 1000.0) as u32;
    match known.iter().copied().max_by_key(likeness) {
        Some(name) if likeness(&name) > 800 => format!(", did you mean \"{name}\"?"),
        _ if known.is_empty() => ", it has none".into(),
        _ => format!(", expected one of {}", known.join(", ")),
    }
}
