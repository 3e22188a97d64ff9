//! One module: the names that it has, and who may see them.

use std::collections::BTreeMap;

use syn::ext::IdentExt;
use syn::{Attribute, Ident, Item, Visibility};

use super::imports::{Import, imports};

/// A module's place below the crate root, or a path as it is written.
pub(super) type Path = Vec<String>;

/// The last part of the place of a block: a module without a name, which sees what is around it.
pub(super) const BLOCK: &str = "{}";

/// The place of the names that every module has without an import, and what a path with `::` before it begins with.
pub(super) const OUTSIDE: &str = "::";

/// The name of what is brought in without one: traits `as _`, and what a macro makes.
const UNNAMED: &str = "_";

#[derive(Default)]
pub(super) struct Module {
    /// Below `src`. A module written within another has that one's.
    pub file: String,
    pub names: BTreeMap<String, Vec<Name>>,
    pub globs: Vec<Glob>,
}

pub(super) struct Name {
    pub is: Is,
    /// The module that sees it, with all below.
    pub seen_in: Path,
}

/// What a name stands for in a module.
#[derive(Clone)]
pub(super) enum Is {
    /// An item, in the module that defines it.
    Item(Path),
    Module(Path),
    /// A macro by `macro_rules!`, in the module that defines it.
    Macro(Path),
    Import(Path),
}

pub(super) struct Glob {
    pub path: Path,
    pub seen_in: Path,
}

impl Module {
    pub(super) fn name(&mut self, name: &str, is: Is, seen_in: Path) {
        let names = self.names.entry(name.to_string()).or_default();
        names.push(Name { is, seen_in });
    }

    /// Adds the names of an item of this module, which stands at `at`.
    pub(super) fn add(&mut self, at: &[String], item: &Item) {
        match item {
            Item::Use(item) => {
                for Import { path, name } in imports(item) {
                    let seen_in = seen_in(&item.vis, at);
                    match name {
                        Some(name) => self.name(&name, Is::Import(path), seen_in),
                        None => self.globs.push(Glob { path, seen_in }),
                    }
                }
            }
            Item::Mod(item) => {
                let name = item.ident.unraw().to_string();
                let is = Is::Module(join(at, &name));
                self.name(&name, is, seen_in(&item.vis, at));
            }
            Item::ExternCrate(item) if item.ident == "self" => {
                if let Some((_, name)) = &item.rename {
                    let is = Is::Module(Path::new());
                    self.name(&name.unraw().to_string(), is, seen_in(&item.vis, at));
                }
            }
            Item::Macro(item) => match &item.ident {
                Some(name) => {
                    let is = Is::Macro(at.to_vec());
                    self.name(&name.unraw().to_string(), is, at.to_vec());
                }
                None => self.name(UNNAMED, Is::Item(at.to_vec()), Path::new()),
            },
            item => {
                if let Some((name, visibility)) = defined(item) {
                    let is = Is::Item(at.to_vec());
                    self.name(&name.unraw().to_string(), is, seen_in(visibility, at));
                }
            }
        }
    }
}

/// `path` with one more part.
pub(super) fn join(path: &[String], name: &str) -> Path {
    [path, &[name.to_string()]].concat()
}

/// The module that a block stands in, or the module itself.
pub(super) fn around(at: &[String]) -> Path {
    let blocks = at.iter().rev().take_while(|part| *part == BLOCK).count();
    at[..at.len() - blocks].to_vec()
}

/// What `super` is.
pub(super) fn above(at: &[String]) -> Path {
    let mut above = around(at);
    above.pop();
    around(&above)
}

/// The module that sees what stands at `at` with this visibility.
fn seen_in(visibility: &Visibility, at: &[String]) -> Path {
    let restricted = match visibility {
        Visibility::Public(_) => return Path::new(),
        Visibility::Inherited => return at.to_vec(),
        Visibility::Restricted(restricted) => &restricted.path,
    };
    let step = |seen_in: Path, segment: &syn::PathSegment| match segment.ident.to_string().as_str()
    {
        "crate" => Path::new(),
        "self" => seen_in,
        "super" => above(&seen_in),
        name => join(&seen_in, name),
    };
    restricted.segments.iter().fold(around(at), step)
}

/// What an item is called, and who may see it.
fn defined(item: &Item) -> Option<(&Ident, &Visibility)> {
    Some(match item {
        Item::Const(item) => (&item.ident, &item.vis),
        Item::Enum(item) => (&item.ident, &item.vis),
        Item::Fn(item) => (&item.sig.ident, &item.vis),
        Item::Static(item) => (&item.ident, &item.vis),
        Item::Struct(item) => (&item.ident, &item.vis),
        Item::Trait(item) => (&item.ident, &item.vis),
        Item::TraitAlias(item) => (&item.ident, &item.vis),
        Item::Type(item) => (&item.ident, &item.vis),
        Item::Union(item) => (&item.ident, &item.vis),
        _ => return None,
    })
}

/// Whether something with these attributes is compiled for tests alone.
pub(super) fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = |condition: Ident| condition == "test";
        attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(is_test)
    })
}

/// The attributes before an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(syn::ItemConst { attrs, .. })
        | Item::Enum(syn::ItemEnum { attrs, .. })
        | Item::ExternCrate(syn::ItemExternCrate { attrs, .. })
        | Item::Fn(syn::ItemFn { attrs, .. })
        | Item::ForeignMod(syn::ItemForeignMod { attrs, .. })
        | Item::Impl(syn::ItemImpl { attrs, .. })
        | Item::Macro(syn::ItemMacro { attrs, .. })
        | Item::Mod(syn::ItemMod { attrs, .. })
        | Item::Static(syn::ItemStatic { attrs, .. })
        | Item::Struct(syn::ItemStruct { attrs, .. })
        | Item::Trait(syn::ItemTrait { attrs, .. })
        | Item::TraitAlias(syn::ItemTraitAlias { attrs, .. })
        | Item::Type(syn::ItemType { attrs, .. })
        | Item::Union(syn::ItemUnion { attrs, .. })
        | Item::Use(syn::ItemUse { attrs, .. }) => attrs,
        _ => &[],
    }
}
