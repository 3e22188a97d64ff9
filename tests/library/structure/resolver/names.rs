//! Names that lead on: imports, blocks, modules under other names or in other places.

use super::{B, INNER, NONE, OWN, check, pairs};

#[test]
fn a_name_is_followed_to_what_it_was_imported_from() {
    check(&[
        ("use crate::b; fn g() { b::f() }", B),
        ("use crate::b; fn g() { self::b::f() }", B),
        ("use crate::b as other; fn g() -> other::T { loop {} }", B),
        ("use crate::{c as b}; fn g() -> u8 { b::OWN }", OWN),
        ("use crate::{self as root}; fn g() { root::b::f() }", B),
        ("use crate as root; use root::b as n; fn g() { n::f() }", B),
        ("use super as up; fn g() { up::b::f() }", B),
        ("mod own { pub use crate::b; } fn g() { own::b::f() }", B),
        ("use crate::r#b; fn g() { b::r#f() }", B),
    ]);
}

#[test]
fn a_name_of_a_block_is_followed() {
    check(&[
        ("fn g() { use crate::b; b::f() }", B),
        ("fn g() { use crate::b; use b::f; f() }", B),
        ("fn g() { use b::f; use crate::b; f() }", B),
        (
            "fn g() { use crate as root; { use root::b as n; { n::f() } } }",
            B,
        ),
        (
            "fn g() { use crate::c::*; use crate::c as d; let _: d::Shown; }",
            &["c/inner.rs", "c/mod.rs"],
        ),
        ("fn g() { use crate::b; fn h() { b::f() } }", B),
        ("fn g() { mod own { use crate::b; fn h() { b::f() } } }", B),
        ("fn g() { mod own { fn h() { super::super::b::f() } } }", B),
        ("use crate::b as z; fn g() { fn z() {} z::f() }", B),
        ("const C: u8 = { use crate::c; c::OWN };", OWN),
        // A block does not reach beyond its end.
        ("fn g() { { use crate::b; } b::f() }", NONE),
        (
            "fn g() { use crate::b; mod own { fn h() { b::f() } } }",
            NONE,
        ),
    ]);
}

#[test]
fn the_crate_under_another_name_is_followed() {
    check(&[
        ("extern crate self as me; fn g() { me::b::f() }", B),
        (
            "extern crate self as me; use me::c; type S = c::Shown;",
            INNER,
        ),
    ]);
    let root = "extern crate self as me; mod a; mod b;";
    for a in [
        "use me::b::B;",
        "fn g() { me::b::B; }",
        "use ::me::b::B;",
        "type A = ::me::b::B;",
        "fn g() { print!(\"{}\", ::me::b::B) }",
    ] {
        let files = [("lib.rs", root), ("a.rs", a), ("b.rs", "pub struct B;")];
        assert_eq!(pairs(&files), ["a.rs b.rs"], "{a}");
    }
}

#[test]
fn what_a_module_shows_of_another_crate_is_of_the_module() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::Map;"),
        ("b.rs", "pub use std::collections::BTreeMap as Map;"),
        ("c.rs", "use crate::d::Map; fn g() { crate::b::made() }"),
        ("d.rs", "pub use crate::b::Map;"),
    ];
    assert_eq!(pairs(&files), ["a.rs b.rs", "c.rs b.rs", "d.rs b.rs"]);
}

#[test]
fn a_module_that_shows_another_uses_it() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub use crate::b;"),
        ("b.rs", "pub use inner as shown; mod inner {}"),
    ];
    assert_eq!(pairs(&files), ["a.rs b.rs"]);
}

#[test]
fn a_module_is_read_from_the_file_its_path_names() {
    let files = [
        ("lib.rs", "mod a; #[path = \"other/odd.rs\"] mod b;"),
        (
            "a/mod.rs",
            "use super::b::B; #[path = \"x1.rs\"] mod x; mod r#type; mod own { #[path = \"y1.rs\"] mod y; mod z; }",
        ),
        (
            "a/x1.rs",
            "use super::r#type::X; #[path = \"../b.rs\"] mod up;",
        ),
        ("a/type.rs", "pub struct X;"),
        ("a/own/y1.rs", "pub use crate::b::B;"),
        ("a/own/z.rs", "pub use crate::b::B;"),
        ("b.rs", "use crate::b::B;"),
        ("other/odd.rs", "mod below; pub struct B;"),
        ("other/below.rs", "use super::B;"),
    ];
    assert_eq!(
        pairs(&files),
        [
            "a/mod.rs other/odd.rs",
            "a/own/y1.rs other/odd.rs",
            "a/own/z.rs other/odd.rs",
            "a/x1.rs a/type.rs",
            "b.rs other/odd.rs",
            "other/below.rs other/odd.rs",
        ]
    );
}
