//! Threads that serve connections, each with a runtime of its own. A connection stays on the thread that it was given to, so nothing of it is handed
//! from one thread to another: no thread is woken for a request but the one that answers it.

use std::{
    io,
    net::SocketAddr,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    net::TcpStream,
    runtime,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Handler, connection::Serving, draining::Watcher};

/// One connection as it comes from a listener.
pub(super) struct Accepted<S = TcpStream> {
    pub(super) stream: S,
    pub(super) peer: SocketAddr,
    /// Speaks HTTPS where it is there.
    pub(super) tls: Option<TlsAcceptor>,
}

/// The threads. When this is dropped they break off what they serve, and end.
pub(super) struct Workers {
    workers: Vec<Worker>,
    end: CancellationToken,
}

/// On its way to a thread, and the promise to let it end at a shutdown.
type Handed = (Accepted<std::net::TcpStream>, Watcher);

struct Worker {
    thread: Option<thread::JoinHandle<()>>,
    inbox: UnboundedSender<Handed>,
    /// How many connections it serves.
    load: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts one for each processor.
    pub(super) fn start<H: Handler>(serving: &Arc<Serving>, handler: &H) -> io::Result<Self> {
        let end = CancellationToken::new();
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let workers = (0..count)
            .map(|_| Worker::start(serving.clone(), handler.for_thread(), end.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self { workers, end })
    }

    /// Gives a connection to the thread that serves the fewest.
    pub(super) fn serve(&self, accepted: Accepted, watcher: Watcher) -> io::Result<()> {
        let accepted = Accepted {
            stream: accepted.stream.into_std()?,
            peer: accepted.peer,
            tls: accepted.tls,
        };
        let idlest = self
            .workers
            .iter()
            .min_by_key(|worker| worker.load.load(Ordering::Relaxed));
        if let Some(worker) = idlest {
            worker.load.fetch_add(1, Ordering::Relaxed);
            _ = worker.inbox.send((accepted, watcher));
        }
        Ok(())
    }

    /// Breaks off what is still served, and waits until every record of it is left.
    pub(super) async fn end(mut self) {
        self.end.cancel();
        let threads: Vec<_> = self
            .workers
            .iter_mut()
            .filter_map(|worker| worker.thread.take())
            .collect();
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| _ = thread.join()));
        _ = joined.await;
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.workers
            .iter()
            .map(|worker| worker.load.load(Ordering::Relaxed))
            .sum()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Worker {
    fn start<H: Handler>(serving: Arc<Serving>, handler: H, end: CancellationToken) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (inbox, accepted) = unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let counted = load.clone();
        let thread = thread::Builder::new()
            .name("connections".to_owned())
            .spawn(move || {
                runtime.block_on(run(accepted, &serving, &handler, &counted, end));
                // What still waits for a disk is not waited for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            thread: Some(thread),
            inbox,
            load,
        })
    }
}

async fn run<H: Handler>(
    mut accepted: UnboundedReceiver<Handed>,
    serving: &Arc<Serving>,
    handler: &H,
    load: &Arc<AtomicUsize>,
    end: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => break,
            Some(_) = connections.join_next() => {
                load.fetch_sub(1, Ordering::Relaxed);
            }
            Some((Accepted { stream, peer, tls }, watcher)) = accepted.recv() => {
                match TcpStream::from_std(stream) {
                    Ok(stream) => {
                        let accepted = Accepted { stream, peer, tls };
                        connections.spawn(serving.clone().serve(accepted, handler.clone(), watcher));
                    }
                    Err(error) => {
                        load.fetch_sub(1, Ordering::Relaxed);
                        tracing::warn!(%error, "cannot serve a connection");
                    }
                }
            }
        }
    }
    connections.shutdown().await;
}
