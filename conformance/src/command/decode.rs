//! `conformance decode`

use super::print;
use crate::{
    decode,
    exit::{Exit, Failure},
};

/// Explains the frames of a message.
pub(super) fn decode(frames: &[String]) -> Result<Exit, Failure> {
    let frames: Result<Vec<Vec<u8>>, String> = frames.iter().map(|text| decode::hex(text)).collect();
    let explained = decode::explain(&frames.map_err(Failure::usage)?);
    print(&format!("{}\n", explained.text))?;
    Ok(if explained.conformant { Exit::Conformant } else { Exit::NotConformant })
}
