use super::{
    Permission::{Configure, Read, Write},
    *,
};

const FOR: &str = " in vhost '/' refused for user 'ada'";

fn queue(name: &str) -> Resource {
    Resource::Queue(name.to_owned())
}

fn exchange(name: &str) -> Resource {
    Resource::Exchange(name.to_owned())
}

fn check(text: &str, action: Action, expected: (Resource, Vec<Permission>)) {
    let text = format!("ACCESS_REFUSED - {text}{FOR}");
    assert_eq!(parse(&text, action), Some(expected), "{text}");
}

#[test]
fn what_an_older_broker_leaves_out_follows_from_what_was_asked() {
    let (of_queue, of_exchange) = ("access to queue 'q'", "access to exchange 'amq.default'");
    let default = exchange("amq.default");
    check(
        of_queue,
        Action::DeclareOrPublish,
        (queue("q"), vec![Configure]),
    );
    check(
        of_exchange,
        Action::DeclareOrPublish,
        (default.clone(), vec![Write]),
    );
    check(of_queue, Action::Bind, (queue("q"), vec![Write]));
    check(of_exchange, Action::Bind, (default.clone(), vec![Read]));
    check(of_queue, Action::Consume, (queue("q"), vec![Read]));
    check(
        of_queue,
        Action::DeadLetters,
        (queue("q"), vec![Configure, Read]),
    );
    check(
        of_exchange,
        Action::DeadLetters,
        (default.clone(), vec![Write]),
    );
    check(
        of_exchange,
        Action::DeclareExchange,
        (default, vec![Configure]),
    );
}

#[test]
fn of_what_may_be_missing_the_needs_tell_what_it_is() {
    let denied = |name: &str| {
        let denied = Denied {
            address: String::new(),
            user: String::new(),
            vhost: String::new(),
            resource: exchange(name),
            permissions: vec![Configure, Read, Write],
            needs: Needs::default().and(Configure, "x").and(Write, "alternate"),
        };
        denied.complete().permissions
    };
    assert_eq!(denied("x"), [Configure]);
    assert_eq!(denied("alternate"), [Write]);
    assert_eq!(denied("other"), [Configure, Read, Write]);
}

#[test]
fn a_newer_broker_says_it_itself() {
    let action = Action::DeclareOrPublish;
    check("read access to queue 'q'", action, (queue("q"), vec![Read]));
    let changes = exchange("it's access to x");
    check(
        "configure access to exchange 'it's access to x'",
        action,
        (changes, vec![Configure]),
    );
}

#[test]
fn a_topic_is_told_with_its_exchange() {
    let topic = Resource::Topic {
        exchange: "changes".to_owned(),
        key: "scrabble.games".to_owned(),
    };
    let text = "access to topic 'scrabble.games' in exchange exchange 'changes'";
    check(text, Action::DeclareOrPublish, (topic, vec![Write]));
}

#[test]
fn a_refused_login_is_no_missing_permission() {
    for text in [
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.",
        "NOT_ALLOWED - access to vhost 'x' refused for user 'ada'",
    ] {
        assert_eq!(parse(text, Action::DeclareOrPublish), None);
    }
}

#[test]
fn patterns_match_the_names_alone() {
    let needs = Needs::default()
        .and(Configure, "cdc.lock.a")
        .and(Configure, "orders (eu)$")
        .and(Write, "");
    assert_eq!(
        needs.pattern(Configure),
        r"^(cdc\.lock\.a|orders \(eu\)\$)$"
    );
    assert_eq!(needs.pattern(Write), r"^amq\.default$");
    assert_eq!(needs.pattern(Read), "^$");
}

#[test]
fn the_locks_of_all_shares_have_one_pattern() {
    let needs = |lock: &str| {
        Needs::default()
            .and(Configure, lock)
            .and(Configure, "orders")
            .of_all_shares("cdc.lock.a")
    };
    let all = r"^(cdc\.lock\.a(\.[0-9]+of[0-9]+)?|orders)$";
    for lock in ["cdc.lock.a", "cdc.lock.a.3of4"] {
        assert_eq!(needs(lock).pattern(Configure), all);
    }
    // Whichever is denied first, the hint is the same.
    let denied = Denied {
        address: String::new(),
        user: String::new(),
        vhost: String::new(),
        resource: queue("cdc.lock.a.0of2"),
        permissions: vec![Configure],
        needs: needs("cdc.lock.a"),
    };
    assert_eq!(denied.complete().needs.pattern(Configure), all);
    let other = needs("cdc.lock.a.b").pattern(Configure);
    assert_eq!(other, r"^(cdc\.lock\.a\.b|orders)$");
    let added = Needs::default()
        .and(Read, "cdc.lock.a")
        .with(&needs("orders"));
    assert_eq!(added.pattern(Read), r"^cdc\.lock\.a(\.[0-9]+of[0-9]+)?$");
}
