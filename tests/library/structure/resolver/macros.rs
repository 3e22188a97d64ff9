//! Paths in the arguments and the bodies of macros, and macros themselves.

use super::{B, BOTH, INNER, NONE, OWN, check, pairs};

#[test]
fn a_path_in_the_arguments_of_a_macro_is_seen() {
    check(&[
        ("fn g() { println!(\"{}\", crate::b::f()) }", B),
        ("use crate::b; fn g() { vec![1, [b::f()].len()] }", B),
        ("fn g() { matches!(1, crate::c::OWN) }", OWN),
        ("fn g() { x!(0..crate::c::OWN) }", OWN),
        ("fn g() { x!(Vec::<crate::b::T>::new()) }", B),
        ("fn g() { use crate::b; x!(b::f()) }", B),
        ("x! { #[y(crate::b::f)] fn g() {} }", B),
        // Nor is what follows a dot or stands after other segments a path of its own.
        (
            "use crate::b; fn g() { x!(s.b::<u8>(), T::<u8>::b::f(), ::b::f()) }",
            NONE,
        ),
    ]);
}

#[test]
fn a_use_in_the_arguments_of_a_macro_is_seen() {
    check(&[
        (
            "x! { use crate::{b::f, c::Shown}; }",
            &["b.rs", "c/inner.rs"],
        ),
        ("fn g() { x!({ use crate::b; b::f() }) }", B),
        ("fn g() { x!({ use crate::b as n; use n::f; y!(f()) }) }", B),
        ("fn g() { x!({ use crate::c::*; }) }", BOTH),
        ("fn g() { x!({ use crate::b; }, b::f()) }", NONE),
    ]);
}

#[test]
fn a_path_in_the_body_of_a_macro_is_seen() {
    check(&[
        ("macro_rules! m { () => { $crate::c::OWN } }", OWN),
        ("macro_rules! m { ($x:expr) => { crate::b::f($x) } }", B),
        (
            "macro_rules! m { () => {{ use $crate::{c::{Inner}}; }} }",
            INNER,
        ),
        ("macro_rules! m { () => {{ use $crate::b; b::f() }} }", B),
        ("fn g() { macro_rules! m { () => { $crate::b::f() } } }", B),
    ]);
}

#[test]
fn an_exported_macro_is_of_the_file_that_defines_it() {
    for a in [
        "use crate::said; fn g() { said!() }",
        "fn g() { crate::said!() }",
        "fn g() { vec![crate::said!()] }",
        "use crate::said as s; fn g() { s!() }",
        "use crate::*; fn g() { said!() }",
        "macro_rules! m { () => { $crate::said!() } }",
    ] {
        let files = [
            ("lib.rs", "mod a; mod error;"),
            ("a.rs", a),
            (
                "error.rs",
                "#[macro_export] macro_rules! said { () => { $crate::error::Said } } pub struct Said;",
            ),
        ];
        assert_eq!(pairs(&files), ["a.rs error.rs"], "{a}");
    }
}

#[test]
fn a_macro_is_seen_below_the_module_that_has_it_without_a_path() {
    for a in [
        "fn g() { m!() }",
        "m! {}",
        "fn g() { vec![m!()] }",
        "mod own { m! {} }",
    ] {
        let files = [
            ("lib.rs", "#[macro_use] mod b; mod a;"),
            ("a.rs", a),
            ("b.rs", "macro_rules! m { () => {} }"),
        ];
        assert_eq!(pairs(&files), ["a.rs b.rs"], "{a}");
        let files = [
            ("lib.rs", "mod b;"),
            ("b/mod.rs", "macro_rules! m { () => {} } mod a;"),
            ("b/a.rs", a),
        ];
        assert_eq!(pairs(&files), ["b/a.rs b/mod.rs"], "{a}");
    }
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::n;"),
        ("b.rs", "macro_rules! m { () => {} } pub(crate) use m as n;"),
    ];
    assert_eq!(pairs(&files), ["a.rs b.rs"]);
}
