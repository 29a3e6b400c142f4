//! A headless Chromium under WebDriver, for one test: started on a free port with a profile of its
//! own, and gone at the end of the test however it ends.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests: one ends with the first thing that is not as it should be"
)]
#![expect(clippy::disallowed_methods, reason = "answers of the test's own chromedriver are small")]

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A guard against hanging, not a measurement: every wait ends with its condition.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a test drives the page with.
#[derive(Clone)]
pub struct Browser {
    /// The browser itself, for whatever is not wrapped here.
    pub client: Client,
    devtools: String,
    axe: String,
}

/// What is missing on this machine for tests in a browser.
#[derive(Debug)]
struct Missing(String);

fn axe() -> Result<String, Missing> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/axe.min.js");
    let path = std::env::var_os("FLOODWALL_AXE_JS").map_or_else(|| PathBuf::from(default), PathBuf::from);
    std::fs::read_to_string(&path)
        .map_err(|fault| Missing(format!("axe-core at {}: {fault}", path.display())))
}

fn chromedriver() -> Result<Child, Missing> {
    Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|fault| Missing(format!("chromedriver (Debian package chromium-driver): {fault}")))
}

/// The port it says it listens on.
async fn port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some((_, port)) = line.split_once("was started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("chromedriver ended without saying its port");
}

fn capabilities(profile: &TempDir) -> Capabilities {
    let profile = format!("--user-data-dir={}", profile.path().display());
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        &profile,
    ];
    let capabilities = json!({
        "browserName": "chrome",
        // A test's own certificates.
        "acceptInsecureCerts": true,
        "goog:chromeOptions": { "args": arguments },
    });
    capabilities.as_object().unwrap().clone()
}

/// Runs `scenario` in a fresh browser. Without a browser or axe-core it says so and returns, or
/// fails where `FLOODWALL_REQUIRE_BROWSER=1` demands that nothing is skipped.
pub async fn in_browser<S>(scenario: impl FnOnce(Browser) -> S)
where
    S: Future<Output = ()> + Send + 'static,
{
    let (axe, mut driver) = match axe().and_then(|axe| Ok((axe, chromedriver()?))) {
        Ok(found) => found,
        Err(Missing(what)) => {
            let required = std::env::var("FLOODWALL_REQUIRE_BROWSER").is_ok_and(|value| value == "1");
            assert!(!required, "a browser test cannot run: {what}");
            // Written directly, because the test runner would keep a print of a passing test.
            let text = format!("\nSKIPPED: a browser test cannot run: {what}\n");
            std::io::stderr().write_all(text.as_bytes()).unwrap();
            return;
        }
    };
    let webdriver = format!("http://127.0.0.1:{}", port(&mut driver).await);
    let profile = TempDir::new().unwrap();
    let mut builder = ClientBuilder::new(HttpConnector::new());
    let client = builder.capabilities(capabilities(&profile)).connect(&webdriver).await.unwrap();
    let session = client.session_id().await.unwrap().unwrap();
    let devtools = format!("{webdriver}/session/{session}/goog/cdp/execute");
    let browser = Browser { client: client.clone(), devtools, axe };
    // In a task, so that the browser is closed also when an assertion fails.
    let ended = tokio::spawn(scenario(browser)).await;
    client.close().await.unwrap();
    driver.kill().await.unwrap();
    if let Err(failure) = ended {
        std::panic::resume_unwind(failure.into_panic());
    }
}

impl Browser {
    /// Sends one command of the Chrome DevTools protocol, for what WebDriver cannot set.
    async fn devtools(&self, command: &str, parameters: Value) {
        let client =
            hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let body = Full::<Bytes>::from(json!({ "cmd": command, "params": parameters }).to_string());
        let response = client.request(http::Request::post(&self.devtools).body(body).unwrap()).await.unwrap();
        let status = response.status();
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{command}: {status} {}", String::from_utf8_lossy(&answer));
    }

    /// Sets the size of the page's window, in CSS pixels.
    pub async fn set_viewport(&self, width: u64, height: u64) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// `light` or `dark`, as the visitor's system says it.
    pub async fn set_color_scheme(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Whether pages may run scripts; [`Self::run`] may not either while they may not.
    pub async fn set_scripts(&self, enabled: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !enabled })).await;
    }

    /// Whether scripts of pages can set and read cookies.
    pub async fn set_script_cookies(&self, kept: bool) {
        self.devtools("Emulation.setDocumentCookieDisabled", json!({ "disabled": !kept })).await;
    }

    /// Runs a script in the page and gives back what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until an element matches the XPath expression.
    pub async fn wait_for(&self, xpath: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(xpath)).await;
        assert!(found.is_ok(), "never came: {xpath}\n{}", self.client.source().await.unwrap());
    }

    /// Everything axe-core finds wrong under WCAG 2.2 A and AA, one line each; empty when all is well.
    pub async fn axe_violations(&self) -> String {
        self.client.execute(&self.axe, Vec::new()).await.unwrap();
        let script = "
            const done = arguments[arguments.length - 1];
            const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
            axe.run(document, { runOnly: { type: 'tag', values } }).then(
              (found) => done({
                passes: found.passes.map((rule) => rule.id),
                violations: found.violations.flatMap((rule) =>
                  rule.nodes.map((node) => `${rule.id}: ${node.html} (${node.failureSummary})`)),
              }),
              (fault) => done({ passes: [], violations: [String(fault)] }),
            );";
        let found = self.client.execute_async(script, Vec::new()).await.unwrap();
        let ran = found["passes"].as_array().unwrap();
        for rule in ["color-contrast", "document-title"] {
            assert!(ran.contains(&json!(rule)), "axe-core did not check {rule}: {found}");
        }
        let lines = found["violations"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// CSS pixels the page is wider than its window: what has to be scrolled sideways.
    pub async fn sideways_px(&self) -> u64 {
        let script = "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
        self.run(script).await.as_u64().unwrap()
    }

    /// Saves the whole page as a picture when `FLOODWALL_SCREENSHOTS` names a directory.
    pub async fn picture(&self, name: &str, width: u64) {
        let Some(directory) = std::env::var_os("FLOODWALL_SCREENSHOTS") else {
            return;
        };
        let height = self.run("return document.documentElement.scrollHeight").await.as_u64().unwrap();
        self.set_viewport(width, height).await;
        let picture = self.client.screenshot().await.unwrap();
        std::fs::write(PathBuf::from(directory).join(format!("{name}.png")), picture).unwrap();
    }
}
