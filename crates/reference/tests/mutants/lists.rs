//! Threads, and what is kept of them above the database.

use serde_json::json;

use crate::world::{Leak, World, holds, word};

pub(crate) async fn one_id_for_two(world: &World, _: u32) -> Option<Leak> {
    let mut one = world.enter("one", "red", 0).await;
    let mut two = world.enter("two", "blue", 1).await;
    let ids = [one.client.thread("a").await, two.client.thread("b").await];
    // row-level security holds: each has a thread of its own, under whatever id
    for (person, title) in [(&mut one, "a"), (&mut two, "b")] {
        let own = person.client.ok("thread.list", json!({})).await;
        assert_eq!(own["threads"][0]["title"], title);
    }
    (ids[0] == ids[1]).then(|| one.saw(&two)).flatten()
}

pub(crate) async fn anothers_answer(world: &World, _: u32) -> Option<Leak> {
    let mut victim = world.enter("victim", "red", 0).await;
    let mut observer = world.enter("observer", "blue", 0).await;
    let theirs = victim.client.thread("same").await;
    observer.client.thread("same").await;
    let same = json!({ "title": "same" });
    victim.client.ok("thread.find", same.clone()).await;
    let found = observer.client.ok("thread.find", same).await;
    (found["thread_id"] == theirs.as_str())
        .then(|| observer.saw(&victim))
        .flatten()
}

/// By its id, after its owner has read it.
pub(crate) async fn foreign_thread(world: &World, tries: u32) -> Option<Leak> {
    let (mut victim, secret) = (world.enter("victim", "red", 0).await, word());
    let mut observer = world.enter("observer", "blue", 0).await;
    let thread_id = victim.thread_with("diary", &secret).await;
    let read = json!({ "thread_id": thread_id });
    // more than once: what is kept is forgotten when the thread's last event comes
    for _ in 0..tries {
        victim.client.ok("thread.read", read.clone()).await;
        match observer.client.ask("thread.read", read.clone()).await {
            Ok(page) => return holds(&[page], &secret).then(|| observer.saw(&victim)).flatten(),
            Err(code) => assert_eq!(code, "not_found"),
        }
    }
    assert!(world.stack.situation("foreign_thread_asked").await > 0.0);
    assert!(world.stack.situation("read_warm_other_user").await > 0.0);
    None
}

pub(crate) async fn error(world: &World, _: u32) -> Option<Leak> {
    let (mut victim, secret) = (world.enter("victim", "red", 0).await, word());
    let mut observer = world.enter("observer", "blue", 0).await;
    victim.thread_with("diary", &secret).await;
    observer.client.send(r#"{"id":"1","op":"#).await;
    let said = observer.client.find(|frame| frame.get("err").is_some()).await;
    assert!(world.stack.situation("error_after_foreign_request").await > 0.0);
    holds(&[said], &secret).then(|| observer.saw(&victim)).flatten()
}

/// Asked for by two of one tenant at the same time.
pub(crate) async fn snapshot(world: &World, tries: u32) -> Option<Leak> {
    let mut one = world.enter("one", "red", 0).await;
    let mut two = world.enter("two", "red", 0).await;
    let first = one.client.thread("diary").await;
    let second = two.client.thread("diary").await;
    for _ in 0..tries {
        let ids = [
            one.client.request("snapshot", json!({})).await,
            two.client.request("snapshot", json!({})).await,
        ];
        if holds(&one.client.answer(&ids[0]).await, &second) {
            return one.saw(&two);
        }
        if holds(&two.client.answer(&ids[1]).await, &first) {
            return two.saw(&one);
        }
    }
    None
}

pub(crate) async fn short_after_long(world: &World, tries: u32) -> Option<Leak> {
    let (mut victim, secret) = (world.enter("victim", "red", 0).await, word());
    let mut observer = world.enter("observer", "blue", 0).await;
    let thread_id = victim.thread_with("diary", &secret.repeat(100)).await;
    for _ in 0..tries {
        victim
            .client
            .ok("thread.read", json!({ "thread_id": thread_id }))
            .await;
        observer.client.request("room.list", json!({})).await;
        let text = observer.client.receive_text().await.expect("an answer");
        if text.contains(&secret) {
            return observer.saw(&victim);
        }
    }
    assert!(world.stack.situation("long_then_short_buffer").await > 0.0);
    None
}
