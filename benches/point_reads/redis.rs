//! A server of Redis's that is asked for each read, in its own words.
//!
//! It keeps nothing on disk. Each reader has a connection of its own.

use std::io::{BufRead, BufReader, ErrorKind, Read as _, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use globe_bench::key;
use globe_test_support::free_port;
use tokio::time::{Duration, Instant};

use crate::subject::{Done, Read, Subject, Walk, reading};

/// Set to the program, where it is not found by its name.
const PROGRAM: &str = "GLOBE_REDIS";

/// How long it may take to begin.
const START: Duration = Duration::from_secs(30);

/// How many entries are written before their answers are read.
const PIPELINED: usize = 1_000;

/// The server, and a connection for who writes.
pub(crate) struct Redis {
    server: Server,
    writer: Connection,
    keys: Arc<Vec<String>>,
    writes: Walk<String>,
    count: u64,
}

impl Redis {
    /// The server, filled; none where there is no such program.
    pub(crate) fn filled(keys: &Arc<Vec<String>>) -> Done<Option<Redis>> {
        let Some(server) = Server::start()? else {
            return Ok(None);
        };
        let mut writer = server.connect()?;
        let numbers: Vec<usize> = (0..keys.len()).collect();
        for numbers in numbers.chunks(PIPELINED) {
            for number in numbers {
                writer.ask(&["SET", &key(*number), &number.to_string()])?;
            }
            for _ in numbers {
                writer.is_done()?;
            }
        }
        Ok(Some(Redis {
            server,
            writer,
            keys: Arc::clone(keys),
            writes: Walk::from(keys, 0),
            count: 0,
        }))
    }
}

impl Subject for Redis {
    fn name(&self) -> &'static str {
        "Redis"
    }

    fn reader(&self, place: usize) -> Done<Read> {
        let mut connection = self.server.connect()?;
        let walk = Walk::from(&self.keys, place);
        Ok(reading(walk, move |key| connection.get(key).ok()))
    }

    fn batch(&self) -> usize {
        1
    }

    fn write(&mut self) -> Done {
        self.count += 1;
        let value = self.count.to_string();
        self.writer.ask(&["SET", self.writes.next(), &value])?;
        self.writer.is_done()
    }

    fn shown(&self) -> u64 {
        self.count
    }
}

/// Killed when dropped, and when the thread that started it ends.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Done<Option<Server>> {
        let program = std::env::var(PROGRAM).unwrap_or_else(|_| "redis-server".to_owned());
        let mut asked = Command::new(&program);
        if let Err(error) = asked.arg("--version").stdout(Stdio::null()).status() {
            return match error.kind() {
                ErrorKind::NotFound => Ok(None),
                _ => Err(error.into()),
            };
        }
        let port = free_port();
        let settings = format!("--bind 127.0.0.1 --port {port} --appendonly no --save");
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", &program])
            .args(settings.split(' '))
            .arg("")
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Some(Server { process, port }))
    }

    /// Waits until it listens.
    fn connect(&self) -> Done<Connection> {
        let begun = Instant::now();
        loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                Ok(stream) => return Connection::on(stream),
                Err(error) if begun.elapsed() > START => return Err(error.into()),
                Err(_) => std::thread::yield_now(),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One connection, which speaks RESP.
struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
}

impl Connection {
    fn on(stream: TcpStream) -> Done<Connection> {
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream: BufReader::new(stream),
            line: String::new(),
        })
    }

    /// Sends the words of a command, all at once.
    fn ask(&mut self, words: &[&str]) -> Done {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command += &format!("${}\r\n{word}\r\n", word.len());
        }
        Ok(self.stream.get_mut().write_all(command.as_bytes())?)
    }

    fn answer(&mut self) -> Done<&str> {
        self.line.clear();
        self.stream.read_line(&mut self.line)?;
        Ok(self.line.trim_end())
    }

    fn is_done(&mut self) -> Done {
        match self.answer()? {
            "+OK" => Ok(()),
            other => Err(format!("Redis answers {other:?}").into()),
        }
    }

    fn get(&mut self, key: &str) -> Done<Arc<u64>> {
        self.ask(&["GET", key])?;
        let length = self.answer()?.strip_prefix('$').ok_or("no value")?;
        // With the end of its line.
        let mut value = vec![0; length.parse::<usize>()? + 2];
        self.stream.read_exact(&mut value)?;
        let value = std::str::from_utf8(&value)?.trim_end();
        Ok(Arc::new(value.parse()?))
    }
}
