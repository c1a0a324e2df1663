//! The dashboard and the alert rules that ship, held against what a running gateway tells: a metric or a label that they name and that is not there
//! would leave a panel empty, or an alert silent for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use http::Method;
use postern::{metrics::Now, types::CacheCounts};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use yaml_rust2::{Yaml, YamlLoader};

use crate::{
    logs::{Program, Serving},
    support::{TestGateway, client, reader},
};

/// What Prometheus itself adds, and what histograms have.
const ADDED: [&str; 3] = ["job", "instance", "le"];
/// Prometheus's own metric of what it scrapes.
const UP: &str = "up";

fn shipped(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Each sample's name, with the labels that it has been seen with.
type Told = BTreeMap<String, BTreeSet<String>>;

/// What the program tells once it has served and refused something.
async fn told() -> (Told, String) {
    let program = Program::new();
    assert!(program.command(&["dev-cert"]).output().unwrap().status.success());
    let mut serve = program.command(&["serve"]);
    // HTTPS besides, so that what is told of certificates is there.
    serve.envs([
        ("POSTERN_SERVER__TLS__CERTIFICATE", "tls/cert.pem"),
        ("POSTERN_SERVER__TLS__PRIVATE_KEY", "tls/key.pem"),
        ("POSTERN_SERVER__TLS__LISTEN", "127.0.0.1:0"),
    ]);
    let serving = Serving::start(serve);
    let admin = serving
        .said
        .iter()
        .find_map(|line| line.strip_prefix("admin listens on http://"))
        .unwrap();
    let get = async |url: &str| client::send(serving.address(), Method::GET, url, &[]).await;
    assert_eq!(get(serving.link()).await.status, 200);
    assert_eq!(get(&format!("{}0", serving.link())).await.status, 403);
    let url = format!("http://{admin}/metrics");
    let text = client::send(admin.parse().unwrap(), Method::GET, &url, &[]).await;
    let text = text.text().to_owned();
    serving.stop();
    let mut told = Told::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
        let labels = rest.split('"').step_by(2).filter_map(|before| {
            let label = before.trim_start_matches(['{', ',']).strip_suffix('=')?;
            Some(label.to_owned())
        });
        told.entry(name.to_owned()).or_default().extend(labels);
    }
    (told, text)
}

/// Every expression of the alert rules, by its alert's name.
fn alerts() -> Vec<(String, String)> {
    let documents = YamlLoader::load_from_str(&shipped("packaging/prometheus/alerts.yml")).unwrap();
    let mut found = Vec::new();
    for group in documents[0]["groups"].as_vec().unwrap() {
        for rule in group["rules"].as_vec().unwrap() {
            let text = |key: &str| match &rule[key] {
                Yaml::String(text) => text.clone(),
                other => panic!("{key} is {other:?}"),
            };
            assert!(!rule["annotations"]["summary"].is_badvalue(), "{}", text("alert"));
            found.push((text("alert"), text("expr")));
        }
    }
    found
}

