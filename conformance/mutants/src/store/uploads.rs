//! Sections 11.15 to 11.19 and 12: uploads, each a staged file and a note of where it is to go.

use super::{
    Store,
    entry::{nanoseconds_of_mtime, times},
    staging::{Staging, from_hex, to_hex},
    writing::{length, write_at},
};
use crate::{
    arguments::Arguments,
    behaviour::Behaviour,
    mutations,
    paths::Path,
    reply::{Answer, Fields, Refusal, Reply, bytes, field, integer},
    variants,
    worker::Progress,
};
use remofile_proto::{Code, SessionId, UploadId};
use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, fchmod, fstat, fstatvfs, ftruncate, futimens, openat, unlinkat},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
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
    /// Nothing was at its path when it was begun, which matters to a mutation alone.
    was_free: bool,
    /// Where it is to go, which a mutation opens at once.
    directory: Option<OwnedFd>,
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
            match Upload::noted(staging, &name)? {
                Some(_) if behaviour.has(&mutations::uploads::UPLOADS_DO_NOT_LAST) => staging.discard(&name)?,
                Some(mut upload) if behaviour.has(&mutations::uploads::AGE_OF_THE_RUN) => {
                    upload.used = SystemTime::now();
                    uploads.insert(UploadId::new(id), upload);
                }
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
        behaviour: &Behaviour,
    ) -> Result<(String, &mut Upload), Refusal> {
        let id = args.up.ok_or(Code::BadArgs)?;
        if !self.0.contains_key(&id)
            && args.off.max(args.size.unwrap_or(0)) > 0
            && behaviour.has(&mutations::codes::OFFSET_BEFORE_UPLOAD)
        {
            return Err(Refusal::with(Code::Offset, vec![field("off", integer(0))]));
        }
        let missing =
            || if behaviour.has(&mutations::uploads::UNKNOWN_IS_MISSING) { Code::NotFound } else { Code::NoUpload };
        let upload = self.0.get_mut(&id).ok_or_else(missing)?;
        let begun_by_another = upload.begun_in.is_some_and(|begun_in| begun_in != session);
        // The session stands for a connection then.
        if begun_by_another && behaviour.has(&mutations::uploads::OF_A_CONNECTION) {
            return Err(Code::NoUpload.into());
        }
        let shared = begun_by_another && behaviour.has(&mutations::uploads::UPLOADS_ARE_SHARED);
        if upload.begun_in == Some(session) || shared {
            return Ok((name_of(id), upload));
        }
        Err(Code::NoUpload.into())
    }
}

impl Upload {
    /// Whether there are bytes of it.
    fn is_staged(&self) -> bool {
        self.staged.as_ref().is_some_and(|staged| staged.len > 0)
    }

    /// Reads the note of an upload: its path, a line break, its size.
    fn noted(staging: &Staging, name: &str) -> Result<Option<Self>, Errno> {
        let Some(note) = staging.read_note(&note_of(name))? else { return Ok(None) };
        let Some((path, size)) = note.split_once('\n') else { return Ok(None) };
        let stat = fstat(staging.file(&note_of(name))?)?;
        let used = UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        let path = Path::parse(path, &Default::default()).map_err(|_| Errno::INVAL)?;
        let size = size.parse().ok();
        Ok(Some(Self { path, size, used, was_free: false, directory: None, begun_in: None, staged: None }))
    }
}

