//! What is seen of small crates.

use std::collections::BTreeMap;

use super::rule::complaints;
use super::tree::Tree;
use super::uses::{Uses, uses};

fn uses_of(files: &[(&str, &str)]) -> Uses {
    let files = files
        .iter()
        .map(|&(path, text)| (path.to_string(), text.to_string()));
    uses(&Tree::read(&BTreeMap::from_iter(files)))
}

/// The files that the first module, `a`, uses of a crate that has `b.rs`, with a function `f` and a type `T`, and
/// `c/mod.rs`, which shows the type `Inner` of its file `c/inner.rs`.
fn used_by(a: &str) -> Vec<String> {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", a),
        ("b.rs", "pub fn f() {} pub struct T;"),
        (
            "c/mod.rs",
            "mod inner; pub use inner::{Inner, Inner as Shown}; pub const OWN: u8 = 0;",
        ),
        ("c/inner.rs", "pub struct Inner; pub fn hidden() {}"),
    ];
    let uses = uses_of(&files);
    let of_a = uses.into_keys().filter(|(from, _)| from == "a.rs");
    of_a.map(|(_, to)| to).collect()
}

#[test]
fn each_way_to_name_an_item_is_seen() {
    for (text, used) in [
        // In `use` declarations.
        ("use crate::b::f;", vec!["b.rs"]),
        ("use super::b::T;", vec!["b.rs"]),
        (
            "use crate::{b::{self, f}, c::Inner};",
            vec!["b.rs", "c/inner.rs"],
        ),
        ("use crate::c::Inner as Other;", vec!["c/inner.rs"]),
        (
            "use crate::c::{OWN, Shown};",
            vec!["c/inner.rs", "c/mod.rs"],
        ),
        ("fn g() { use crate::b::f; }", vec!["b.rs"]),
        // In paths, from where an import or a glob leads them.
        ("fn g() { crate::b::f() }", vec!["b.rs"]),
        ("use crate::b; fn g() { b::f() }", vec!["b.rs"]),
        (
            "use crate::b as other; fn g() -> other::T { loop {} }",
            vec!["b.rs"],
        ),
        (
            "use crate::{c as b}; fn g() -> u8 { b::OWN }",
            vec!["c/mod.rs"],
        ),
        ("fn g() { use crate::b; b::f() }", vec!["b.rs"]),
        ("use crate::c::*; struct S(Inner);", vec!["c/inner.rs"]),
        ("fn g() { use super::b::*; f() }", vec!["b.rs"]),
        ("mod own { fn g() { super::super::b::f() } }", vec!["b.rs"]),
        // In types, traits and patterns.
        ("struct S { t: Vec<crate::b::T> }", vec!["b.rs"]),
        (
            "impl Iterator for S { type Item = super::c::Inner; }",
            vec!["c/inner.rs"],
        ),
        (
            "fn g(t: Option<u8>) { if let Some(crate::c::OWN) = t {} }",
            vec!["c/mod.rs"],
        ),
        ("type U = <crate::b::T as Iterator>::Item;", vec!["b.rs"]),
        // What follows an item belongs to it.
        ("fn g() { crate::c::Inner::new().b() }", vec!["c/inner.rs"]),
        // In the arguments of macros.
        ("fn g() { println!(\"{}\", crate::b::f()) }", vec!["b.rs"]),
        (
            "use crate::b; fn g() { vec![1, [b::f()].len()] }",
            vec!["b.rs"],
        ),
        (
            "macro_rules! m { () => { $crate::c::OWN } }",
            vec!["c/mod.rs"],
        ),
        (
            "use crate::c::*; fn g(n: u8) { assert!((0..OWN).len() > n) }",
            vec!["c/mod.rs"],
        ),
    ] {
        assert_eq!(used_by(text), used, "{text}");
    }
}

