//! Rooms, and whoever is told of what happens there.

use serde_json::json;

use crate::world::{Leak, Person, World, holds, word};

pub(crate) async fn presence(world: &World, _: u32) -> Option<Leak> {
    let mut victim = world.enter("victim", "red", 0).await;
    let mut observer = world.enter("observer", "blue", 0).await;
    let room_id = victim.client.room("kitchen").await;
    subscribe(&mut victim, &room_id).await;
    victim
        .client
        .ok("presence.set", json!({ "status": "awake" }))
        .await;
    victim.client.ok("typing", json!({ "room_id": room_id })).await;
    victim.client.event("presence").await;
    victim.client.event("typing").await;
    let told = observer.client.all_until_now().await;
    let leaked = |kind: &str, what: &str| {
        let of_kind: Vec<_> = told.iter().filter(|frame| frame["ev"] == kind).cloned().collect();
        holds(&of_kind, what)
    };
    let leaks = [
        leaked("presence", &victim.account.user_id),
        leaked("typing", &room_id),
    ];
    assert_eq!(leaks[0], leaks[1]);
    leaks[0].then(|| observer.saw(&victim)).flatten()
}

async fn subscribe(person: &mut Person, room_id: &str) {
    person
        .client
        .ok("room.subscribe", json!({ "room_id": room_id }))
        .await;
}

async fn post(person: &mut Person, room_id: &str, body: &str) {
    let post = json!({ "room_id": room_id, "body": body, "note": format!("note of {body}") });
    person.client.ok("room.post", post).await;
}

/// Waits until `person` is told of a post, and looks at what `other` was told by then.
async fn told(person: &mut Person, other: &mut Person, secret: &str) -> bool {
    person
        .client
        .find(|frame| frame["ev"] == "room.message" && frame.to_string().contains(secret))
        .await;
    holds(&other.client.all_until_now().await, secret)
}

pub(crate) async fn claimed(world: &World, _: u32) -> Option<Leak> {
    let (mut owner, secret) = (world.enter("owner", "red", 0).await, word());
    let mut observer = world.enter("observer", "blue", 0).await;
    let room_id = owner.client.room("kitchen").await;
    subscribe(&mut owner, &room_id).await;
    let claim = json!({ "room_id": room_id, "user": owner.account.user_id });
    let entered = observer.client.ask("room.subscribe", claim).await.is_ok();
    assert!(world.stack.situation("claimed_join").await > 0.0);
    post(&mut owner, &room_id, &secret).await;
    let leaked = told(&mut owner, &mut observer, &secret).await;
    assert_eq!(entered, leaked);
    leaked.then(|| observer.saw(&owner)).flatten()
}

pub(crate) async fn namesakes(world: &World, _: u32) -> Option<Leak> {
    let mut one = world.enter("one", "red", 0).await;
    let (mut two, secret) = (world.enter("two", "blue", 0).await, word());
    let mut rooms = Vec::new();
    for person in [&mut one, &mut two] {
        let room_id = person.client.room("general").await;
        subscribe(person, &room_id).await;
        rooms.push(room_id);
    }
    post(&mut two, &rooms[1], &secret).await;
    let leaked = told(&mut two, &mut one, &secret).await;
    assert!(world.stack.situation("namesake_subscribed").await > 0.0);
    leaked.then(|| one.saw(&two)).flatten()
}

pub(crate) async fn note(world: &World, _: u32) -> Option<Leak> {
    let mut author = world.enter("author", "red", 0).await;
    let (mut reader, secret) = (world.enter("reader", "red", 0).await, word());
    let room_id = author.client.room("kitchen").await;
    let add = json!({ "room_id": room_id, "user_id": reader.account.user_id });
    author.client.ok("room.add", add).await;
    subscribe(&mut author, &room_id).await;
    subscribe(&mut reader, &room_id).await;
    post(&mut author, &room_id, &secret).await;
    author.client.event("room.message").await;
    let seen = reader.client.event("room.message").await;
    (seen["data"].get("note").is_some())
        .then(|| reader.saw(&author))
        .flatten()
}

/// Put out at one replica, and then posted at the other.
pub(crate) async fn after_removal(world: &World, _: u32) -> Option<Leak> {
    let mut owner = world.enter("owner", "red", 0).await;
    let mut member = world.enter("member", "red", 1).await;
    let (mut guest, secret) = (world.enter("guest", "red", 1).await, word());
    let room_id = owner.client.room("kitchen").await;
    for person in [&mut member, &mut guest] {
        let add = json!({ "room_id": room_id, "user_id": person.account.user_id });
        owner.client.ok("room.add", add).await;
        subscribe(person, &room_id).await;
    }
    post(&mut member, &room_id, "all are here").await;
    let remove = json!({ "room_id": room_id, "user_id": guest.account.user_id });
    owner.client.ok("room.remove", remove).await;
    post(&mut member, &room_id, &secret).await;
    let leaked = told(&mut member, &mut guest, &secret).await;
    if !leaked {
        assert!(world.stack.situation("ejected_socket_open").await > 0.0);
    }
    leaked.then(|| guest.saw(&member)).flatten()
}

pub(crate) async fn receipts(world: &World, tries: u32) -> Option<Leak> {
    let mut people = [
        world.enter("one", "red", 0).await,
        world.enter("two", "blue", 0).await,
    ];
    let mut rooms = Vec::new();
    for person in &mut people {
        rooms.push(person.client.room("kitchen").await);
    }
    for _ in 0..tries {
        for (person, room_id) in people.iter_mut().zip(&rooms) {
            let post = json!({ "room_id": room_id, "body": "b" });
            person.client.request("room.post", post).await;
        }
        let mut authors = Vec::new();
        for person in &mut people {
            authors.push(person.client.event("receipt").await["data"]["author"].clone());
        }
        let [one, two] = &people;
        if authors[0] == two.account.user_id.as_str() {
            return one.saw(two);
        }
        if authors[1] == one.account.user_id.as_str() {
            return two.saw(one);
        }
    }
    None
}

/// How many members a room has whose namesake in another tenant has one too.
pub(crate) async fn count(world: &World, _: u32) -> Option<Leak> {
    let mut other = world.enter("other", "red", 0).await;
    let mut observer = world.enter("observer", "blue", 0).await;
    // a name that no other world on this database has
    let name = word();
    other.client.room(&name).await;
    let room_id = observer.client.room(&name).await;
    post(&mut observer, &room_id, "hello").await;
    let receipt = observer.client.event("receipt").await;
    (receipt["data"]["members"] != 1)
        .then(|| observer.saw(&other))
        .flatten()
}