impl Store {
    pub(super) fn begin(&mut self, args: &Arguments, session: SessionId, progress: &Progress) -> Answer {
        let id = args.up.ok_or(Code::BadArgs)?;
        self.look_at_the_target(&args.path)?;
        self.make_parents(&args.path, &mutations::uploads::BEGIN_MAKES_PARENTS)?;
        self.end_uploads_of_others(session)?;
        let known = self.uploads.0.get(&id).map(|upload| upload.path == args.path);
        let behaviour = self.behaviour.clone();
        let has = |mutation| behaviour.has(mutation);
        let resized = self.uploads.0.get(&id).is_some_and(|upload| upload.size != args.size && upload.is_staged());
        let anew = known == Some(true)
            && (has(&mutations::uploads::BEGIN_STARTS_OVER)
                || (resized && has(&mutations::uploads::ANOTHER_SIZE_STARTS_OVER)));
        let onward = known == Some(false) && has(&mutations::uploads::ANOTHER_PATH_GOES_ON);
        let goes_on = (known == Some(true) && !anew) || onward;
        let is_full = |store: &Self| Ok::<_, Refusal>(args.size > Some(store.free_space()?));
        if !goes_on && !self.behaviour.is_variant(&variants::FULL_OF_UPLOADS) && is_full(self)? {
            if has(&mutations::uploads::REFUSED_DISCARDS) {
                self.discard_others_of(&args.path, id)?;
            }
            if known.is_some() && has(&mutations::uploads::TOO_LARGE_DISCARDS) {
                self.discard(Some(id))?;
            }
            return Err(Code::NoSpace.into());
        }
        let first = self.uploads.0.get(&id).and_then(|upload| upload.size).filter(|first| Some(*first) != args.size);
        let size =
            if first.is_some() && goes_on && has(&mutations::uploads::FIRST_SIZE_STAYS) { first } else { args.size };
        let staged = if goes_on { self.staged_again(id, progress)? } else { self.stage(id, &args.path)? };
        let name = name_of(id);
        let noted =
            if size.is_some() && self.behaviour.has(&mutations::uploads::SIZE_IS_FORGOTTEN) { None } else { size };
        self.staging()?.write_note(&note_of(&name), &note(&args.path, noted))?;
        let result = self.begun(&staged);
        let upload = Upload {
            path: args.path.clone(),
            size: noted,
            used: SystemTime::now(),
            was_free: self.place(&args.path).is_ok_and(|place| matches!(place.look(), Ok(None))),
            begun_in: Some(session),
            staged: Some(staged),
            directory: match behaviour.selects(&mutations::uploads::COMMIT_BY_HANDLE) {
                true => self.place(&args.path).ok().map(|place| place.directory),
                false => None,
            },
        };
        self.uploads.0.insert(id, upload);
        self.begun = Some(id);
        self.discard_alike(&args.path)?;
        if let Ok(place) = self.place(&args.path)
            && matches!(place.look(), Ok(None))
            && self.behaviour.has(&mutations::uploads::STAGED_IN_SIGHT)
        {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            openat(&place.directory, place.name(), flags, Mode::from_raw_mode(0o666))?;
        }
        if !self.has_others_of(&args.path, id) || !self.behaviour.has(&mutations::uploads::OTHERS_STAY) {
            self.discard_others_of(&args.path, id)?;
        }
        Ok(Reply::ok(result))
    }

    /// [BEGIN-1]
    fn begun(&self, staged: &Staged) -> Fields {
        if staged.len == 0 && self.behaviour.has(&mutations::uploads::NEW_HASH_IS_ZERO) {
            return vec![field("off", integer(0)), field("hash", bytes(&[0; 32]))];
        }
        let forgotten = staged.len > 0 && self.behaviour.has(&mutations::uploads::HASH_OF_NOTHING);
        let hash = if forgotten { blake3::hash(b"") } else { staged.hash.finalize() };
        vec![field("off", integer(staged.len)), field("hash", bytes(hash.as_bytes()))]
    }

    /// Mutations: `begin` refuses what `commit` is to look at ([BEGIN-4]).
    fn look_at_the_target(&self, path: &Path) -> Result<(), Refusal> {
        match self.place(path) {
            Err(refusal) if self.behaviour.has(&mutations::uploads::BEGIN_LOOKS_AT_PARENTS) => Err(refusal),
            Ok(place)
                if matches!(place.look(), Ok(Some(_)))
                    && self.behaviour.has(&mutations::uploads::BEGIN_LOOKS_AT_THE_TARGET) =>
            {
                Err(Code::Exists.into())
            }
            _ => Ok(()),
        }
    }

    /// A mutation: discards what other sessions began.
    fn end_uploads_of_others(&mut self, session: SessionId) -> Result<(), Refusal> {
        let is_anothers = |(_, upload): &(&UploadId, &Upload)| upload.begun_in.is_some_and(|other| other != session);
        let others: Vec<_> = self.uploads.0.iter().filter(is_anothers).map(|(id, _)| *id).collect();
        if others.is_empty() || !self.behaviour.has(&mutations::uploads::UPLOADS_END) {
            return Ok(());
        }
        others.into_iter().try_for_each(|other| self.discard(Some(other)))
    }

