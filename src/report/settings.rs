//! Interprets the settings column of a row by the list of its method: which settings are sizes, and the defaults of
//! those left out.

use std::borrow::Cow;

use crate::compress::methods::info_of;
use crate::compress::settings::{About, DefaultValue, MethodInfo, SettingInfo};
use crate::record::settings_of;

/// The setting taken for the size of a method that this program does not know.
const RETENTION: &str = "retention";

/// The settings of one row.
#[derive(Debug, Clone)]
pub(super) struct Told<'a> {
    /// None: the program does not know the method.
    info: Option<&'static MethodInfo>,
    all: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Told<'a> {
    /// Parses the canonical text of a row. Settings come in the order of the method's list, those that it lacks after
    /// them.
    pub(super) fn new(method: &str, text: &'a str) -> Self {
        let info = info_of(method);
        let own = || settings_of(text).map(|(key, value)| (key, Cow::Borrowed(value)));
        let Some(info) = info else {
            let all = own().collect();
            return Self { info: None, all };
        };
        let listed = |key| info.setting_in_results(key).map(|setting| setting.name);
        let mut all = Vec::new();
        for setting in info.settings {
            let told = own().find(|(key, _)| listed(key) == Some(setting.name));
            let default = || Some((setting.name, Cow::Owned(text_of(setting.default?))));
            all.extend(told.or_else(default));
        }
        all.extend(own().filter(|(key, _)| listed(key).is_none()));
        Self {
            info: Some(info),
            all,
        }
    }

    /// All of them, defaults included.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.all.iter().map(|(key, value)| (*key, value.as_ref()))
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.all()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Whether `key` is a size. Sizes are shown even if only one value was run.
    pub(super) fn is_size(&self, key: &str) -> bool {
        match self.info {
            None => key == RETENTION,
            Some(_) => self.setting(key).is_some_and(SettingInfo::is_size),
        }
    }

    /// Whether the value of `key` is its default. True for a setting that the program does not know.
    pub(super) fn is_default(&self, key: &str, value: &str) -> bool {
        let setting = self.setting(key);
        setting.is_none_or(|setting| setting.is_default_in_results(value))
    }

    /// Whether `key` is a size, or a threshold where no size is given.
    pub(super) fn tells_size(&self, key: &str) -> bool {
        let is_threshold = |setting: &SettingInfo| matches!(setting.about, About::Threshold);
        self.is_size(key)
            || (self.sizes().next().is_none() && self.setting(key).is_some_and(is_threshold))
    }

    /// The settings that are sizes.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.all().filter(|(key, _)| self.is_size(key))
    }

    fn setting(&self, key: &str) -> Option<&'static SettingInfo> {
        self.info?.setting_in_results(key)
    }
}

fn text_of(default: DefaultValue) -> String {
    default.value().to_string()
}

/// `key=value;...`
pub(super) fn joined<'a>(settings: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    settings
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(method: &str, settings: &str) -> String {
        joined(Told::new(method, settings).sizes())
    }

    #[test]
    fn a_size_is_what_the_methods_own_list_says() {
        for (method, settings, expected) in [
            ("snapkv", "retention=0.4;window=8", "retention=0.4"),
            ("snapkv", "share=0.4", "share=0.4"),
            ("streaming-llm", "budget=60;sinks=8", "budget=60"),
            ("spindle-code", "theta-scale=5", "theta-scale=5"),
            ("spindle-code", "theta-k=0.9", ""),
            (
                "spindle-code",
                "learner=spherical-k-means;codewords=0.5",
                "codewords=0.5",
            ),
            (
                "spindle",
                "share=0.4;learner=spherical-k-means;codewords=0.5",
                "share=0.4",
            ),
            (
                "pyramidinfer",
                "prefill-decay-ratio=0.5",
                "prefill-decay-ratio=0.5",
            ),
            // Of an earlier version, and of another program.
            ("spindle", "r=0.4;window=8", "r=0.4"),
            (
                "unheard-of",
                "retention=0.4;share=0.3;theta-scale=5",
                "retention=0.4",
            ),
            ("unheard-of", "share=0.3", ""),
        ] {
            assert_eq!(sizes(method, settings), expected, "{method}:{settings}");
        }
    }

    #[test]
    fn what_has_no_default_is_at_none() {
        let told = Told::new("h2o", "retention=0.4;recent=16");
        assert!(!told.is_default("recent", "16"));
        assert!(told.is_default("store", "query-head"));
    }

    #[test]
    fn thresholds_tell_the_size_where_nothing_else_does() {
        let tells = |method, settings| Told::new(method, settings).tells_size("theta-k");
        assert!(tells("spindle-code", "theta-k=0.9"));
        assert!(!tells("spindle-code", "theta-scale=5;theta-k=0.9"));
        assert!(!tells("unheard-of", "theta-k=0.9"));
    }

    #[test]
    fn defaults_fill_in_but_not_for_what_a_former_name_says() {
        let all = |method, settings| joined(Told::new(method, settings).all());
        assert_eq!(
            all("h2o", "store=kv-head;retention=0.4;other=1"),
            "retention=0.4;gqa=unfold;store=kv-head;keys-as=whole;values-as=whole;other=1"
        );
        let old = "r=0.3;window=8;score=mean;pool=max;kernel=7;gqa=unfold;shape=linear;beta=0.05";
        assert_eq!(
            all("spindle-evict", old),
            format!("{old};keys-as=whole;values-as=whole")
        );
        assert_eq!(all("full", ""), "");
        assert_eq!(all("unheard-of", "b=1;a=2"), "b=1;a=2");
    }
}
