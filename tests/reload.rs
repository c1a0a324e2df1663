//! A policy that changes under load: no request fails because of it, and none sees half of two policies.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::{Method, StatusCode};

use crate::support::{TestGateway, Wishes, client, policy, reader};

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

/// A copy reads its source and writes its target. No policy here allows both, so a request that saw one of each would pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_reloads_under_load_fail_no_request_and_mix_no_two_policies() {
    const RELOADS: u64 = 2_000;
    let may = |action: &str| {
        policy(&[&format!(
            "\n[[signer.statement]]\nEffect = 'Allow'\nAction = '{action}'\nResource = '*'\n"
        )])
    };
    let gateway = Arc::new(
        TestGateway::with(Wishes {
            policy: Some(may("s3:GetObject")),
            ..Wishes::default()
        })
        .await,
    );
    gateway.put("a", "content");
    let source = [("x-amz-copy-source", "pres-url-test/a")];
    let copy = gateway.sign(&Method::PUT, "copy", &[], &source);
    let get = gateway.link(&Method::GET, "a");
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (gateway, get, copy, stop) = (gateway.clone(), get.clone(), copy.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut allowed, mut denied) = (0, 0);
                while !stop.load(Ordering::Relaxed) {
                    let answer = gateway.get(&get).await;
                    match (answer.status, answer.code().as_str()) {
                        (StatusCode::OK, _) => allowed += 1,
                        (StatusCode::FORBIDDEN, "AccessDenied") => denied += 1,
                        other => panic!("decided by neither policy: {other:?}"),
                    }
                    let answer = client::send(gateway.address, Method::PUT, &copy, &source).await;
                    assert_eq!(
                        (answer.status, answer.code().as_str()),
                        (StatusCode::FORBIDDEN, "AccessDenied")
                    );
                }
                (allowed, denied)
            })
        })
        .collect();
    let (file, beside) = (gateway.policy_file(), gateway.folder.path().join("policy.new"));
    let mut changes = gateway.live.changes();
    for reload in 0..RELOADS {
        let action = if reload % 2 == 0 {
            "s3:PutObject"
        } else {
            "s3:GetObject"
        };
        std::fs::write(&beside, may(action)).unwrap();
        std::fs::rename(&beside, &file).unwrap();
        gateway.live.reload_now();
        let taken = changes.wait_for(|status| status.generation == reload + 2);
        let taken = tokio::time::timeout(std::time::Duration::from_secs(20), taken).await;
        assert_eq!(taken.unwrap().unwrap().problem, None);
    }
    stop.store(true, Ordering::Relaxed);
    let mut seen = (0, 0);
    for client in clients {
        let (allowed, denied) = client.await.unwrap();
        seen = (seen.0 + allowed, seen.1 + denied);
    }
    assert!(seen.0 > 0 && seen.1 > 0, "both policies were met: {seen:?}");
}
