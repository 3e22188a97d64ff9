//! The baseline that the cells of a report are compared with.

use anyhow::Result;

use super::block::{Block, CellRecords, FULL};
use super::curve::Curve;
use super::settings::joined;
use crate::bad_input;
use crate::record::settings_of;

/// A method, and settings that select among its cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    method: String,
    settings: Vec<(String, String)>,
}

impl Default for Baseline {
    fn default() -> Self {
        Self {
            method: FULL.into(),
            settings: Vec::new(),
        }
    }
}

impl std::fmt::Display for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.method)?;
        for (i, (key, value)) in self.settings.iter().enumerate() {
            write!(f, "{}{key}={value}", if i == 0 { ':' } else { ';' })?;
        }
        Ok(())
    }
}

impl Baseline {
    /// The baseline that `text` names among the cells of `blocks`: `NAME` or `NAME:KEY=VALUE;...`, with as many
    /// settings (defaults included) as tell it from the method's other cells of the same size.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a method or a value that no cell has, or if several cells of one size
    /// match.
    pub fn parse(text: &str, blocks: &[Block]) -> Result<Self> {
        let (method, settings) = text.split_once(':').unwrap_or((text, ""));
        let owned = |(key, value): (&str, &str)| (key.to_string(), value.to_string());
        let baseline = Self {
            method: method.into(),
            settings: settings_of(settings).map(owned).collect(),
        };
        let cells = || blocks.iter().flat_map(|block| &block.cells);
        let mut methods: Vec<&str> = Vec::new();
        for cell in cells() {
            if !methods.contains(&cell.method) {
                methods.push(cell.method);
            }
        }
        if !methods.contains(&method) {
            return Err(bad_input!(
                "--against {text}: no rows of method \"{method}\", expected one of {}",
                methods.join(", ")
            ));
        }
        if !cells().any(|cell| baseline.is(cell)) {
            let mut known = cells().filter(|cell| cell.method == method);
            let known = known.next().map(|cell| joined(cell.told.all()));
            return Err(bad_input!(
                "--against {text}: no rows of {method} with these settings, expected some of {}",
                known.unwrap_or_default()
            ));
        }
        for block in blocks {
            let own = || block.cells.iter().filter(|cell| baseline.is(cell));
            for cell in own() {
                let mut alike = own().filter(|other| other.told.sizes().eq(cell.told.sizes()));
                if let (Some(first), Some(second)) = (alike.next(), alike.next()) {
                    return Err(bad_input!(
                        "--against {text}: both \"{}\" and \"{}\" are of one size, expected settings that choose one: \
                         --against '{method}:KEY=VALUE;...'",
                        first.label,
                        second.label
                    ));
                }
            }
        }
        Ok(baseline)
    }

    /// The cell that `cell` is compared with: the baseline's of the same size, or its only one if it has no size. None
    /// for that cell itself, or if there is no such cell.
    pub fn of<'a, 'b>(
        &self,
        block: &'b Block<'a>,
        cell: &CellRecords,
    ) -> Option<&'b CellRecords<'a>> {
        let mut own = block.cells.iter().filter(|own| self.is(own));
        let of_size = |of: &&CellRecords| {
            of.told.sizes().next().is_none() || of.told.sizes().eq(cell.told.sizes())
        };
        own.find(of_size).filter(|own| !own.is_like(cell))
    }

    /// The curve that the areas under others are compared with.
    pub(super) fn curve<'a, 'b, 'c>(
        &self,
        curves: &'c [Curve<'a, 'b>],
    ) -> Option<&'c Curve<'a, 'b>> {
        curves.iter().find(|curve| {
            let first = curve.cells.first();
            first.is_some_and(|cell| self.is(cell))
        })
    }

    fn is(&self, cell: &CellRecords) -> bool {
        let has = |(key, value): &(String, String)| cell.told.value(key) == Some(value);
        self.method == cell.method && self.settings.iter().all(has)
    }
}
