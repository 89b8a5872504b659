//! Mutations of uploads.

use super::{Content, Staged, Store, Upload, Uploads, name_of, wrong_offset};
use crate::{
    arguments::{Arguments, Pre},
    behaviour::Behaviour,
    mutations::{codes, targets, uploads},
    paths::Path,
    reply::{Answer, Fields, Refusal, Reply, bytes, field, integer, replace},
    store::{
        entry::nanoseconds_of_mtime,
        staging::Staging,
        tree::{HANDLE, Place},
        writing::write_at,
    },
};
use remofile_proto::{Code, SessionId, UploadId};
use rustix::{
    fs::{AtFlags, Mode, OFlags, fchmod, fstat, openat, unlinkat},
    io::Errno,
};
use std::{borrow::Cow, fs::File, io, os::fd::OwnedFd, thread, time::Duration, time::SystemTime};

/// What only mutations know of the begin of an upload.
#[derive(Default)]
pub(super) struct Origin {
    /// Whether nothing was at its path.
    was_free: bool,
    /// The directory of its path.
    directory: Option<OwnedFd>,
}

impl Behaviour {
    pub(super) fn mutated_unknown_upload(&self, args: &Arguments, refusal: Refusal) -> Refusal {
        let is_announced = args.off.max(args.size.unwrap_or(0)) > 0;
        if is_announced && self.has(&codes::OFFSET_BEFORE_UPLOAD) {
            return wrong_offset(0);
        }
        if self.has(&uploads::UNKNOWN_IS_MISSING) { Code::NotFound.into() } else { refusal }
    }

    /// Keeps the appended bytes in a file of their own, after one byte.
    pub(super) fn mutated_note_of_hash(
        &self,
        staging: &Staging,
        name: &str,
        off: u64,
        payload: &[u8],
    ) -> Result<(), Errno> {
        match self.selects(&uploads::HASH_IS_NOTED) {
            true => write_at(&staging.any_file(&hashed(name))?, payload, off + 1),
            false => Ok(()),
        }
    }

    /// Whether an append renews the age of its upload.
    pub(super) fn mutated_renewal_of_upload(&self) -> bool {
        !self.any(&[(true, &uploads::AGE_OF_BEGIN), (true, &uploads::FIRST_BEGUN_GOES)])
    }

    pub(super) fn mutated_off(&self, asked: u64, payload: &[u8], off: u64) -> u64 {
        if !payload.is_empty() && self.has(&uploads::OFF_BEFORE) { asked } else { off }
    }

    pub(super) fn mutated_hash_of_staged(&self, len: u64, hash: &mut blake3::Hasher) {
        if len > 0 && self.has(&uploads::NOT_READ_BACK) {
            hash.reset();
        }
    }

    /// Whether an upload counts against the limit.
    pub(super) fn mutated_count_of_uploads(&self, is_of_another_path: bool) -> bool {
        is_of_another_path || self.has(&uploads::REPLACED_COUNTS)
    }

    pub(super) fn mutated_limit_of_uploads(&self, others: usize, limit: usize) -> usize {
        if others >= 16 && self.has(&uploads::LIMIT_OF_16) { 16 } else { limit }
    }

    pub(super) fn mutated_surplus_of_uploads<T>(&self, oldest_first: &mut [T]) -> Result<(), Refusal> {
        if self.has(&uploads::LIMIT_IS_NO_SPACE) {
            return Err(Code::NoSpace.into());
        }
        if self.has(&uploads::NEWEST_GOES) {
            oldest_first.reverse();
        }
        Ok(())
    }
}

impl Upload {
    /// The upload as the server finds it at its start, unless it discards it.
    pub(super) fn mutated_start(mut self, behaviour: &Behaviour) -> Option<Self> {
        if behaviour.has(&uploads::UPLOADS_DO_NOT_LAST) {
            return None;
        }
        if behaviour.has(&uploads::AGE_OF_THE_RUN) {
            self.used = SystemTime::now();
        }
        Some(self)
    }

