//! `generate-token` and `generate-keys`.

use super::{args::OutputArgs, failure::Failure, output::JSON_SCHEMA};
use crate::keys::{generate_keys as new_keys, generate_token as new_token};
use remofile_proto::z85;
use std::io::Write as _;

pub(crate) fn generate_token(output: &OutputArgs) -> Result<(), Failure> {
    let token = new_token();
    let mut out = std::io::stdout().lock();
    if output.json {
        writeln!(out, "{}", serde_json::json!({"schema": JSON_SCHEMA, "token": token.reveal()}))?;
    } else {
        writeln!(out, "{}", token.reveal())?;
    }
    Ok(())
}

pub(crate) fn generate_keys(output: &OutputArgs) -> Result<(), Failure> {
    let keys = new_keys();
    let mut out = std::io::stdout().lock();
    if output.json {
        let line = serde_json::json!({
            "schema": JSON_SCHEMA, "public_key": z85::encode(keys.public()), "secret_key": z85::encode(keys.secret()),
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "public {}", z85::encode(keys.public()))?;
        writeln!(out, "secret {}", z85::encode(keys.secret()))?;
    }
    Ok(())
}
