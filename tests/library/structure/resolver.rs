//! What is seen of small crates.

mod attributes;
mod globs;
mod macros;
mod names;

use std::collections::BTreeMap;

use super::rule::complaints;
use super::tree::Tree;
use super::uses::{Uses, uses};

fn uses_of(files: &[(&str, &str)]) -> Uses {
    let files = files
        .iter()
        .map(|&(path, text)| (path.to_string(), text.to_string()));
    uses(Tree::read(&BTreeMap::from_iter(files)))
}

/// Each file with one that it uses, as `a.rs b.rs`.
fn pairs(files: &[(&str, &str)]) -> Vec<String> {
    let uses = uses_of(files);
    uses.into_keys()
        .map(|(from, to)| format!("{from} {to}"))
        .collect()
}

/// The files that the first module, `a`, uses of a crate that has `b.rs`, with a function `f`, a type `T` and a trait
/// `Tr`, and `c/mod.rs`, which shows the type `Inner` of its file `c/inner.rs`.
fn used_by(a: &str) -> Vec<String> {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", a),
        (
            "b.rs",
            "pub fn f() {} pub struct T; pub trait Tr {} pub mod codec { pub fn serialize() {} }",
        ),
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

/// Compares what texts of `a` use with what they should, and names all that differ.
fn check(texts: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for &(text, expected) in texts {
        let used = used_by(text);
        if used != expected {
            wrong.push(format!("{text}\n  uses {used:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const B: &[&str] = &["b.rs"];
const INNER: &[&str] = &["c/inner.rs"];
const OWN: &[&str] = &["c/mod.rs"];
const BOTH: &[&str] = &["c/inner.rs", "c/mod.rs"];
const NONE: &[&str] = &[];

#[test]
fn a_path_in_use_is_seen() {
    check(&[
        ("use crate::b::f;", B),
        ("use super::b::T;", B),
        ("use self::super::b::T;", B),
        ("use {crate::b::T};", B),
        (
            "use crate::{b::{self, f}, c::Inner};",
            &["b.rs", "c/inner.rs"],
        ),
        ("use crate::c::Inner as Other;", INNER),
        ("use crate::c::{OWN, Shown};", BOTH),
        ("use crate::b::Tr as _;", B),
        ("fn g() { use crate::b::f; }", B),
    ]);
}

#[test]
fn a_path_is_seen_wherever_it_stands() {
    check(&[
        ("fn g() { crate::b::f() }", B),
        ("fn g() { self::super::b::f() }", B),
        ("mod own { fn g() { super::super::b::f() } }", B),
        ("mod own { mod more { use crate::b::f; } }", B),
        ("struct S { t: Vec<crate::b::T> }", B),
        (
            "impl Iterator for S { type Item = super::c::Inner; }",
            INNER,
        ),
        (
            "fn g(t: Option<u8>) { if let Some(crate::c::OWN) = t {} }",
            OWN,
        ),
        ("type U = <crate::b::T as Iterator>::Item;", B),
        ("type U = <Vec<u8> as crate::b::Tr>::Item;", B),
        ("fn g<X: crate::b::Tr>() {}", B),
        ("fn g<X>() where X: for<'x> crate::b::Tr {}", B),
        (
            "fn g(_: &dyn crate::b::Tr) -> impl crate::c::Shown {}",
            &["b.rs", "c/inner.rs"],
        ),
        ("trait Own: crate::b::Tr {}", B),
        ("impl crate::b::T {}", B),
        ("impl crate::b::Tr for S {}", B),
        ("impl Own for crate::b::T {}", B),
        ("struct S<const N: u8 = { crate::c::OWN }>;", OWN),
        // What follows an item belongs to it.
        ("fn g() { crate::c::Inner::new().b() }", INNER),
    ]);
}

#[test]
fn what_names_no_item_of_another_file_is_not() {
    for text in [
        "use crate::b;",
        "use crate::*;",
        "use std::b::f; use b::f as g;",
        "use ::b::f; fn g() { ::b::f() }",
        "fn f() {} fn g() { f() }",
        "pub(in super::b) fn g() {}",
        "use crate::b; fn g(s: S) { print!(\"{}\", s.b) }",
        "/// See [`crate::b::T`].\nfn g() {}",
        "#[cfg(test)] use crate::b::f;",
        "#[cfg(test)] mod tests { use crate::b::f; fn g() { f() } }",
        "#[cfg(test)] mod no_such_file;",
        "#[cfg(test)] fn g() { crate::b::f() }",
        "fn g() { #[cfg(test)] use crate::b::f; }",
        "impl S { #[cfg(test)] fn g() { crate::b::f() } }",
    ] {
        assert_eq!(used_by(text), NONE, "{text}");
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
    assert_eq!(
        pairs(&files),
        [
            "a/mod.rs a/y.rs",
            "a/mod.rs b.rs",
            "a/x.rs a/y.rs",
            "a/y.rs b.rs"
        ]
    );
}

/// What is said of a crate with files `a.rs`, `b/mod.rs`, `b/x.rs` and `b/y.rs`.
fn said(texts: [&str; 4]) -> Vec<String> {
    let [a, b, x, y] = texts;
    let b = format!("pub mod x; mod y; {b}");
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
