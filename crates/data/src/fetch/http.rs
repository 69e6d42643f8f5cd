//! One HTTP request for a file, or for the rest of it.

use std::io::Read;
use std::time::Duration;

use crate::error::DataError;

pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    /// The file's name, to tell a web page from what was asked for.
    pub(super) name: &'a str,
    pub(super) start: u64,
    pub(super) timeout: Duration,
}

pub(super) struct Answer {
    pub(super) body: Box<dyn Read>,
    /// Where in the file the body begins: 0 from a server that knows no ranges.
    pub(super) start: u64,
    /// Size of the whole file, if the server says it.
    pub(super) total: Option<u64>,
    /// What the server calls the file's present state.
    pub(super) validator: Option<String>,
}

const CONNECT: Duration = Duration::from_secs(30);

/// Asks for the file from `start` on; with a validator only if it is still in that state, else all of it.
pub(super) fn get(request: &Request<'_>, validator: Option<&str>) -> Result<Answer, DataError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(2 * CONNECT))
        .timeout_recv_body(Some(request.timeout))
        .user_agent(concat!("tks-data/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut call = agent.get(request.url);
    if request.start > 0 {
        call = call.header("Range", format!("bytes={}-", request.start));
        if let Some(validator) = validator {
            call = call.header("If-Range", validator);
        }
    }
    let response = call.call().map_err(|e| DataError::Connection {
        origin: request.url.to_string(),
        done: request.start,
        total: None,
        message: e.to_string(),
    })?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let length = header("content-length").and_then(|text| text.parse().ok());
    let (start, total) = match response.status().as_u16() {
        200 => (0, length),
        206 => match header("content-range").and_then(content_range) {
            Some(range) => range,
            None => {
                return Err(DataError::Connection {
                    origin: request.url.to_string(),
                    done: request.start,
                    total: None,
                    message: "the server answers with a part of the file and does not say which".into(),
                });
            }
        },
        // Nothing lies beyond what is there. The whole size decides whether that is all of it.
        416 => match header("content-range").and_then(|text| text.strip_prefix("bytes */")?.parse().ok()) {
            Some(total) if total == request.start => (total, Some(total)),
            _ => return get(&Request { start: 0, ..*request }, None),
        },
        status => return Err(DataError::Http { url: request.url.to_string(), status }),
    };
    let is_page = header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if is_page && !request.name.contains(".htm") {
        return Err(DataError::WebPage { url: request.url.to_string() });
    }
    // Weak validators do not promise the same bytes.
    let validator = header("etag")
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| header("last-modified"))
        .map(str::to_string);
    let body: Box<dyn Read> = match response.status().as_u16() {
        416 => Box::new(std::io::empty()),
        _ => Box::new(response.into_body().into_reader()),
    };
    Ok(Answer { body, start, total, validator })
}

/// `bytes 5-9/10`: begins at 5, 10 in all.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.parse().ok()?;
    Some((start, total.parse().ok()))
}
