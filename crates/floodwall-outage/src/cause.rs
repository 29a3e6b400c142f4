//! Why a probe failed: a closed list, each taken from the operation that failed and never from text.

/// The part of a probe that was going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Asking a resolver for addresses.
    Resolve,
    /// Connecting to one address.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Request,
    /// Waiting for the header of the answer.
    FirstByte,
    /// Reading the answer's body.
    Transfer,
    /// Comparing the answer with what it should be.
    Check,
}

impl Phase {
    /// One word, for records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Request => "request",
            Self::FirstByte => "first_byte",
            Self::Transfer => "transfer",
            Self::Check => "check",
        }
    }
}

/// Whether a cause means that people cannot use the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It answers, worse than it should.
    Degraded,
    /// It does not give what was asked for.
    Down,
}

macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal, $phase:ident, $severity:ident, $plain:literal, $spanish:literal;)+) => {
        /// Why a probe failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Cause {
            /// Every cause, in the order of a probe's phases.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// A short name for records and metrics; never changed once released.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $slug,)+ }
            }

            /// The part of the probe in which it shows.
            #[must_use]
            pub fn phase(self) -> Phase {
                match self { $(Self::$name => Phase::$phase,)+ }
            }

            /// Whether people cannot use the site.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// In plain words, in English: a clause that begins in lower case, without a full stop.
            #[must_use]
            pub fn in_english(self) -> &'static str {
                match self { $(Self::$name => $plain,)+ }
            }

            /// The same in Spanish.
            #[must_use]
            pub fn in_spanish(self) -> &'static str {
                match self { $(Self::$name => $spanish,)+ }
            }
        }
    };
}

