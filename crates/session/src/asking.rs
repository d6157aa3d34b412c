//! One request over HTTP, made from an exchange; and what its answer gives.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use hyper::{HeaderMap, Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::codec::{Missing, Slot, Values};
use crate::pointer::pick;
use crate::profile::{Body, Exchange, Found, Success, Verb};

/// Cookies that were set by the steps of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Jar(BTreeMap<String, String>);

impl Jar {
    /// Takes those that an answer sets.
    pub(crate) fn take(&mut self, headers: &HeaderMap) {
        self.0.extend(cookies(headers));
    }

    /// As they are sent; `None` if there are none.
    fn sent(&self) -> Option<String> {
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// Name and value of each cookie that an answer sets (RFC 6265, section 5.2).
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.get_all(SET_COOKIE).iter().filter_map(|header| {
        let pair = header.to_str().ok()?.split(';').next()?;
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    })
}

/// The request of an exchange at `base`, in the name of whom the access token is.
pub(crate) fn request(
    base: &str,
    exchange: &Exchange,
    values: &Values,
    (token, jar): (Option<&str>, &Jar),
) -> Result<Request<Full<Bytes>>, String> {
    let told = |missing: Missing| missing.to_string();
    let named = match token {
        Some(token) => values.clone().with(Slot::AccessToken, token),
        None => values.clone(),
    };
    // in a path or a body, whoever has no token presents an empty one
    let filled = named.clone().with(
        Slot::AccessToken,
        named.get(Slot::AccessToken).unwrap_or_default(),
    );
    let url = format!(
        "{base}{}",
        exchange.path.text(&filled, percent_encoded).map_err(told)?
    );
    // what a profile may leave as it is, `{` and the like, is encoded here
    let url = Url::parse(&url).map_err(|error| format!("{url}: {error}"))?;
    let mut request = Request::builder().method(method(exchange.verb)).uri(url.as_str());
    let mut content = String::new();
    if let Some(body) = &exchange.body {
        let (kind, body) = written(body, &filled).map_err(told)?;
        request = request.header(CONTENT_TYPE, kind);
        content = body;
    }
    let mut cookies = jar.sent();
    for (name, value) in &exchange.headers {
        match value.text(&named, str::to_owned) {
            // a request has one such header (RFC 6265, section 5.4)
            Ok(value) if name.eq_ignore_ascii_case("cookie") => {
                cookies = Some(cookies.map_or(value.clone(), |set| format!("{value}; {set}")));
            }
            Ok(value) => request = request.header(name, value),
            // whoever has no token presents none
            Err(Missing {
                slot: Slot::AccessToken,
            }) => {}
            Err(missing) => return Err(told(missing)),
        }
    }
    if let Some(cookies) = cookies {
        request = request.header(COOKIE, cookies);
    }
    if let (true, Some(token)) = (exchange.bearer, token) {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::from(content));
    request.map_err(|error| error.to_string())
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Patch => Method::PATCH,
        Verb::Delete => Method::DELETE,
    }
}

/// A body and its type.
fn written(body: &Body, values: &Values) -> Result<(&'static str, String), Missing> {
    match body {
        Body::Json(json) => Ok(("application/json", json.json(values)?)),
        Body::Form(fields) => {
            let field = |(name, value): &(String, crate::codec::Template)| {
                let value = value.text(values, str::to_owned)?;
                Ok(format!("{}={}", percent_encoded(name), percent_encoded(&value)))
            };
            let fields: Vec<_> = fields.iter().map(field).collect::<Result<_, _>>()?;
            Ok(("application/x-www-form-urlencoded", fields.join("&")))
        }
    }
}

