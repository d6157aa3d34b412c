//! The operator port: health and metrics, on an address of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::time::timeout;

use crate::metrics::Metrics;

/// How long a health check may take before the process counts as unhealthy.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// What a process checks when asked for its health; `Err` is the reason, worded for an operator.
pub type HealthCheck = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What the operator port of one process tells.
#[derive(Clone)]
pub struct Operator {
    process: &'static str,
    replica: Option<String>,
    metrics: Arc<Metrics>,
    health: HealthCheck,
}

impl Operator {
    /// The operator port of `process` (`auth`, `gateway`, `agent`).
    #[must_use]
    pub fn new(process: &'static str, metrics: Arc<Metrics>, health: HealthCheck) -> Self {
        Self {
            process,
            replica: None,
            metrics,
            health,
        }
    }

    /// Names the replica in `/health`.
    #[must_use]
    pub fn replica(mut self, replica: impl Into<String>) -> Self {
        self.replica = Some(replica.into());
        self
    }

    /// `GET /health` and `GET /metrics`, to be given to [`crate::http::serve`].
    pub fn router(self) -> Router {
        Router::new()
            .route("/health", get(health))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

async fn health(State(operator): State<Operator>) -> Response {
    let verdict = match timeout(HEALTH_TIMEOUT, (operator.health)()).await {
        Ok(verdict) => verdict,
        Err(_) => Err(format!(
            "the health check took longer than {} ms",
            HEALTH_TIMEOUT.as_millis()
        )),
    };
    let (status, word) = match verdict {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let mut body = json!({ "status": word, "process": operator.process });
    if let Some(replica) = operator.replica {
        body["replica"] = json!(replica);
    }
    if let Err(reason) = verdict {
        body["reason"] = json!(reason);
    }
    (status, Json(body)).into_response()
}

async fn metrics(State(operator): State<Operator>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        operator.metrics.text(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::Value;

    use super::*;

    async fn check(check: HealthCheck, status: StatusCode, expect: Value) {
        let operator = Operator::new("gateway", Metrics::new(), check).replica("0");
        let response = super::health(State(operator)).await;
        assert_eq!(response.status(), status);
        let body = to_bytes(response.into_body(), 1024).await.expect("a short body");
        assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON"), expect);
    }

    #[tokio::test(start_paused = true)]
    async fn health_is_what_the_check_says_in_time() {
        let fine: HealthCheck = Arc::new(|| Box::pin(async { Ok(()) }));
        check(
            fine,
            StatusCode::OK,
            json!({"status": "ok", "process": "gateway", "replica": "0"}),
        )
        .await;
        let ill: HealthCheck = Arc::new(|| Box::pin(async { Err("no database".to_owned()) }));
        let answer =
            json!({"status": "failing", "process": "gateway", "replica": "0", "reason": "no database"});
        check(ill, StatusCode::SERVICE_UNAVAILABLE, answer).await;
        let hangs: HealthCheck = Arc::new(|| Box::pin(std::future::pending()));
        let reason = "the health check took longer than 1000 ms";
        let answer = json!({"status": "failing", "process": "gateway", "replica": "0", "reason": reason});
        check(hangs, StatusCode::SERVICE_UNAVAILABLE, answer).await;
    }
}