causes! {
    /// The resolver's host refused the query or no way leads to it.
    ResolverUnreachable = "resolver_unreachable", Resolve, Down, "the name server could not be reached", "no se pudo llegar al servidor de nombres";
    /// The resolver did not answer in time.
    ResolverTimeout = "resolver_timeout", Resolve, Down, "the name server did not answer", "el servidor de nombres no respondió";
    /// NXDOMAIN: the name does not exist (RFC 1035, 4.1.1).
    NameUnknown = "name_unknown", Resolve, Down, "the site's name does not exist", "el nombre del sitio no existe";
    /// SERVFAIL: the resolver could not find out.
    ResolverFailed = "resolver_failed", Resolve, Down, "the name server reported a failure", "el servidor de nombres informó de un fallo";
    /// REFUSED: the resolver would not say.
    ResolverRefused = "resolver_refused", Resolve, Down, "the name server refused to answer", "el servidor de nombres se negó a responder";
    /// Any other response code that is an error.
    ResolverError = "resolver_error", Resolve, Down, "the name server answered with an error", "el servidor de nombres respondió con un error";
    /// The answer was no DNS message, or not one to the question.
    ResolverMalformed = "resolver_malformed", Resolve, Down, "the name server's answer made no sense", "la respuesta del servidor de nombres no tenía sentido";
    /// The name exists, without an address of the family that was asked for.
    NoAddress = "no_address", Resolve, Down, "the site's name has no address", "el nombre del sitio no tiene dirección";
    /// The name's alias leads on without end.
    AliasLoop = "alias_loop", Resolve, Down, "the site's name leads in a circle", "el nombre del sitio lleva en círculo";
    /// The name leads to an address that this target may not have.
    AddressForbidden = "address_forbidden", Resolve, Down, "the site's name leads to an address inside a private network", "el nombre del sitio lleva a una dirección de una red privada";
    /// The host answered that nothing listens.
    ConnectRefused = "connect_refused", Connect, Down, "the server refused the connection", "el servidor rechazó la conexión";
    /// Nothing came back to the SYN.
    ConnectTimeout = "connect_timeout", Connect, Down, "the server did not answer", "el servidor no respondió";
    /// A router said that no way leads there, or this host knows none.
    ConnectUnreachable = "connect_unreachable", Connect, Down, "there was no way to the server", "no había ruta hacia el servidor";
    /// The connection was broken off while it was made.
    ConnectReset = "connect_reset", Connect, Down, "the server broke off the connection", "el servidor cortó la conexión";
    /// The handshake did not end in time.
    TlsTimeout = "tls_timeout", Tls, Down, "the encrypted connection was not set up in time", "la conexión cifrada no se estableció a tiempo";
    /// The connection was reset during the handshake.
    TlsReset = "tls_reset", Tls, Down, "the server broke off while the encrypted connection was set up", "el servidor cortó mientras se establecía la conexión cifrada";
    /// The connection was closed during the handshake.
    TlsClosed = "tls_closed", Tls, Down, "the server hung up while the encrypted connection was set up", "el servidor colgó mientras se establecía la conexión cifrada";
    /// What came back is not TLS.
    TlsNotTls = "tls_not_tls", Tls, Down, "the server does not speak the encrypted protocol there", "el servidor no habla el protocolo cifrado en ese puerto";
    /// The two sides have no version, cipher or protocol in common, or the server said so.
    TlsProtocol = "tls_protocol", Tls, Down, "the encrypted connection could not be agreed on", "no hubo acuerdo sobre la conexión cifrada";
    /// The certificate's time is over.
    CertificateExpired = "certificate_expired", Tls, Down, "the site's certificate has expired", "el certificado del sitio ha caducado";
    /// The certificate's time has not come.
    CertificateNotYetValid = "certificate_not_yet_valid", Tls, Down, "the site's certificate is not valid yet", "el certificado del sitio aún no es válido";
    /// The certificate is for another name.
    CertificateWrongName = "certificate_wrong_name", Tls, Down, "the site's certificate is for another name", "el certificado del sitio es para otro nombre";
    /// Nobody whom browsers trust vouches for the certificate.
    CertificateUntrusted = "certificate_untrusted", Tls, Down, "the site's certificate is not trusted", "el certificado del sitio no es de confianza";
    /// The certificate was revoked.
    CertificateRevoked = "certificate_revoked", Tls, Down, "the site's certificate was revoked", "el certificado del sitio fue revocado";
    /// The certificate is damaged or not fit for a server.
    CertificateInvalid = "certificate_invalid", Tls, Down, "the site's certificate is not valid", "el certificado del sitio no es válido";
    /// The request could not be sent in time.
    RequestTimeout = "request_timeout", Request, Down, "the server did not take the request", "el servidor no aceptó la petición";
    /// Not a byte of an answer in time.
    FirstByteTimeout = "first_byte_timeout", FirstByte, Down, "the server took the request and did not answer in time", "el servidor recibió la petición y no respondió a tiempo";
    /// An answer began; its header did not end in time.
    HeaderTimeout = "header_timeout", FirstByte, Down, "the server's answer came too slowly", "la respuesta del servidor llegó demasiado despacio";
    /// The connection was reset before the answer.
    AnswerReset = "answer_reset", FirstByte, Down, "the server broke off before it answered", "el servidor cortó antes de responder";
    /// The connection was closed before the answer.
    AnswerMissing = "answer_missing", FirstByte, Down, "the server hung up without an answer", "el servidor colgó sin responder";
    /// The answer is not HTTP.
    AnswerMalformed = "answer_malformed", FirstByte, Down, "the server's answer made no sense", "la respuesta del servidor no tenía sentido";
    /// The header of the answer has no end.
    HeaderEndless = "header_endless", FirstByte, Down, "the server's answer began without end", "el comienzo de la respuesta no tenía fin";
    /// The body did not end in time.
    TransferTimeout = "transfer_timeout", Transfer, Down, "the page did not arrive whole in time", "la página no llegó entera a tiempo";
    /// The connection was reset during the body.
    TransferReset = "transfer_reset", Transfer, Down, "the server broke off in the midst of the page", "el servidor cortó a mitad de la página";
    /// The body ended before its announced end.
    Truncated = "truncated", Transfer, Down, "the page was cut short", "la página llegó cortada";
    /// The body is damaged: chunks, or frames, that make no sense.
    TransferMalformed = "transfer_malformed", Transfer, Down, "the page arrived damaged", "la página llegó dañada";
    /// The body is larger than a page may be.
    BodyEndless = "body_endless", Transfer, Down, "the page had no end", "la página no tenía fin";
    /// A status that was not expected, 4xx.
    StatusClientError = "status_4xx", Check, Down, "the server answered that it does not have the page or does not give it", "el servidor respondió que no tiene la página o que no la entrega";
    /// A status that was not expected, 5xx.
    StatusServerError = "status_5xx", Check, Down, "the server answered with an error", "el servidor respondió con un error";
    /// Any other status that was not expected.
    StatusUnexpected = "status_unexpected", Check, Down, "the server answered otherwise than expected", "el servidor respondió de forma inesperada";
    /// Redirects lead in a circle, or on without end.
    RedirectLoop = "redirect_loop", Check, Down, "the site sends visitors in a circle", "el sitio envía a los visitantes en círculo";
    /// A redirect leads nowhere that can be asked.
    RedirectInvalid = "redirect_invalid", Check, Down, "the site sends visitors to an address that is none", "el sitio envía a los visitantes a una dirección que no existe";
    /// Our own edge turned the probe away.
    RefusedByDefence = "refused_by_defence", Check, Down, "the site's own defence asked the visitor to wait", "la propia defensa del sitio pidió al visitante que esperara";
    /// A header field is not as expected.
    HeaderMismatch = "header_mismatch", Check, Down, "the answer lacked what it should have", "a la respuesta le faltaba algo que debía tener";
    /// The body does not contain what it should, or contains what it should not.
    BodyMismatch = "body_mismatch", Check, Down, "the page lacked what it should show", "a la página le faltaba lo que debe mostrar";
    /// A value in a JSON body is not as expected.
    JsonMismatch = "json_mismatch", Check, Down, "the data were not as expected", "los datos no eran los esperados";
    /// The DNS answer is not as expected.
    RecordMismatch = "record_mismatch", Check, Down, "the site's name led elsewhere than expected", "el nombre del sitio llevaba a otro lugar";
    /// The body is not what was approved.
    ContentChanged = "content_changed", Check, Down, "the page was not the approved one", "la página no era la aprobada";
    /// Much slower than this target usually is.
    Slow = "slow", Check, Degraded, "the site was much slower than usual", "el sitio era mucho más lento de lo habitual";
}

