//! The client library against servers real and scripted.

mod control;
mod conversions;
mod handle;
mod recovery;
mod remote_file;
mod remote_file_faults;
mod resume;
mod session;
