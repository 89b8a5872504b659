//! A CBOR decoder that accepts what the selected mutation accepts, and encodes again what it read.
//!
//! The strict decoder comes first; this one sees what that one refused.

use crate::{arguments, behaviour::Behaviour, mutations};
use remofile_proto::{
    SessionId,
    cbor::{self, Item},
};
use std::borrow::Cow;

/// What every header of this version begins with, up to its session.
const START: &[u8] = &[0x85, 0x64, b'r', b'm', b'f', b'1', 0x50];
/// The most arrays and maps that can be told on, and that a decoder without a limit takes.
const NESTING: usize = 8;

/// The header that a lax_decoder server takes this one for, or the header itself.
pub(crate) fn read<'h>(header: &'h [u8], owner: Option<SessionId>, behaviour: &Behaviour) -> Cow<'h, [u8]> {
    let kept = Cow::Borrowed(header);
    if !header.starts_with(START) {
        return kept;
    }
    match cbor::decode(header) {
        Ok(value) if is_refused(value, header, behaviour) => {
            // Cut, it is refused.
            Cow::Borrowed(&header[..header.len() - 1])
        }
        Ok(_) => kept,
        Err(_) => {
            let most = |rule| !matches!(rule, Rule::Claim | Rule::Cut);
            let own = understood(header, &|rule| forgives(rule, behaviour));
            let found = own.or_else(|| understood(header, &most).filter(|item| is_trusted(item, owner, behaviour)));
            found.and_then(|item| item.encode().ok()).map_or(kept, Cow::Owned)
        }
    }
}

/// A whole header, read as leniently as asked.
fn understood(header: &[u8], forgives: &dyn Fn(Rule) -> bool) -> Option<Item> {
    let mut reader = Reader { bytes: header, at: 0, forgives };
    let item = reader.item(NESTING)?;
    if reader.at < header.len() && !forgives(Rule::TrailingBytes) {
        return None;
    }
    Some(item)
}

/// What a server forgives that does not look at some requests.
fn is_trusted(item: &Item, owner: Option<SessionId>, behaviour: &Behaviour) -> bool {
    let Item::Array(items) = item else { return false };
    let [_, Item::Bytes(session), _, Item::Text(op), _] = &items[..] else { return false };
    let is_known = arguments::is_known(op);
    let is_owner = owner.is_some_and(|owner| session[..] == owner.as_bytes()[..]);
    (op == "hello" && behaviour.has(&mutations::encoding::HELLO_IS_TRUSTED))
        || (!is_known && behaviour.has(&mutations::encoding::UNKNOWN_OPERATIONS_ARE_TRUSTED))
        || (!is_owner && behaviour.has(&mutations::encoding::OTHER_SESSIONS_ARE_TRUSTED))
}

/// Whether a server with a mutation refuses what it has to take.
fn is_refused(value: cbor::Value<'_>, header: &[u8], behaviour: &Behaviour) -> bool {
    behaviour.any(&[
        (is_eight_deep(header), &mutations::encoding::SEVEN_DEEP),
        (is_any_below(value, &|keys| !keys.is_sorted()), &mutations::encoding::WANTS_THE_ALPHABET),
        (any_text(value, &|text| text.chars().any(|letter| letter.len_utf16() > 1)), &mutations::encoding::BASIC_PLANE),
        (most_items(value) > 256, &mutations::encoding::FEW_ITEMS),
    ])
}

/// Whether this holds of the keys of any map in an argument.
fn is_any_below(header: cbor::Value<'_>, holds: &dyn Fn(&[&str]) -> bool) -> bool {
    let cbor::Value::Array(items) = header else { return false };
    items.iter().any(|item| match item {
        cbor::Value::Map(arguments) => arguments.iter().any(|(_, value)| any_map(value, holds)),
        _ => false,
    })
}

/// Whether this holds of the keys of any map.
fn any_map(value: cbor::Value<'_>, holds: &dyn Fn(&[&str]) -> bool) -> bool {
    match value {
        cbor::Value::Array(array) => array.iter().any(|item| any_map(item, holds)),
        cbor::Value::Map(map) => {
            let keys: Vec<&str> = map.iter().map(|(key, _)| key).collect();
            holds(&keys) || map.iter().any(|(_, item)| any_map(item, holds))
        }
        _ => false,
    }
}

/// Whether this holds of any text.
fn any_text(value: cbor::Value<'_>, holds: &dyn Fn(&str) -> bool) -> bool {
    match value {
        cbor::Value::Text(text) => holds(text),
        cbor::Value::Array(array) => array.iter().any(|item| any_text(item, holds)),
        cbor::Value::Map(map) => map.iter().any(|(_, item)| any_text(item, holds)),
        _ => false,
    }
}