impl Cause {
    /// The cause of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.as_str() == name)
    }

    /// Whether a prober that gets no processor time could itself be the reason.
    #[must_use]
    pub fn could_be_starvation(self) -> bool {
        matches!(
            self,
            Self::ResolverTimeout
                | Self::ConnectTimeout
                | Self::TlsTimeout
                | Self::RequestTimeout
                | Self::FirstByteTimeout
                | Self::HeaderTimeout
                | Self::TransferTimeout
                | Self::Slow
        )
    }

    /// Whether a prober that is cut off could itself be the reason. What a server said after its
    /// certificate was checked, nobody on the way can have said.
    #[must_use]
    pub fn could_be_own_egress(self) -> bool {
        self.could_be_starvation()
            || matches!(
                self,
                Self::ResolverUnreachable
                    | Self::ResolverFailed
                    | Self::ConnectUnreachable
                    | Self::ConnectReset
                    | Self::ConnectRefused
                    | Self::TlsReset
                    | Self::TlsClosed
                    | Self::AnswerReset
                    | Self::AnswerMissing
                    | Self::TransferReset
                    | Self::Truncated
            )
    }

    /// Whether a stepped clock could itself be the reason.
    #[must_use]
    pub fn could_be_clock(self) -> bool {
        matches!(self, Self::CertificateExpired | Self::CertificateNotYetValid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_its_own_and_leads_back() {
        let names: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            assert_eq!(Cause::of_name(cause.as_str()), Some(*cause));
            assert!(!cause.in_english().ends_with('.') && !cause.in_spanish().ends_with('.'), "{cause:?}");
        }
        assert_eq!(Cause::of_name("tls"), None);
    }

    #[test]
    fn what_a_server_said_is_nobodys_egress() {
        for cause in Cause::ALL.iter().filter(|cause| cause.phase() == Phase::Check && **cause != Cause::Slow)
        {
            assert!(!cause.could_be_own_egress(), "{cause:?}");
        }
    }
}
