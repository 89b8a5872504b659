//! Sections 11.15 to 11.19 and 12: uploads, each a staged file and a note of where it is to go.

mod mutated;

use super::{
    Store,
    entry::times,
    staging::{Staging, from_hex, to_hex},
    writing::{length, write_at},
};
use crate::{
    arguments::Arguments,
    behaviour::Behaviour,
    paths::Path,
    reply::{Answer, Fields, Refusal, Reply, bytes, field, integer},
    variants,
    worker::Progress,
};
use mutated::Origin;
use remofile_proto::{Code, SessionId, UploadId};
use rustix::{
    fs::{Dir, fstat, fstatvfs, ftruncate, futimens},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What is staged.
#[derive(Default)]
pub(super) struct Uploads(pub(super) BTreeMap<UploadId, Upload>);

/// An upload, and its note.
pub(super) struct Upload {
    pub(super) path: Path,
    pub(super) size: Option<u64>,
    pub(super) used: SystemTime,
    origin: Origin,
    /// The session that may append and commit ([APPEND-2]).
    pub(super) begun_in: Option<SessionId>,
    /// Absent until the staged file was read back ([UP-4]).
    staged: Option<Staged>,
}

/// The bytes that are staged: how many, and their hash.
#[derive(Clone)]
struct Staged {
    len: u64,
    hash: blake3::Hasher,
}

impl Uploads {
    /// What an earlier server left ([UP-2]).
    pub(super) fn found(staging: &Staging, behaviour: &Behaviour) -> Result<Self, Errno> {
        let mut uploads = BTreeMap::new();
        for entry in Dir::read_from(&staging.directory)? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().ok().and_then(from_hex) else { continue };
            let name = to_hex(&id);
            match Upload::noted(staging, &name)?.and_then(|upload| upload.mutated_start(behaviour)) {
                Some(upload) => drop(uploads.insert(UploadId::new(id), upload)),
                None => staging.discard(&name)?,
            }
        }
        Ok(Self(uploads))
    }

    /// The upload that was begun in this session ([APPEND-2]), and the name of its file.
    fn begun(
        &mut self,
        args: &Arguments,
        session: SessionId,
        behaviour: &Behaviour,
    ) -> Result<(String, &mut Upload), Refusal> {
        let id = args.up.ok_or(Code::BadArgs)?;
        let unknown = || behaviour.mutated_unknown_upload(args, Code::NoUpload.into());
        let upload = self.0.get_mut(&id).ok_or_else(unknown)?;
        if upload.mutated_access(session, upload.begun_in == Some(session), behaviour) {
            Ok((name_of(id), upload))
        } else {
            Err(Code::NoUpload.into())
        }
    }
}

impl Upload {
    /// Reads the note of an upload: its path, a line break, its size.
    fn noted(staging: &Staging, name: &str) -> Result<Option<Self>, Errno> {
        let Some(note) = staging.read_note(&note_of(name))? else { return Ok(None) };
        let Some((path, size)) = note.split_once('\n') else { return Ok(None) };
        let stat = fstat(staging.file(&note_of(name))?)?;
        let used = UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        let path = Path::parse(path, &Default::default()).map_err(|_| Errno::INVAL)?;
        let size = size.parse().ok();
        Ok(Some(Self { path, size, used, origin: Origin::default(), begun_in: None, staged: None }))
    }
}

impl Store {
    pub(super) fn begin(&mut self, args: &Arguments, session: SessionId, progress: &Progress) -> Answer {
        let id = args.up.ok_or(Code::BadArgs)?;
        self.mutated_begin(args, session)?;
        let is_known = self.uploads.0.get(&id).is_some_and(|upload| upload.path == args.path);
        let continues = self.mutated_continuation(id, args, is_known);
        if !continues && !self.behaviour.is_variant(&variants::FULL_OF_UPLOADS) && args.size > Some(self.free_space()?)
        {
            self.mutated_no_space(id, args)?;
            return Err(Code::NoSpace.into());
        }
        let size = self.mutated_size(id, args, continues);
        let staged = if continues { self.staged_again(id, progress)? } else { self.stage(id, &args.path)? };
        self.staging()?.write_note(&note_of(&name_of(id)), &note(&args.path, size))?;
        let result = self.mutated_begun(&staged, Self::begun(&staged));
        let upload = Upload {
            path: args.path.clone(),
            size,
            used: SystemTime::now(),
            origin: self.origin(&args.path),
            begun_in: Some(session),
            staged: Some(staged),
        };
        self.uploads.0.insert(id, upload);
        self.mutated_staging(id, &args.path)?;
        if !self.mutated_coexistence(id, &args.path) {
            self.discard_others_of(&args.path, id)?;
        }
        Ok(Reply::ok(result))
    }

