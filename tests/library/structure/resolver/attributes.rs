//! Paths in attributes, as tokens and in strings.

use super::{B, NONE, OWN, check, pairs};

#[test]
fn a_path_in_an_attribute_is_seen() {
    check(&[
        ("#[crate::b::f] fn g() {}", B),
        ("#[derive(Debug, crate::b::Tr)] struct S;", B),
        (
            "struct S { #[arg(long, value_parser = crate::b::f)] x: u8 }",
            B,
        ),
        (
            "use crate::c; #[command(after_help = c::OWN)] struct S;",
            OWN,
        ),
        ("#[error(\"{}\", crate::b::f())] struct S;", B),
        ("enum E { #[error(\"{}\", crate::b::f())] A }", B),
        ("#[cfg_attr(unix, derive(crate::b::Tr))] struct S;", B),
        ("#[doc = crate::c::text!()] fn g() {}", OWN),
        ("mod own { #[x(super::super::b::f)] fn g() {} }", B),
        (
            "impl S { #[x(crate::b::f)] fn g(#[y(crate::c::OWN)] z: u8) {} }",
            &["b.rs", "c/mod.rs"],
        ),
    ]);
}

#[test]
fn a_path_in_a_string_of_an_attribute_is_seen() {
    check(&[
        ("struct S { #[serde(default = \"crate::b::f\")] x: u8 }", B),
        (
            "use crate::b; struct S { #[serde(default = \"b::f\")] x: u8 }",
            B,
        ),
        (
            "struct S { #[serde(serialize_with = \"super::b::f\")] x: u8 }",
            B,
        ),
        (
            "struct S { #[serde(flatten, deserialize_with = \"crate::b::f\")] x: u8 }",
            B,
        ),
        (
            "struct S { #[serde(skip_serializing_if = \"Option::is_none\")] x: u8 }",
            NONE,
        ),
        ("#[serde(from = \"Vec<crate::b::T>\")] struct S;", B),
        ("#[serde(bound = \"X: crate::b::Tr\")] struct S<X>(X);", B),
        (
            "#[cfg_attr(unix, serde(remote = \"crate::b::T\"))] struct S;",
            B,
        ),
        (
            "m! { struct S { #[serde(default = \"crate::b::f\")] x: u8 } }",
            B,
        ),
        // Text is no path.
        ("use crate::b; #[error(\"b: {0}\")] struct S;", NONE),
        ("m! { #[doc = \"crate::b::f\"] struct S; }", NONE),
        ("m! { \"crate::b::f\" }", NONE),
    ]);
}

/// `with` names a module for what is called `serialize` and `deserialize` in it.
#[test]
fn a_module_that_serde_is_told_to_use_is_seen() {
    check(&[
        ("struct S { #[serde(with = \"crate::b::codec\")] x: u8 }", B),
        (
            "use crate::b::codec as n; struct S { #[serde(flatten, with = \"n\")] x: u8 }",
            B,
        ),
        (
            "use crate::b::codec as n; struct S { #[serde(rename = \"n\")] x: u8 }",
            NONE,
        ),
    ]);
    let files = [
        ("lib.rs", "mod a;"),
        (
            "a/mod.rs",
            "mod x; struct A { #[serde(flatten, with = \"x\")] x: u8 }",
        ),
        (
            "a/x.rs",
            "pub fn serialize() {} pub(super) fn deserialize() {}",
        ),
    ];
    assert_eq!(pairs(&files), ["a/mod.rs a/x.rs"]);
}