    pub(super) fn append(&mut self, args: &Arguments, session: SessionId, payload: &[u8]) -> Answer {
        let begun = self.begun.filter(|begun| self.uploads.0.contains_key(begun));
        let is_other =
            begun.is_some() && begun != args.up && args.up.is_some_and(|up| self.uploads.0.contains_key(&up));
        if is_other && self.behaviour.has(&mutations::uploads::ONE_IS_OPEN) {
            self.begun = None;
            let mut of_another = args.clone();
            of_another.up = begun;
            return self.append(&of_another, session, payload);
        }
        self.show_through_the_target(args, payload)?;
        let (name, upload) = self.uploads.begun(args, session, &self.behaviour)?;
        let staging = self.staging.as_ref().ok_or(Code::Denied)?;
        let staged = upload.staged.as_mut().ok_or(Code::NoUpload)?;
        let behaviour = self.behaviour.clone();
        let has = |mutation| behaviour.has(mutation);
        let fits = args.off == staged.len;
        let ends_at = args.off + payload.len() as u64;
        if payload.is_empty() && has(&mutations::uploads::NOTHING_IS_NOT_APPENDED) {
            return Err(Code::BadArgs.into());
        }
        let is_staged = !fits && !payload.is_empty() && ends_at <= staged.len;
        if (is_staged && has(&mutations::uploads::CHUNKS_AGAIN))
            || (!fits && payload.is_empty() && has(&mutations::uploads::NOTHING_FITS_ANYWHERE))
        {
            return Ok(Reply::ok(vec![field("off", integer(staged.len))]));
        }
        if !fits && !has(&mutations::uploads::CHUNKS_GO_TO_THE_END) {
            let told = if has(&mutations::uploads::OFFSET_OF_THE_REQUEST) { args.off } else { staged.len };
            return Err(Refusal::with(Code::Offset, vec![field("off", integer(told))]));
        }
        if upload.size.is_some_and(|size| ends_at > size) && has(&mutations::uploads::SIZE_IS_A_LIMIT) {
            return Err(Code::TooLarge.into());
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
            if behaviour.selects(&mutations::uploads::HASH_IS_NOTED) {
                write_at(&staging.any_file(&hashed(&name))?, payload, args.off + 1)?;
            }
        }
        if ![&mutations::uploads::AGE_OF_BEGIN, &mutations::uploads::FIRST_BEGUN_GOES].into_iter().any(has) {
            staging.mark_used(&note_of(&name))?;
            upload.used = SystemTime::now();
        }
        let told = if !payload.is_empty() && has(&mutations::uploads::OFF_BEFORE) { args.off } else { staged.len };
        Ok(Reply::ok(vec![field("off", integer(told))]))
    }

    /// A mutation: the file that is to be replaced is written to as well.
    fn show_through_the_target(&self, args: &Arguments, payload: &[u8]) -> Result<(), Refusal> {
        let Some(upload) = args.up.and_then(|up| self.uploads.0.get(&up)) else { return Ok(()) };
        if let Ok(found) = self.file(&upload.path)
            && !payload.is_empty()
            && self.behaviour.has(&mutations::uploads::APPENDS_SHOW)
        {
            write_at(&found.open(OFlags::WRONLY)?, payload, args.off)?;
        }
        Ok(())
    }

    /// A mutation: what was committed is written over what was put there since.
    pub(super) fn committed_again(&mut self, args: &Arguments) -> Result<(), Refusal> {
        let Some((_, content)) = self.committed.take_if(|(path, _)| *path == args.path) else { return Ok(()) };
        if self.behaviour.has(&mutations::uploads::COMMITTED_TWICE) {
            let file = self.file(&args.path)?.open(OFlags::WRONLY | OFlags::TRUNC)?;
            write_at(&file, &content, 0)?;
        }
        Ok(())
    }

