//! As a service: what the service manager hears, and certificates renewed under a running server.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;

use crate::support::{Origin, PATIENCE, Page, Program, Server};

fn origin() -> Origin {
    Origin::start(|path| Page::new(path.to_owned(), "no-store"))
}

/// The next message, which is lines.
fn heard(socket: &UnixDatagram) -> String {
    let mut message = [0; 4096];
    let bytes = socket.recv(&mut message).unwrap();
    String::from_utf8_lossy(&message[..bytes]).into_owned()
}

#[test]
fn the_service_manager_hears_that_it_is_ready_alive_and_stopping() {
    let origin = origin();
    let directory = Server::prepare(origin.address, "", "");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let settings = directory.path().join("floodwall.toml");
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "30000000")];
    let program = Program::start_with(
        directory.path(),
        &["serve", "--config", settings.to_str().unwrap()],
        &environment,
    );
    let mut server = Server::ready(program, directory);
    assert!(heard(&socket).lines().any(|line| line == "READY=1"));
    for _ in 0..3 {
        assert_eq!(heard(&socket).trim_end(), "WATCHDOG=1");
    }
    server.program.signal(Signal::TERM);
    let stopping = std::iter::repeat_with(|| heard(&socket)).find(|message| !message.starts_with("WATCHDOG"));
    let stopping = stopping.unwrap();
    assert!(stopping.lines().any(|line| line == "STOPPING=1"), "{stopping}");
    assert!(stopping.lines().any(|line| line == "EXTEND_TIMEOUT_USEC=25000000"), "{stopping}");
    server.ends_with(0);
}

/// Writes a certificate for `a.test` and its key; the certificate.
fn certify(directory: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    fs::write(directory.join("site.key"), made.signing_key.serialize_pem()).unwrap();
    fs::write(directory.join("site.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

/// The certificate that a new connection is shown.
fn shown(server: &Server) -> CertificateDer<'static> {
    let line = server.program.stderr.line("serving");
    let address = line.split(' ').find_map(|word| word.strip_prefix("https=")).unwrap();
    let address = address.trim_matches('"').trim_start_matches("https://");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(fs::read(server.path("trusted.der")).unwrap())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut client = rustls::ClientConnection::new(Arc::new(config), "a.test".try_into().unwrap()).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // One that is not trusted ends the handshake, and has been shown all the same.
    let _ = client.complete_io(&mut stream);
    client
        .peer_certificates()
        .map(|chain| chain[0].clone().into_owned())
        .unwrap_or_else(|| CertificateDer::from(vec![]))
}

#[test]
fn renewed_certificates_are_taken_up_and_broken_ones_are_said() {
    let origin = origin();
    let site = "certificate = \"site.pem\"\nkey = \"site.key\"";
    let directory = Server::prepare(origin.address, "", site);
    let settings = directory.path().join("floodwall.toml");
    let text = fs::read_to_string(&settings).unwrap().replace("https = []", "https = [\"127.0.0.1:0\"]");
    fs::write(&settings, text).unwrap();
    let first = certify(directory.path());
    fs::write(directory.path().join("trusted.der"), &first).unwrap();
    let program = Program::start(directory.path(), &["serve", "--config", settings.to_str().unwrap()]);
    let mut server = Server::ready(program, directory);
    assert_eq!(shown(&server), first);

    fs::write(server.path("site.pem"), "not a certificate").unwrap();
    server.program.signal(Signal::HUP);
    let said = server.program.stderr.line("changed certificates are not used");
    assert!(said.contains("site.pem"), "{said}");
    assert_eq!(shown(&server), first, "the one in use goes on");

    let second = certify(server.directory.path());
    fs::write(server.path("trusted.der"), &second).unwrap();
    server.program.signal(Signal::HUP);
    server.program.stderr.line("the certificates have been loaded anew");
    assert_eq!(shown(&server), second);
    server.program.signal(Signal::TERM);
    server.ends_with(0);
}