/// How many items the longest array or map has.
fn most_items(value: cbor::Value<'_>) -> usize {
    match value {
        cbor::Value::Array(array) => array.iter().map(most_items).max().unwrap_or(0).max(array.iter().count()),
        cbor::Value::Map(map) => {
            map.iter().map(|(_, item)| most_items(item)).max().unwrap_or(0).max(map.iter().count())
        }
        _ => 0,
    }
}

fn is_eight_deep(header: &[u8]) -> bool {
    fn depth(value: cbor::Value<'_>) -> usize {
        match value {
            cbor::Value::Array(array) => 1 + array.iter().map(depth).max().unwrap_or(0),
            cbor::Value::Map(map) => 1 + map.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
            _ => 0,
        }
    }
    cbor::decode(header).is_ok_and(|value| depth(value) == NESTING)
}

/// A rule that was found broken.
#[derive(Clone, Copy)]
enum Rule {
    Simple,
    Float,
    Tag,
    Range,
    Long,
    Indefinite,
    Utf8,
    KeyType,
    KeyLength,
    Twice,
    Order,
    OneTooDeep,
    Depth,
    TrailingBytes,
    Cut,
    Claim,
}

fn forgives(rule: Rule, behaviour: &Behaviour) -> bool {
    match rule {
        Rule::Simple => behaviour.has(&mutations::encoding::SIMPLE_VALUES),
        Rule::Float => behaviour.has(&mutations::encoding::FLOATS),
        Rule::Tag => behaviour.has(&mutations::encoding::TAGS),
        Rule::Range => behaviour.has(&mutations::encoding::LARGE_INTEGERS),
        Rule::Long => behaviour.has(&mutations::encoding::LONG_NUMBERS),
        Rule::Indefinite => behaviour.has(&mutations::encoding::INDEFINITE_LENGTHS),
        Rule::Utf8 => behaviour.has(&mutations::encoding::BROKEN_TEXT),
        Rule::KeyType => behaviour.has(&mutations::encoding::KEYS_OF_ANY_TYPE),
        Rule::KeyLength => behaviour.has(&mutations::encoding::LONG_KEYS),
        Rule::Twice => behaviour.has(&mutations::encoding::KEYS_TWICE),
        Rule::Order => behaviour.has(&mutations::encoding::KEYS_IN_ANY_ORDER),
        Rule::OneTooDeep => behaviour.has(&mutations::encoding::NINE_DEEP),
        Rule::Depth => behaviour.has(&mutations::encoding::ANY_DEPTH),
        Rule::TrailingBytes => behaviour.has(&mutations::encoding::TRAILING_BYTES),
        Rule::Cut => behaviour.has(&mutations::encoding::CUT_IS_COMPLETE),
        Rule::Claim => behaviour.has(&mutations::encoding::TRUSTED_CLAIMS),
    }
}

struct Reader<'r> {
    bytes: &'r [u8],
    at: usize,
    forgives: &'r dyn Fn(Rule) -> bool,
}

/// The first byte of an item, and its argument; `None` for an indefinite length.
struct Head {
    major: u8,
    info: u8,
    argument: Option<u64>,
}

