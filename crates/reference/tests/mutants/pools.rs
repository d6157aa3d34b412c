//! One database connection for two users.

use serde_json::{Value, json};

use crate::world::{Leak, World, holds, word};

/// Requests that one user has in flight.
const AT_ONCE: usize = 8;

/// A list of one's own, after another was refused something.
pub(crate) async fn own_list(world: &World, tries: u32) -> Option<Leak> {
    let mut observer = world.enter("observer", "red", 0).await;
    let mut victim = world.enter("victim", "blue", 0).await;
    let theirs = victim.client.thread("diary").await;
    for round in 0..tries {
        let nothing = json!({ "thread_id": uuid::Uuid::new_v4() });
        let refused = victim.client.ask("thread.read", nothing).await;
        assert_eq!(refused, Err("not_found".to_owned()));
        // a write, so that the list is not the one of before
        if round > 0 {
            observer.client.thread("x").await;
        }
        let own = observer.client.ok("thread.list", json!({})).await;
        if holds(&[own], &theirs) {
            return observer.saw(&victim);
        }
    }
    assert!(world.stack.situation("backend_changed_user").await > 0.0);
    assert!(world.stack.situation("unfinished_then_reused").await > 0.0);
    None
}

pub(crate) async fn who_am_i(world: &World, tries: u32) -> Option<Leak> {
    let mut one = world.enter("one", "red", 0).await;
    let mut two = world.enter("two", "blue", 0).await;
    for _ in 0..tries {
        let mut asked = [Vec::new(), Vec::new()];
        for _ in 0..AT_ONCE {
            asked[0].push(one.client.request("whoami", json!({})).await);
            asked[1].push(two.client.request("whoami", json!({})).await);
        }
        for id in &asked[0] {
            if holds(&one.client.answer(id).await, &two.account.user_id) {
                return one.saw(&two);
            }
        }
        for id in &asked[1] {
            if holds(&two.client.answer(id).await, &one.account.user_id) {
                return two.saw(&one);
            }
        }
    }
    assert!(world.stack.situation("overtaken_in_wait").await > 0.0);
    None
}

/// Two post at once; each reads its own thread.
pub(crate) async fn posts(world: &World, tries: u32) -> Option<Leak> {
    let mut people = [
        world.enter("one", "red", 0).await,
        world.enter("two", "blue", 0).await,
    ];
    let mut threads = Vec::new();
    for person in &mut people {
        threads.push(person.client.thread("diary").await);
    }
    for _ in 0..tries {
        let secrets = [word(), word()];
        let mut ids = Vec::new();
        for (at, person) in people.iter_mut().enumerate() {
            let post = json!({ "thread_id": threads[at], "body": secrets[at], "nonce": "n" });
            ids.push(person.client.request("message.post", post).await);
        }
        for (id, person) in ids.iter().zip(&mut people) {
            person.client.answer(id).await;
        }
        for (at, other) in [(0, 1), (1, 0)] {
            let page = json!({ "thread_id": threads[at] });
            let page = people[at].client.ok("thread.read", page).await;
            if holds(&[page], &secrets[other]) {
                return people[at].saw(&people[other]);
            }
        }
    }
    assert!(world.stack.situation("post_overtaken").await > 0.0);
    None
}

/// One cancels a message of its own; another asks for lists, and cancels nothing.
pub(crate) async fn cancelled(world: &World, tries: u32) -> Option<Leak> {
    let mut one = world.enter("one", "red", 0).await;
    let mut two = world.enter("two", "blue", 0).await;
    let thread_id = one.client.thread("a long title ".repeat(30).trim()).await;
    for _ in 0..tries {
        let post = json!({ "thread_id": thread_id, "body": "b", "nonce": "n" });
        let posted = one.client.request("message.post", post).await;
        one.client
            .find(|frame| frame["re"] == posted.as_str() && frame.get("delta").is_some())
            .await;
        let mut asked = Vec::new();
        for _ in 0..AT_ONCE {
            asked.push(two.client.request("room.list", json!({})).await);
        }
        let first = two.client.answer(&asked.remove(0)).await;
        assert!(first[0].get("ok").is_some(), "{first:?}");
        one.client.ask("cancel", json!({ "request": posted })).await.ok();
        for _ in 0..AT_ONCE {
            asked.push(two.client.request("room.list", json!({})).await);
        }
        one.client.answer(&posted).await;
        for id in asked {
            let answer = two.client.answer(&id).await;
            let is_cancelled = |frame: &Value| frame["err"]["code"] == "cancelled";
            if answer.iter().any(is_cancelled) {
                return two.saw(&one);
            }
        }
    }
    assert!(world.stack.situation("cancel_after_reuse").await > 0.0);
    None
}
