//! One buffer is lent to two.
//!
//! **Incidents.** Apache Tomcat, CVE-2021-43980 and CVE-2016-8745, and Jetty #4937: on an error path a request's buffer or processor is returned to the
//! pool twice, and two later requests are served with the same one.
//!
//! **Mechanism.** The buffer in which a reply is gathered is returned where a message fails, and again when it is dropped. It is then in the pool twice, and
//! two replies that are gathered at the same time overwrite each other.
//!
//! **Layer.** The pool of buffers above the database.
//!
//! **Caught by** S: replies are stored, told and read that hold pieces of another's; T by the audit: rows with another's words; R: reads made of another's content.
//!
//! **Fix.** What returns a buffer takes it away from whoever had it.

use uuid::Uuid;

use super::Mutant;

/// See the module.
pub static MUTANT: Mutant = Mutant {
    name: "double-release",
    process: "gateway",
    checks: "RST",
    traffic: &[],
};

/// Whether the error path returns the buffer, which its end does anyhow.
pub(crate) fn releases_here_too() -> bool {
    MUTANT.acts()
}

/// Takes notice that a piece of `user_id`'s reply was gathered beside those of others.
pub(crate) fn pushed(by: &mut Vec<Uuid>, user_id: Uuid) {
    if by.contains(&user_id) {
        return;
    }
    for other in by.iter() {
        MUTANT.record(user_id, *other, "has its reply gathered with that of");
        MUTANT.record(*other, user_id, "has its reply gathered with that of");
    }
    by.push(user_id);
}