    /// Whether a session may append to the upload and commit it.
    pub(super) fn mutated_access(&self, session: SessionId, is_allowed: bool, behaviour: &Behaviour) -> bool {
        if self.begun_in.is_none_or(|begun_in| begun_in == session) {
            return is_allowed;
        }
        // With the first one a session stands for a connection.
        if behaviour.has(&uploads::OF_A_CONNECTION) { false } else { behaviour.has(&uploads::UPLOADS_ARE_SHARED) }
    }

    /// Judges where a chunk goes; gives the reply where it is not to be written.
    pub(super) fn mutated_fit(
        &self,
        off: u64,
        payload: &[u8],
        fits: Result<(), Refusal>,
        behaviour: &Behaviour,
    ) -> Result<Option<Reply>, Refusal> {
        let (len, ends_at) = (self.staged.as_ref().map_or(0, |staged| staged.len), off + payload.len() as u64);
        if payload.is_empty() && behaviour.has(&uploads::NOTHING_IS_NOT_APPENDED) {
            return Err(Code::BadArgs.into());
        }
        if let Err(refusal) = fits {
            if behaviour.any(&[
                (!payload.is_empty() && ends_at <= len, &uploads::CHUNKS_AGAIN),
                (payload.is_empty(), &uploads::NOTHING_FITS_ANYWHERE),
            ]) {
                return Ok(Some(Reply::ok(vec![field("off", integer(len))])));
            }
            if !behaviour.has(&uploads::CHUNKS_GO_TO_THE_END) {
                let repeats = behaviour.has(&uploads::OFFSET_OF_THE_REQUEST);
                return Err(if repeats { wrong_offset(off) } else { refusal });
            }
        }
        let is_beyond = self.size.is_some_and(|size| ends_at > size);
        if is_beyond && behaviour.has(&uploads::SIZE_IS_A_LIMIT) { Err(Code::TooLarge.into()) } else { Ok(None) }
    }

    fn has_bytes(&self) -> bool {
        self.staged.as_ref().is_some_and(|staged| staged.len > 0)
    }
}

impl Uploads {
    fn ids_of(&self, is_chosen: impl Fn(UploadId, &Upload) -> bool) -> Vec<UploadId> {
        self.0.iter().filter(|(id, upload)| is_chosen(**id, upload)).map(|(id, _)| *id).collect()
    }
}

impl Store {
    /// What is done before `begin`.
    pub(super) fn mutated_begin(&mut self, args: &Arguments, session: SessionId) -> Result<(), Refusal> {
        match self.place(&args.path) {
            Err(refusal) if self.behaviour.has(&uploads::BEGIN_LOOKS_AT_PARENTS) => return Err(refusal),
            Ok(place)
                if matches!(place.look(), Ok(Some(_))) && self.behaviour.has(&uploads::BEGIN_LOOKS_AT_THE_TARGET) =>
            {
                return Err(Code::Exists.into());
            }
            _ => {}
        }
        self.make_parents(&args.path, &uploads::BEGIN_MAKES_PARENTS)?;
        let of_others = self.uploads.ids_of(|_, upload| upload.begun_in.is_some_and(|other| other != session));
        if !of_others.is_empty() && self.behaviour.has(&uploads::UPLOADS_END) {
            self.discard_all(of_others)?;
        }
        Ok(())
    }

    /// Whether `begin` continues what is staged.
    pub(super) fn mutated_continuation(&self, id: UploadId, args: &Arguments, is_known: bool) -> bool {
        let Some(upload) = self.uploads.0.get(&id) else { return is_known };
        if !is_known {
            return self.behaviour.has(&uploads::ANOTHER_PATH_GOES_ON);
        }
        let resized = upload.size != args.size && upload.has_bytes();
        !self.behaviour.any(&[(true, &uploads::BEGIN_STARTS_OVER), (resized, &uploads::ANOTHER_SIZE_STARTS_OVER)])
    }

