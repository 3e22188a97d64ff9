//! Chooses which of an experiment's tasks are run.

use anyhow::Result;

use crate::bad_input;
use crate::error::nearest;
use crate::task::kinds::{kind_of, parse};

/// The key of a table that makes several tasks; it lists those to make.
const PARTS: &str = "tasks";

/// Keeps the tables that `names` names, by the table's name or by that of a task it makes. A table that makes several
/// tasks then makes those named.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) for a name that none of them has.
pub(super) fn choose(names: &[String], tables: &mut Vec<toml::Table>) -> Result<()> {
    let known = || {
        let parts = tables.iter().flat_map(parts);
        tables.iter().filter_map(name).chain(parts)
    };
    if let Some(unknown) = names
        .iter()
        .find(|task| !known().any(|known| known == *task))
    {
        return Err(bad_input!(
            "--tasks: the experiment has no task \"{unknown}\"{}",
            nearest(unknown, known())
        ));
    }
    let is_named = |task: &str| names.iter().any(|name| name == task);
    tables.retain_mut(|table| {
        if name(table).is_some_and(is_named) {
            return true;
        }
        let named = parts(table).into_iter().filter(|part| is_named(part));
        let named: Vec<toml::Value> = named.map(toml::Value::from).collect();
        let any = !named.is_empty();
        if any {
            table.insert(PARTS.into(), named.into());
        }
        any
    });
    Ok(())
}

/// Removes from `tables` the tasks that `data` has no records of. Returns a note that names them.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if `data` has records of none, or cannot be read, or if a table does not parse.
pub(super) fn leave_out_absent(
    data: &str,
    tables: &mut Vec<toml::Table>,
) -> Result<Option<String>> {
    let origin = format!("--data {data}");
    let (mut there, mut absent) = (Vec::new(), Vec::new());
    for table in tables.drain(..) {
        match parse(&table, &origin)?.is_there()? {
            true => there.push(table),
            false => absent.extend(name(&table).map(str::to_string)),
        }
    }
    if there.is_empty() {
        return Err(bad_input!(
            "{origin}: no records of the experiment's tasks in it: {}",
            absent.join(", ")
        ));
    }
    *tables = there;
    let left_out = || format!("{origin}: no records of {}: left out", absent.join(", "));
    Ok((!absent.is_empty()).then(left_out))
}

fn name(table: &toml::Table) -> Option<&str> {
    table.get("name")?.as_str()
}

/// Names of the tasks of a table that makes several: those it lists, else all of its kind.
fn parts(table: &toml::Table) -> Vec<&str> {
    let listed = table.get(PARTS).and_then(toml::Value::as_array);
    match (kind_of(table), listed) {
        (Some(kind), Some(listed)) if !kind.parts.is_empty() => {
            listed.iter().filter_map(toml::Value::as_str).collect()
        }
        (Some(kind), _) => kind.parts.to_vec(),
        (None, _) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> Result<Vec<toml::Table>> {
        let text = "[[task]]\nname = 'needle'\n[[task]]\nname = 'ruler'\nseeds = 2\n\
                    [[task]]\nname = 'ruler'\nseeds = 3\ntasks = ['cwe', 'fwe']\n";
        let mut file: toml::Table = toml::from_str(text)?;
        let mut tables = file.remove("task").expect("tasks").try_into()?;
        choose(
            &Vec::from_iter(names.iter().map(ToString::to_string)),
            &mut tables,
        )?;
        Ok(tables)
    }

    fn tasks(table: &toml::Table) -> String {
        table.get("tasks").map_or("all".into(), ToString::to_string)
    }

    #[test]
    fn a_part_of_a_table_is_chosen_by_its_name() -> Result<()> {
        let found = chosen(&["fwe", "vt"])?;
        assert_eq!(
            found.iter().map(tasks).collect::<Vec<_>>(),
            [r#"["vt", "fwe"]"#, r#"["fwe"]"#]
        );
        assert_eq!(found[0]["seeds"].as_integer(), Some(2));
        let found = chosen(&["ruler", "vt"])?;
        assert_eq!(
            found.iter().map(tasks).collect::<Vec<_>>(),
            ["all", r#"["cwe", "fwe"]"#]
        );
        let found = chosen(&["needle", "cwe"])?;
        assert_eq!(found.len(), 3);
        Ok(())
    }

    #[test]
    fn what_no_table_has_is_named() {
        let error = chosen(&["vt", "niah_singel_1"]).unwrap_err().to_string();
        assert!(
            error.contains("\"niah_singel_1\", did you mean \"niah_single_1\"?"),
            "{error}"
        );
        assert!(chosen(&["qasper"]).is_err());
    }
}
