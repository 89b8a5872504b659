//! Section 11.19: what is staged, page by page.

use super::{
    Store,
    uploads::{Upload, name_of},
    writing::length,
};
use crate::{
    arguments::Arguments,
    mutations,
    reply::{Answer, Reply, bytes, field, integer, text},
};
use remofile_proto::{SessionId, UploadId, cbor::Item};
use std::time::SystemTime;

/// What the header of a page has beside its uploads, in bytes at most.
const OVERHEAD: usize = 100;

impl Store {
    /// [UPLOADS-1], [UPLOADS-2]
    pub(super) fn uploads(&mut self, args: &Arguments, session: SessionId) -> Answer {
        let behaviour = self.behaviour.clone();
        let has = |mutation| behaviour.has(mutation);
        let is_listed = |id: &UploadId, upload: &Upload| {
            let follows = id.as_bytes()[..] > args.after[..];
            let judged_otherwise = self.behaviour.any(&[
                (id.as_bytes()[..] == args.after[..], &mutations::uploads::UPLOADS_AFTER_INCLUDED),
                (!follows, &mutations::uploads::UPLOADS_AFTER_IGNORED),
                (follows && upload.begun_in != Some(session), &mutations::uploads::OWN_UPLOADS),
            ]);
            follows != judged_otherwise
        };
        let mut listed: Vec<_> = self.uploads.0.iter().filter(|(id, upload)| is_listed(id, upload)).collect();
        if listed.len() > 1 && has(&mutations::uploads::UPLOADS_BY_AGE) {
            listed.sort_by_key(|(_, upload)| std::cmp::Reverse(upload.used));
        }
        let (mut room, most) = (usize::try_from(self.limits.chunk).unwrap_or(usize::MAX) - OVERHEAD, self.page_limit());
        let (mut page, mut more) = (Vec::new(), false);
        for (id, upload) in listed {
            let age = SystemTime::now().duration_since(upload.used).unwrap_or_default();
            let len = length(&self.staging()?.file(&name_of(*id))?)?;
            let mut fields = vec![
                field("up", bytes(id.as_bytes())),
                field("path", text(upload.path.as_str())),
                field("off", integer(len)),
                field("age_ms", integer(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))),
            ];
            let size = upload.size.or_else(|| has(&mutations::uploads::SIZE_IS_OFF).then_some(len));
            fields.extend(size.map(|size| field("size", integer(size))));
            let upload = Item::Map(fields);
            let len = upload.encode().map_or(usize::MAX, |encoded| encoded.len());
            let is_full = len > room || page.len() as u64 >= most;
            if is_full && !has(&mutations::uploads::LONG_PAGES) {
                more = true;
                break;
            }
            room = room.saturating_sub(len);
            page.push(upload);
        }
        let told = match more {
            true => !has(&mutations::uploads::UPLOADS_NEVER_MORE),
            false => has(&mutations::uploads::UPLOADS_ALWAYS_MORE),
        };
        Ok(Reply::ok(vec![field("uploads", Item::Array(page)), field("more", Item::Bool(told))]))
    }
}
