//! `conformance decode`

mod message;

use super::print;
use crate::{
    exit::{Exit, Failure},
    wire::cbor::from_hex,
};

/// Explains the frames of a message.
pub(super) fn decode(frames: &[String]) -> Result<Exit, Failure> {
    let frames: Result<Vec<Vec<u8>>, String> = frames.iter().map(|text| from_hex(text)).collect();
    let explained = message::explain(&frames.map_err(Failure::usage)?);
    print(&format!("{}\n", explained.text))?;
    Ok(if explained.conformant { Exit::Conformant } else { Exit::NotConformant })
}
