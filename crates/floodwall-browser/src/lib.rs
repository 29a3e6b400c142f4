//! For tests only, as a dev-dependency: pages of Floodwall in a headless Chromium, judged by
//! axe-core. Nothing that is shipped may depend on it; it ends a test with the first thing that is
//! not as it should be.

mod chromium;

pub use chromium::{Browser, in_browser};
