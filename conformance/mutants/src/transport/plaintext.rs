//! Mutations: a second socket, without CURVE, for those who know none.

use remofile_proto::KeyPair;
use std::thread;
use zmq::{Context, SocketType};

/// Opens a socket without CURVE whose messages go to the one at `secured`; gives its address.
pub(super) fn start(
    context: &Context,
    secured: &str,
    server: [u8; 32],
    client: &KeyPair,
) -> Result<String, zmq::Error> {
    let (front, back) = (context.socket(SocketType::ROUTER)?, context.socket(SocketType::DEALER)?);
    front.bind("tcp://127.0.0.1:*")?;
    back.set_curve_serverkey(&server)?;
    back.set_curve_publickey(client.public())?;
    back.set_curve_secretkey(client.secret())?;
    back.connect(secured)?;
    let insecure = front.get_last_endpoint()?.unwrap_or_default();
    thread::spawn(move || zmq::proxy(&front, &back));
    Ok(insecure)
}