impl Reader<'_> {
    fn item(&mut self, depth: usize) -> Option<Item> {
        let head = self.head()?;
        let number = head.argument.unwrap_or_default();
        match head.major {
            0 | 1 => self.integer(head.major, number),
            2 => self.string(&head).map(Item::Bytes),
            3 => self.text(&head).map(Item::Text),
            4 | 5 if depth == 0 => {
                self.skip(&head)?;
                Some(Item::Bool(false))
            }
            4 => self.elements(&head, |reader| reader.item(depth - 1)).map(Item::Array),
            5 => self.entries(&head, depth - 1).map(Item::Map),
            6 if (self.forgives)(Rule::Tag) => self.item(depth),
            7 => self.simple(&head),
            _ => None,
        }
    }

    fn head(&mut self) -> Option<Head> {
        let initial = *self.bytes.get(self.at)?;
        self.at += 1;
        let (major, info) = (initial >> 5, initial & 31);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => Some(self.argument(1 << (info - 24), major)?),
            31 if (2..=5).contains(&major) && (self.forgives)(Rule::Indefinite) => None,
            _ => return None,
        };
        Some(Head { major, info, argument })
    }

    fn argument(&mut self, width: usize, major: u8) -> Option<u64> {
        let bytes = self.take(width)?;
        let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let least = if width == 1 { 24 } else { 1 << (width * 4) };
        // The bytes after the head of a float or simple value are no number.
        (major == 7 || number >= least || (self.forgives)(Rule::Long)).then_some(number)
    }

    fn take(&mut self, len: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(taken)
    }

    fn integer(&self, major: u8, number: u64) -> Option<Item> {
        let number = match i64::try_from(number) {
            Ok(number) => number,
            Err(_) if (self.forgives)(Rule::Range) => i64::MAX,
            Err(_) => return None,
        };
        Some(Item::Int(if major == 1 { -1 - number } else { number }))
    }

    fn string(&mut self, head: &Head) -> Option<Vec<u8>> {
        let Some(len) = head.argument else {
            let mut whole = Vec::new();
            while self.bytes.get(self.at)? != &0xff {
                let part = self.head().filter(|part| part.major == head.major && part.argument.is_some())?;
                whole.extend(self.string(&part)?);
            }
            self.at += 1;
            return Some(whole);
        };
        let left = self.bytes.len() - self.at;
        let len = self.claimed::<u8>(len, left)?;
        self.take(len).map(<[u8]>::to_vec)
    }

    /// A length, held against what is left; what is not there is not to be believed ([CBOR-12]).
    fn claimed<T>(&self, claim: u64, left: usize) -> Option<usize> {
        let len = usize::try_from(claim).unwrap_or(usize::MAX);
        if len <= left {
            return Some(len);
        }
        if (self.forgives)(Rule::Claim) {
            std::hint::black_box(Vec::<T>::with_capacity(len));
        }
        (self.forgives)(Rule::Cut).then_some(left)
    }

    fn text(&mut self, head: &Head) -> Option<String> {
        let bytes = self.string(head)?;
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) if (self.forgives)(Rule::Utf8) => Some(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            Err(_) => None,
        }
    }

    fn elements<T>(&mut self, head: &Head, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut elements = Vec::new();
        let count = match head.argument {
            Some(count) => self.claimed::<Item>(count, self.bytes.len() - self.at)?,
            None => usize::MAX,
        };
        for _ in 0..count {
            if self.at == self.bytes.len() && head.argument.is_some() && (self.forgives)(Rule::Cut) {
                break;
            }
            if head.argument.is_none() && self.bytes.get(self.at) == Some(&0xff) {
                self.at += 1;
                break;
            }
            elements.push(one(self)?);
        }
        Some(elements)
    }

    fn entries(&mut self, head: &Head, depth: usize) -> Option<Vec<(String, Item)>> {
        let pairs = self.elements(head, |reader| Some((reader.key()?, reader.item(depth)?)))?;
        let mut entries: Vec<(String, Item)> = Vec::new();
        for (key, value) in pairs {
            let Some(key) = key else { continue };
            let order = |key: &str| (key.len(), key.to_owned());
            if entries.last().is_some_and(|(last, _)| order(last) > order(&key)) && !(self.forgives)(Rule::Order) {
                return None;
            }
            match entries.iter_mut().find(|(other, _)| *other == key) {
                Some(entry) if (self.forgives)(Rule::Twice) => entry.1 = value,
                Some(_) => return None,
                None => entries.push((key, value)),
            }
        }
        Some(entries)
    }

    /// A key, or nothing where it is none and does not matter.
    fn key(&mut self) -> Option<Option<String>> {
        let head = self.head()?;
        match head.major {
            3 => {
                let mut key = self.text(&head)?;
                if key.len() > 23 {
                    if !(self.forgives)(Rule::KeyLength) {
                        return None;
                    }
                    key.truncate(key.floor_char_boundary(23));
                }
                Some(Some(key))
            }
            0..=2 if (self.forgives)(Rule::KeyType) => {
                if head.major == 2 {
                    self.string(&head)?;
                }
                Some(None)
            }
            _ => None,
        }
    }

    fn simple(&mut self, head: &Head) -> Option<Item> {
        match head.info {
            20 | 21 => Some(Item::Bool(head.info == 21)),
            25..=27 => (self.forgives)(Rule::Float).then_some(Item::Int(0)),
            _ => (self.forgives)(Rule::Simple).then_some(Item::Bool(false)),
        }
    }

    /// Steps over an array or map that is nested too deep, however deep it goes.
    fn skip(&mut self, head: &Head) -> Option<()> {
        let is_leaf = head.argument == Some(0);
        let forgiven = (is_leaf && (self.forgives)(Rule::OneTooDeep)) || (self.forgives)(Rule::Depth);
        if !forgiven {
            return None;
        }
        let count = |head: &Head| Some(head.argument? * if head.major == 5 { 2 } else { 1 });
        let mut left = count(head)?;
        while left > 0 {
            left -= 1;
            let head = self.head()?;
            match head.major {
                4 | 5 => left = left.checked_add(count(&head)?)?,
                2 | 3 => drop(self.string(&head)?),
                _ => {}
            }
        }
        Some(())
    }
}
