//! The system under test that Crosstalk ships: auth, gateway and agent.
pub mod agent;
pub mod config;
pub mod grants;
pub mod http;
pub mod metrics;
pub mod operator;
pub mod pool;
pub mod schema;
pub mod token;
