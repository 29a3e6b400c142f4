//! Floodwall itself, with the user's own settings where given.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Edge, EdgeCommand, EdgeError, Label, Place, write};
use crate::run::ADMIN_PORT;

/// Floodwall in the edge's place.
#[derive(Clone, Debug)]
pub struct Floodwall {
    /// The program: the one that runs the drill.
    pub program: PathBuf,
    /// Its version.
    pub version: String,
    /// The user's settings file, where the drill is to rehearse those.
    pub settings: Option<PathBuf>,
}

impl Edge for Floodwall {
    fn label(&self) -> Label {
        Label { name: "floodwall".to_owned(), version: self.version.clone() }
    }

    fn tells_of_admission(&self) -> bool {
        true
    }

    fn prepare(&self, place: &Place<'_>) -> Result<EdgeCommand, EdgeError> {
        let text = match &self.settings {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| EdgeError::Config(format!("cannot read {}: {error}", path.display())))?,
        };
        let table: Table = text.parse().map_err(|error| EdgeError::Config(format!("{error}")))?;
        let settings = put_in_place(table, place).map_err(EdgeError::Config)?;
        let path = write(place.directory.join("floodwall.toml"), &settings.to_string())?;
        let arguments = ["serve".into(), "--config".into(), path.into()].to_vec();
        Ok(EdgeCommand { program: self.program.clone(), arguments })
    }
}

/// The settings with every address replaced by the drill's own. What decides about visitors (limits,
/// cache, time-outs) stays as it is written; of several sites the first is rehearsed.
fn put_in_place(mut settings: Table, place: &Place<'_>) -> Result<Table, String> {
    let texts = |texts: Vec<String>| Value::Array(texts.into_iter().map(Value::String).collect());
    let server = settings.entry("server").or_insert_with(|| Value::Table(Table::new()));
    let server = server.as_table_mut().ok_or("server is no table; see `floodwall check`")?;
    server.insert("http".into(), texts(place.listen.iter().map(ToString::to_string).collect()));
    // On loopback another Floodwall may have this machine's usual address.
    let own = place.listen.iter().map(SocketAddr::ip).find(IpAddr::is_loopback);
    let admin = SocketAddr::new(own.unwrap_or(Ipv4Addr::LOCALHOST.into()), ADMIN_PORT);
    server.insert("admin".into(), Value::String(admin.to_string()));
    server.insert("state".into(), Value::String(place.directory.join("state").display().to_string()));
    for elsewhere in ["https", "interface", "trusted_proxies", "access_log"] {
        server.remove(elsewhere);
    }
    // A drill reaches nobody: no resolver either.
    server.insert("verify_crawlers".into(), Value::String("off".into()));
    if let Some(tls) = place.tls {
        server.insert("https".into(), texts(tls.listen.iter().map(ToString::to_string).collect()));
    }
    let sites = settings.entry("site").or_insert_with(|| Value::Array(vec![Value::Table(Table::new())]));
    let sites = sites.as_array_mut().ok_or("site is no list of [[site]]; see `floodwall check`")?;
    sites.truncate(1);
    let site = sites.first_mut().and_then(Value::as_table_mut).ok_or("there is no [[site]]")?;
    site.entry("name").or_insert_with(|| Value::String("drill".into()));
    site.insert("hosts".into(), texts(vec![place.site.to_owned()]));
    site.insert("origin".into(), texts(vec![format!("http://{}", place.origin)]));
    for elsewhere in ["certificate", "key"] {
        site.remove(elsewhere);
    }
    if let Some(tls) = place.tls {
        let text = |path: &Path| Value::String(path.display().to_string());
        site.insert("certificate".into(), text(&tls.certificates.certificate));
        site.insert("key".into(), text(&tls.certificates.key));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::Certificates;
    use crate::edges::TlsPlace;

    #[test]
    fn addresses_are_replaced_and_limits_stay() {
        let own = r#"
            [server]
            http = ["0.0.0.0:80"]
            https = ["0.0.0.0:443"]
            admin = "10.0.0.1:9800"
            trusted_proxies = ["10.0.0.0/8"]
            [[site]]
            name = "sos"
            hosts = ["www.sos.example.gov"]
            origin = ["http://10.0.0.5:8080"]
            certificate = "sos.pem"
            key = "sos.key"
            [site.limits]
            origin_requests_per_second = 7
            [[site]]
            name = "other"
            hosts = ["other.example.gov"]
            origin = ["http://10.0.0.6:8080"]
        "#;
        let listen = ["192.0.2.1:80".parse().unwrap()];
        let place = Place {
            listen: &listen,
            origin: "192.0.2.2:80".parse().unwrap(),
            site: "www.vote.example",
            tls: None,
            directory: Path::new("/d"),
        };
        insta::assert_snapshot!(put_in_place(own.parse().unwrap(), &place).unwrap());
        insta::assert_snapshot!(put_in_place(Table::new(), &place).unwrap());
        let certificates = Certificates {
            authority: String::new(),
            certificate: "/d/site.pem".into(),
            key: "/d/site.key".into(),
            both: "/d/both.pem".into(),
        };
        let listen = ["192.0.2.1:443".parse().unwrap()];
        let place = Place { tls: Some(TlsPlace { listen: &listen, certificates: &certificates }), ..place };
        insta::assert_snapshot!(put_in_place(own.parse().unwrap(), &place).unwrap());
    }
}
