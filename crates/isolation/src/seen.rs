//! Where something was seen first, and how often.

use std::borrow::Cow;

use history::{At, Conn, Op, Place, User};

use crate::Needle;
use crate::bounded::Join;
use crate::limits::HOLDERS_MAX;
use crate::scan::Encoding;

/// Evidence by place: the first sighting, and the count of all.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: At,
    pub(crate) place: Place,
    pub(crate) conn: Option<Conn>,
    pub(crate) op: Option<Op>,
    pub(crate) encoding: Encoding,
    pub(crate) needle: Option<Needle>,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) count: u64,
}

impl Seen {
    /// Once, at `place`.
    pub(crate) fn once(at: At, place: Place) -> Self {
        Self {
            at,
            place,
            conn: None,
            op: None,
            encoding: Encoding::PLAIN,
            needle: None,
            detail: Cow::Borrowed(""),
            count: 1,
        }
    }

    pub(crate) fn over(self, conn: Conn) -> Self {
        Self {
            conn: Some(conn),
            ..self
        }
    }

    pub(crate) fn says(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }
}

impl Join for Seen {
    fn join(&mut self, other: Self) {
        let count = self.count.saturating_add(other.count);
        let order = |seen: &Self| (seen.at, seen.place, seen.needle);
        if order(&other) < order(self) {
            *self = other;
        }
        self.count = count;
    }
}

/// A fact of which the first report counts.
#[derive(Clone, Debug)]
pub(crate) struct First<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

impl<T> First<T> {
    pub(crate) fn new(place: Place, value: T) -> Self {
        Self { place, value }
    }
}

impl<T> Join for First<T> {
    fn join(&mut self, other: Self) {
        if other.place < self.place {
            *self = other;
        }
    }
}

/// The first users to whom the service gave one and the same thing, in the order in which they got it.
#[derive(Clone, Debug)]
pub(crate) struct Holders<D>(Vec<Holder<D>>);

/// Who got it, when, and what else is known of that.
#[derive(Clone, Debug)]
pub(crate) struct Holder<D> {
    pub(crate) at: At,
    pub(crate) place: Place,
    pub(crate) user: User,
    pub(crate) data: D,
}

impl<D> Holders<D> {
    pub(crate) fn one(at: At, place: Place, user: User, data: D) -> Self {
        Self(vec![Holder {
            at,
            place,
            user,
            data,
        }])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Holder<D>> {
        self.0.iter()
    }

    /// The first, and all others, who should not have got it.
    pub(crate) fn conflicts(&self) -> impl Iterator<Item = (&Holder<D>, &Holder<D>)> {
        self.0
            .first()
            .into_iter()
            .flat_map(|first| self.0.iter().skip(1).map(move |other| (first, other)))
    }

    pub(crate) fn holds(&self, user: User) -> bool {
        self.0.iter().any(|holder| holder.user == user)
    }

    pub(crate) fn first(&self) -> Option<&Holder<D>> {
        self.0.first()
    }
}

impl<D> Join for Holders<D> {
    fn join(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0
            .sort_by_key(|holder| (holder.at, holder.place, holder.user));
        let mut known = Vec::with_capacity(HOLDERS_MAX);
        self.0.retain(|holder| {
            let fresh = known.len() < HOLDERS_MAX && !known.contains(&holder.user);
            if fresh {
                known.push(holder.user);
            }
            fresh
        });
    }
}
