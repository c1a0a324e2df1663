//! A policy that changes under load: no request fails because of it, and none sees half of two policies.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::{Method, StatusCode};

use crate::support::{TestGateway, policy, reader};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_policy_changes_every_request_is_decided_by_one_whole_policy() {
    let gateway = Arc::new(TestGateway::start().await);
    gateway.put("a", "content");
    let link = gateway.link(&Method::GET, "a");
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (gateway, link, stop) = (gateway.clone(), link.clone(), stop.clone());
            tokio::spawn(async move {
                let mut seen = (0, 0);
                while !stop.load(Ordering::Relaxed) {
                    let answer = gateway.get(&link).await;
                    match (answer.status, answer.code().as_str()) {
                        (StatusCode::OK, _) => seen.0 += 1,
                        (StatusCode::FORBIDDEN, "AccessDenied") => seen.1 += 1,
                        other => panic!("decided by neither policy: {other:?}"),
                    }
                }
                seen
            })
        })
        .collect();
    for _ in 0..20 {
        gateway.save_policy(&policy(&[])).await;
        assert_eq!(
            gateway.get(&link).await.status,
            StatusCode::FORBIDDEN,
            "in force once it is said to be"
        );
        gateway.save_policy(&reader()).await;
        assert_eq!(gateway.get(&link).await.status, StatusCode::OK);
    }
    stop.store(true, Ordering::Relaxed);
    let mut seen = (0, 0);
    for client in clients {
        let (allowed, denied) = client.await.unwrap();
        seen = (seen.0 + allowed, seen.1 + denied);
    }
    assert!(seen.0 > 0 && seen.1 > 0, "both policies were met: {seen:?}");
}
