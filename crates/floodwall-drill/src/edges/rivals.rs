//! Rivals in the edge's place, as a careful administrator hardens them: their configurations stand in
//! `rivals/` for everybody to read and to better.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Edge, EdgeCommand, EdgeError, Label, Place, TlsPlace, write};

/// The rivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// nginx with `proxy_cache`, `limit_req` and `limit_conn`.
    Nginx,
    /// HAProxy with stick tables and its small cache.
    Haproxy,
    /// Varnish with grace and vsthrottle.
    Varnish,
    /// Apache Traffic Server with stale copies and its queue before the origin.
    TrafficServer,
}

impl Rival {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nginx, Self::Haproxy, Self::Varnish, Self::TrafficServer];

    /// As on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Varnish => "varnish",
            Self::TrafficServer => "trafficserver",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Varnish => "varnishd",
            Self::TrafficServer => "traffic_server",
        }
    }

    /// Debian's packages that bring it.
    #[must_use]
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx-light"],
            Self::Haproxy => &["haproxy"],
            Self::Varnish => &["varnish", "varnish-modules"],
            Self::TrafficServer => &["trafficserver", "trafficserver-experimental-plugins"],
        }
    }

    /// Where its program is; `None` where it is not installed.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Servers are often not in the path of ordinary users.
        let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
        places.map(|place| place.join(self.program())).find(|program| program.is_file())
    }

    fn found(self) -> Result<PathBuf, EdgeError> {
        self.find().ok_or_else(|| {
            EdgeError::Config(format!(
                "{} is not installed; as root, run: apt-get install --no-install-recommends {}",
                self.as_str(),
                self.packages().join(" ")
            ))
        })
    }
}

impl Edge for Rival {
    fn label(&self) -> Label {
        let flag = if *self == Self::Varnish { "-V" } else { "-v" };
        let flag = if *self == Self::TrafficServer { "--version" } else { flag };
        let said = Command::new(self.program()).arg(flag).output();
        let text = said.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        Label { name: self.as_str().to_owned(), version: version_in(&String::from_utf8_lossy(&text)) }
    }

    fn offers_tls(&self) -> bool {
        *self != Self::Varnish
    }

    fn prepare(&self, place: &Place<'_>) -> Result<EdgeCommand, EdgeError> {
        let program = self.found()?;
        let arguments = match self {
            Self::Nginx => nginx(place)?,
            Self::Haproxy => haproxy(place)?,
            Self::Varnish => varnish(place)?,
            Self::TrafficServer => traffic_server(place)?,
        };
        Ok(EdgeCommand { program, arguments: arguments.into_iter().map(Into::into).collect() })
    }
}

