//! The store against a model of a file tree in memory: the same answers, and the same tree at the end.

use proptest::prelude::*;
use remofile_proto::{Answer, Code, Digest, Etag, Kind, Operation, Precondition, RemotePath};
use remofile_testkit::storage::{Served, digest, path, served, up};
use std::collections::BTreeMap;

/// What an operation is made of, before etags are known.
#[derive(Clone, Debug)]
enum Do {
    Stat(String),
    List(String),
    Read(String, u64, u64),
    Hash(String),
    Mkdir(String),
    Put(String, Pre, Vec<u8>),
    Write(String, u64, Vec<u8>),
    Truncate(String, u64),
    Touch(String, i64),
    Remove(String),
    Move(String, String, Pre),
    Copy(String, String, Pre),
    Begin(u8, String),
    Append(u8, u64, Vec<u8>),
    Commit(u8, Pre, bool),
    Abort(u8),
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Pre {
    Absent,
    Any,
    Right,
    Wrong,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Dir,
    File(Vec<u8>),
}

#[derive(Default)]
struct Model {
    /// By path without the leading slash; the root is not in it.
    nodes: BTreeMap<String, Node>,
    staged: BTreeMap<u8, (String, Vec<u8>, bool)>,
}

fn names() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(vec!["a", "b", "c"]);
    proptest::collection::vec(name, 0..4).prop_map(|names| format!("/{}", names.join("/")))
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..6)
}

fn pre() -> impl Strategy<Value = Pre> {
    proptest::sample::select(vec![Pre::Absent, Pre::Any, Pre::Any, Pre::Right, Pre::Wrong])
}

fn step() -> impl Strategy<Value = Do> {
    prop_oneof![
        1 => names().prop_map(Do::Stat),
        1 => names().prop_map(Do::List),
        1 => (names(), 0_u64..8, 0_u64..8).prop_map(|(at, off, len)| Do::Read(at, off, len)),
        1 => names().prop_map(Do::Hash),
        4 => names().prop_map(Do::Mkdir),
        4 => (names(), pre(), bytes()).prop_map(|(at, pre, content)| Do::Put(at, pre, content)),
        2 => (names(), 0_u64..8, bytes()).prop_map(|(at, off, content)| Do::Write(at, off, content)),
        1 => (names(), 0_u64..8).prop_map(|(at, size)| Do::Truncate(at, size)),
        1 => (names(), any::<i32>()).prop_map(|(at, time)| Do::Touch(at, i64::from(time))),
        2 => names().prop_map(Do::Remove),
        4 => (names(), names(), pre()).prop_map(|(from, to, pre)| Do::Move(from, to, pre)),
        2 => (names(), names(), pre()).prop_map(|(from, to, pre)| Do::Copy(from, to, pre)),
        2 => (0_u8..3, names()).prop_map(|(id, at)| Do::Begin(id, at)),
        2 => (0_u8..3, 0_u64..3, bytes()).prop_map(|(id, off, content)| Do::Append(id, off, content)),
        2 => (0_u8..3, pre(), any::<bool>()).prop_map(|(id, pre, right)| Do::Commit(id, pre, right)),
        1 => (0_u8..3).prop_map(Do::Abort),
        1 => Just(Do::Restart),
    ]
}

impl Model {
    fn node(&self, at: &str) -> Option<Node> {
        if at == "/" { Some(Node::Dir) } else { self.nodes.get(&at[1..]).cloned() }
    }

    fn parent(&self, at: &str) -> Result<(), Code> {
        let mut walked = String::new();
        let names: Vec<&str> = at[1..].split('/').collect();
        for name in &names[..names.len() - 1] {
            walked = format!("{walked}/{name}");
            match self.node(&walked) {
                None => return Err(Code::NotFound),
                Some(Node::File(_)) => return Err(Code::NotDir),
                Some(Node::Dir) => {}
            }
        }
        Ok(())
    }

    fn there(&self, at: &str) -> Result<Node, Code> {
        self.parent(at)?;
        self.node(at).ok_or(Code::NotFound)
    }

    fn file(&self, at: &str) -> Result<Vec<u8>, Code> {
        match self.there(at)? {
            Node::File(content) => Ok(content),
            Node::Dir => Err(Code::NotFile),
        }
    }

    fn target(&self, at: &str, pre: Pre, is_directory: bool) -> Result<(), Code> {
        self.parent(at)?;
        match (self.node(at), pre) {
            (Some(_), Pre::Absent) => Err(Code::Exists),
            (Some(Node::Dir), _) => Err(Code::NotFile),
            (Some(Node::File(_)), _) if is_directory => Err(Code::NotFile),
            (Some(Node::File(_)), Pre::Wrong) | (None, Pre::Right | Pre::Wrong) => Err(Code::Changed),
            _ => Ok(()),
        }
    }

    fn has_children(&self, at: &str) -> bool {
        let prefix = if at == "/" { String::new() } else { format!("{}/", &at[1..]) };
        self.nodes.keys().any(|key| key.starts_with(&prefix))
    }

