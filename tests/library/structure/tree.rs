//! The modules of a crate: what each one defines, imports and re-exports, and where a path leads.

use std::collections::{BTreeMap, HashMap};

use syn::{Attribute, Item, ItemMod, UseTree};

/// A module's place below the crate root, or a path as it is written.
pub(super) type Path = Vec<String>;

/// A crate without what is compiled for tests alone.
#[derive(Default)]
pub(super) struct Tree {
    pub modules: BTreeMap<Path, Module>,
}

#[derive(Default)]
pub(super) struct Module {
    /// Below `src`. A module written within another has that one's.
    pub file: String,
    pub items: Vec<Item>,
    names: HashMap<String, Vec<Name>>,
    globs: Vec<Path>,
}

/// What a name stands for in a module.
enum Name {
    /// An item, in the module that defines it.
    Item(Path),
    Module(Path),
    Import(Path),
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// An item, or what belongs to it, in the module that defines it.
    Item(Path),
    Module(Path),
}

/// One name that a `use` declaration brings in.
pub(super) struct Import {
    /// Without the `self` at the end of a group.
    pub path: Path,
    /// What it is called here; none for a glob.
    pub name: Option<String>,
}

impl Module {
    fn name(&mut self, name: String, is: Name) {
        self.names.entry(name).or_default().push(is);
    }
}

impl Tree {
    /// Reads the crate whose root is `lib.rs`, from the texts of its files by their paths below `src`.
    pub(super) fn read(files: &BTreeMap<String, String>) -> Self {
        let mut tree = Self::default();
        tree.add_file(files, "lib.rs", Path::new());
        tree
    }

    fn add_file(&mut self, files: &BTreeMap<String, String>, file: &str, at: Path) {
        let parsed = syn::parse_file(&files[file]);
        let parsed = parsed.unwrap_or_else(|error| panic!("{file}: {error}"));
        self.add(files, file, at, parsed.items);
    }

