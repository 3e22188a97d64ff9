//! Lines of JSON to records.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::{LongBenchRecord, Records};
use crate::bad_input;

/// Bytes of a line, at most: the longest official one has less than 1 MB, and a context of a million tokens about 5.
const LONGEST: u64 = 32 << 20;
/// Lines of a file, at most: an official one has 500.
const MOST: usize = 1_000_000;

/// Reads the records of `source`; `origin` names it. A line that is no record, or that `fits` refuses, is left out with
/// the reason. Blank lines are nothing.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if `source` cannot be read, or holds no record that can be used.
pub fn read_lines(
    mut source: impl BufRead,
    origin: &str,
    fits: &dyn Fn(&LongBenchRecord) -> Result<(), String>,
) -> Result<Records> {
    let mut digest = Sha256::new();
    let mut lines = HashMap::new();
    let (mut records, mut left_out) = (Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read = (&mut source)
            .take(LONGEST + 1)
            .read_until(b'\n', &mut bytes);
        let read = read.map_err(|error| bad_input!("{origin}:{line}: {error}"))?;
        if read == 0 {
            break;
        }
        if line > MOST {
            return Err(bad_input!(
                "{origin}: more than {MOST} lines, expected one record on each"
            ));
        }
        if read as u64 > LONGEST {
            return Err(bad_input!(
                "{origin}:{line}: a line of more than {LONGEST} bytes, expected one record"
            ));
        }
        digest.update(&bytes);
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let record = parse(&bytes).and_then(|record| {
            fits(&record)?;
            match lines.insert(record.id.clone(), line) {
                Some(first) => Err(format!("_id `{}` stands on line {first} too", record.id)),
                None => Ok(record),
            }
        });
        match record {
            Ok(record) => records.push(record),
            Err(reason) => left_out.push(format!("{origin}:{line}: {reason}")),
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
        sha256: format!("{:x}", digest.finalize()),
    })
}

fn parse(line: &[u8]) -> Result<LongBenchRecord, String> {
    let record: LongBenchRecord = serde_json::from_slice(line).map_err(|error| {
        // It counts lines from the start of this one.
        let said = error.to_string();
        let (what, _) = said.rsplit_once(" at line ").unwrap_or((&said, ""));
        format!("{what}, at column {}", error.column())
    })?;
    if record.answers.iter().all(|answer| answer.trim().is_empty()) {
        return Err(format!(
            "answers is {:?}, expected at least one with text",
            record.answers
        ));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"input":"q","context":"c","answers":["a"],"length":1,"dataset":"d","language":"en","all_classes":null,"_id":"1"}"#;

    fn read(text: &str) -> Result<Records> {
        read_lines(text.as_bytes(), "f.jsonl", &|_| Ok(()))
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
        assert!(reason(r#"["a"]"#, "7").starts_with("f.jsonl:2: invalid type: integer `7`"));
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
        let fits = |record: &LongBenchRecord| match record.id.as_str() {
            "1" => Err("not this one".to_string()),
            _ => Ok(()),
        };
        let text = format!("{GOOD}\n{}", GOOD.replace(r#""1""#, r#""2""#));
        let found = read_lines(text.as_bytes(), "f.jsonl", &fits).unwrap();
        assert_eq!(found.left_out, ["f.jsonl:1: not this one"]);
        assert_eq!(found.records.len(), 1);
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
    fn a_line_that_never_ends_is_refused() {
        let endless = std::io::Read::chain(&b"{\"input\": \""[..], std::io::repeat(b'a'));
        let error = read_lines(std::io::BufReader::new(endless), "f.jsonl", &|_| Ok(()));
        let said = error.unwrap_err().to_string();
        assert_eq!(
            said,
            "f.jsonl:1: a line of more than 33554432 bytes, expected one record"
        );
    }

    proptest! {
        /// Every line is a record or has a reason, in one line that names it.
        #[test]
        fn any_line_is_a_record_or_left_out(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let lines = [GOOD.as_bytes(), b"\n", &bytes].concat();
            let found = read_lines(&lines[..], "f.jsonl", &|_| Ok(())).unwrap();
            let filled = lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            prop_assert_eq!(found.records.len() + found.left_out.len(), filled.count());
            prop_assert!(found.left_out.iter().all(|reason| reason.starts_with("f.jsonl:")));
        }
    }
}