    fn set(&mut self, at: &str, node: Node) {
        self.nodes.insert(at[1..].to_owned(), node);
    }

    fn run(&mut self, step: &Do) -> Result<(), Code> {
        match step {
            Do::Stat(at) => self.there(at).map(drop),
            Do::List(at) => match self.there(at)? {
                Node::Dir => Ok(()),
                Node::File(_) => Err(Code::NotDir),
            },
            Do::Read(at, ..) | Do::Hash(at) => self.file(at).map(drop),
            Do::Mkdir(at) => {
                self.parent(at)?;
                if self.node(at).is_some() {
                    return Err(Code::Exists);
                }
                self.set(at, Node::Dir);
                Ok(())
            }
            Do::Put(at, pre, content) => {
                self.target(at, *pre, false)?;
                self.set(at, Node::File(content.clone()));
                Ok(())
            }
            Do::Write(at, off, bytes) => {
                let mut content = self.file(at)?;
                let off = usize::try_from(*off).unwrap();
                if !bytes.is_empty() {
                    content.resize(content.len().max(off + bytes.len()), 0);
                    content[off..off + bytes.len()].copy_from_slice(bytes);
                }
                self.set(at, Node::File(content));
                Ok(())
            }
            Do::Truncate(at, size) => {
                let mut content = self.file(at)?;
                content.resize(usize::try_from(*size).unwrap(), 0);
                self.set(at, Node::File(content));
                Ok(())
            }
            Do::Touch(at, _) => self.there(at).map(drop),
            Do::Remove(at) => {
                if at == "/" {
                    return Err(Code::Denied);
                }
                if self.there(at)? == Node::Dir && self.has_children(at) {
                    return Err(Code::NotEmpty);
                }
                self.nodes.remove(&at[1..]);
                Ok(())
            }
            Do::Move(from, to, pre) => {
                if is_at_or_below(to, from) {
                    return Err(Code::Loop);
                }
                let node = self.there(from)?;
                self.target(to, *pre, node == Node::Dir)?;
                let moved: Vec<String> =
                    self.nodes.keys().filter(|key| is_at_or_below(&format!("/{key}"), from)).cloned().collect();
                for key in moved {
                    let node = self.nodes.remove(&key).unwrap();
                    self.nodes.insert(format!("{}{}", &to[1..], &key[from.len() - 1..]), node);
                }
                Ok(())
            }
            Do::Copy(from, to, pre) => {
                if is_at_or_below(to, from) {
                    return Err(Code::Loop);
                }
                let content = self.file(from)?;
                self.target(to, *pre, false)?;
                self.set(to, Node::File(content));
                Ok(())
            }
            Do::Begin(id, at) => {
                self.staged.retain(|other, (path, ..)| other == id || path != at);
                match self.staged.get_mut(id) {
                    Some((path, _, begun)) if path == at => *begun = true,
                    _ => drop(self.staged.insert(*id, (at.clone(), Vec::new(), true))),
                }
                Ok(())
            }
            Do::Append(id, off, bytes) => match self.staged.get_mut(id) {
                Some((_, content, true)) if content.len() as u64 == *off => {
                    content.extend(bytes);
                    Ok(())
                }
                Some((_, _, true)) => Err(Code::Offset),
                _ => Err(Code::NoUpload),
            },
            Do::Commit(id, pre, right) => {
                let Some((at, content, true)) = self.staged.get(id).cloned() else { return Err(Code::NoUpload) };
                if !right {
                    self.staged.remove(id);
                    return Err(Code::Digest);
                }
                self.target(&at, *pre, false)?;
                self.set(&at, Node::File(content));
                self.staged.remove(id);
                Ok(())
            }
            Do::Abort(id) => {
                self.staged.remove(id);
                Ok(())
            }
            Do::Restart => {
                self.staged.values_mut().for_each(|(_, _, begun)| *begun = false);
                Ok(())
            }
        }
    }

    fn staged_content(&self, id: u8) -> Vec<u8> {
        self.staged.get(&id).map(|(_, content, _)| content.clone()).unwrap_or_default()
    }
}

fn is_at_or_below(at: &str, other: &str) -> bool {
    other == "/" || at == other || at.starts_with(&format!("{other}/"))
}

fn precondition(served: &mut Served, at: &str, pre: Pre) -> Precondition {
    let wrong = || Precondition::Etag(Etag::try_from(&b"wrong"[..]).unwrap());
    match pre {
        Pre::Absent => Precondition::Absent,
        Pre::Any => Precondition::Any,
        Pre::Wrong => wrong(),
        Pre::Right => match served.stat(at).map(|entry| entry.etag) {
            Ok(Some(etag)) => Precondition::Etag(etag),
            _ => wrong(),
        },
    }
}

