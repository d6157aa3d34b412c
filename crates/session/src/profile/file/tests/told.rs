//! What is told of mistakes, and the page that says so.

use super::*;

/// What stands in the small service's profile, and what in its place is a mistake.
const MISTAKES: [(&str, &str); 46] = [
    ("name = \"notes\"", "nam = \"notes\""),
    ("bearer = true", "baerer = true"),
    ("list-threads = {", "list-thread = {"),
    ("rooms =", "room ="),
    ("reply = {", "answer = {"),
    (
        "answer = { user = \"/id\" } }\nlogin",
        "answer = { usr = \"/id\", user = \"/id\" } }\nlogin",
    ),
    ("${body}", "${bdy}"),
    ("\"text\":${body}", "\"text\":${room}"),
    ("\"text\":${body}", "\"text\":\"x\""),
    ("\"title\":${title}", "\"title\":\"${title}\""),
    ("${title}", "${title"),
    ("${id:bare},\"op\":\"list\"", "${id:number},\"op\":\"list\""),
    (
        "'{\"name\":${handle},\"password\":${password}}', answer = { user",
        "'{\"name\":${handle},\"password\":${env:CROSSTALK_NOT_SET}}', answer = { user",
    ),
    ("post = { frame", "post-hastily = { frame"),
    ("presence = \"nobody is told of anybody\"\n", ""),
    ("find-thread = \"notes are not searched\"\n", ""),
    (", answer = { thread = \"/id\" }", ""),
    ("answer = { access-token = \"/token\" }", "answer = {}"),
    (
        "    { when = { \"/rid\" = true }, reply = { id = \"/rid\", content = \"/data\" } },\n",
        "",
    ),
    ("name = \"notes\"", "name = 7"),
    ("name = \"notes\"", "name = \"notes"),
    ("content = \"/data\"", "content = \"data\""),
    ("ws://127.0.0.1:8000", "tcp://127.0.0.1:8000"),
    ("[reach]", "tls = { ca = \"ca.pem\" }\n\n[reach]"),
    (
        "[reach]\nhttp = \"http:",
        "tls = { ca = \"ca.pem\" }\n\n[reach]\nhttp = \"https:",
    ),
    (
        "[reach]",
        "[[service]]\nname = \"web\"\nstart = [\"x\"]\nready = { tcp = \"127.0.0.1:1\" }\n\n[reach]",
    ),
    (
        "[reach]",
        "[[service]]\nname = \"web\"\ncommand = [\"x\"]\nstop-within-ms = 5000\nready = { tcp = \"127.0.0.1:1\" }\n\n[reach]",
    ),
    (
        "[reach]",
        "[[service]]\nname = \"web\"\nstart = [\"x\"]\nstop = [\"y\"]\nready = { ended = true }\n\n[reach]",
    ),
    (
        "[reach]",
        "[[service]]\nname = \"web\"\nstart = [\"x\"]\nstop = [\"y\"]\nstop-within-ms = 60000\nready = { tcp = \"127.0.0.1:1\" }\n\n[reach]",
    ),
    ("[absent]", "[not-applicable]\nthread = \"no\"\n\n[absent]"),
    (
        "cancel = \"answers come at once\"",
        "cancel = \"answers come at once\"\nlist-threads = \"none\"",
    ),
    ("path = \"/ws?", "path = \"ws?"),
    (
        "register = { post = \"/users\"",
        "register = { post = \"/users\", get = \"/users\"",
    ),
    (
        "name = \"notes\"",
        "name = \"notes\"\nrevocation-grace-ms = 60000",
    ),
    ("[http]", "[users]\nlist = 'users.csv'\n\n[http]"),
    (
        "[reach]",
        "[[service]]\nname = \"web\"\ncommand = [\"x\"]\nafter = [\"webb\"]\nready = { tcp = \"127.0.0.1:1\" }\n\n[reach]",
    ),
    (
        "me = { get = \"/me\"",
        "me = { get = \"/me\", form = { a = \"b\" }, body = '{}'",
    ),
    ("access-token = \"/token\"", "access-token = \"cooky:sid\""),
    ("access-token = \"/token\"", "access-token = 'text:(sid'"),
    ("me = { get", "me = { status = [2], get"),
    (
        "post = { frame = '{\"cid\":${id:bare},\"op\":\"add\",\"text\":${body}}'",
        "post = { http = { post = \"/lines\", body = '{\"text\":${title}}' }",
    ),
    ("[http]", "[users]\ntokens = false\n\n[http]"),
    ("path = \"/ws?", "path = \"/rooms/${thread}?"),
    (
        "path = \"/ws?token=${access-token}\"",
        "path = \"/ws\"\nshuts-out-within-ms = 9000",
    ),
    (
        "path = \"/ws?token=${access-token}\"",
        "path = \"/ws\"\ndenies-by-silence = true",
    ),
    ("path = \"/ws?", "path = \"/rooms/${room}?"),
];

