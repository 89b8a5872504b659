//! `ping`: measures the round-trip time.

use crate::{connection::ServerTarget, failure::Failure, options::RemoteOptions, render::write_json, units::number_in};
use clap::Args;
use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    remofile ping                four round trips\n  \
    remofile ping -c 100 -q      100 round trips, summary only\n  \
    remofile --json ping -c 1    for a script")]
pub(crate) struct PingArgs {
    /// Number of round trips
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = number_in(1..=u32::MAX))]
    count: u32,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

pub(crate) fn run(args: &PingArgs) -> Result<(), Failure> {
    let RemoteOptions { connection, wait, take, output } = &args.options;
    let target = ServerTarget::find(connection, wait, take)?;
    let endpoint = target.endpoint.to_string();
    let started = Instant::now();
    let client = target.connect()?;
    let connecting = started.elapsed();
    let mut out = io::stdout().lock();
    let (mut least, mut most, mut sum) = (Duration::MAX, Duration::ZERO, Duration::ZERO);
    for _ in 0..args.count {
        let started = Instant::now();
        client.ping()?;
        let took = started.elapsed();
        (least, most, sum) = (least.min(took), most.max(took), sum + took);
        if !output.is_json() && !output.is_quiet() {
            writeln!(out, "answer from {endpoint}: {:.3} ms", milliseconds(took))?;
        }
    }
    client.bye();
    let average = sum / args.count;
    if output.is_json() {
        let object = serde_json::json!({
            "op": "ping", "server": endpoint, "count": args.count, "connect_ms": milliseconds(connecting),
            "min_ms": milliseconds(least), "avg_ms": milliseconds(average), "max_ms": milliseconds(most),
        });
        return Ok(write_json(&mut out, object)?);
    }
    let [least, average, most] = [least, average, most].map(milliseconds);
    writeln!(out, "count {}, min {least:.3} ms, avg {average:.3} ms, max {most:.3} ms", args.count)?;
    Ok(())
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
