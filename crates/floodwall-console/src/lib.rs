//! Operator console, JSON API and metrics
