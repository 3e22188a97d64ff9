//! A loopback hub: the endpoints that the client library asks, over plain sockets so that a body can
//! be cut short.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const OTHER_COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// One request: method, path, and its `Authorization` header.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
}

/// What goes wrong with the bodies of weights and archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Half the body, then the connection closes.
    CutShort,
    /// An error page with status 500 where the file should be.
    ErrorPage,
    /// As many bytes, but not the right ones.
    Flipped,
}

struct State {
    files: Vec<(String, Vec<u8>)>,
    seen: Vec<Seen>,
    fault: Fault,
}

/// The dataset that is asked for where none is named.
const OFFICIAL: &str = "THUDM/LongBench";

/// Serves `tiny/model` (and `tiny/model@v1`), as a model and as a dataset, until the process ends; the official dataset
/// is the same.
#[derive(Clone)]
pub struct Hub {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    pub fn serve(files: &[(&str, &[u8])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let files = files
            .iter()
            .map(|(name, bytes)| (name.to_string(), bytes.to_vec()))
            .collect();
        let state = Arc::new(Mutex::new(State {
            files,
            seen: Vec::new(),
            fault: Fault::None,
        }));
        let hub = Self { endpoint, state };
        let server = hub.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.answer(stream));
            }
        });
        hub
    }

    pub fn fail(&self, fault: Fault) {
        self.state.lock().unwrap().fault = fault;
    }

    /// Requests since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let first = lines.next()?.ok()?;
        let mut words = first.split(' ').map(str::to_string);
        let (method, path) = (words.next()?, words.next()?);
        let authorization = lines
            .map_while(|line| line.ok().filter(|line| !line.is_empty()))
            .filter_map(|line| {
                line.split_once(": ")
                    .map(|(k, v)| (k.to_lowercase(), v.to_string()))
            })
            .find(|(key, _)| key == "authorization")
            .map(|(_, value)| value);
        let mut state = self.state.lock().unwrap();
        state.seen.push(Seen {
            method: method.clone(),
            path: path.clone(),
            authorization,
        });
        let reply = reply(&state, &path, method == "HEAD");
        drop(state);
        stream.write_all(&reply).ok()
    }
}

fn reply(state: &State, path: &str, head: bool) -> Vec<u8> {
    let path = path.replace(OFFICIAL, "tiny/model");
    let (path, _) = path.split_once('?').unwrap_or((&path, ""));
    let api = ["/api/models/tiny/model/", "/api/datasets/tiny/model/"];
    let asked = api.iter().find_map(|api| path.strip_prefix(api));
    if let Some(revision) = asked.and_then(|asked| asked.strip_prefix("revision/")) {
        let sha = match revision {
            "main" => COMMIT,
            "v1" => OTHER_COMMIT,
            commit @ (COMMIT | OTHER_COMMIT) => commit,
            _ => return missing("RevisionNotFound"),
        };
        return response(
            "200 OK",
            "",
            &format!(r#"{{"id":"tiny/model","sha":"{sha}"}}"#).into_bytes(),
        );
    }
    if asked.is_some_and(|asked| asked.starts_with("tree/")) {
        let entry = |(name, bytes): &(String, Vec<u8>)| {
            format!(
                r#"{{"type":"file","oid":"0","size":{},"path":"{name}"}}"#,
                bytes.len()
            )
        };
        let entries: Vec<_> = state.files.iter().map(entry).collect();
        return response("200 OK", "", format!("[{}]", entries.join(",")).as_bytes());
    }
    let Some((commit, name)) = path
        .strip_prefix("/datasets")
        .unwrap_or(path)
        .strip_prefix("/tiny/model/resolve/")
        .and_then(|rest| rest.split_once('/'))
    else {
        return missing("RepoNotFound");
    };
    let Some((_, bytes)) = state.files.iter().find(|(other, _)| other == name) else {
        return missing("EntryNotFound");
    };
    let large = [".safetensors", ".gguf", ".zip"];
    let weights = large.iter().any(|end| name.ends_with(end));
    // The hub names a large file by its SHA-256 and a small one by a git hash.
    let digest = format!("{:x}", Sha256::digest(bytes));
    let etag = if weights {
        digest
    } else {
        digest[..40].to_string()
    };
    let headers = format!("ETag: \"{etag}\"\r\nX-Repo-Commit: {commit}\r\n");
    let mut reply = response("200 OK", &headers, bytes);
    if head {
        reply.truncate(reply.len() - bytes.len());
    } else if weights {
        match state.fault {
            Fault::None => {}
            Fault::CutShort => reply.truncate(reply.len() - bytes.len() / 2),
            Fault::ErrorPage => return response("500 Internal Server Error", "", b"<html>oops"),
            Fault::Flipped => {
                let last = reply.len() - 1;
                reply[last] ^= 1;
            }
        }
    }
    reply
}

fn missing(code: &str) -> Vec<u8> {
    response("404 Not Found", &format!("X-Error-Code: {code}\r\n"), b"{}")
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut reply = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    reply.extend_from_slice(body);
    reply
}
