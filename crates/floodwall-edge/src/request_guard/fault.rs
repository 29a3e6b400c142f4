//! Every reason for which a request is refused before it is parsed: one table.

use http::StatusCode;

/// Declares [`FaultKind`] from one table, so that a kind cannot lack its status, its name in the
/// metrics or its explanation.
macro_rules! fault_kinds {
    ($( $(#[$doc:meta])* $kind:ident $status:ident $name:literal $explanation:literal; )+) => {
        /// What is wrong with a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum FaultKind { $( $(#[$doc])* $kind, )+ }

        impl FaultKind {
            /// Every kind once.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[ $( Self::$kind, )+ ];

            /// The status to answer with before the connection is closed.
            #[must_use]
            pub(crate) const fn status(self) -> StatusCode {
                match self { $( Self::$kind => StatusCode::$status, )+ }
            }

            /// Short name for metrics: lower case and underscores, never changed once released.
            #[must_use]
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $( Self::$kind => $name, )+ }
            }

            /// One sentence in plain words, for the answer's body and the operator's log.
            #[must_use]
            pub(crate) const fn explanation(self) -> &'static str {
                match self { $( Self::$kind => $explanation, )+ }
            }
        }
    };
}

fault_kinds! {
    /// A line ends with LF alone, in a head, a chunk-size line or a trailer (RFC 9112 2.2 lets a
    /// recipient accept it; two recipients that differ on it disagree on where a head ends).
    BareLf BAD_REQUEST "bare_lf"
        "A line ends with a line feed alone; HTTP/1.1 lines end with carriage return and line feed.";
    /// A CR that no LF follows (RFC 9112 2.2).
    BareCr BAD_REQUEST "bare_cr"
        "A carriage return stands inside a line; it may only stand before the line feed that ends it.";
    /// More than two empty lines before a request line (RFC 9112 2.2 asks to tolerate at least one).
    EmptyLines BAD_REQUEST "empty_lines"
        "More than two empty lines stand before the request line.";
    /// Whitespace before the request line, or between it and the first field (RFC 9112 2.2).
    LeadingWhitespace BAD_REQUEST "leading_whitespace"
        "The request line or the first header line begins with whitespace.";
    /// Not `method SP target SP version` (RFC 9112 3); HTTP/0.9 requests are among these.
    RequestLine BAD_REQUEST "request_line"
        "The first line is not a method, one space, a target, one space and the HTTP version.";
    /// A protocol version other than HTTP/1.0 and HTTP/1.1 (RFC 9112 2.3).
    Version HTTP_VERSION_NOT_SUPPORTED "version"
        "The HTTP version named in the first line is not supported on this connection; use HTTP/1.1.";
    /// A target of no form allowed for its method (RFC 9112 3.2): bytes that no URI holds, a
    /// fragment, a scheme other than http and https, user information, `*` without OPTIONS.
    Target BAD_REQUEST "target"
        "The request target is not a path that starts with a slash, nor an http or https address.";
    /// CONNECT, which asks for a tunnel (RFC 9110 9.3.6).
    ConnectMethod NOT_IMPLEMENTED "connect_method"
        "This server does not open tunnels (CONNECT).";
    /// A field line without a name, without a colon, or with a byte in its name that no token holds
    /// (RFC 9112 5, RFC 9110 5.1).
    FieldName BAD_REQUEST "field_name"
        "A header line has no colon, or its name is empty or holds characters that no name may hold.";
    /// Whitespace between a field name and its colon (RFC 9112 5.1).
    SpaceBeforeColon BAD_REQUEST "space_before_colon"
        "Whitespace stands between a header name and its colon.";
    /// A field value continued on a next line (RFC 9112 5.2).
    ObsFold BAD_REQUEST "obs_fold"
        "A header line begins with whitespace, which once continued the line before and is obsolete.";
    /// NUL or another control character in a field value (RFC 9110 5.5).
    ControlCharacter BAD_REQUEST "control_character"
        "A header value holds a control character.";
    /// `Content_Length` or `Transfer_Encoding`: harmless here, but programs that turn hyphens into
    /// underscores (CGI, RFC 3875 4.1.18) read them as the real fields.
    FramingLookalike BAD_REQUEST "framing_lookalike"
        "A header is named like Content-Length or Transfer-Encoding but with an underscore.";
    /// More than one Content-Length line, even an identical one (RFC 9112 6.3, RFC 9110 8.6).
    ContentLengthRepeated BAD_REQUEST "content_length_repeated"
        "Content-Length is given more than once.";
    /// A Content-Length that is not one plain decimal number below 2^63 (RFC 9110 8.6).
    ContentLengthValue BAD_REQUEST "content_length_value"
        "Content-Length is not one plain decimal number.";
    /// Content-Length beside Transfer-Encoding (RFC 9112 6.1, 6.3).
    LengthBesideTransferEncoding BAD_REQUEST "length_beside_transfer_encoding"
        "Content-Length and Transfer-Encoding are both given, so that the length is ambiguous.";
    /// More than one Transfer-Encoding line (RFC 9112 6.1).
    TransferEncodingRepeated BAD_REQUEST "transfer_encoding_repeated"
        "Transfer-Encoding is given more than once.";
    /// A Transfer-Encoding that does not end in `chunked`, or is no list of codings (RFC 9112 6.3).
    TransferEncodingValue BAD_REQUEST "transfer_encoding_value"
        "Transfer-Encoding is something else than chunked, so that the length is unknown.";
    /// A coding before `chunked`, such as `gzip, chunked` (RFC 9112 6.1 asks for 501).
    TransferCodingUnsupported NOT_IMPLEMENTED "transfer_coding_unsupported"
        "Transfer-Encoding names a coding besides chunked; this server supports chunked alone.";
    /// Transfer-Encoding in an HTTP/1.0 request (RFC 9112 6.1: its framing is to be distrusted).
    TransferEncodingInHttp10 BAD_REQUEST "transfer_encoding_in_http10"
        "Transfer-Encoding is given in an HTTP/1.0 request, which has no such thing.";
    /// A chunk size that is not 1 to 16 hexadecimal digits below 2^63 (RFC 9112 7.1).
    ChunkSize BAD_REQUEST "chunk_size"
        "A chunk size is not a plain hexadecimal number.";
    /// Chunk extensions with bytes no extension holds, or beyond the limits (RFC 9112 7.1.1).
    ChunkExtension BAD_REQUEST "chunk_extension"
        "The extensions after a chunk size are too long or hold characters that are not allowed.";
    /// Chunk data not followed by CR LF (RFC 9112 7.1).
    ChunkEnd BAD_REQUEST "chunk_end"
        "A chunk is not followed by carriage return and line feed: its size is wrong.";
    /// A trailer field that frames, routes, authenticates or modifies the request (RFC 9110 6.5.1).
    TrailerField BAD_REQUEST "trailer_field"
        "A header that must stand before the body was sent after it.";
    /// No Host in an HTTP/1.1 request (RFC 9112 3.2).
    HostMissing BAD_REQUEST "host_missing"
        "The Host header is missing.";
    /// More than one Host line (RFC 9112 3.2).
    HostRepeated BAD_REQUEST "host_repeated"
        "The Host header is given more than once.";
    /// A Host that is not a host name or address with an optional port (RFC 9110 7.2).
    HostValue BAD_REQUEST "host_value"
        "The Host header is not a host name with an optional port.";
    /// The target names another authority than Host. RFC 9112 3.2.2 lets the target win; whoever
    /// sends both differing expects two servers to choose differently.
    HostDisagrees BAD_REQUEST "host_disagrees"
        "The request target names another host than the Host header.";
    /// Request line and fields are longer than the limit (RFC 6585 5).
    HeadTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "head_too_large"
        "The request line and headers together are too long.";
    /// More field lines than the limit (RFC 6585 5).
    TooManyFields REQUEST_HEADER_FIELDS_TOO_LARGE "too_many_fields"
        "The request has too many header lines.";
    /// Trailer fields are too long or too many (RFC 6585 5).
    TrailersTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "trailers_too_large"
        "The headers after the request body are too long or too many.";
}
