//! Who one is taken for.

use serde_json::{Value, json};

use crate::client::Client;
use crate::stack::poll;
use crate::world::{Leak, Person, World};

async fn is_taken_for(person: &mut Person, other: &Person) -> bool {
    let seen = person.client.ok("whoami", json!({})).await;
    seen["user_id"] == other.account.user_id.as_str()
}

pub(crate) async fn anothers_claims(world: &World, _: u32) -> Option<Leak> {
    let victim = world.enter("victim", "red", 0).await;
    let mut observer = world.enter("observer", "blue", 0).await;
    is_taken_for(&mut observer, &victim)
        .await
        .then(|| observer.saw(&victim))
        .flatten()
}

pub(crate) async fn after_logout(world: &World, _: u32) -> Option<Leak> {
    let mut user = world.enter("one", "red", 0).await;
    world.stack.logout(&user.login).await;
    poll("notice of the logout", async || {
        (world.stack.situation("after_revocation").await > 0.0).then_some(())
    })
    .await;
    let text = json!({ "id": "late", "op": "whoami" }).to_string();
    user.client.send(text).await;
    // the greeting was taken in, so that an answer is next or the end
    user.client
        .receive()
        .await
        .is_ok()
        .then(|| user.saw(&user))
        .flatten()
}

pub(crate) async fn legacy_without_token(world: &World, _: u32) -> Option<Leak> {
    let victim = world.enter("victim", "red", 0).await;
    let addr = world.stack.gateways[0].addr();
    let client = Client::try_connect(addr, None, "chat.v1").await;
    assert!(world.stack.situation("anonymous_upgrade").await > 0.0);
    let mut client = client?;
    let hello = json!({ "type": "hello", "user": victim.account.user_id });
    client.send(hello.to_string()).await;
    client.find(|frame| frame["name"] == "hello").await;
    client
        .send(json!({ "type": "whoami", "id": "1" }).to_string())
        .await;
    let seen = client.find(|frame| frame["id"] == "1").await;
    assert_eq!(seen["data"]["user_id"], victim.account.user_id.as_str());
    victim.saw(&victim)
}

pub(crate) async fn in_a_request(world: &World, _: u32) -> Option<Leak> {
    let victim = world.enter("victim", "red", 0).await;
    let mut observer = world.enter("observer", "blue", 0).await;
    let asked = observer
        .client
        .ask("whoami", json!({ "token": victim.login.token }))
        .await;
    assert!(world.stack.situation("payload_token").await > 0.0);
    match asked {
        Ok(seen) => (seen["user_id"] == victim.account.user_id.as_str())
            .then(|| observer.saw(&victim))
            .flatten(),
        Err(code) => {
            assert_eq!(code, "bad_request");
            None
        }
    }
}

/// The signature's first character is another.
pub(crate) async fn forged(world: &World, _: u32) -> Option<Leak> {
    let victim = world.enter("victim", "red", 0).await;
    let (signed, signature) = victim.login.token.rsplit_once('.').expect("a JWT");
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{first}{}", &signature[1..]);
    let addr = world.stack.gateways[0].addr();
    let client = Client::try_connect(addr, Some(&forged), "chat.v2").await;
    assert!(world.stack.situation("token_refused").await > 0.0);
    let seen = client?.ok("whoami", json!({})).await;
    assert_eq!(seen["user_id"], victim.account.user_id.as_str());
    Some(unknown_saw(victim))
}

/// Two refresh at once, again and again; the answer names whose session it is.
pub(crate) async fn refreshes(world: &World, tries: u32) -> Option<Leak> {
    let mut people = [
        world.enter("one", "red", 0).await,
        world.enter("two", "blue", 0).await,
    ];
    for _ in 0..tries {
        let refresh = |person: &Person| json!({ "refresh_token": person.login.refresh_token });
        let [one, two] = &people;
        let (bodies, stack) = ([refresh(one), refresh(two)], &world.stack);
        let (first, second) = tokio::join!(
            stack.post("/refresh", &bodies[0], None),
            stack.post("/refresh", &bodies[1], None),
        );
        let answers = [first, second].map(|(status, answer)| {
            assert_eq!(status, 200, "{answer}");
            answer
        });
        let is_of = |answer: &Value, person: &Person| answer["user_id"] == person.account.user_id.as_str();
        if is_of(&answers[0], two) {
            return one.saw(two);
        }
        if is_of(&answers[1], one) {
            return two.saw(one);
        }
        for (person, answer) in people.iter_mut().zip(&answers) {
            person.login.refresh_token = crate::stack::string(&answer["refresh_token"]);
        }
    }
    assert!(world.stack.auth.situation("refresh_after_another").await > 0.0);
    None
}

/// Without a token, after another has shown one.
pub(crate) async fn nobody(world: &World, tries: u32) -> Option<Leak> {
    let victim = world.enter("victim", "red", 0).await;
    let observer = world.enter("observer", "blue", 0).await;
    let url = format!("http://{}/me", world.stack.auth.addr());
    // a connection each, which is kept open
    let (theirs, own) = (reqwest::Client::new(), reqwest::Client::new());
    let me = async |client: &reqwest::Client, token: Option<&str>| {
        let request = client.get(&url);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.expect("auth answers");
        answer.json::<Value>().await.expect("JSON")["user_id"].clone()
    };
    for _ in 0..tries {
        me(&own, Some(&observer.login.token)).await;
        me(&theirs, Some(&victim.login.token)).await;
        if me(&own, None).await == victim.account.user_id.as_str() {
            return Some(unknown_saw(victim));
        }
    }
    assert!(world.stack.auth.situation("anonymous_after_user").await > 0.0);
    None
}

/// Something of `victim` reached somebody whom the service does not know.
fn unknown_saw(victim: Person) -> Leak {
    Leak {
        observer: uuid::Uuid::nil().to_string(),
        victim: victim.account.user_id,
    }
}
