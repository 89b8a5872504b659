//! Sections 11.15 to 11.19 and 12: uploads, each a staged file and a note of where it is to go.

use super::{
    Store,
    entry::times,
    staging::{Staging, from_hex, to_hex},
    writing::{length, write_at},
};
use crate::{
    arguments::Arguments,
    faults,
    paths::Path,
    reply::{Answer, Refusal, Reply, bytes, field, integer, text},
    switches::Switches,
    worker::Progress,
};
use remofile_proto::{Code, SessionId, UploadId, cbor::Item};
use rustix::{
    fs::{Dir, fstat, fstatvfs, ftruncate, futimens},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What the header of a page has beside its uploads, in bytes at most.
const OVERHEAD: usize = 100;

/// What is staged.
#[derive(Default)]
pub(super) struct Uploads(BTreeMap<UploadId, Upload>);

struct Upload {
    path: Path,
    size: Option<u64>,
    used: SystemTime,
    /// The session that may append and commit ([APPEND-2]).
    begun_in: Option<SessionId>,
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
    pub(super) fn found(staging: &Staging) -> Result<Self, Errno> {
        let mut uploads = BTreeMap::new();
        for entry in Dir::read_from(&staging.directory)? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().ok().and_then(from_hex) else { continue };
            let name = to_hex(&id);
            match Upload::noted(staging, &name)? {
                Some(upload) => drop(uploads.insert(UploadId::new(id), upload)),
                None => staging.discard(&name)?,
            }
        }
        Ok(Self(uploads))
    }
}

impl Uploads {
    /// The upload that was begun in this session ([APPEND-2]), and the name of its file.
    fn begun(
        &mut self,
        args: &Arguments,
        session: SessionId,
        switches: &Switches,
    ) -> Result<(String, &mut Upload), Refusal> {
        let id = args.up.ok_or(Code::BadArgs)?;
        if !self.0.contains_key(&id)
            && args.off.max(args.size.unwrap_or(0)) > 0
            && switches.has(&faults::codes::OFFSET_BEFORE_UPLOAD)
        {
            return Err(Refusal::with(Code::Offset, vec![field("off", integer(0))]));
        }
        let upload = self.0.get_mut(&id).ok_or(Code::NoUpload)?;
        let begun_by_another = upload.begun_in.is_some_and(|begun_in| begun_in != session);
        let shared = begun_by_another && switches.has(&faults::uploads::UPLOADS_ARE_SHARED);
        if upload.begun_in == Some(session) || shared {
            return Ok((name_of(id), upload));
        }
        Err(Code::NoUpload.into())
    }
}

impl Upload {
    /// The upload that a note tells of: its path, and behind a line break its size.
    fn noted(staging: &Staging, name: &str) -> Result<Option<Self>, Errno> {
        let Some(note) = staging.read_note(&note_of(name))? else { return Ok(None) };
        let Some((path, size)) = note.split_once('\n') else { return Ok(None) };
        let stat = fstat(staging.file(&note_of(name))?)?;
        let used = UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        let path = Path::parse(path, &Default::default()).map_err(|_| Errno::INVAL)?;
        Ok(Some(Self { path, size: size.parse().ok(), used, begun_in: None, staged: None }))
    }
}

impl Store {
    pub(super) fn begin(&mut self, args: &Arguments, session: SessionId, progress: &Progress) -> Answer {
        let id = args.up.ok_or(Code::BadArgs)?;
        let goes_on = self.uploads.0.get(&id).is_some_and(|upload| upload.path == args.path);
        if !goes_on && args.size > Some(self.free_space()?) {
            return Err(Code::NoSpace.into());
        }
        let staged = if goes_on { self.staged_again(id, progress)? } else { self.stage(id, &args.path)? };
        let name = name_of(id);
        self.staging()?.write_note(&note_of(&name), &note(&args.path, args.size))?;
        let result = vec![field("off", integer(staged.len)), field("hash", bytes(staged.hash.finalize().as_bytes()))];
        let upload = Upload {
            path: args.path.clone(),
            size: args.size,
            used: SystemTime::now(),
            begun_in: Some(session),
            staged: Some(staged),
        };
        self.uploads.0.insert(id, upload);
        self.discard_others_of(&args.path, id)?;
        Ok(Reply::ok(result))
    }

