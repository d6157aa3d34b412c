//! Scenario plan, target profile, codecs, login, WebSockets and virtual users.
