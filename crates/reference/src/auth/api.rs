//! The routes, and what holds for all of them: a task of its own for each request, limits, metrics.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Auth;
use super::answer::{AuthError, ErrorCode};
use super::input::{Bearer, Body, Login, Refresh, Register, whole};
use crate::http::Seat;
use crate::metrics::{Metrics, Situation};

/// Requests in progress at once; what comes on top is refused as busy.
pub(super) const REQUESTS_MAX: usize = 1024;
/// How long a request may take before it is answered with a timeout. What it began is finished all the same.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The service's routes.
pub fn router(auth: Arc<Auth>) -> Router {
    let guard = Guard {
        metrics: Arc::clone(&auth.metrics),
        places: Arc::new(Semaphore::new(REQUESTS_MAX)),
    };
    Router::new()
        .route("/register", post(register))
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/refresh", post(refresh))
        .route("/logout", post(logout))
        .route("/.well-known/jwks.json", get(key_set))
        .route("/health", get(health))
        .fallback(async || AuthError::NotFound)
        .method_not_allowed_fallback(async || AuthError::MethodNotAllowed)
        .layer(from_fn_with_state(guard, in_own_task))
        .with_state(auth)
}

async fn register(State(auth): State<Arc<Auth>>, Body(input): Body<Register>) -> Result<Response, AuthError> {
    let registered = auth.register(input).await?;
    Ok((StatusCode::CREATED, Json(registered)).into_response())
}

async fn login(State(auth): State<Arc<Auth>>, Body(input): Body<Login>) -> Result<Response, AuthError> {
    Ok(Json(auth.login(input).await?).into_response())
}

thread_local! {
    /// Whether a user has asked on this worker thread.
    static WAS_ASKED: Cell<bool> = const { Cell::new(false) };
}

async fn me(State(auth): State<Arc<Auth>>, bearer: Result<Bearer, AuthError>) -> Result<Response, AuthError> {
    if bearer.is_ok() {
        WAS_ASKED.set(true);
    } else if WAS_ASKED.get() {
        auth.metrics.situation(Situation::AnonymousAfterUser).inc();
    }
    #[cfg(feature = "mutants")]
    let (has_token, bearer) = (
        bearer.is_ok(),
        crate::mutant::ambient_identity::token(bearer.as_ref().ok().map(|Bearer(token)| token.as_str()))
            .map(Bearer)
            .ok_or(AuthError::Unauthorized),
    );
    let Bearer(token) = bearer?;
    let me = auth.me(&token).await?;
    #[cfg(feature = "mutants")]
    if !has_token {
        crate::mutant::ambient_identity::served(me.user_id);
    }
    Ok(Json(me).into_response())
}

async fn refresh(State(auth): State<Arc<Auth>>, Body(input): Body<Refresh>) -> Result<Response, AuthError> {
    #[cfg(feature = "mutants")]
    if let Some(kept) = crate::mutant::cached_credential::answer(auth.holder(&input).await?) {
        return Ok(Json(kept).into_response());
    }
    let tokens = auth.refresh(input).await?;
    #[cfg(feature = "mutants")]
    crate::mutant::cached_credential::keep(tokens.user_id, json!(tokens));
    Ok(Json(tokens).into_response())
}

async fn logout(State(auth): State<Arc<Auth>>, Bearer(token): Bearer) -> Result<StatusCode, AuthError> {
    auth.logout(&token).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn key_set(State(auth): State<Arc<Auth>>) -> Response {
    Json(&auth.key_set).into_response()
}

async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

#[derive(Clone)]
struct Guard {
    metrics: Arc<Metrics>,
    places: Arc<Semaphore>,
}

/// Runs a request in a task that a client's going away does not cancel: a half-done transaction would otherwise stay
/// on its connection (see [`super::database`]).
async fn in_own_task(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let op = op(request.uri().path());
    let mut response = match answer(&guard, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    let outcome = response
        .extensions()
        .get::<ErrorCode>()
        .map_or("ok", |code| code.0);
    guard.metrics.requests(op, outcome).inc();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A request takes a place only once it is whole: whoever sends slowly keeps nobody out.
async fn answer(guard: &Guard, request: Request, next: Next) -> Result<Response, AuthError> {
    let request = whole(request).await?;
    let place = Arc::clone(&guard.places)
        .try_acquire_owned()
        .map_err(|_| AuthError::Busy)?;
    if let Some(seat) = request.extensions().get::<Seat>() {
        seat.work().then_some(()).ok_or(AuthError::Busy)?;
    }
    let task = tokio::spawn(async move {
        let _place = place;
        next.run(request).await
    });
    match timeout(REQUEST_TIMEOUT, task).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(panicked)) => Err(AuthError::Internal(panicked.into())),
        Err(_) => Err(AuthError::Timeout),
    }
}

fn op(path: &str) -> &'static str {
    match path {
        "/register" => "register",
        "/login" => "login",
        "/me" => "me",
        "/refresh" => "refresh",
        "/logout" => "logout",
        "/.well-known/jwks.json" => "jwks",
        "/health" => "health",
        _ => "other",
    }
}
