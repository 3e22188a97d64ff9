//! A loopback hub: the endpoints that the client library asks, over plain sockets so that a body can
//! be cut short.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const OTHER_COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// One request: method, path, and its `Authorization` header.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
}

/// What goes wrong with the bodies of weights and archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Half the body, then the connection closes.
    CutShort,
    /// An error page with status 500 where the file should be.
    ErrorPage,
    /// As many bytes, but not the right ones.
    Flipped,
}

/// How a hub lies or hangs, whatever it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// A page of a network that wants a login.
    Html,
    /// To itself, for ever.
    Redirect,
    /// The connection closes.
    Close,
    /// What is no HTTP.
    Garbage,
    Status(u16),
    /// Of the body no end.
    Endless,
    /// Of the headers no end.
    Headers,
    /// Not a word.
    Silent,
    /// A byte now and then.
    Drip,
    /// A file's first byte, then nothing.
    FileDrip,
}

struct State {
    files: Vec<(String, Vec<u8>)>,
    seen: Vec<Seen>,
    fault: Fault,
    lie: Option<Lie>,
    /// In place of the list of files.
    tree: Option<String>,
    /// In place of the commit.
    commit: Option<String>,
    /// In place of the ETag of every file.
    etag: Option<String>,
    /// Whether the SHA-256 of large files is listed.
    hashes: bool,
}

/// The dataset that is asked for where none is named.
const OFFICIAL: &str = "THUDM/LongBench";

/// Serves `tiny/model` (and `tiny/model@v1`), as a model and as a dataset, until the process ends; the official dataset
/// is the same.
#[derive(Clone)]
pub(crate) struct Hub {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    pub(crate) fn serve(files: &[(&str, &[u8])]) -> Self {
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
            lie: None,
            tree: None,
            commit: None,
            etag: None,
            hashes: true,
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

    pub(crate) fn fail(&self, fault: Fault) {
        self.state.lock().unwrap().fault = fault;
    }

    pub(crate) fn lie(&self, lie: Lie) {
        self.state.lock().unwrap().lie = Some(lie);
    }

    pub(crate) fn list(&self, tree: &str) {
        self.state.lock().unwrap().tree = Some(tree.to_owned());
    }

    pub(crate) fn name_commit(&self, commit: &str) {
        self.state.lock().unwrap().commit = Some(commit.to_owned());
    }

    pub(crate) fn tag(&self, etag: &str) {
        self.state.lock().unwrap().etag = Some(etag.to_owned());
    }

    pub(crate) fn list_no_hashes(&self) {
        self.state.lock().unwrap().hashes = false;
    }

    /// Requests since the last call.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
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
        let lie = state.lie;
        drop(state);
        match lie {
            None => stream.write_all(&reply).ok(),
            Some(lie) => lies(lie, &mut stream, &path, &reply),
        }
    }
}

fn reply(state: &State, path: &str, head: bool) -> Vec<u8> {
    let path = path.replace(OFFICIAL, "tiny/model");
    let (path, _) = path.split_once('?').unwrap_or((&path, ""));
    let api = ["/api/models/tiny/model/", "/api/datasets/tiny/model/"];
    let asked = api.iter().find_map(|api| path.strip_prefix(api));
    if let Some(revision) = asked.and_then(|asked| asked.strip_prefix("revision/")) {
        let named = match revision {
            "main" => COMMIT,
            "v1" => OTHER_COMMIT,
            commit @ (COMMIT | OTHER_COMMIT) => commit,
            _ => return missing("RevisionNotFound"),
        };
        let sha = state.commit.as_deref().unwrap_or(named);
        return response(
            "200 OK",
            "",
            &format!(r#"{{"id":"tiny/model","sha":"{sha}"}}"#).into_bytes(),
        );
    }
    if asked.is_some_and(|asked| asked.starts_with("tree/")) {
        if let Some(tree) = &state.tree {
            return response("200 OK", "", tree.as_bytes());
        }
        let entry = |(name, bytes): &(String, Vec<u8>)| {
            let digest = format!("{:x}", Sha256::digest(bytes));
            let size = bytes.len();
            // As the hub does: a large file has its SHA-256, and every file a hash of git's.
            let lfs = match is_large(name) && state.hashes {
                true => format!(r#","lfs":{{"oid":"{digest}","size":{size},"pointerSize":130}}"#),
                false => String::new(),
            };
            let oid = &digest[..40];
            format!(r#"{{"type":"file","oid":"{oid}","size":{size},"path":"{name}"{lfs}}}"#)
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
    let weights = is_large(name);
    // The hub names a large file by its SHA-256 and a small one by a git hash.
    let digest = format!("{:x}", Sha256::digest(bytes));
    let etag = if weights {
        digest
    } else {
        digest[..40].to_string()
    };
    let etag = state.etag.as_ref().unwrap_or(&etag);
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

fn is_large(name: &str) -> bool {
    let large = [".safetensors", ".gguf", ".zip"];
    large.iter().any(|end| name.ends_with(end))
}

/// What a lying hub sends in place of `reply`, as long as somebody listens.
fn lies(lie: Lie, stream: &mut TcpStream, path: &str, reply: &[u8]) -> Option<()> {
    let pause = || std::thread::sleep(std::time::Duration::from_millis(200));
    match lie {
        Lie::Html => stream.write_all(&response("200 OK", "", b"<html>login</html>")),
        Lie::Redirect => {
            let to = format!("Location: {path}\r\n");
            stream.write_all(&response("302 Found", &to, b""))
        }
        Lie::Close => Ok(()),
        Lie::Garbage => stream.write_all(&[0, 255].repeat(1000)),
        Lie::Status(status) => stream.write_all(&response(&format!("{status} No"), "", b"oops")),
        Lie::Endless => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"sha\":\"")
                .ok()?;
            loop {
                stream.write_all(&[b'a'; 1 << 16]).ok()?;
            }
        }
        Lie::Headers => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").ok()?;
            loop {
                stream
                    .write_all(b"X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
                    .ok()?;
            }
        }
        Lie::FileDrip if !path.contains("/resolve/") => stream.write_all(reply),
        Lie::Silent | Lie::FileDrip | Lie::Drip => {
            let headers = reply.windows(4).position(|end| end == b"\r\n\r\n");
            // Up to the first byte of the body.
            let start = match lie {
                Lie::Silent => 0,
                _ => headers.map_or(0, |at| at + 5),
            };
            stream.write_all(&reply[..start.min(reply.len())]).ok()?;
            // Up to a minute; whoever asked has gone by then.
            for _ in 0..300 {
                pause();
                if lie == Lie::Drip {
                    stream.write_all(b" ").ok()?;
                }
            }
            Ok(())
        }
    }
    .ok()
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
