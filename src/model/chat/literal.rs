//! String literals: Python's escapes, written so that minijinja reads the same text.

/// Translates a Python string literal, which includes its quotes.
///
/// # Errors
/// The escape that is not supported, in words.
pub(super) fn pythonic(literal: &str) -> Result<String, String> {
    let mut out = String::with_capacity(literal.len());
    let mut rest = literal.chars();
    while let Some(c) = rest.next() {
        let kind = match c {
            '\\' => rest.next(),
            _ => None,
        };
        let Some(kind) = kind else {
            out.push(c);
            continue;
        };
        match kind {
            '\\' | '\'' | '"' | 'b' | 'f' | 'n' | 'r' | 't' => out.extend([c, kind]),
            // The line goes on.
            '\n' => {}
            'a' => out.push_str("\\x07"),
            'v' => out.push_str("\\x0b"),
            'x' => push(&mut out, &digits(&mut rest, 2), 16)?,
            'u' => push(&mut out, &digits(&mut rest, 4), 16)?,
            'U' => push(&mut out, &digits(&mut rest, 8), 16)?,
            '0'..='7' => {
                let more = rest.as_str();
                let octal = |c: char| !('0'..='7').contains(&c);
                let count = more.find(octal).unwrap_or(more.len()).min(2);
                push(&mut out, &format!("{kind}{}", digits(&mut rest, count)), 8)?;
            }
            'N' => {
                return Err(
                    "the chat template has a string with \\N, a character's name, which is not supported"
                        .to_owned(),
                );
            }
            // Jinja2 turns what is not ASCII into escapes before it reads them: this backslash escapes theirs.
            _ if !kind.is_ascii() => out.push_str(&match kind as u32 {
                code @ ..=0xff => format!("\\\\x{code:02x}"),
                code @ ..=0xffff => format!("\\\\u{code:04x}"),
                code => format!("\\\\U{code:08x}"),
            }),
            // No escape: the backslash stays.
            _ => out.extend([c, c, kind]),
        }
    }
    Ok(out)
}

/// Bytes of the string literal that `text` begins with.
pub(super) fn length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn digits(rest: &mut std::str::Chars, count: usize) -> String {
    rest.by_ref().take(count).collect()
}

/// The character of that number, as minijinja writes it.
fn push(out: &mut String, digits: &str, base: u32) -> Result<(), String> {
    let code = match digits.chars().all(|c| c.is_digit(base)) {
        true => u32::from_str_radix(digits, base).ok(),
        false => None,
    };
    match code.and_then(char::from_u32) {
        Some(c) if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        Some(c) => out.push(c),
        None => {
            return Err(format!(
                "the chat template has a string with the escape {digits:?}, expected a character's number"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_character_is_refused() {
        for (literal, says) in [
            ("'\\N{BULLET}'", "\\N, a character's name"),
            ("'\\ud83d\\ude80'", "\"d83d\""),
            ("'\\x+1'", "\"+1\""),
            ("'\\U00110000'", "\"00110000\""),
        ] {
            assert!(pythonic(literal).expect_err(literal).contains(says));
        }
    }
}
