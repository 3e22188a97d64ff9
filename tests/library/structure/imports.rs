//! The names that `use` declarations bring in.

use syn::ext::IdentExt;
use syn::{ItemUse, UseTree};

use super::module::{OUTSIDE, Path, join};

/// One name that a `use` declaration brings in.
pub(super) struct Import {
    /// Without the `self` at the end of a group.
    pub path: Path,
    /// What it is called here; none for a glob.
    pub name: Option<String>,
}

pub(super) fn imports(item: &ItemUse) -> Vec<Import> {
    let before = Path::from_iter(item.leading_colon.map(|_| OUTSIDE.to_string()));
    let mut found = Vec::new();
    add(&item.tree, &before, &mut found);
    found
}

fn add(tree: &UseTree, before: &[String], found: &mut Vec<Import>) {
    let mut name = |ident: &syn::Ident, name: &syn::Ident| {
        let path = match ident == "self" && !before.is_empty() {
            true => before.to_vec(),
            false => join(before, &ident.unraw().to_string()),
        };
        let name = match name == "self" {
            true => path.last().cloned(),
            false => Some(name.unraw().to_string()),
        };
        found.push(Import { path, name });
    };
    match tree {
        UseTree::Name(item) => name(&item.ident, &item.ident),
        UseTree::Rename(item) => name(&item.ident, &item.rename),
        UseTree::Glob(_) => found.push(Import {
            path: before.to_vec(),
            name: None,
        }),
        UseTree::Path(item) => add(
            &item.tree,
            &join(before, &item.ident.unraw().to_string()),
            found,
        ),
        UseTree::Group(group) => group.items.iter().for_each(|tree| add(tree, before, found)),
    }
}
