//! Embedded store: per-minute traffic in SQLite
