#!/usr/bin/env python3
"""Times transfers side by side with a raw CURVE stream, a bare program, cp, and the peers that are installed.

    remofile-ref/benches/speed.py [--mib 1024] [--files 10000] [--rounds 5] [--only large,small,far,list]

Whole processes are timed from start to end. In each round every contender runs once, in another order; a ratio is that
of two times of one round, and the median of the rounds counts, for absolute numbers change with the machine and with the
hour. All files are in memory (REMOFILE_BENCH_DIR, /dev/shm), all connections on loopback; sftp, scp and rsync talk to an
sshd of their own with keys that live as long as the run. Processor time is that of both ends, where both are known.
Fails where a median misses its bound.
"""

import argparse
import contextlib
import getpass
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CHUNK = 262144
IN_FLIGHT = 4 << 20
FAR_IN_FLIGHT = 16 << 20
WARMED = 8 << 30
FASTEST_CIPHER = "aes128-gcm@openssh.com"

# What is compared, with whom, and how many times as fast the reference has to be.
BOUNDS = {
    ("upload", "raw"): 0.65,
    ("download", "raw"): 0.65,
    ("upload", "sftp"): 1.0,
    ("download", "sftp"): 1.0,
    ("upload", "rsync-ssh"): 1.5,
    ("download", "rsync-ssh"): 1.5,
    ("put", "bare"): 0.6,
    ("get", "bare"): 0.6,
    ("put", "rsync-ssh"): 1.5,
    ("get", "rsync-ssh"): 1.5,
    ("upload 20 ms", "bare"): 0.9,
    ("download 20 ms", "bare"): 0.9,
    ("upload 100 ms", "bare"): 0.9,
    ("download 100 ms", "bare"): 0.9,
    ("list", "hello"): 1 / 2.5,
}
# How many times the processor time of the raw stream a transfer may take.
CPU_BOUND = 1.5


def main():
    arguments = parsed()
    os.chdir(pathlib.Path(__file__).resolve().parents[2])
    built = build()
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="remofile-speed.", dir=os.environ.get("REMOFILE_BENCH_DIR", "/dev/shm"))
        )
        warm(pathlib.Path(place))
        world = World(pathlib.Path(place), built, stack)
        missed = []
        for name, scene in {"large": large, "small": small, "far": far, "list": listing}.items():
            if name in arguments.only.split(","):
                missed += scene(world, arguments)
        for line in missed:
            print(line)
        return 1 if missed else 0


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024, help="size of the large file in MiB (1024)")
    parser.add_argument("--files", type=int, default=10000, help="how many files of 4 KiB the tree has (10000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is timed (5)")
    parser.add_argument("--only", default="large,small,far,list", help="large, small, far, list: some of them")
    return parser.parse_args()


