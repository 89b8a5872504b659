//! Arbitrary values of everything that goes over the wire.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use remofile_proto::cbor::Item;
use remofile_proto::*;
use std::collections::BTreeMap;

/// The edges of every encoded width, and numbers between them.
pub(crate) fn integer() -> impl Strategy<Value = i64> {
    let edges = [0, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, i64::MAX];
    let near = select(edges.to_vec()).prop_flat_map(|edge| select(vec![edge, !edge, edge.saturating_sub(1)]));
    prop_oneof![near, any::<i64>()]
}

/// Values that nest up to eight deep.
pub(crate) fn item() -> impl Strategy<Value = Item> {
    let leaf = prop_oneof![
        integer().prop_map(Item::Int),
        vec(any::<u8>(), 0..300).prop_map(Item::Bytes),
        ".{0,80}".prop_map(Item::Text),
        any::<bool>().prop_map(Item::Bool),
    ];
    leaf.prop_recursive(7, 200, 30, |inner| {
        let key = any::<String>().prop_map(|key| key.chars().scan(0, short).collect::<String>());
        prop_oneof![
            vec(inner.clone(), 0..30).prop_map(Item::Array),
            proptest::collection::btree_map(key, inner, 0..30).prop_map(sorted),
        ]
    })
}

/// Ends a key before it has 24 bytes.
fn short(len: &mut usize, character: char) -> Option<char> {
    *len += character.len_utf8();
    (*len < 24).then_some(character)
}

/// In the deterministic order, as a decoded map is.
fn sorted(map: BTreeMap<String, Item>) -> Item {
    let mut entries: Vec<_> = map.into_iter().collect();
    entries.sort_by_key(|(key, _)| (key.len(), key.clone()));
    Item::Map(entries)
}

fn uint() -> impl Strategy<Value = u64> {
    integer().prop_map(|number| if number < 0 { !number } else { number }.unsigned_abs())
}

/// At most half the range, so that any two of them and a payload stay within it.
fn half() -> impl Strategy<Value = u64> {
    uint().prop_map(|number| number / 2)
}

fn name() -> impl Strategy<Value = String> {
    "[^/\\p{Cc}]{1,40}".prop_filter("a name", |name| path::valid_name(name).is_ok())
}

pub(crate) fn path() -> impl Strategy<Value = RemotePath> {
    vec(name(), 0..6).prop_map(|names| RemotePath::parse(&format!("/{}", names.join("/"))).unwrap())
}

pub(crate) fn session() -> impl Strategy<Value = SessionId> {
    any::<[u8; 16]>().prop_map(SessionId::new)
}

fn up() -> impl Strategy<Value = UploadId> {
    any::<[u8; 16]>().prop_map(UploadId::new)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::new)
}

fn etag() -> impl Strategy<Value = Etag> {
    vec(any::<u8>(), 1..=64).prop_map(|bytes| Etag::try_from(&bytes[..]).unwrap())
}

fn maybe<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    proptest::option::of(strategy)
}

fn pre() -> impl Strategy<Value = Precondition> {
    prop_oneof![Just(Precondition::Absent), Just(Precondition::Any), etag().prop_map(Precondition::Etag)]
}

fn two_paths() -> impl Strategy<Value = (RemotePath, RemotePath)> {
    (path(), path()).prop_filter("no loop", |(from, to)| !to.is_at_or_below(from))
}

/// Every operation, with arguments that a server of the default limits accepts.
pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let hello = (any::<[u8; 32]>(), "\\PC{0,30}", maybe(session()), maybe(uint()))
        .prop_map(|(auth, client, take, lease_ms)| Operation::Hello(Hello { auth, client, take, lease_ms }));
    prop_oneof![
        hello,
        Just(Operation::Ping),
        Just(Operation::Bye),
        Just(Operation::Flush),
        path().prop_map(|path| Operation::Stat { path }),
        path().prop_map(|path| Operation::Mkdir { path }),
        (path(), maybe(".{0,60}"), maybe(1_u64..9_999), any::<bool>())
            .prop_map(|(path, after, limit, tree)| Operation::List { path, after, limit, tree }),
        (path(), half(), 0_u64..=262_144, maybe(etag())).prop_map(|(path, off, len, etag)| Operation::Read {
            path,
            off,
            len,
            etag
        }),
        (path(), half(), maybe(half())).prop_map(|(path, off, len)| Operation::Hash { path, off, len }),
        (path(), pre(), maybe(integer())).prop_map(|(path, pre, mtime_ns)| Operation::Put { path, pre, mtime_ns }),
        (path(), half(), maybe(etag())).prop_map(|(path, off, etag)| Operation::Write { path, off, etag }),
        (path(), uint(), maybe(etag())).prop_map(|(path, size, etag)| Operation::Truncate { path, size, etag }),
        (path(), integer()).prop_map(|(path, mtime_ns)| Operation::Touch { path, mtime_ns }),
        (path(), maybe(etag())).prop_map(|(path, etag)| Operation::Remove { path, etag }),
        (two_paths(), pre(), maybe(etag())).prop_map(|((from, to), pre, etag)| Operation::Move { from, to, pre, etag }),
        (two_paths(), pre(), maybe(etag())).prop_map(|((from, to), pre, etag)| Operation::Copy { from, to, pre, etag }),
        (up(), path(), maybe(uint())).prop_map(|(up, path, size)| Operation::Begin { up, path, size }),
        (up(), half()).prop_map(|(up, off)| Operation::Append { up, off }),
        (up(), uint(), digest(), pre(), maybe(integer()))
            .prop_map(|(up, size, hash, pre, mtime_ns)| Operation::Commit { up, size, hash, pre, mtime_ns }),
        up().prop_map(|up| Operation::Abort { up }),
        maybe(up()).prop_map(|after| Operation::Uploads { after }),
    ]
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let bare = |kind, racy| Entry { kind, size: None, mtime_ns: None, etag: None, racy };
    prop_oneof![
        (uint(), integer(), etag(), any::<bool>()).prop_map(move |(size, mtime_ns, etag, racy)| Entry {
            size: Some(size),
            mtime_ns: Some(mtime_ns),
            etag: Some(etag),
            ..bare(Kind::File, racy)
        }),
        (integer(), any::<bool>())
            .prop_map(move |(mtime_ns, racy)| Entry { mtime_ns: Some(mtime_ns), ..bare(Kind::Dir, racy) }),
        select(vec![Kind::Link, Kind::Other]).prop_map(move |kind| bare(kind, false)),
    ]
}

