use super::{
    Permission::{Configure, Read, Write},
    *,
};

fn queue(name: &str) -> Queue {
    Queue {
        name: name.to_owned(),
        kind: None,
        arguments: Arguments::default(),
    }
}

fn topology(declare: Declare, exchange: &str, parking: bool) -> Topology {
    Topology {
        exchange: Exchange {
            name: exchange.to_owned(),
            ..Exchange::default()
        },
        targets: vec![queue("q")],
        parking: parking.then(|| queue("q.parked")),
        declare,
    }
}

fn needs(topology: &Topology) -> [String; 3] {
    let needs = topology.needs("lock");
    [Configure, Write, Read].map(|permission| needs.pattern(permission))
}

#[test]
fn nothing_is_asked_for_that_the_mode_does_not_need() {
    let default = "^amq\\.default$";
    let cases = [
        ((Declare::Never, "", true), ["^lock$", default, "^lock$"]),
        (
            (Declare::Missing, "", false),
            ["^(lock|q)$", default, "^lock$"],
        ),
        (
            (Declare::Missing, "x", true),
            ["^(lock|q\\.parked)$", "^(amq\\.default|x)$", "^lock$"],
        ),
        (
            (Declare::All, "x", false),
            ["^(lock|q|x)$", "^(amq\\.default|q|x)$", "^(lock|x)$"],
        ),
    ];
    for ((declare, exchange, parking), expected) in cases {
        assert_eq!(
            needs(&topology(declare, exchange, parking)),
            expected,
            "{declare:?} {exchange}"
        );
    }
}

#[test]
fn every_partitions_queue_is_declared_and_bound() {
    let mut default = topology(Declare::Missing, "", false);
    default.targets = vec![queue("q.0"), queue("q.1")];
    let configure = "^(lock|q\\.0|q\\.1)$";
    assert_eq!(needs(&default), [configure, "^amq\\.default$", "^lock$"]);
    let mut bound = topology(Declare::All, "x", false);
    bound.targets.clone_from(&default.targets);
    let write = "^(amq\\.default|q\\.0|q\\.1|x)$";
    assert_eq!(
        needs(&bound),
        ["^(lock|q\\.0|q\\.1|x)$", write, "^(lock|x)$"]
    );
    let names = |topology: &Topology| {
        topology
            .queues()
            .map(|queue| queue.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&bound), ["q.0", "q.1"]);
}
