//! Canonical JSON (RFC 8785), in a profile without fractions.
//!
//! Every number is an integer between -(2^53-1) and 2^53-1: beyond that readers round, and RFC 8785
//! would write the rounded number. Shares and likelihoods are integers in a unit (`_permille`).

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

/// The largest integer that every JSON reader keeps (2^53-1, RFC 7493 section 2.2).
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Objects and lists within one another at most.
const DEPTH_MAX: u32 = 32;

/// Why bytes are not canonical JSON of our profile, or a value cannot become it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct CanonicalFault {
    /// Where, from the first byte on; 0 for a value.
    pub offset: usize,
    /// What is wrong.
    pub what: &'static str,
}

fn fault(offset: usize, what: &'static str) -> CanonicalFault {
    CanonicalFault { offset, what }
}

/// The canonical bytes of a value.
///
/// # Errors
/// A number that is no integer or beyond [`INTEGER_MAX`], a value that is no JSON, or too deep.
pub fn to_canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalFault> {
    let value = serde_json::to_value(value).map_err(|_| fault(0, "the value cannot be written as JSON"))?;
    check_value(&value, 0)?;
    serde_json_canonicalizer::to_vec(&value).map_err(|_| fault(0, "the value cannot be written as JSON"))
}

fn check_value(value: &Value, depth: u32) -> Result<(), CanonicalFault> {
    if depth > DEPTH_MAX {
        return Err(fault(0, "nested too deeply"));
    }
    match value {
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
            match magnitude {
                Some(magnitude) if magnitude <= INTEGER_MAX => Ok(()),
                Some(_) => Err(fault(0, "an integer beyond 2^53-1")),
                None => Err(fault(0, "a number that is no integer")),
            }
        }
        Value::Array(values) => values.iter().try_for_each(|value| check_value(value, depth + 1)),
        Value::Object(fields) => fields.values().try_for_each(|value| check_value(value, depth + 1)),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// Whether bytes are exactly what [`to_canonical`] would write.
///
/// # Errors
/// Where they are not, and what is wrong.
pub fn check_canonical(bytes: &[u8]) -> Result<(), CanonicalFault> {
    let text = std::str::from_utf8(bytes).map_err(|error| fault(error.valid_up_to(), "not UTF-8"))?;
    let mut scan = Scan { text, at: 0 };
    scan.value(0)?;
    if scan.at == text.len() { Ok(()) } else { Err(fault(scan.at, "something after the value")) }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is_next = self.peek() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: u32) -> Result<(), CanonicalFault> {
        if depth > DEPTH_MAX {
            return Err(fault(self.at, "nested too deeply"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) => Err(fault(self.at, "a value was expected (canonical JSON has no spaces)")),
            None => Err(fault(self.at, "the text ends where a value was expected")),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), CanonicalFault> {
        let here = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !here.starts_with(word.as_bytes()) {
            return Err(fault(self.at, "a value was expected"));
        }
        self.at += word.len();
        Ok(())
    }

    fn object(&mut self, depth: u32) -> Result<(), CanonicalFault> {
        self.at += 1;
        if self.take(b'}') {
            return Ok(());
        }
        let mut before: Option<&'a str> = None;
        loop {
            let start = self.at;
            let key = self.string()?;
            match before.map(|before| compare_keys(before, key)) {
                None | Some(Ordering::Less) => {}
                Some(Ordering::Equal) => return Err(fault(start, "a name that is there twice")),
                Some(Ordering::Greater) => return Err(fault(start, "names that are not sorted")),
            }
            before = Some(key);
            if !self.take(b':') {
                return Err(fault(self.at, "`:` was expected"));
            }
            self.value(depth + 1)?;
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(fault(self.at, "`,` or `}` was expected"));
            }
        }
    }

    fn array(&mut self, depth: u32) -> Result<(), CanonicalFault> {
        self.at += 1;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(fault(self.at, "`,` or `]` was expected"));
            }
        }
    }

    /// What stands between the quotes, as it is written.
    fn string(&mut self) -> Result<&'a str, CanonicalFault> {
        if !self.take(b'"') {
            return Err(fault(self.at, "`\"` was expected"));
        }
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err(fault(self.at, "a control character that is not escaped")),
                Some(_) => self.at += 1,
                None => return Err(fault(self.at, "the text ends within a string")),
            }
        }
    }

    /// Only what must be escaped is, and in the shortest way (RFC 8785 section 3.2.2.2).
    fn escape(&mut self) -> Result<(), CanonicalFault> {
        let start = self.at;
        let rest = self.text.as_bytes().get(start + 1..).unwrap_or_default();
        self.at += match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', b'0', b'0', high @ (b'0' | b'1'), low @ (b'0'..=b'9' | b'a'..=b'f'), ..] => {
                let has_a_letter = *high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
                if has_a_letter {
                    return Err(fault(start, "an escape that has a shorter form"));
                }
                6
            }
            _ => return Err(fault(start, "an escape that canonical JSON does not have")),
        };
        Ok(())
    }

    fn integer(&mut self) -> Result<(), CanonicalFault> {
        let start = self.at;
        let is_negative = self.take(b'-');
        let digits = self.at;
        let mut value: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let first = self.text.as_bytes().get(digits).copied();
        let has_leading_zero = first == Some(b'0') && (self.at > digits + 1 || is_negative);
        if self.at == digits || has_leading_zero {
            return Err(fault(start, "a number with a sign or zeros it should not have"));
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err(fault(start, "a number that is no integer"));
        }
        if value > INTEGER_MAX {
            return Err(fault(start, "an integer beyond 2^53-1"));
        }
        Ok(())
    }
}

