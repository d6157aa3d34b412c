//! Streamed replies.

use serde_json::{Value, json};

use crate::world::{Leak, Person, World, word};

/// Round trips within which a late answer comes.
const FENCES: u32 = 100;

/// A thread whose replies take long, since they quote its title.
async fn long_thread(person: &mut Person, about: &str) -> String {
    let title = format!("{about} ").repeat(12);
    person.client.thread(&title[..512.min(title.len())]).await
}

async fn post(person: &mut Person, thread_id: &str, nonce: &str) -> String {
    let post = json!({ "thread_id": thread_id, "body": "b", "nonce": nonce });
    person.client.request("message.post", post).await
}

async fn first_piece(person: &mut Person, id: &str) {
    person
        .client
        .find(|frame| frame["re"] == id && frame.get("delta").is_some())
        .await;
}

pub(crate) async fn equal_request_ids(world: &World, tries: u32) -> Option<Leak> {
    let mut one = world.enter("one", "red", 0).await;
    let mut two = world.enter("two", "blue", 0).await;
    let threads = [one.client.thread("same").await, two.client.thread("same").await];
    for round in 0..tries {
        for (person, thread_id) in [&mut one, &mut two].into_iter().zip(&threads) {
            let post = json!({ "thread_id": thread_id, "body": "b", "nonce": thread_id.repeat(10) });
            let id = format!("same {round}");
            person.client.request_as(&id, "message.post", post).await;
        }
        let reached = |frames: &[Value], thread_id: &str| {
            frames.iter().any(|frame| {
                frame["ack"]["thread_id"] == thread_id || frame["done"]["thread_id"] == thread_id
            })
        };
        let frames = [one.client.all_until_now().await, two.client.all_until_now().await];
        if reached(&frames[0], &threads[1]) {
            return one.saw(&two);
        }
        if reached(&frames[1], &threads[0]) {
            return two.saw(&one);
        }
    }
    None
}

/// One fails; then two post, one a little after the other, and the reply to the first is read.
pub(crate) async fn after_a_failure(world: &World, tries: u32) -> Option<Leak> {
    let mut one = world.enter("one", "red", 0).await;
    let mut two = world.enter("two", "blue", 0).await;
    let (about_one, about_two) = (word(), word());
    let (first, second) = (
        long_thread(&mut one, &about_one).await,
        long_thread(&mut two, &about_two).await,
    );
    for _ in 0..tries {
        let failing = json!({ "thread_id": first, "body": "", "nonce": "n" });
        let failed = one.client.ask("message.post", failing).await;
        assert_eq!(failed, Err("bad_request".to_owned()));
        let nonce = word();
        let id = post(&mut one, &first, "n").await;
        for _ in 0..6 {
            first_piece(&mut one, &id).await;
        }
        let later = post(&mut two, &second, &nonce).await;
        two.client.answer(&later).await;
        one.client.answer(&id).await;
        let page = json!({ "thread_id": first });
        let page = one.client.ok("thread.read", page).await;
        if page.to_string().contains(&nonce) {
            return one.saw(&two);
        }
    }
    None
}

/// One goes away while its reply streams; another comes.
pub(crate) async fn late(world: &World, tries: u32) -> Option<Leak> {
    let one = world.enter("one", "red", 1).await;
    let two = world.enter("two", "blue", 1).await;
    for _ in 0..tries.min(20) {
        let mut gone = Person {
            client: world.stack.connect(0, &one.login).await,
            ..world.enter(&word(), "red", 1).await
        };
        let thread_id = long_thread(&mut gone, "a long title that is quoted again and again").await;
        let id = post(&mut gone, &thread_id, "n").await;
        first_piece(&mut gone, &id).await;
        drop(gone);
        let mut client = world.stack.connect(0, &two.login).await;
        for _ in 0..FENCES {
            let frames = client.all_until_now().await;
            if frames.iter().any(|frame| frame.to_string().contains(&thread_id)) {
                return two.saw(&one);
            }
        }
    }
    assert!(world.stack.situation("slot_reused").await > 0.0);
    None
}

pub(crate) async fn after_a_cancel(world: &World, tries: u32) -> Option<Leak> {
    let mut one = world.enter("one", "red", 0).await;
    let mut two = world.enter("two", "blue", 0).await;
    let about = word();
    let first = long_thread(&mut one, &about).await;
    let second = two.client.thread("diary").await;
    for _ in 0..tries {
        let id = post(&mut one, &first, "n").await;
        first_piece(&mut one, &id).await;
        one.client.ok("cancel", json!({ "request": id })).await;
        one.client.answer(&id).await;
        let id = post(&mut two, &second, "n").await;
        let (text, _) = two.client.reply(&id).await;
        if text.contains(&about) {
            return two.saw(&one);
        }
    }
    assert!(world.stack.situation("cancelled_then_reused").await > 0.0);
    None
}

/// One waits in vain for the only place; then another posts.
pub(crate) async fn after_a_timeout(world: &World, tries: u32) -> Option<Leak> {
    let mut busy = world.enter("busy", "red", 0).await;
    let mut one = world.enter("one", "red", 0).await;
    let mut two = world.enter("two", "blue", 0).await;
    let long = long_thread(&mut busy, &word()).await;
    let (first, second) = (one.client.thread("diary").await, two.client.thread("diary").await);
    for _ in 0..tries.min(20) {
        let nonce = word();
        let busy_with = post(&mut busy, &long, "n").await;
        first_piece(&mut busy, &busy_with).await;
        let hasty = json!({ "thread_id": first, "body": "b", "nonce": nonce, "wait_ms": 1 });
        let refused = one.client.ask("message.post", hasty).await;
        assert_eq!(refused, Err("timeout".to_owned()));
        busy.client.answer(&busy_with).await;
        let id = post(&mut two, &second, "n").await;
        let (text, _) = two.client.reply(&id).await;
        if text.contains(&nonce) {
            return two.saw(&one);
        }
    }
    assert!(world.stack.situation("buffer_after_timeout").await > 0.0);
    None
}

/// Three are answered together, and the first cancels.
pub(crate) async fn one_drops_out(world: &World, tries: u32) -> Option<Leak> {
    let mut people = [
        world.enter("one", "red", 0).await,
        world.enter("two", "blue", 0).await,
        world.enter("three", "green", 0).await,
    ];
    let about = [word(), word(), word()];
    let mut threads = Vec::new();
    for (person, about) in people.iter_mut().zip(&about) {
        threads.push(long_thread(person, about).await);
    }
    for _ in 0..tries {
        let mut ids = Vec::new();
        for (person, thread_id) in people.iter_mut().zip(&threads) {
            ids.push(post(person, thread_id, "n").await);
        }
        first_piece(&mut people[0], &ids[0]).await;
        let cancel = json!({ "request": ids[0] });
        people[0].client.ok("cancel", cancel).await;
        let mut texts = vec![String::new()];
        for (id, person) in ids.iter().zip(&mut people).skip(1) {
            texts.push(person.client.reply(id).await.0);
        }
        people[0].client.answer(&ids[0]).await;
        for (at, other) in [(1, 2), (2, 1), (1, 0), (2, 0)] {
            if texts[at].contains(&about[other]) {
                return people[at].saw(&people[other]);
            }
        }
    }
    None
}