    /// [BEGIN-1]
    fn begun(staged: &Staged) -> Fields {
        vec![field("off", integer(staged.len)), field("hash", bytes(staged.hash.finalize().as_bytes()))]
    }

    pub(super) fn append(&mut self, args: &Arguments, session: SessionId, payload: &[u8]) -> Answer {
        let args = &*self.mutated_append(args);
        self.mutated_target_of_append(args, payload)?;
        let (name, upload) = self.uploads.begun(args, session, &self.behaviour)?;
        let staging = self.staging.as_ref().ok_or(Code::Denied)?;
        let staged = upload.staged.as_ref().ok_or(Code::NoUpload)?;
        let fits = if args.off == staged.len { Ok(()) } else { Err(wrong_offset(staged.len)) };
        if let Some(reply) = upload.mutated_fit(args.off, payload, fits, &self.behaviour)? {
            return Ok(reply);
        }
        let staged = upload.staged.as_mut().ok_or(Code::NoUpload)?;
        if !payload.is_empty() {
            let file = staging.file(&name)?;
            if let Err(errno) = write_at(&file, payload, staged.len) {
                // [APPEND-3]
                ftruncate(&file, staged.len)?;
                return Err(errno.into());
            }
            staged.hash.update(payload);
            staged.len += payload.len() as u64;
            self.behaviour.mutated_note_of_hash(staging, &name, args.off, payload)?;
        }
        if self.behaviour.mutated_renewal_of_upload() {
            staging.mark_used(&note_of(&name))?;
            upload.used = SystemTime::now();
        }
        let off = self.behaviour.mutated_off(args.off, payload, staged.len);
        Ok(Reply::ok(vec![field("off", integer(off))]))
    }

    /// [COMMIT-1]
    pub(super) fn commit(&mut self, args: &Arguments, session: SessionId) -> Answer {
        let (name, upload) = self.uploads.begun(args, session, &self.behaviour)?;
        let staged = upload.staged.as_ref().ok_or(Code::NoUpload)?;
        let content = Content {
            len: staged.len,
            announced: upload.size,
            is_counted: args.size == Some(staged.len),
            is_right: args.hash == staged.hash.finalize().as_bytes(),
        };
        let (path, origin) = (upload.path.clone(), std::mem::take(&mut upload.origin));
        if let Err(refusal) = self.mutated_content(args, &path, &content, content.check()) {
            // [COMMIT-2]
            if self.mutated_discard(&refusal, refusal.code == Code::Digest) {
                self.discard(args.up)?;
            }
            return Err(refusal);
        }
        self.mutated_parents_of_commit(&path)?;
        let checked = self.place(&path).and_then(|place| {
            let pre = self.mutated_pre_of_commit(args, &place, &origin)?;
            self.check_target(&place, &pre, None).map(|_| (place, pre))
        });
        if checked.is_err() {
            self.mutated_refusal_of_commit(args)?;
        }
        let (mut place, pre) = checked?;
        self.mutated_directory(&path, &origin, &mut place)?;
        let file = self.staging()?.file(&name)?;
        // [COMMIT-4]
        let mtime_ns = args.mtime_ns.map(|ns| self.nearest(ns));
        futimens(&file, &times(self.mutated_time_of_commit(&file, args.mtime_ns, mtime_ns)?))?;
        let entry = self.publish(&name, &file, &place, &pre, true)?;
        self.mutated_commit(args, &path, &origin, &place, &file)?;
        if !self.mutated_end_of_commit(&place, &name)? {
            self.discard(args.up)?;
        }
        Ok(Reply::entry(entry))
    }

    /// [ABORT-1]
    pub(super) fn abort(&mut self, args: &Arguments, session: SessionId) -> Answer {
        if let Some(answer) = self.mutated_abort(args, session) {
            return answer;
        }
        self.discard(args.up)?;
        Ok(Reply::ok(Fields::new()))
    }

