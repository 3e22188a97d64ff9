//! Prints everything that the program prints, and escapes control characters, so that text from a file cannot steer the
//! terminal.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// Most characters of a line on standard error: a name or value from a file can be very long.
const LONGEST: usize = 1200;

/// Writes results to standard output. Control characters other than line ends and tabs become `\u001b` and the like,
/// which JSON reads back. A reader that has gone, as in `| head`, is no error.
///
/// # Errors
/// If they cannot be written.
pub fn say(text: &str) -> Result<()> {
    let text = escaped(text, |c| c == '\n' || c == '\t');
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}

/// Prints a line on standard error.
pub fn tell(text: &str) {
    // An error cannot be reported anywhere else.
    let _ = writeln!(std::io::stderr().lock(), "{}", line(text));
}

/// Prints a note on standard error.
pub fn note(text: &str) {
    tell(&format!("note: {text}"));
}

/// Prints a warning on standard error.
pub fn warn(text: &str) {
    tell(&format!("warning: {text}"));
}

/// Text as one line that is not too long, its control characters escaped.
pub fn line(text: &str) -> String {
    let text = text.trim_end().replace("\r\n", "\n").replace('\n', "; ");
    cut(&escaped(&text, |_| false), LONGEST)
}

/// Puts text on one line for a message. Of more than `longest` characters it keeps the beginning and the end.
pub fn cut(text: &str, longest: usize) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let count = text.chars().count();
    if count <= longest {
        return text;
    }
    let end = longest / 4;
    let start: String = text.chars().take(longest - end).collect();
    let end: String = text.chars().skip(count - end).collect();
    format!("{start} ... {end}")
}

/// Text with each control character, but those that may `pass`, as `\u` and four hexadecimal digits.
fn escaped(text: &str, pass: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() || reorders(c)) && !pass(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// True for a character that changes the direction or the lines of the text after it.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(line("a\u{1b}[31mb\u{7}"), "a\\u001b[31mb\\u0007");
        assert_eq!(line("a\u{9b}b\u{7f}\u{202e}c"), "a\\u009bb\\u007f\\u202ec");
        assert_eq!(
            line("one\ntwo\r\nthree\tand\r\n"),
            "one; two; three\\u0009and"
        );
        assert_eq!(
            line("schöne Grüße, 字, e\u{301}"),
            "schöne Grüße, 字, e\u{301}"
        );
    }

    #[test]
    fn a_long_line_keeps_its_ends() {
        let text = format!("start{}end", "x".repeat(10_000));
        let short = line(&text);
        assert!(short.starts_with("startxx") && short.ends_with("xxend"));
        assert_eq!(short.chars().count(), LONGEST + 5);
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("a\nbc\r", 5), "a bc ");
    }

    #[test]
    fn json_says_the_same_once_escaped() {
        let value = serde_json::json!({"a": "\u{7f}\u{9b}\u{202e}\u{1b}"});
        let printed = escaped(&value.to_string(), |_| false);
        assert!(!printed.chars().any(char::is_control), "{printed}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&printed).unwrap(),
            value
        );
    }

    proptest! {
        #[test]
        fn nothing_passes(text in "\\PC{0,20}[\\x00-\\x1f\\x7f-\\u{9f}\\u{202a}-\\u{202e}]{0,8}\\PC{0,20}") {
            prop_assert!(!line(&text).chars().any(|c| c.is_control() || reorders(c)));
        }
    }
}