/// By UTF-16 code units (RFC 8785 section 3.2.3).
fn compare_keys(one: &str, other: &str) -> Ordering {
    // Most names differ early, in a plain letter: that decides.
    let mut pairs = one.bytes().zip(other.bytes()).take_while(|(one, _)| *one != b'\\');
    if let Some((first, second)) = pairs.find(|(one, other)| one != other)
        && first.is_ascii()
        && second.is_ascii()
        && second != b'\\'
    {
        return first.cmp(&second);
    }
    let (one, other) = (unescaped(one), unescaped(other));
    one.encode_utf16().cmp(other.encode_utf16())
}

fn unescaped(key: &str) -> String {
    serde_json::from_str(&format!("\"{key}\"")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_what_the_rfc_says() {
        for (value, text) in [
            (json!({"b": 1, "a": [true, null, "x"]}), r#"{"a":[true,null,"x"],"b":1}"#),
            (
                json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7}),
                // The order of RFC 8785 section 3.2.3: by UTF-16, so the emoji comes before U+FB33.
                "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
            ),
            (json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/"), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\""),
            (json!(INTEGER_MAX), "9007199254740991"),
            (json!(-5), "-5"),
        ] {
            let bytes = to_canonical(&value).unwrap();
            assert_eq!(String::from_utf8(bytes.clone()).unwrap(), text);
            assert_eq!(check_canonical(&bytes), Ok(()), "{text}");
        }
    }

    #[test]
    fn values_outside_the_profile_are_refused() {
        for value in
            [json!(0.5), json!(1.0), json!(INTEGER_MAX + 1), json!([{"a": -9_007_199_254_740_992_i64}])]
        {
            assert!(to_canonical(&value).is_err(), "{value}");
        }
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!([deep]);
        }
        assert!(to_canonical(&deep).is_err());
    }

    #[test]
    fn what_is_not_canonical_is_named() {
        for (text, what) in [
            ("{\"a\":1, \"b\":2}", "`\"` was expected"),
            ("{\"b\":1,\"a\":2}", "names that are not sorted"),
            ("{\"a\":1,\"a\":2}", "a name that is there twice"),
            ("[01]", "a number with a sign or zeros it should not have"),
            ("[-0]", "a number with a sign or zeros it should not have"),
            ("[1.5]", "a number that is no integer"),
            ("[1e3]", "a number that is no integer"),
            ("[9007199254740992]", "an integer beyond 2^53-1"),
            ("\"\\u000a\"", "an escape that has a shorter form"),
            ("\"\\u000F\"", "an escape that canonical JSON does not have"),
            ("\"\\/\"", "an escape that canonical JSON does not have"),
            ("\"\\u0041\"", "an escape that canonical JSON does not have"),
            ("1 ", "something after the value"),
            ("\"\n\"", "a control character that is not escaped"),
            ("", "the text ends where a value was expected"),
            ("\"a", "the text ends within a string"),
        ] {
            assert_eq!(check_canonical(text.as_bytes()).unwrap_err().what, what, "{text}");
        }
        assert_eq!(check_canonical(b"\"\xff\"").unwrap_err().what, "not UTF-8");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x20\"\\\\a-c]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_bytes_say_the_same_and_are_found_canonical(value in any_json()) {
            let bytes = to_canonical(&value).unwrap();
            prop_assert_eq!(check_canonical(&bytes), Ok(()));
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
        }

        /// The check reads by itself; the library reads and writes again: they agree on every text.
        #[test]
        fn the_check_agrees_with_writing_again(value in any_json(), at in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = to_canonical(&value).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let again = serde_json::from_slice::<Value>(&bytes).ok().and_then(|value| to_canonical(&value).ok());
            prop_assert_eq!(check_canonical(&bytes).is_ok(), again.as_deref() == Some(&bytes[..]));
        }

        #[test]
        fn spaced_or_pretty_is_not_canonical(value in any_json()) {
            let pretty = serde_json::to_vec_pretty(&value).unwrap();
            let canonical = to_canonical(&value).unwrap();
            prop_assert_eq!(check_canonical(&pretty).is_ok(), pretty == canonical);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = check_canonical(&bytes);
        }
    }
}
