//! F1 over words, for answers to questions in Chinese.

use super::python::is_space;
use super::qa_f1::token_f1;
use super::segment::segment;

/// The punctuation that is dropped beside that of ASCII.
const PUNCTUATION: &str = "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟\
    〰〾〿–—‘’‛“”„‟…‧﹏";

/// F1 of the bags of words of both texts, each in lower case without punctuation and white space. `《` and `·` are no
/// punctuation to the official code.
pub fn qa_f1_zh(prediction: &str, answer: &str) -> f64 {
    token_f1(&tokens(prediction), &tokens(answer))
}

fn tokens(text: &str) -> Vec<String> {
    let dropped = |c: char| c.is_ascii_punctuation() || is_space(c) || PUNCTUATION.contains(c);
    segment(text)
        .into_iter()
        .map(|word| word.to_lowercase().replace(dropped, ""))
        .filter(|word| !word.is_empty())
        .collect()
}
