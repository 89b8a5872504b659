//! Diagnostic notation read back, so that the specification's examples can be tested.

use remofile_proto::cbor::Item;

/// Reads one value in the notation that the codec prints.
pub(crate) fn parse(text: &str) -> Item {
    let mut notation = Notation(text);
    let item = notation.item();
    assert_eq!(notation.0, "", "bytes after the value in {text}");
    item
}

struct Notation<'t>(&'t str);

impl Notation<'_> {
    fn item(&mut self) -> Item {
        match self.0.as_bytes()[0] {
            b'[' => Item::Array(self.list(']', Self::item)),
            b'{' => Item::Map(self.list('}', |notation| {
                let key = notation.text();
                assert!(notation.eat(": "), "no value at {}", notation.0);
                (key, notation.item())
            })),
            b'"' => Item::Text(self.text()),
            b'h' => {
                let hex = self.until(2, '\'');
                Item::Bytes(
                    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect(),
                )
            }
            _ if self.eat("true") => Item::Bool(true),
            _ if self.eat("false") => Item::Bool(false),
            _ => {
                let end = self.0.find([',', ']', '}']).unwrap_or(self.0.len());
                let (number, rest) = self.0.split_at(end);
                self.0 = rest;
                Item::Int(number.parse().unwrap())
            }
        }
    }

    fn list<T>(&mut self, close: char, mut element: impl FnMut(&mut Self) -> T) -> Vec<T> {
        self.0 = &self.0[1..];
        let mut elements = Vec::new();
        while !self.0.starts_with(close) {
            elements.push(element(self));
            self.eat(", ");
        }
        self.0 = &self.0[1..];
        elements
    }

    /// Text without escapes, which no example has.
    fn text(&mut self) -> String {
        self.until(1, '"').to_owned()
    }

    fn until(&mut self, start: usize, close: char) -> &str {
        let end = start + self.0[start..].find(close).unwrap();
        let found = &self.0[start..end];
        self.0 = &self.0[end + 1..];
        found
    }

    fn eat(&mut self, expected: &str) -> bool {
        let rest = self.0.strip_prefix(expected);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}