    fn add(&mut self, files: &BTreeMap<String, String>, file: &str, at: Path, items: Vec<Item>) {
        let mut module = Module {
            file: file.to_string(),
            ..Module::default()
        };
        let mut exported = Vec::new();
        let mut children: Vec<ItemMod> = Vec::new();
        for item in items
            .into_iter()
            .filter(|item| !for_tests(attributes(item)))
        {
            match &item {
                Item::Use(item) => {
                    for Import { path, name } in imports(&item.tree) {
                        match name {
                            Some(name) => module.name(name, Name::Import(path)),
                            None => module.globs.push(path),
                        }
                    }
                }
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    module.name(name.clone(), Name::Module(join(&at, &[name])));
                    children.push(child.clone());
                }
                // The crate root has it, whichever file defines it.
                Item::Macro(item) if has(&item.attrs, "macro_export") => {
                    exported.extend(item.ident.as_ref().map(ToString::to_string));
                }
                item => {
                    if let Some(name) = name(item) {
                        module.name(name, Name::Item(at.clone()));
                    }
                }
            }
            module.items.push(item);
        }
        self.modules.insert(at.clone(), module);
        let root = self.modules.entry(Path::new()).or_default();
        for name in exported {
            root.name(name, Name::Item(at.clone()));
        }
        for child in children {
            let at = join(&at, &[child.ident.to_string()]);
            match child.content {
                Some((_, items)) => self.add(files, file, at, items),
                None => {
                    let mut places = [
                        format!("{}.rs", at.join("/")),
                        format!("{}/mod.rs", at.join("/")),
                    ]
                    .into_iter();
                    let place = places.find(|place| files.contains_key(place));
                    let place = place
                        .unwrap_or_else(|| panic!("{file}: no file of module {}", at.join("::")));
                    self.add_file(files, &place, at);
                }
            }
        }
    }

    /// What `path` leads to from the module `from`, through imports and re-exports. A name may be of a module and of
    /// an item; nothing is found for what another crate defines.
    pub(super) fn resolve(&self, from: &[String], path: &[String]) -> Vec<Found> {
        self.walk(from, path, &mut Vec::new())
    }

    /// `under_way`: the imports that are being followed, which may lead in a circle.
    fn walk(
        &self,
        from: &[String],
        path: &[String],
        under_way: &mut Vec<(Path, Path)>,
    ) -> Vec<Found> {
        let Some((first, rest)) = path.split_first() else {
            return Vec::new();
        };
        let mut found = match first.as_str() {
            "crate" => vec![Found::Module(Path::new())],
            "self" => vec![Found::Module(from.to_vec())],
            "super" => vec![Found::Module(above(from))],
            name => self.lookup(from, name, under_way),
        };
        for segment in rest {
            let modules: Vec<Path> = modules(&found).cloned().collect();
            // What follows an item belongs to it.
            if modules.is_empty() {
                break;
            }
            found = match segment.as_str() {
                "super" => modules
                    .iter()
                    .map(|module| Found::Module(above(module)))
                    .collect(),
                name => {
                    let in_each = modules
                        .iter()
                        .flat_map(|module| self.lookup(module, name, under_way));
                    in_each.collect()
                }
            };
        }
        found
    }

    fn lookup(
        &self,
        module: &[String],
        name: &str,
        under_way: &mut Vec<(Path, Path)>,
    ) -> Vec<Found> {
        let Some(known) = self.modules.get(module) else {
            return Vec::new();
        };
        let mut follow = |path: &[String], last: Option<&str>| {
            let step = (module.to_vec(), path.to_vec());
            if under_way.contains(&step) {
                return Vec::new();
            }
            under_way.push(step);
            let path = join(path, &Vec::from_iter(last.map(ToString::to_string)));
            let found = self.walk(module, &path, under_way);
            under_way.pop();
            found
        };
        let mut found = Vec::new();
        for is in known.names.get(name).into_iter().flatten() {
            match is {
                Name::Item(at) => found.push(Found::Item(at.clone())),
                Name::Module(at) => found.push(Found::Module(at.clone())),
                Name::Import(path) => found.extend(follow(path, None)),
            }
        }
        // What is named hides what a glob brings in.
        if found.is_empty() {
            for glob in &known.globs {
                found.extend(follow(glob, Some(name)));
            }
        }
        found
    }
}

fn modules(found: &[Found]) -> impl Iterator<Item = &Path> {
    found.iter().filter_map(|found| match found {
        Found::Module(at) => Some(at),
        Found::Item(_) => None,
    })
}

fn above(module: &[String]) -> Path {
    module
        .split_last()
        .map(|(_, above)| above.to_vec())
        .unwrap_or_default()
}

/// `path` with `more` after it.
pub(super) fn join(path: &[String], more: &[String]) -> Path {
    [path, more].concat()
}

/// The names that a `use` declaration brings in.
pub(super) fn imports(tree: &UseTree) -> Vec<Import> {
    let mut found = Vec::new();
    add_imports(tree, &[], &mut found);
    found
}

fn add_imports(tree: &UseTree, before: &[String], found: &mut Vec<Import>) {
    let mut add = |ident: &syn::Ident, name: &syn::Ident| {
        let path = match ident == "self" && !before.is_empty() {
            true => before.to_vec(),
            false => join(before, &[ident.to_string()]),
        };
        let name = match name == "self" {
            true => path.last().cloned(),
            false => Some(name.to_string()),
        };
        found.push(Import { path, name });
    };
    match tree {
        UseTree::Name(item) => add(&item.ident, &item.ident),
        UseTree::Rename(item) => add(&item.ident, &item.rename),
        UseTree::Glob(_) => found.push(Import {
            path: before.to_vec(),
            name: None,
        }),
        UseTree::Path(item) => {
            add_imports(&item.tree, &join(before, &[item.ident.to_string()]), found)
        }
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| add_imports(tree, before, found)),
    }
}

/// Whether something with these attributes is compiled for tests alone.
pub(super) fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = |condition: syn::Ident| condition == "test";
        attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(is_test)
    })
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident(name))
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
        | Item::Mod(ItemMod { attrs, .. })
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

/// The name that an item defines.
fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
