//! Chat templates against Python `transformers`. The values and their script are named in `golden/templates.json`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use spindle::error::exit_code;
use spindle::model::chat::Message;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{SourceOptions, resolve};

/// What a folder with this template makes of `messages`.
fn rendered(template: &str, messages: &Value) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let tokenizer = json!({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}});
    for (name, content) in [
        ("config.json", json!({"model_type": "llama"})),
        ("model.safetensors", json!("")),
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", json!({"chat_template": template})),
    ] {
        fs::write(folder.path().join(name), content.to_string())?;
    }
    let options = SourceOptions {
        cache: Some(folder.path().join("cache")),
        ..SourceOptions::default()
    };
    let files = resolve(&folder.path().display().to_string(), &options)?;
    let messages: Vec<_> = messages
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| Message {
            role: message["role"].as_str().expect("a role").to_owned(),
            content: message["content"].as_str().expect("a text").to_owned(),
        })
        .collect();
    ModelTokenizer::load(&files)?.render_chat(&messages, false)
}

#[test]
fn templates_render_as_in_jinja() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/templates.json");
    let golden: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut others = Vec::new();
    for case in golden["templates"].as_array().unwrap() {
        let made = rendered(case["template"].as_str().unwrap(), &golden["messages"]);
        let made = made.unwrap_or_else(|error| format!("{error:#}"));
        if made != case["text"].as_str().unwrap() {
            others.push(format!(
                "{}\n  {made:?}\n  {:?}",
                case["name"], case["text"]
            ));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// As Jinja 3.1 renders it.
#[test]
fn helpers_that_remember_are_those_of_jinja() {
    let template = "{% set c = cycler('a','b','c') %}{{ c.current }}{{ c.next() }}{{ c.current }}{{ c.next() }}\
        {{ c.next() }}{{ c.next() }}|{{ c.current }}{{ c.reset() }}{{ c.current }}{{ c.next() }}|\
        {% set j = joiner(sep=';') %}{{ j() }}x{{ j() }}y{{ j() }}|{% set k = joiner() %}{{ k() }}x{{ k() }}";
    assert_eq!(
        rendered(template, &json!([])).unwrap(),
        "aabbca|bNoneaa|x;y;|x, "
    );
    let error = rendered("{{ cycler('a').last() }}", &json!([])).unwrap_err();
    assert!(error.to_string().contains("last"), "{error}");
}

#[test]
fn what_would_render_otherwise_is_refused_by_name() {
    let mut others = Vec::new();
    for (template, says) in [
        ("{{ messages | pprint }}", "filter pprint is unknown"),
        ("{{ messages[0] | attr('role') }}", "filter attr is unknown"),
        ("{{ '<b>' | striptags }}", "filter striptags is unknown"),
        ("{{ 'a b' | split }}", "filter split is unknown"),
        ("{{ '\\N{BULLET}' }}", "a string with \\N"),
        ("{{ '\\ud83d' }}", "the escape \"d83d\""),
        (
            "{% macro a(x, y=x) %}{% endmacro %}",
            "a default that names the parameter `x`",
        ),
        (
            "{% for i in [1] recursive %}{% for j in [1] %}{{ loop.depth }}{% endfor %}{% endfor %}",
            "`loop.depth`",
        ),
        ("{{ strftime_now('%v') }}", "\"%v\" is not a time format"),
        (
            "{{ '{!r}'.format('a') }}",
            "format: \"{!r}\" is not supported",
        ),
        ("{{ '{!s}'.format('a') }}", "format: \"{!s}\""),
        ("{{ '{:%}'.format(0.5) }}", "format: \"{:%}\""),
        ("{{ ('<' | e) + '<' }}", "a tag with the filter `e`"),
        ("{{ '<' + x|safe }}", "a tag with the filter `e`"),
        ("{{ lipsum() }}", "lipsum: random text is not supported"),
        ("{{ absent | int }}", "undefined value"),
        ("{{ '١' | int }}", "digits that are not ASCII's"),
        ("{{ '9' | int(base=36) }}", "int: base 36"),
        ("{{ ('9' * 60) | int }}", "too large"),
        ("{{ '%a' | format('a') }}", "invalid conversion type 'a'"),
        ("{{ '%r' % 'a' }}", "% operator"),
        ("{{ 'a'.encode() }}", "no method named encode"),
        ("{{ 'a b'.split(by=' ') }}", "unknown keyword argument 'by'"),
        ("{{ 'a b'.split(sep='') }}", "empty separator"),
        ("{{ 'a b'.find() }}", "missing argument"),
        ("{{ [1].index(2) }}", "2 is not in list"),
        ("{{ range(1, 2, 0) }}", "must not be zero"),
        ("{{ range(100001) }}", "too many elements"),
        (
            "{{ range(-9223372036854775807, 9223372036854775807) }}",
            "too many elements",
        ),
        ("{{ 'abc' * 99 | truncate(2) }}", "truncate: a length of 2"),
        ("{{ 'a' | indent(99999999999) }}", "made too much text"),
        ("{{ 'a\t'.expandtabs(99999999999) }}", "made too much text"),
    ] {
        let error = rendered(template, &json!([])).expect_err(template);
        assert_eq!(exit_code(&error), 2, "{template}");
        let error = format!("{error:#}");
        let named = error.contains("tokenizer_config.json: chat_template: ");
        if !named || !error.contains(says) {
            others.push(format!("{template}: {error}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}
