use super::*;

#[tokio::test]
async fn each_step_is_waited_for_and_none_is_taken_back() {
    let (farewell, mut leaving) = farewell();
    assert!(!leaving.has_begun());
    farewell.retire(false);
    assert!(leaving.has_begun());
    assert!(!leaving.takes_waiting());
    leaving.begun().await;
    farewell.retire(true);
    farewell.retire(false);
    assert!(leaving.takes_waiting());
    farewell.stop();
    farewell.retire(true);
    assert!(!leaving.takes_waiting());
    leaving.stopped().await;
    drop(farewell);
    leaving.over().await;
}

#[tokio::test]
async fn who_has_nobody_left_to_wait_for_does_not_wait() {
    let (farewell, mut leaving) = farewell();
    drop(farewell);
    leaving.begun().await;
    leaving.stopped().await;
    leaving.over().await;
}
