//! One HTTP request for a file, or for the rest of it.

use std::io::Read;
use std::time::Duration;

use ureq::http::Response;
use ureq::{Body, Error};

use crate::error::DataError;

pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    /// The file's name, to distinguish a web page from the requested file.
    pub(super) name: &'a str,
    pub(super) start: u64,
    pub(super) timeout: Duration,
    /// Seconds that the server may stay silent.
    pub(super) silence: Duration,
}

pub(super) struct Answer {
    pub(super) body: Box<dyn Read>,
    /// The offset in the file at which the body begins: 0 from a server that does not support ranges.
    pub(super) start: u64,
    /// Size of the whole file, if the server states it.
    pub(super) total: Option<u64>,
    /// Whether the end of the body can be distinguished from a connection closed early.
    pub(super) has_end: bool,
    /// The server's validator (such as an ETag) for the current state of the file.
    pub(super) validator: Option<String>,
}

const CONNECT: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: u32 = 10;

/// Requests the file from `start` on. With a validator, the server sends the whole file if its state has
/// changed.
pub(super) fn get(request: &Request<'_>, validator: Option<&str>) -> Result<Answer, DataError> {
    let cut = |message: &str| DataError::Connection {
        origin: request.url.to_string(),
        done: request.start,
        total: None,
        message: message.into(),
    };
    let mut start = request.start;
    let mut response = send(request, start, validator)?;
    if response.status() == 416 && start > 0 {
        // There is nothing beyond the bytes already present. The total size shows whether they are the whole
        // file.
        let whole =
            header(&response, "content-range").and_then(|text| text.strip_prefix("bytes */")?.parse().ok());
        if whole == Some(start) {
            let body = Box::new(std::io::empty());
            return Ok(Answer { body, start, total: whole, has_end: true, validator: None });
        }
        start = 0;
        response = send(request, start, None)?;
    }
    let length = header(&response, "content-length").and_then(|text| text.parse().ok());
    let has_end = length.is_some() || header(&response, "transfer-encoding").is_some();
    let (begins, total) = match response.status().as_u16() {
        200 => (0, length),
        206 => match header(&response, "content-range").and_then(content_range) {
            Some((begins, total)) if begins == start => (begins, total),
            _ => return Err(cut("the server answers with another part of the file than was asked for")),
        },
        status => return Err(DataError::Http { url: request.url.to_string(), status }),
    };
    let is_page = header(&response, "content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if is_page && !request.name.contains(".htm") {
        return Err(DataError::WebPage { url: request.url.to_string() });
    }
    // Weak validators do not guarantee identical bytes.
    let state = header(&response, "etag")
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| header(&response, "last-modified"))
        .map(str::to_string);
    Ok(Answer {
        body: Box::new(response.into_body().into_reader()),
        start: begins,
        total,
        has_end,
        validator: state,
    })
}

fn send(request: &Request<'_>, start: u64, validator: Option<&str>) -> Result<Response<Body>, DataError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(MAX_REDIRECTS)
        // A file requested over an encrypted connection must not arrive over an unencrypted one.
        .https_only(request.url.starts_with("https://"))
        .accept_encoding("identity")
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(2 * CONNECT))
        .timeout_recv_body(Some(request.timeout))
        .timeout_per_read(Some(request.silence))
        .user_agent(concat!("tks-data/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut call = agent.get(request.url);
    if start > 0 {
        call = call.header("Range", format!("bytes={start}-"));
        if let Some(validator) = validator {
            call = call.header("If-Range", validator);
        }
    }
    call.call().map_err(|error| {
        let redirect = |message: String| DataError::Redirect { url: request.url.to_string(), message };
        match error {
            Error::TooManyRedirects => redirect(format!("it leads on more than {MAX_REDIRECTS} times")),
            Error::RequireHttpsOnly(to) => redirect(format!("it leads to {to}, which is not encrypted")),
            error => DataError::Connection {
                origin: request.url.to_string(),
                done: start,
                total: None,
                message: error.to_string(),
            },
        }
    })
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// `bytes 5-9/10`: begins at 5, 10 in all.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.parse().ok()?;
    Some((start, total.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_or_is_none() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 0-9/*"), Some((0, None)));
        for text in ["", "5-9/10", "bytes 5-9", "bytes 5/10", "bytes */10", "bytes x-9/10"] {
            assert_eq!(content_range(text), None, "{text}");
        }
    }
}
