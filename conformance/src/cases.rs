//! Every case, in files by the sections of the specification.

mod connection_loss;
mod creating;
mod durability;
mod encoding;
mod entries;
mod envelope;
mod error_order;
mod extensions;
mod hello;
mod lease;
mod limits;
mod links;
mod listing;
mod long_requests;
mod moving;
mod paths;
mod properties;
mod reading;
mod readonly;
mod remembered_replies;
mod sanity;
mod security;
mod sequence;
mod session;
mod session_end;
mod support;
mod targets;
mod uploads;
mod writing;

pub(crate) use properties::replay as replay_operations;

use crate::engine::case::Case;
use std::sync::OnceLock;

/// Every case, in the order of the specification.
pub(crate) fn all() -> &'static [Case] {
    static ALL: OnceLock<Vec<Case>> = OnceLock::new();
    ALL.get_or_init(|| {
        let sections = [
            ("", sanity::cases()),
            ("3", envelope::cases()),
            ("4", encoding::cases()),
            ("5", security::cases()),
            ("6.1", session::cases()),
            ("6.2", lease::cases()),
            ("6.3", session_end::cases()),
            ("7.1", sequence::cases()),
            ("7.1", remembered_replies::cases()),
            ("7.2", long_requests::cases()),
            ("8", paths::cases()),
            ("8", links::cases()),
            ("9", entries::cases()),
            ("10", targets::cases()),
            ("11.1", hello::cases()),
            ("11.4", listing::cases()),
            ("11.5", reading::cases()),
            ("11.7", creating::cases()),
            ("11.9", writing::cases()),
            ("11.12", moving::cases()),
            ("12", uploads::cases()),
            ("13", durability::cases()),
            ("14", error_order::cases()),
            ("15", limits::cases()),
            ("16", connection_loss::cases()),
            ("17", extensions::cases()),
            ("14", readonly::cases()),
            ("11", properties::cases()),
        ];
        let placed =
            |(section, cases): (&'static str, Vec<Case>)| cases.into_iter().map(move |case| Case { section, ..case });
        sections.into_iter().flat_map(placed).collect()
    })
}