    /// [COMMIT-1]
    pub(super) fn commit(&mut self, args: &Arguments, session: SessionId) -> Answer {
        let (name, upload) = self.uploads.begun(args, session, &self.behaviour)?;
        let staged = upload.staged.as_ref().ok_or(Code::NoUpload)?;
        let (path, len, size, was_free) = (upload.path.clone(), staged.len, upload.size, upload.was_free);
        let opened = upload.directory.take();
        let behaviour = self.behaviour.clone();
        let has = |mutation| behaviour.has(mutation);
        let is_counted = args.size == Some(len);
        let is_right = args.hash == staged.hash.finalize().as_bytes()
            || (args.hash.is_empty() && has(&mutations::uploads::HASH_MAY_BE_MISSING));
        if !(is_counted && is_right) && has(&mutations::uploads::TARGET_FIRST) {
            self.check_target(&self.place(&path)?, &args.pre, None)?;
        }
        let is_hash_first = !is_counted && !is_right && has(&mutations::uploads::DIGEST_FIRST);
        if !is_counted && !is_hash_first && !has(&mutations::uploads::SIZE_UNCHECKED) {
            if has(&mutations::uploads::OFFSET_DISCARDS) {
                self.discard(args.up)?;
            }
            return Err(Refusal::with(Code::Offset, vec![field("off", integer(len))]));
        }
        if !is_right && !has(&mutations::uploads::HASH_UNCHECKED) {
            // [COMMIT-2]
            if !has(&mutations::uploads::DIGEST_KEEPS) {
                self.discard(args.up)?;
            }
            return Err(Code::Digest.into());
        }
        if size.is_some_and(|size| size != len) && has(&mutations::uploads::SIZE_IS_A_PROMISE) {
            return Err(Refusal::with(Code::Offset, vec![field("off", integer(len))]));
        }
        if len == 0 && has(&mutations::uploads::NOTHING_IS_NOT_COMMITTED) {
            return Err(Code::NoUpload.into());
        }
        self.make_parents(&path, &mutations::uploads::COMMIT_MAKES_PARENTS)?;
        let checked = self.place(&path).and_then(|place| {
            let replaces =
                if was_free { &mutations::uploads::TARGET_OF_BEGIN } else { &mutations::targets::COMMIT_REPLACES };
            let pre = self.pre(args, &place, replaces)?;
            self.check_target(&place, &pre, None).map(|_| (place, pre))
        });
        if checked.is_err() && self.behaviour.has(&mutations::uploads::REFUSED_COMMIT_DISCARDS) {
            self.discard(args.up)?;
        }
        let (mut place, pre) = checked?;
        if self.behaviour.selects(&mutations::uploads::COMMIT_BY_NAME)
            && let Ok(again) = self.directory_by_name(&path)
            && fstat(&again)?.st_ino != fstat(&place.directory)?.st_ino
            && self.behaviour.has(&mutations::uploads::COMMIT_BY_NAME)
        {
            place.directory = again;
        }
        if let Some(opened) = opened
            && fstat(&opened)?.st_ino != fstat(&place.directory)?.st_ino
            && self.behaviour.has(&mutations::uploads::COMMIT_BY_HANDLE)
        {
            place.directory = opened;
        }
        let file = self.staging()?.file(&name)?;
        // [COMMIT-4]
        let staged_at = nanoseconds_of_mtime(&fstat(&file)?);
        futimens(
            &file,
            &times(match args.mtime_ns {
                Some(_) if self.behaviour.has(&mutations::uploads::COMMIT_IGNORES_TIME) => None,
                None if self.behaviour.has(&mutations::uploads::COMMIT_KEEPS_TIME) => Some(staged_at),
                given => given.map(|ns| self.nearest(ns)),
            }),
        )?;
        let stays = self.behaviour.has(&mutations::uploads::COMMIT_STAYS);
        let entry = self.publish(&name, &file, &place, &pre, true)?;
        if was_free && self.behaviour.has(&mutations::targets::COMMITTED_IS_PRIVATE) {
            fchmod(&file, Mode::RUSR | Mode::WUSR)?;
        }
        if self.behaviour.selects(&mutations::uploads::COMMITTED_TWICE) {
            self.committed = Some((path.clone(), std::fs::read(place.find()?.by_handle())?));
        }
        if self.uploads.0.len() > 1 && self.behaviour.has(&mutations::uploads::COMMIT_CLEARS) {
            let others: Vec<_> = self.uploads.0.keys().copied().filter(|other| Some(*other) != args.up).collect();
            others.into_iter().try_for_each(|other| self.discard(Some(other)))?;
        }
        if stays {
            io::copy(&mut place.find()?.open(OFlags::RDONLY)?, &mut self.staging()?.new_file(&name)?)?;
        } else {
            self.discard(args.up)?;
        }
        Ok(Reply::entry(entry))
    }

