//! From options, environment and configuration to an open session.

mod config;
mod prompt;
mod settings;
mod sources;
mod target;
mod token;

pub(crate) use self::{
    config::Config,
    settings::{DEFAULT_PORT, variable},
    target::{ServerTarget, connect},
    token::{parse_token, serve_token, warn_of_visible_token},
};
