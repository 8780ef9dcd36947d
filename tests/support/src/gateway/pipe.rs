//! One direction of one HTTP/2 stream.
//!
//! Never reads ahead of what the other side takes.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{RecvStream, SendStream};

/// The next piece of a stream, `None` at its end.
pub(crate) async fn piece(from: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let Some(piece) = from.data().await.transpose()? else {
        return Ok(None);
    };
    from.flow_control().release_capacity(piece.len())?;
    Ok(Some(piece))
}

/// All of a stream.
pub(crate) async fn whole(from: &mut RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = Vec::new();
    while let Some(piece) = piece(from).await? {
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}

/// Sends it all, as fast as it is taken; nothing comes after it if it is the end.
pub(crate) async fn give(
    to: &mut SendStream<Bytes>,
    mut data: Bytes,
    is_end: bool,
) -> Result<(), h2::Error> {
    if data.is_empty() && is_end {
        return to.send_data(data, true);
    }
    while !data.is_empty() {
        to.reserve_capacity(data.len());
        let room = match to.capacity() {
            0 => match poll_fn(|cx| to.poll_capacity(cx)).await {
                Some(room) => room?,
                None => return Err(h2::Reason::STREAM_CLOSED.into()),
            },
            room => room,
        };
        let piece = data.split_to(room.min(data.len()));
        to.send_data(piece, is_end && data.is_empty())?;
    }
    Ok(())
}

/// Waits until the other side wants no more of it.
pub(crate) async fn unwanted(to: &mut SendStream<Bytes>) {
    let _ = poll_fn(|cx| to.poll_reset(cx)).await;
}