/// A request, for people.
pub(crate) fn in_words(exchange: &Exchange, values: &Values, token: Option<&str>) -> String {
    let verb = format!("{:?}", exchange.verb).to_uppercase();
    let values = &values.clone().with(Slot::AccessToken, token.unwrap_or_default());
    let path = exchange.path.text(values, percent_encoded).unwrap_or_default();
    let body = exchange.body.as_ref();
    let body = body
        .and_then(|body| written(body, values).ok())
        .map(|(_, body)| body);
    let token = token
        .filter(|_| exchange.presents_token())
        .map_or("", |_| "with a token");
    let words = [verb, path, body.unwrap_or_default(), token.to_owned()];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// What stands in an answer to a request that says this.
pub(crate) fn found(exchange: &Exchange, said: &Values, headers: &HeaderMap, text: &str) -> Values {
    let mut values = Values::new();
    for (slot, found) in &exchange.holds {
        let value = match found {
            Found::At(pointer) => pick(text, pointer),
            Found::Is(template) => template.text(said, str::to_owned).ok(),
            Found::Header(name) => {
                let header = headers.get(name).and_then(|value| value.to_str().ok());
                header.map(|value| value.strip_prefix("Bearer ").unwrap_or(value).to_owned())
            }
            Found::Cookie(name) => cookies(headers)
                .find(|(set, _)| set == name)
                .map(|(_, value)| value),
            Found::Text(pattern) => pattern.0.captures(text).and_then(|groups| {
                let group = groups.get(1).or_else(|| groups.get(0))?;
                Some(group.as_str().to_owned())
            }),
        };
        if let Some(value) = value {
            values.set(*slot, value);
        }
    }
    values
}

/// What was sought in an answer, where, and whether it was there.
pub(crate) fn sought(exchange: &Exchange, given: &Values) -> Vec<(&'static str, String, bool)> {
    let there = |slot: Slot| given.get(slot).is_some();
    let holds = exchange.holds.iter();
    holds
        .map(|(slot, at)| (slot.name(), at.to_string(), there(*slot)))
        .collect()
}

impl Success {
    /// Whether an answer is one; if not, what it is.
    pub(crate) fn of(&self, status: u16, text: &str) -> Result<(), String> {
        let good = match self.statuses.is_empty() {
            true => (200..300).contains(&status),
            false => self.statuses.contains(&status),
        };
        if !good {
            return Err(format!("status {status}"));
        }
        match self
            .when
            .iter()
            .find(|(pointer, condition)| !condition.holds(text, pointer))
        {
            Some((pointer, _)) => Err(format!("status {status}, and not what has to stand at {pointer}")),
            None => Ok(()),
        }
    }
}

/// A value as it goes into a path, a query or a form (RFC 3986, section 2.3).
pub(crate) fn percent_encoded(value: &str) -> String {
    const TAKEN: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(value, TAKEN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Condition, Template};
    use crate::profile::Pattern;

    fn exchange() -> Exchange {
        let template = |text| Template::parse(text).unwrap();
        Exchange {
            before: Vec::new(),
            verb: Verb::Put,
            path: template("/login?next=${handle}&as=${access-token}"),
            body: Some(Body::Form(vec![
                ("user name".to_owned(), template("${handle}")),
                ("csrf".to_owned(), template("${ticket}")),
            ])),
            headers: vec![("cookie".to_owned(), template("sid=${access-token}"))],
            bearer: false,
            success: Success {
                statuses: vec![200, 302],
                when: vec![("/ok".to_owned(), Condition::Is("true".to_owned()))],
            },
            holds: vec![
                (Slot::AccessToken, Found::Cookie("sid".to_owned())),
                (Slot::Session, Found::Header("x-session".to_owned())),
                (Slot::User, Found::At("/user/id".to_owned())),
                (
                    Slot::Ticket,
                    Found::Text(Pattern(regex::Regex::new("csrf\" *: *\"([^\"]+)").unwrap())),
                ),
            ],
        }
    }

    #[test]
    fn a_form_with_a_cookie_of_ones_own() {
        let values = Values::new().with(Slot::Handle, "a b&c").with(Slot::Ticket, "t");
        let mut jar = Jar::default();
        let built = |token, jar: &Jar| request("http://h:1", &exchange(), &values, (token, jar)).unwrap();
        let asked = built(Some("s3"), &jar);
        assert_eq!(asked.method(), "PUT");
        assert_eq!(asked.uri().to_string(), "http://h:1/login?next=a%20b%26c&as=s3");
        let body = format!("{:?}", asked.body());
        assert!(body.contains("user%20name=a%20b%26c&csrf=t"), "{body}");
        assert_eq!(asked.headers()["cookie"], "sid=s3");
        let mut set = HeaderMap::new();
        set.append(SET_COOKIE, "a=1; Path=/; HttpOnly".parse().unwrap());
        set.append(SET_COOKIE, "b=2=3".parse().unwrap());
        jar.take(&set);
        let anonymous = built(None, &jar);
        assert_eq!(anonymous.headers()["cookie"], "a=1; b=2=3");
        assert_eq!(anonymous.uri().query(), Some("next=a%20b%26c&as="));
        assert_eq!(
            in_words(&exchange(), &values, Some("s3")),
            "PUT /login?next=a%20b%26c&as=s3 user%20name=a%20b%26c&csrf=t with a token"
        );
    }

    #[test]
    fn what_stands_in_an_answer() {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, "sid=abc; Path=/".parse().unwrap());
        headers.append("X-Session", "Bearer s1".parse().unwrap());
        let text = r#"{"ok":true,"user":{"id":7},"csrf": "t9"}"#;
        let exchange = exchange();
        let values = found(&exchange, &Values::new(), &headers, text);
        let all = [Slot::AccessToken, Slot::Session, Slot::User, Slot::Ticket]
            .map(|slot| values.get(slot).unwrap());
        assert_eq!(all, ["abc", "s1", "7", "t9"]);
        let check = |status, text| exchange.success.of(status, text);
        assert_eq!(check(302, text), Ok(()));
        assert_eq!(check(201, text), Err("status 201".to_owned()));
        assert_eq!(
            check(200, r#"{"ok":false}"#),
            Err("status 200, and not what has to stand at /ok".to_owned())
        );
        assert_eq!(Success::default().of(204, ""), Ok(()));
    }
}