    pub(super) fn mutated_no_space(&mut self, id: UploadId, args: &Arguments) -> Result<(), Refusal> {
        if self.behaviour.has(&uploads::REFUSED_DISCARDS) {
            self.discard_others_of(&args.path, id)?;
        }
        if self.uploads.0.contains_key(&id) && self.behaviour.has(&uploads::TOO_LARGE_DISCARDS) {
            self.discard(Some(id))?;
        }
        Ok(())
    }

    /// The size that `begin` notes.
    pub(super) fn mutated_size(&self, id: UploadId, args: &Arguments, continues: bool) -> Option<u64> {
        let first = self.uploads.0.get(&id).and_then(|upload| upload.size).filter(|first| Some(*first) != args.size);
        if first.is_some() && continues && self.behaviour.has(&uploads::FIRST_SIZE_STAYS) {
            return first;
        }
        args.size.filter(|_| !self.behaviour.has(&uploads::SIZE_IS_FORGOTTEN))
    }

    pub(super) fn mutated_begun(&self, staged: &Staged, mut result: Fields) -> Fields {
        if staged.len == 0 && self.behaviour.has(&uploads::NEW_HASH_IS_ZERO) {
            replace(&mut result, "hash", bytes(&[0; 32]));
        }
        if staged.len > 0 && self.behaviour.has(&uploads::HASH_OF_NOTHING) {
            replace(&mut result, "hash", bytes(blake3::hash(b"").as_bytes()));
        }
        result
    }

    pub(super) fn origin(&self, path: &Path) -> Origin {
        let was_free = self.place(path).is_ok_and(|place| matches!(place.look(), Ok(None)));
        let directory = match self.behaviour.selects(&uploads::COMMIT_BY_HANDLE) {
            true => self.place(path).ok().map(|place| place.directory),
            false => None,
        };
        Origin { was_free, directory }
    }

    /// What is done after an upload was staged.
    pub(super) fn mutated_staging(&mut self, id: UploadId, path: &Path) -> Result<(), Refusal> {
        self.history.begun = Some(id);
        let alike =
            self.uploads.ids_of(|_, upload| upload.path != *path && upload.path.as_str().starts_with(path.as_str()));
        if !alike.is_empty() && self.behaviour.has(&uploads::ALIKE_GO) {
            self.discard_all(alike)?;
        }
        if let Ok(place) = self.place(path)
            && matches!(place.look(), Ok(None))
            && self.behaviour.has(&uploads::STAGED_IN_SIGHT)
        {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            openat(&place.directory, place.name(), flags, Mode::from_raw_mode(0o666))?;
        }
        Ok(())
    }

    /// Whether other uploads of the path stay.
    pub(super) fn mutated_coexistence(&self, id: UploadId, path: &Path) -> bool {
        let others = self.uploads.ids_of(|other, upload| other != id && upload.path == *path);
        !others.is_empty() && self.behaviour.has(&uploads::OTHERS_STAY)
    }

