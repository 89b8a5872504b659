//! `upload` and `download`.

mod download;
mod filter;
mod options;
mod polled_stdin;
mod report;
mod session;
mod upload;

pub(crate) use self::{
    download::{DownloadArgs, run as download},
    filter::{add_pattern, add_pattern_file},
    session::{Transfer, lock},
    upload::{UploadArgs, run as upload},
};
