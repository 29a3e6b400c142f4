//! Listeners, TLS, HTTP/1.1 and HTTP/2, cache and upstreams
