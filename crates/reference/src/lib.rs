//! The system under test that Crosstalk ships: auth, gateway and agent.
