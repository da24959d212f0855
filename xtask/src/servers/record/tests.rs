use super::*;

fn recorded(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let settings = BTreeMap::from(settings(&Stack::example())).into_iter();
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    let changes = changes.iter();
    let changes = changes.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    settings.chain(changes).collect()
}

/// What a start is told whose stack is the example, where an earlier one had `changes`.
fn check(changes: &[(&str, &str)], backend: Backend, expected: &str, deletes: bool) {
    let differences = differences(backend, &recorded(changes), &Stack::example());
    let failure = failure(&differences, true, |_| "`.env` says");
    assert_eq!(failure.to_string(), expected);
    let hint = format!("{failure:?}");
    assert_eq!(hint.contains("--volumes"), deletes, "{hint}");
}

#[test]
fn the_same_settings_are_no_difference() {
    for backend in [Backend::Docker, Backend::Native] {
        let stack = Stack::example();
        assert_eq!(differences(backend, &recorded(&[]), &stack), []);
        // A record of a release that wrote fewer of them.
        assert_eq!(differences(backend, &BTreeMap::new(), &stack), []);
    }
}

#[test]
fn each_difference_is_told_with_both_values() {
    check(
        &[("RABBITMQ_PORT", "5673"), ("RABBITMQ_VHOST", "games")],
        Backend::Native,
        "the local servers run with RABBITMQ_PORT=5673 where `.env` says 5683, RABBITMQ_VHOST=games where `.env` says /",
        false,
    );
}

#[test]
fn a_password_is_not_shown() {
    check(
        &[("RABBITMQ_DEFAULT_PASSWORD", "tea")],
        Backend::Native,
        "the local servers run with another RABBITMQ_DEFAULT_PASSWORD than `.env` says",
        false,
    );
}

#[test]
fn data_is_bound_to_members_ports_and_in_containers_to_the_user_too() {
    let port = "the local servers run with MONGO_PORT_2=9 where `.env` says 30012";
    check(&[("MONGO_PORT_2", "9")], Backend::Native, port, true);
    let user = [("RABBITMQ_DEFAULT_USERNAME", "ada")];
    let text = "the local servers run with RABBITMQ_DEFAULT_USERNAME=ada where `.env` says guest";
    check(&user, Backend::Native, text, false);
    check(&user, Backend::Docker, text, true);
    let port = "the local servers run with RABBITMQ_PORT=7 where `.env` says 5683";
    check(&[("RABBITMQ_PORT", "7")], Backend::Docker, port, false);
}
