//! What goes wrong around the command: disks, networks, kills, paths, and servers that lie.

mod content;
mod cost;
mod disk;
mod hostile_server;
mod kill;
mod long_work;
mod network;
mod paths;
mod relay;
