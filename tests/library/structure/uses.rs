//! Which file uses which, and by what path: it leads to the file that defines its first item.
//!
//! Not seen are uses without a path (methods and fields, types that are inferred), items that a macro makes, paths in
//! attributes and in format strings, and a method of a type that stands in another file than the type.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Spacing, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Block, ImplItem, Item, ItemMod, ItemUse, Macro, Stmt, Visibility};

use super::tree::{Found, Import, Path, Tree, attributes, for_tests, imports, join};

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
pub(super) fn uses(tree: &Tree) -> Uses {
    let mut found = Uses::new();
    for (at, module) in &tree.modules {
        let mut reader = Reader {
            tree,
            at,
            file: &module.file,
            blocks: Vec::new(),
            found: &mut found,
        };
        module.items.iter().for_each(|item| reader.visit_item(item));
    }
    found
}

/// Reads the items of one module.
struct Reader<'a> {
    tree: &'a Tree,
    at: &'a Path,
    file: &'a str,
    /// What the blocks around this place import, the innermost last.
    blocks: Vec<Vec<Import>>,
    found: &'a mut Uses,
}

impl Reader<'_> {
    fn used(&mut self, idents: &[Ident]) {
        let Some(first) = idents.first() else { return };
        let path: Path = idents.iter().map(ToString::to_string).collect();
        for found in self.resolve(&path) {
            self.note(&found, &path, first.span());
        }
    }

    /// The imports of the blocks around come before the module's names.
    fn resolve(&self, path: &[String]) -> Vec<Found> {
        for import in self.blocks.iter().rev().flatten() {
            let path = match &import.name {
                Some(name) if *name == path[0] => join(&import.path, &path[1..]),
                None => join(&import.path, path),
                Some(_) => continue,
            };
            let found = self.tree.resolve(self.at, &path);
            if !found.is_empty() {
                return found;
            }
        }
        self.tree.resolve(self.at, path)
    }

    /// A module alone is a part of paths: what these lead to counts.
    fn note(&mut self, found: &Found, path: &[String], span: Span) {
        let Found::Item(at) = found else { return };
        let to = &self.tree.modules[at].file;
        if to != self.file {
            let edge = (self.file.to_string(), to.clone());
            self.found.entry(edge).or_insert_with(|| Use {
                path: path.join("::"),
                line: span.start().line,
            });
        }
    }

    /// Paths in the arguments of a macro, whatever else it makes of them.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let punct = |i: usize, c: char, spacing: Spacing| match tokens.get(i) {
            Some(TokenTree::Punct(p)) => p.as_char() == c && p.spacing() == spacing,
            _ => false,
        };
        let colons = |i: usize| {
            punct(i, ':', Spacing::Joint)
                && matches!(tokens.get(i + 1), Some(TokenTree::Punct(p)) if p.as_char() == ':')
        };
        let mut i = 0;
        while i < tokens.len() {
            match &tokens[i] {
                TokenTree::Group(group) => self.read_tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut idents = vec![first.clone()];
                    // After one dot stands a field or a method, after two the end of a range.
                    let of_a_value = i > 0
                        && punct(i - 1, '.', Spacing::Alone)
                        && !(i > 1 && punct(i - 2, '.', Spacing::Joint));
                    while let (true, Some(TokenTree::Ident(next))) =
                        (colons(i + 1), tokens.get(i + 3))
                    {
                        idents.push(next.clone());
                        i += 3;
                    }
                    if !of_a_value {
                        self.used(&idents);
                    }
                }
                _ => {}
            }
            i += 1;
        }
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

    /// Every module is read by itself.
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_private = matches!(item.vis, Visibility::Inherited);
        for Import { path, name } in imports(&item.tree) {
            // What a glob brings in counts where it is used.
            if name.is_none() {
                continue;
            }
            for found in self.tree.resolve(self.at, &path) {
                // A module that shows what stands within it does not use it.
                let within =
                    |found: &Found| matches!(found, Found::Item(at) if at.starts_with(self.at));
                if is_private || !within(&found) {
                    self.note(&found, &path, item.use_token.span);
                }
            }
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let uses = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(Item::Use(item)) => Some(imports(&item.tree)),
            _ => None,
        });
        self.blocks.push(uses.flatten().collect());
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let idents = path.segments.iter().map(|segment| segment.ident.clone());
            self.used(&Vec::from_iter(idents));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.visit_path(&item.path);
        self.read_tokens(item.tokens.clone());
    }

    /// Who may see an item is no use of it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}
