//! Reads settings into structs. Each setting of the list must be a field, and each field a setting of the list, or
//! making the method fails.

use anyhow::{Result, anyhow};
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{Accepts, Settings, Value};

impl Settings {
    /// Reads all settings but sizes into a struct with a field for each, or into a tuple of structs that together have
    /// them all. A setting without value and default is None.
    ///
    /// # Errors
    /// A field that is no setting of the method's list, or a setting of it that is no field: a mistake in the method's
    /// own file.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let mistake = |what: String| anyhow!("method {}: {what}", self.method());
        let mut unread = self.unread();
        let fields = Fields {
            unread: &mut unread,
        };
        let read = T::deserialize(fields).map_err(|error| mistake(error.to_string()))?;
        match unread.first() {
            None => Ok(read),
            Some((name, _)) => Err(mistake(format!("nothing reads its setting {name}"))),
        }
    }

    /// The settings as JSON values, whole numbers as integers, so that fields can have integer types.
    fn unread(&self) -> Vec<(&'static str, serde_json::Value)> {
        let others = self.info.settings.iter().filter(|info| !info.is_size());
        others
            .map(|info| {
                let value = match (info.accepts, self.get(info.name)) {
                    (_, None) => serde_json::Value::Null,
                    (Accepts::Integer { .. }, Some(Value::Number(x))) => (*x as u64).into(),
                    (_, Some(Value::Number(x))) => (*x).into(),
                    (_, Some(Value::Text(text))) => text.as_str().into(),
                    (_, Some(Value::Flag(flag))) => (*flag).into(),
                };
                (info.name, value)
            })
            .collect()
    }
}

/// The settings that no struct has read yet.
struct Fields<'a> {
    unread: &'a mut Vec<(&'static str, serde_json::Value)>,
}

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = serde_json::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let taken = fields.iter().map(|field| {
            let at = self.unread.iter().position(|(name, _)| name == field);
            let at =
                at.ok_or_else(|| Error::custom(format!("its list lacks a setting {field}")))?;
            Ok(self.unread.remove(at))
        });
        let taken = taken.collect::<Result<Vec<_>, Self::Error>>()?;
        visitor.visit_map(MapDeserializer::new(taken.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(Error::custom("its settings are read into structs"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple_struct map enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Fields<'_> {
    type Error = serde_json::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Self::Error> {
        let unread = &mut *self.unread;
        seed.deserialize(Fields { unread }).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::compress::settings::tests::INFO;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Window {
        window: usize,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    struct Rest {
        least_share: f64,
        recent: Option<u32>,
    }

    #[derive(Debug, Deserialize)]
    struct More {
        #[expect(dead_code, reason = "it is not read")]
        sinks: Option<usize>,
    }

    #[test]
    fn structs_share_the_settings_out() -> Result<()> {
        let given = [
            ("retention".to_string(), Value::Number(0.3)),
            ("recent".to_string(), Value::Number(5.0)),
        ];
        let read: (Window, Rest) = INFO.settings(&given, "a.toml")?.read()?;
        let expected = Rest {
            least_share: 1.0,
            recent: Some(5),
        };
        assert_eq!(read, (Window { window: 8 }, expected));
        let (_, rest): (Window, Rest) = INFO.settings(&[], "a.toml")?.read()?;
        assert_eq!(rest.recent, None);
        Ok(())
    }

    /// Also where the field is an option.
    #[test]
    fn what_is_read_and_what_is_listed_are_the_same() -> Result<()> {
        let settings = INFO.settings(&[], "a.toml")?;
        let says = |error: anyhow::Error| error.to_string();
        assert_eq!(
            says(settings.read::<Window>().unwrap_err()),
            "method m: nothing reads its setting least-share"
        );
        assert_eq!(
            says(settings.read::<(Window, Rest, More)>().unwrap_err()),
            "method m: its list lacks a setting sinks"
        );
        assert!(settings.read::<Vec<Window>>().is_err());
        Ok(())
    }
}
