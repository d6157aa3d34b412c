//! What a worker's connections have read, and what they are to send.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio_tungstenite::tungstenite::Message;

use super::Socket;

/// Messages that may wait to be taken, and the bytes from which on one does not wait.
const INCOMING_MAX: usize = 64;
const LARGE_BYTES: usize = 16 * 1024;

/// The in-tray and the out-tray of a worker.
///
/// A message is read by the task of its connection, but taken together with all that were read meanwhile, by one task; and what users ask
/// upon that is sent together. A call into the kernel drives other code out of the processor's first cache: in between, the code
/// that takes a message and the code that makes one stay there for all of them, and so does the kernel's while it sends.
pub(crate) struct Trays {
    incoming: RefCell<VecDeque<(Rc<Socket>, Message)>>,
    outgoing: RefCell<VecDeque<Rc<Socket>>>,
    /// Wakes the task that empties them.
    waker: RefCell<Waker>,
}

impl fmt::Debug for Trays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trays").finish_non_exhaustive()
    }
}

impl Default for Trays {
    fn default() -> Self {
        Self {
            incoming: RefCell::default(),
            outgoing: RefCell::default(),
            waker: RefCell::new(Waker::noop().clone()),
        }
    }
}

impl Trays {
    /// Empties them whenever there is something in them, for ever.
    pub(crate) async fn serve(&self) {
        poll_fn(|cx| {
            self.waker.borrow_mut().clone_from(cx.waker());
            self.empty();
            Poll::Pending
        })
        .await
    }

    /// Takes what was read, and sends what was written.
    pub(crate) fn empty(&self) {
        self.take();
        loop {
            let next = self.outgoing.borrow_mut().pop_front();
            let Some(socket) = next else { break };
            socket.flush();
        }
    }

    /// Takes what was read, in its order.
    pub(super) fn take(&self) {
        loop {
            let next = self.incoming.borrow_mut().pop_front();
            let Some((socket, message)) = next else { break };
            socket.take(message);
        }
    }

    /// It was read over `socket`, and is to be taken.
    pub(super) fn came(&self, socket: &Rc<Socket>, message: Message) {
        let large = message.len() > LARGE_BYTES;
        let mut incoming = self.incoming.borrow_mut();
        incoming.push_back((Rc::clone(socket), message));
        let waiting = incoming.len();
        drop(incoming);
        if large || waiting == INCOMING_MAX {
            self.take();
        } else if waiting == 1 {
            self.waker.borrow().wake_by_ref();
        }
    }

    /// There is something to send over `socket`.
    pub(super) fn goes(&self, socket: &Rc<Socket>) {
        let mut outgoing = self.outgoing.borrow_mut();
        outgoing.push_back(Rc::clone(socket));
        if outgoing.len() == 1 {
            self.waker.borrow().wake_by_ref();
        }
    }
}
