//! Where a path leads, through imports, globs and re-exports.
//!
//! Of names that hide each other, as those of a block hide those around it, each is followed: none is missed.

use super::module::{BLOCK, Is, OUTSIDE, Path, above, around, join};
use super::tree::Tree;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// An item, or what belongs to it, in the module that defines it. Of what another crate defines or a macro makes,
    /// the last module on the way.
    Item(Path),
    Module(Path),
}

impl Tree {
    /// What `path` leads to from the module or block `from`. A name may be of a module and of an item; nothing is
    /// found for what another crate defines.
    pub(super) fn resolve(&self, from: &[String], path: &[String]) -> Vec<Found> {
        Walk::new(self).walk(from, path)
    }

    /// What a glob of `path` brings into the module or block `from`.
    pub(super) fn brought_in(&self, from: &[String], path: &[String]) -> Vec<Found> {
        Walk::new(self).brought_in(from, path)
    }

    /// What a macro without a path may be: `macro_rules!` of a module is seen in those below.
    pub(super) fn macros(&self, from: &[String], name: &str) -> Vec<Found> {
        let mut found = Vec::new();
        for module in (0..=from.len()).filter_map(|end| self.modules.get(&from[..end])) {
            for name in module.names.get(name).into_iter().flatten() {
                if let Is::Macro(at) = &name.is {
                    found.push(Found::Item(at.clone()));
                }
            }
        }
        found
    }
}

struct Walk<'a> {
    tree: &'a Tree,
    /// The imports that are being followed and for what name, as they may lead in a circle.
    under_way: Vec<(Path, Path, String)>,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree) -> Self {
        Self {
            tree,
            under_way: Vec::new(),
        }
    }

    fn walk(&mut self, from: &[String], path: &[String]) -> Vec<Found> {
        let Some((first, rest)) = path.split_first() else {
            return Vec::new();
        };
        let mut found = match first.as_str() {
            "crate" => vec![Found::Module(Path::new())],
            "self" => vec![Found::Module(around(from))],
            "super" => vec![Found::Module(above(from))],
            OUTSIDE => vec![Found::Module(vec![OUTSIDE.into()])],
            name => {
                let scopes = scopes(from).into_iter();
                scopes
                    .flat_map(|scope| self.lookup(from, &scope, name))
                    .collect()
            }
        };
        for segment in rest {
            let modules: Vec<Path> = modules(&found).cloned().collect();
            // What follows an item belongs to it.
            if modules.is_empty() {
                break;
            }
            let steps = modules.iter();
            found = steps
                .flat_map(|module| self.step(from, module, segment))
                .collect();
        }
        found
    }

    /// What a path leads to by `name` after a module.
    fn step(&mut self, from: &[String], module: &Path, name: &str) -> Vec<Found> {
        if name == "super" {
            return vec![Found::Module(above(module))];
        }
        let found = self.lookup(from, module, name);
        match found.is_empty() && *module != [OUTSIDE] {
            true => vec![Found::Item(module.clone())],
            false => found,
        }
    }

    /// What a name in a module stands for, as it is seen from `from`.
    fn lookup(&mut self, from: &[String], module: &[String], name: &str) -> Vec<Found> {
        let Some(known) = self.tree.modules.get(module) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let names = known.names.get(name).into_iter().flatten();
        for is in names.filter(|name| from.starts_with(&name.seen_in)) {
            found.extend(self.follow(module, name, &is.is));
        }
        let mut of_items = Vec::new();
        for glob in &known.globs {
            if !from.starts_with(&glob.seen_in) || !self.enter(module, &glob.path, name) {
                continue;
            }
            for shown in self.walk(module, &glob.path) {
                match shown {
                    Found::Module(at) => found.extend(self.lookup(module, &at, name)),
                    Found::Item(_) => of_items.push(shown),
                }
            }
            self.under_way.pop();
        }
        // The variants of an enum are not known by name.
        if found.is_empty() {
            found = of_items;
        }
        found
    }

    fn follow(&mut self, module: &[String], name: &str, is: &Is) -> Vec<Found> {
        match is {
            Is::Item(at) | Is::Macro(at) => vec![Found::Item(at.clone())],
            Is::Module(at) => vec![Found::Module(at.clone())],
            Is::Import(path) => {
                if !self.enter(module, path, name) {
                    return Vec::new();
                }
                let found = self.walk(module, path);
                self.under_way.pop();
                found
            }
        }
    }

    fn enter(&mut self, module: &[String], path: &[String], name: &str) -> bool {
        let step = (module.to_vec(), path.to_vec(), name.to_string());
        let is_new = !self.under_way.contains(&step);
        if is_new {
            self.under_way.push(step);
        }
        is_new
    }

    fn brought_in(&mut self, from: &[String], path: &[String]) -> Vec<Found> {
        if !self.enter(from, path, "*") {
            return Vec::new();
        }
        let mut found = Vec::new();
        for of in self.walk(from, path) {
            let Found::Module(at) = &of else {
                found.push(of);
                continue;
            };
            let module = &self.tree.modules[at];
            for (name, all) in &module.names {
                for is in all.iter().filter(|name| from.starts_with(&name.seen_in)) {
                    let shown = self.follow(at, name, &is.is);
                    // What another crate defines is of the module that shows it.
                    match shown.is_empty() {
                        true => found.push(Found::Item(at.clone())),
                        false => found.extend(shown),
                    }
                }
            }
            for glob in &module.globs {
                if from.starts_with(&glob.seen_in) {
                    match self.walk(at, &glob.path).is_empty() {
                        true => found.push(Found::Item(at.clone())),
                        false => found.extend(self.brought_in(at, &glob.path)),
                    }
                }
            }
        }
        self.under_way.pop();
        found
    }
}

/// Where the first name of a path is looked up: the blocks around it, their module, and what every module has.
fn scopes(from: &[String]) -> Vec<Path> {
    let mut scopes = vec![from.to_vec()];
    while let Some(block) = scopes.last().filter(|at| at.ends_with(&[BLOCK.into()])) {
        scopes.push(block[..block.len() - 1].to_vec());
    }
    scopes.push(join(&[], OUTSIDE));
    scopes
}

fn modules(found: &[Found]) -> impl Iterator<Item = &Path> {
    found.iter().filter_map(|found| match found {
        Found::Module(at) => Some(at),
        Found::Item(_) => None,
    })
}
