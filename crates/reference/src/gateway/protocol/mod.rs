//! What goes over the wire: requests in, frames out, in the two dialects of the protocol.

mod error;
mod frame;
mod request;

pub(crate) use error::{ErrorCode, Failure};
pub(crate) use frame::{CloseReason, Dialect, Frame, Json, json};
pub(crate) use request::{Op, Rejected, Request, id_of, parse, text_argument};
