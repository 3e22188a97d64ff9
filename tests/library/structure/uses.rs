//! Which file uses which, and by what path: it leads to the file that defines its first item.
//!
//! A glob uses all that it brings in. What another crate defines or a macro makes is of the module that has it.
//!
//! Not seen are:
//! - uses without a path: methods and fields, types that are inferred;
//! - a method of a type that stands in another file than the type;
//! - names in the body of a macro that are those of the place where it is called;
//! - what `include!` or a `path` in `cfg_attr` reads.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, Stmt, Visibility};

use super::imports::{Import, imports};
use super::module::{BLOCK, OUTSIDE, Path, around, attributes, for_tests};
use super::paths::Found;
use super::tokens;
use super::tree::Tree;

/// A path that leads from one file to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// As it is written.
    pub path: String,
    pub line: usize,
}

/// For two files, the first path that leads from one to the other.
pub(super) type Uses = BTreeMap<(String, String), Use>;

/// Every use of a file by another.
pub(super) fn uses(mut tree: Tree) -> Uses {
    let mut found = Uses::new();
    for (at, items) in std::mem::take(&mut tree.files) {
        let mut reader = Reader {
            file: tree.modules[&at].file.clone(),
            tree: &mut tree,
            at,
            found: &mut found,
        };
        items.iter().for_each(|item| reader.visit_item(item));
    }
    found
}

/// Reads the items of one file.
pub(super) struct Reader<'a> {
    tree: &'a mut Tree,
    /// The module or block that is being read.
    at: Path,
    file: String,
    found: &'a mut Uses,
}

impl Reader<'_> {
    /// Notes where a path leads.
    pub(super) fn path(&mut self, path: &syn::Path) {
        let idents = path.segments.iter().map(|segment| &segment.ident);
        self.names(path.leading_colon.is_some(), &Vec::from_iter(idents));
    }

    /// Notes where the names of a path lead. `from_outside`: `::` stands before them.
    pub(super) fn names(&mut self, from_outside: bool, idents: &[&Ident]) {
        let Some(first) = idents.first() else { return };
        let mut path = Path::from_iter(from_outside.then(|| OUTSIDE.to_string()));
        path.extend(idents.iter().map(|ident| ident.unraw().to_string()));
        for found in self.tree.resolve(&self.at, &path) {
            // A module alone is a part of paths: what these lead to counts.
            if let Found::Item(at) = found {
                self.note(&at, &path, first.span());
            }
        }
    }

    /// Notes which macro without a path is called.
    pub(super) fn called(&mut self, name: &Ident) {
        let path = name.unraw().to_string();
        for found in self.tree.macros(&self.at, &path) {
            if let Found::Item(at) = found {
                self.note(&at, std::slice::from_ref(&path), name.span());
            }
        }
    }

    fn note(&mut self, at: &[String], path: &[String], span: Span) {
        let to = &self.tree.modules[at].file;
        if *to != self.file {
            let edge = (self.file.clone(), to.clone());
            self.found.entry(edge).or_insert_with(|| Use {
                path: path.join("::"),
                line: span.start().line,
            });
        }
    }

    /// Reads what stands in a block with these items.
    pub(super) fn block(&mut self, items: &[Item], read: impl FnOnce(&mut Self)) {
        self.within(BLOCK.to_string(), |reader| {
            reader.tree.add_block(&reader.file, &reader.at, items);
            read(reader);
        });
    }

    fn within(&mut self, name: String, read: impl FnOnce(&mut Self)) {
        self.at.push(name);
        read(self);
        self.at.pop();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs[..],
            ImplItem::Fn(item) => &item.attrs,
            _ => &[],
        };
        if !for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    /// A module with a file of its own is read with that.
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        item.attrs.iter().for_each(|of| self.visit_attribute(of));
        let items = item.content.iter().flat_map(|(_, items)| items);
        self.within(item.ident.unraw().to_string(), |reader| {
            items.for_each(|item| reader.visit_item(item));
        });
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_private = matches!(item.vis, Visibility::Inherited);
        for Import { mut path, name } in imports(item) {
            let found = match name {
                Some(_) => self.tree.resolve(&self.at, &path),
                None => self.tree.brought_in(&self.at, &path),
            };
            if name.is_none() {
                path.push("*".into());
            }
            for found in found {
                let within = |at: &Path| at.starts_with(&around(&self.at));
                match found {
                    // A module that shows what stands within it does not use it.
                    Found::Item(at) if is_private || !within(&at) => {
                        self.note(&at, &path, item.use_token.span);
                    }
                    // One that shows another to others uses it.
                    Found::Module(at) if !is_private && !within(&at) => {
                        self.note(&at, &path, item.use_token.span);
                    }
                    _ => {}
                }
            }
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let items = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item.clone()),
            _ => None,
        });
        self.block(&Vec::from_iter(items), |reader| {
            visit::visit_block(reader, block);
        });
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(path);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.visit_path(&item.path);
        if let Some(name) = item.path.get_ident() {
            self.called(name);
        }
        tokens::read(self, item.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.visit_path(attribute.path());
        match &attribute.meta {
            Meta::List(list) => tokens::read_attribute(self, list.tokens.clone()),
            Meta::NameValue(meta) => self.visit_expr(&meta.value),
            Meta::Path(_) => {}
        }
    }

    /// Who may see an item is no use of it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
