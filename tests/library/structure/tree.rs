//! The modules of a crate, read from its files.

use std::collections::BTreeMap;

use syn::ext::IdentExt;
use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta};

use super::module::{Is, Module, OUTSIDE, Path, attributes, for_tests, join};

/// A crate without what is compiled for tests alone.
#[derive(Default)]
pub(super) struct Tree {
    pub modules: BTreeMap<Path, Module>,
    /// The items of each file, by the module that it is.
    pub files: BTreeMap<Path, Vec<Item>>,
}

/// Where a module is written.
#[derive(Clone)]
struct Place {
    file: String,
    /// The folder of the files of the modules within.
    folder: String,
    /// The folder that `#[path]` starts from.
    path_folder: String,
}

impl Tree {
    /// Reads the crate whose root is `lib.rs`, from the texts of its files by their paths below `src`.
    pub(super) fn read(files: &BTreeMap<String, String>) -> Self {
        let mut tree = Self::default();
        let outside = vec![OUTSIDE.to_string()];
        tree.modules.insert(outside, Module::default());
        let place = Place {
            file: "lib.rs".into(),
            folder: String::new(),
            path_folder: String::new(),
        };
        tree.add_file(files, place, Path::new());
        tree
    }

    fn add_file(&mut self, files: &BTreeMap<String, String>, place: Place, at: Path) {
        let file = &place.file;
        let parsed = syn::parse_file(&files[file]);
        let parsed = parsed.unwrap_or_else(|error| panic!("{file}: {error}"));
        self.add(files, &place, &at, &parsed.items);
        self.files.insert(at, parsed.items);
    }

    /// Adds a block with items to the modules.
    pub(super) fn add_block(&mut self, file: &str, at: &[String], items: &[Item]) {
        let place = Place {
            file: file.to_string(),
            folder: String::new(),
            path_folder: String::new(),
        };
        self.add(&BTreeMap::new(), &place, at, items);
    }

    fn add(
        &mut self,
        files: &BTreeMap<String, String>,
        place: &Place,
        at: &[String],
        items: &[Item],
    ) {
        let mut module = Module {
            file: place.file.clone(),
            ..Module::default()
        };
        let items = || items.iter().filter(|item| !for_tests(attributes(item)));
        items().for_each(|item| module.add(at, item));
        self.modules.insert(at.to_vec(), module);
        for item in items() {
            match item {
                // The crate root has it, whichever file defines it.
                Item::Macro(item) if has(&item.attrs, "macro_export") => {
                    let name = item.ident.as_ref().map(|ident| ident.unraw().to_string());
                    let root = self.modules.entry(Path::new()).or_default();
                    root.name(
                        &name.unwrap_or_default(),
                        Is::Macro(at.to_vec()),
                        Path::new(),
                    );
                }
                Item::ExternCrate(item) if item.ident == "self" && at.is_empty() => {
                    let outside = self.modules.entry(vec![OUTSIDE.into()]).or_default();
                    if let Some((_, name)) = &item.rename {
                        let is = Is::Module(Path::new());
                        outside.name(&name.unraw().to_string(), is, Path::new());
                    }
                }
                Item::Mod(item) => self.add_child(files, place, at, item),
                _ => {}
            }
        }
    }

    fn add_child(
        &mut self,
        files: &BTreeMap<String, String>,
        place: &Place,
        above: &[String],
        item: &ItemMod,
    ) {
        let name = item.ident.unraw().to_string();
        let at = join(above, &name);
        match (&item.content, path_attribute(&item.attrs)) {
            (Some((_, items)), renamed) => {
                let folder = match renamed {
                    Some(path) => below(&place.path_folder, &path),
                    None => below(&place.folder, &name),
                };
                let place = Place {
                    file: place.file.clone(),
                    path_folder: folder.clone(),
                    folder,
                };
                self.add(files, &place, &at, items);
            }
            (None, Some(path)) => {
                let file = below(&place.path_folder, &path);
                let folder = parent(&file).to_string();
                let place = Place {
                    file,
                    path_folder: folder.clone(),
                    folder,
                };
                self.add_file(files, place, at.clone());
            }
            (None, None) => {
                let folder = below(&place.folder, &name);
                let mut places = [format!("{folder}.rs"), format!("{folder}/mod.rs")].into_iter();
                let file = places.find(|place| files.contains_key(place));
                let file = file.unwrap_or_else(|| panic!("no file of module {}", at.join("::")));
                let place = Place {
                    path_folder: parent(&file).to_string(),
                    file,
                    folder,
                };
                self.add_file(files, place, at.clone());
            }
        }
        if has(&item.attrs, "macro_use") {
            self.show_macros(&at, above);
        }
    }

    /// Gives one module the macros of another, as `#[macro_use]` does.
    fn show_macros(&mut self, from: &[String], to: &[String]) {
        let mut shown = Vec::new();
        for (name, all) in &self.modules[from].names {
            let macros = all.iter().filter(|name| matches!(name.is, Is::Macro(_)));
            shown.extend(macros.map(|found| (name.clone(), found.is.clone())));
        }
        let to_module = self.modules.entry(to.to_vec()).or_default();
        for (name, is) in shown {
            to_module.name(&name, is, to.to_vec());
        }
    }
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident(name))
}

/// What `#[path = ".."]` says.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(meta) = &attribute.meta else {
            return None;
        };
        match &meta.value {
            Expr::Lit(value) if meta.path.is_ident("path") => match &value.lit {
                Lit::Str(path) => Some(path.value()),
                _ => None,
            },
            _ => None,
        }
    })
}

fn parent(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path from a folder, `..` resolved.
fn below(folder: &str, path: &str) -> String {
    let mut parts = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
