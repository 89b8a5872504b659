//! `info`: the limits of a server, and the owner of its session.

use crate::{
    connection::ServerTarget,
    failure::Failure,
    options::{ConnectionOptions, ObeyedOptions, OutputOptions, TakeOptions, WaitOptions},
    render::{escaped, human_milliseconds, human_size, is_terminal, shown, write_json},
};
use clap::Args;
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Busy, HelloReply, Names};
use serde_json::{Value, json};
use std::io::{self, Write as _};

/// The supported version of the protocol.
const VERSION: u32 = 1;

#[derive(Debug, Args)]
#[command(
    long_about = "Show the protocol version, the limits and the capabilities of a server. While another client holds \
        the session, show its name and when it was last active; info neither waits for the session nor takes it over.",
    after_help = "Examples:\n  \
        remofile info                        version, limits, owner of the session\n  \
        remofile info --server nas:6768      the same for another server\n  \
        remofile --json info                 for a script"
)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl InfoArgs {
    pub(crate) fn obeyed(&mut self) -> ObeyedOptions<'_> {
        self.output.obeyed().with_connection(&mut self.connection)
    }
}

pub(crate) fn run(args: &InfoArgs) -> Result<(), Failure> {
    let target = ServerTarget::find(&args.connection, &WaitOptions::default(), &TakeOptions::default())?;
    let server = target.endpoint.to_string();
    let mut object = json!({"server": server, "protocol": VERSION, "program": env!("CARGO_PKG_VERSION")});
    match FileClient::connect(&target.endpoint, &target.token, target.options.clone()) {
        Ok(client) => {
            object["session"] = json!({"state": "free"});
            add_limits(&mut object, &client.welcome());
            client.bye();
        }
        Err(ClientError::Busy(busy)) => object["session"] = owner_json(&busy),
        Err(error) => return Err(error.into()),
    }
    let mut out = io::stdout().lock();
    if args.output.is_json() {
        return Ok(write_json(&mut out, object)?);
    }
    for (name, text) in lines(&object) {
        writeln!(out, "{name:12} {text}")?;
    }
    Ok(())
}

fn owner_json(busy: &Busy) -> Value {
    json!({"state": "busy", "client": busy.client, "idle_ms": busy.idle_ms, "lease_ms": busy.lease_ms})
}

fn add_limits(object: &mut Value, welcome: &HelloReply) {
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
    object["caps"] = welcome.caps.names().collect::<Vec<_>>().into();
}

/// The same as text; in a pipe sizes are exact.
fn lines(object: &Value) -> Vec<(&'static str, String)> {
    let number = |key: &str| object[key].as_u64().unwrap_or_default();
    let text = |key: &str| shown(object[key].as_str().unwrap_or("-"));
    let bytes = |key| if is_terminal() { human_size(number(key)) } else { number(key).to_string() };
    let session = &object["session"];
    let held = session["client"].as_str().map(|client| {
        let idle = human_milliseconds(session["idle_ms"].as_u64().unwrap_or_default());
        let lease = human_milliseconds(session["lease_ms"].as_u64().unwrap_or_default());
        format!("in use by '{}', last active {idle} ago, lease {lease}", escaped(client))
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
            ("names", format!("{}{}", text("names"), if object["folds"] == true { ", case-insensitive" } else { "" })),
            ("lease", human_milliseconds(number("lease_ms"))),
            ("window", number("window").to_string()),
            ("chunk", bytes("chunk")),
            ("header", bytes("header")),
            ("boot", text("boot")),
            ("extensions", if caps.is_empty() { "-".to_owned() } else { shown(&caps.join(" ")) }),
        ]);
    }
    lines
}
