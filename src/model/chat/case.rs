//! Large and small letters as Python has them.

use minijinja::filters::capitalize;
use minijinja::value::StringInput;
use minijinja::{Error, State, Value};

/// A letter like `ǅ`, that is neither large nor small.
fn titled(c: char) -> bool {
    !c.is_uppercase() && !c.is_lowercase() && !c.to_lowercase().eq([c])
}

fn cased(c: char) -> bool {
    c.is_uppercase() || c.is_lowercase() || titled(c)
}

/// A large letter first in each run of letters that have a case.
pub(super) fn title(state: &State, text: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(cased) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let length = rest.find(|c| !cased(c)).unwrap_or(rest.len());
        let run = Value::from(&rest[..length]);
        out.push_str(&capitalize(StringInput::new(state, &run)?).to_string());
        rest = &rest[length..];
    }
    out.push_str(rest);
    Ok(out)
}

pub(super) fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Of the whole text: what a sigma becomes depends on what stands around it.
    let lower = text.to_lowercase();
    let mut lower = lower.chars();
    for c in text.chars() {
        let own: String = lower.by_ref().take(c.to_lowercase().count()).collect();
        match c {
            _ if c.is_uppercase() => out.push_str(&own),
            _ if c.is_lowercase() => out.extend(c.to_uppercase()),
            _ => out.push(c),
        }
    }
    out
}

/// Unicode's full case folding. It is what lies at the end of both mappings, but for the dotless i and for Cherokee,
/// whose large letters are the folded ones.
pub(super) fn casefold(text: &str) -> String {
    let folded = |c: char| -> String {
        match c {
            'ı' => c.to_string(),
            '\u{13a0}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => c.to_uppercase().collect(),
            _ => {
                let upper = c.to_lowercase().flat_map(char::to_uppercase);
                upper.flat_map(char::to_lowercase).collect()
            }
        }
    };
    text.chars().map(folded).collect()
}

/// What `islower`, `isupper` or `istitle` says. None for another name.
pub(super) fn is(name: &str, text: &str) -> Option<bool> {
    let any = |of: fn(char) -> bool| text.chars().any(of);
    Some(match name {
        "islower" => any(char::is_lowercase) && !any(|c| c.is_uppercase() || titled(c)),
        "isupper" => any(char::is_uppercase) && !any(|c| c.is_lowercase() || titled(c)),
        "istitle" => {
            let mut before = false;
            any(cased)
                && text.chars().all(|c| {
                    let fits = !cased(c) || c.is_lowercase() == before;
                    before = cased(c);
                    fits
                })
        }
        _ => return None,
    })
}