fn hello() -> impl Strategy<Value = HelloReply> {
    let sizes = (1_u64..=1_024, 65_536_u64..=1_048_576, 16_384_u64..=65_536, uint());
    let caps = vec("x-[a-z]{1,9}", 0..4).prop_map(Capabilities::from_iter);
    let rest = (any::<[u8; 16]>(), maybe(any::<[u8; 16]>()), any::<[bool; 3]>(), caps);
    (sizes, rest).prop_map(|((window, chunk, header, lease_ms), (boot, root, [windows, folds, ro], caps))| HelloReply {
        window,
        chunk,
        header,
        lease_ms,
        boot: BootId::new(boot),
        root: root.map(RootId::new),
        names: if windows { Names::Windows } else { Names::Posix },
        folds,
        ro,
        caps,
    })
}

fn listing(tree: bool) -> impl Strategy<Value = Listing> {
    let name = vec(name(), if tree { 1..4 } else { 1..2 }).prop_map(|names| names.join("/"));
    let listed = (name, entry()).prop_map(|(name, entry)| ListedEntry { name, entry });
    (vec(listed, 0..20), any::<bool>(), uint()).prop_map(|(entries, more, skipped)| Listing { entries, more, skipped })
}

fn uploads() -> impl Strategy<Value = Uploads> {
    let upload = (up(), path(), uint(), maybe(uint()), uint()).prop_map(|(up, path, off, size, age_ms)| UploadEntry {
        up,
        path,
        off,
        size,
        age_ms,
    });
    (vec(upload, 0..20), any::<bool>()).prop_map(|(uploads, more)| Uploads { uploads, more })
}

/// An answer that is of the kind which the operation has.
pub(crate) fn answer(operation: &Operation) -> BoxedStrategy<Answer> {
    match operation {
        Operation::Hello(_) => hello().prop_map(Answer::Hello).boxed(),
        Operation::Ping | Operation::Bye | Operation::Flush | Operation::Remove { .. } | Operation::Abort { .. } => {
            Just(Answer::Empty).boxed()
        }
        Operation::List { tree, .. } => listing(*tree).prop_map(Answer::Listing).boxed(),
        Operation::Read { .. } => {
            (etag(), uint()).prop_map(|(etag, size)| Answer::Read(ReadResult { etag, size })).boxed()
        }
        Operation::Hash { .. } => (digest(), uint(), etag())
            .prop_map(|(hash, len, etag)| Answer::Hash(HashResult { hash, len, etag }))
            .boxed(),
        Operation::Begin { .. } => {
            (uint(), digest()).prop_map(|(off, hash)| Answer::Staged(Staged { off, hash })).boxed()
        }
        Operation::Append { .. } => uint().prop_map(Answer::Offset).boxed(),
        Operation::Uploads { .. } => uploads().prop_map(Answer::Uploads).boxed(),
        _ => entry().prop_map(Answer::Entry).boxed(),
    }
}

/// A refusal with the details that its code has.
pub(crate) fn refusal() -> impl Strategy<Value = Refusal> {
    let codes: Vec<Code> = Code::ALL.iter().copied().filter(|code| *code != Code::Ok).collect();
    let busy = (uint(), uint(), "\\PC{0,30}", session()).prop_map(|(idle_ms, lease_ms, client, session)| Busy {
        idle_ms,
        lease_ms,
        client,
        session,
    });
    (select(codes), maybe("\\PC{0,60}"), busy, uint(), maybe(uint())).prop_map(|(code, msg, busy, number, total)| {
        let detail = match code {
            Code::Busy => Detail::Busy(busy),
            Code::Seq => Detail::Next(number),
            Code::Offset => Detail::Offset(number),
            Code::Pending => Detail::Progress { done: Some(number), total },
            _ => Detail::None,
        };
        let mut refusal = Refusal::new(code);
        refusal.detail = detail;
        refusal.msg = msg;
        refusal
    })
}
