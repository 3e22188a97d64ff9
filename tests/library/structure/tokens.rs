//! Paths in what is not parsed: the arguments and bodies of macros, and attributes.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{Item, ItemUse, LitStr};

use super::uses::Reader;

/// Reads the paths in the arguments of a macro, whatever else it makes of them.
pub(super) fn read(reader: &mut Reader, tokens: TokenStream) {
    Tokens::new(tokens, false).read(reader);
}

/// Reads the paths in the arguments of an attribute, with those in strings.
pub(super) fn read_attribute(reader: &mut Reader, tokens: TokenStream) {
    Tokens::new(tokens, true).read(reader);
}

struct Tokens {
    tokens: Vec<TokenTree>,
    in_attribute: bool,
}

impl Tokens {
    fn new(tokens: TokenStream, in_attribute: bool) -> Self {
        Self {
            tokens: tokens.into_iter().collect(),
            in_attribute,
        }
    }

    /// Each group is read like a block.
    fn read(&self, reader: &mut Reader) {
        let uses = (0..self.tokens.len()).filter_map(|i| self.item_use(i));
        let uses: Vec<Item> = uses.map(|(item, _)| Item::Use(item)).collect();
        reader.block(&uses, |reader| {
            let mut i = 0;
            while i < self.tokens.len() {
                i = self.read_at(reader, i);
            }
        });
    }

    /// Reads what stands at `i`, and gives where the next begins.
    fn read_at(&self, reader: &mut Reader, i: usize) -> usize {
        match &self.tokens[i] {
            TokenTree::Group(group) => {
                let is_attribute = self.is_attribute(i);
                // Documentation is text.
                if !(is_attribute && begins_with_doc(group.stream())) {
                    let in_attribute = self.in_attribute || is_attribute;
                    Tokens::new(group.stream(), in_attribute).read(reader);
                }
            }
            TokenTree::Ident(first) => {
                if let Some((item, end)) = self.item_use(i) {
                    reader.visit_item_use(&item);
                    return end;
                }
                return self.read_path(reader, i, first);
            }
            TokenTree::Literal(literal) if self.in_attribute => {
                if let Ok(text) = syn::parse2::<LitStr>(TokenTree::from(literal.clone()).into()) {
                    self.read_text(reader, i, &text);
                }
            }
            _ => {}
        }
        i + 1
    }

    fn read_path(&self, reader: &mut Reader, start: usize, first: &Ident) -> usize {
        let mut idents = vec![first];
        let mut end = start + 1;
        while let (true, Some(TokenTree::Ident(next))) =
            (self.colons(end), self.tokens.get(end + 2))
        {
            idents.push(next);
            end += 3;
        }
        let before = |back: usize| start.checked_sub(back);
        let from_outside = before(2).is_some_and(|i| self.colons(i));
        // After the arguments of a type, `::` goes on with its path.
        let is_end =
            |i: usize| matches!(&self.tokens[i], TokenTree::Punct(p) if p.as_char() == '>');
        let goes_on = from_outside && before(3).is_some_and(is_end);
        // After one dot stands a field or a method, after two the end of a range.
        let of_a_value = before(1).is_some_and(|i| self.punct(i, '.', Spacing::Alone))
            && !before(2).is_some_and(|i| self.punct(i, '.', Spacing::Joint));
        if !goes_on && !of_a_value {
            reader.names(from_outside, &idents);
            if idents.len() == 1 && self.punct(end, '!', Spacing::Alone) {
                reader.called(first);
            }
        }
        end
    }

    /// A string may be a path, a type or a bound; a `with` names a module for two functions in it.
    fn read_text(&self, reader: &mut Reader, i: usize, text: &LitStr) {
        let Ok(tokens) = text.parse::<TokenStream>() else {
            return;
        };
        let key = i.checked_sub(2).map(|i| &self.tokens[i]);
        if !matches!(key, Some(TokenTree::Ident(key)) if key == "with") {
            return Tokens::new(tokens, false).read(reader);
        }
        for name in ["serialize", "deserialize"] {
            if let Ok(mut path) = syn::parse2::<syn::Path>(tokens.clone()) {
                path.segments.push(Ident::new(name, text.span()).into());
                reader.path(&path);
            }
        }
    }

    /// A `use` declaration that begins at `i`, and where it ends.
    fn item_use(&self, i: usize) -> Option<(ItemUse, usize)> {
        if !matches!(&self.tokens[i], TokenTree::Ident(ident) if ident == "use") {
            return None;
        }
        let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ';');
        let end = i + 1 + self.tokens[i..].iter().position(is_end)?;
        // The body of a macro has `$crate`.
        let is_dollar =
            |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == '$');
        let tokens = self.tokens[i..end].iter().filter(|token| !is_dollar(token));
        let item = syn::parse2(tokens.cloned().collect()).ok()?;
        Some((item, end))
    }

    /// Whether the group at `i` is an attribute.
    fn is_attribute(&self, i: usize) -> bool {
        let is_hash =
            |i: usize| matches!(&self.tokens[i], TokenTree::Punct(p) if p.as_char() == '#');
        let is_bang =
            |i: usize| matches!(&self.tokens[i], TokenTree::Punct(p) if p.as_char() == '!');
        let is_bracket = matches!(&self.tokens[i], TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket);
        is_bracket && (i > 0 && is_hash(i - 1) || i > 1 && is_bang(i - 1) && is_hash(i - 2))
    }

    fn colons(&self, i: usize) -> bool {
        self.punct(i, ':', Spacing::Joint)
            && matches!(self.tokens.get(i + 1), Some(TokenTree::Punct(p)) if p.as_char() == ':')
    }

    fn punct(&self, i: usize, c: char, spacing: Spacing) -> bool {
        matches!(self.tokens.get(i), Some(TokenTree::Punct(p)) if p.as_char() == c && p.spacing() == spacing)
    }
}

fn begins_with_doc(tokens: TokenStream) -> bool {
    matches!(tokens.into_iter().next(), Some(TokenTree::Ident(ident)) if ident == "doc")
}