    pub(super) fn append(&mut self, args: &Arguments, session: SessionId, payload: &[u8]) -> Answer {
        let (name, upload) = self.uploads.begun(args, session, &self.switches)?;
        let staging = self.staging.as_ref().ok_or(Code::Denied)?;
        let staged = upload.staged.as_mut().ok_or(Code::NoUpload)?;
        if args.off != staged.len && !self.switches.has(&faults::uploads::CHUNKS_GO_BEHIND) {
            return Err(Refusal::with(Code::Offset, vec![field("off", integer(staged.len))]));
        }
        if !payload.is_empty() {
            let file = staging.file(&name)?;
            if let Err(errno) = write_at(&file, payload, staged.len) {
                // [APPEND-3]
                ftruncate(&file, staged.len)?;
                return Err(errno.into());
            }
            staged.hash.update(payload);
            staged.len += payload.len() as u64;
        }
        staging.mark_used(&note_of(&name))?;
        upload.used = SystemTime::now();
        Ok(Reply::ok(vec![field("off", integer(staged.len))]))
    }

    /// [COMMIT-1]
    pub(super) fn commit(&mut self, args: &Arguments, session: SessionId) -> Answer {
        let (name, upload) = self.uploads.begun(args, session, &self.switches)?;
        let staged = upload.staged.as_ref().ok_or(Code::NoUpload)?;
        if args.size != Some(staged.len) {
            return Err(Refusal::with(Code::Offset, vec![field("off", integer(staged.len))]));
        }
        let is_right = args.hash == staged.hash.finalize().as_bytes();
        let path = upload.path.clone();
        if !is_right {
            // [COMMIT-2]
            self.discard(args.up)?;
            return Err(Code::Digest.into());
        }
        let place = self.place(&path)?;
        self.check_target(&place, &args.pre, None)?;
        let file = self.staging()?.file(&name)?;
        // [COMMIT-4]
        futimens(&file, &times(args.mtime_ns))?;
        let entry = self.publish(&name, &file, &place, &args.pre, true)?;
        self.discard(args.up)?;
        Ok(Reply::entry(entry))
    }

    /// [ABORT-1]
    pub(super) fn abort(&mut self, args: &Arguments) -> Answer {
        self.discard(args.up)?;
        Ok(Reply::ok(Vec::new()))
    }

    /// [UPLOADS-1], [UPLOADS-2]
    pub(super) fn uploads(&mut self, args: &Arguments) -> Answer {
        let mut room = usize::try_from(self.limits.chunk).unwrap_or(usize::MAX) - OVERHEAD;
        let (mut page, mut more) = (Vec::new(), false);
        for (id, upload) in self.uploads.0.iter().filter(|(id, _)| id.as_bytes()[..] > args.after[..]) {
            let age = SystemTime::now().duration_since(upload.used).unwrap_or_default();
            let mut fields = vec![
                field("up", bytes(id.as_bytes())),
                field("path", text(upload.path.as_str())),
                field("off", integer(length(&self.staging()?.file(&name_of(*id))?)?)),
                field("age_ms", integer(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))),
            ];
            fields.extend(upload.size.map(|size| field("size", integer(size))));
            let upload = Item::Map(fields);
            let len = upload.encode().map_or(usize::MAX, |encoded| encoded.len());
            if len > room {
                more = true;
                break;
            }
            room -= len;
            page.push(upload);
        }
        Ok(Reply::ok(vec![field("uploads", Item::Array(page)), field("more", Item::Bool(more))]))
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
        let mut hash = blake3::Hasher::new();
        let len = self.each_slice(&file, 0, len, progress, |slice| {
            hash.update(slice);
            Ok(())
        })?;
        Ok(Staged { len, hash })
    }

    /// Stages an upload of nothing yet, and makes room for it ([BEGIN-6]).
    fn stage(&mut self, id: UploadId, path: &Path) -> Result<Staged, Refusal> {
        let temporary = self.staging()?.temporary()?;
        self.staging()?.rename(temporary.name, &name_of(id))?;
        drop(temporary);
        let is_other = |(other, upload): &(&UploadId, &Upload)| **other != id && upload.path != *path;
        let mut others: Vec<_> =
            self.uploads.0.iter().filter(is_other).map(|(id, upload)| (upload.used, *id)).collect();
        others.sort_unstable();
        let surplus = (others.len() + 1).saturating_sub(self.limits.uploads);
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

fn name_of(id: UploadId) -> String {
    to_hex(id.as_bytes())
}

fn note_of(name: &str) -> String {
    format!("{name}.note")
}

/// Paths have no line breaks ([PATH-3]).
fn note(path: &Path, size: Option<u64>) -> String {
    format!("{}\n{}", path.as_str(), size.map(|size| size.to_string()).unwrap_or_default())
}