def build():
    examples = ["raw_stream", "bare", "delaying_relay"]
    command = ["cargo", "build", "--quiet", "--release", "-p", "remofile-cli", "--bin", "remofile"]
    subprocess.run(command + [word for example in examples for word in ("--example", example)], check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")).resolve() / "release"


def warm(place):
    """Touches the memory that files will use: in a virtual machine the first write to a page is slow."""
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    spread, block = place / "spread", bytes(1 << 20)
    with open(spread, "wb", buffering=0) as file:
        for _ in range(min(free // 2, WARMED) >> 20):
            file.write(block)
    spread.unlink()


class World:
    """What runs while things are timed: a server of the reference, a bare one, and the peers' servers."""

    def __init__(self, place, built, stack):
        self.place = place
        self.stack = stack
        self.remofile = str(built / "remofile")
        self.raw = str(built / "examples/raw_stream")
        self.bare = str(built / "examples/bare")
        self.relay = str(built / "examples/delaying_relay")
        self.served = self.directory("served")
        self.served_bare = self.directory("served-bare")
        self.peers = self.directory("peers")
        token = subprocess.run([self.remofile, "generate-token"], check=True, capture_output=True, text=True)
        os.environ["REMOFILE_TOKEN"] = token.stdout.strip()
        self.server, announced = self.start([self.remofile, "--quiet", "run", str(self.served), "0"], "REMOFILE_SERVER=")
        self.address = announced.split("=", 1)[1]
        os.environ["REMOFILE_SERVER"] = self.address
        self.bare_server, self.endpoint = self.start([self.bare, "serve", str(self.served_bare)], "tcp://")
        self.ssh = self.sshd()
        self.daemon = self.rsyncd()

    def directory(self, name):
        path = self.place / name
        path.mkdir()
        return path

    def start(self, command, first, stream="stdout"):
        """Starts a server, and waits for the line that says where it listens."""
        server = self.stack.enter_context(subprocess.Popen(command, text=True, **{stream: subprocess.PIPE}))
        self.stack.callback(server.kill)
        for line in getattr(server, stream):
            if first in line:
                return server, line.strip()
        raise SystemExit(f"{command[0]} did not start")

    def sshd(self):
        """The words that reach an sshd of our own, for ssh and for what runs it; None where there is none."""
        sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
        if not sshd or not shutil.which("ssh"):
            print("not here: sshd, so sftp, scp and rsync over ssh are left out")
            return None
        place = self.directory("ssh")
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(place / key)], check=True)
        if os.geteuid() == 0 and not os.path.isdir("/run/sshd"):
            os.mkdir("/run/sshd", 0o755)
            self.stack.callback(os.rmdir, "/run/sshd")
        self.ssh_port = free_port()
        (place / "config").write_text(
            f"Port {self.ssh_port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile none\nStrictModes no\n"
            f"AuthorizedKeysFile {place}/user.pub\nUsePAM no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
        )
        command = [sshd, "-e", "-f", str(place / "config")]
        # Newer ones turn away whom they have seen too often.
        lenient = ["-o", "PerSourcePenalties=no", "-o", "MaxStartups=100"]
        if subprocess.run([*command, *lenient, "-t"], capture_output=True).returncode == 0:
            command += lenient
        self.start([*command, "-D"], "Server listening", stream="stderr")
        return [
            "-F", "/dev/null", "-i", str(place / "user"), "-c", FASTEST_CIPHER, "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={place}/known", "-o", "LogLevel=ERROR",
        ]  # fmt: skip

    def rsyncd(self):
        """The address of an rsync daemon of our own, in clear."""
        if not shutil.which("rsync"):
            print("not here: rsync")
            return None
        port = free_port()
        config = self.place / "rsyncd.conf"
        user = f"uid = {os.geteuid()}\ngid = {os.getegid()}\n" if os.geteuid() == 0 else ""
        config.write_text(f"use chroot = no\n{user}[peers]\npath = {self.peers}\nread only = no\n")
        command = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={port}", "--address=127.0.0.1"]
        daemon = self.stack.enter_context(subprocess.Popen(command))
        self.stack.callback(daemon.kill)
        await_port(port)
        return f"rsync://127.0.0.1:{port}/peers"

    def rsync_ssh(self, *words):
        shell = " ".join(["ssh", "-p", str(self.ssh_port), *self.ssh])
        return ["rsync", "-e", shell, *words]

    def host(self):
        return f"{getpass.getuser()}@127.0.0.1"

    def relayed(self, address, round_trip_ms):
        return self.start([self.relay, address, str(round_trip_ms)], "127.0.0.1")[1]


def large(world, arguments):
    """One large file, up and down."""
    size = arguments.mib << 20
    source, fetched = world.place / "source", world.place / "fetched"
    write_random(source, size)
    raw = [world.raw, str(CHUNK), str(size // CHUNK)]
    bare = [world.bare, "upload", world.endpoint, str(IN_FLIGHT), str(source), "file"]
    ups = {
        "remofile": Run([world.remofile, "--quiet", "upload", str(source), "/file"], world.server, [world.served / "file"]),
        "raw": Run(raw),
        "bare": Run(bare, world.bare_server, [world.served_bare / "file"]),
        "cp": Run(["cp", str(source), str(fetched)], None, [fetched]),
    }
    bare = [world.bare, "download", world.endpoint, str(IN_FLIGHT), "file", str(fetched)]
    downs = {
        "remofile": Run([world.remofile, "--quiet", "download", "/file", str(fetched)], world.server, [fetched]),
        "raw": Run(raw),
        "bare": Run(bare, world.bare_server, [fetched]),
        "cp": ups["cp"],
    }
    there = world.peers / "file"
    if world.ssh:
        sftp = ["sftp", "-q", "-P", str(world.ssh_port), *world.ssh, "-b", "-", world.host()]
        ups["sftp"] = Run(sftp, None, [there], f"put {source} {there}\n")
        downs["sftp"] = Run(sftp, None, [fetched], f"get {there} {fetched}\n")
        scp = ["scp", "-q", "-P", str(world.ssh_port), *world.ssh]
        ups["scp"] = Run([*scp, str(source), f"{world.host()}:{there}"], None, [there])
        downs["scp"] = Run([*scp, f"{world.host()}:{there}", str(fetched)], None, [fetched])
    if world.ssh and world.daemon:
        ups["rsync-ssh"] = Run(world.rsync_ssh("-W", str(source), f"{world.host()}:{there}"), None, [there])
        downs["rsync-ssh"] = Run(world.rsync_ssh("-W", f"{world.host()}:{there}", str(fetched)), None, [fetched])
    if world.daemon:
        ups["rsyncd"] = Run(["rsync", "-W", str(source), f"{world.daemon}/file"], None, [there])
        downs["rsyncd"] = Run(["rsync", "-W", f"{world.daemon}/file", str(fetched)], None, [fetched])
    missed = compare("upload", ups, arguments.rounds, size / 1e6, "MB/s")
    same(source, world.served / "file", world.served_bare / "file")
    missed += compare("download", downs, arguments.rounds, size / 1e6, "MB/s")
    for run in (downs["bare"], downs["remofile"]):
        run.measure()
        same(source, fetched)
    source.unlink()
    fetched.unlink()
    return missed


def small(world, arguments):
    """A tree of files of 4 KiB, up and down."""
    tree, fetched = world.place / "tree", world.place / "fetched-tree"
    for number in range(arguments.files):
        directory = tree / str(number // 100)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"file-{number}").write_bytes(os.urandom(4096))
    bare = [world.bare, "put", world.endpoint, str(IN_FLIGHT), str(tree), "tree"]
    puts = {
        "remofile": Run([world.remofile, "--quiet", "upload", "-r", str(tree), "/tree"], world.server, [world.served / "tree"]),
        "bare": Run(bare, world.bare_server, [world.served_bare / "tree"]),
        "cp": Run(["cp", "-r", str(tree), str(fetched)], None, [fetched]),
    }
    bare = [world.bare, "get", world.endpoint, str(IN_FLIGHT), "tree", str(fetched)]
    gets = {
        "remofile": Run([world.remofile, "--quiet", "download", "-r", "/tree", str(fetched)], world.server, [fetched]),
        "bare": Run(bare, world.bare_server, [fetched]),
        "cp": puts["cp"],
    }
    there = world.peers / "tree"
    if world.ssh and world.daemon:
        puts["rsync-ssh"] = Run(world.rsync_ssh("-rW", f"{tree}/", f"{world.host()}:{there}"), None, [there])
        gets["rsync-ssh"] = Run(world.rsync_ssh("-rW", f"{world.host()}:{there}/", str(fetched)), None, [fetched])
    if world.daemon:
        puts["rsyncd"] = Run(["rsync", "-rW", f"{tree}/", f"{world.daemon}/tree"], None, [there])
        gets["rsyncd"] = Run(["rsync", "-rW", f"{world.daemon}/tree/", str(fetched)], None, [fetched])
    missed = compare("put", puts, arguments.rounds, arguments.files, "files/s")
    same(tree, world.served / "tree", world.served_bare / "tree")
    missed += compare("get", gets, arguments.rounds, arguments.files, "files/s")
    for run in (gets["bare"], gets["remofile"]):
        run.measure()
        same(tree, fetched)
    return missed


def far(world, arguments):
    """The large file over a long way; the bare program has as many bytes in flight as the reference may have."""
    size = arguments.mib << 20
    source, fetched = world.place / "source", world.place / "fetched"
    write_random(source, size)
    missed = []
    for round_trip in (20, 100):
        address = world.relayed(world.address, round_trip)
        endpoint = "tcp://" + world.relayed(world.endpoint.removeprefix("tcp://"), round_trip)
        remofile = [world.remofile, "--quiet", "--server", address]
        bare = [world.bare, "upload", endpoint, str(FAR_IN_FLIGHT), str(source), "far"]
        ups = {
            "remofile": Run([*remofile, "upload", str(source), "/far"], world.server, [world.served / "far"]),
            "bare": Run(bare, world.bare_server, [world.served_bare / "far"]),
        }
        missed += compare(f"upload {round_trip} ms", ups, arguments.rounds, size / 1e6, "MB/s")
        bare = [world.bare, "download", endpoint, str(FAR_IN_FLIGHT), "far", str(fetched)]
        downs = {
            "remofile": Run([*remofile, "download", "/far", str(fetched)], world.server, [fetched]),
            "bare": Run(bare, world.bare_server, [fetched]),
        }
        missed += compare(f"download {round_trip} ms", downs, arguments.rounds, size / 1e6, "MB/s")
    source.unlink()
    fetched.unlink()
    return missed


def listing(world, arguments):
    """A whole command that lists the served directory, against connecting and one reply."""
    runs = {
        "remofile": Run([world.remofile, "list", "/"], world.server),
        "hello": Run([world.bare, "hello", world.endpoint], world.bare_server),
    }
    return compare("list", runs, arguments.rounds * 10, 1, "/s")


class Run:
    """A command that is timed; what it makes is removed first."""

    def __init__(self, command, server=None, makes=(), words=None):
        self.command, self.server, self.makes, self.words = command, server, makes, words

    def measure(self):
        """Seconds of wall time, and of processor time of the command and of the server beside it."""
        for path in self.makes:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        before = processor_time(self.server)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as words:
            words.write((self.words or "").encode())
            words.seek(0)
            began = time.monotonic()
            process = subprocess.Popen(self.command, stdin=words, stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            took = time.monotonic() - began
            process.returncode = status
            if status:
                output.seek(0)
                raise SystemExit(f"{self.command}: status {status}\n{output.read().decode(errors='replace')}")
        spent = usage.ru_utime + usage.ru_stime + processor_time(self.server) - before
        return took, spent


def compare(what, runs, rounds, amount, unit):
    """Times all of them in turn, prints a line for each, and gives the lines of bounds that were missed."""
    times = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            times[name].append(runs[name].measure())
    missed = []
    for name in names:
        rate = statistics.median(amount / took for took, _ in times[name])
        ratios = [theirs[0] / ours[0] for ours, theirs in zip(times["remofile"], times[name])]
        cost = [ours[1] / theirs[1] for ours, theirs in zip(times["remofile"], times[name]) if theirs[1]]
        ratio, cpu = statistics.median(ratios), statistics.median(cost) if cost else 0
        line = f"{what:<15} {name:<10} {rate:>9.0f} {unit:<8}"
        if name != "remofile":
            line += f" remofile is {ratio:5.2f} ({min(ratios):.2f} to {max(ratios):.2f}) times as fast"
            if name in ("raw", "bare"):
                line += f", with {cpu:.2f} times the processor time"
        print(line, flush=True)
        bound = BOUNDS.get((what, name))
        if bound and ratio < bound:
            missed.append(f"missed: {what} is {ratio:.2f} times as fast as {name}, and should be {bound:.2f}")
        if name == "raw" and cpu > CPU_BOUND:
            missed.append(f"missed: {what} takes {cpu:.2f} times the processor time of {name}, and may take {CPU_BOUND}")
    return missed


def processor_time(process):
    """Of a living process with its threads, in seconds."""
    if process is None:
        return 0
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def write_random(path, size):
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))


def same(source, *copies):
    for copy in copies:
        subprocess.run(["diff", "-r", str(source), str(copy)], check=True)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def await_port(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
    raise SystemExit(f"nothing listens on port {port}")


if __name__ == "__main__":
    sys.exit(main())
