# Varnish as a careful administrator hardens it for a small public office: a day of grace, a limit of
# requests per address, no more connections to the origin than it can serve.
# Debian's packages varnish and varnish-modules. The drill fills in what stands in double braces.
vcl 4.1;

import std;
import vsthrottle;

backend origin {
    .host = "{{origin_host}}";
    .port = "{{origin_port}}";
    .max_connections = 20;
    .connect_timeout = 3s;
    .first_byte_timeout = 30s;
    .between_bytes_timeout = 30s;
}

sub vcl_recv {
    if (req.http.Host != "{{site}}") {
        return (synth(421));
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (synth(405));
    }
    if (vsthrottle.is_denied("all:" + client.identity, 5000, 10s)) {
        return (synth(429));
    }
    if (req.url ~ "^/polling-place/lookup\?") {
        if (vsthrottle.is_denied("lookup:" + client.identity, 400, 10s)) {
            return (synth(429));
        }
        return (pass);
    }
    # The pages take no query and no cookies: a random one neither misses the cache nor reaches the
    # origin.
    set req.url = regsub(req.url, "\?.*$", "");
    unset req.http.Cookie;
    return (hash);
}

sub vcl_backend_response {
    set beresp.grace = 24h;
    if (beresp.status >= 500 && bereq.is_bgfetch) {
        return (abandon);
    }
}

sub vcl_synth {
    if (resp.status == 429) {
        set resp.http.Retry-After = "10";
    }
}
