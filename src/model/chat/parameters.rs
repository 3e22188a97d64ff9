//! The parameters of a macro, of which minijinja works out the defaults from the last to the first: none can see a
//! parameter, and one that names it would silently be without a value.

use super::literal;

/// That no default of the macro, or of the caller's block, in this tag names a parameter.
///
/// # Errors
/// The name, in words.
pub(super) fn check(tag: &str) -> Result<(), String> {
    let list = match (tag.strip_prefix("macro"), tag.strip_prefix("call")) {
        (Some(rest), _) if rest.starts_with(char::is_whitespace) => rest.split_once('('),
        (_, Some(rest)) => rest.trim_start().strip_prefix('(').map(|list| ("", list)),
        _ => None,
    };
    let Some((_, list)) = list else {
        return Ok(());
    };
    let (names, used) = names(list);
    match used.iter().find(|name| names.contains(name)) {
        Some(name) => Err(format!(
            "the chat template has a macro with a default that names the parameter `{name}`, which is not supported"
        )),
        None => Ok(()),
    }
}

/// The parameters of a list, and what its defaults name.
fn names(list: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut names, mut used) = (Vec::new(), Vec::new());
    let (mut depth, mut in_default, mut before) = (0_usize, false, ' ');
    let mut at = 0;
    while let Some(first) = list[at..].chars().next() {
        let rest = &list[at..];
        let length = match first {
            '\'' | '"' => literal::length(rest, first),
            _ if first.is_alphabetic() || first == '_' => {
                let end = |c: char| !(c.is_alphanumeric() || c == '_');
                let length = rest.find(end).unwrap_or(rest.len());
                let after = rest[length..].trim_start();
                let keyword = after.starts_with('=') && !after.starts_with("==");
                match in_default {
                    false => names.push(&rest[..length]),
                    // No name of a value: an attribute, a filter, a keyword of a call.
                    true if matches!(before, '.' | '|') || keyword => {}
                    true => used.push(&rest[..length]),
                }
                length
            }
            _ => first.len_utf8(),
        };
        match first {
            ')' if depth == 0 => break,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => in_default = false,
            '=' if depth == 0 => in_default = true,
            _ => {}
        }
        if !first.is_whitespace() {
            before = first;
        }
        at += length;
    }
    (names, used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_that_name_a_parameter_are_refused() {
        for tag in [
            "macro a(x, y=x)",
            "macro a(x, y='x', z=[1, (x)])",
            "macro a (x=y, y=1)",
            "call(x, y=f(k=x.z)) a()",
        ] {
            assert!(
                check(tag)
                    .expect_err(tag)
                    .contains("which is not supported")
            );
        }
        for tag in [
            "macro a(x, y=z.x, w='x')",
            "macro a(x, y=f(x=1), z=1 | x)",
            "call a(x, y=x)",
            "macros(x, y=x)",
            "macro a",
        ] {
            assert_eq!(check(tag), Ok(()));
        }
    }
}