    /// Appends to the upload that was begun last, whichever is named.
    pub(super) fn mutated_append<'a>(&mut self, args: &'a Arguments) -> Cow<'a, Arguments> {
        let is_known = |id: &UploadId| self.uploads.0.contains_key(id);
        let begun = self.history.begun.filter(is_known);
        let is_other = begun.is_some() && begun != args.up && args.up.as_ref().is_some_and(is_known);
        if is_other && self.behaviour.has(&uploads::ONE_IS_OPEN) {
            self.history.begun = None;
            let mut of_another = args.clone();
            of_another.up = begun;
            return Cow::Owned(of_another);
        }
        Cow::Borrowed(args)
    }

    /// Writes to the file that is to be replaced as well.
    pub(super) fn mutated_target_of_append(&self, args: &Arguments, payload: &[u8]) -> Result<(), Refusal> {
        let Some(upload) = args.up.and_then(|up| self.uploads.0.get(&up)) else { return Ok(()) };
        if let Ok(found) = self.file(&upload.path)
            && !payload.is_empty()
            && self.behaviour.has(&uploads::APPENDS_SHOW)
        {
            write_at(&found.open(OFlags::WRONLY)?, payload, args.off)?;
        }
        Ok(())
    }

    /// Judges what is to be committed.
    pub(super) fn mutated_content(
        &self,
        args: &Arguments,
        path: &Path,
        content: &Content,
        checked: Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let has = |mutation| self.behaviour.has(mutation);
        let Content { len, announced, is_counted, is_right } = *content;
        let Err(refusal) = checked else {
            if announced.is_some_and(|size| size != len) && has(&uploads::SIZE_IS_A_PROMISE) {
                return Err(wrong_offset(len));
            }
            let is_refused = len == 0 && has(&uploads::NOTHING_IS_NOT_COMMITTED);
            return if is_refused { Err(Code::NoUpload.into()) } else { Ok(()) };
        };
        if has(&uploads::TARGET_FIRST) {
            self.check_target(&self.place(path)?, &args.pre, None)?;
        }
        if is_counted {
            let is_trusted =
                (args.hash.is_empty() && has(&uploads::HASH_MAY_BE_MISSING)) || has(&uploads::HASH_UNCHECKED);
            return if is_trusted { Ok(()) } else { Err(refusal) };
        }
        if !is_right && has(&uploads::DIGEST_FIRST) {
            return Err(Code::Digest.into());
        }
        match is_right {
            _ if !has(&uploads::SIZE_UNCHECKED) => Err(refusal),
            true => Ok(()),
            false => Err(Code::Digest.into()),
        }
    }

    /// Whether a refused commit discards its upload.
    pub(super) fn mutated_discard(&self, refusal: &Refusal, discards: bool) -> bool {
        match refusal.code {
            Code::Digest => discards && !self.behaviour.has(&uploads::DIGEST_KEEPS),
            Code::Offset => discards || self.behaviour.has(&uploads::OFFSET_DISCARDS),
            _ => discards,
        }
    }

    pub(super) fn mutated_parents_of_commit(&self, path: &Path) -> Result<(), Refusal> {
        self.make_parents(path, &uploads::COMMIT_MAKES_PARENTS)
    }

    pub(super) fn mutated_pre_of_commit(
        &self,
        args: &Arguments,
        place: &Place<'_>,
        origin: &Origin,
    ) -> Result<Pre, Refusal> {
        let replaces = if origin.was_free { &uploads::TARGET_OF_BEGIN } else { &targets::COMMIT_REPLACES };
        self.pre(args, place, replaces)
    }

    pub(super) fn mutated_refusal_of_commit(&mut self, args: &Arguments) -> Result<(), Refusal> {
        if self.behaviour.has(&uploads::REFUSED_COMMIT_DISCARDS) { self.discard(args.up) } else { Ok(()) }
    }

    /// Takes another directory for that of the target.
    pub(super) fn mutated_directory(&self, path: &Path, origin: &Origin, place: &mut Place<'_>) -> Result<(), Refusal> {
        if self.behaviour.selects(&uploads::COMMIT_BY_NAME)
            && let Ok(again) = self.directory_by_name(path)
            && fstat(&again)?.st_ino != fstat(&place.directory)?.st_ino
            && self.behaviour.has(&uploads::COMMIT_BY_NAME)
        {
            place.directory = again;
        }
        if let Some(opened) = &origin.directory
            && fstat(opened)?.st_ino != fstat(&place.directory)?.st_ino
            && self.behaviour.has(&uploads::COMMIT_BY_HANDLE)
        {
            place.directory = opened.try_clone()?;
        }
        Ok(())
    }

    /// The directory that a path is in, found by the names alone some time later.
    fn directory_by_name(&self, path: &Path) -> Result<OwnedFd, Errno> {
        thread::sleep(Duration::from_millis(1));
        let (parents, _) = path.split();
        let way = if parents.is_empty() { ".".to_owned() } else { parents.join("/") };
        openat(&self.root, way, HANDLE | OFlags::DIRECTORY, Mode::empty())
    }

    pub(super) fn mutated_time_of_commit(
        &self,
        file: &File,
        asked: Option<i64>,
        mtime_ns: Option<i64>,
    ) -> Result<Option<i64>, Errno> {
        match asked {
            Some(_) if self.behaviour.has(&uploads::COMMIT_IGNORES_TIME) => Ok(None),
            None if self.behaviour.has(&uploads::COMMIT_KEEPS_TIME) => Ok(Some(nanoseconds_of_mtime(&fstat(file)?))),
            _ => Ok(mtime_ns),
        }
    }

    /// What is done after a commit.
    pub(super) fn mutated_commit(
        &mut self,
        args: &Arguments,
        path: &Path,
        origin: &Origin,
        place: &Place<'_>,
        file: &File,
    ) -> Result<(), Refusal> {
        if origin.was_free && self.behaviour.has(&targets::COMMITTED_IS_PRIVATE) {
            fchmod(file, Mode::RUSR | Mode::WUSR)?;
        }
        if self.behaviour.selects(&uploads::COMMITTED_TWICE) {
            self.history.committed = Some((path.clone(), std::fs::read(place.find()?.by_handle())?));
        }
        let others = self.uploads.ids_of(|id, _| Some(id) != args.up);
        if !others.is_empty() && self.behaviour.has(&uploads::COMMIT_CLEARS) {
            self.discard_all(others)?;
        }
        Ok(())
    }

    /// Writes what was committed over what was put there since.
    pub(in crate::store) fn mutated_put(&mut self, args: &Arguments) -> Result<(), Refusal> {
        let Some((_, content)) = self.history.committed.take_if(|(path, _)| *path == args.path) else { return Ok(()) };
        if self.behaviour.has(&uploads::COMMITTED_TWICE) {
            let file = self.file(&args.path)?.open(OFlags::WRONLY | OFlags::TRUNC)?;
            write_at(&file, &content, 0)?;
        }
        Ok(())
    }

    /// Whether a committed upload stays.
    pub(super) fn mutated_end_of_commit(&self, place: &Place<'_>, name: &str) -> Result<bool, Refusal> {
        let stays = self.behaviour.has(&uploads::COMMIT_STAYS);
        if stays {
            io::copy(&mut place.find()?.open(OFlags::RDONLY)?, &mut self.staging()?.new_file(name)?)?;
        }
        Ok(stays)
    }

    pub(super) fn mutated_abort(&mut self, args: &Arguments, session: SessionId) -> Option<Answer> {
        let has = |mutation| self.behaviour.has(mutation);
        match args.up.and_then(|id| self.uploads.0.get_mut(&id)) {
            None if args.up.is_none() && has(&codes::MISSING_ARGUMENTS) => Some(Ok(Reply::ok(Fields::new()))),
            None if has(&uploads::ABORT_OF_NOTHING) => Some(Err(Code::NoUpload.into())),
            Some(upload) if upload.begun_in != Some(session) && has(&uploads::ABORT_OF_ONES_OWN) => {
                Some(Err(Code::NoUpload.into()))
            }
            Some(upload) if has(&uploads::ABORT_FORGETS_NOTHING) => {
                upload.begun_in = None;
                Some(Ok(Reply::ok(Fields::new())))
            }
            Some(upload) if has(&uploads::ABORT_REMOVES) => {
                let path = upload.path.clone();
                if let Ok(place) = self.place(&path) {
                    // Nothing may be there.
                    let _ = unlinkat(&place.directory, place.name(), AtFlags::empty());
                }
                None
            }
            _ => None,
        }
    }

    /// The file whose hash stands for that of the staged one, and where it begins.
    pub(super) fn mutated_source(&self, id: UploadId, staged: File) -> Result<(File, u64), Refusal> {
        match self.staging()?.file(&hashed(&name_of(id))) {
            Ok(noted) if self.behaviour.has(&uploads::HASH_IS_NOTED) => Ok((noted, 1)),
            _ => Ok((staged, 0)),
        }
    }

    fn discard_all(&mut self, ids: Vec<UploadId>) -> Result<(), Refusal> {
        ids.into_iter().try_for_each(|id| self.discard(Some(id)))
    }
}

/// The name of the file with the appended bytes.
fn hashed(name: &str) -> String {
    format!("{name}.hashed")
}