    /// [ABORT-1]
    pub(super) fn abort(&mut self, args: &Arguments, session: SessionId) -> Answer {
        let known = args.up.and_then(|id| self.uploads.0.get_mut(&id));
        let behaviour = self.behaviour.clone();
        let has = |mutation| behaviour.has(mutation);
        match known {
            None if args.up.is_none() && has(&mutations::codes::MISSING_ARGUMENTS) => return Ok(Reply::ok(Vec::new())),
            None if has(&mutations::uploads::ABORT_OF_NOTHING) => return Err(Code::NoUpload.into()),
            Some(upload) if upload.begun_in != Some(session) && has(&mutations::uploads::ABORT_OF_ONES_OWN) => {
                return Err(Code::NoUpload.into());
            }
            Some(upload) if has(&mutations::uploads::ABORT_FORGETS_NOTHING) => {
                upload.begun_in = None;
                return Ok(Reply::ok(Vec::new()));
            }
            Some(upload) if has(&mutations::uploads::ABORT_REMOVES) => {
                let path = upload.path.clone();
                if let Ok(place) = self.place(&path) {
                    // Nothing may be there.
                    let _ = unlinkat(&place.directory, place.name(), AtFlags::empty());
                }
            }
            _ => {}
        }
        self.discard(args.up)?;
        Ok(Reply::ok(Vec::new()))
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
        // What was hashed as it came stands for its hash, which cannot be gone on with.
        let noted = self.staging()?.file(&hashed(&name_of(id)));
        let (file, from) = match noted {
            Ok(noted) if self.behaviour.has(&mutations::uploads::HASH_IS_NOTED) => (noted, 1),
            _ => (file, 0),
        };
        let mut hash = blake3::Hasher::new();
        let len = self.each_slice(&file, from, len, progress, |slice| {
            hash.update(slice);
            Ok(())
        })?;
        if len > 0 && self.behaviour.has(&mutations::uploads::NOT_READ_BACK) {
            hash.reset();
        }
        Ok(Staged { len, hash })
    }

    /// Stages an upload of nothing yet, and makes room for it ([BEGIN-6]).
    fn stage(&mut self, id: UploadId, path: &Path) -> Result<Staged, Refusal> {
        let temporary = self.staging()?.temporary()?;
        self.staging()?.rename(temporary.name, &name_of(id))?;
        drop(temporary);
        let is_other = |(other, upload): &(&UploadId, &Upload)| {
            **other != id && (upload.path != *path || self.behaviour.has(&mutations::uploads::REPLACED_COUNTS))
        };
        let mut others: Vec<_> =
            self.uploads.0.iter().filter(is_other).map(|(id, upload)| (upload.used, *id)).collect();
        others.sort_unstable();
        let fewer = others.len() >= 16 && self.behaviour.has(&mutations::uploads::LIMIT_OF_16);
        let surplus = (others.len() + 1).saturating_sub(if fewer { 16 } else { self.limits.uploads });
        if surplus > 0 && self.behaviour.has(&mutations::uploads::LIMIT_IS_NO_SPACE) {
            return Err(Code::NoSpace.into());
        }
        if surplus > 0 && self.behaviour.is_variant(&variants::FULL_OF_UPLOADS) {
            self.staging()?.discard(&name_of(id))?;
            return Err(Code::Limit.into());
        }
        if surplus > 0 && self.behaviour.has(&mutations::uploads::NEWEST_GOES) {
            others.reverse();
        }
        for (_, oldest) in &others[..surplus] {
            self.discard(Some(*oldest))?;
        }
        Ok(Staged { len: 0, hash: blake3::Hasher::new() })
    }

    /// A mutation asks whether there are uploads for the same path.
    fn has_others_of(&self, path: &Path, id: UploadId) -> bool {
        self.uploads.0.iter().any(|(other, upload)| *other != id && upload.path == *path)
    }

    /// [BEGIN-3]
    fn discard_others_of(&mut self, path: &Path, id: UploadId) -> Result<(), Refusal> {
        let of_path = |(other, upload): (&UploadId, &Upload)| (*other != id && upload.path == *path).then_some(*other);
        let others: Vec<_> = self.uploads.0.iter().filter_map(of_path).collect();
        others.into_iter().try_for_each(|other| self.discard(Some(other)))
    }

    /// A mutation: discards what is staged for longer paths that begin like this one.
    fn discard_alike(&mut self, path: &Path) -> Result<(), Refusal> {
        let is_alike = |upload: &Upload| upload.path != *path && upload.path.as_str().starts_with(path.as_str());
        let alike: Vec<_> =
            self.uploads.0.iter().filter(|(_, upload)| is_alike(upload)).map(|(other, _)| *other).collect();
        if alike.is_empty() || !self.behaviour.has(&mutations::uploads::ALIKE_GO) {
            return Ok(());
        }
        alike.into_iter().try_for_each(|other| self.discard(Some(other)))
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

/// The name of an upload's staged file.
pub(super) fn name_of(id: UploadId) -> String {
    to_hex(id.as_bytes())
}

fn note_of(name: &str) -> String {
    format!("{name}.note")
}

/// A mutation keeps the hashed bytes in this file, after one byte of its own.
fn hashed(name: &str) -> String {
    format!("{name}.hashed")
}

/// Paths have no line breaks ([PATH-3]).
fn note(path: &Path, size: Option<u64>) -> String {
    format!("{}\n{}", path.as_str(), size.map(|size| size.to_string()).unwrap_or_default())
}
