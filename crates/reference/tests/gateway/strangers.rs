//! Tokens that an authentication service issued, with a good key and for a living session, but not for us: refused everywhere.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

use crate::client::upgrade;
use crate::stack::{Account, Process, Stack, string};

/// A token for `account` from another service on the same accounts.
async fn issued_by(process: &Process, account: &Account) -> String {
    let body = json!({ "email": account.email, "password": "a long enough password" });
    let url = format!("http://{}/login", process.addr());
    let answer = reqwest::Client::new().post(url).json(&body).send().await;
    let login: serde_json::Value = answer.expect("it answers").json().await.expect("JSON");
    string(&login["access_token"])
}

/// The status of every door to which `token` is presented, 101 or 200 for one that opens.
async fn doors(stack: &Stack, token: &str) -> [u16; 3] {
    let bearer = format!("Bearer {token}");
    let me = reqwest::Client::new().get(format!("http://{}/me", stack.auth.addr()));
    let me = me.bearer_auth(token).send().await.expect("it answers").status();
    let mut statuses = [me.as_u16(), 101, 101];
    for (gateway, status) in stack.gateways.iter().zip(&mut statuses[1..]) {
        if let Err(error) = connect_async(upgrade(gateway.addr(), &[("Authorization", &bearer)])).await {
            let Error::Http(answer) = error else {
                panic!("{error}")
            };
            *status = answer.status().as_u16();
        }
    }
    statuses
}

#[tokio::test]
async fn tokens_of_another_issuer_audience_or_key_open_no_door() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key.pem");
    let key = key.to_str().expect("a name in UTF-8");
    let stack = Stack::start_all_with(&["--signing-key", key], &[]).await;
    let account = stack.register("one", "red").await;
    let mode = std::fs::metadata(key).expect("it was made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let own = stack.login(&account, None).await.token;
    assert_eq!(doors(&stack, &own).await, [200, 101, 101]);

    let same_key = ["--signing-key", key];
    let others = [
        (["--issuer", "other", "--audience", "chat"], &same_key[..]),
        (["--issuer", "iss", "--audience", "other"], &same_key[..]),
        (["--issuer", "iss", "--audience", "chat"], &[][..]),
    ];
    for (settings, key) in others {
        let other = stack.another_auth(&[&settings[..], key].concat()).await;
        let token = issued_by(&other, &account).await;
        assert_eq!(doors(&stack, &token).await, [401; 3], "{settings:?} {key:?}");
        // right after the good one, which caches remember
        assert_eq!(doors(&stack, &own).await, [200, 101, 101]);
        assert_eq!(doors(&stack, &token).await, [401; 3], "{settings:?} {key:?}");
    }
    // and as it should be: a replica of the service, with its key and its settings, is as good as the first
    let twin = stack
        .another_auth(&["--issuer", "iss", "--audience", "chat", "--signing-key", key])
        .await;
    let token = issued_by(&twin, &account).await;
    assert_eq!(doors(&stack, &token).await, [200, 101, 101]);
}
