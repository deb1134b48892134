//! The page itself, out of the binary, and what browsers are to keep to.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Scripts, styles and requests of the page's own and nothing else; no text becomes markup or script; nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const NO_DEVICE: &str = "camera=(), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), payment=()";
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// One file of the page.
pub(super) struct File {
    path: &'static str,
    pub(super) kind: &'static str,
    pub(super) text: &'static str,
}

const FILES: [File; 7] = [
    served("/", HTML, include_str!("page/index.html")),
    served("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    served(
        "/console.css",
        "text/css; charset=utf-8",
        include_str!("page/console.css"),
    ),
    served("/console.js", SCRIPT, include_str!("page/console.js")),
    served("/panels.js", SCRIPT, include_str!("page/panels.js")),
    served("/screen.js", SCRIPT, include_str!("page/screen.js")),
    served("/keyboard.js", SCRIPT, include_str!("page/keyboard.js")),
];

const fn served(path: &'static str, kind: &'static str, text: &'static str) -> File {
    File { path, kind, text }
}

/// The file at this path. There is nothing secret in any.
pub(super) fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// Says in every answer what browsers are to keep to.
pub(super) fn protect(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &'static str); 8] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"), // for browsers that know no frame-ancestors
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("permissions-policy"), NO_DEVICE),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