/// The first word that looks like a version: digits with dots.
fn version_in(text: &str) -> String {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._+-~".contains(c)));
    let numbers = words.map(|word| word.trim_start_matches(|c: char| !c.is_ascii_digit()));
    numbers
        .filter(|word| word.contains('.'))
        .map(str::to_owned)
        .next()
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Fills in what stands in double braces.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

/// One line for each address to listen on, in cleartext and then with TLS.
fn lines(
    place: &Place<'_>,
    clear: impl Fn(&SocketAddr) -> String,
    tls: impl Fn(&SocketAddr, &TlsPlace<'_>) -> String,
) -> String {
    let clear = place.listen.iter().map(clear);
    let tls = place.tls.iter().flat_map(|own| own.listen.iter().map(|address| tls(address, own)));
    clear.chain(tls).collect::<Vec<_>>().join("\n")
}

fn nginx(place: &Place<'_>) -> Result<Vec<String>, EdgeError> {
    let text = fill(
        include_str!("../../rivals/nginx.conf"),
        &[
            ("directory", path_text(place.directory)),
            (
                "listen",
                lines(
                    place,
                    |address| format!("        listen {address} default_server backlog=4096;"),
                    |address, _| format!("        listen {address} ssl http2 default_server backlog=4096;"),
                ),
            ),
            (
                "listen_site",
                lines(
                    place,
                    |address| format!("        listen {address};"),
                    |address, _| format!("        listen {address} ssl http2;"),
                ),
            ),
            (
                "certificate",
                place.tls.map_or_else(String::new, |tls| {
                    let (certificate, key) = (&tls.certificates.certificate, &tls.certificates.key);
                    format!(
                        "    ssl_certificate {};\n    ssl_certificate_key {};",
                        certificate.display(),
                        key.display()
                    )
                }),
            ),
            ("site", place.site.to_owned()),
            ("origin", place.origin.to_string()),
        ],
    );
    let path = write(place.directory.join("nginx.conf"), &text)?;
    Ok(vec![
        "-e".into(),
        "stderr".into(),
        "-p".into(),
        path_text(place.directory),
        "-c".into(),
        path_text(&path),
    ])
}

fn haproxy(place: &Place<'_>) -> Result<Vec<String>, EdgeError> {
    let text = fill(
        include_str!("../../rivals/haproxy.cfg"),
        &[
            (
                "bind",
                lines(
                    place,
                    |address| format!("    bind {address} backlog 4096"),
                    |address, tls| {
                        let both = tls.certificates.both.display();
                        format!("    bind {address} ssl crt {both} alpn h2,http/1.1 backlog 4096")
                    },
                ),
            ),
            ("site", place.site.to_owned()),
            ("origin", place.origin.to_string()),
        ],
    );
    let path = write(place.directory.join("haproxy.cfg"), &text)?;
    Ok(vec!["-db".into(), "-f".into(), path_text(&path)])
}

fn varnish(place: &Place<'_>) -> Result<Vec<String>, EdgeError> {
    let text = fill(
        include_str!("../../rivals/varnish.vcl"),
        &[
            ("origin_host", place.origin.ip().to_string()),
            ("origin_port", place.origin.port().to_string()),
            ("site", place.site.to_owned()),
        ],
    );
    let path = write(place.directory.join("varnish.vcl"), &text)?;
    let mut arguments = ["-j", "none", "-F", "-T", "none", "-s", "malloc,256m"].map(str::to_owned).to_vec();
    // Slow clients: what is read and what is sent may not stall.
    for parameter in ["timeout_idle=10", "send_timeout=30", "idle_send_timeout=10", "listen_depth=4096"] {
        arguments.extend(["-p".to_owned(), parameter.to_owned()]);
    }
    for address in place.listen {
        arguments.extend(["-a".to_owned(), address.to_string()]);
    }
    let state = path_text(&place.directory.join("varnish"));
    arguments.extend(["-n".to_owned(), state, "-f".to_owned(), path_text(&path)]);
    Ok(arguments)
}

fn traffic_server(place: &Place<'_>) -> Result<Vec<String>, EdgeError> {
    let root = place.directory.join("trafficserver");
    let directory = |name: &str| {
        let path = root.join(name);
        match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(EdgeError::Write { path, source }),
        }
    };
    let (own, run, cache) = (directory("etc")?, directory("run")?, directory("cache")?);
    let port = |address: &SocketAddr, how: &str| match address {
        SocketAddr::V4(address) => format!("{}:{how}ipv4:ip-in={}", address.port(), address.ip()),
        SocketAddr::V6(address) => format!("{}:{how}ipv6:ip-in=[{}]", address.port(), address.ip()),
    };
    let ports =
        lines(place, |address| port(address, ""), |address, _| port(address, "ssl:")).replace('\n', " ");
    if let Some(tls) = place.tls {
        let (certificate, key) = (&tls.certificates.certificate, &tls.certificates.key);
        let line =
            format!("dest_ip=* ssl_cert_name={} ssl_key_name={}\n", certificate.display(), key.display());
        write(own.join("ssl_multicert.config"), &line)?;
    }
    let records = include_str!("../../rivals/trafficserver/records.config");
    write(own.join("records.config"), &fill(records, &[("ports", ports)]))?;
    let remap = include_str!("../../rivals/trafficserver/remap.config");
    let values = [("site", place.site.to_owned()), ("origin", place.origin.to_string())];
    write(own.join("remap.config"), &fill(remap, &values))?;
    write(own.join("storage.config"), &format!("{} 256M\n", cache.display()))?;
    // Whoever can reach it may ask: the drill's own hosts. Nobody may purge.
    let allow =
        "ip_allow:\n  - apply: in\n    ip_addrs: [0/0, ::/0]\n    action: allow\n    methods: [GET, HEAD]\n";
    write(own.join("ip_allow.yaml"), allow)?;
    let runroot = format!(
        "prefix: /usr\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/sbin\nincludedir: /usr/include\n\
         libdir: /usr/lib/trafficserver\nlibexecdir: /usr/lib/trafficserver/modules\n\
         sysconfdir: {own}\ndatadir: {run}\nlocalstatedir: {run}\nruntimedir: {run}\nlogdir: {run}\ncachedir: {cache}\n",
        own = own.display(),
        run = run.display(),
        cache = cache.display(),
    );
    let path = write(root.join("runroot.yaml"), &runroot)?;
    Ok(vec![format!("--run-root={}", path.display())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::Certificates;

    #[test]
    fn versions_are_found_in_what_they_say() {
        for (text, version) in [
            ("nginx version: nginx/1.22.1\n", "1.22.1"),
            ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", "2.6.12-1+deb12u4"),
            ("varnishd (varnish-7.1.1 revision 7cee1c58)", "7.1.1"),
            ("Traffic Server 9.2.9 Apr  4 2026 14:52:39 localhost", "9.2.9"),
            ("", "unknown"),
        ] {
            assert_eq!(version_in(text), version);
        }
    }

    #[test]
    fn every_place_in_a_template_is_filled() {
        let directory = tempfile::tempdir().unwrap();
        let listen = ["192.0.2.1:8080".parse().unwrap(), "[2001:db8:e::1]:8080".parse().unwrap()];
        let origin = "192.0.2.2:8081".parse().unwrap();
        let certificates = Certificates::issue(directory.path(), "www.vote.example", None).unwrap();
        let tls_listen = ["192.0.2.1:8443".parse().unwrap(), "[2001:db8:e::1]:8443".parse().unwrap()];
        let place = Place {
            listen: &listen,
            origin,
            site: "www.vote.example",
            tls: Some(TlsPlace { listen: &tls_listen, certificates: &certificates }),
            directory: directory.path(),
        };
        for prepared in [nginx(&place), haproxy(&place), varnish(&place), traffic_server(&place)] {
            assert!(!prepared.unwrap().is_empty());
        }
        for file in [
            "nginx.conf",
            "haproxy.cfg",
            "varnish.vcl",
            "trafficserver/etc/records.config",
            "trafficserver/etc/remap.config",
        ] {
            let text = std::fs::read_to_string(directory.path().join(file)).unwrap();
            assert!(!text.contains("{{") && !text.contains("}}"), "{file}:\n{text}");
            assert!(text.contains("8080") || text.contains("8081"), "{file}");
        }
    }
}
