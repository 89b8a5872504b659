//! A CBOR encoder that breaks the profile as the selected mutation says.

use crate::{behaviour::Behaviour, mutations};
use remofile_proto::{Code, cbor::Item};

/// Writes the header of a reply.
pub(crate) fn write(header: &Item, behaviour: &Behaviour) -> Vec<u8> {
    let mut writer = Writer { bytes: Vec::new(), behaviour };
    writer.item("", header);
    if is_not_found(header) && behaviour.has(&mutations::encoding::WRITES_A_LINE_FEED) {
        writer.bytes.push(b'\n');
    }
    writer.bytes
}

fn is_not_found(header: &Item) -> bool {
    let code = Item::Int(Code::NotFound.number().into());
    matches!(header, Item::Array(items) if items.get(3) == Some(&code))
}

fn has(map: &[(String, Item)], key: &str) -> bool {
    map.iter().any(|(name, _)| name == key)
}

struct Writer<'w> {
    bytes: Vec<u8>,
    behaviour: &'w Behaviour,
}

impl Writer<'_> {
    /// An item, below this key.
    fn item(&mut self, key: &str, item: &Item) {
        match item {
            Item::Int(number) if *number >= 0 => {
                if key == "size" && *number < 1 << 32 && self.behaviour.has(&mutations::encoding::WRITES_LONG_NUMBERS) {
                    self.bytes.push(27);
                    self.bytes.extend(number.to_be_bytes());
                    return;
                }
                self.head(0, number.unsigned_abs());
            }
            Item::Int(number) => self.head(1, number.unsigned_abs() - 1),
            Item::Bytes(bytes) => self.string(2, bytes),
            Item::Text(text) if !text.is_ascii() && self.behaviour.has(&mutations::encoding::WRITES_LATIN) => {
                let latin: Vec<u8> =
                    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect();
                self.string(3, &latin);
            }
            Item::Text(text) => self.string(3, text.as_bytes()),
            Item::Bool(value) => self.bytes.push(if *value { 0xf5 } else { 0xf4 }),
            Item::Array(items) => {
                self.head(4, items.len() as u64);
                items.iter().for_each(|item| self.item("", item));
            }
            Item::Map(entries) => self.map(entries),
        }
    }

    fn map(&mut self, entries: &[(String, Item)]) {
        let is_entry = has(entries, "kind");
        let lacks_size = is_entry && !has(entries, "size");
        let without_size: Option<&[u8]> = if lacks_size && self.behaviour.has(&mutations::encoding::WRITES_NULL) {
            Some(&[0xf6])
        } else if lacks_size && self.behaviour.has(&mutations::encoding::WRITES_LARGE_NUMBERS) {
            Some(&[27, 255, 255, 255, 255, 255, 255, 255, 255])
        } else {
            None
        };
        let mut entries: Vec<(&str, Result<&Item, &[u8]>)> =
            entries.iter().map(|(key, item)| (&key[..], Ok(item))).collect();
        entries.extend(without_size.map(|bytes| ("size", Err(bytes))));
        entries.sort_by_key(|(key, _)| (key.len(), *key));
        if is_entry
            && !entries.is_sorted_by_key(|(key, _)| *key)
            && self.behaviour.has(&mutations::encoding::WRITES_ALPHABETICALLY)
        {
            entries.sort_by_key(|(key, _)| *key);
        }
        let is_indefinite = has_key(&entries, "entry") && self.behaviour.has(&mutations::encoding::WRITES_INDEFINITE);
        let of_bytes = has_key(&entries, "entry") && self.behaviour.has(&mutations::encoding::WRITES_BYTES_FOR_KEYS);
        if is_indefinite {
            self.bytes.push(0xbf)
        } else {
            self.head(5, entries.len() as u64)
        }
        for (key, value) in entries {
            self.string(if of_bytes { 2 } else { 3 }, key.as_bytes());
            match value {
                Ok(item) => self.item(key, item),
                Err(bytes) => self.bytes.extend(bytes),
            }
        }
        if is_indefinite {
            self.bytes.push(0xff);
        }
    }

    fn string(&mut self, major: u8, bytes: &[u8]) {
        self.head(major, bytes.len() as u64);
        self.bytes.extend(bytes);
    }

    fn head(&mut self, major: u8, argument: u64) {
        let bytes = argument.to_be_bytes();
        let (info, from) = match argument {
            0..=23 => (bytes[7], 8),
            24..=0xff => (24, 7),
            0x100..=0xffff => (25, 6),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 0),
        };
        self.bytes.push(major << 5 | info);
        self.bytes.extend(&bytes[from..]);
    }
}

fn has_key<T>(entries: &[(&str, T)], key: &str) -> bool {
    entries.iter().any(|(name, _)| *name == key)
}
