//! What can be told of the members without servers; the rest runs at each start of the servers.

use super::*;

fn address(text: &str) -> ServerAddress {
    ServerAddress::parse(text).unwrap()
}

fn member(set: &str, hosts: &[&str], state: &str) -> State {
    State::Member {
        set: set.to_owned(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        state: state.to_owned(),
    }
}

fn complaint(state: &State) -> Option<String> {
    misfit("mine", &address("localhost:30001"), state).map(|misfit| misfit.to_string())
}

fn set_of(states: Vec<State>) -> Set {
    Set {
        name: "mine".to_owned(),
        election_timeout_ms: None,
        members: Vec::new(),
        states,
        leaderless_since: None,
    }
}

#[test]
fn a_member_that_may_still_come_is_waited_for() {
    assert_eq!(complaint(&State::Silent("refused".to_owned())), None);
    assert_eq!(complaint(&State::Uninitiated { set: None }), None);
    let mine = Some("mine".to_owned());
    assert_eq!(complaint(&State::Uninitiated { set: mine }), None);
    assert_eq!(
        complaint(&member("mine", &["localhost:30001"], "STARTUP2")),
        None
    );
}

#[test]
fn a_member_that_never_fits_is_refused() {
    let other = Some("other".to_owned());
    for state in [
        State::Uninitiated { set: other },
        member("other", &[], "PRIMARY"),
    ] {
        let complaint = complaint(&state).unwrap();
        assert_eq!(
            complaint,
            "localhost:30001 belongs to replica set other, not mine"
        );
    }
    assert!(
        complaint(&State::Standalone)
            .unwrap()
            .contains("not a replica set member")
    );
    assert!(
        complaint(&State::NeedsCredentials)
            .unwrap()
            .contains("wants credentials")
    );
}

#[test]
fn a_set_that_knows_its_members_by_other_names_is_refused() {
    let complaint = complaint(&member("mine", &["mongo1:30001"], "PRIMARY")).unwrap();
    assert!(
        complaint.contains("does not know localhost:30001"),
        "{complaint}"
    );
    assert!(complaint.contains("mongo1:30001"), "{complaint}");
}

#[test]
fn a_set_is_ready_with_one_primary_and_secondaries_beside_it() {
    let of = |states: &[&str]| {
        set_of(
            states
                .iter()
                .map(|state| member("mine", &[], state))
                .collect(),
        )
    };
    assert!(of(&["SECONDARY", "PRIMARY", "SECONDARY"]).is_ready());
    assert!(of(&["PRIMARY"]).is_ready());
    assert!(!of(&["SECONDARY", "PRIMARY", "STARTUP2"]).is_ready());
    assert!(!of(&["SECONDARY", "SECONDARY", "SECONDARY"]).is_ready());
    assert!(!of(&["PRIMARY", "PRIMARY", "SECONDARY"]).is_ready());
}

#[test]
fn only_an_unanswered_election_is_hurried() {
    let silent = || State::Silent("refused".to_owned());
    let state = |state| member("mine", &[], state);
    assert!(set_of(vec![state("SECONDARY"), state("STARTUP2")]).waits_for_election());
    assert!(!set_of(vec![state("SECONDARY"), state("PRIMARY")]).waits_for_election());
    assert!(!set_of(vec![state("SECONDARY"), silent()]).waits_for_election());
    assert!(!set_of(vec![state("STARTUP2"), state("STARTUP2")]).waits_for_election());
}

#[test]
fn the_election_timeout_is_set_only_if_asked_for() {
    let addresses = [address("localhost:1"), address("localhost:2")];
    let plain = configuration("mine", addresses.iter(), None);
    let members = [
        doc! { "_id": 0, "host": "localhost:1" },
        doc! { "_id": 1, "host": "localhost:2" },
    ];
    assert_eq!(plain, doc! { "_id": "mine", "members": members });
    let hurried = configuration("mine", addresses.iter(), Some(500));
    let settings = hurried.get_document("settings").unwrap();
    assert_eq!(settings, &doc! { "electionTimeoutMillis": 500 });
}
