//! Certificates made for the test, handshakes in memory.

use std::fs;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection};
use tempfile::TempDir;

use super::*;

/// Writes a file as programs that renew certificates do: beside it, and then in its place.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, path).unwrap();
}

/// Writes a self-signed certificate and its key, named after the first host.
fn make(folder: &TempDir, hosts: &[&str]) -> CertificateFiles {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
    let mut params = CertificateParams::new(names.clone()).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1));
    let certificate = params.self_signed(&key).unwrap();
    let path = |suffix: &str| folder.path().join(format!("{}.{suffix}", hosts[0].replace('*', "any")));
    replace(&path("pem"), certificate.pem().as_bytes());
    replace(&path("key"), key.serialize_pem().as_bytes());
    CertificateFiles { certificate: path("pem"), key: path("key"), hosts: names }
}

fn config_of(files: &[CertificateFiles]) -> Result<Arc<ServerConfig>, Vec<TlsError>> {
    let live = LiveCertificates::load(files)?;
    server_config(Arc::new(live)).map_err(|error| vec![error])
}

fn client(trusted: &[&CertificateFiles], alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for files in trusted {
        roots.add(CertificateDer::from_pem_file(&files.certificate).unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Shakes hands in memory; gives both ends, or the client's complaint.
fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    host: &str,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut sent = wire.as_slice();
        while !sent.is_empty() {
            server.read_tls(&mut sent).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut answered = wire.as_slice();
        while !answered.is_empty() {
            client.read_tls(&mut answered).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok((client, server))
}

#[test]
fn each_host_is_given_its_own_certificate() {
    let folder = TempDir::new().unwrap();
    let sos = make(&folder, &["www.sos.example.gov", "sos.example.gov"]);
    let county = make(&folder, &["*.county.example.gov"]);
    let server = config_of(&[sos.clone(), county.clone()]).unwrap();
    for (host, files) in [
        ("www.sos.example.gov", &sos),
        ("WWW.SOS.example.gov", &sos),
        ("sos.example.gov", &sos),
        ("maps.county.example.gov", &county),
    ] {
        let trusting = client(&[&sos, &county], &[]);
        let (shaken, _) = handshake(&server, &trusting, host).unwrap();
        let given = shaken.peer_certificates().unwrap()[0].clone();
        assert_eq!(given, CertificateDer::from_pem_file(&files.certificate).unwrap(), "{host}");
    }
    let error = handshake(&server, &client(&[&sos, &county], &[]), "unknown.example.gov").unwrap_err();
    assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "the first certificate is given: {error}");
}

#[test]
fn http2_is_chosen_where_the_visitor_speaks_it() {
    let folder = TempDir::new().unwrap();
    let files = make(&folder, &["www.example.gov"]);
    let server = config_of(std::slice::from_ref(&files)).unwrap();
    for (offered, chosen) in
        [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
    {
        let (_, served) = handshake(&server, &client(&[&files], offered), "www.example.gov").unwrap();
        assert_eq!(served.alpn_protocol(), chosen.map(str::as_bytes), "{offered:?}");
    }
}

#[test]
fn returning_visitors_resume() {
    let folder = TempDir::new().unwrap();
    let files = make(&folder, &["www.example.gov"]);
    let server = config_of(std::slice::from_ref(&files)).unwrap();
    let visitor = client(&[&files], &[]);
    let (first, _) = handshake(&server, &visitor, "www.example.gov").unwrap();
    let (second, _) = handshake(&server, &visitor, "www.example.gov").unwrap();
    assert_eq!(first.handshake_kind(), Some(HandshakeKind::Full));
    assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed));
}

/// Every fault's message, with the temporary folder taken out.
fn complaints(folder: &TempDir, certificates: &[CertificateFiles]) -> Vec<String> {
    let prefix = format!("{}/", folder.path().display());
    let errors = config_of(certificates).unwrap_err();
    errors.iter().map(|e| e.to_string().replace(&prefix, "")).collect()
}

#[test]
fn every_fault_is_named_in_one_go() {
    let folder = TempDir::new().unwrap();
    let good = make(&folder, &["good"]);
    let other = make(&folder, &["other"]);
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let with = |certificate: &Path, key: &Path| CertificateFiles {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        hosts: vec![],
    };
    let der = CertificateDer::from_pem_file(&good.certificate).unwrap();
    let reversed = [fs::read(&other.certificate).unwrap(), fs::read(&good.certificate).unwrap()].concat();
    let pairs = [
        with(&folder.path().join("absent.pem"), &folder.path().join("absent.key")),
        with(&file("text.pem", b"not a certificate"), &file("text.key", b"s3cret")),
        with(&file("der.pem", &der), &good.key),
        with(&good.certificate, &file("locked.key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n")),
        with(&file("cut.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n"), &good.key),
        with(&good.certificate, &other.key),
        with(&file("reversed.pem", &reversed), &good.key),
        with(&file("junk.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &good.key),
        with(&file("large.pem", &vec![b'x'; (1 << 20) + 1]), &good.key),
    ];
    insta::assert_snapshot!(complaints(&folder, &pairs).join("\n"), @r"
    absent.pem cannot be read: No such file or directory (os error 2); check the path, and that Floodwall's user may read it
    absent.key cannot be read: No such file or directory (os error 2); check the path, and that Floodwall's user may read it
    text.pem holds no certificate in PEM form; give a PEM file: text with -----BEGIN CERTIFICATE-----
    text.key holds no private key in PEM form; give a PEM file: text with -----BEGIN PRIVATE KEY-----
    der.pem is in DER form, not PEM; convert it: openssl x509 -inform der -in FILE -out FILE.pem
    locked.key holds an encrypted key; decrypt it (openssl pkey -in FILE -out FILE.key) and let only Floodwall's user read it
    cut.pem is damaged PEM; give a PEM file: text with -----BEGIN CERTIFICATE-----
    the key other.key does not belong to the certificate good.pem; give the key the certificate was requested with
    reversed.pem holds its certificates in the wrong order; put the site's own certificate first, then those that vouch for it
    junk.pem holds a certificate that cannot be read: invalid peer certificate: BadEncoding; have the certificate issued anew
    large.pem is larger than 1 MiB; give a PEM file with nothing else in it
    ");
    assert_eq!(
        complaints(&folder, &[]),
        ["no certificate is given for the TLS listeners; give a site `certificate` and `key`"]
    );
}

#[test]
fn a_certificate_tells_its_dates_and_names() {
    let folder = TempDir::new().unwrap();
    let files = make(&folder, &["www.example.gov", "*.County.example.gov", "192.0.2.1"]);
    let facts = inspect(&files).unwrap();
    assert_eq!(facts.not_before_unix_seconds, 1_577_836_800);
    assert_eq!(facts.not_after_unix_seconds, 4_733_510_400);
    assert_eq!(facts.names, ["www.example.gov", "*.county.example.gov", "192.0.2.1"]);
    assert!(facts.self_signed);
    assert_eq!(facts.chain_length, 1);
    for (host, covered) in [
        ("www.example.gov", true),
        ("WWW.example.gov", true),
        ("example.gov", false),
        ("maps.county.example.gov", true),
        ("old.maps.county.example.gov", false),
        ("county.example.gov", false),
        ("*.county.example.gov", true),
        ("*.example.gov", false),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
    ] {
        assert_eq!(facts.covers(host), covered, "{host}");
    }
}

#[test]
fn renewed_certificates_are_taken_up_and_broken_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = make(&folder, &["www.sos.example.gov"]);
    let live = Arc::new(LiveCertificates::load(std::slice::from_ref(&files)).unwrap());
    let server = server_config(live.clone()).unwrap();
    // Without tickets: who resumes a session is not shown a certificate.
    let fresh = |client: Arc<ClientConfig>| {
        let mut client = Arc::unwrap_or_clone(client);
        client.resumption = rustls::client::Resumption::disabled();
        Arc::new(client)
    };
    let trusts_old = fresh(client(&[&files], &[]));
    let shakes = |client: &Arc<ClientConfig>| handshake(&server, client, "www.sos.example.gov").is_ok();
    assert!(shakes(&trusts_old));
    assert!(matches!(live.reload(false), Reloaded::Unchanged));

    // Half of a renewal, as it lies there between two writes.
    let old_key = fs::read(&files.key).unwrap();
    let renewed = make(&folder, &["www.sos.example.gov"]);
    let (trusts_new, new_key) = (fresh(client(&[&renewed], &[])), fs::read(&files.key).unwrap());
    replace(&files.key, &old_key);
    let Reloaded::Refused(errors) = live.reload(false) else { panic!("taken up without its key") };
    assert!(matches!(errors[..], [TlsError::Mismatch { .. }]), "{errors:?}");
    assert!(shakes(&trusts_old) && !shakes(&trusts_new));

    replace(&files.key, &new_key);
    assert!(matches!(live.reload(false), Reloaded::Loaded));
    assert!(shakes(&trusts_new) && !shakes(&trusts_old));

    fs::remove_file(&files.certificate).unwrap();
    assert!(matches!(live.reload(false), Reloaded::Refused(_)));
    assert!(shakes(&trusts_new), "the one in use goes on");
    // Said once, and again when somebody asks.
    assert!(matches!(live.reload(false), Reloaded::Unchanged));
    assert!(matches!(live.reload(true), Reloaded::Refused(_)));
}

/// Of version 1, valid for a hundred years; its key is not here.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBITCByQIULh9WeOzj0nsQFqQxkR0qm9VrdrswCgYIKoZIzj0EAwIwEzERMA8G
A1UEAwwIb2xkLnRlc3QwIBcNMjYxMTI1MDUxODAyWhgPMjEyNjExMDEwNTE4MDJa
MBMxETAPBgNVBAMMCG9sZC50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
vJTys0AKikISv3Niir7gQKwEa1r2YXd75jN4+I5tt1bRmjaCIcZ3ZR9hd4+DSmgW
s/MygfEL+0PZvYyDRIEZtTAKBggqhkjOPQQDAgNHADBEAiBLWZGyF0JNcEjf/M9W
cN7YzKrGuYYAmh2gV9tutgtYWwIgFTTjI+jv8pGhHx7FUfJ0QMDSdO1bk1HHimYk
RyYg+ZY=
-----END CERTIFICATE-----
";

#[test]
fn a_certificate_of_version_1_is_named_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let files = make(&folder, &["old.test"]);
    replace(&files.certificate, VERSION_1.as_bytes());
    let errors = config_of(std::slice::from_ref(&files)).unwrap_err();
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert!(error.problem().contains("X.509 version 1 or 2"), "{error}");
    assert!(error.fix().contains("subjectAltName"));
}
