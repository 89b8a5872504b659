//! `run`, `start` and `stop`: servers in the foreground and in the background.

mod connect_info;
mod daemon;
mod directory;
mod interfaces;
mod log;
mod notify;
mod options;
mod pid_file;
mod processes;
mod run;
mod signals;
mod start_error;

pub(crate) use self::{
    daemon::{StartArgs, StopArgs, start, stop},
    options::RunArgs,
    run::run,
};
