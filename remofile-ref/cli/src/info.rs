//! `info`: what a server says of itself, and who holds its session.

use super::{
    args::Cli,
    connection::Target,
    failure::Failure,
    output::{escaped, human_duration, human_size, is_terminal, shown, write_json},
};
use clap::Args;
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Busy, Names, Welcome};
use serde_json::{Value, json};
use std::io::{self, Write as _};

/// The version of the protocol that this program speaks.
const VERSION: u32 = 1;

#[derive(Debug, Args)]
#[command(
    long_about = "Show what a server says of itself: protocol, limits, the served directory's id, what it refuses. \
        While another client holds the session, show who that is and when it was last heard; the session is not taken \
        and not waited for.",
    after_help = "Examples:\n  \
        remofile info                        versions, limits, who holds the session\n  \
        remofile info --server nas:6768      of another server\n  \
        remofile --json info                 for a script"
)]
pub(crate) struct InfoArgs {}

pub(crate) fn run(cli: &Cli) -> Result<(), Failure> {
    let target = Target::find(cli)?;
    let server = target.endpoint.to_string();
    let mut object = json!({"server": server, "protocol": VERSION, "program": env!("CARGO_PKG_VERSION")});
    match FileClient::connect(&target.endpoint, &target.token, target.options.clone()) {
        Ok(client) => {
            object["session"] = json!({"state": "free"});
            tell_welcome(&mut object, &client.welcome());
            client.bye();
        }
        Err(ClientError::Busy(busy)) => object["session"] = of_holder(&busy),
        Err(error) => return Err(error.into()),
    }
    let mut out = io::stdout().lock();
    if cli.output.json {
        return Ok(write_json(&mut out, object)?);
    }
    for (name, text) in lines(&object) {
        writeln!(out, "{name:12} {text}")?;
    }
    Ok(())
}

fn of_holder(busy: &Busy) -> Value {
    json!({"state": "busy", "client": busy.client, "idle_ms": busy.idle_ms, "lease_ms": busy.lease_ms})
}

fn tell_welcome(object: &mut Value, welcome: &Welcome) {
    object["window"] = welcome.window.into();
    object["chunk"] = welcome.chunk.into();
    object["header"] = welcome.header.into();
    object["lease_ms"] = welcome.lease_ms.into();
    object["boot"] = welcome.boot.to_string().into();
    object["root"] = welcome.root.map_or(Value::Null, |root| root.to_string().into());
    object["names"] = match welcome.names {
        Names::Posix => "posix",
        Names::Windows => "windows",
    }
    .into();
    object["folds"] = welcome.folds.into();
    object["ro"] = welcome.ro.into();
    object["caps"] = welcome.caps.clone().into();
}

/// The same for people; a pipe gets exact numbers.
fn lines(object: &Value) -> Vec<(&'static str, String)> {
    let number = |key: &str| object[key].as_u64().unwrap_or_default();
    let text = |key: &str| shown(object[key].as_str().unwrap_or("-"));
    let bytes = |key| if is_terminal() { human_size(number(key)) } else { number(key).to_string() };
    let session = &object["session"];
    let held = session["client"].as_str().map(|client| {
        let heard = human_duration(session["idle_ms"].as_u64().unwrap_or_default());
        let lease = human_duration(session["lease_ms"].as_u64().unwrap_or_default());
        format!("in use by '{}', last heard {heard} ago, lease {lease}", escaped(client))
    });
    let mut lines = vec![
        ("server", text("server")),
        ("protocol", number("protocol").to_string()),
        ("program", text("program")),
        ("session", held.clone().unwrap_or_else(|| "free".to_owned())),
    ];
    if held.is_none() {
        let caps: Vec<&str> = object["caps"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        lines.extend([
            ("access", if object["ro"] == true { "read-only" } else { "read and write" }.to_owned()),
            ("directory", text("root")),
            ("names", format!("{}{}", text("names"), if object["folds"] == true { ", case is folded" } else { "" })),
            ("lease", human_duration(number("lease_ms"))),
            ("window", number("window").to_string()),
            ("chunk", bytes("chunk")),
            ("header", bytes("header")),
            ("boot", text("boot")),
            ("extensions", if caps.is_empty() { "-".to_owned() } else { shown(&caps.join(" ")) }),
        ]);
    }
    lines
}
