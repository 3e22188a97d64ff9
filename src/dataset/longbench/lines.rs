//! Lines of JSON to records.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use anyhow::Result;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{LongBenchRecord, Records};
use crate::bad_input;
use crate::files::BYTE_ORDER_MARK;
use crate::typed::{self, Malformed};

/// Bytes of a line, at most: the longest official one has less than 1 MB, and a context of a million tokens about 5.
const LONGEST: usize = 32 << 20;
/// Lines of a file, at most: an official one has 500.
const MOST: usize = 1_000_000;

/// A line and its number, from 1 on, to its record, or what is wrong with it.
type Parse<'a> = dyn Fn(&[u8], usize) -> Result<LongBenchRecord, String> + 'a;

/// Reads the records of a file's bytes; `origin` names the file, `id_key` the field that names a record. A line that
/// `parse` refuses, or whose id a record before has, is left out with the reason. Blank lines are nothing, and a byte
/// order mark is no part of the first line.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if a line is unreasonably long, or no record can be used.
pub fn read_lines(bytes: &[u8], origin: &str, id_key: &str, parse: &Parse) -> Result<Records> {
    let mut lines = HashMap::new();
    let (mut records, mut left_out) = (Vec::new(), Vec::new());
    let mark = BYTE_ORDER_MARK.to_string();
    let content = bytes.strip_prefix(mark.as_bytes()).unwrap_or(bytes);
    for (line, number) in content.split(|byte| *byte == b'\n').zip(1..) {
        if number > MOST {
            return Err(bad_input!(
                "{origin}: more than {MOST} lines, expected one record on each"
            ));
        }
        if line.len() > LONGEST {
            return Err(bad_input!(
                "{origin}:{number}: a line of more than {LONGEST} bytes, expected one record"
            ));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record = parse(line, number).and_then(|record| match lines.entry(record.id.clone()) {
            Entry::Occupied(first) => Err(format!(
                "{id_key} `{}` stands on line {} too",
                record.id,
                first.get()
            )),
            Entry::Vacant(free) => {
                free.insert(number);
                Ok(record)
            }
        });
        match record {
            Ok(record) => records.push(record),
            Err(reason) => left_out.push(format!("{origin}:{number}: {reason}")),
        }
    }
    if records.is_empty() {
        return Err(match left_out.first() {
            Some(reason) => {
                bad_input!("{reason}; none of its {} lines is a record", left_out.len())
            }
            None => bad_input!("{origin}: no lines, expected one record on each"),
        });
    }
    Ok(Records {
        records,
        left_out,
        sha256: format!("{:x}", Sha256::digest(bytes)),
    })
}

impl LongBenchRecord {
    /// The record of a line in LongBench's schema.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let record: Self = object(line)?;
        record.check_answers().map(|()| record)
    }

    /// # Errors
    /// That no answer has text.
    pub fn check_answers(&self) -> Result<(), String> {
        match self.answers.iter().all(|answer| answer.trim().is_empty()) {
            true => Err(format!(
                "answers is {:?}, expected at least one with text",
                self.answers
            )),
            false => Ok(()),
        }
    }
}

