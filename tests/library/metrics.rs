//! LongBench's metrics against the Python packages that it uses, and Chinese words against jieba's. The values are made
//! by `tests/golden/metrics.py`.

use std::sync::LazyLock;

use serde_json::Value;
use spindle::task::metric::Rules::{Fixed, Official};
use spindle::task::metric::classification::classification;
use spindle::task::metric::code_sim::code_sim;
use spindle::task::metric::count::count;
use spindle::task::metric::qa_f1::qa_f1;
use spindle::task::metric::qa_f1_zh::qa_f1_zh;
use spindle::task::metric::retrieval::retrieval;
use spindle::task::metric::retrieval_zh::retrieval_zh;
use spindle::task::metric::rouge::rouge;
use spindle::task::metric::rouge_zh::rouge_zh;
use spindle::task::metric::segment::segment;

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../golden/metrics.json")).unwrap());

fn classes(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Asserts that `score` gives the numbers that the packages gave, for at least 200 pairs.
fn same_as_python(metric: &str, score: impl Fn(&str, &str, &[String]) -> f64) {
    let rows = GOLDEN[metric].as_array().unwrap();
    assert!(rows.len() >= 200, "{metric}: {}", rows.len());
    let mut between = 0;
    for row in rows {
        let (prediction, answer) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
        let names: Vec<String> = serde_json::from_value(row[3].clone()).unwrap_or_default();
        let expected = row[2].as_f64().unwrap();
        let found = score(prediction, answer, &names);
        // JSON is read to within the last bit of a number, no better.
        let same = (found - expected).abs() <= f64::EPSILON;
        assert!(
            same,
            "{metric}: {prediction:?} {answer:?} {names:?}: {found}, {expected}"
        );
        between += usize::from(expected > 0.0 && expected < 0.999);
    }
    assert!(
        between > 80,
        "{metric}: {between} that are neither right nor wrong"
    );
}

#[test]
fn qa_f1_is_pythons() {
    same_as_python("qa_f1", |p, a, _| qa_f1(p, a));
}

#[test]
fn qa_f1_zh_is_pythons() {
    same_as_python("qa_f1_zh", |p, a, _| qa_f1_zh(p, a));
}

#[test]
fn rouge_is_pythons() {
    same_as_python("rouge", |p, a, _| rouge(p, a, Official));
}

#[test]
fn rouge_zh_is_pythons() {
    same_as_python("rouge_zh", |p, a, _| rouge_zh(p, a, Official));
}

#[test]
fn classification_is_pythons() {
    same_as_python("classification", |p, a, c| {
        classification(p, a, c, Official)
    });
}

#[test]
fn count_is_pythons() {
    same_as_python("count", |p, a, _| count(p, a));
}

#[test]
fn retrieval_is_pythons() {
    same_as_python("retrieval", |p, a, _| retrieval(p, a));
}

#[test]
fn retrieval_zh_is_pythons() {
    same_as_python("retrieval_zh", |p, a, _| retrieval_zh(p, a));
}

#[test]
fn code_sim_is_pythons() {
    same_as_python("code_sim", |p, a, _| code_sim(p, a, Official));
}

#[test]
fn values_known_beforehand() {
    let human = classes(&["Human", "Human group", "City"]);
    let letters = classes(&["A", "B", "AB", "ABC"]);
    let official = |p: &str, a: &str, c: &[String]| classification(p, a, c, Official);
    let values = [
        (
            qa_f1("The Eiffel Tower, in Paris.", "Eiffel tower"),
            0.666667,
        ),
        (qa_f1("a an the", "the"), 0.0),
        (qa_f1("yes yes no", "yes"), 0.5),
        (
            rouge("the cat sat on the mat", "the cat was on the mat", Official),
            0.8,
        ),
        (
            rouge(
                "the cat sat. the dog ran.",
                "the dog ran. the cat sat.",
                Official,
            ),
            1.0,
        ),
        (rouge("a a a a b", "a b", Official), 1.0),
        (rouge("x . y . z", "x y z", Official), 1.0),
        (rouge("Hello world", "hello world", Official), 0.5),
        (rouge("...", "a b", Official), 0.0),
        (official("Type: Human", "Human", &human), 1.0),
        (official("Human group or City", "Human group", &human), 0.5),
        (official("A B AB ABC", "ABC", &letters), 0.5),
        (count("There are 5 or 6", "5"), 0.5),
        (retrieval("Paragraph 12, 3, 12", "Paragraph 12"), 0.666667),
        (
            code_sim(
                "\n# comment\n    return x + 1\nfoo",
                "    return x + 1",
                Official,
            ),
            1.0,
        ),
        (code_sim("return x", "return y", Official), 0.88),
        (code_sim("abcd", "bcde", Official), 0.75),
        (qa_f1_zh("北京大学。", "北京大学"), 1.0),
        (qa_f1_zh("答案是北京", "北京"), 0.5),
        (rouge_zh("今天天气很好", "今天天气不好", Official), 0.4),
    ];
    for (i, (found, expected)) in values.into_iter().enumerate() {
        assert!((found - expected).abs() < 1e-6, "{i}: {found}, {expected}");
    }
}

#[test]
fn fixed_metrics_do_what_was_meant() {
    let letters = classes(&["A", "B", "AB", "ABC"]);
    assert_eq!(classification("A B AB ABC", "ABC", &letters, Fixed), 1.0);
    assert_eq!(classification("A B AB", "ABC", &letters, Fixed), 0.0);

    let line = "x = 1";
    assert_eq!(code_sim("# why\n\nx = 1", line, Official), 0.0);
    assert_eq!(code_sim("# why\n  \nx = 1", line, Fixed), 1.0);

    let words: Vec<String> = (0..1200).map(|i| format!("w{i}")).collect();
    let text = words.join(" ");
    for score in [rouge, rouge_zh] {
        assert_eq!(score(&text, &text, Official), 0.0);
        assert!((score(&text, &text, Fixed) - 1.0).abs() < 1e-6);
        // Where nothing is wrong, both are one.
        assert_eq!(
            score("a b. c", "b a", Official),
            score("a b. c", "b a", Fixed)
        );
    }
}

fn texts(kind: &str) -> Vec<Vec<String>> {
    serde_json::from_value(GOLDEN[kind].clone()).unwrap()
}

/// Plain texts of the dictionary's frequent words, and texts with what jieba-rs does otherwise: parts of Latin
/// letters and digits, rare ideographs, and characters strung together for the hidden Markov model.
#[test]
fn chinese_words_are_jiebas() {
    for (kind, count) in [("plain", 300), ("mixed", 600)] {
        let texts = texts(kind);
        assert_eq!(texts.len(), count);
        for words in texts {
            assert_eq!(segment(&words.concat()), words);
        }
    }
}

/// How often jieba-rs alone cuts a text in another way.
#[test]
fn what_is_put_right_in_jieba_rs() {
    let jieba = jieba_rs::Jieba::new();
    let differ = |kind: &str| {
        let same = |words: &Vec<String>| {
            let text = words.concat();
            let cut = jieba.cut(&text, true);
            cut.iter().map(|token| token.word).eq(words.iter())
        };
        texts(kind).iter().filter(|words| !same(words)).count()
    };
    assert_eq!((differ("plain"), differ("mixed")), (0, 122));
}
