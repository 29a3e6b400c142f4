//! Claims, written down while the server runs, recorded in its log, and tested against it.

use std::process::{Command, Output};

use super::support::{Origin, Page, Server};

fn floodwall(server: &Server, arguments: &[&str]) -> (i32, String) {
    let file = server.directory.path().join("floodwall.toml");
    let output: Output = Command::new(env!("CARGO_BIN_EXE_floodwall"))
        .args(arguments)
        .args(["--config", file.to_str().unwrap()])
        .env("TMPDIR", server.directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn a_claim_is_written_down_recorded_by_the_running_server_and_tested() {
    let origin = Origin::start(|path| Page::new(path.to_owned(), "no-store"));
    let server = Server::start(origin.address, "", "");
    let add = [
        "claim",
        "add",
        "--claimant",
        "Example Group",
        "--channel",
        "t.me/example",
        "--reference",
        "17",
        "--posted",
        "2022-11-08T14:02Z",
        "--text",
        "First target: http://a.test/ taken down, layer 7",
    ];
    let (status, said) = floodwall(&server, &add);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("You are named: site sos as a.test, since 2022-11-08 14:02 UTC."), "{said}");
    let id = said.split(' ').next().unwrap().to_owned();
    let (status, said) = floodwall(&server, &add);
    assert!(status == 0 && said.starts_with(&format!("{id} is known already.")), "{said}");

    let line = server.program.stderr.line("claims are recorded as evidence");
    assert!(line.contains("claims=1"), "{line}");
    let (status, said) = floodwall(&server, &["evidence", "show", "--kind", "claim", "--json"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains(&id) && said.contains("2022-11-08 14:02 UTC"), "{said}");
    assert!(
        !said.contains("Example Group") && !said.contains("First target"),
        "it is committed to, not told"
    );

    let (status, said) = floodwall(&server, &["claim", "test", &id]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("0 of 2881 minutes are on record"), "{said}");
    for (assertion, outcome) in
        [("target", "untested"), ("time", "untestable"), ("method", "untested"), ("effect", "untested")]
    {
        let line = said.lines().find(|line| line.trim_start().starts_with(assertion)).unwrap();
        assert!(line.contains(outcome), "{line}");
    }
    assert!(said.contains("  recorded  evidence "), "{said}");
    let (status, said) = floodwall(&server, &["claim", "test", "c-0"]);
    assert_eq!(
        (status, said.as_str()),
        (1, "floodwall: there is no claim c-0; see `floodwall claim list`\n")
    );
}
