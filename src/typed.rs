//! Reads JSON and tables of TOML by type. An error names the key and says in words what was expected; serde's own
//! errors name types of the program, and no key.

use std::fmt::{self, Display, Formatter};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::de::DeserializeOwned;
use serde_path_to_error::Error;

/// An error in JSON text.
#[derive(Debug)]
pub(crate) struct Malformed {
    /// The key, what was found and what was expected, in words.
    pub what: String,
    /// Line of the mistake, from 1.
    pub line: usize,
    /// Column of the mistake in its line, as `serde_json` counts.
    pub column: usize,
}

impl Display for Malformed {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(
            f,
            "{} at line {} column {}",
            self.what, self.line, self.column
        )
    }
}

/// Parses the JSON `text`.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Malformed> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let fault = |error: &serde_json::Error, key: Option<String>| {
        let said = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = words(said.strip_suffix(&place).unwrap_or(&said));
        // If the text ends early, the error is not about a key.
        let key = key.filter(|_| !error.is_eof());
        Malformed {
            what: with_key(key, what),
            line: error.line(),
            column: error.column(),
        }
    };
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| fault(error.inner(), key(&error)))?;
    reader.end().map_err(|error| fault(&error, None))?;
    Ok(value)
}

/// Reads a table of TOML.
///
/// # Errors
/// What is wrong, in one line.
pub(crate) fn table<T: DeserializeOwned>(table: toml::Table) -> Result<T, String> {
    serde_path_to_error::deserialize(table).map_err(|error| {
        let what = words(error.inner().message());
        with_key(key(&error), what)
    })
}

/// The key that an error is about. None if it is about the whole text.
fn key<E>(error: &Error<E>) -> Option<String> {
    let key = error.path().to_string();
    (key != "." && !key.starts_with('?')).then_some(key)
}

fn with_key(key: Option<String>, what: String) -> String {
    match key {
        Some(key) => format!("{key}: {what}"),
        None => what,
    }
}

/// Names of the program's types in serde's errors, and words for them.
static TYPES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let types = [
        (r"\b(u8|u16|u32|u64|usize)\b", "a whole number, 0 or more"),
        (r"\b(i8|i16|i32|i64|isize)\b", "a whole number"),
        (r"\b(f32|f64)\b", "a number"),
        (r"\bpath string\b", "a path"),
        (r"\ba (string|borrowed string|character)\b", "a text"),
        (r"\ba boolean\b", "true or false"),
        (r"\ba sequence\b", "a list"),
        (
            r"\b(a map|struct \w+)( with \d+ elements?)?",
            "keys with values",
        ),
        (r"\btuple struct \w+|\ba tuple of size", "a list"),
        (r"\b(\w+ tagged )?enum \w+", "one of the names there are"),
    ];
    let compiled = |(pattern, words)| (Regex::new(pattern).expect("a pattern"), words);
    types.into_iter().map(compiled).collect()
});

/// How the `tokenizers` crate names a part of a tokenizer of unknown kind.
static UNTAGGED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"data did not match any variant of untagged enum (\w+?)(Wrapper|Untagged|Type|$)";
    Regex::new(pattern).expect("a pattern")
});

/// An error of serde_json in Rust's debug notation, as it appears within another error.
static WITHIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"Error\("(.*?)", line: \d+, column: \d+\)"#).expect("a pattern"));

/// Puts an error of serde in plain words on one line.
pub(crate) fn words(said: &str) -> String {
    let said = said.trim().replace('\n', " ");
    let said = WITHIN.replace_all(&said, "$1");
    let said = UNTAGGED.replace(&said, |part: &Captures| {
        format!("{} is of no kind that is known", snake(&part[1]))
    });
    let said = said.replace("unknown variant", "unknown value").replace(
        "unit variant, expected string only",
        "not a name, expected one",
    );
    // The value found stands before this and may hold any text.
    let Some((found, expected)) = said.rsplit_once(", expected ") else {
        return said;
    };
    let mut expected = expected.to_owned();
    for (pattern, words) in TYPES.iter() {
        expected = pattern.replace_all(&expected, *words).into_owned();
    }
    format!("{found}, expected {expected}")
}

/// `PreTokenizer` as `pre_tokenizer`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read, and never looked at")]
    struct Written {
        a: Vec<usize>,
        b: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read, and never looked at")]
    struct Inner {
        x: f64,
        kind: Kind,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
        Two,
    }

    #[test]
    fn errors_name_the_key_and_no_type_of_the_program() {
        for (text, says) in [
            ("[]", "invalid length 0, expected keys with values"),
            ("7", "invalid type: integer `7`, expected keys with values"),
            ("{}", "missing field `a`"),
            (
                r#"{"a": [1, -1]}"#,
                "a[1]: invalid value: integer `-1`, expected a whole number, 0 or more",
            ),
            (
                r#"{"a": "usize"}"#,
                "a: invalid type: string \"usize\", expected a list",
            ),
            (
                r#"{"a": [], "b": {"x": "y"}}"#,
                "b.x: invalid type: string \"y\", expected a number",
            ),
            (
                r#"{"a": [], "b": {"x": 1, "kind": "three"}}"#,
                "b.kind: unknown value `three`, expected `one` or `two`",
            ),
        ] {
            let fault = json::<Written>(text.as_bytes()).expect_err(text);
            assert!(fault.what.contains(says), "{text}: {fault}");
        }
        let fault = json::<Written>(b"{\"a\": [],\n}").expect_err("a comma");
        assert_eq!((fault.line, fault.column), (2, 1));
        assert!(json::<Written>(b"{\"a\": []} x").is_err());
        let wrapper = "data did not match any variant of untagged enum PreTokenizerWrapper";
        assert_eq!(words(wrapper), "pre_tokenizer is of no kind that is known");
        let within = "Precompiled: Error(\"Cannot parse it\", line: 0, column: 0)";
        assert_eq!(words(within), "Precompiled: Cannot parse it");
        let table_of = |text: &str| table::<Written>(toml::from_str(text).expect("TOML"));
        let fault = table_of("a = []\nb = {x = 1.0, kind = 3}").expect_err("a number");
        assert_eq!(fault, "b.kind: invalid type: not a name, expected one");
        let fault = table_of("a = [1.5]").expect_err("a fraction");
        assert_eq!(
            fault,
            "a[0]: invalid type: floating point `1.5`, expected a whole number, 0 or more"
        );
    }
}