#[test]
fn every_mistake_is_told_with_its_place_and_what_would_be_right() {
    let told = MISTAKES.map(|(good, bad)| {
        assert!(NOTES.contains(good), "{good}");
        parse(&NOTES.replacen(good, bad, 1)).expect_err(bad).to_string()
    });
    insta::assert_snapshot!(told.join("\n\n"));
}

/// The page of mistakes, made anew, says what it said.
#[test]
fn the_page_of_mistakes_is_true() {
    const PAGE: &str = include_str!("../../../../../../docs/mistakes.md");
    let rows = MISTAKES.map(|(good, bad)| {
        let told = parse(&NOTES.replacen(good, bad, 1)).expect_err(bad).to_string();
        let mistakes = told.lines().filter(|line| !line.starts_with(' '));
        let cell = |text: &str| text.trim().replace('\n', " ").replace('|', "\\|");
        let told: Vec<_> = mistakes.map(|line| format!("`` {} ``", cell(line))).collect();
        let stands = match bad.trim().is_empty() {
            true => format!("without `` {} ``", cell(good)),
            false => format!("`` {} ``", cell(bad)),
        };
        format!("| {stands} | {} |\n", told.join("<br>"))
    });
    let table = rows.concat();
    let (_, there) = PAGE.split_once("|---|---|\n").expect("a table");
    assert_eq!(there.trim_end(), table.trim_end(), "docs/mistakes.md");
}

/// Where one thing is wrong, nothing that follows from it is told as well.
#[test]
fn a_mistake_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.csv"), "handle\nann\n").unwrap();
    let register = NOTES.lines().find(|line| line.starts_with("register")).unwrap();
    let login = NOTES.lines().find(|line| line.starts_with("login =")).unwrap();
    let listed = NOTES
        .replace(register, "")
        .replace("[http]", "[users]\nlist = 'users.csv'\n\n[http]")
        .replace("/token\" }", "/token\", user = \"/id\" }");
    let sign = "\n[users.sign]\nalgorithm = 'HS256'\nkey-env = 'CROSSTALK_NOT_SET'\nclaims = '{\"exp\":${expires-s}}'\n\n[http]";
    let signed = NOTES
        .replace(register, "")
        .replace(login, "")
        .replace("[http]", &format!("[users]\nlist = 'ids.csv'\n{sign}"))
        .replace("login-short = ", "# ");
    std::fs::write(folder.path().join("ids.csv"), "handle,user\nann,1\n").unwrap();
    let unset = "${env:CROSSTALK_NOT_SET}";
    let profiles = [
        NOTES.replace(
            "${password}}', answer = { user",
            &format!("{unset}}}', answer = {{ user"),
        ),
        NOTES.replace(
            "${password}}', answer = { access",
            &format!("{unset}}}', answer = {{ access"),
        ),
        listed.replace("${password}", unset),
        signed,
        NOTES
            .replace("${title}", unset)
            .replace("read-thread = ", "# ")
            .replace(
                "[dialect.ops]",
                "[dialect.ops]\nread-thread = { frame = '{\"cid\":${id},\"of\":${thread}}' }",
            ),
        NOTES.replace("reply = {", "ack = { id = \"/rid\" }, reply = {"),
    ];
    for profile in profiles {
        let Err(ProfileError::Mistaken(mistakes)) = TargetFile::parse("my.toml", &profile, folder.path())
        else {
            panic!("mistakes in {profile}");
        };
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    }
}