/// What a line of JSON, an object, describes.
///
/// # Errors
/// What is wrong with it, and where in it.
pub fn object<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    if std::str::from_utf8(line).is_err() {
        return Err("not UTF-8".into());
    }
    if line.trim_ascii_start().starts_with(b"[") {
        return Err("an array, expected an object on each line (JSON Lines)".into());
    }
    // It counts lines from the start of this one.
    typed::json(line)
        .map_err(|Malformed { what, column, .. }| format!("{what}, at column {column}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"input":"q","context":"c","answers":["a"],"length":1,"dataset":"d","language":"en","all_classes":null,"_id":"1"}"#;

    fn read(text: &str) -> Result<Records> {
        read_lines(text.as_bytes(), "f.jsonl", "_id", &|line, _| {
            LongBenchRecord::parse(line)
        })
    }

    /// What is said of a second line that is `GOOD` with `old` replaced by `new`.
    fn reason(old: &str, new: &str) -> String {
        let other = GOOD.replace(r#""1""#, r#""2""#);
        assert!(other.contains(old), "{old}");
        let text = format!("{GOOD}\n{}\n", other.replacen(old, new, 1));
        let found = read(&text).unwrap();
        assert_eq!(found.records.len(), 1);
        let [reason] = &found.left_out[..] else {
            panic!("{:?}", found.left_out)
        };
        reason.clone()
    }

    #[test]
    fn lines_that_are_no_record_are_named_and_the_rest_is_read() {
        assert_eq!(
            reason(r#""context":"c","#, ""),
            "f.jsonl:2: missing field `context`, at column 99"
        );
        assert_eq!(
            reason(r#"["a"]"#, "[]"),
            "f.jsonl:2: answers is [], expected at least one with text"
        );
        assert_eq!(
            reason(r#"["a"]"#, r#"[" "]"#),
            r#"f.jsonl:2: answers is [" "], expected at least one with text"#
        );
        assert!(
            reason(r#"["a"]"#, "7").starts_with("f.jsonl:2: answers: invalid type: integer `7`")
        );
        assert!(reason("}", "").starts_with("f.jsonl:2: EOF while parsing"));
        assert_eq!(
            reason(r#""2""#, r#""1""#),
            "f.jsonl:2: _id `1` stands on line 1 too"
        );
    }

    #[test]
    fn blank_lines_and_line_ends_do_not_matter_and_line_numbers_count_them() {
        let text = format!("\n{GOOD}\r\n  \nnonsense");
        let found = read(&text).unwrap();
        assert_eq!(found.records[0].id, "1");
        assert_eq!(found.left_out.len(), 1);
        assert!(found.left_out[0].starts_with("f.jsonl:4: expected ident"));
    }

    #[test]
    fn a_file_without_records_is_refused() {
        let message = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(
            message(""),
            "f.jsonl: no lines, expected one record on each"
        );
        assert!(message("1\n2\n").ends_with("none of its 2 lines is a record"));
        assert!(message("1\n2\n").starts_with("f.jsonl:1: "));
    }

    #[test]
    fn what_does_not_fit_is_left_out_with_its_line() {
        let fits = |line: &[u8], number| match number {
            1 => Err("not this one".to_string()),
            _ => LongBenchRecord::parse(line),
        };
        let text = format!("{GOOD}\n{}", GOOD.replace(r#""1""#, r#""2""#));
        let found = read_lines(text.as_bytes(), "f.jsonl", "_id", &fits).unwrap();
        assert_eq!(found.left_out, ["f.jsonl:1: not this one"]);
        assert_eq!(found.records.len(), 1);
    }

    /// Neither a line that was left out for another reason nor one that is itself a repetition.
    #[test]
    fn a_repeated_id_points_to_the_line_that_was_read() {
        let unusable = GOOD.replace(r#"["a"]"#, "[]");
        let text = format!("{unusable}\n{GOOD}\n{GOOD}\n{GOOD}\n");
        let found = read(&text).unwrap();
        assert_eq!(found.records.len(), 1);
        assert_eq!(
            found.left_out[1..],
            [3, 4].map(|line| format!("f.jsonl:{line}: _id `1` stands on line 2 too"))
        );
    }

    #[test]
    fn lines_without_end_are_refused() {
        let said = read(&"\n".repeat(MOST + 1)).unwrap_err().to_string();
        assert_eq!(
            said,
            "f.jsonl: more than 1000000 lines, expected one record on each"
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let found = read(&format!("\u{feff}{GOOD}\n")).unwrap();
        assert_eq!((found.records.len(), found.left_out.len()), (1, 0));
        let inside = read(&format!("{GOOD}\n\u{feff}{GOOD}\n")).unwrap();
        assert!(inside.left_out[0].starts_with("f.jsonl:2: expected value"));
    }

    proptest! {
        /// Every line is blank, a record or named, whatever it holds.
        #[test]
        fn no_line_is_lost(lines in proptest::collection::vec(line(), 0..12)) {
            let text = lines.concat();
            let counted = text.split('\n').filter(|line| !line.trim_ascii().is_empty()).count();
            match read(&text) {
                Ok(found) => {
                    prop_assert_eq!(found.records.len() + found.left_out.len(), counted);
                    let ids: std::collections::HashSet<_> = found.records.iter().map(|r| &r.id).collect();
                    prop_assert_eq!(ids.len(), found.records.len());
                }
                Err(error) => prop_assert!(error.to_string().starts_with("f.jsonl:")),
            }
        }

        #[test]
        fn bytes_of_any_kind_end_with_records_or_a_message(bytes: Vec<u8>) {
            let read = read_lines(&bytes, "f.jsonl", "_id", &|line, _| LongBenchRecord::parse(line));
            prop_assert!(read.is_err());
        }
    }

    /// A record, one with something changed, or something else; and the end of the line.
    fn line() -> impl Strategy<Value = String> {
        let id = (0..4u8).prop_map(|id| GOOD.replace(r#""1""#, &format!("\"{id}\"")));
        let cut = (0..GOOD.len()).prop_map(|end| GOOD[..end].to_string());
        prop_oneof![id, cut, r#"[ {}\[\]":,a-z0-9\\]{0,20}"#].prop_map(|line| line + "\n")
    }
}
