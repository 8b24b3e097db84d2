//! `/metrics` and `/healthz` over HTTP, for as many as ask at once, up to a limit.
//!
//! It runs beside the threads that collect and never waits for one. Its input is requests of whoever reaches the address:
//! a connection has a few seconds, and nothing of a request is believed or kept.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::metrics;
use crate::run::vital::Vital;

/// Connections at once; more wait in the kernel.
const CONNECTIONS: usize = 16;
/// How long one may last.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of a request's head.
const HEAD: usize = 16 * 1024;
/// After the kernel refused a connection, most often since there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(500);

/// A bound address.
#[derive(Debug)]
pub(super) struct Server(TcpListener);

impl Server {
    pub(super) fn bind(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| {
            format!("cannot serve metrics on {address}\nhint: give another address with `--metrics ADDRESS:PORT`")
        })?;
        listener.set_nonblocking(true)?;
        info!(address = %listener.local_addr()?, "metrics are served");
        Ok(Self(listener))
    }

    /// Answers for ever.
    pub(super) async fn serve(self, vital: Vital) -> Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.0)?;
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let permit = Arc::clone(&connections).acquire_owned().await?;
            match listener.accept().await {
                Ok((stream, _)) => {
                    let vital = vital.clone();
                    tokio::spawn(async move {
                        answer(stream, vital).await;
                        drop(permit);
                    });
                }
                Err(problem) => {
                    warn!(%problem, "no connection for metrics");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// One connection. What goes wrong with it is the other side's to notice.
async fn answer(stream: TcpStream, vital: Vital) {
    let service = service_fn(move |request| respond(request, vital.clone()));
    let connection =
        http1::Builder::new().keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(problem)) = timeout(PATIENCE, connection).await {
        tracing::debug!(%problem, "a request for metrics");
    }
}

async fn respond(request: Request<Incoming>, vital: Vital) -> Result<Response<Full<Bytes>>, Infallible> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    Ok(match request.uri().path() {
        "/metrics" => {
            // Of many exporters it is a megabyte: the screen shall not wait for it.
            let text = tokio::task::spawn_blocking(move || metrics::text(&vital.metrics())).await;
            match text {
                Ok(Ok(text)) => typed(StatusCode::OK, metrics::MEDIA_TYPE, text),
                Ok(Err(_)) | Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "no metrics\n"),
            }
        }
        "/healthz" => match vital.ailment() {
            None => plain(StatusCode::OK, "ok\n"),
            Some(ailment) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{ailment}\n")),
        },
        _ => plain(StatusCode::NOT_FOUND, "there are /metrics and /healthz\n"),
    })
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", text.into())
}

fn typed(status: StatusCode, media_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
