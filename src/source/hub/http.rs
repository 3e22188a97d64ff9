//! Requests to a hub, within limits that one which lies or hangs cannot pass: in time, in bytes and in number.

use std::error::Error;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::header::{AUTHORIZATION, HeaderMap, LINK};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Response, Url};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use super::place::HubSettings;

/// For a connection to stand.
const CONNECT: Duration = Duration::from_secs(10);
/// An answer that brings fewer bytes than this, in the time that the options allow, is given up.
const LEAST: usize = 1024;
/// Of an answer that is no file. A list of 1,000 files has less than 1 MB.
const MOST_TEXT: u64 = 32 << 20;
/// How often a hub that answers that it is busy, or breaks the connection, is asked.
const TRIES: u32 = 3;

/// Why a request brought nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No connection, one that broke, or one that is too slow.
    #[error("{0}")]
    Unreachable(String),
    /// The status that refuses, and the hub's word for it in brackets where it says one.
    #[error("HTTP status {status}{code}")]
    Refused { status: u16, code: String },
    /// An answer that is not what was asked for.
    #[error("{0}")]
    Wrong(String),
    /// What arrived could not be kept.
    #[error("{0}")]
    Kept(std::io::Error),
}

/// A client of one hub.
pub(super) struct Http {
    runtime: Runtime,
    client: Client,
    pub place: HubSettings,
}

impl Http {
    pub(super) fn new(place: HubSettings) -> Result<Self> {
        let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        Ok(Self {
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .context("cannot start the network")?,
            client: Client::builder()
                .user_agent(agent)
                .connect_timeout(CONNECT)
                .redirect(Policy::custom(redirected))
                .build()
                .context("cannot start the network")?,
            place,
        })
    }

    /// An address of the hub: its own, `parts` and then those of `path`, which slashes divide.
    pub(super) fn url(&self, parts: &[&str], path: &str) -> Url {
        let mut url = self.place.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            let path = path.split('/').filter(|part| !part.is_empty());
            segments.pop_if_empty().extend(parts).extend(path);
        }
        url
    }

    /// The text at an address, and the address where it goes on if it says that it does.
    pub(super) fn text(&self, url: &Url) -> Result<(Vec<u8>, Option<Url>), Failure> {
        self.runtime.block_on(async {
            let response = self.get(url).await?;
            let next = self.next(response.headers());
            let mut text = Vec::new();
            self.receive(response, MOST_TEXT, |bytes| {
                text.extend_from_slice(bytes);
                Ok(())
            })
            .await?;
            Ok((text, next))
        })
    }

    /// Hands the `size` bytes of the file at an address to `keep`, piece by piece.
    pub(super) fn file(
        &self,
        url: &Url,
        size: u64,
        keep: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let wrong = |bytes: u64, more: &str| {
            Failure::Wrong(format!(
                "{bytes} bytes{more}, expected the {size} that the hub lists"
            ))
        };
        self.runtime.block_on(async {
            let response = self.get(url).await?;
            match response.content_length() {
                Some(announced) if announced != size => Err(wrong(announced, " announced")),
                _ => match self.receive(response, size, keep).await? {
                    received if received == size => Ok(()),
                    received => Err(wrong(received, "")),
                },
            }
        })
    }

    /// The answer to a request, once it says that it has what was asked for.
    async fn get(&self, url: &Url) -> Result<Response, Failure> {
        let mut last = Failure::Wrong("not asked".into());
        for tried in 0..TRIES {
            // Half a second, then a whole one.
            if tried > 0 {
                sleep(Duration::from_millis(250) * 2u32.pow(tried)).await;
            }
            match self.ask(url).await {
                Ok(response) => return Ok(response),
                Err((failure, true)) => last = failure,
                Err((failure, false)) => return Err(failure),
            }
        }
        Err(last)
    }

    /// One try; a failure with whether another may help.
    async fn ask(&self, url: &Url) -> Result<Response, (Failure, bool)> {
        let mut request = self.client.get(url.clone());
        if let Some(authorization) = &self.place.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        // Redirections included, which the client follows without the token where they lead elsewhere.
        let response = timeout(self.place.patience, request.send())
            .await
            .map_err(|_| (self.too_slow(), false))?
            .map_err(|error| {
                let again = !(error.is_timeout() || error.is_redirect() || error.is_builder());
                (broken(&error), again)
            })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let code = response.headers().get("x-error-code");
        let code = code.and_then(|code| code.to_str().ok());
        let failure = Failure::Refused {
            status: status.as_u16(),
            code: code.map_or_else(String::new, |code| format!(" ({code})")),
        };
        Err((failure, status.is_server_error() || status.as_u16() == 429))
    }

    /// The address of the page after this one: of this hub alone, as the token goes with it.
    fn next(&self, headers: &HeaderMap) -> Option<Url> {
        let links = headers.get(LINK)?.to_str().ok()?;
        let link = links
            .split(',')
            .find(|link| link.contains("rel=\"next\""))?;
        let (_, rest) = link.split_once('<')?;
        let (address, _) = rest.split_once('>')?;
        let url = self.place.endpoint.join(address).ok()?;
        (url.origin() == self.place.endpoint.origin()).then_some(url)
    }

    /// Hands the body of `response` to `keep`, piece by piece, and counts its bytes.
    async fn receive(
        &self,
        mut response: Response,
        most: u64,
        mut keep: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<u64, Failure> {
        let (mut total, mut lately, mut since) = (0, 0, Instant::now());
        loop {
            let left = self.place.patience.saturating_sub(since.elapsed());
            let piece = timeout(left, response.chunk()).await;
            let piece = piece.map_err(|_| self.too_slow())?;
            let Some(piece) = piece.map_err(|error| broken(&error))? else {
                return Ok(total);
            };
            total += piece.len() as u64;
            if total > most {
                return Err(Failure::Wrong(format!("more than {most} bytes")));
            }
            keep(&piece).map_err(Failure::Kept)?;
            lately += piece.len();
            if lately >= LEAST {
                (lately, since) = (0, Instant::now());
            }
        }
    }

    fn too_slow(&self) -> Failure {
        let seconds = self.place.patience.as_secs();
        Failure::Unreachable(format!("less than {LEAST} bytes in {seconds} s"))
    }
}

/// Follows a redirection as the client does of its own, ten at most; but not from a connection that nobody reads to one
/// that anybody may.
fn redirected(attempt: Attempt) -> Action {
    if !stays_secret(attempt.previous(), attempt.url()) {
        return attempt.error("a redirection from https to http, expected https");
    }
    Policy::default().redirect(attempt)
}

/// Whether `next` is read by nobody else where one of the addresses `before` it was not.
fn stays_secret(before: &[Url], next: &Url) -> bool {
    let secret = |url: &Url| url.scheme() == "https";
    secret(next) || !before.iter().any(secret)
}

/// What an error of the client comes from: what it says of itself repeats the address.
fn broken(error: &reqwest::Error) -> Failure {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Failure::Unreachable(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_redirection_leads_from_https_to_http() {
        let url = |text: &str| Url::parse(text).expect("an address");
        for (before, next, expected) in [
            (&["https://a/x"][..], "https://b/y", true),
            (&["http://a/x"], "http://b/y", true),
            (&["http://a/x"], "https://b/y", true),
            (&["https://a/x"], "http://b/y", false),
            (&["http://a/x", "https://a/x"], "http://a/x", false),
        ] {
            let before: Vec<Url> = before.iter().map(|text| url(text)).collect();
            assert_eq!(stays_secret(&before, &url(next)), expected, "{next}");
        }
    }
}