#[test]
fn what_names_no_item_of_another_file_is_not() {
    for text in [
        "use crate::b;",
        "use crate::c::*;",
        "use std::b::f; use b::f as g;",
        "fn f() {} fn g() { f() }",
        "pub(in super::a) fn g() {}",
        "use crate::c::*; fn g(s: S) { print!(\"{}\", s.OWN) }",
        "#[cfg(test)] use crate::b::f;",
        "#[cfg(test)] mod tests { use crate::b::f; fn g() { f() } }",
        "#[cfg(test)] mod no_such_file;",
        "#[cfg(test)] fn g() { crate::b::f() }",
        "impl S { #[cfg(test)] fn g() { crate::b::f() } }",
    ] {
        assert!(used_by(text).is_empty(), "{text}");
    }
}

#[test]
fn a_re_export_is_no_use_of_what_stands_within_the_module() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a/mod.rs",
            "mod x; mod y; pub use x::X; pub use crate::b::B; pub struct Own(Shown); pub(super) use y::Y as Shown;",
        ),
        ("a/x.rs", "pub struct X(super::Shown);"),
        ("a/y.rs", "pub struct Y(super::super::a::B);"),
        ("b.rs", "pub struct B;"),
    ];
    let found: Vec<(String, String)> = uses_of(&files).into_keys().collect();
    let expected = [
        ("a/mod.rs", "a/y.rs"),
        ("a/mod.rs", "b.rs"),
        ("a/x.rs", "a/y.rs"),
        ("a/y.rs", "b.rs"),
    ];
    assert_eq!(
        found,
        expected.map(|(from, to)| (from.to_string(), to.to_string()))
    );
}

#[test]
fn an_exported_macro_is_of_the_file_that_defines_it() {
    let files = [
        ("lib.rs", "mod a; mod error;"),
        ("a.rs", "use crate::said; fn g() { said!() }"),
        (
            "error.rs",
            "#[macro_export] macro_rules! said { () => { $crate::error::Said } } pub struct Said;",
        ),
    ];
    let uses = uses_of(&files);
    assert_eq!(uses.len(), 1);
    assert!(uses.contains_key(&("a.rs".into(), "error.rs".into())));
}

#[test]
fn imports_in_a_circle_lead_nowhere() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "pub use crate::b::X; pub use super::b::*; fn g() { X(); y() }",
        ),
        ("b.rs", "pub use crate::a::*;"),
    ];
    assert!(uses_of(&files).is_empty());
}

/// What is said of a crate with files `a.rs`, `b/mod.rs`, `b/x.rs` and `b/y.rs`.
fn said(texts: [&str; 4]) -> Vec<String> {
    let [a, b, x, y] = texts;
    let b = format!("mod x; mod y; {b}");
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", a),
        ("b/mod.rs", &b),
        ("b/x.rs", x),
        ("b/y.rs", y),
    ];
    complaints(&uses_of(&files), &["a", "b"])
}

#[test]
fn the_use_of_a_later_module_is_named_with_its_path() {
    let texts = [
        "struct A;\nstruct B(crate::b::x::X);",
        "",
        "pub struct X;",
        "",
    ];
    assert_eq!(
        said(texts),
        ["a.rs:2 uses b/x.rs by `crate::b::x::X`, but a stands before b"]
    );
    let forwards = ["pub struct A;", "", "use crate::a::A;", ""];
    assert!(said(forwards).is_empty());
}

#[test]
fn a_circle_of_files_is_named_once_with_its_paths() {
    let texts = [
        "",
        "pub struct B; use y::Y;",
        "use super::B; pub struct X;",
        "use super::x::X; pub struct Y;",
    ];
    assert_eq!(
        said(texts),
        [
            "files in a circle: b/mod.rs:1 uses b/y.rs by `y::Y`, b/y.rs:1 uses b/x.rs by `super::x::X`, b/x.rs:1 uses \
             b/mod.rs by `super::B`"
        ]
    );
}
