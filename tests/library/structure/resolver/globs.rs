//! Globs: each uses all that it brings in.

use super::{B, BOTH, INNER, NONE, OWN, check, pairs};

#[test]
fn a_glob_uses_all_that_it_brings_in() {
    check(&[
        ("use crate::c::*;", BOTH),
        ("pub use crate::c::*;", BOTH),
        ("fn g() { use super::b::*; f() }", B),
        ("use crate::b::*; fn g(x: impl Tr) { x.go() }", B),
        ("use crate::b::T::*;", B),
        ("use crate::{c::{*}};", BOTH),
        ("mod own { pub use crate::b::*; } use own::*;", B),
        ("mod own { pub use crate::b::*; }", B),
    ]);
}

#[test]
fn a_name_that_a_glob_brings_in_is_followed() {
    check(&[
        ("use crate::*; fn g() { b::f() }", B),
        ("use super::*; struct S(c::Shown);", INNER),
        ("use super::*; use b::f;", B),
        ("use super::*; fn c() {} fn g() { c::OWN }", OWN),
        (
            "mod own { pub use crate::*; } fn g() { own::b::f() }",
            &["b.rs", "c/mod.rs"],
        ),
        (
            "mod x { pub use crate::b; } mod y { pub use super::x::*; } fn g() { y::b::f() }",
            B,
        ),
    ]);
}

#[test]
fn a_glob_brings_in_what_may_be_seen_alone() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A;"),
        (
            "b.rs",
            "use crate::a::A; pub struct B; pub(self) use crate::a::A as Own; pub(in crate::b) use crate::a::A as Too;",
        ),
        ("c.rs", "use crate::b::*;"),
    ];
    assert_eq!(pairs(&files), ["b.rs a.rs", "c.rs b.rs"]);
}

#[test]
fn a_glob_of_the_module_around_brings_in_all_of_it() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "mod x; use crate::b::B; struct A;"),
        ("a/x.rs", "use super::*;"),
        ("b.rs", "pub struct B;"),
    ];
    assert_eq!(
        pairs(&files),
        ["a/mod.rs b.rs", "a/x.rs a/mod.rs", "a/x.rs b.rs"]
    );
}

#[test]
fn what_a_glob_brings_in_is_shown_on() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::C;"),
        ("b.rs", "pub use crate::c::*;"),
        ("c.rs", "pub struct C; pub use std::fmt; fn private() {}"),
    ];
    assert_eq!(pairs(&files), ["a.rs c.rs", "b.rs c.rs"]);
}

#[test]
fn a_glob_of_what_a_macro_makes_or_another_crate_has_uses_the_module() {
    for b in ["made! {}", "pub use std::fmt;"] {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub use crate::b::*;"),
            ("b.rs", b),
        ];
        assert_eq!(pairs(&files), ["a.rs b.rs"], "{b}");
    }
}

#[test]
fn a_glob_that_shows_what_stands_within_the_module_is_no_use() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; pub use x::*;"),
        ("a/x.rs", "pub struct X;"),
    ];
    assert!(pairs(&files).is_empty());
    let files = [files[0], ("a/mod.rs", "mod x; use x::*;"), files[2]];
    assert_eq!(pairs(&files), ["a/mod.rs a/x.rs"]);
}

#[test]
fn imports_in_a_circle_come_to_an_end() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "pub use crate::b::X; pub use super::b::*; fn g() { X(); y() }",
        ),
        ("b.rs", "pub use crate::a::*;"),
    ];
    assert_eq!(pairs(&files), ["a.rs b.rs"]);
    check(&[("use z::*; use z as y; use y as z; fn g() { z::f() }", NONE)]);
}