    /// How many bytes can still be staged ([BEGIN-5]).
    fn free_space(&self) -> Result<u64, Refusal> {
        let about = fstatvfs(&self.staging()?.directory)?;
        Ok(about.f_bavail.saturating_mul(about.f_frsize))
    }

    /// What is staged already: known, or read back ([BEGIN-1], [UP-4]).
    fn staged_again(&mut self, id: UploadId, progress: &Progress) -> Result<Staged, Refusal> {
        let file = self.staging()?.file(&name_of(id))?;
        let len = length(&file)?;
        let known = self.uploads.0.get(&id).and_then(|upload| upload.staged.as_ref());
        if let Some(staged) = known.filter(|staged| staged.len == len) {
            return Ok(staged.clone());
        }
        let (file, from) = self.mutated_source(id, file)?;
        let mut hash = blake3::Hasher::new();
        let len = self.each_slice(&file, from, len, progress, |slice| {
            hash.update(slice);
            Ok(())
        })?;
        self.behaviour.mutated_hash_of_staged(len, &mut hash);
        Ok(Staged { len, hash })
    }

    /// Stages an upload of nothing yet, and makes room for it ([BEGIN-6]).
    fn stage(&mut self, id: UploadId, path: &Path) -> Result<Staged, Refusal> {
        let temporary = self.staging()?.temporary()?;
        self.staging()?.rename(temporary.name, &name_of(id))?;
        drop(temporary);
        let is_other = |(other, upload): &(&UploadId, &Upload)| {
            **other != id && self.behaviour.mutated_count_of_uploads(upload.path != *path)
        };
        let mut others: Vec<_> =
            self.uploads.0.iter().filter(is_other).map(|(id, upload)| (upload.used, *id)).collect();
        others.sort_unstable();
        let limit = self.behaviour.mutated_limit_of_uploads(others.len(), self.limits.uploads);
        let surplus = (others.len() + 1).saturating_sub(limit);
        if surplus > 0 && self.behaviour.is_variant(&variants::FULL_OF_UPLOADS) {
            self.staging()?.discard(&name_of(id))?;
            return Err(Code::Limit.into());
        }
        if surplus > 0 {
            self.behaviour.mutated_surplus_of_uploads(&mut others)?;
        }
        for (_, oldest) in &others[..surplus] {
            self.discard(Some(*oldest))?;
        }
        Ok(Staged { len: 0, hash: blake3::Hasher::new() })
    }

    /// [BEGIN-3]
    fn discard_others_of(&mut self, path: &Path, id: UploadId) -> Result<(), Refusal> {
        let of_path = |(other, upload): (&UploadId, &Upload)| (*other != id && upload.path == *path).then_some(*other);
        let others: Vec<_> = self.uploads.0.iter().filter_map(of_path).collect();
        others.into_iter().try_for_each(|other| self.discard(Some(other)))
    }

    fn discard(&mut self, id: Option<UploadId>) -> Result<(), Refusal> {
        let id = id.ok_or(Code::BadArgs)?;
        self.uploads.0.remove(&id);
        let name = name_of(id);
        let staging = self.staging()?;
        staging.discard(&note_of(&name))?;
        Ok(staging.discard(&name)?)
    }
}

/// What a commit is checked against.
struct Content {
    len: u64,
    /// The size that `begin` announced.
    announced: Option<u64>,
    is_counted: bool,
    is_right: bool,
}

impl Content {
    /// [COMMIT-1], [COMMIT-2]
    fn check(&self) -> Result<(), Refusal> {
        match self {
            Self { is_counted: false, len, .. } => Err(wrong_offset(*len)),
            Self { is_right: false, .. } => Err(Code::Digest.into()),
            _ => Ok(()),
        }
    }
}

/// [APPEND-1]
fn wrong_offset(staged: u64) -> Refusal {
    Refusal::with(Code::Offset, vec![field("off", integer(staged))])
}

/// The name of an upload's staged file.
pub(super) fn name_of(id: UploadId) -> String {
    to_hex(id.as_bytes())
}

fn note_of(name: &str) -> String {
    format!("{name}.note")
}

/// Paths have no line breaks ([PATH-3]).
fn note(path: &Path, size: Option<u64>) -> String {
    format!("{}\n{}", path.as_str(), size.map(|size| size.to_string()).unwrap_or_default())
}