/// Every expression of the dashboard, by its panel's title.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&shipped("packaging/grafana/postern.json")).unwrap();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["definition"].as_str() {
            found.push((variable["name"].to_string(), query.to_owned()));
        }
    }
    found
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The metrics of an expression, each with the labels that are asked of it in braces, and the labels that anything is grouped by.
fn named(expression: &str) -> (Vec<(String, Vec<String>)>, Vec<String>) {
    let (mut metrics, mut grouped) = (Vec::new(), Vec::new());
    let starts = |text: &str| {
        ["postern_", "process_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
    };
    let mut rest = expression;
    while let Some(at) = rest.find(word) {
        let (before, from) = (rest[..at].to_owned(), &rest[at..]);
        let end = from.find(|c| !word(c)).unwrap_or(from.len());
        let (name, behind) = from.split_at(end);
        rest = behind;
        // In quotes stands a value, which may look like anything.
        if before.ends_with('"') {
            rest = behind.split_once('"').map_or("", |(_, rest)| rest);
        } else if starts(name) || name == UP {
            let labels = match behind.strip_prefix('{') {
                Some(inner) => labels(inner),
                None => Vec::new(),
            };
            metrics.push((name.to_owned(), labels));
        } else if ["by", "on", "group_left"].contains(&name) {
            let list = behind.trim_start().strip_prefix('(').unwrap_or_default();
            let list = list.split(')').next().unwrap();
            grouped.extend(list.split(',').map(|label| label.trim().to_owned()));
        }
    }
    (metrics, grouped)
}

/// The labels before `=`, `!=`, `=~` and `!~`, up to the closing brace.
fn labels(inner: &str) -> Vec<String> {
    let outside: Vec<_> = inner.split('"').step_by(2).collect();
    let mut labels = Vec::new();
    for text in outside {
        let text = text.trim_matches([',', ' ']);
        if text.starts_with('}') {
            break;
        }
        let label: String = text.chars().take_while(|c| word(*c)).collect();
        labels.push(label);
        if text.contains('}') {
            break;
        }
    }
    labels
}

#[test]
fn the_reader_of_expressions_sees_metrics_and_labels() {
    let (metrics, grouped) =
        named("sum by (le, code) (rate(postern_a_total{x=~\"postern_no|}\", y!=\"b\"}[5m])) / process_b > 0");
    let labels = vec!["x".to_owned(), "y".to_owned()];
    assert_eq!(
        metrics,
        [
            ("postern_a_total".to_owned(), labels),
            ("process_b".to_owned(), vec![])
        ]
    );
    assert_eq!(grouped, ["le", "code"]);
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_name_only_metrics_and_labels_that_a_gateway_tells() {
    let (told, text) = told().await;
    let (alerts, panels) = (alerts(), panels());
    assert!(alerts.len() > 10 && panels.len() > 30, "they have been read");
    let every: BTreeSet<_> = told.values().flatten().map(String::as_str).chain(ADDED).collect();
    let mut wrong = Vec::new();
    for (of, expression) in alerts.iter().chain(&panels) {
        let (metrics, grouped) = named(expression);
        if metrics.is_empty() {
            wrong.push(format!("{of}: no metric in {expression}"));
        }
        for (metric, labels) in metrics {
            match told.get(&metric) {
                Some(has) => wrong.extend(
                    labels
                        .iter()
                        .filter(|label| !has.contains(*label) && !ADDED.contains(&label.as_str()))
                        .map(|label| format!("{of}: {metric} has no {label}")),
                ),
                None if metric == UP => {}
                None => wrong.push(format!("{of}: there is no {metric}")),
            }
        }
        let unknown = grouped.iter().filter(|label| !every.contains(label.as_str()));
        wrong.extend(unknown.map(|label| format!("{of}: nothing has {label}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}\nin\n{text}");
}

#[tokio::test]
async fn every_metric_and_every_alert_is_in_the_manual() {
    let (told, _) = told().await;
    let manual = shipped("docs/MONITORING.md");
    let family = |name: &str| {
        let suffixes = ["_bucket", "_count", "_sum"];
        let cut = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        cut.unwrap_or(name).to_owned()
    };
    let metrics = told.keys().map(|name| format!("`{}`", family(name)));
    let alerts = alerts().into_iter().map(|(name, _)| format!("`{name}`"));
    let missing: Vec<_> = metrics
        .chain(alerts)
        .filter(|name| !manual.contains(name))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/MONITORING.md does not tell of {missing:?}"
    );
}

/// What the gateway's counters say, once they say this.
async fn counted(gateway: &TestGateway, line: &str) -> String {
    let start = std::time::Instant::now();
    loop {
        let text = gateway.telemetry.metrics.text(&Now::default());
        if text.lines().any(|found| found == line) {
            return text;
        }
        assert!(start.elapsed().as_secs() < 20, "{line} is not in\n{text}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn connections_and_requests_count_while_they_last_and_when_they_end() {
    let gateway = TestGateway::start().await;
    // More than the connection's buffers take.
    let size = 64 << 20;
    let file = gateway.put("large.bin", "");
    std::fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(size)
        .unwrap();
    let link = gateway.link(&Method::GET, "large.bin");
    let (_, target) = link.split_once(&gateway.address.to_string()).unwrap();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", gateway.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_u8().await.unwrap();
    let text = counted(&gateway, "postern_requests_in_flight 1").await;
    assert!(
        text.contains("postern_connections_open{listener=\"http\"} 1"),
        "{text}"
    );
    assert!(!text.contains("postern_requests_total"), "it is not over: {text}");
    drop(stream);
    counted(&gateway, "postern_connections_open{listener=\"http\"} 0").await;
    counted(&gateway, "postern_requests_in_flight 0").await;
    counted(
        &gateway,
        "postern_requests_total{operation=\"GetObject\",outcome=\"gone\",status=\"200\",code=\"none\"} 1",
    )
    .await;
}

#[tokio::test]
async fn no_text_of_a_client_becomes_a_label() {
    let gateway = TestGateway::start().await;
    let url = format!("{}/odd-bucket/odd-key?odd-query=odd", gateway.endpoint());
    let odd = [
        ("x-amz-odd", "odd"),
        ("user-agent", "odd"),
        ("origin", "http://odd"),
    ];
    for method in ["GET", "OPTIONS", "ODD-METHOD", "POST", "BREW"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        client::send(gateway.address, method, &url, &odd).await;
    }
    let text = counted(
        &gateway,
        "postern_request_duration_seconds_count{operation=\"none\"} 5",
    )
    .await;
    assert!(
        !text.to_ascii_lowercase().contains("odd") && !text.contains("BREW"),
        "{text}"
    );
    let lines = text
        .lines()
        .filter(|line| line.starts_with("postern_requests_total"));
    assert!(
        lines.clone().all(|line| line.contains("operation=\"none\"")),
        "{text}"
    );
}

#[tokio::test]
async fn a_new_policy_begins_with_no_signing_keys_and_its_look_ups_count_on() {
    let gateway = TestGateway::start().await;
    gateway.put("a.txt", "a");
    let link = gateway.link(&Method::GET, "a.txt");
    for (hits, misses) in [(0, 1), (1, 1)] {
        assert_eq!(gateway.get(&link).await.status, 200);
        assert_eq!(gateway.live.signing_keys(), CacheCounts { hits, misses });
    }
    gateway.save_policy(&(reader() + "# once more\n")).await;
    assert_eq!(gateway.get(&link).await.status, 200);
    assert_eq!(gateway.live.signing_keys(), CacheCounts { hits: 1, misses: 2 });
}
