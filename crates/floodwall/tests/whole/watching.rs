//! The watch inside a served site: its origin dies and comes back, and the server in between.

use std::fs;

use serde_json::Value;

use crate::support::{Origin, Page, Program, Server};

fn settings(origin: &Origin) -> String {
    format!(
        "[[watch]]\nname = \"home\"\nurl = \"http://{}/\"\nsite = \"sos\"\ninterval = \"5s\"\n\
         confirm_interval = \"1s\"\ntimeout = \"1s\"\naddresses = \"any\"\n\
         [status]\ndirectory = \"page\"\nurl = \"https://status.a.test/\"\n",
        origin.address
    )
}

fn outages(server: &Server) -> Value {
    serde_json::from_slice(&server.ask_console("/api/v1/outages").body).unwrap()
}

/// The page as it lies in the directory; empty while there is none.
fn page(server: &Server) -> String {
    fs::read_to_string(server.path("page/index.html")).unwrap_or_default()
}

#[test]
fn an_outage_is_told_shown_and_goes_on_over_a_restart() {
    let mut origin = Origin::start(|path| Page::new(path.to_owned(), "no-store"));
    let directory = Server::prepare(origin.address, &settings(&origin), "");
    fs::create_dir(directory.path().join("page")).unwrap();
    let file = directory.path().join("floodwall.toml").display().to_string();
    let program = Program::start(directory.path(), &["serve", "--config", &file]);
    let server = Server::ready(program, directory);
    server.until("the target is up", || outages(&server)["watched"][0]["families"][0]["state"] == "up");
    server.until("the page says so", || page(&server).contains("All of our sites work."));

    origin.kill();
    server.until("the outage is known", || outages(&server)["outages"][0]["open"] == true);
    let list = outages(&server);
    let id = list["outages"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(list["outages"][0]["cause"], "connect_refused", "{list}");
    assert!(!list["outages"][0]["start"]["earliest"].is_null(), "it was up before: {list}");
    server.program.stderr.line(&id);
    server.until("the page says so", || page(&server).contains("There is trouble with our site."));
    assert!(server.ask_console("/").text().contains("the server refused the connection"));

    // Killed, not stopped: what was written is what there is.
    let server = server.again();
    let list = outages(&server);
    assert_eq!((&list["outages"][0]["id"], &list["outages"][0]["open"]), (&id.as_str().into(), &true.into()));
    let _origin = Origin::start_at(origin.address, |path| Page::new(path.to_owned(), "no-store"));
    server.until("it is over", || outages(&server)["outages"][0]["open"] == false);
    let list = outages(&server);
    assert_eq!(list["outages"].as_array().unwrap().len(), 1, "one outage, before and after: {list}");
    server.until("the page says so", || page(&server).contains("All of our sites work."));
    assert!(fs::read_to_string(server.path("page/feed.atom")).unwrap().contains(&id));

    let mut program = Program::start(server.directory.path(), &["outage", "list", "--config", &file]);
    assert_eq!(program.end().code(), Some(0));
    let said = program.stdout.end();
    assert!(said.contains(&id) && said.contains("until"), "{said}");
    let elsewhere = server.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let publish = ["status", "publish", elsewhere.to_str().unwrap(), "--config", &file];
    let mut program = Program::start(server.directory.path(), &publish);
    assert_eq!(program.end().code(), Some(0), "{}", program.stderr.end());
    assert!(
        fs::read_to_string(elsewhere.join("es.html")).unwrap().contains("Todos nuestros sitios funcionan.")
    );
}
