//! What must be seen to in a template's text before minijinja parses it.
//!
//! `{% generation %}` marks what the assistant says, for training; elsewhere it is a block like any other. minijinja
//! does not know the tag, so it becomes `with`, which is such a block. And minijinja's parser calls itself for each
//! minus sign and `not`, and takes a time that grows with the square of the operators in an expression.

use super::{literal, parameters};

/// Bytes of a template. The longest of published models are some 20 kB.
const LARGEST: usize = 128 << 10;
/// Operators in one tag. Those of published models have some twenty at most.
const MOST_OPERATORS: usize = 200;

/// The template in minijinja's syntax; each line stays the line that it is, but where a string goes on in the next.
///
/// # Errors
/// A text that is too large or nests too deeply, in words.
pub(super) fn prepare(template: &str) -> Result<String, String> {
    if template.len() > LARGEST {
        return Err(format!(
            "the chat template has {} bytes, expected at most {LARGEST}",
            template.len()
        ));
    }
    // Jinja2's lexer reads no other line end, in literals neither.
    let template = template.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(template.len());
    let mut rest = &template[..];
    let (mut loops, mut recursive) = (0, false);
    while let Some(at) = rest.find('{') {
        let (text, found) = rest.split_at(at);
        out.push_str(text);
        let (length, text) = match found.as_bytes().get(1) {
            Some(b'{') => tag(found, "}}")?,
            Some(b'%') => {
                let (length, text) = block(found)?;
                let word = word(&found[..length]);
                let is_loop = word.starts_with("for ");
                loops += usize::from(is_loop);
                recursive |= is_loop && word.ends_with("recursive");
                (length, text)
            }
            other => {
                let length = match other {
                    Some(b'#') => found.find("#}").map_or(found.len(), |end| end + 2),
                    _ => 1,
                };
                (length, found[..length].to_owned())
            }
        };
        out.push_str(&text);
        rest = &found[length..];
    }
    out.push_str(rest);
    // minijinja counts a loop within a recursive one as deeper, Jinja2 only the recursive one's own calls.
    if recursive && loops > 1 && template.contains("loop.depth") {
        return Err(
            "the chat template has `loop.depth` and a recursive loop beside another, which is not supported"
                .to_owned(),
        );
    }
    Ok(out)
}

/// Bytes of the block's tag, or raw block, that `text` begins with, and what becomes of it.
fn block(text: &str) -> Result<(usize, String), String> {
    let (length, made) = tag(text, "%}")?;
    let word = word(&text[..length]);
    parameters::check(word)?;
    Ok(match word {
        "raw" => {
            let length = raw(text, length);
            (length, text[..length].to_owned())
        }
        "generation" | "endgeneration" => {
            let new = word.replace("generation", "with");
            (length, made.replacen(word, &new, 1))
        }
        _ => (length, made),
    })
}

/// Bytes of the tag that `text` begins with, up to and with its `end`, and the tag in minijinja's syntax. A tag without
/// an end takes all: the parser will say so.
fn tag(text: &str, end: &str) -> Result<(usize, String), String> {
    let mut made = text[..2].to_owned();
    let (mut depth, mut operators) = (0_usize, 0);
    let (mut before, mut adds, mut marks) = (' ', false, false);
    let mut at = 2;
    while at < text.len() {
        let rest = &text[at..];
        if depth == 0 && rest.starts_with(end) {
            if adds && marks {
                return Err(SAFE_SUM.to_owned());
            }
            made.push_str(end);
            return Ok((at + end.len(), made));
        }
        let first = rest.chars().next().unwrap_or_default();
        let length = match first {
            '\'' | '"' => literal::length(rest, first),
            _ if first.is_alphanumeric() || first == '_' => {
                let word = |c: char| !(c.is_alphanumeric() || c == '_');
                rest.find(word).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        match first {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        operators += usize::from(OPERATORS.contains(&&rest[..length]));
        if operators > MOST_OPERATORS {
            return Err(format!(
                "the chat template has a tag of more than {MOST_OPERATORS} operators, expected fewer"
            ));
        }
        marks |= before == '|' && SAFE.contains(&&rest[..length]);
        // A plus beside the tag's ends is about white space.
        adds |= first == '+' && at > 2 && !rest[1..].starts_with(end);
        if !first.is_whitespace() {
            before = first;
        }
        match first {
            '\'' | '"' => made.push_str(&literal::pythonic(&rest[..length])?),
            _ => made.push_str(&rest[..length]),
        }
        at += length;
    }
    Ok((text.len(), made))
}

/// Filters that mark a text as safe. Where it is added to another, Jinja2 escapes the other, which minijinja does not.
const SAFE: [&str; 4] = ["e", "escape", "forceescape", "safe"];
const SAFE_SUM: &str = "the chat template adds to a text in a tag with the filter `e`, `escape`, `forceescape` or `safe`, \
                        which is not supported: expected ~";

/// Operators by which an expression grows deeper.
const OPERATORS: [&str; 14] = [
    "+", "-", "*", "/", "~", "%", "<", ">", "=", "!", "and", "or", "not", "in",
];

/// What a block's tag holds, without the marks that take white space away.
fn word(tag: &str) -> &str {
    let inner = tag.trim_start_matches("{%").trim_end_matches("%}");
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    inner.strip_suffix(['-', '+']).unwrap_or(inner).trim()
}

/// Bytes up to the end of a raw block whose first tag has `length` bytes.
fn raw(text: &str, length: usize) -> usize {
    let mut at = length;
    while let Some(next) = text[at..].find("{%") {
        at += next;
        let end = text[at..].find("%}").map_or(text.len(), |end| at + end + 2);
        if word(&text[at..end]) == "endraw" {
            return end;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_is_a_block_wherever_it_is_a_tag() -> Result<(), String> {
        for (template, expected) in [
            (
                "a{% generation %}b{%- endgeneration -%}c",
                "a{% with %}b{%- endwith -%}c",
            ),
            (
                "{%generation%}{%+ endgeneration %}",
                "{%with%}{%+ endwith %}",
            ),
            (
                "{{ '{% generation %}' }}{# {% generation %} #}",
                "{{ '{% generation %}' }}{# {% generation %} #}",
            ),
            (
                "{% raw %}{% generation %}{%- endraw %}",
                "{% raw %}{% generation %}{%- endraw %}",
            ),
            (
                "{% if generation %}{{ generation }}",
                "{% if generation %}{{ generation }}",
            ),
            (
                "{{ {'a': {'b': '}}'}} }}{% generation\n%}",
                "{{ {'a': {'b': '}}'}} }}{% with\n%}",
            ),
            ("{ {% if", "{ {% if"),
            ("é{{ 'é\\'' }}{%", "é{{ 'é\\'' }}{%"),
        ] {
            assert_eq!(prepare(template)?, expected);
        }
        Ok(())
    }

    #[test]
    fn what_is_too_large_or_has_too_many_operators_is_refused() {
        for operator in ["-", "not ", "+ 1", "~ 'a - b'", " and\n1"] {
            let tag = |count: usize| format!("{{{{ 1 {} }}}}", operator.repeat(count));
            assert!(prepare(&tag(200)).is_ok(), "{operator}");
            assert!(
                prepare(&tag(201))
                    .expect_err(operator)
                    .contains("200 operators")
            );
            assert!(prepare(&tag(150).repeat(2)).is_ok());
        }
        let large = prepare(&" ".repeat(LARGEST + 1)).expect_err("large");
        assert!(large.contains("131073 bytes"), "{large}");
        assert!(prepare(&"- ".repeat(1000)).is_ok());
    }
}
