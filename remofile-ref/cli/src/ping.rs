//! `ping`: how long a request and its answer take.

use super::{args::Cli, connection::Target, failure::Failure, output::write_json};
use clap::Args;
use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    remofile ping                is the server there, and how far away?\n  \
    remofile ping -c 100 -q      a hundred round trips, the summary alone\n  \
    remofile --json ping -c 1    for a script")]
pub(crate) struct PingArgs {
    /// How many round trips
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
}

pub(crate) fn run(cli: &Cli, args: &PingArgs) -> Result<(), Failure> {
    let target = Target::find(cli)?;
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
        if !cli.output.json && !cli.output.quiet {
            writeln!(out, "answer from {endpoint}: {:.3} ms", milliseconds(took))?;
        }
    }
    client.bye();
    let average = sum / args.count;
    if cli.output.json {
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