fn operation(served: &mut Served, model: &Model, step: &Do) -> Option<(Operation, Vec<u8>)> {
    let to_path = |at: &String| -> RemotePath { path(at) };
    let (mtime_ns, etag) = (None, None);
    Some(match step {
        Do::Stat(at) => (Operation::Stat { path: to_path(at) }, vec![]),
        Do::List(at) => (Operation::List { path: to_path(at), after: None, limit: None, tree: false }, vec![]),
        Do::Read(at, off, len) => (Operation::Read { path: to_path(at), off: *off, len: *len, etag }, vec![]),
        Do::Hash(at) => (Operation::Hash { path: to_path(at), off: 0, len: None }, vec![]),
        Do::Mkdir(at) => (Operation::Mkdir { path: to_path(at) }, vec![]),
        Do::Put(at, pre, content) => {
            (Operation::Put { path: to_path(at), pre: precondition(served, at, *pre), mtime_ns }, content.clone())
        }
        Do::Write(at, off, content) => (Operation::Write { path: to_path(at), off: *off, etag }, content.clone()),
        Do::Truncate(at, size) => (Operation::Truncate { path: to_path(at), size: *size, etag }, vec![]),
        Do::Touch(at, mtime_ns) => (Operation::Touch { path: to_path(at), mtime_ns: *mtime_ns }, vec![]),
        Do::Remove(at) => (Operation::Remove { path: to_path(at), etag }, vec![]),
        Do::Move(from, to, pre) => {
            let pre = precondition(served, to, *pre);
            (Operation::Move { from: to_path(from), to: to_path(to), pre, etag }, vec![])
        }
        Do::Copy(from, to, pre) => {
            let pre = precondition(served, to, *pre);
            (Operation::Copy { from: to_path(from), to: to_path(to), pre, etag }, vec![])
        }
        Do::Begin(id, at) => (Operation::Begin { up: up(*id), path: to_path(at), size: None }, vec![]),
        Do::Append(id, off, content) => (Operation::Append { up: up(*id), off: *off }, content.clone()),
        Do::Commit(id, pre, right) => {
            let content = model.staged_content(*id);
            let at = model.staged.get(id).map_or("/", |(at, ..)| at);
            let pre = precondition(served, at, *pre);
            let hash = if *right { digest(&content) } else { Digest::new([0; 32]) };
            (Operation::Commit { up: up(*id), size: content.len() as u64, hash, pre, mtime_ns }, vec![])
        }
        Do::Abort(id) => (Operation::Abort { up: up(*id) }, vec![]),
        Do::Restart => return None,
    })
}

/// What an answer says beside OK, in the words of the model.
fn assert_answer(model: &Model, step: &Do, answer: &Answer, payload: Option<&Vec<u8>>) {
    match (step, answer) {
        (Do::Read(at, off, len), Answer::Read(_)) => {
            let Some(Node::File(content)) = model.node(at) else { panic!("{at} is no file") };
            let end = |n: u64| usize::try_from(n).unwrap().min(content.len());
            assert_eq!(payload.unwrap(), &content[end(*off)..end(off + len)]);
        }
        (Do::Hash(at), Answer::Hash(result)) => {
            let Some(Node::File(content)) = model.node(at) else { panic!("{at} is no file") };
            assert_eq!((result.hash, result.len), (digest(&content), content.len() as u64));
        }
        (Do::Touch(_, mtime_ns), Answer::Entry(entry)) => assert_eq!(entry.mtime_ns, Some(*mtime_ns)),
        (Do::Begin(id, _), Answer::Staged(staged)) => {
            let content = model.staged_content(*id);
            assert_eq!((staged.off, staged.hash), (content.len() as u64, digest(&content)));
        }
        (Do::Append(id, ..), Answer::Offset(off)) => assert_eq!(*off, model.staged_content(*id).len() as u64),
        _ => {}
    }
}

fn assert_same_tree(served: &mut Served, model: &Model) {
    let (names, skipped) = served.list_all("/", Some(3), true);
    let mut expected: Vec<String> = model.nodes.keys().cloned().collect();
    expected.sort_by_key(|name| name.replace('/', "\0"));
    assert_eq!((names, skipped), (expected, 0));
    for (name, node) in &model.nodes {
        match node {
            Node::Dir => assert_eq!(served.stat(&format!("/{name}")).unwrap().kind, Kind::Dir),
            Node::File(content) => assert_eq!(&served.content(name), content),
        }
    }
    let staged: Vec<_> =
        model.staged.iter().map(|(id, (at, content, _))| (*id, at.clone(), content.len() as u64, None)).collect();
    assert_eq!(served.uploads(), staged);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: remofile_testkit::storage::beside_the_source(), ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_as_the_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        let mut served = served();
        let mut model = Model::default();
        for step in &steps {
            let asked = operation(&mut served, &model, step);
            let expected = model.run(step).err().unwrap_or(Code::Ok);
            let Some((operation, payload)) = asked else {
                served = served.reopened();
                continue;
            };
            match served.outcome(&operation, &payload) {
                Ok(success) => {
                    prop_assert_eq!(Code::Ok, expected, "{:?}", step);
                    assert_answer(&model, step, &success.answer, success.payload.as_ref());
                }
                Err(refusal) => prop_assert_eq!(refusal.code, expected, "{:?}", step),
            }
        }
        assert_same_tree(&mut served, &model);
    }
}
